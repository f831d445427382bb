//! The first steps to a host, one by one, as the client itself takes them: to see which of them fails.

use std::net::SocketAddr;

use reqwest::dns::{Name, Resolve as _};
use tokio::net::TcpStream;
use url::{Host, Url};

use super::Http;
use super::failure::{Cause, Failure, Sent};
use super::names::{Everything, Names, Unresolved};
use super::words::{self, NO_CONNECTION, Unreached, Words};

impl Http {
    /// The URL of the proxy that a request to `url` goes through; it holds no user and no password.
    pub fn way_of(&self, url: &Url) -> Option<Url> {
        self.proxy_for(url).map(|proxy| proxy.url.clone())
    }

    /// The addresses of the host, or of the proxy in between.
    pub async fn resolve(&self, url: &Url) -> Result<Vec<SocketAddr>, Failure> {
        let proxy = self.proxy_for(url);
        let first = proxy.map_or(url, |proxy| &proxy.url);
        let target = first.host_str().unwrap_or_default().to_owned();
        self.guard(first).map_err(|why| Failure::refused(&target, why))?;
        let port = first.port_or_known_default().unwrap_or(443);
        let name = match first.host() {
            Some(Host::Ipv4(ip)) => return Ok(vec![(ip, port).into()]),
            Some(Host::Ipv6(ip)) => return Ok(vec![(ip, port).into()]),
            _ => target.parse::<Name>().map_err(|_| Failure::refused(&target, "this is no host name"))?,
        };
        let resolving = match self.options().sandbox {
            None => Names { limit: self.options().dns_timeout }.resolve(name),
            Some(ip) => Everything(ip).resolve(name),
        };
        let found = resolving.await.map_err(|error| {
            let Some(unresolved) = error.downcast_ref::<Unresolved>() else {
                return Failure::refused(&target, "the host name cannot be resolved");
            };
            let Words { how, advice } = words::name(unresolved, proxy);
            let source = Some(Cause(unresolved.to_string()));
            Failure { sent: Sent::No, what: format!("{target}: {how}"), advice, source }
        })?;
        let addresses: Vec<_> = found.map(|address| SocketAddr::new(address.ip(), port)).collect();
        if addresses.is_empty() {
            Err(Failure::refused(&target, "the host name has no address"))
        } else {
            Ok(addresses)
        }
    }

    /// Connects to the first of the addresses that takes it, and hangs up. They are those of `url`, or of the proxy in between.
    pub async fn knock(&self, url: &Url, addresses: &[SocketAddr]) -> Result<SocketAddr, Failure> {
        let limit = self.options().connect_timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut refused = Vec::new();
        for address in addresses {
            match tokio::time::timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(_)) => return Ok(*address),
                Ok(Err(error)) => refused.push(format!("{address}: {error}")),
                Err(_) => refused.push(format!("{address}: {NO_CONNECTION}")),
            }
        }
        let refused = refused.join("; ");
        let (unreached, what) = match self.proxy_for(url) {
            Some(proxy) => (Unreached::ProxyAway, format!("no connection to the proxy {}: {refused}", proxy.shown())),
            None => (Unreached::NoConnection, refused),
        };
        let advice = unreached.message().remedy;
        Err(Failure { sent: Sent::No, what, advice: Some(advice.to_owned()), source: None })
    }
}

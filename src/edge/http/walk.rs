//! The first steps to a host, one by one, as the client itself takes them: to see which of them fails.

use std::net::SocketAddr;

use reqwest::dns::{Name, Resolve as _};
use reqwest::tls::{TlsInfo, Version};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use url::{Host, Url};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::chain::Notes;
use super::failure::{Cause, Failure, Sent};
use super::names::{Everything, Names, Unresolved};
use super::words::{self, NO_CONNECTION, Unreached, Words};
use super::{Answer, Http, MAX_BODY, Method, answer};

/// What a server has shown of itself before it answered.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its certificate, and those that came with it. Nothing if TLS never came so far.
    pub chain: Vec<CertificateDer<'static>>,
    /// The version of TLS, where an answer came.
    pub version: Option<&'static str>,
}

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
        self.guard(first).map_err(|why| Failure::refused(&target, Unreached::Outside, why))?;
        let port = first.port_or_known_default().unwrap_or(443);
        let name = match first.host() {
            Some(Host::Ipv4(ip)) => return Ok(vec![(ip, port).into()]),
            Some(Host::Ipv6(ip)) => return Ok(vec![(ip, port).into()]),
            _ => target
                .parse::<Name>()
                .map_err(|_| Failure::refused(&target, Unreached::NoHost, "this is no host name"))?,
        };
        let resolving = match self.options().sandbox {
            None => Names { limit: self.options().dns_timeout }.resolve(name),
            Some(ip) => Everything(ip).resolve(name),
        };
        let found = resolving.await.map_err(|error| {
            let Some(unresolved) = error.downcast_ref::<Unresolved>() else {
                return Failure::refused(&target, Unreached::NameUnknown, "the host name cannot be resolved");
            };
            let Words { how, advice } = words::name(unresolved, proxy);
            let source = Some(Cause(unresolved.to_string()));
            Failure { sent: Sent::No, what: format!("{target}: {how}"), advice, source }
        })?;
        let addresses: Vec<_> = found.map(|address| SocketAddr::new(address.ip(), port)).collect();
        if addresses.is_empty() {
            Err(Failure::refused(&target, Unreached::NoHost, "the host name has no address"))
        } else {
            Ok(addresses)
        }
    }

    /// Asks for what lies at this URL down a new connection, made as every other is, and keeps what was shown on the way.
    pub async fn greet(&self, url: Url) -> (Shown, Result<Answer, Failure>) {
        let (host, notes) = (url.host_str().unwrap_or_default().to_owned(), Notes::default());
        let mut shown = Shown { chain: Vec::new(), version: None };
        let answer = self.greeted(url, &notes, &mut shown.version).await;
        // An address of IPv6 stands in brackets in a URL.
        shown.chain = notes.of(host.trim_start_matches('[').trim_end_matches(']'));
        (shown, answer)
    }

    async fn greeted(&self, url: Url, notes: &Notes, version: &mut Option<&'static str>) -> Result<Answer, Failure> {
        let (request, target) = self.checked(self.request(Method::GET, url))?;
        let client = self.clients.noting(notes).map_err(|why| Failure::clientless(&target, &why))?;
        let proxy = self.proxy_for(request.url()).cloned();
        let response = client.execute(request).await;
        let response = response.map_err(|error| Failure::sort_by_way_of(&target, &error, proxy.as_ref()))?;
        *version = response.extensions().get::<TlsInfo>().and_then(TlsInfo::version).and_then(named);
        answer::read(target, response, MAX_BODY).await
    }

    /// Whether `ca_file` has a CA of the name that has signed this certificate.
    pub fn names_issuer(&self, certificate: &X509Certificate<'_>) -> bool {
        let is_issuer = |der: &CertificateDer<'_>| {
            X509Certificate::from_der(der).is_ok_and(|(_, ca)| ca.subject().as_raw() == certificate.issuer().as_raw())
        };
        self.clients.certificates().iter().any(is_issuer)
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

fn named(version: Version) -> Option<&'static str> {
    [(Version::TLS_1_2, "TLS 1.2"), (Version::TLS_1_3, "TLS 1.3")]
        .into_iter()
        .find(|(it, _)| *it == version)
        .map(|(_, name)| name)
}

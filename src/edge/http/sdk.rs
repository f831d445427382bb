//! Our client as the transport of the Azure SDK, which is kept from taking a bearer anywhere else.

use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use futures::TryStreamExt as _;
use url::{Host, Origin, Url};

use super::answer::{http_date, wait};
use super::client::NoClient;
use super::words::NO_ANSWER;
use super::{Ending, Failure, Http, MAX_BODY, Sent, Unreached};
use crate::proxy::Proxy;

/// Where the SDK may go.
#[derive(Clone, Debug)]
pub enum Reach {
    /// This origin only: a next-page link must not carry the bearer elsewhere.
    Origin(Origin),
    /// The identity endpoint of the machine itself, plain http: loopback and link-local addresses.
    ThisMachine,
}

impl Reach {
    fn allows(&self, url: &Url) -> bool {
        match self {
            Self::Origin(origin) => url.origin() == *origin,
            Self::ThisMachine => match url.host() {
                Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local(),
                Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unicast_link_local(),
                Some(Host::Domain(name)) => name == "localhost",
                None => false,
            },
        }
    }
}

/// The transport for one SDK client.
#[derive(Clone, Debug)]
pub struct SdkTransport {
    http: Http,
    reach: Reach,
}

impl SdkTransport {
    /// `http`, held within `reach`.
    pub fn new(http: Http, reach: Reach) -> Self {
        Self { http, reach }
    }
}

#[async_trait]
impl HttpClient for SdkTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let answer = self.exchange(request).await;
        let ending = answer.as_ref().map_or(Ending::Lost, |answer| Ending::of_status(u16::from(answer.status())));
        self.http.tally.count(ending);
        answer
    }
}

impl SdkTransport {
    async fn exchange(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let url = request.url();
        if !self.reach.allows(url) {
            let why = "the SDK was led to another host, and no request was made";
            return Err(not_made(Unreached::LedElsewhere, why));
        }
        self.http.guard(url).map_err(|why| not_made(Unreached::Outside, why))?;
        let client = self.http.clients.lasting();
        let client = client.map_err(|why| azure_core::Error::new(ErrorKind::Connection, NotMade::NoClient(why)))?;
        let answer = client.execute_request(request).await;
        let answer = answer.map_err(|error| by_way_of(error, self.http.proxy_for(url)))?;
        let (status, headers, body) = answer.deconstruct();
        Ok(AsyncRawResponse::from_bytes(status, headers, capped(body).await?))
    }
}

async fn capped(mut body: azure_core::http::AsyncResponseBody) -> azure_core::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.try_next().await? {
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(azure_core::Error::new(ErrorKind::Io, TooLong));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

impl Failure {
    /// Sorts an exchange that failed within the SDK; none when there was an answer, or no exchange at all.
    pub fn of_sdk(target: &str, error: &azure_core::Error) -> Option<Self> {
        if let Some(exchange) = find::<reqwest::Error>(error) {
            let proxy = find::<ByWayOf>(error).map(|way| &way.proxy);
            return Some(Self::sort_by_way_of(target, exchange, proxy));
        }
        match find::<NotMade>(error) {
            Some(NotMade::Refused(unreached, why)) => return Some(Self::refused(target, *unreached, why)),
            Some(NotMade::NoClient(why)) => return Some(Self::clientless(target, why)),
            None => (),
        }
        if find::<TooLong>(error).is_some() {
            return Some(Self { sent: Sent::Maybe, ..Self::refused(target, Unreached::TooLong, &TooLong.to_string()) });
        }
        // Nothing of ours: there is none of these today.
        let sent = match error.kind() {
            ErrorKind::Connection => Sent::No,
            ErrorKind::Io => Sent::Maybe,
            _ => return None,
        };
        Some(Self { sent, ..Self::refused(target, Unreached::NoConnection, &error.to_string()) })
    }

    /// The SDK did not come back within the limit that is set around each of its calls.
    pub fn overdue(target: &str) -> Self {
        Self { sent: Sent::Maybe, what: format!("{target}: {NO_ANSWER}"), advice: None, source: None }
    }
}

/// Why no request was made.
#[derive(Debug, thiserror::Error)]
enum NotMade {
    #[error("{1}")]
    Refused(Unreached, &'static str),
    #[error(transparent)]
    NoClient(NoClient),
}

fn not_made(unreached: Unreached, why: &'static str) -> azure_core::Error {
    azure_core::Error::new(ErrorKind::Connection, NotMade::Refused(unreached, why))
}

#[derive(Debug, thiserror::Error)]
#[error("the answer is larger than {} KB", MAX_BODY / 1024)]
struct TooLong;

/// A failed exchange, and the proxy that it went through.
#[derive(Debug, thiserror::Error)]
#[error("by way of the proxy {}", .proxy.shown())]
struct ByWayOf {
    proxy: Proxy,
    source: azure_core::Error,
}

fn by_way_of(source: azure_core::Error, proxy: Option<&Proxy>) -> azure_core::Error {
    match proxy.cloned() {
        Some(proxy) => azure_core::Error::new(ErrorKind::Io, ByWayOf { proxy, source }),
        None => source,
    }
}

/// The first error of this kind in a chain of the SDK's.
fn find<E: std::error::Error + 'static>(error: &azure_core::Error) -> Option<&E> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// What the `Retry-After` of an answer in the SDK's hands asks for.
pub fn retry_after_of(headers: &Headers) -> Option<Duration> {
    let header = |name: &'static str| headers.get_optional_str(&HeaderName::from_static(name));
    wait(header("retry-after")?, header("date").and_then(http_date))
}

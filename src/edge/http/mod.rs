//! The one HTTP client, and the sorting of what can go wrong with it.
//!
//! Everything goes over TLS, follows no redirect, and is bounded in time and size. In the sandbox nothing but loopback
//! can be reached. No error ever holds a header, a body, a query or the user part of a URL.
//!
//! What may be repeated goes down connections that are kept. One of those may be dead: a machine on the way forgets what
//! idles, or resets it. A request that finds it closed is sent down a new one by the library, as it was never sent; one
//! that is already on its way is lost. So what must not be repeated goes down a connection of its own ([`Http::send_once`]).

mod answer;
mod build;
mod ca;
mod chain;
mod client;
mod failure;
mod names;
mod redact;
mod sdk;
mod tally;
mod tls;
mod walk;
mod words;

use std::sync::Arc;

pub use answer::{Answer, LONG_BODY, MAX_BODY};
pub use build::{BadClient, BuildError, HttpOptions};
pub use ca::check_ca_file;
pub use failure::{Cause, Failure, Sent};
pub use redact::{Redactor, shorten};
pub use reqwest::Method;
use reqwest::{Request, RequestBuilder};
pub use sdk::{Reach, SdkTransport, retry_after_of};
pub use tally::{Ending, Tally};
use url::{Host, Url};
pub use walk::Shown;
pub use words::Unreached;

use self::client::Clients;
use crate::proxy::Proxy;

/// The client. Cheap to clone; clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct Http {
    clients: Arc<Clients>,
    tally: Arc<Tally>,
}

impl Http {
    fn of(clients: Clients) -> Self {
        Self { clients: Arc::new(clients), tally: Arc::default() }
    }

    /// The same, whose requests are counted here.
    #[must_use]
    pub fn counted_by(&self, tally: &Arc<Tally>) -> Self {
        Self { clients: Arc::clone(&self.clients), tally: Arc::clone(tally) }
    }

    /// How every request is made.
    pub fn options(&self) -> &HttpOptions {
        self.clients.options()
    }

    /// A request, to be finished and handed to [`Http::send`].
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.clients.any().request(method, url)
    }

    /// Sends and reads the whole answer, whatever its status. For what may be done twice.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        self.send_within(request, MAX_BODY).await
    }

    /// The same, for an answer of up to `most` bytes.
    pub async fn send_within(&self, request: RequestBuilder, most: usize) -> Result<Answer, Failure> {
        self.tally.counted(self.exchange(request, most).await)
    }

    async fn exchange(&self, request: RequestBuilder, most: usize) -> Result<Answer, Failure> {
        let (request, target) = self.checked(request)?;
        let client = self.clients.lasting().map_err(|why| Failure::clientless(&target, &why))?;
        let proxy = self.proxy_for(request.url()).cloned();
        let answer = client.execute(request).await;
        let response = answer.map_err(|error| Failure::sort_by_way_of(&target, &error, proxy.as_ref()))?;
        answer::read(target, response, most).await
    }

    /// As [`send`](Self::send), down a new connection that nothing else uses, and with certain knowledge of whether it
    /// has ever stood. For what must not be done twice.
    pub async fn send_once(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        self.tally.counted(self.exchange_once(request).await)
    }

    async fn exchange_once(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let (request, target) = self.checked(request)?;
        let single = self.clients.single().map_err(|why| Failure::clientless(&target, &why))?;
        let proxy = self.proxy_for(request.url()).cloned();
        let answer = single.client.execute(request).await;
        let answer = match answer {
            Ok(response) => answer::read(target, response, MAX_BODY).await,
            Err(error) => {
                let failure = Failure::sort_by_way_of(&target, &error, proxy.as_ref());
                Err(if single.stood() { Failure { sent: Sent::Maybe, ..failure } } else { failure.never_sent() })
            }
        };
        self.clients.give_back(single);
        answer
    }

    /// Has at hand what [`send_once`](Self::send_once) will need, so that nothing is lost of the time of whoever hurries.
    pub fn get_ready(&self) {
        // What is in its way now is told by the request itself, if it is still there then.
        if let Ok(single) = self.clients.single() {
            self.clients.give_back(single);
        }
    }

    fn checked(&self, request: RequestBuilder) -> Result<(Request, String), Failure> {
        let request = request.build().map_err(|error| Failure::unbuilt(&error))?;
        let target = target(request.method(), request.url());
        self.guard(request.url()).map_err(|why| Failure::refused(&target, Unreached::Outside, why))?;
        Ok((request, target))
    }

    /// The proxy that a request to `url` goes through.
    fn proxy_for(&self, url: &Url) -> Option<&Proxy> {
        self.options().proxy.as_ref().filter(|proxy| proxy.carries(url))
    }

    /// In the sandbox names lead to loopback by the resolver; an address in the URL itself must be loopback too.
    fn guard(&self, url: &Url) -> Result<(), &'static str> {
        let outside = match url.host() {
            Some(Host::Ipv4(ip)) => !ip.is_loopback(),
            Some(Host::Ipv6(ip)) => !ip.is_loopback(),
            Some(Host::Domain(_)) => false,
            None => true,
        };
        if self.options().sandbox.is_some() && outside {
            Err("this is a sandbox, only loopback may be reached")
        } else {
            Ok(())
        }
    }
}

/// Method and URL for messages: without query, fragment and user part.
pub fn target(method: &Method, url: &Url) -> String {
    format!("{method} {}", shown(url))
}

/// A URL for messages: without query, fragment and user part.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only for URLs that can carry no user part in the first place.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// `base` with path segments appended, each escaped. A base that cannot have a path (`data:`) stays as it is.
pub fn join<'a>(base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

#[cfg(test)]
mod tests;

//! The one HTTP client, and the sorting of what can go wrong with it.
//!
//! Everything goes over TLS, follows no redirect, and is bounded in time and size. In the sandbox nothing but loopback
//! can be reached. No error ever holds a header, a body, a query or the user part of a URL.

mod answer;
mod build;
mod failure;
mod redact;
mod sdk;

pub use answer::{Answer, MAX_BODY};
pub use build::{BuildError, HttpOptions};
pub use failure::{Cause, Failure, Sent};
pub use redact::{Redactor, shorten};
pub use reqwest::Method;
use reqwest::RequestBuilder;
pub use sdk::{Reach, SdkTransport, retry_after_of};
use url::{Host, Url};

/// The client. Cheap to clone; clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
    options: HttpOptions,
}

impl Http {
    /// A request, to be finished and handed to [`Http::send`].
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends once and reads the whole answer, whatever its status.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let request = request.build().map_err(|error| Failure::unbuilt(&error))?;
        let target = target(request.method(), request.url());
        self.guard(request.url()).map_err(|why| Failure::refused(&target, why))?;
        let response = self.client.execute(request).await.map_err(|error| Failure::sort(&target, error))?;
        answer::read(target, response).await
    }

    /// In the sandbox names lead to loopback by the resolver; an address in the URL itself must be loopback too.
    fn guard(&self, url: &Url) -> Result<(), &'static str> {
        let outside = match url.host() {
            Some(Host::Ipv4(ip)) => !ip.is_loopback(),
            Some(Host::Ipv6(ip)) => !ip.is_loopback(),
            Some(Host::Domain(_)) => false,
            None => true,
        };
        if self.options.sandbox.is_some() && outside {
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

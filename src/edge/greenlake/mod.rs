//! The issuer: HPE GreenLake's proxy-token service.
//!
//! A rotation cannot be taken back and its answer is given once. So it is sent once; only an answer that proves that
//! nothing was made (a connection that never stood, a 4xx) counts as "not issued", and everything else as "may be".

mod answer;
mod bearer;
mod claims;
mod command;
mod errors;
mod login;
mod pasted;
mod refused;
mod shape;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub use self::bearer::Auth;
use self::bearer::BearerSource;
pub use self::command::BearerCommand;
pub use self::login::{ClientCredentials, Flavour};
pub use self::refused::Refused;
use super::http::{Answer, Failure, Http, Method, Redactor, Sent, Unreached, join};
use crate::doctor::Bearer;
use crate::domain::claims::Claims;
use crate::domain::{Expiry, Timestamp, Token};
use crate::first_contact::{Answered, Shape};
use crate::ports::{CallError, Class, Clock, IssueHow, Issued, Issuer, IssuerError};

const SERVICE: &str = "HPE";

/// Which service, as whom, and how its answer is to be read.
#[derive(Clone, Debug)]
pub struct GreenLakeOptions {
    /// The proxy-token service, https (`https://sps.us1.greenlake-hpe.com/v1alpha1`).
    pub url: Url,
    /// Where the API bearer comes from.
    pub auth: Auth,
    /// How the answer is to be read.
    pub reading: Reading,
}

/// How the answer is to be read, which HPE documents nowhere.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// A JSON pointer (`/data/token`) to the token; none searches for it.
    pub token_pointer: Option<String>,
    /// A JSON pointer to its expiry; none searches for it.
    pub expiry_pointer: Option<String>,
    /// The life of a token of which nothing tells the end.
    pub assumed_lifetime: Option<TimeDelta>,
}

/// Why there is no issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GreenLakeError {
    /// A secret would go out in the clear.
    #[error("{what} {url} must begin with https://")]
    NotHttps {
        /// Which of the URLs.
        what: &'static str,
        /// The URL.
        url: String,
    },
    /// Not a JSON pointer.
    #[error("the JSON pointer {0:?} must begin with a slash, as in /data/token")]
    BadPointer(String),
}

/// The proxy-token service.
pub struct GreenLake {
    options: GreenLakeOptions,
    http: Http,
    bearer: BearerSource,
    clock: Arc<dyn Clock>,
    /// What the last answer looked like, for whoever wants to know.
    last_shape: Mutex<Option<Shape>>,
}

impl fmt::Debug for GreenLake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenLake").field("options", &self.options).finish_non_exhaustive()
    }
}

impl GreenLake {
    /// Checks the options. Nothing is read and nothing is sent yet.
    pub fn new(options: GreenLakeOptions, http: Http, clock: Arc<dyn Clock>) -> Result<Self, GreenLakeError> {
        let login = match &options.auth {
            Auth::Client(credentials) => Some(("the token issuer", &credentials.issuer)),
            Auth::File(_) | Auth::Command(_) => None,
        };
        for (what, url) in [("the issuer's URL", &options.url)].into_iter().chain(login) {
            if url.scheme() != "https" {
                return Err(GreenLakeError::NotHttps { what, url: super::http::shown(url) });
            }
        }
        for pointer in [&options.reading.token_pointer, &options.reading.expiry_pointer].into_iter().flatten() {
            if !pointer.starts_with('/') {
                return Err(GreenLakeError::BadPointer(pointer.clone()));
            }
        }
        let bearer = BearerSource::new(options.auth.clone(), http.clone(), clock.clone());
        Ok(Self { options, http, bearer, clock, last_shape: Mutex::default() })
    }

    /// Sends once, and once more after a 401 if another bearer can be had: that one certainly issued nothing, and the
    /// bearer may have been revoked.
    async fn post(&self, url: &Url) -> Result<(Answer, SecretString), IssuerError> {
        let bearer = self.bearer.get().await.map_err(IssuerError::NotIssued)?.token;
        let answer = self.send(url, &bearer).await.map_err(unanswered)?;
        if answer.status != 401 {
            return Ok((answer, bearer));
        }
        self.bearer.forget(&bearer).await;
        let other = self.bearer.get().await.map_err(IssuerError::NotIssued)?.token;
        if other.expose_secret() == bearer.expose_secret() {
            return Ok((answer, bearer));
        }
        let answer = self.send(url, &other).await.map_err(unanswered)?;
        Ok((answer, other))
    }

    async fn send(&self, url: &Url, bearer: &SecretString) -> Result<Answer, Failure> {
        let refused = |_| Failure::refused(url.path(), Unreached::Unbuilt, "the API bearer cannot stand in a header");
        let mut authorization =
            HeaderValue::from_str(&format!("bearer {}", bearer.expose_secret())).map_err(refused)?;
        authorization.set_sensitive(true);
        let request = self.http.request(Method::POST, url.clone());
        self.http.send_once(request.header(AUTHORIZATION, authorization).header(CONTENT_LENGTH, "0")).await
    }

    /// Reads what was `asked` for then: where the answer bears no date, whatever it tells counts from there, and not from now,
    /// when this host may have slept, or its clock been set.
    fn read(&self, answer: &Answer, asked: Timestamp) -> Result<Issued, IssuerError> {
        let seen = answer::Seen {
            body: answer.body(),
            content_type: answer.header(CONTENT_TYPE.as_str()),
            date: answer.date().unwrap_or(asked),
        };
        let shape = shape::of(&seen, answer.status, &self.options.reading);
        *self.last_shape.lock().unwrap_or_else(PoisonError::into_inner) = Some(shape);
        answer::read(&seen, &self.options.reading).map_err(|why| {
            let what = format!("{}: {} but {why}", answer.target, answer.status);
            let mut call = CallError::new(SERVICE, Class::Ambiguous, what);
            call.status = Some(answer.status);
            call.advice = Some(Refused::NoTokenFound.message().advice());
            IssuerError::Ambiguous(call)
        })
    }
}

#[async_trait]
impl Issuer for GreenLake {
    async fn preflight(&self) -> Result<Option<String>, IssuerError> {
        self.http.get_ready();
        Ok(self.bearer.get().await.map_err(IssuerError::NotIssued)?.tenant)
    }

    async fn issue(&self, how: IssueHow) -> Result<Issued, IssuerError> {
        let url = match how {
            IssueHow::Create => join(&self.options.url, ["proxytoken"]),
            IssueHow::Rotate { remove_current } => {
                let mut url = join(&self.options.url, ["proxytoken", "rotate"]);
                // Always spelled out: what HPE takes its absence for is unknown.
                url.query_pairs_mut().append_pair("remove-current", if remove_current { "true" } else { "false" });
                url
            }
        };
        let asked = self.clock.now();
        let (answer, bearer) = self.post(&url).await?;
        if answer.is_success() {
            return self.read(&answer, asked);
        }
        let if_refused = self.bearer.if_refused();
        Err(errors::sort(how, &answer, &if_refused, &Redactor::new([bearer.expose_secret()])))
    }

    fn expiry_of(&self, token: &Token, since: Timestamp) -> Option<Expiry> {
        answer::expiry_of(token, since, self.options.reading.assumed_lifetime)
    }
}

#[async_trait]
impl Bearer for GreenLake {
    async fn claims(&self) -> Result<Option<Claims>, CallError> {
        Ok(Claims::of(self.bearer.get().await?.token.expose_secret()))
    }
}

impl Answered for GreenLake {
    fn last_shape(&self) -> Option<Shape> {
        self.last_shape.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// No answer: nothing was issued only if the connection never stood.
fn unanswered(failure: Failure) -> IssuerError {
    let sent = failure.sent;
    let call = failure.into_call(SERVICE, Class::Ambiguous);
    match sent {
        Sent::No => IssuerError::NotIssued(call),
        Sent::Maybe => IssuerError::Ambiguous(call),
    }
}

#[cfg(test)]
mod tests;

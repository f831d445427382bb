//! A request without an answer, sorted by the one question that counts: may it have been carried out?

use std::error::Error as StdError;
use std::fmt;

use super::client::NoClient;
use super::words::{NO_ANSWER, NO_CONNECTION, Unreached, Words};
use crate::ports::{CallError, Class};
use crate::proxy::Proxy;

/// Whether the far side may have seen the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The connection never stood: it certainly did nothing.
    No,
    /// Bytes may have gone: nobody knows.
    Maybe,
}

/// A request without a (whole) answer.
#[derive(Debug)]
pub struct Failure {
    /// Whether it may have been carried out.
    pub sent: Sent,
    /// The request and what happened, as one sentence.
    pub what: String,
    /// What a person can do about it.
    pub advice: Option<String>,
    /// The cause.
    pub source: Option<Cause>,
}

/// The words of a chain of errors, innermost last, without any URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause(pub String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}

impl Failure {
    /// Sorts a failed exchange, which went through `proxy` if there is one.
    pub fn sort_by_way_of(target: &str, error: &reqwest::Error, proxy: Option<&Proxy>) -> Self {
        let Words { how, advice } = Words::of(error, proxy);
        let sent = if error.is_connect() || error.is_builder() { Sent::No } else { Sent::Maybe };
        Self { sent, what: format!("{target}: {how}"), advice, source: cause_of(error) }
    }

    /// The same, where it is known from elsewhere that no connection has ever stood.
    pub(super) fn never_sent(self) -> Self {
        let what = self.what.replace(NO_ANSWER, NO_CONNECTION);
        Self { sent: Sent::No, what, ..self }
    }

    /// The answer began and could not be read to its end.
    pub fn broken(target: &str, status: u16, error: &reqwest::Error) -> Self {
        let how = if error.is_timeout() { "did not end in time" } else { "broke off" };
        let what = format!("{target}: the answer ({status}) {how}");
        Self { sent: Sent::Maybe, what, advice: None, source: cause_of(error) }
    }

    /// The answer has more than `most` bytes.
    pub fn too_long(target: &str, status: u16, most: usize) -> Self {
        let what = format!("{target}: the answer ({status}) is larger than {} KB", most / 1024);
        Self { sent: Sent::Maybe, what, advice: advice(Unreached::TooLong), source: None }
    }

    /// The request was not even made. `why` is how its message in the table shows.
    pub fn refused(target: &str, unreached: Unreached, why: &str) -> Self {
        Self { sent: Sent::No, what: format!("{target}: {why}"), advice: advice(unreached), source: None }
    }

    /// The same, where there is no client to make it with.
    pub(super) fn clientless(target: &str, why: &NoClient) -> Self {
        match why {
            NoClient::Password(why) => Self::refused(target, Unreached::PasswordMissing, why),
            // It holds its own remedy.
            NoClient::Unbuilt(error) => {
                Self { sent: Sent::No, what: format!("{target}: {error}"), advice: None, source: None }
            }
        }
    }

    /// The request could not be put together.
    pub fn unbuilt(error: &reqwest::Error) -> Self {
        let what = "the request could not be put together".to_owned();
        Self { sent: Sent::No, what, advice: advice(Unreached::Unbuilt), source: cause_of(error) }
    }

    /// Whether this is what went wrong.
    pub fn is(&self, unreached: Unreached) -> bool {
        self.advice.as_deref() == Some(unreached.message().remedy)
    }

    /// As an error of a port. `maybe` is the fate of a request that may have been carried out; one that was certainly
    /// not sent may simply be tried again.
    pub fn into_call(self, service: &'static str, maybe: Class) -> CallError {
        let class = match self.sent {
            Sent::No => Class::Retry { after: None },
            Sent::Maybe => maybe,
        };
        let mut call = CallError::new(service, class, self.what);
        call.advice = self.advice;
        call.source = self.source.map(|cause| Box::new(cause) as _);
        call
    }
}

fn advice(unreached: Unreached) -> Option<String> {
    Some(unreached.message().remedy.to_owned())
}

/// The words below a `reqwest::Error`, whose own words name the URL with its query.
pub fn cause_of(error: &reqwest::Error) -> Option<Cause> {
    let mut words = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if !words.contains(&text) && error.downcast_ref::<reqwest::Error>().is_none() {
            words.push(text);
        }
        next = error.source();
    }
    (!words.is_empty()).then(|| Cause(words.join(": ")))
}

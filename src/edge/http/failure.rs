//! A request without an answer, sorted by the one question that counts: may it have been carried out?

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::ports::{CallError, Class};

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
    /// Sorts a failed exchange.
    pub fn sort(target: &str, error: reqwest::Error) -> Self {
        Self::sort_ref(target, &error)
    }

    /// Sorts a failed exchange that the SDK holds on to.
    pub fn sort_ref(target: &str, error: &reqwest::Error) -> Self {
        let (how, advice) = describe(error);
        let sent = if error.is_connect() || error.is_builder() { Sent::No } else { Sent::Maybe };
        Self { sent, what: format!("{target}: {how}"), advice, source: cause_of(error) }
    }

    /// The answer began and could not be read to its end.
    pub fn broken(target: &str, status: u16, error: Option<&reqwest::Error>) -> Self {
        let how = match error {
            Some(error) if error.is_timeout() => "did not end in time",
            Some(_) => "broke off",
            None => "is larger than 256 KB",
        };
        let what = format!("{target}: the answer ({status}) {how}");
        Self { sent: Sent::Maybe, what, advice: None, source: error.and_then(cause_of) }
    }

    /// The request was not even made.
    pub fn refused(target: &str, why: &str) -> Self {
        Self { sent: Sent::No, what: format!("{target}: {why}"), advice: None, source: None }
    }

    /// The request could not be put together.
    pub fn unbuilt(error: &reqwest::Error) -> Self {
        let what = "the request could not be put together".to_owned();
        Self { sent: Sent::No, what, advice: None, source: cause_of(error) }
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

fn describe(error: &reqwest::Error) -> (&'static str, Option<String>) {
    let say = |how, advice: &str| (how, (!advice.is_empty()).then(|| advice.to_owned()));
    match tls_error(error) {
        Some(tls) if error.is_connect() => return (tls_words(tls), tls_advice(tls)),
        _ => {}
    }
    if error.is_dns() {
        say("the host name cannot be resolved", "check the name in the configuration, and this machine's resolver")
    } else if error.is_connect() && error.is_timeout() {
        say("no connection in time", "check that firewalls and the proxy (HTTPS_PROXY) let it through")
    } else if error.is_connect() {
        say(
            "no connection",
            "check that the service is up, and that firewalls and the proxy (HTTPS_PROXY) let it through",
        )
    } else if error.is_timeout() {
        say("no answer in time", "")
    } else {
        say("the connection broke before the answer", "")
    }
}

/// The TLS error in a chain. It hides within an `io::Error` (or two), whose `source()` skips what it wraps.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next = error.source();
    while let Some(error) = next {
        let mut inner = error;
        while let Some(wrapped) = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            inner = wrapped;
        }
        if let Some(tls) = inner.downcast_ref() {
            return Some(tls);
        }
        next = error.source();
    }
    None
}

fn tls_words(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(_) => "the server's certificate is not accepted",
        _ => "no TLS connection could be made",
    }
}

fn tls_advice(error: &rustls::Error) -> Option<String> {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else {
        return Some("the far side must speak TLS 1.2 or 1.3".to_owned());
    };
    let advice = match bad {
        Bad::UnknownIssuer => "if a private CA or an inspecting proxy signs it, name that CA's PEM file as ca_file",
        Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            "check this machine's clock, then the server's certificate"
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => "check the host name in the configuration",
        _ => "check the server's certificate, and ca_file",
    };
    Some(advice.to_owned())
}

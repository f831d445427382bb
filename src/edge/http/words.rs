//! What to say of an exchange without an answer, and what a person can do about it.

use std::error::Error as StdError;
use std::io;

use super::names::Unresolved;
use crate::proxy::Proxy;

/// Said of a request that may have been carried out.
pub(super) const NO_ANSWER: &str = "no answer in time";
/// Said of one that was certainly not.
pub(super) const NO_CONNECTION: &str = "no connection in time";

/// How it went wrong, and a way out.
pub(super) struct Words {
    pub how: String,
    pub advice: Option<String>,
}

fn say(how: impl Into<String>, advice: impl Into<String>) -> Words {
    let advice = advice.into();
    Words { how: how.into(), advice: (!advice.is_empty()).then_some(advice) }
}

impl Words {
    /// The words for `error`; `proxy` is the way that the request took.
    pub fn of(error: &reqwest::Error, proxy: Option<&Proxy>) -> Self {
        if let Some(unresolved) = find::<Unresolved>(error) {
            return name(unresolved, proxy);
        }
        if let Some(words) = proxy.and_then(|proxy| tunnel(error, proxy)) {
            return words;
        }
        match find::<rustls::Error>(error) {
            Some(tls) if error.is_connect() => return say(tls_words(tls), tls_advice(tls)),
            _ => {}
        }
        let through = proxy.map(|proxy| format!(" (by way of the proxy {})", proxy.shown())).unwrap_or_default();
        let check = match proxy {
            Some(_) => "that the proxy is up and lets it through",
            None => "that firewalls let it through (or set http.proxy, if a proxy is the only way out)",
        };
        if error.is_connect() && error.is_timeout() {
            say(format!("{NO_CONNECTION}{through}"), format!("check {check}"))
        } else if error.is_connect() {
            say(format!("no connection{through}"), format!("check that the service is up, and {check}"))
        } else if error.is_timeout() {
            say(format!("{NO_ANSWER}{through}"), "")
        } else {
            say(format!("the connection broke before the answer{through}"), "")
        }
    }
}

/// A name that could not be resolved: that of the proxy, or that of the service.
pub(super) fn name(error: &Unresolved, proxy: Option<&Proxy>) -> Words {
    let asked = error.name();
    let whose = match proxy.and_then(|proxy| proxy.url.host_str()) {
        Some(host) if host == asked => format!("the proxy's name {asked}"),
        _ => "the host name".to_owned(),
    };
    match error {
        Unresolved::Overdue { .. } => say(
            format!("{whose} could not be resolved in time"),
            "check this machine's name servers (/etc/resolv.conf); http.dns_timeout is the limit",
        ),
        Unresolved::Refused { .. } => say(
            format!("{whose} cannot be resolved"),
            "check the name in the configuration, and this machine's resolver",
        ),
    }
}

/// What went wrong between us and the proxy, or between it and the service.
fn tunnel(error: &reqwest::Error, proxy: &Proxy) -> Option<Words> {
    // The library keeps the type of this error to itself.
    let text = chain(error).map(ToString::to_string).find(|text| text.starts_with("tunnel error: "))?;
    let shown = proxy.shown();
    Some(match text.trim_start_matches("tunnel error: ") {
        "proxy authorization required" => match &proxy.login {
            Some(login) => say(
                format!("the proxy {shown} refuses user {:?} and the password (407)", login.user),
                format!("check http.proxy_user, and the password in {}", login.password.path().display()),
            ),
            None => say(
                format!("the proxy {shown} wants a user and a password (407)"),
                "set http.proxy_user and http.proxy_password_file",
            ),
        },
        "unsuccessful" => say(
            format!("the proxy {shown} refuses to connect to this host"),
            "have it allow CONNECT to this host and port, or name the host in http.no_proxy to go there directly",
        ),
        "failed to create underlying connection" => match find::<rustls::Error>(error) {
            Some(tls) => say(format!("the proxy {shown}: {}", tls_words(tls)), tls_advice(tls)),
            None => say(
                format!("no connection to the proxy {shown}"),
                "check http.proxy (or HTTPS_PROXY), and that the proxy is up",
            ),
        },
        _ => say(
            format!("the proxy {shown} broke the connection off, or is no proxy"),
            "check that http.proxy (or HTTPS_PROXY) names a proxy for CONNECT, and its scheme: most are http://",
        ),
    })
}

fn chain<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

/// The first error of this kind in a chain. One may hide within an `io::Error` (or two), whose `source()` skips what it
/// wraps.
fn find<E: StdError + 'static>(error: &reqwest::Error) -> Option<&E> {
    chain(error).find_map(|error| {
        let mut inner = error;
        while let Some(wrapped) = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            inner = wrapped;
        }
        inner.downcast_ref()
    })
}

fn tls_words(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(_) => "the server's certificate is not accepted",
        _ => "no TLS connection could be made",
    }
}

fn tls_advice(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else {
        return "the far side must speak TLS 1.2 or 1.3";
    };
    match bad {
        Bad::UnknownIssuer => {
            "if a private CA or an inspecting proxy signs it, name that CA's PEM file as http.ca_file"
        }
        Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            "check this machine's clock, then the server's certificate"
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => "check the host name in the configuration",
        _ => "check the server's certificate, and http.ca_file",
    }
}

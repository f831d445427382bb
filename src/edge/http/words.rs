//! What to say of an exchange without an answer, and what a person can do about it.

use std::error::Error as StdError;
use std::io;

use super::names::Unresolved;
use crate::messages::messages;
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

fn say(how: impl Into<String>, unreached: Unreached) -> Words {
    Words { how: how.into(), advice: Some(unreached.message().remedy.to_owned()) }
}

fn say_only(how: String) -> Words {
    Words { how, advice: None }
}

messages! {
    /// Why an exchange came to nothing.
    pub enum Unreached {
        /// The resolver does not answer.
        NameOverdue {
            shows: "\"could not be resolved in time\"",
            means: "this machine's name servers do not answer",
            remedy: "check this machine's name servers (/etc/resolv.conf); http.dns_timeout is the limit",
        }
        /// The resolver says no.
        NameUnknown {
            shows: "\"cannot be resolved\"",
            means: "there is no such host, or not for this machine's resolver",
            remedy: "check the name in the configuration, and this machine's resolver",
        }
        /// No way to the host.
        NoConnection {
            shows: "\"no connection\", \"no connection in time\"",
            means: "nobody listens there, or something on the way lets nothing through",
            remedy: "check that the service is up, and that firewalls let it through (or set http.proxy, if a proxy is the only \
                     way out)",
        }
        /// No way through the proxy.
        NoWayThroughProxy {
            shows: "\"no connection … (by way of the proxy …)\"",
            means: "the proxy is away, or does not come through",
            remedy: "check that the service is up, and that the proxy is up and lets it through",
        }
        /// The wrong password.
        ProxyPassword {
            shows: "\"the proxy … refuses user … and the password (407)\"",
            means: "the proxy knows no such user, or another password of his",
            remedy: "check http.proxy_user, and the password in PASSWORD_FILE",
        }
        /// No password.
        ProxyLogin {
            shows: "\"the proxy … wants a user and a password (407)\"",
            means: "the proxy lets nobody through without a login",
            remedy: "set http.proxy_user and http.proxy_password_file",
        }
        /// Not this host.
        ProxyRefuses {
            shows: "\"the proxy … refuses, or cannot reach, this host\"",
            means: "the proxy's rules do not allow this host or this port, or the proxy itself does not get there",
            remedy: "see which in the proxy's log; have it allow CONNECT to this host and port, or name the host in \
                     http.no_proxy to go there directly",
        }
        /// The proxy is away.
        ProxyAway {
            shows: "\"no connection to the proxy\"",
            means: "nobody listens where the proxy should be",
            remedy: "check http.proxy (or HTTPS_PROXY), and that the proxy is up",
        }
        /// It is none.
        NoProxy {
            shows: "\"the proxy … broke the connection off, or is no proxy\"",
            means: "what listens there does not speak as a proxy does",
            remedy: "check that http.proxy (or HTTPS_PROXY) names a proxy for CONNECT, and its scheme: most are http://",
        }
        /// An unknown CA.
        UnknownCa {
            shows: "\"the server's certificate is not accepted\" (unknown issuer)",
            means: "nobody that this machine trusts has signed it",
            remedy: "if a private CA or an inspecting proxy signs it, name that CA's PEM file as http.ca_file",
        }
        /// Its time.
        CertificateTime {
            shows: "the same (expired, or not valid yet)",
            means: "the certificate is not good at this hour, or this machine's clock is wrong",
            remedy: "check this machine's clock, then the server's certificate",
        }
        /// Its name.
        CertificateName {
            shows: "the same (not valid for the name)",
            means: "the certificate is another host's",
            remedy: "check the host name in the configuration",
        }
        /// Anything else of it.
        BadCertificate {
            shows: "the same (anything else)",
            means: "the certificate is damaged, or of a kind that is not accepted",
            remedy: "check the server's certificate, and http.ca_file",
        }
        /// No TLS.
        NoTls {
            shows: "\"no TLS connection could be made\"",
            means: "the far side speaks no TLS, or an old one",
            remedy: "the far side must speak TLS 1.2 or 1.3",
        }
        /// The file of the proxy's password.
        PasswordMissing {
            shows: "\"the proxy's password is missing: …\"",
            means: "the file that http.proxy_password_file names cannot be read, or is empty",
            remedy: "do what stands behind it (see *The files of secrets*); the file is read anew at each request",
        }
        /// In the sandbox.
        Outside {
            shows: "\"this is a sandbox, only loopback may be reached\"",
            means: "the configuration has a section [sandbox], and this URL leads out of this machine",
            remedy: "for the real services leave out [sandbox]; otherwise use 127.0.0.1",
        }
        /// Not with a bearer.
        LedElsewhere {
            shows: "\"the SDK was led to another host, and no request was made\"",
            means: "an answer, or IDENTITY_ENDPOINT, names a host to which no bearer and no header of this machine is taken",
            remedy: "of a managed identity check IDENTITY_ENDPOINT, which must be this machine's own (loopback or link-local); \
                     otherwise check the URL, and what answers there",
        }
        /// Nothing to connect to.
        NoHost {
            shows: "\"this is no host name\", \"the host name has no address\"",
            means: "there is nothing to connect to",
            remedy: "check the host name in the configuration, and this machine's resolver",
        }
        /// A mistake of ours.
        Unbuilt {
            shows: "\"the request could not be put together\", \"the API bearer cannot stand in a header\"",
            means: "something in it cannot be sent at all: a bearer from a file or a command with odd characters, or a mistake \
                    of this program",
            remedy: "see that the file or the command gives a bearer and nothing else; otherwise report it",
        }
        /// An answer without its end.
        BrokenOff {
            shows: "\"the answer (…) broke off\", \"the answer (…) did not end in time\"",
            means: "an answer began, and its end never came: what it said is not known",
            remedy: "nothing: what may be repeated is repeated, and what may not is looked after first. If it comes again, see \
                     what on the way cuts answers off (http.timeout is the limit)",
        }
        /// An answer that nothing here expects.
        TooLong {
            shows: "\"the answer … is larger than … KB\"",
            means: "no answer that is expected here is so long (256 KB, and 8 MB for the schema of a job)",
            remedy: "see what answers there: check the URL in the configuration, and the proxy (http.proxy, or HTTPS_PROXY)",
        }
        /// Sent, and nothing came.
        NoAnswer {
            shows: "\"no answer in time\", \"the connection broke before the answer\"",
            means: "the request was sent, and what became of it is not known",
            remedy: "nothing: what may be repeated is repeated, and what may not is looked after first (http.timeout is the limit)",
        }
    }
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
            Some(tls) if error.is_connect() => return say(tls_words(tls), of_tls(tls)),
            _ => {}
        }
        let through = proxy.map(|proxy| format!(" (by way of the proxy {})", proxy.shown())).unwrap_or_default();
        let unreached = if proxy.is_some() { Unreached::NoWayThroughProxy } else { Unreached::NoConnection };
        if error.is_connect() && error.is_timeout() {
            say(format!("{NO_CONNECTION}{through}"), unreached)
        } else if error.is_connect() {
            say(format!("no connection{through}"), unreached)
        } else if error.is_timeout() {
            say_only(format!("{NO_ANSWER}{through}"))
        } else {
            say_only(format!("the connection broke before the answer{through}"))
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
        Unresolved::Overdue { .. } => say(format!("{whose} could not be resolved in time"), Unreached::NameOverdue),
        Unresolved::Refused { .. } => say(format!("{whose} cannot be resolved"), Unreached::NameUnknown),
    }
}

/// What went wrong between us and the proxy, or between it and the service.
fn tunnel(error: &reqwest::Error, proxy: &Proxy) -> Option<Words> {
    // The library keeps the type of this error to itself.
    let text = chain(error).map(ToString::to_string).find(|text| text.starts_with("tunnel error: "))?;
    let shown = proxy.shown();
    Some(match text.trim_start_matches("tunnel error: ") {
        "proxy authorization required" => match &proxy.login {
            Some(login) => {
                let how = format!("the proxy {shown} refuses user {:?} and the password (407)", login.user);
                let path = login.password.path().display().to_string();
                let advice = Unreached::ProxyPassword.message().remedy.replace("PASSWORD_FILE", &path);
                Words { how, advice: Some(advice) }
            }
            None => say(format!("the proxy {shown} wants a user and a password (407)"), Unreached::ProxyLogin),
        },
        "unsuccessful" => say(
            format!("the proxy {shown} refuses, or cannot reach, this host (its log says which)"),
            Unreached::ProxyRefuses,
        ),
        "failed to create underlying connection" => match find::<rustls::Error>(error) {
            Some(tls) => say(format!("the proxy {shown}: {}", tls_words(tls)), of_tls(tls)),
            None => say(format!("no connection to the proxy {shown}"), Unreached::ProxyAway),
        },
        _ => say(format!("the proxy {shown} broke the connection off, or is no proxy"), Unreached::NoProxy),
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

fn of_tls(error: &rustls::Error) -> Unreached {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else {
        return Unreached::NoTls;
    };
    match bad {
        Bad::UnknownIssuer => Unreached::UnknownCa,
        Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            Unreached::CertificateTime
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Unreached::CertificateName,
        _ => Unreached::BadCertificate,
    }
}

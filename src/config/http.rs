//! `[http]`: how every request is made: through which proxy, trusting whom, and within which limits.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use url::Url;

use super::policy::std;
use super::raw::{Scalar, Section};
use super::source::Environment;
use super::{Folder, scalar};
use crate::proxy::{Bypass, Direct, Proxy, ProxyLogin};

/// How every request is made.
#[derive(Clone, Debug)]
pub struct Http {
    /// Which proxy, and who says so.
    pub proxy: ProxyChoice,
    /// A PEM file of CA certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The time limit for a host name to be resolved.
    pub dns_timeout: Duration,
    /// The time limit for a connection to stand, once the name is resolved.
    pub connect_timeout: Duration,
    /// The time limit of a whole request, its answer included.
    pub timeout: Duration,
    /// How long a connection that nobody uses is kept.
    pub idle_timeout: Duration,
}

/// Which proxy, and who says so. The configuration beats the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyChoice {
    /// Nobody names one.
    Unset,
    /// The configuration says `proxy = "none"`.
    None,
    /// The configuration names it.
    Configured(Proxy),
    /// The environment names it, by this variable.
    OfEnvironment(&'static str, Proxy),
}

impl ProxyChoice {
    /// The proxy, if there is one.
    pub fn proxy(&self) -> Option<&Proxy> {
        match self {
            Self::Unset | Self::None => None,
            Self::Configured(proxy) | Self::OfEnvironment(_, proxy) => Some(proxy),
        }
    }

    /// As whom it is used, if it wants to know.
    pub fn login(&self) -> Option<&ProxyLogin> {
        self.proxy()?.login.as_ref()
    }
}

impl fmt::Display for ProxyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |f: &mut fmt::Formatter<'_>, proxy: &Proxy| match &proxy.login {
            Some(login) => write!(f, "by way of the proxy {}, as {}", proxy.shown(), login.user),
            None => write!(f, "by way of the proxy {}", proxy.shown()),
        };
        match self {
            Self::Unset => f.write_str("without a proxy"),
            Self::None => f.write_str("without a proxy, as http.proxy says"),
            Self::Configured(proxy) => told(f, proxy),
            Self::OfEnvironment(variable, proxy) => {
                told(f, proxy)?;
                write!(f, " (named by {variable} in the environment, and by no http.proxy)")
            }
        }
    }
}

pub(super) fn read(section: &Section<'_>, folder: &Folder<'_>, environment: &Environment) -> Option<Http> {
    let (least, second, longest) = (TimeDelta::milliseconds(100), TimeDelta::seconds(1), TimeDelta::minutes(5));
    let limit = |name, from| section.get(name, scalar::duration_in(from, longest));
    // A call of the vault is several requests, and other hosts take one that is silent for four minutes for gone.
    let timeout = section.get("timeout", scalar::duration_in(second, TimeDelta::minutes(1)));
    let timeout = timeout.unwrap_or(TimeDelta::seconds(30));
    let connect_timeout = limit("connect_timeout", second).unwrap_or(TimeDelta::seconds(5));
    // Time for a resolver to give up a dead name server (five seconds, as a rule) and to ask the next one.
    let dns_timeout = limit("dns_timeout", least).unwrap_or(TimeDelta::seconds(10).min(timeout / 2));
    let idle_timeout = limit("idle_timeout", TimeDelta::zero()).unwrap_or(TimeDelta::seconds(15));
    for (name, part) in [("connect_timeout", connect_timeout), ("dns_timeout", dns_timeout)] {
        if part > timeout {
            let what = "is longer than `timeout`, which bounds the whole request: lower it";
            section.report().problem(&section.key(name), what);
        }
    }
    let ca_file = section.get("ca_file", scalar::path(folder.path));
    let proxy = read_proxy(section, folder, environment);
    let (dns_timeout, connect_timeout) = (std(dns_timeout), std(connect_timeout));
    let (timeout, idle_timeout) = (std(timeout), std(idle_timeout));
    Some(Http { proxy: proxy?, ca_file, dns_timeout, connect_timeout, timeout, idle_timeout })
}

fn read_proxy(section: &Section<'_>, folder: &Folder<'_>, environment: &Environment) -> Option<ProxyChoice> {
    let url = section.get("proxy", |value| match scalar::text(value)? {
        "none" => Ok(None),
        _ => proxy_url(value).map(Some),
    });
    let user = section.get("proxy_user", |value| match scalar::text(value)? {
        text if text.contains(':') || text.chars().any(char::is_control) => {
            Err("holds a colon or a control character, which no user name of a proxy can".to_owned())
        }
        text => Ok(text.to_owned()),
    });
    let password = section.get("proxy_password_file", scalar::secret_file(folder.path));
    let bypass = section.list("no_proxy", |value| Direct::parse(scalar::text(value)?));
    let lonely = |name, other| {
        if section.has(name) && !section.has(other) {
            section
                .report()
                .problem(&section.key(name), format!("means nothing without `{other}`: set both or neither"));
        }
    };
    lonely("proxy_user", "proxy_password_file");
    lonely("proxy_password_file", "proxy_user");
    let named = matches!(url, Some(Some(_)));
    if !named && (!section.has("proxy") || url.is_some()) {
        for name in ["proxy_user", "no_proxy"].into_iter().filter(|name| section.has(name)) {
            let what = "concerns a proxy, and `proxy` names none here (a proxy of the environment has NO_PROXY)";
            section.report().problem(&section.key(name), what);
        }
    }
    match url {
        Some(Some(url)) => {
            if folder.sandboxed && !scalar::is_loopback(&url).unwrap_or(true) {
                section.report().problem(&section.key("proxy"), "in a sandbox must be an address of this machine");
            }
            let login = user.zip(password).map(|(user, password)| ProxyLogin { user, password });
            Some(ProxyChoice::Configured(Proxy { url, login, bypass: Bypass::new(bypass.unwrap_or_default()) }))
        }
        Some(None) => Some(ProxyChoice::None),
        None if section.has("proxy") => None,
        // A sandbox goes nowhere that its file does not name.
        None if folder.sandboxed => Some(ProxyChoice::Unset),
        None => Some(of_environment(section, environment)),
    }
}

/// `HTTPS_PROXY` and `NO_PROXY`, in small letters or in capitals, as other programs read them. Small letters win, as they
/// do elsewhere. No other variable names a proxy here: nothing is ever sent but by https.
fn of_environment(section: &Section<'_>, environment: &Environment) -> ProxyChoice {
    let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, environment.get(name)?)));
    let Some((variable, text)) = first(["https_proxy", "HTTPS_PROXY"]) else { return ProxyChoice::Unset };
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = match proxy_url(Scalar::Text(&text)) {
        Ok(url) => url,
        Err(what) => {
            let way_out =
                "name the proxy as `http.proxy`, or keep this variable from the service (`http.proxy = \"none\"`)";
            section.report().variable_problem(variable, format!("{what}; {way_out}"));
            return ProxyChoice::Unset;
        }
    };
    let (variable_of_list, list) = first(["no_proxy", "NO_PROXY"]).unwrap_or_default();
    let entries = list.split(',').filter(|entry| !entry.trim().is_empty()).enumerate();
    let bypass = entries.filter_map(|(n, entry)| {
        let read = Direct::parse(entry);
        if let Err(what) = &read {
            section
                .report()
                .variable_warning(variable_of_list, format!("its entry {} is passed over: it {what}", n + 1));
        }
        read.ok()
    });
    ProxyChoice::OfEnvironment(variable, Proxy { url, login: None, bypass: Bypass::new(bypass) })
}

/// A proxy's URL: never with credentials, which have a file of their own.
fn proxy_url(value: Scalar<'_>) -> Result<Url, String> {
    let text = scalar::text(value)?.trim();
    if text.contains('@') {
        return Err("holds a user name or password: write them as `proxy_user` and, in a file of its own, \
                    `proxy_password_file`. Treat what was written here as leaked"
            .into());
    }
    let url = Url::parse(text).map_err(|error| {
        format!("is no URL ({error}): write for example \"http://proxy.corp.example:3128\", or \"none\"")
    })?;
    match url.scheme() {
        "http" | "https" => {}
        scheme => return Err(format!("`{scheme}` is not spoken: a proxy here begins with http:// or https://")),
    }
    if url.host().is_none() || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("expected scheme, host and port only, as in \"http://proxy.corp.example:3128\"".into());
    }
    Ok(url)
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;

//! The forward proxy that requests go through, and which of them do not.
//!
//! Decided here and nowhere else, by host alone: what `config check` says, what a request does and what its failure
//! says of the way it took cannot differ. Names are compared as they are written and never resolved.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use crate::secret_file::SecretFile;

/// A proxy that is asked to `CONNECT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// `http` or `https`, host and port. Never a user part.
    pub url: Url,
    /// As whom; Basic authentication.
    pub login: Option<ProxyLogin>,
    /// The hosts that are reached without it.
    pub bypass: Bypass,
}

/// User and password for a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyLogin {
    /// The user, without a colon.
    pub user: String,
    /// The file that holds the password; read anew for every request.
    pub password: SecretFile,
}

impl Proxy {
    /// Whether a request to `url` goes through it.
    pub fn carries(&self, url: &Url) -> bool {
        url.host().is_some_and(|host| !self.bypass.covers(&host))
    }

    /// Scheme, host and port, for messages.
    pub fn shown(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// Hosts that are reached directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bypass(Vec<Direct>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Direct {
    /// Every host.
    All,
    /// A name and every name below it, in small letters.
    Name(String),
    /// Addresses that stand in a URL as such.
    Net(IpNet),
}

impl Bypass {
    /// These.
    pub fn new(entries: impl IntoIterator<Item = Direct>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// Whether `host` is one of them.
    pub fn covers(&self, host: &Host<&str>) -> bool {
        self.0.iter().any(|entry| match (entry, host) {
            (Direct::All, _) => true,
            (Direct::Name(name), Host::Domain(host)) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Direct::Net(net), Host::Ipv4(ip)) => net.contains(&IpAddr::V4(*ip)),
            (Direct::Net(net), Host::Ipv6(ip)) => net.contains(&IpAddr::V6(*ip)),
            (Direct::Name(_), _) | (Direct::Net(_), Host::Domain(_)) => false,
        })
    }
}

impl Direct {
    /// Reads `*`, `.corp.example`, `corp.example` (the same), `*.corp.example` (the same), `10.0.0.0/8`, `fd00::/8` or an
    /// address, as they stand in `NO_PROXY`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::All);
        }
        let address = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(net) = address.parse::<IpNet>() {
            return Ok(Self::Net(net));
        }
        if let Ok(address) = address.parse::<IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        let name = text.strip_prefix('*').unwrap_or(text);
        let name = name.strip_prefix('.').unwrap_or(name).trim_end_matches('.').to_ascii_lowercase();
        let is_label =
            |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        match name.split('.').all(is_label) {
            true => Ok(Self::Name(name)),
            false if name.contains(':') => Err("holds a port or a scheme: name the host alone".into()),
            false => Err("is neither a host name, nor an address, nor a network such as 10.0.0.0/8".into()),
        }
    }
}

impl fmt::Display for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Name(name) => f.write_str(name),
            Self::Net(net) => net.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(no_proxy: &[&str], url: &str) -> bool {
        let bypass = Bypass::new(no_proxy.iter().map(|entry| Direct::parse(entry).unwrap()));
        let proxy = Proxy { url: "http://proxy.corp:3128".parse().unwrap(), login: None, bypass };
        proxy.carries(&url.parse().unwrap())
    }

    #[test]
    fn a_name_stands_for_itself_and_all_below_it_and_for_nothing_that_only_ends_alike() {
        for entry in ["vault.azure.net", ".vault.azure.net", "*.vault.azure.net", "VAULT.azure.net."] {
            assert!(!carried(&[entry], "https://contoso.vault.azure.net/secrets"), "{entry}");
            assert!(!carried(&[entry], "https://vault.azure.net/"), "{entry}");
            assert!(carried(&[entry], "https://myvault.azure.net/"), "{entry}");
            assert!(carried(&[entry], "https://vault.azure.net.example/"), "{entry}");
        }
    }

    #[test]
    fn a_network_stands_for_addresses_in_a_url_and_no_name_is_resolved_for_it() {
        for (entry, url) in [
            ("10.0.0.0/8", "https://10.1.2.3/"),
            ("10.1.2.3", "https://10.1.2.3:8443/"),
            ("fd00::/8", "https://[fd00::7]/"),
            ("[fd00::7]", "https://[fd00::7]/"),
        ] {
            assert!(!carried(&[entry], url), "{entry}");
            assert!(carried(&[entry], "https://11.1.2.3/") && carried(&[entry], "https://contoso.vault.azure.net/"));
        }
    }

    #[test]
    fn a_star_stands_for_everything_and_nothing_for_nothing() {
        assert!(!carried(&["*"], "https://graph.microsoft.com/"));
        assert!(carried(&[], "https://graph.microsoft.com/"));
    }

    #[test]
    fn what_is_no_host_is_refused_with_a_reason() {
        for (entry, word) in [("host:8080", "port"), ("http://host", "scheme"), ("a b", "neither"), ("", "neither")] {
            assert!(Direct::parse(entry).unwrap_err().contains(word), "{entry}");
        }
    }
}

//! Resolving names: by the system's resolver, within a limit of its own, so that a silent name server is called by name.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Why a name could not be resolved.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unresolved {
    /// Nobody answered.
    #[error("no name server answered within {}", humantime::format_duration(*.limit))]
    Overdue {
        /// What was asked for.
        name: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The answer was no.
    #[error("{source}")]
    Refused {
        /// What was asked for.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Unresolved {
    pub fn name(&self) -> &str {
        match self {
            Self::Overdue { name, .. } | Self::Refused { name, .. } => name,
        }
    }
}

/// The system's resolver (hosts file, DNS, whatever the machine is set up for), asked anew for every connection.
pub(super) struct Names {
    pub limit: Duration,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let (name, limit) = (name.as_str().to_owned(), self.limit);
        Box::pin(async move {
            let found = async { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect::<Vec<_>>()) };
            let found = tokio::time::timeout(limit, found).await;
            match found {
                Ok(Ok(found)) => Ok(Box::new(found.into_iter()) as Addrs),
                Ok(Err(source)) => Err(Unresolved::Refused { name, source }.into()),
                Err(_) => Err(Unresolved::Overdue { name, limit }.into()),
            }
        })
    }
}

/// Every name is this address; the port comes from the URL.
pub(super) struct Everything(pub IpAddr);

impl Resolve for Everything {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(SocketAddr::new(self.0, 0)));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

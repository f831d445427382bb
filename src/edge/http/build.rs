//! Building the client: TLS by rustls, time limits, CA, and the walls of the sandbox.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder};

use super::Http;

/// Some machines reset what idles longer, and a reset in the middle of a request leaves its fate open.
const IDLE: Duration = Duration::from_secs(15);
const USER_AGENT: &str = concat!("scim-rotator/", env!("CARGO_PKG_VERSION"));

/// How the client is built.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// A PEM file with CA certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The time for a connection to stand, TLS included.
    pub connect_timeout: Duration,
    /// The time for a whole request.
    pub timeout: Duration,
    /// The loopback address that every host name stands for, so that nothing else can be reached.
    pub sandbox: Option<IpAddr>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { ca_file: None, connect_timeout: seconds(5), timeout: seconds(20), sandbox: None }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The CA file cannot be read.
    #[error("ca_file {} cannot be read; correct the path, or let the service's user read it", .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The CA file holds no certificate.
    #[error("ca_file {} holds no PEM certificate (BEGIN CERTIFICATE); convert it with openssl x509", .0.display())]
    BadPem(PathBuf),
    /// The sandbox may reach loopback only.
    #[error("the sandbox address {0} is not loopback; use 127.0.0.1")]
    NotLoopback(IpAddr),
    /// TLS could not be set up.
    #[error(
        "TLS cannot be set up; install the system's CA certificates (package ca-certificates), or name them in ca_file"
    )]
    Tls(#[source] reqwest::Error),
}

impl Http {
    /// Builds the client. No request is made.
    pub fn build(options: &HttpOptions) -> Result<Self, BuildError> {
        let mut builder = limits(options)?.https_only(true).tls_version_min(reqwest::tls::Version::TLS_1_2);
        if let Some(path) = &options.ca_file {
            let pem = std::fs::read(path).map_err(|source| BuildError::CaFile { path: path.clone(), source })?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| BuildError::BadPem(path.clone()))?;
            if certificates.is_empty() {
                return Err(BuildError::BadPem(path.clone()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(BuildError::Tls)?;
        Ok(Self { client, options: options.clone() })
    }

    /// A second client for a cloud machine's own identity endpoint, which speaks plain http on this very machine. It
    /// trusts no CA and uses no proxy; `SdkTransport` keeps it from going anywhere else.
    pub fn local(&self) -> Result<Self, BuildError> {
        let client = limits(&self.options)?.no_proxy().tls_certs_only([]).build().map_err(BuildError::Tls)?;
        Ok(Self { client, options: self.options.clone() })
    }
}

fn limits(options: &HttpOptions) -> Result<ClientBuilder, BuildError> {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .timeout(options.timeout)
        .pool_idle_timeout(IDLE);
    match options.sandbox {
        None => Ok(builder),
        Some(ip) if !ip.is_loopback() => Err(BuildError::NotLoopback(ip)),
        Some(ip) => Ok(builder.no_proxy().dns_resolver(Everything(ip))),
    }
}

/// Every name is this address; the port comes from the URL.
struct Everything(IpAddr);

impl Resolve for Everything {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(SocketAddr::new(self.0, 0)));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

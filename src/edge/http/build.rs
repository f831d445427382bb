//! Building the client: TLS by rustls, time limits, CA, proxy, and the walls of the sandbox.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use secrecy::{ExposeSecret as _, SecretString};
use tower::util::MapResponseLayer;

use super::Http;
use super::chain::Notes;
use super::client::Clients;
use super::names::{Everything, Names};
use super::tls::Tls;
use crate::messages::messages;
use crate::proxy::Proxy;

const USER_AGENT: &str = concat!("scim-rotator/", env!("CARGO_PKG_VERSION"));

/// How the client is built.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The proxy that requests go through.
    pub proxy: Option<Proxy>,
    /// A PEM file with CA certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The time for a host name to be resolved.
    pub dns_timeout: Duration,
    /// The time for a connection to stand once the name is resolved, proxy and TLS included.
    pub connect_timeout: Duration,
    /// The time for a whole request.
    pub timeout: Duration,
    /// How long a connection that nobody uses is kept: shorter than any machine on the way does.
    pub idle_timeout: Duration,
    /// The loopback address that every host name stands for, so that nothing else can be reached.
    pub sandbox: Option<IpAddr>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            proxy: None,
            ca_file: None,
            dns_timeout: seconds(10),
            connect_timeout: seconds(5),
            timeout: seconds(20),
            idle_timeout: seconds(15),
            sandbox: None,
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The CA file cannot be read.
    #[error("ca_file {} cannot be read; {}", .path.display(), BadClient::CaFile.message().remedy)]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The CA file is none.
    #[error("ca_file {} {why}; {}", .path.display(), BadClient::BadPem.message().remedy)]
    BadPem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The sandbox may reach loopback only.
    #[error("the sandbox address {} is not loopback; {}", .0, BadClient::NotLoopback.message().remedy)]
    NotLoopback(IpAddr),
    /// The proxy's URL cannot be used.
    #[error("the proxy cannot be used; {}", BadClient::Proxy.message().remedy)]
    Proxy(#[source] reqwest::Error),
    /// TLS could not be set up.
    #[error("TLS cannot be set up; {}", BadClient::Tls.message().remedy)]
    Tls(#[source] reqwest::Error),
    /// The same, of the CAs of this machine.
    #[error("TLS cannot be set up; {}", BadClient::Tls.message().remedy)]
    Unusable(#[source] rustls::Error),
}

messages! {
    /// The same, as an operator meets them.
    pub enum BadClient {
        /// Not there, or not for us.
        CaFile {
            shows: "\"ca_file … cannot be read\"",
            means: "the file is not there, or not for the service's user",
            remedy: "correct the path, or let the service's user read it",
        }
        /// Something else.
        BadPem {
            shows: "\"ca_file … holds no certificate\", \"is binary and looks like DER\", …",
            means: "what stands in it is told, and is no CA certificate in PEM",
            remedy: "expected one or more CA certificates in PEM, each from -----BEGIN CERTIFICATE----- to -----END \
                     CERTIFICATE----- (from DER: openssl x509 -inform der -in FILE -out FILE.pem)",
        }
        /// Only in the sandbox.
        NotLoopback {
            shows: "\"the sandbox address … is not loopback\"",
            means: "a sandbox may reach this machine only",
            remedy: "use 127.0.0.1",
        }
        /// Its URL.
        Proxy {
            shows: "\"the proxy cannot be used\"",
            means: "its URL is none that a client can use",
            remedy: "write scheme, host and port only, as in http://proxy.corp.example:3128",
        }
        /// No CAs.
        Tls {
            shows: "\"TLS cannot be set up\"",
            means: "this machine has no CA certificates",
            remedy: "install the system's CA certificates (package ca-certificates), or name them in ca_file",
        }
    }
}

impl Http {
    /// Builds the client. No request is made, and no secret is read.
    pub fn build(options: &HttpOptions) -> Result<Self, BuildError> {
        if let Some(ip) = options.sandbox.filter(|ip| !ip.is_loopback()) {
            return Err(BuildError::NotLoopback(ip));
        }
        let certificates = options.ca_file.as_deref().map(super::ca::read).transpose()?.unwrap_or_default();
        let tls = Tls::new(&certificates).map_err(BuildError::Unusable)?;
        Clients::new(Recipe { options: options.clone(), certificates, tls: Some(tls) }).map(Self::of)
    }

    /// A second client for a cloud machine's own identity endpoint, which speaks plain http on this very machine. It
    /// trusts no CA and uses no proxy; `SdkTransport` keeps it from going anywhere else.
    pub fn local(&self) -> Result<Self, BuildError> {
        let options = HttpOptions { proxy: None, ..self.options().clone() };
        Clients::new(Recipe { options, certificates: Vec::new(), tls: None }).map(Self::of)
    }
}

/// Everything that a client is made of but the proxy's password.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub options: HttpOptions,
    /// Those of `ca_file`.
    pub certificates: Vec<CertificateDer<'static>>,
    /// None speaks plain http, on this machine.
    tls: Option<Tls>,
}

impl Recipe {
    /// A client that keeps its connections for a while.
    pub fn build(&self, password: Option<&SecretString>) -> Result<reqwest::Client, BuildError> {
        self.builder(password)?.pool_idle_timeout(self.options.idle_timeout).build().map_err(BuildError::Tls)
    }

    /// A client that makes a connection for each request, and whether one has ever stood.
    pub fn build_single(
        &self,
        password: Option<&SecretString>,
    ) -> Result<(reqwest::Client, Arc<AtomicBool>), BuildError> {
        let stood = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stood);
        let layer = MapResponseLayer::new(move |connection| {
            seen.store(true, Ordering::SeqCst);
            connection
        });
        let builder = self.builder(password)?.pool_max_idle_per_host(0).connector_layer(layer);
        Ok((builder.build().map_err(BuildError::Tls)?, stood))
    }

    /// A client that makes a connection for each request, and has a note taken of the certificates that it is shown.
    pub fn build_noting(&self, password: Option<&SecretString>, notes: &Notes) -> Result<reqwest::Client, BuildError> {
        let builder = self.builder(password)?.pool_max_idle_per_host(0).tls_info(true);
        let builder = match &self.tls {
            Some(tls) => builder.tls_backend_preconfigured(tls.noting(notes).map_err(BuildError::Unusable)?),
            None => builder,
        };
        builder.build().map_err(BuildError::Tls)
    }

    fn builder(&self, password: Option<&SecretString>) -> Result<ClientBuilder, BuildError> {
        let options = &self.options;
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // The resolver keeps its own limit within this one, and says so when it is over.
            .connect_timeout(options.dns_timeout.saturating_add(options.connect_timeout))
            .timeout(options.timeout)
            // The library reads no environment: what that says is read by the configuration, and shown.
            .no_proxy();
        let builder = match options.sandbox {
            None => builder.dns_resolver(Names { limit: options.dns_timeout }),
            Some(ip) => builder.dns_resolver(Everything(ip)),
        };
        let Some(tls) = &self.tls else { return Ok(builder.tls_certs_only([])) };
        let builder = builder.https_only(true).tls_backend_preconfigured(tls.config());
        let Some(proxy) = &options.proxy else { return Ok(builder) };
        // Parsed once for its faults: the closure below has no way to tell them.
        reqwest::Proxy::https(proxy.url.as_str()).map_err(BuildError::Proxy)?;
        let way = proxy.clone();
        let mut made = reqwest::Proxy::custom(move |url| way.carries(url).then(|| way.url.clone()));
        if let (Some(login), Some(password)) = (&proxy.login, password) {
            made = made.basic_auth(&login.user, password.expose_secret());
        }
        Ok(builder.proxy(made))
    }
}

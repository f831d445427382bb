//! A throwaway TLS server on loopback, and a login that needs no Entra, for the unit tests of the edges.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::serve::Listener;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};
use tokio_rustls::server::TlsStream;
use url::Url;

use super::http::{Http, HttpOptions};
use super::login::Login;
use crate::domain::Timestamp;
use crate::ports::{CallError, Clock};

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A throwaway CA, and an acceptor for `kv.fake.test` that it vouches for.
pub fn tls() -> (tempfile::TempDir, HttpOptions, TlsAcceptor) {
    tls_of(tokio_rustls::rustls::DEFAULT_VERSIONS)
}

/// The same, for these versions of TLS only.
pub fn tls_of(versions: &[&'static SupportedProtocolVersion]) -> (tempfile::TempDir, HttpOptions, TlsAcceptor) {
    let mut ca = CertificateParams::default();
    // Two CAs of one name would be told apart by the signature only.
    ca.distinguished_name.push(rcgen::DnType::CommonName, uuid::Uuid::new_v4().to_string());
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["kv.fake.test".into()]).unwrap().signed_by(&key, &ca).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, ca.pem()).unwrap();
    let options = HttpOptions { ca_file: Some(ca_file), sandbox: Some(LOOPBACK), ..HttpOptions::default() };
    (dir, options, TlsAcceptor::from(Arc::new(config)))
}

/// Serves `app` until the test's runtime ends. Answers with a client that trusts it, and its base URL.
pub async fn serve(app: Router) -> (Http, Url) {
    let (_dir, options, acceptor) = tls();
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let url = format!("https://kv.fake.test:{}/", listener.local_addr().unwrap().port()).parse().unwrap();
    tokio::spawn(axum::serve(Tls(listener, acceptor), app).into_future());
    (Http::build(&options).unwrap(), url)
}

struct Tls(TcpListener, TlsAcceptor);

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.0.accept().await.unwrap();
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// The machine's own clock, for what counts in real time.
#[derive(Debug)]
pub struct MachineClock;

#[async_trait]
impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp(azure_core::time::OffsetDateTime::now_utc().unix_timestamp(), 0).unwrap()
    }

    fn elapsed(&self) -> chrono::TimeDelta {
        self.now() - Timestamp::UNIX_EPOCH
    }

    async fn sleep(&self, duration: std::time::Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A login whose bearer is `bearer-canary-0` until it is renewed, then `…-1`, and so on.
#[derive(Debug, Default)]
pub struct FakeLogin(AtomicU32);

impl FakeLogin {
    fn token(&self) -> String {
        format!("bearer-canary-{}", self.0.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl TokenCredential for FakeLogin {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let far = azure_core::time::OffsetDateTime::from_unix_timestamp(4_000_000_000).unwrap();
        Ok(AccessToken::new(self.token(), far))
    }
}

#[async_trait]
impl Login for FakeLogin {
    async fn bearer(&self, _scope: &str) -> Result<SecretString, CallError> {
        Ok(SecretString::from(self.token()))
    }

    fn renew(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

//! TLS on loopback with a throwaway CA, and connections that can be cut at any moment.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use azure_core::time::OffsetDateTime;
use chrono::TimeDelta;
use futures::task::AtomicWaker;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

use super::{clouds, real_now};

/// A CA of this run and a server that it vouches for, by way of another CA, as is usual.
pub struct Identity {
    /// The CA's certificate, to be trusted by clients.
    pub ca_pem: String,
    /// The server's side.
    pub server: Arc<ServerConfig>,
}

impl Identity {
    /// Draws all of them anew. `left`: how long before its end the server's certificate is, if it ends at all.
    pub fn generate(left: Option<TimeDelta>) -> anyhow::Result<Self> {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::new())?;
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            anyhow::Ok(params)
        };
        let ca = CertifiedIssuer::self_signed(authority("scim-rotator sandbox")?, KeyPair::generate()?)?;
        let between = CertifiedIssuer::signed_by(authority("sandbox TLS issuing CA")?, KeyPair::generate()?, &ca)?;
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(clouds::names())?;
        leaf.distinguished_name.push(DnType::CommonName, "sandbox.test");
        if let Some(left) = left {
            let ends = real_now() + left;
            leaf.not_before = OffsetDateTime::from_unix_timestamp((ends - TimeDelta::days(90)).timestamp())?;
            leaf.not_after = OffsetDateTime::from_unix_timestamp(ends.timestamp())?;
        }
        let leaf = leaf.signed_by(&key, &between)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone(), between.der().clone()], key)?;
        Ok(Self { ca_pem: ca.pem(), server: Arc::new(server) })
    }
}

/// One connection's switch.
#[derive(Default)]
pub struct Line {
    /// The host that the client asked for in its hello.
    pub host: String,
    /// The address that it came to.
    pub at: Option<SocketAddr>,
    cut: AtomicBool,
    forgotten: AtomicBool,
    waker: AtomicWaker,
}

impl Line {
    /// Breaks the connection: nothing more is read from it or written to it.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whatever comes is swallowed from now on and nobody is told, as by a machine on the way that has forgotten the line.
    pub fn forget(&self) {
        self.forgotten.store(true, Ordering::Release);
    }

    fn is_forgotten(&self) -> bool {
        self.forgotten.load(Ordering::Acquire)
    }

    fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        self.waker.register(cx.waker());
        if self.cut.load(Ordering::Acquire) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

/// The connections that stand, and some that no longer do: those are struck off whenever there could be as many again.
#[derive(Default)]
pub struct Lines {
    known: Vec<Weak<Line>>,
    most: usize,
}

impl Lines {
    /// One more.
    pub fn add(&mut self, line: &Arc<Line>) {
        if self.known.len() >= self.most {
            self.known.retain(|line| line.strong_count() > 0);
            self.most = 2 * self.known.len().max(8);
        }
        self.known.push(Arc::downgrade(line));
    }

    /// Those that stand.
    pub fn standing(&self) -> impl Iterator<Item = Arc<Line>> {
        self.known.iter().filter_map(Weak::upgrade)
    }
}

/// What a handler knows of its connection.
#[derive(Clone)]
pub struct Caller(pub Arc<Line>);

impl Connected<IncomingStream<'_, TlsListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(stream.io().line.clone())
    }
}

/// A TLS connection with its switch.
pub struct Wire {
    tls: TlsStream<TcpStream>,
    line: Arc<Line>,
}

/// Hands out connections whose handshake is done.
pub struct TlsListener {
    ready: mpsc::Receiver<Wire>,
    address: SocketAddr,
}

impl TlsListener {
    /// Listens at these addresses. `admit` is asked for each name that a client says hello to; a no closes the connection
    /// before TLS stands, as if nobody listened.
    pub async fn bind<F>(
        server: Arc<ServerConfig>,
        addresses: &[SocketAddr],
        admit: F,
    ) -> io::Result<(Self, Vec<tokio::task::JoinHandle<()>>)>
    where
        F: Fn(&Arc<Line>) -> bool + Clone + Send + Sync + 'static,
    {
        let (sender, ready) = mpsc::channel(16);
        let (mut bound, mut accepting) = (None, Vec::new());
        for address in addresses {
            let tcp = TcpListener::bind(address).await?;
            bound = bound.or(Some(tcp.local_addr()?));
            let (server, admit, sender) = (server.clone(), admit.clone(), sender.clone());
            accepting.push(tokio::spawn(async move {
                loop {
                    let Ok((stream, _)) = tcp.accept().await else { continue };
                    let (server, admit, sender) = (server.clone(), admit.clone(), sender.clone());
                    tokio::spawn(async move {
                        // A handshake that fails is the client's affair: it is told by TLS itself.
                        if let Ok(Some(wire)) = shake_hands(stream, server, admit).await {
                            let _closed = sender.send(wire).await;
                        }
                    });
                }
            }));
        }
        let address = bound.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok((Self { ready, address }, accepting))
    }
}

async fn shake_hands(
    stream: TcpStream,
    server: Arc<ServerConfig>,
    admit: impl Fn(&Arc<Line>) -> bool,
) -> io::Result<Option<Wire>> {
    stream.set_nodelay(true)?;
    let at = stream.local_addr().ok();
    let hello = LazyConfigAcceptor::new(Default::default(), stream).await?;
    let host = hello.client_hello().server_name().unwrap_or_default().to_owned();
    let line = Arc::new(Line { host, at, ..Line::default() });
    if !admit(&line) {
        return Ok(None);
    }
    Ok(Some(Wire { tls: hello.into_stream(server).await?, line }))
}

impl Listener for TlsListener {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        match self.ready.recv().await {
            Some(wire) => (wire, self.address),
            // The accepting task has been stopped with the sandbox.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.line.check(cx)?;
        let before = buf.filled().len();
        let read = Pin::new(&mut self.tls).poll_read(cx, buf);
        if self.line.is_forgotten() && buf.filled().len() > before {
            // What came is dropped, and nothing ever wakes this line again but a cut.
            buf.set_filled(before);
            return Poll::Pending;
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.line.check(cx)?;
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.check(cx)?;
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}

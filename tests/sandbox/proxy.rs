//! A forward proxy on this machine: takes `CONNECT`, writes down who was asked for, and misbehaves where a test says so.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What it does with whoever comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Lets everybody through.
    Open,
    /// Lets in who shows this user and password; 407 for all others.
    Basic(String, String),
    /// Lets everybody through but to hosts that begin so, which are answered by 403.
    RefuseTo(&'static str),
    /// Answers everybody with this status line.
    Says(&'static str),
    /// Takes the connection and never answers.
    Hang,
    /// Speaks, and not as a proxy does.
    NoProxy,
}

/// Where it connects to, for a host and port that it is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Leads {
    /// As the name resolves.
    ByName,
    /// Here, whatever the name.
    To(SocketAddr),
}

struct Shared {
    leads: Leads,
    manner: Mutex<Manner>,
    asked: Mutex<Vec<String>>,
}

/// The proxy, until it is dropped.
pub struct ForwardProxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl ForwardProxy {
    /// Listens at `address`.
    pub async fn start(address: SocketAddr, leads: Leads, manner: Manner) -> std::io::Result<Self> {
        Self::start_with(address, leads, manner, None).await
    }

    /// The same for clients that speak TLS to the proxy itself.
    pub async fn start_tls(
        address: SocketAddr,
        leads: Leads,
        manner: Manner,
        tls: Arc<ServerConfig>,
    ) -> std::io::Result<Self> {
        Self::start_with(address, leads, manner, Some(TlsAcceptor::from(tls))).await
    }

    async fn start_with(
        address: SocketAddr,
        leads: Leads,
        manner: Manner,
        tls: Option<TlsAcceptor>,
    ) -> std::io::Result<Self> {
        let tcp = TcpListener::bind(address).await?;
        let address = tcp.local_addr()?;
        let shared = Arc::new(Shared { leads, manner: Mutex::new(manner), asked: Mutex::default() });
        let state = Arc::clone(&shared);
        let serving = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = tcp.accept().await else { continue };
                let (state, tls) = (Arc::clone(&state), tls.clone());
                tokio::spawn(async move {
                    // A client that goes away, or a host that is not there, ends the connection.
                    let _ended = match tls {
                        None => serve(stream, &state).await,
                        Some(tls) => serve(tls.accept(stream).await?, &state).await,
                    };
                    std::io::Result::Ok(())
                });
            }
        });
        Ok(Self { address, shared, serving })
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it behaves so.
    pub fn behave(&self, manner: Manner) {
        *lock(&self.shared.manner) = manner;
    }

    /// The hosts that anybody has asked for, each once.
    pub fn asked(&self) -> Vec<String> {
        let mut hosts = lock(&self.shared.asked).clone();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut client: impl AsyncRead + AsyncWrite + Unpin, state: &Shared) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split_once(' ')).map(|(target, _)| target);
    let Some((host, port)) = target.and_then(|target| target.rsplit_once(':')) else {
        return client.write_all(b"HTTP/1.1 405 Only CONNECT\r\ncontent-length: 0\r\n\r\n").await;
    };
    lock(&state.asked).push(host.to_owned());
    let manner = lock(&state.manner).clone();
    match manner {
        Manner::Hang => return std::future::pending().await,
        Manner::Says(line) => {
            return client.write_all(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
        }
        Manner::NoProxy => return client.write_all(b"220 mail.corp.example ESMTP\r\n").await,
        Manner::RefuseTo(start) if host.starts_with(start) => {
            return client.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
        }
        Manner::Basic(user, password) if !shows(&head, &user, &password) => {
            let answer =
                b"HTTP/1.1 407 Who are you\r\nproxy-authenticate: Basic realm=\"p\"\r\ncontent-length: 0\r\n\r\n";
            return client.write_all(answer).await;
        }
        Manner::Open | Manner::Basic(..) | Manner::RefuseTo(_) => {}
    }
    let port = port.parse().unwrap_or(443);
    let mut server = match state.leads {
        Leads::ByName => TcpStream::connect((host, port)).await?,
        Leads::To(address) => TcpStream::connect(address).await?,
    };
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

fn shows(head: &str, user: &str, password: &str) -> bool {
    let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .any(|(name, value)| name.eq_ignore_ascii_case("proxy-authorization") && value == expected)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

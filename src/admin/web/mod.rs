//! The admin listener: the status page, health and metrics over HTTP. Loopback unless told otherwise, and for reading only:
//! nothing that comes in here changes anything. Without it the daemon lives on, and tries again.
//!
//! ```text
//! GET /                     the status page: ?q=PART of a name, ?page=2
//! GET /connections/NAME     one connection
//! GET /runbook[/PAGE]       what a reason or an alert means, and what to do
//! GET /livez                200 while every loop turns, else 503
//! GET /readyz               200 while nothing is wrong with any connection, else 503, with the faults as JSON
//! GET /metrics              OpenMetrics, or Prometheus' text format
//! ```

mod callers;
mod metrics;
mod page;
mod routes;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use self::callers::{Caller, Callers};
use super::counts::Counts;
use super::looks::{Looks, Seen};
use super::service_manager::ServiceManager;
use crate::app::Calls;
use crate::domain::Timestamp;
use crate::notify::Sent;
use crate::ports::Clock;

/// How long a caller may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one may take in all. A scrape of ten thousand connections takes a second.
const LIMIT: Duration = Duration::from_secs(30);
/// An address that is taken is tried again so much later.
const AGAIN: Duration = Duration::from_secs(10);
/// So many connections are read at a time: in between, others have their turn.
const AT_A_TIME: usize = 256;

/// All that is shown.
pub struct Host {
    /// How each connection stood last.
    pub looks: Arc<Looks>,
    /// What was done.
    pub counts: Arc<Counts>,
    /// What was asked of whom.
    pub calls: Calls,
    /// Who was told.
    pub notified: Arc<Sent>,
    /// Knows whether the loops turn.
    pub manager: Arc<ServiceManager>,
    /// What the moments shown are measured by.
    pub clock: Arc<dyn Clock>,
    /// When the process began.
    pub started: Timestamp,
    /// Nothing here is production.
    pub sandboxed: bool,
}

impl Host {
    /// Hands on every connection, refused ones last.
    async fn each(&self, mut tell: impl FnMut(Seen)) {
        let mut after = String::new();
        loop {
            let some = self.looks.seen(&after, AT_A_TIME);
            let Some(last) = some.last() else { break };
            after.clone_from(&last.connection);
            some.into_iter().for_each(&mut tell);
            tokio::task::yield_now().await;
        }
        self.looks.refused().into_iter().for_each(tell);
    }
}

/// The listener, wherever it listens now.
pub struct Web {
    host: Arc<Host>,
    listening: Option<(SocketAddr, JoinHandle<()>)>,
}

impl Web {
    /// Listens nowhere yet.
    pub fn new(host: Host) -> Self {
        Self { host: Arc::new(host), listening: None }
    }

    /// Listens there from now on, or nowhere. What is there already is not touched.
    pub fn listen(&mut self, address: Option<SocketAddr>) {
        if self.listening.as_ref().map(|(address, _)| *address) == address {
            return;
        }
        self.close();
        let serve = |address| tokio::spawn(serve(address, Arc::clone(&self.host)));
        self.listening = address.map(|address| (address, serve(address)));
    }

    /// Listens no more.
    pub fn close(&mut self) {
        if let Some((_, task)) = self.listening.take() {
            task.abort();
        }
    }
}

async fn serve(address: SocketAddr, host: Arc<Host>) {
    receive(bind(address).await, host).await;
}

async fn receive(listener: TcpListener, host: Arc<Host>) {
    let mut callers = Callers::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => callers.let_in(|caller| converse(stream, Arc::clone(&host), caller)).await,
            Err(error) => {
                tracing::warn!(%error, "a caller of the status page could not be let in");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Tries until the address is free. It is told once that it is not.
async fn bind(address: SocketAddr) -> TcpListener {
    let mut told = None;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let address = listener.local_addr().unwrap_or(address);
                tracing::info!("the status page is served at http://{address}/");
                return listener;
            }
            Err(error) => {
                if told.replace(error.kind()) != Some(error.kind()) {
                    tell_unbound(address, &error);
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

fn tell_unbound(address: SocketAddr, error: &io::Error) {
    tracing::error!(%address, %error, "the status page cannot be served here; tokens are tended all the same, and it is tried again");
}

async fn converse(stream: TcpStream, host: Arc<Host>, caller: Caller) {
    // Whom a page of somebody else's can lead here by a name of its own.
    let is_loopback = stream.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
    let service = service_fn(|request| {
        caller.has_asked();
        routes::answer(&host, request, is_loopback)
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
    let conversation = server.serve_connection(TokioIo::new(caller.hear(stream)), service);
    match tokio::time::timeout(LIMIT, conversation).await {
        Ok(Ok(())) => (),
        Ok(Err(error)) => {
            tracing::debug!(error = %crate::engine::chain(&error), "a caller of the status page broke off")
        }
        Err(_) => tracing::debug!("a caller of the status page took too long"),
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

//! The daemon's side. It hands orders on and carries none out; whatever comes in over the socket, the daemon neither waits
//! for it nor ends by it: connections, bodies and times are bounded, and every failure is a line in the log.

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use super::steps::{self, Course};
use super::wire::{Ask, Greeting, Page, Problem};
use super::{MOST_BYTES, PAGE, PATIENCE, socket_of};
use crate::admin::health::Health;
use crate::admin::looks::Looks;
use crate::admin::outcome::Outcome;
use crate::admin::service_manager::ServiceManager;
use crate::domain::Order;
use crate::engine::fleet::{InLine, MOST_ASKERS};
use crate::engine::{Fleet, Listener, Report};
use crate::ports::Clock;

/// So many commands are let in at a time; further ones wait in the socket.
const MOST_CONNECTIONS: usize = 16;
/// So many wait for what becomes of their orders, which may take hours. They keep nobody else out.
const MOST_ORDERS: usize = 512;
/// After a failure to accept (no descriptors left, say): no hot loop.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// A process that ends waits so long for its last answers to be taken: a second TERM still ends it about at once.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// The control socket of a running daemon.
pub struct Control {
    socket: PathBuf,
    calls: mpsc::Receiver<Call>,
    accepting: Option<AbortHandle>,
    conversations: TaskTracker,
}

/// An order for one of the fleet's connections.
pub struct Call {
    connection: String,
    order: Order,
    listener: Option<Listener>,
    passed: oneshot::Sender<Passed>,
}

/// Where the outcome is awaited, or why it is not taken up.
type Passed = Result<oneshot::Receiver<Report>, Unpassed>;

enum Unpassed {
    /// Nobody has this name; these are all.
    Nobody(Vec<String>),
    /// Too many wait for this connection already.
    Crowded,
}

impl Call {
    /// The connection that is meant.
    pub fn connection(&self) -> &str {
        &self.connection
    }

    /// Gives it to the connection that is meant. Waits for nothing.
    pub fn pass_to(self, fleet: &Fleet) {
        let order = fleet.order(&self.connection, self.order);
        if let Some(listener) = self.listener {
            let place = order.as_ref().and_then(|(place, _)| place.says());
            place.into_iter().for_each(|says| listener.hear(says));
            fleet.tell(&self.connection, listener);
        }
        let passed = match order {
            None => Err(Unpassed::Nobody(fleet.members().keys().map(|name| name.to_string()).collect())),
            Some((InLine::Crowded, _)) => Err(Unpassed::Crowded),
            Some((_, receiver)) => Ok(receiver),
        };
        // Whoever asked may have gone.
        let _gone = self.passed.send(passed);
    }
}

impl Control {
    /// Opens the socket of this runtime directory, whose lock the caller holds: what a killed daemon has left is replaced.
    /// Where it cannot be opened the daemon lives on without it: provisioning counts for more than commands.
    pub fn open(runtime_dir: &Path, clock: Arc<dyn Clock>, looks: Arc<Looks>, manager: Arc<ServiceManager>) -> Self {
        let socket = socket_of(runtime_dir);
        let (sender, calls) = mpsc::channel(MOST_CONNECTIONS);
        let conversations = TaskTracker::new();
        let accepting = match bind(&socket) {
            Ok(listener) => {
                let orders = Arc::new(Semaphore::new(MOST_ORDERS));
                let host = Host { calls: sender, orders, clock, looks, manager };
                Some(tokio::spawn(accept(listener, host, conversations.clone())).abort_handle())
            }
            Err(error) => {
                tracing::warn!(%error, socket = %socket.display(), "no command can reach this daemon: its control socket cannot be opened");
                None
            }
        };
        Self { socket, calls, accepting, conversations }
    }

    /// The next order that somebody gives. Never returns when none can come any more.
    pub async fn next(&mut self) -> Call {
        match self.calls.recv().await {
            Some(call) => call,
            None => std::future::pending().await,
        }
    }

    /// From now on nothing is taken up: the daemon ends.
    pub fn refuse(&mut self) {
        self.calls.close();
        while self.calls.try_recv().is_ok() {}
    }

    /// Lets the last answers be read, and takes the socket away.
    pub async fn close(self) {
        if let Some(accepting) = self.accepting {
            accepting.abort();
            if let Err(error) = fs::remove_file(&self.socket) {
                tracing::debug!(%error, "the control socket cannot be removed");
            }
        }
        self.conversations.close();
        drop(self.calls);
        if tokio::time::timeout(LAST_ANSWERS, self.conversations.wait()).await.is_err() {
            tracing::debug!("a command did not take its answer");
        }
    }
}

/// A socket that is never there with other permissions than its own, in the place of whatever was there before.
fn bind(socket: &Path) -> io::Result<UnixListener> {
    let unfinished = socket.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let listener = UnixListener::bind(&unfinished)?;
    fs::set_permissions(&unfinished, Permissions::from_mode(0o660))?;
    fs::rename(&unfinished, socket)?;
    Ok(listener)
}

/// What every conversation needs.
#[derive(Clone)]
struct Host {
    calls: mpsc::Sender<Call>,
    orders: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    looks: Arc<Looks>,
    manager: Arc<ServiceManager>,
}

async fn accept(listener: UnixListener, host: Host, conversations: TaskTracker) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    while let Ok(seat) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let host = host.clone();
                conversations.spawn(converse(stream, host, Seat(Mutex::new(seat))));
            }
            Err(error) => {
                tracing::warn!(%error, "a command could not be let in");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

/// Where a caller sits: first among those who say what they want, then among those who wait for what becomes of it.
struct Seat(Mutex<OwnedSemaphorePermit>);

impl Seat {
    /// No, if those who wait are too many.
    fn moves_to(&self, room: &Arc<Semaphore>) -> bool {
        let Ok(other) = Arc::clone(room).try_acquire_owned() else { return false };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = other;
        true
    }
}

/// One request, one answer. A caller who goes away is noticed, and its seat is free again.
async fn converse(stream: UnixStream, host: Host, seat: Seat) {
    let peer = Peer::of(&stream);
    let service = service_fn(|request| host.answer(request, peer, &seat));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        let error = crate::engine::chain(&error);
        tracing::debug!(%error, peer.uid, peer.pid, "a command broke off");
    }
}

/// Who is at the other end, as the kernel knows it.
#[derive(Clone, Copy)]
struct Peer {
    uid: Option<u32>,
    pid: Option<i32>,
}

impl Peer {
    fn of(stream: &UnixStream) -> Self {
        let credentials = stream.peer_cred().ok();
        Self { uid: credentials.map(|c| c.uid()), pid: credentials.and_then(|c| c.pid()) }
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

impl Host {
    async fn answer(&self, request: Request<Incoming>, peer: Peer, seat: &Seat) -> Result<Answer, Infallible> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        tracing::debug!(%method, path, peer.uid, peer.pid, "a request on the control socket");
        let answered = match (&method, parts.as_slice()) {
            (&Method::GET, ["v1"]) => Ok(ok(&Greeting { version: env!("CARGO_PKG_VERSION").to_owned() })),
            (&Method::GET, ["v1", "health"]) => {
                Ok(ok(&Health::of(&self.looks, self.manager.is_alive(), self.clock.now()).await))
            }
            (&Method::GET, ["v1", "connections"]) => Ok(self.page(request.uri().query())),
            (&Method::POST, ["v1", "connections", connection, ask]) => {
                let wants_steps = steps::are_wanted(request.headers());
                self.order(connection, ask, request.into_body(), wants_steps, (peer, seat)).await
            }
            _ => Err(refusal(StatusCode::NOT_FOUND, "there is nothing of this kind here")),
        };
        Ok(answered.unwrap_or_else(|(status, problem)| {
            tracing::warn!(peer.uid, peer.pid, status = status.as_u16(), "a command was refused: {}", problem.problem);
            json(status, &problem)
        }))
    }

    /// The names of connections need no escaping in a URL.
    fn page(&self, query: Option<&str>) -> Answer {
        let after = query.and_then(|query| query.strip_prefix("after=")).unwrap_or_default();
        ok(&Page { connections: self.looks.page(after, PAGE) })
    }

    async fn order(
        &self,
        connection: &str,
        ask: &str,
        body: Incoming,
        wants_steps: bool,
        (peer, seat): (Peer, &Seat),
    ) -> Result<Answer, Refusal> {
        let body = Limited::new(body, MOST_BYTES).collect();
        let body = match tokio::time::timeout(PATIENCE, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is broken or over 64 KiB")),
            Err(_) => return Err(refusal(StatusCode::REQUEST_TIMEOUT, "the body did not come")),
        };
        let unfit = |problem: String| refusal(StatusCode::UNPROCESSABLE_ENTITY, problem);
        let order = Ask::parse(ask, &body).and_then(|ask| ask.order(self.clock.now())).map_err(unfit)?;
        drop(body);
        if !seat.moves_to(&self.orders) {
            let problem = format!(
                "{MOST_ORDERS} commands wait for the daemon already: nothing more is taken up before some of them have ended"
            );
            return Err(refusal(StatusCode::SERVICE_UNAVAILABLE, problem));
        }
        tracing::info!(connection, order = order.name(), peer.uid, peer.pid, "a command has come");
        let ending = |_| refusal(StatusCode::SERVICE_UNAVAILABLE, "the daemon is ending and takes no commands");
        let (sender, passed) = oneshot::channel();
        let (listener, steps) = wants_steps.then(|| steps::listen(&self.clock)).unzip();
        let call = Call { connection: connection.to_owned(), order: order.clone(), listener, passed: sender };
        self.calls.send(call).await.map_err(|_| ()).map_err(ending)?;
        let outcome = passed.await.map_err(|_| ()).map_err(ending)?.map_err(|why| match why {
            Unpassed::Nobody(names) => refusal(
                StatusCode::NOT_FOUND,
                format!(
                    "the daemon has no connection {connection:?}; it has {}. If this name is new, the daemon has not read the configuration again (SIGHUP)",
                    names.join(", ")
                ),
            ),
            Unpassed::Crowded => refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("{MOST_ASKERS} commands wait for connection {connection:?} already: what they asked for comes first"),
            ),
        })?;
        let ended = refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "the connection ended before this was carried out, by a reload, an end of the daemon, or a fault: its log says which",
        );
        if let Some(steps) = steps {
            return Ok(Course { order, steps, outcome, ended: ended.1 }.answer());
        }
        outcome.await.map(|report| ok(&Outcome::of(&order, &report))).map_err(|_| ended)
    }
}

type Refusal = (StatusCode, Problem);

fn refusal(status: StatusCode, problem: impl Into<String>) -> Refusal {
    (status, Problem { problem: problem.into() })
}

fn ok(body: &impl Serialize) -> Answer {
    json(StatusCode::OK, body)
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(body).unwrap_or_else(|_| b"{}".to_vec());
    let mut answer = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    answer
}

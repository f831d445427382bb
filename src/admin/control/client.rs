//! The command's side: finds out whether a daemon is there, and has it carry an order out.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::ACCEPT;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedSender;

use super::steps::{self, Step};
use super::told::NoDaemon;
use super::wire::{Ask, Greeting, Page, Problem};
use super::{PAGE, PATIENCE, socket_of};
use crate::admin::health::Health;
use crate::admin::looks::LastLook;
use crate::admin::outcome::Outcome;
use crate::engine::Report;

/// A daemon that answers.
#[derive(Debug)]
pub struct Daemon {
    socket: PathBuf,
    /// Who may make a directory where the runtime directory is.
    mode_above: u32,
    pid: Option<i32>,
}

/// Why the daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It is not for this user.
    #[error("the control socket {} cannot be opened; {}", .socket.display(), NoDaemon::Closed.message().remedy)]
    Closed {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Anybody could have put it there.
    #[error("the control socket {} belongs to user {uid}, in a place where anybody can make one: no token is told to it; {}", .socket.display(), NoDaemon::Untrusted.message().remedy)]
    Untrusted {
        /// The socket.
        socket: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// It answered nothing that can be read.
    #[error("the daemon broke off; {}", NoDaemon::BrokenOff.message().remedy)]
    BrokenOff(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

impl Daemon {
    /// The daemon of this runtime directory, if there is one and it answers.
    pub async fn find(runtime_dir: &Path) -> Result<Option<Self>, ClientError> {
        let mut daemon = Self { socket: socket_of(runtime_dir), mode_above: mode_above(runtime_dir), pid: None };
        let stream = match tokio::time::timeout(PATIENCE, daemon.connect()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) if source.kind() == io::ErrorKind::PermissionDenied => {
                return Err(ClientError::Closed { socket: daemon.socket, source });
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "there is no daemon");
                return Ok(None);
            }
            Err(_) => return Ok(None),
        };
        daemon.pid = daemon.vet(&stream)?;
        let greeting = exchange::<Greeting>(stream, Method::GET, "/v1", String::new());
        Ok(match tokio::time::timeout(PATIENCE * 2, greeting).await {
            Ok(Ok(Greeting { version })) => {
                tracing::debug!(version, "the daemon answers");
                Some(daemon)
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "the daemon does not answer");
                None
            }
            Err(_) => None,
        })
    }

    /// Its process number.
    pub fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// Whether all is well.
    pub async fn health(&self) -> Result<Health, ClientError> {
        let asked = async { exchange(self.connect_again().await?, Method::GET, "/v1/health", String::new()).await };
        tokio::time::timeout(PATIENCE * 2, asked).await.map_err(|late| ClientError::BrokenOff(late.into())).flatten()
    }

    /// How each connection stood when it looked last: as many of them as come in time.
    pub async fn looks(&self) -> Result<Vec<LastLook<Report>>, ClientError> {
        let mut all = Vec::new();
        let pages = tokio::time::timeout(PATIENCE * 2, self.pages(&mut all)).await;
        match pages.map_err(|late| ClientError::BrokenOff(late.into())).flatten() {
            Err(error) if all.is_empty() => Err(error),
            _ => Ok(all),
        }
    }

    async fn pages(&self, all: &mut Vec<LastLook<Report>>) -> Result<(), ClientError> {
        loop {
            let after = all.last().map(|look| look.connection.as_str()).unwrap_or_default();
            let path = format!("/v1/connections?after={after}");
            let stream = self.connect_again().await?;
            let Page { connections } = exchange::<Page<Report>>(stream, Method::GET, &path, String::new()).await?;
            let is_last = connections.len() < PAGE;
            all.extend(connections);
            if is_last {
                return Ok(());
            }
        }
    }

    /// Has it carry this out, and hands on each step as it begins. Returns once it has, which may take as long as a rotation
    /// takes.
    pub async fn ask(&self, connection: &str, ask: &Ask, told: &UnboundedSender<Step>) -> Result<Outcome, ClientError> {
        let path = format!("/v1/connections/{connection}/{}", ask.name());
        let stream = self.connect_again().await?;
        converse(stream, Method::POST, &path, ask.body(), async |answer| match steps::are_told(answer.headers()) {
            true => steps::read(answer.into_body(), told).await,
            false => whole(answer).await, // A refusal, or a daemon of an older release.
        })
        .await
    }

    /// Whoever serves the socket may have changed since the greeting.
    async fn connect_again(&self) -> Result<UnixStream, ClientError> {
        let stream = self.connect().await.map_err(|error| ClientError::BrokenOff(error.into()))?;
        self.vet(&stream)?;
        Ok(stream)
    }

    /// The process at the other end, if it may be told a token.
    fn vet(&self, stream: &UnixStream) -> Result<Option<i32>, ClientError> {
        let peer = stream.peer_cred().map_err(|error| ClientError::BrokenOff(error.into()))?;
        match is_trusted(peer.uid(), own_uid(), self.mode_above) {
            true => Ok(peer.pid()),
            false => Err(ClientError::Untrusted { socket: self.socket.clone(), uid: peer.uid() }),
        }
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.socket).await
    }
}

/// One request, one answer.
async fn exchange<T: DeserializeOwned>(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: String,
) -> Result<T, ClientError> {
    converse(stream, method, path, body, whole).await
}

/// One request, and an answer that is read by `read`.
async fn converse<T>(
    stream: UnixStream,
    method: Method,
    path: &str,
    body: String,
    read: impl AsyncFnOnce(Response<Incoming>) -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let request =
        Request::builder().method(method).uri(path).header("host", "scim-rotator").header(ACCEPT, steps::LINES);
    let request = request.body(Full::new(Bytes::from(body))).map_err(|error| broken(error.into()))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(error.into()))?;
    let driven = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(|error| broken(error.into()))?;
    let result = read(answer).await;
    driven.abort();
    result
}

async fn whole<T: DeserializeOwned>(answer: Response<Incoming>) -> Result<T, ClientError> {
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| broken(error.into()))?.to_bytes();
    match status {
        StatusCode::OK => serde_json::from_slice(&body).map_err(|error| broken(error.into())),
        _ => Err(ClientError::Refused(match serde_json::from_slice(&body) {
            Ok(Problem { problem }) => problem,
            Err(_) => format!("the daemon answered {status}"),
        })),
    }
}

fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> ClientError {
    ClientError::BrokenOff(error)
}

/// In a directory such as `/tmp` anybody may be first to make ours and to listen in it. There, only our own user and root
/// are told anything.
fn is_trusted(peer: u32, own: Option<u32>, mode_above: u32) -> bool {
    peer == 0 || Some(peer) == own || mode_above & 0o002 == 0
}

fn own_uid() -> Option<u32> {
    Some(std::fs::metadata("/proc/self").ok()?.uid())
}

/// Who may make a directory where the runtime directory is; anybody, if that cannot be seen.
fn mode_above(runtime_dir: &Path) -> u32 {
    let above = runtime_dir.parent().and_then(|above| std::fs::metadata(above).ok());
    above.map_or(0o777, |above| above.permissions().mode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_anybody_can_make_a_socket_only_our_own_user_and_root_are_told_a_token() {
        let (sticky, private) = (0o1777, 0o755);
        assert!(is_trusted(1000, Some(1000), sticky) && is_trusted(0, Some(1000), sticky));
        assert!(!is_trusted(1001, Some(1000), sticky) && !is_trusted(1001, Some(0), sticky));
        assert!(!is_trusted(1001, None, sticky));
        assert!(is_trusted(1001, Some(0), private), "root's own directory: whoever serves there may");
    }
}

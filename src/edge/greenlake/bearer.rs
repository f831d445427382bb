//! The API bearer that every call to HPE carries, and whence it comes. It lives for 15 minutes.
//!
//! Asked for right before each use, and never kept by anybody else: a wait of any length is followed by another question.

use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::command::{self, BearerCommand};
use super::login::{self, ClientCredentials};
use super::pasted;
use crate::domain::Timestamp;
use crate::edge::http::Http;
use crate::ports::{CallError, Clock};
use crate::secret_file::SecretFile;

/// A bearer is not used in the last part of its life while a new one can be had, as HPE's own client does not.
const MARGIN: TimeDelta = TimeDelta::seconds(120);

/// Whence bearers come.
#[derive(Clone, Debug)]
pub enum Auth {
    /// From HPE, for the credentials of an API client.
    Client(ClientCredentials),
    /// From a file, read anew at each use.
    File(SecretFile),
    /// From what a command prints.
    Command(BearerCommand),
}

/// A bearer and whom it speaks for.
#[derive(Clone, Debug)]
pub(super) struct Bearer {
    pub token: SecretString,
    pub tenant: Option<String>,
    /// The end of its life, by the clock of this machine; none where nothing tells it.
    pub ends: Option<Timestamp>,
}

impl Bearer {
    /// What is left of its life.
    pub fn left(&self, now: Timestamp) -> Option<TimeDelta> {
        self.ends.map(|ends| ends - now)
    }
}

/// Gets bearers. Keeps one as long as it is good, unless it comes from a file, which may hold another one any time.
pub(super) struct BearerSource {
    auth: Auth,
    http: Http,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Bearer>>,
}

impl BearerSource {
    pub fn new(auth: Auth, http: Http, clock: Arc<dyn Clock>) -> Self {
        Self { auth, http, clock, held: Mutex::new(None) }
    }

    /// The bearer at hand, or a new one. Those who come meanwhile wait for the same one.
    pub async fn get(&self) -> Result<Bearer, CallError> {
        let mut held = self.held.lock().await;
        if let Some(bearer) = &*held
            && bearer.left(self.clock.now()).is_some_and(|left| left > MARGIN)
        {
            return Ok(bearer.clone());
        }
        *held = None;
        let bearer = match &self.auth {
            Auth::Client(credentials) => login::mint(credentials, &self.http, &self.clock).await?,
            Auth::File(file) => return pasted::read(file, self.clock.now()),
            Auth::Command(command) => command::run(command, self.clock.now()).await?,
        };
        *held = Some(bearer.clone());
        Ok(bearer)
    }

    /// Drops `refused`, unless somebody has had a newer one made already.
    pub async fn forget(&self, refused: &SecretString) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|bearer| bearer.token.expose_secret() == refused.expose_secret()) {
            *held = None;
        }
    }

    /// What to look at when HPE does not take a bearer of this origin.
    pub fn if_refused(&self) -> String {
        match &self.auth {
            Auth::Client(_) => "HPE does not take a fresh bearer: check that the API client belongs to this workspace \
                                and region"
                .to_owned(),
            Auth::File(file) => format!(
                "HPE does not take the bearer in {}: put a fresh one there, of this workspace and region",
                file.path().display()
            ),
            Auth::Command(command) => format!(
                "HPE does not take the bearer that {} prints: check that it is one of this workspace and region",
                command.program.display()
            ),
        }
    }
}

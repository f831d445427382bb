//! The clients at hand: one that keeps connections, made anew when the proxy's password changes; and, for each request
//! that must not be sent down a connection of which nobody knows whether it still stands, one that keeps none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::CertificateDer;
use secrecy::{ExposeSecret as _, SecretString};

use super::build::{BuildError, HttpOptions, Recipe};
use super::chain::Notes;

/// So many clients for one request are kept for the next. More are used only where many connections rotate in the same moment.
const MOST_SPARE: usize = 4;

/// Why there is no client now.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoClient {
    /// The proxy's password is not to be had.
    #[error("{0}")]
    Password(String),
    /// It cannot be built.
    #[error(transparent)]
    Unbuilt(#[from] BuildError),
}

#[derive(Debug)]
pub(super) struct Clients {
    recipe: Recipe,
    held: Mutex<Held>,
}

/// The clients, and the password that they were made with.
#[derive(Debug)]
struct Held {
    client: reqwest::Client,
    /// Each is used by one request at a time.
    spare: Vec<Single>,
    password: Option<SecretString>,
    /// Counts the passwords.
    generation: u64,
}

/// A client that keeps no connection, in the hands of one request.
#[derive(Debug)]
pub(super) struct Single {
    pub client: reqwest::Client,
    stood: Arc<AtomicBool>,
    generation: u64,
}

impl Single {
    /// Whether the connection of its request has stood, TLS included.
    pub fn stood(&self) -> bool {
        self.stood.load(Ordering::SeqCst)
    }
}

impl Clients {
    /// Without the proxy's password as yet: its file may still come.
    pub fn new(recipe: Recipe) -> Result<Self, BuildError> {
        let held = Mutex::new(Held { client: recipe.build(None)?, spare: Vec::new(), password: None, generation: 0 });
        Ok(Self { recipe, held })
    }

    pub fn options(&self) -> &HttpOptions {
        &self.recipe.options
    }

    /// To put a request together with. Knows no password, or an old one.
    pub fn any(&self) -> reqwest::Client {
        self.held().client.clone()
    }

    /// The one that keeps connections.
    pub fn lasting(&self) -> Result<reqwest::Client, NoClient> {
        Ok(self.current()?.client.clone())
    }

    /// One for one request. Who does not give it back after its end has merely used it up.
    pub fn single(&self) -> Result<Single, NoClient> {
        let mut held = self.current()?;
        if let Some(single) = held.spare.pop() {
            single.stood.store(false, Ordering::SeqCst);
            return Ok(single);
        }
        let (password, generation) = (held.password.clone(), held.generation);
        drop(held);
        let (client, stood) = self.recipe.build_single(password.as_ref())?;
        Ok(Single { client, stood, generation })
    }

    /// One that has notes taken of the certificates that it is shown.
    pub fn noting(&self, notes: &Notes) -> Result<reqwest::Client, NoClient> {
        let password = self.current()?.password.clone();
        self.recipe.build_noting(password.as_ref(), notes).map_err(NoClient::from)
    }

    /// Those that `ca_file` names.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.recipe.certificates
    }

    /// The request of this one has ended.
    pub fn give_back(&self, single: Single) {
        let mut held = self.held();
        // One that was made with an older password goes with the others of its time.
        if held.spare.len() < MOST_SPARE && held.generation == single.generation {
            held.spare.push(single);
        }
    }

    /// The clients, made with the proxy's password as its file holds it now.
    fn current(&self) -> Result<MutexGuard<'_, Held>, NoClient> {
        let login = self.recipe.options.proxy.as_ref().and_then(|proxy| proxy.login.as_ref());
        let read = login.map(|login| login.password.read()).transpose();
        let password = read.map_err(|error| NoClient::Password(format!("the proxy's password is missing: {error}")))?;
        let mut held = self.held();
        let [new, old] = [&password, &held.password].map(|it| it.as_ref().map(SecretString::expose_secret));
        if new != old {
            let client = self.recipe.build(password.as_ref())?;
            *held = Held { client, spare: Vec::new(), password, generation: held.generation + 1 };
        }
        Ok(held)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

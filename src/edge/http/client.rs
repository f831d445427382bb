//! The clients at hand: one that keeps connections, made anew when the proxy's password changes; and one for each
//! request that must not be sent down a connection of which nobody knows whether it still stands.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};

use super::build::{BuildError, HttpOptions, Recipe};

#[derive(Debug)]
pub(super) struct Clients {
    recipe: Recipe,
    held: Mutex<Held>,
}

/// A client, and the password that it was made with.
#[derive(Debug)]
struct Held {
    client: reqwest::Client,
    password: Option<SecretString>,
}

/// Whether the connection of a request has stood, TLS included.
#[derive(Debug)]
pub(super) struct Stood(Arc<AtomicBool>);

impl Stood {
    pub fn yet(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clients {
    /// Without the proxy's password as yet: its file may still come.
    pub fn new(recipe: Recipe) -> Result<Self, BuildError> {
        let held = Mutex::new(Held { client: recipe.build(None)?, password: None });
        Ok(Self { recipe, held })
    }

    pub fn options(&self) -> &HttpOptions {
        &self.recipe.options
    }

    /// To put a request together with. Knows no password, or an old one.
    pub fn any(&self) -> reqwest::Client {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).client.clone()
    }

    /// The one that keeps connections.
    pub fn lasting(&self) -> Result<reqwest::Client, String> {
        let password = self.password()?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let same = password.as_ref().map(SecretString::expose_secret)
            == held.password.as_ref().map(SecretString::expose_secret);
        if !same {
            let client = self.recipe.build(password.as_ref()).map_err(|error| error.to_string())?;
            *held = Held { client, password };
        }
        Ok(held.client.clone())
    }

    /// One for one request.
    pub fn for_one(&self) -> Result<(reqwest::Client, Stood), String> {
        let password = self.password()?;
        let (client, stood) = self.recipe.build_for_one(password.as_ref()).map_err(|error| error.to_string())?;
        Ok((client, Stood(stood)))
    }

    /// The proxy's password as its file holds it now.
    fn password(&self) -> Result<Option<SecretString>, String> {
        let login = self.recipe.options.proxy.as_ref().and_then(|proxy| proxy.login.as_ref());
        let read = login.map(|login| login.password.read()).transpose();
        read.map_err(|error| format!("the proxy's password is missing: {error}"))
    }
}

//! The SDK's clients, one for each vault: connections whose secrets are in one vault share its challenge and its bearer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use url::Url;

use crate::edge::http::{Http, Reach, SdkTransport};
use crate::edge::login::Login;

/// Shared by all connections of a process.
pub struct Clients {
    http: Http,
    login: Arc<dyn Login>,
    made: Mutex<BTreeMap<Url, Arc<SecretClient>>>,
    /// Of which secrets it was told that nobody can look for them among the deleted ones.
    told: Mutex<BTreeSet<(Url, String)>>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

impl Clients {
    /// None yet.
    pub fn new(http: Http, login: Arc<dyn Login>) -> Self {
        Self { http, login, made: Mutex::default(), told: Mutex::default() }
    }

    /// The client of a vault. One made now has no bearer yet.
    pub(super) fn of(&self, vault: &Url) -> azure_core::Result<Arc<SecretClient>> {
        let mut made = self.made();
        if let Some(client) = made.get(vault) {
            return Ok(Arc::clone(client));
        }
        let transport = SdkTransport::new(self.http.clone(), Reach::Origin(vault.origin()));
        let client_options = ClientOptions {
            transport: Some(Transport::new(Arc::new(transport))),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        let options = SecretClientOptions {
            client_options,
            verify_challenge_resource: Some(true),
            ..SecretClientOptions::default()
        };
        let client = Arc::new(SecretClient::new(vault.as_str(), self.login.clone(), Some(options))?);
        made.insert(vault.clone(), Arc::clone(&client));
        Ok(client)
    }

    /// Lets the bearer of a vault be had anew, and the client `refused` that holds on to it be made anew; unless another
    /// connection has done so meanwhile.
    pub(super) fn renew(&self, vault: &Url, refused: &Arc<SecretClient>) {
        let mut made = self.made();
        if made.get(vault).is_some_and(|client| Arc::ptr_eq(client, refused)) {
            self.login.renew();
            made.remove(vault);
        }
    }

    /// Whether it is to be told that nobody can look for this secret among the deleted ones: once is enough.
    pub(super) fn is_news(&self, vault: &Url, secret: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert((vault.clone(), secret.to_owned()))
    }

    /// The limit of one request.
    pub(super) fn timeout(&self) -> Duration {
        self.http.options().timeout
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<Url, Arc<SecretClient>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

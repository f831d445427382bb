//! The vault: one secret in Azure Key Vault, through the official SDK.
//!
//! The SDK is kept from retrying (each retry of a store may make one more version) and from waiting without end. Every
//! write is made once. Versions are listed without their values; a value is read only where it is asked for.

mod clients;
mod errors;
mod refused;
mod wire;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_security_keyvault_secrets::models::{
    SecretClientGetSecretOptions, SecretClientUpdateSecretPropertiesOptions, UpdateSecretPropertiesParameters,
};
use azure_security_keyvault_secrets::{ResourceExt as _, SecretClient};
use futures::TryStreamExt as _;
use url::Url;

pub use self::clients::Clients;
use self::errors::{Action, Trouble};
pub use self::refused::Refused;
use super::http::{Method, join, target};
use crate::domain::journal::Tags;
use crate::domain::{Token, Version, VersionId};
use crate::ports::{NewVersion, Vault, VaultError};

/// A first call is three requests: the challenge, the login, the call itself. It may take as long as two that are slow.
const REQUESTS: u32 = 2;
/// A list may have many pages.
const PAGES: u32 = 4;
/// The limit of one request counts as no shorter than this: a vault that is throttled answers late.
const LEAST_LIMIT: Duration = Duration::from_secs(30);
const SERVICE: &str = "Key Vault";

/// Which secret, where.
#[derive(Clone, Debug)]
pub struct KeyVaultOptions {
    /// The vault, https (`https://contoso.vault.azure.net`).
    pub url: Url,
    /// The secret's name.
    pub secret: String,
}

/// Why there is no vault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyVaultError {
    /// The SDK pastes the name into a path unchecked, so `../` would lead elsewhere.
    #[error("the secret's name {0:?} must be 1 to 127 letters, digits and hyphens")]
    BadName(String),
    /// A token would go out in the clear.
    #[error("the vault's URL {0} must begin with https://")]
    NotHttps(String),
}

/// One secret of one vault.
pub struct KeyVault {
    options: KeyVaultOptions,
    clients: Arc<Clients>,
}

impl fmt::Debug for KeyVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyVault").field("options", &self.options).finish_non_exhaustive()
    }
}

impl KeyVault {
    /// Checks the options. Nothing is sent yet.
    pub fn new(options: KeyVaultOptions, clients: Arc<Clients>) -> Result<Self, KeyVaultError> {
        if options.url.scheme() != "https" {
            return Err(KeyVaultError::NotHttps(options.url.to_string()));
        }
        if !is_name(&options.secret) {
            return Err(KeyVaultError::BadName(options.secret));
        }
        Ok(Self { options, clients })
    }

    /// Calls the SDK. After a 401 or 403, which did nothing, once more with everything anew: the SDK never drops a bearer
    /// that was revoked, or that predates a grant.
    async fn ask<T, F>(&self, requests: u32, call: impl Fn(Arc<SecretClient>) -> F) -> Result<T, Trouble>
    where
        F: Future<Output = azure_core::Result<T>>,
    {
        let mut may_renew = true;
        loop {
            let client = self.clients.of(&self.options.url).map_err(Trouble::Sdk)?;
            match tokio::time::timeout(self.limit(requests), call(Arc::clone(&client))).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) if may_renew && errors::may_be_the_bearers(&error) => {
                    may_renew = false;
                    self.clients.renew(&self.options.url, &client);
                }
                Ok(Err(error)) => return Err(Trouble::Sdk(error)),
                Err(_) => return Err(Trouble::Overdue),
            }
        }
    }

    /// Whether a secret that is not there was never there. One that somebody has deleted must not be taken for it: then a
    /// first contact would begin, in place of the versions that can be had back. A role on the one secret may not do for
    /// this look: that is told, and no bearer renewed for it.
    async fn unless_deleted(&self, target: &str) -> Result<(), VaultError> {
        let looked = async {
            self.clients.of(&self.options.url)?.get_deleted_secret(&self.options.secret, None).await?.into_model()
        };
        let trouble = match tokio::time::timeout(self.limit(REQUESTS), looked).await {
            Ok(Ok(deleted)) => {
                let until = deleted.scheduled_purge_date.and_then(wire::timestamp);
                return Err(errors::soft_deleted(&self.options, target, until));
            }
            Ok(Err(error)) if errors::is_refusal(&error) => {
                self.tell_of_no_look(&error);
                return Ok(());
            }
            Ok(Err(error)) => Trouble::Sdk(error),
            Err(_) => Trouble::Overdue,
        };
        Err(errors::sort(&self.options, Action::List, target, trouble, None))
    }

    /// A 404 is an answer; any other refusal leaves it open.
    fn tell_of_no_look(&self, error: &azure_core::Error) {
        let status = error.http_status().map(u16::from).unwrap_or_default();
        let KeyVaultOptions { url, secret } = &self.options;
        if status != 404 && self.clients.is_news(url, secret) {
            tracing::warn!(vault = %url, secret, status, "whether somebody has deleted the secret cannot be seen; there is none now");
        }
    }

    fn limit(&self, requests: u32) -> Duration {
        whole(self.clients.timeout(), requests)
    }

    fn target(&self, method: Method, rest: &[&str]) -> String {
        let path = ["secrets", &self.options.secret].into_iter().chain(rest.iter().copied());
        target(&method, &join(&self.options.url, path))
    }
}

#[async_trait]
impl Vault for KeyVault {
    async fn list(&self) -> Result<Vec<Version>, VaultError> {
        let target = self.target(Method::GET, &["versions"]);
        let listed = self
            .ask(PAGES, |client| async move {
                client.list_secret_properties_versions(&self.options.secret, None)?.try_collect::<Vec<_>>().await
            })
            .await;
        match listed {
            // The vault's own answer for a secret that is not there, with a 200 (or a 404, as its reference has it).
            Ok(none) if none.is_empty() => self.unless_deleted(&target).await.map(|()| Vec::new()),
            Ok(versions) => versions.into_iter().map(|version| wire::version(version, &target)).collect(),
            Err(Trouble::Sdk(error)) if errors::is_unknown_secret(&error) => {
                self.unless_deleted(&target).await.map(|()| Vec::new())
            }
            Err(trouble) => Err(errors::sort(&self.options, Action::List, &target, trouble, None)),
        }
    }

    async fn read(&self, version: &VersionId) -> Result<Token, VaultError> {
        let target = self.target(Method::GET, &[&version.0]);
        if !is_name(&version.0) {
            return Err(wire::unreadable(&target, "the vault named a version that is no version"));
        }
        let secret = self
            .ask(REQUESTS, |client| async move {
                let secret_version = Some(version.0.clone());
                let options = SecretClientGetSecretOptions { secret_version, ..Default::default() };
                client.get_secret(&self.options.secret, Some(options)).await?.into_model()
            })
            .await
            .map_err(|trouble| errors::sort(&self.options, Action::Read(version), &target, trouble, None))?;
        wire::token(version, secret)
    }

    async fn store(&self, new: &NewVersion) -> Result<VersionId, VaultError> {
        let target = self.target(Method::PUT, &[]);
        errors::check_tags(&self.options, &target, &new.tags).map_err(VaultError::VersionRefused)?;
        let stored = self
            .ask(REQUESTS, |client| async move {
                let parameters = wire::parameters(new)?.try_into()?;
                // Its answer repeats the value: only the id is taken from it.
                Ok(client
                    .set_secret(&self.options.secret, parameters, None)
                    .await?
                    .into_model()
                    .map(|it| it.resource_id()))
            })
            .await;
        match stored {
            Ok(Ok(Ok(id))) if id.version.is_some() => Ok(VersionId(id.version.unwrap_or_default())),
            Ok(_) => Err(VaultError::Call(errors::stored_somewhere(&target))),
            Err(trouble) => Err(errors::sort(&self.options, Action::Store, &target, trouble, new.token.as_ref())),
        }
    }

    async fn label(&self, version: &VersionId, tags: &Tags, enabled: Option<bool>) -> Result<(), VaultError> {
        let target = self.target(Method::PATCH, &[&version.0]);
        if !is_name(&version.0) {
            return Err(wire::unreadable(&target, "the vault named a version that is no version"));
        }
        errors::check_tags(&self.options, &target, tags).map_err(VaultError::Call)?;
        let labelled = self
            .ask(REQUESTS, |client| async move {
                let secret_attributes = enabled.map(wire::enabled);
                let tags = Some(tags.clone().into_iter().collect());
                let parameters = UpdateSecretPropertiesParameters { tags, secret_attributes, ..Default::default() };
                let secret_version = Some(version.0.clone());
                let options = SecretClientUpdateSecretPropertiesOptions { secret_version, ..Default::default() };
                let name = &self.options.secret;
                // The SDK takes any 200 for a success, a proxy's web page as well: only the vault's own words are one.
                Ok(client.update_secret_properties(name, parameters.try_into()?, Some(options)).await?.into_model())
            })
            .await;
        match labelled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(errors::no_label(&target)),
            Err(trouble) => Err(errors::sort(&self.options, Action::Label, &target, trouble, None)),
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=127).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The time for so many requests in a row, of which each may take `one`.
fn whole(one: Duration, requests: u32) -> Duration {
    one.max(LEAST_LIMIT) * requests
}

#[cfg(test)]
mod tests;

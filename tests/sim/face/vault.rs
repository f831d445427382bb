//! The vault over the world.

use std::collections::BTreeMap;

use async_trait::async_trait;
use scim_rotator::domain::journal::{Label, Tags};
use scim_rotator::domain::{Token, Version, VersionId};
use scim_rotator::ports::{CallError, Class, NewVersion, Vault, VaultError};

use super::errors::Broken;
use super::{Face, lock};
use crate::world::{NewSecret, Op, Patch, Refusal, Stored};

/// As the daemon's own edge writes them.
const PLACEHOLDER: (&str, &str) = ("placeholder", "text/plain");
const TOKEN_TYPE: &str = "application/vnd.scim-token";

/// What the tags of versions have been read as: reading them again at every look would take most of a simulated year.
pub type Parsed = BTreeMap<String, (Tags, Label)>;

fn version(stored: &Stored, parsed: &mut Parsed) -> Version {
    let label = match parsed.get(&stored.id) {
        Some((tags, label)) if *tags == stored.tags => label.clone(),
        _ => {
            let label = Label::parse(&stored.tags);
            parsed.insert(stored.id.clone(), (stored.tags.clone(), label.clone()));
            label
        }
    };
    Version {
        id: VersionId(stored.id.clone()),
        created: stored.created,
        enabled: stored.enabled,
        expires: stored.expires,
        label,
    }
}

fn call(op: Op) -> impl FnOnce(Broken) -> VaultError {
    move |broken| VaultError::Call(broken.error(op))
}

#[async_trait]
impl Vault for Face {
    async fn list(&self) -> Result<Vec<Version>, VaultError> {
        let listed = self.port(|face| {
            face.exchange(Op::VaultList, |world| {
                let name = world.settings.secret.clone();
                let parsed = &mut *lock(&face.parsed);
                let listed = world.vault_list(&name);
                let is_none =
                    listed.as_ref().map_or_else(|no| no.code == "SecretNotFound", |versions| versions.is_empty());
                if is_none && world.vault_deleted(Some(&name)).is_ok() {
                    let (code, message) = ("ObjectIsDeletedButRecoverable", "the secret has been deleted".to_owned());
                    return Err(Refusal { status: 404, code, message, retry_after: None });
                }
                listed.map(|versions| versions.iter().map(|stored| version(stored, parsed)).collect())
            })
        });
        match listed.await {
            Err(broken) if broken.is("SecretNotFound") => Ok(Vec::new()),
            Err(broken) if broken.is("ObjectIsDeletedButRecoverable") => {
                let call = broken.error(Op::VaultList);
                Err(VaultError::Call(CallError {
                    class: Class::Human,
                    code: Some("SecretNotFound".to_owned()),
                    status: None,
                    ..call
                }))
            }
            answer => answer.map_err(call(Op::VaultList)),
        }
    }

    async fn read(&self, version: &VersionId) -> Result<Token, VaultError> {
        let value = self.port(|face| {
            face.exchange(Op::VaultRead, |world| {
                let name = world.settings.secret.clone();
                world.vault_get(&name, Some(&version.0)).map(|stored| stored.value.clone())
            })
        });
        let unusable = |why: String| VaultError::Unusable { version: version.clone(), why };
        match value.await {
            Ok(value) => Token::parse(&value).map_err(|error| unusable(error.to_string())),
            Err(broken) if broken.is("SecretDisabled") => Err(unusable("it is disabled".to_owned())),
            Err(broken) => Err(VaultError::Call(broken.error(Op::VaultRead))),
        }
    }

    async fn store(&self, new: &NewVersion) -> Result<VersionId, VaultError> {
        let (value, content_type) = new.token.as_ref().map_or(PLACEHOLDER, |token| (token.expose(), TOKEN_TYPE));
        let body = NewSecret {
            value: value.to_owned(),
            tags: new.tags.clone(),
            expires: new.expires,
            not_before: None,
            enabled: new.token.is_some(),
            content_type: Some(content_type.to_owned()),
        };
        let stored = self.port(|face| {
            face.exchange(Op::VaultStore, |world| {
                let name = world.settings.secret.clone();
                world.vault_set(&name, body)
            })
        });
        match stored.await {
            Ok(stored) => Ok(VersionId(stored.id)),
            Err(broken) if broken.status() == Some(400) => {
                Err(VaultError::VersionRefused(broken.error(Op::VaultStore)))
            }
            Err(broken) => Err(VaultError::Call(broken.error(Op::VaultStore))),
        }
    }

    async fn label(&self, version: &VersionId, tags: &Tags, enabled: Option<bool>) -> Result<(), VaultError> {
        let patch = Patch { tags: Some(tags.clone()), enabled, ..Patch::default() };
        let patched = self.port(|face| {
            face.exchange(Op::VaultLabel, |world| {
                let name = world.settings.secret.clone();
                world.vault_patch(&name, &version.0, patch)
            })
        });
        patched.await.map(|_| ()).map_err(call(Op::VaultLabel))
    }
}

//! Key Vault's secrets: versions, tags, and everything it refuses. Tags are raw here; what they mean is the daemon's affair.

use std::collections::BTreeMap;

use scim_rotator::domain::journal::Tags;

use super::{Event, Refusal, TagWrites, Timestamp, World, ids};

/// What Key Vault takes as a name, as tags and as a value.
const LONGEST_NAME: usize = 127;
const MOST_TAGS: usize = 15;
const LONGEST_TAG: usize = 256;
const LONGEST_VALUE: usize = 25 * 1024;

/// One version of a secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The value.
    pub value: String,
    /// Whole seconds, as the vault tells it.
    pub created: Timestamp,
    /// Whole seconds.
    pub updated: Timestamp,
    /// A disabled version cannot be read.
    pub enabled: bool,
    /// The `exp` attribute.
    pub expires: Option<Timestamp>,
    /// The `nbf` attribute.
    pub not_before: Option<Timestamp>,
    /// The content type.
    pub content_type: Option<String>,
    /// The tags.
    pub tags: Tags,
}

/// The body of `PUT /secrets/{name}`.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// The value.
    pub value: String,
    /// The tags.
    pub tags: Tags,
    /// The `exp` attribute.
    pub expires: Option<Timestamp>,
    /// The `nbf` attribute.
    pub not_before: Option<Timestamp>,
    /// The `enabled` attribute.
    pub enabled: bool,
    /// The content type.
    pub content_type: Option<String>,
}

/// The body of `PATCH /secrets/{name}/{version}`.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// New tags, if any are sent.
    pub tags: Option<Tags>,
    /// The `enabled` attribute, if sent.
    pub enabled: Option<bool>,
    /// The `exp` attribute, if sent.
    pub expires: Option<Timestamp>,
    /// The `nbf` attribute, if sent.
    pub not_before: Option<Timestamp>,
    /// The content type, if sent.
    pub content_type: Option<String>,
}

/// A secret as its list shows it: its name and its latest version.
pub type Listed<'a> = (&'a str, &'a Stored);

#[derive(Clone, Debug, Default)]
struct Secret {
    versions: Vec<Stored>,
    /// Since when it is soft-deleted, if it is.
    deleted: Option<Timestamp>,
    /// What a lagging list still shows: the state that held until the moment beside it. Empty without a lag.
    past: Vec<(Timestamp, Vec<Stored>)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Vault {
    secrets: BTreeMap<String, Secret>,
    count: u64,
}

impl World {
    /// Every version of a secret, oldest first; when there is no such secret none, or a 404. Values are for the face to leave
    /// out.
    pub fn vault_list(&self, name: &str) -> Result<&[Stored], Refusal> {
        self.vault_access()?;
        if self.settings.lists_missing_as_empty && self.secret(name).is_err() {
            return Ok(&[]);
        }
        let secret = self.secret(name)?;
        let shown = self.now - self.settings.list_lag;
        let past = secret.past.iter().find(|(until, _)| *until > shown).map(|(_, versions)| versions);
        Ok(past.unwrap_or(&secret.versions))
    }

    /// One version, or the latest, with its value; 403 when it is disabled.
    pub fn vault_get(&self, name: &str, version: Option<&str>) -> Result<&Stored, Refusal> {
        self.vault_access()?;
        let versions = &self.secret(name)?.versions;
        let found = match version {
            Some(id) => versions.iter().find(|v| v.id == id),
            None => versions.last(),
        };
        match found {
            None => Err(not_found(name)),
            Some(v) if !v.enabled => {
                Err(Refusal::new(403, "SecretDisabled", "Operation get is not allowed on a disabled secret."))
            }
            Some(v) => Ok(v),
        }
    }

    /// `PUT`: one more version, each time it is called.
    pub fn vault_set(&mut self, name: &str, new: NewSecret) -> Result<Stored, Refusal> {
        self.vault_access()?;
        check_name(name)?;
        check_tags(&new.tags)?;
        if new.value.len() > LONGEST_VALUE {
            return Err(bad("The secret value is longer than 25 KB."));
        }
        if self.settings.refuses_expiry && new.expires.is_some() {
            return Err(Refusal::new(400, "ForbiddenByPolicy", "The policy does not allow this validity period."));
        }
        if self.vault.secrets.get(name).is_some_and(|secret| secret.deleted.is_some()) {
            let message = format!(
                "Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this \
                 state, the secret can only be recovered or purged."
            );
            return Err(Refusal::new(409, "ObjectIsDeletedButRecoverable", message));
        }
        self.vault.count += 1;
        let version = Stored {
            id: ids::hex32(self.settings.seed ^ 0x76_6175_6c74, self.vault.count),
            value: new.value,
            created: whole(self.now),
            updated: whole(self.now),
            enabled: new.enabled,
            expires: new.expires.map(whole),
            not_before: new.not_before.map(whole),
            content_type: new.content_type,
            tags: new.tags,
        };
        self.vault.secrets.entry(name.to_owned()).or_default();
        self.remember(name);
        let secret = self.vault.secrets.entry(name.to_owned()).or_default();
        secret.versions.push(version.clone());
        let event = Event::Stored { version: secret.versions.len(), stage: version.tags.get("stage").cloned() };
        self.ledger.stored += 1;
        self.tell(event);
        Ok(version)
    }

    /// `GET /secrets`: those that are not deleted.
    pub fn vault_secrets(&self) -> Result<Vec<Listed<'_>>, Refusal> {
        self.vault_access()?;
        let living = self.vault.secrets.iter().filter(|(_, secret)| secret.deleted.is_none());
        Ok(living.filter_map(|(name, secret)| Some((name.as_str(), secret.versions.last()?))).collect())
    }

    /// `GET /deletedsecrets`: since when, and what. One of them is found by its name.
    pub fn vault_deleted(&self, name: Option<&str>) -> Result<Vec<(Timestamp, Listed<'_>)>, Refusal> {
        self.vault_access()?;
        if self.settings.hides_deleted {
            let message = "Caller is not authorized to perform action on resource.";
            return Err(Refusal::new(403, "ForbiddenByRbac", message));
        }
        let deleted = self.vault.secrets.iter().filter(|(known, _)| name.is_none_or(|name| name == *known));
        let listed =
            deleted.filter_map(|(name, secret)| Some((secret.deleted?, (name.as_str(), secret.versions.last()?))));
        let listed: Vec<_> = listed.collect();
        match name {
            Some(name) if listed.is_empty() => Err(not_found(name)),
            _ => Ok(listed),
        }
    }

    /// `DELETE /secrets/{name}`: it can be recovered, and its name stays taken.
    pub fn vault_delete(&mut self, name: &str) -> Result<(), Refusal> {
        self.vault_access()?;
        self.secret(name)?;
        self.mark(name, Some(self.now))
    }

    /// `POST /deletedsecrets/{name}/recover`.
    pub fn vault_recover(&mut self, name: &str) -> Result<(), Refusal> {
        self.vault_deleted(Some(name))?;
        self.mark(name, None)
    }

    /// `DELETE /deletedsecrets/{name}`: gone for good, and its name is free.
    pub fn vault_purge(&mut self, name: &str) -> Result<(), Refusal> {
        self.vault_deleted(Some(name))?;
        self.vault.secrets.remove(name);
        Ok(())
    }

    /// `PATCH`: tags and attributes of one version.
    pub fn vault_patch(&mut self, name: &str, version: &str, patch: Patch) -> Result<Stored, Refusal> {
        self.vault_access()?;
        self.secret(name)?;
        if self.settings.refuses_expiry && patch.expires.is_some() {
            return Err(Refusal::new(400, "ForbiddenByPolicy", "The policy does not allow this validity period."));
        }
        let merge = self.settings.tag_writes == TagWrites::Merge;
        let now = whole(self.now);
        let versions = &self.secret(name)?.versions;
        let index = versions.iter().position(|v| v.id == version).ok_or_else(|| not_found(name))?;
        let mut next = versions[index].clone();
        if let Some(tags) = patch.tags {
            if !merge {
                next.tags.clear();
            }
            next.tags.extend(tags);
            check_tags(&next.tags)?;
        }
        next.enabled = patch.enabled.unwrap_or(next.enabled);
        next.expires = patch.expires.map(whole).or(next.expires);
        next.not_before = patch.not_before.map(whole).or(next.not_before);
        next.content_type = patch.content_type.or(next.content_type);
        next.updated = now;
        self.remember(name);
        if let Some(secret) = self.vault.secrets.get_mut(name) {
            secret.versions[index] = next.clone();
        }
        let stage = next.tags.get("stage").cloned();
        self.tell(Event::Labelled { version: index + 1, stage, enabled: next.enabled });
        Ok(next)
    }

    /// A person stores a value under the daemon's name, without tags.
    pub fn person_stores(&mut self, value: &str) {
        let (enabled, tags) = (true, Tags::new());
        let new =
            NewSecret { value: value.to_owned(), tags, expires: None, not_before: None, enabled, content_type: None };
        let name = self.settings.secret.clone();
        // A vault that is closed to the daemon is closed to this person as well.
        let _refused = self.vault_set(&name, new);
    }

    /// What was kept under `name` has been kept under the daemon's name all along.
    pub fn vault_rename(&mut self, name: &str) {
        if let Some(secret) = self.vault.secrets.remove(name) {
            self.vault.secrets.insert(self.settings.secret.clone(), secret);
        }
    }

    /// A person deletes the secret; its name stays taken.
    pub fn person_deletes_secret(&mut self) {
        let name = self.settings.secret.clone();
        self.vault.secrets.entry(name).or_default().deleted = Some(self.now);
    }

    /// A person recovers the deleted secret.
    pub fn person_recovers_secret(&mut self) {
        if let Some(secret) = self.vault.secrets.get_mut(&self.settings.secret) {
            secret.deleted = None;
        }
    }

    /// The versions as they truly are, oldest first, whatever the vault lets the caller see.
    pub fn versions(&self) -> &[Stored] {
        self.vault.secrets.get(&self.settings.secret).map_or(&[], |secret| &secret.versions)
    }

    /// The same, to be tampered with.
    pub fn versions_mut(&mut self) -> Option<&mut Vec<Stored>> {
        self.vault.secrets.get_mut(&self.settings.secret).map(|secret| &mut secret.versions)
    }

    /// What was done before the world began is long known to every list.
    pub(super) fn forget_past(&mut self) {
        self.vault.secrets.values_mut().for_each(|secret| secret.past.clear());
    }

    fn secret(&self, name: &str) -> Result<&Secret, Refusal> {
        self.vault.secrets.get(name).filter(|secret| secret.deleted.is_none()).ok_or_else(|| not_found(name))
    }

    fn mark(&mut self, name: &str, deleted: Option<Timestamp>) -> Result<(), Refusal> {
        self.vault.secrets.get_mut(name).ok_or_else(|| not_found(name))?.deleted = deleted;
        Ok(())
    }

    fn vault_access(&self) -> Result<(), Refusal> {
        if self.settings.vault_gone {
            let message = format!("The vault {} was not found.", self.settings.vault);
            return Err(Refusal::new(404, "VaultNotFound", message));
        }
        if self.settings.vault_forbidden {
            let message = "Caller is not authorized to perform action on resource.\r\nAction: 'secrets/readMetadata'";
            return Err(Refusal::new(403, "ForbiddenByRbac", message));
        }
        if let Some((status, code, message)) = self.settings.vault_refusal {
            return Err(Refusal::new(status, code, message));
        }
        Ok(())
    }

    /// Keeps the state before a write for lists that lag behind.
    fn remember(&mut self, name: &str) {
        let (lag, now) = (self.settings.list_lag, self.now);
        if lag > chrono::TimeDelta::zero()
            && let Some(secret) = self.vault.secrets.get_mut(name)
        {
            secret.past.retain(|(until, _)| *until > now - lag);
            secret.past.push((now, secret.versions.clone()));
        }
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    match (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        true => Ok(()),
        false => Err(bad("A secret's name has at most 127 letters, digits and hyphens.")),
    }
}

fn check_tags(tags: &Tags) -> Result<(), Refusal> {
    if tags.len() > MOST_TAGS {
        return Err(bad("A secret has at most 15 tags."));
    }
    if tags.iter().any(|(key, value)| key.chars().count() > LONGEST_TAG || value.chars().count() > LONGEST_TAG) {
        return Err(bad("A tag's name and value have at most 256 characters."));
    }
    Ok(())
}

fn bad(message: &str) -> Refusal {
    Refusal::new(400, "BadParameter", message)
}

fn not_found(name: &str) -> Refusal {
    let message = format!("A secret with (name/id) {name} was not found in this key vault.");
    Refusal::new(404, "SecretNotFound", message)
}

fn whole(moment: Timestamp) -> Timestamp {
    chrono::DateTime::from_timestamp(moment.timestamp(), 0).unwrap_or(moment)
}

//! What people do by hand, well-meant or not.

use scim_rotator::domain::journal::{Label, Tags};

use crate::world::{Schedule, World};

/// One deed.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Pauses the job, if it runs.
    Pauses,
    /// Starts the job, if a person has paused it.
    EndsHisPause,
    /// Starts the job, whoever has paused it.
    Starts,
    /// Changes a setting beside the credentials.
    ChangesSetting,
    /// Pastes something as *Secret Token* into Entra.
    PastesInEntra(Pasted),
    /// Stores something in the vault, under the daemon's name.
    StoresInVault(Pasted),
    /// Rotates at HPE behind the daemon's back and tells nobody, or pastes the new token into Entra.
    RotatesElsewhere { remove_current: bool, pastes: bool },
    /// Deletes the token at HPE.
    DeletesToken,
    /// Creates one at HPE.
    CreatesToken,
    /// Points the application at another tenant URL.
    ChangesTenantUrl,
    /// Disables a version: 0 is the newest.
    Disables(usize),
    /// Disables all versions but the newest `n`.
    DisablesOlderThan(usize),
    /// Edits the tags of a version: 0 is the newest.
    Edits(usize, Edit),
    /// Deletes the secret.
    DeletesSecret,
    /// Recovers it.
    RecoversSecret,
    /// Puts everything right that people have put wrong.
    Repairs,
}

/// What is pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pasted {
    /// Something that was never a token.
    Garbage,
    /// A note, which cannot even be taken for a token.
    Prose,
    /// A token that HPE made so many tokens ago (0: the last one made).
    Made(usize),
}

/// What becomes of a version's tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The value of this tag is no longer what it was.
    Garbage(&'static str),
    /// This tag is gone.
    Removed(&'static str),
    /// `seq = u64::MAX`.
    LastSeq,
    /// The `seq` of the version before it.
    SameSeq,
    /// Every date lies in the year 262142.
    FarDates,
    /// Every date lies in 1970.
    OldDates,
    /// Written by a later version of the program.
    UnknownScheme,
    /// No tags at all.
    None,
    /// Another stage.
    Stage(&'static str),
}

impl Deed {
    /// Does it.
    pub fn carry_out(&self, world: &mut World) {
        let now = world.now();
        world.ledger.note(now, format!("a person: {self:?}"));
        let paused = world.jobs()[0].schedule == Schedule::Paused;
        let ours = world.jobs()[0].paused_by == Some(crate::world::Who::Daemon);
        match self {
            // The portal offers no pause for a job that is paused.
            Self::Pauses if !paused => world.person_pauses(),
            Self::EndsHisPause if paused && !ours => world.person_starts(),
            Self::Starts if paused => world.person_starts(),
            Self::Pauses | Self::EndsHisPause | Self::Starts => {}
            Self::ChangesSetting => world.person_sets("SkipOutOfScopeDeletions", &format!("changed at {now}")),
            Self::PastesInEntra(pasted) => {
                let value = pasted.value(world);
                world.person_saves(&value);
            }
            Self::StoresInVault(pasted) => {
                let value = pasted.value(world);
                world.person_stores(&value);
            }
            Self::RotatesElsewhere { remove_current, pastes } => {
                let value = world.person_rotates(*remove_current);
                if *pastes {
                    world.person_saves(&value);
                }
            }
            Self::DeletesToken => world.person_deletes_tokens(),
            Self::CreatesToken => drop(world.person_creates()),
            Self::ChangesTenantUrl => world.person_sets("BaseAddress", "https://elsewhere.example/scim"),
            Self::Disables(n) => newest(world, *n, |version| version.enabled = false),
            Self::DisablesOlderThan(n) => {
                if let Some(versions) = world.versions_mut() {
                    let kept = versions.len().saturating_sub(*n);
                    versions[..kept].iter_mut().for_each(|version| version.enabled = false);
                }
            }
            Self::Edits(n, edit) => {
                let before = {
                    let versions = world.versions();
                    let older = versions.len().checked_sub(n + 2).and_then(|index| versions.get(index));
                    older.and_then(|version| version.tags.get("seq").cloned())
                };
                newest(world, *n, |version| edit.apply(&mut version.tags, before));
            }
            Self::DeletesSecret => world.person_deletes_secret(),
            Self::RecoversSecret => world.person_recovers_secret(),
            Self::Repairs => repair(world),
        }
    }
}

impl Pasted {
    /// As it is by now.
    pub fn value(self, world: &World) -> String {
        match self {
            Self::Garbage => "this-was-never-a-token-0123456789".to_owned(),
            Self::Prose => "see the wiki for the token".to_owned(),
            Self::Made(ago) => {
                let made: Vec<_> = world.token_values().collect();
                made.len().checked_sub(ago + 1).map_or_else(|| "nothing-was-made".to_owned(), |n| made[n].to_owned())
            }
        }
    }
}

fn newest(world: &mut World, n: usize, change: impl FnOnce(&mut crate::world::Stored)) {
    if let Some(versions) = world.versions_mut()
        && let Some(index) = versions.len().checked_sub(n + 1)
    {
        change(&mut versions[index]);
    }
}

impl Edit {
    fn apply(self, tags: &mut Tags, seq_before: Option<String>) {
        let mut set = |key: &str, value: &str| drop(tags.insert(key.to_owned(), value.to_owned()));
        match self {
            Self::Garbage(key) => set(key, "{\"was\": edited}"),
            Self::Removed(key) => drop(tags.remove(key)),
            Self::LastSeq => set("seq", &u64::MAX.to_string()),
            Self::SameSeq => set("seq", &seq_before.unwrap_or_else(|| "0".to_owned())),
            Self::FarDates => redate(tags, "+262142-12-31T23:59:59Z"),
            Self::OldDates => redate(tags, "1970-01-01T00:00:00Z"),
            Self::UnknownScheme => set("scim-rotator", "2"),
            Self::None => tags.clear(),
            Self::Stage(stage) => set("stage", stage),
        }
    }
}

/// Replaces every date in the tags.
fn redate(tags: &mut Tags, date: &str) {
    for value in tags.values_mut() {
        if let Ok(mut record) = serde_json::from_str::<serde_json::Value>(value)
            && let Some(fields) = record.as_object_mut()
        {
            redate_fields(fields, date);
            *value = record.to_string();
        }
    }
}

fn redate_fields(fields: &mut serde_json::Map<String, serde_json::Value>, date: &str) {
    for field in fields.values_mut() {
        match field {
            serde_json::Value::String(text) if text.ends_with('Z') => date.clone_into(text),
            serde_json::Value::Object(inner) => redate_fields(inner, date),
            _ => {}
        }
    }
}

/// What a person who knows what he does makes of it all, by what the README advises: every version is readable, those
/// whose tags were edited lose our mark, the job runs, the tenant URL is ours, HPE has a token.
fn repair(world: &mut World) {
    world.person_recovers_secret();
    let url = world.settings.tenant_url.clone();
    world.person_sets("BaseAddress", &url);
    if world.jobs()[0].schedule == Schedule::Paused {
        world.person_starts();
    }
    let lives = world.token_values().any(|value| world.accepts(value));
    if !lives {
        let mut value = world.person_creates();
        if !world.accepts(&value) {
            value = world.person_creates(); // One that HPE has spoilt.
        }
        world.person_saves(&value);
        world.person_stores(&value);
    }
    for version in world.versions_mut().into_iter().flatten() {
        version.enabled = true;
        if matches!(Label::parse(&version.tags), Label::Damaged(_)) {
            version.tags.remove("scim-rotator");
        }
    }
}

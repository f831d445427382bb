//! What the journal tells of the past: a deed for each rotation, and for each version that came otherwise.
//!
//! Versions and labels are all there is: what no label keeps (who has asked, why an attempt failed) stands in the log alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::journal::{Entry, Intent, IntentEnd, Journal, Label, Labels, Proof, Stage, Version};
use super::{ExpirySource, Fingerprint, Mode, Reason, Timestamp};

/// What became of a rotation, or how else a version came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The issuer made a token, and it was stored.
    Rotated,
    /// The issuer has been asked and no token of it is stored: it is under way, or the answer was lost.
    Asked,
    /// Written down, and nobody has been asked: it is under way, or was broken off.
    Planned,
    /// The issuer certainly made no token.
    NotIssued,
    /// A token that somebody brought or stored.
    Brought,
    /// A token of ours once more, so that it is the latest version.
    StoredAgain,
    /// A token that was put aside, and works by now.
    TakenBack,
    /// Stored by somebody else, and not taken over.
    Foreign,
    /// Bears our mark, but somebody has edited the tags.
    Damaged,
}

/// Where a token stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Stored, and not with Entra for certain.
    Pending,
    /// The one that Entra holds.
    Current,
    /// It was current once.
    Previous,
    /// Never to be used again.
    Rejected,
}

/// One thing that was done, and what has been seen of it since.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deed {
    /// When: the token was issued; where none was, the intent written or the version stored.
    pub at: Timestamp,
    /// What it was.
    pub what: What,
    /// The name of the [`Reason`] for it, where a label keeps it.
    pub reason: Option<String>,
    /// The mode of a rotation.
    pub mode: Option<Mode>,
    /// The token that it is about.
    pub token: Option<Fingerprint>,
    /// Where that token stands now.
    pub standing: Option<Standing>,
    /// Whether any version that holds the token can be read; of a version without one, whether it can be.
    pub enabled: bool,
    /// Why it was put aside: the name of the [`Reason`], where a label keeps it; `no-token` or `known-already`,
    /// where the journal shows that.
    pub aside: Option<String>,
    /// When the token dies.
    pub expires: Option<Timestamp>,
    /// Who says so.
    pub expiry_source: Option<ExpirySource>,
    /// When the issuer was asked, by our clock.
    pub asked: Option<Timestamp>,
    /// When the token was issued (brought, found), by our clock.
    pub issued: Option<Timestamp>,
    /// When it was stored, by the vault's clock, in whole seconds.
    pub stored: Option<Timestamp>,
    /// When it was first given to Entra, by Graph's clock.
    pub given: Option<Timestamp>,
    /// From the asking, or else the storing, until Entra was first given it, in seconds; by two clocks, and never less than 0.
    pub took_seconds: Option<i64>,
    /// When a cycle was seen to have succeeded with it, by our clock.
    pub confirmed: Option<Timestamp>,
    /// When it was seen to work with the one before it dead, by our clock.
    pub proven: Option<Timestamp>,
    /// When the provisioning job was paused for it, by Graph's clock.
    pub paused: Option<Timestamp>,
    /// When the job ran again, by Graph's clock.
    pub resumed: Option<Timestamp>,
    /// The quarantine for which the job was started, by when it began.
    pub started_for_quarantine: Option<Timestamp>,
    /// A hold that a person had written onto it lasts until then.
    pub held_until: Option<Timestamp>,
    /// Which process wrote onto its newest version last, as host and runtime directory.
    pub written_by: Option<String>,
    /// When it did, by its clock.
    pub written_at: Option<Timestamp>,
    /// The tag that cannot be read.
    pub damaged_tag: Option<String>,
    /// The vault's ids of its versions, oldest first.
    pub versions: Vec<String>,
}

/// All deeds, newest first.
pub fn deeds(journal: &Journal) -> Vec<Deed> {
    let mut rotations: BTreeMap<&str, Vec<Entry<'_>>> = BTreeMap::new();
    for entry in journal.ours() {
        rotations.entry(&entry.labels.rotation).or_default().insert(0, entry);
    }
    let others = journal.versions().iter().filter_map(|version| match &version.label {
        Label::Ours(_) => None,
        Label::Foreign => Some(other(version, What::Foreign, None)),
        Label::Damaged(tag) => Some(other(version, What::Damaged, Some(tag.clone()))),
    });
    let ours = rotations.values().filter_map(|entries| {
        let newest = entries.last()?;
        Some(((newest.version.created, newest.labels.seq), ours(journal, entries, *newest)))
    });
    let mut all: Vec<_> = others.map(|deed| ((deed.at, 0), deed)).chain(ours).collect();
    all.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    all.into_iter().map(|(_, deed)| deed).collect()
}

fn other(version: &Version, what: What, damaged_tag: Option<String>) -> Deed {
    Deed {
        at: version.created,
        what,
        reason: None,
        mode: None,
        token: None,
        standing: None,
        enabled: version.enabled,
        aside: None,
        expires: version.expires,
        expiry_source: version.expires.map(|_| ExpirySource::Vault),
        asked: None,
        issued: None,
        stored: Some(version.created),
        given: None,
        took_seconds: None,
        confirmed: None,
        proven: None,
        paused: None,
        resumed: None,
        started_for_quarantine: None,
        held_until: None,
        written_by: None,
        written_at: None,
        damaged_tag,
        versions: vec![version.id.to_string()],
    }
}

/// The deed of one rotation: its intent, the version that came of it, or both.
fn ours(journal: &Journal, entries: &[Entry<'_>], newest: Entry<'_>) -> Deed {
    let intent = entries.iter().find_map(|e| e.labels.intent.as_ref());
    let made = Some(newest).filter(|e| e.labels.intent.is_none());
    let labels = newest.labels;
    // The value of an intent's version is the one from before it.
    let note = made.and_then(|e| e.labels.token.as_ref());
    let what = what(journal, intent, made);
    // What a copy is seen to do, the first one was given for.
    let proof = made.filter(|_| what != What::StoredAgain).map_or(Proof::default(), |e| proof(journal, e.labels));
    let rejected = labels.stage == Stage::Rejected;
    // Of one that came to nothing no label tells whether anybody was asked.
    let asked = intent.filter(|intent| intent.end == IntentEnd::Open).map(|intent| intent.at);
    let given = proof.first.or(proof.provisioned);
    let took = given.map(|given| given - asked.unwrap_or(newest.version.created));
    let pause = entries.iter().find_map(|e| e.labels.pause);
    let held = note.map(|note| note.id.clone());
    Deed {
        at: note.map(|note| note.issued).or(intent.map(|intent| intent.at)).unwrap_or(newest.version.created),
        what,
        reason: intent.map(|intent| intent.why.clone()).or_else(|| labels.why.clone().filter(|_| !rejected)),
        mode: intent.map(|intent| intent.mode),
        standing: note.map(|_| standing(journal, labels)),
        enabled: match &held {
            Some(_) => holding(journal, labels).any(|e| e.version.enabled),
            None => newest.version.enabled,
        },
        token: held,
        aside: rejected.then(|| aside(journal, newest)).flatten(),
        expires: note.and_then(|note| note.expiry).map(|expiry| expiry.at),
        expiry_source: note.and_then(|note| note.expiry).map(|expiry| expiry.source),
        asked,
        issued: note.map(|note| note.issued),
        stored: made.map(|e| e.version.created),
        given,
        took_seconds: took.map(|took| took.num_seconds().max(0)),
        confirmed: proof.confirmed,
        proven: proof.proven,
        paused: pause.and_then(|pause| pause.at),
        resumed: pause.filter(|pause| pause.at.is_some()).and_then(|pause| pause.ended),
        started_for_quarantine: made.and_then(|e| e.labels.started).map(|started| started.quarantine),
        held_until: entries.iter().rev().find_map(|e| e.labels.hold).map(|hold| hold.until),
        written_by: labels.sign.as_ref().map(|sign| sign.holder.clone()),
        written_at: labels.sign.as_ref().map(|sign| sign.at),
        damaged_tag: None,
        versions: entries.iter().map(|e| e.version.id.to_string()).collect(),
    }
}

fn what(journal: &Journal, intent: Option<&Intent>, made: Option<Entry<'_>>) -> What {
    match (intent, made) {
        (Some(_), Some(_)) => What::Rotated,
        (Some(intent), None) => match intent.end {
            IntentEnd::Planned => What::Planned,
            IntentEnd::Open => What::Asked,
            IntentEnd::NotIssued => What::NotIssued,
        },
        (None, Some(made)) => match earlier(journal, made) {
            None => What::Brought,
            Some(_) if made.labels.stage == Stage::Rejected => What::Brought,
            Some(before) if before.labels.stage == Stage::Rejected => What::TakenBack,
            Some(_) if made.labels.why.as_deref().is_none_or(is_ours_again) => What::StoredAgain,
            Some(_) => What::Brought,
        },
        (None, None) => What::Planned,
    }
}

/// The reasons for which we store a token once more that is current anyway.
fn is_ours_again(why: &str) -> bool {
    [Reason::LatestIsAnother, Reason::NewTokenRefused].iter().any(|reason| reason.name() == why)
}

/// The newest version before this one that holds the same token.
fn earlier<'a>(journal: &'a Journal, entry: Entry<'a>) -> Option<Entry<'a>> {
    holding(journal, entry.labels).find(|e| e.labels.seq < entry.labels.seq)
}

/// All versions that hold the same token, newest first.
fn holding<'a>(journal: &'a Journal, labels: &'a Labels) -> impl Iterator<Item = Entry<'a>> {
    journal.ours().filter(move |e| id(labels).is_some() && id(e.labels) == id(labels))
}

fn id(labels: &Labels) -> Option<&Fingerprint> {
    labels.token.as_ref().map(|note| &note.id)
}

/// What was seen of its token. A copy that is current carries it on, and is written onto in its place.
fn proof(journal: &Journal, labels: &Labels) -> Proof {
    // What was seen before this version came was seen of another one.
    let since = holding(journal, labels).filter(|e| e.labels.seq >= labels.seq);
    let last = since.map(|e| e.labels.proof).find(|proof| *proof != Proof::default());
    let own = labels.proof;
    last.map_or(own, |last| Proof { first: own.first.or(last.first).or(own.provisioned), ..last })
}

fn standing(journal: &Journal, labels: &Labels) -> Standing {
    let is_current = || journal.current().is_some_and(|e| id(e.labels) == id(labels));
    match labels.stage {
        Stage::Pending => Standing::Pending,
        Stage::Rejected => Standing::Rejected,
        Stage::Current | Stage::Placeholder if is_current() => Standing::Current,
        Stage::Current | Stage::Placeholder => Standing::Previous,
    }
}

/// Why a rejected version was put aside: by its label, or by what stands beside it.
fn aside(journal: &Journal, entry: Entry<'_>) -> Option<String> {
    let seen = || match &entry.labels.token {
        None => Some("no-token".to_owned()),
        Some(_) => earlier(journal, entry).map(|_| "known-already".to_owned()),
    };
    entry.labels.why.clone().or_else(seen)
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;

//! The vault as a journal: the secret's versions, in our order, and what our labels on them say (`labels`, `notes`).

mod labels;
mod notes;

use std::fmt;

use chrono::TimeDelta;

pub use self::labels::{Label, Labels, Stage, Tags};
pub use self::notes::{HoldNote, Intent, IntentEnd, PauseNote, Proof, RetryNote, Sign, StartNote, TokenNote};
use super::{Reason, Timestamp};

/// From one version to the next our order grows by one or two.
const LONGEST_LEAP: u64 = 1_000_000;

/// The vault's name of a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(pub String);

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One version of the secret, without its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// The vault's id.
    pub id: VersionId,
    /// By the vault's clock, whole seconds.
    pub created: Timestamp,
    /// A disabled version cannot be read.
    pub enabled: bool,
    /// The `exp` attribute.
    pub expires: Option<Timestamp>,
    /// What the tags say.
    pub label: Label,
}

/// One version of ours: its place in the vault and what our labels say.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The version.
    pub version: &'a Version,
    /// Its labels.
    pub labels: &'a Labels,
}

/// All versions of the secret, in our order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journal {
    /// Oldest first: by `seq` among ours.
    versions: Vec<Version>,
}

impl Journal {
    /// Sorts what the vault listed, in whatever order it did.
    pub fn new(mut versions: Vec<Version>) -> Self {
        damage_leaps(&mut versions);
        versions.sort_by(|a, b| {
            let seq = |v: &Version| match &v.label {
                Label::Ours(labels) => labels.seq,
                _ => 0,
            };
            (seq(a), a.created, &a.id).cmp(&(seq(b), b.created, &b.id))
        });
        Self { versions }
    }

    /// Every version, in our order.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// Our versions, newest first.
    pub fn ours(&self) -> impl Iterator<Item = Entry<'_>> {
        self.versions.iter().rev().filter_map(|version| match &version.label {
            Label::Ours(labels) => Some(Entry { version, labels }),
            _ => None,
        })
    }

    /// The version that speaks for the connection: the newest current one, or the placeholder before there is any.
    pub fn current(&self) -> Option<Entry<'_>> {
        self.ours().find(|e| matches!(e.labels.stage, Stage::Current | Stage::Placeholder))
    }

    /// The newest pending version.
    pub fn pending(&self) -> Option<Entry<'_>> {
        self.ours().find(|e| e.labels.stage == Stage::Pending)
    }

    /// A pending version that somebody has written past, or that shares its place.
    pub fn superseded(&self) -> Option<Entry<'_>> {
        let beaten = |e: &Entry<'_>| self.is_overtaken(&e.labels.rotation, e.labels.seq);
        self.ours().find(|e| e.labels.stage == Stage::Pending && beaten(e))
    }

    /// The newest intent of which nobody knows whether the issuer answered it. One that came to nothing says nothing of an
    /// older one; a version that was stored for a token, or for the last good value, has settled all before it.
    pub fn open_intent(&self) -> Option<(Entry<'_>, &Intent)> {
        let speaks = |e: &Entry<'_>| e.labels.stage != Stage::Rejected;
        for entry in self.ours().filter(speaks) {
            let intent = entry.labels.intent.as_ref()?;
            if intent.end == IntentEnd::Open {
                return Some((entry, intent));
            }
        }
        None
    }

    /// The newest intent of which it is not known that it came to nothing, whether or not anybody has been asked.
    pub fn newest_intent(&self) -> Option<(Entry<'_>, &Intent)> {
        let entry = self.current()?;
        Some((entry, entry.labels.intent.as_ref().filter(|intent| intent.end != IntentEnd::NotIssued)?))
    }

    /// Pauses whose end no version tells, newest first: planned ones, and held ones. One that we ended has ended all that
    /// were made before it; one that turned out to be a person's says nothing of them.
    fn unended_pauses(&self) -> impl Iterator<Item = (Entry<'_>, PauseNote)> {
        let made = self.ours().filter_map(|e| e.labels.pause).filter(|pause| pause.at.is_some());
        let ended = made.filter_map(|pause| pause.ended).max();
        let unended = move |pause: &PauseNote| {
            pause.ended.is_none() && ended.is_none_or(|end| pause.at.unwrap_or(pause.planned) > end)
        };
        self.ours().filter_map(move |entry| Some((entry, entry.labels.pause.filter(unended)?)))
    }

    /// The newest version that tells of a pause and not of its end.
    pub fn unended_pause(&self) -> Option<(Entry<'_>, PauseNote)> {
        self.unended_pauses().next()
    }

    /// The newest version that tells of a pause that is certainly ours, and not of its end.
    pub fn held_pause(&self) -> Option<(Entry<'_>, PauseNote)> {
        self.unended_pauses().find(|(_, pause)| pause.is_held())
    }

    /// The newest version that tells of a pause that was planned, and not whether it was made; none where a pause that is
    /// certainly ours explains that the job is paused.
    pub fn unrecorded_pause(&self) -> Option<(Entry<'_>, PauseNote)> {
        self.unended_pause().filter(|_| self.held_pause().is_none())
    }

    /// Whether a version may have told of a pause and does not any more, since somebody has edited its tags: they cannot be
    /// read, or are gone although older ones of ours stand. Answers with when the newest of all versions was stored: a pause
    /// that an edited one told of was made soon after it, and before anything followed it.
    pub fn may_hide_a_pause(&self) -> Option<Timestamp> {
        let whole = |v: &&Version| matches!(v.label, Label::Ours(_));
        let oldest = self.versions.iter().filter(whole).map(|v| v.created).min()?;
        let edited = |v: &Version| match v.label {
            Label::Damaged(_) => true,
            Label::Foreign => v.created > oldest,
            Label::Ours(_) => false,
        };
        let any = self.versions.iter().any(edited);
        any.then(|| self.versions.iter().map(|v| v.created).max()).flatten()
    }

    /// Until when a person has put rotations by policy off: the last word on it, which may lie in the past.
    pub fn hold(&self) -> Option<Timestamp> {
        self.ours().find_map(|entry| Some(entry.labels.hold?.until))
    }

    /// The token before the current one: another value, once current.
    pub fn previous(&self) -> Option<Entry<'_>> {
        let current = self.current()?;
        let id = &current.labels.token.as_ref()?.id;
        self.ours().find(|e| {
            e.labels.stage == Stage::Current
                && e.labels.seq < current.labels.seq
                && e.labels.token.as_ref().is_some_and(|token| token.id != *id)
        })
    }

    /// How many times the issuer may have made a token within `period` before `now`: every intent not known to have failed
    /// counts. One that lies further ahead than that was written by a clock that has been set right since.
    pub fn issues_within(&self, period: TimeDelta, now: Timestamp) -> Vec<Timestamp> {
        let mut seen: Vec<_> = self
            .ours()
            .filter_map(|e| e.labels.intent.as_ref())
            .filter(|intent| intent.end == IntentEnd::Open)
            .map(|intent| intent.at)
            // What an edited version has told of nobody knows.
            .chain(self.versions.iter().filter(|v| matches!(v.label, Label::Damaged(_))).map(|v| v.created))
            .filter(|at| *at > now - period && *at < now + period)
            .collect();
        seen.sort();
        seen
    }

    /// Whether another list tells of the same versions in the same state. A version that was just stored is dated by its vault
    /// once that lists it.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let has = |v: &Version, o: &Version| (&o.id, o.enabled, &o.label) == (&v.id, v.enabled, &v.label);
        self.versions.len() == other.versions.len()
            && self.versions.iter().all(|v| other.versions.iter().any(|o| has(v, o)))
    }

    /// Whether a proven token was replaced because it was refused, within `period` before `now`.
    pub fn lost_a_good_token(&self, period: TimeDelta, now: Timestamp) -> bool {
        self.ours().any(|e| {
            let intent = e.labels.intent.as_ref();
            e.labels.proof.proven.is_some()
                && intent.is_some_and(|i| {
                    i.end == IntentEnd::Open && i.why == Reason::TokenRefused.name() && i.at > now - period
                })
        })
    }

    /// Rejected versions that may merely not have worked yet, or were never tried, newest first: each with a token of its own,
    /// issued after the current one, that lives.
    pub fn rejected(&self, now: Timestamp) -> impl Iterator<Item = Entry<'_>> {
        let current = self.current().and_then(|e| e.labels.token.as_ref());
        self.ours().filter(move |e| {
            let Some(token) = e.labels.token.as_ref().filter(|_| e.labels.stage == Stage::Rejected) else {
                return false;
            };
            let elsewhere = |e: Entry<'_>| {
                e.labels.stage != Stage::Rejected && e.labels.token.as_ref().is_some_and(|other| other.id == token.id)
            };
            let younger = current.is_none_or(|current| token.issued > current.issued);
            e.version.enabled && younger && !token.is_over(now) && !self.ours().any(elsewhere)
        })
    }

    /// The sign of who has the first say: whoever signed the newest version of ours.
    pub fn keeper(&self) -> Option<&Sign> {
        self.ours().next().and_then(|e| e.labels.sign.as_ref())
    }

    /// Whether another than `holder` has the first say.
    pub fn is_kept_by_another(&self, holder: &str) -> bool {
        self.keeper().is_some_and(|sign| sign.holder != holder)
    }

    /// The signs that anybody but `holder` has given.
    pub fn signs_of_others(&self, holder: &str) -> impl Iterator<Item = &Sign> {
        self.ours().filter_map(|e| e.labels.sign.as_ref()).filter(move |sign| sign.holder != holder)
    }

    /// When the last of them was given, until `latest`: a later one was given by a clock that was wrong.
    pub fn sign_of_another(&self, holder: &str, latest: Timestamp) -> Option<Timestamp> {
        self.signs_of_others(holder).map(|sign| sign.at).filter(|at| *at <= latest).max()
    }

    /// Whether any version tells of this very pause, be it over.
    pub fn tells_of(&self, pause: &PauseNote) -> bool {
        self.ours().filter_map(|e| e.labels.pause).any(|told| told.at == pause.at)
    }

    /// The next free place in our order.
    pub fn next_seq(&self) -> u64 {
        self.ours().map(|e| e.labels.seq).max().unwrap_or(0) + 1
    }

    /// The version that a reader of "latest" gets: the one created last; within one second, the last in our order.
    pub fn latest(&self) -> Option<&Version> {
        self.versions.iter().max_by_key(|v| v.created)
    }

    /// A version stored by somebody else after everything of ours, if it is the latest.
    pub fn newest_foreign(&self) -> Option<&Version> {
        self.latest().filter(|v| v.label == Label::Foreign && v.enabled)
    }

    /// The newest version whose labels somebody has damaged, and the tag, unless a newer whole one of ours follows it.
    pub fn damaged(&self) -> Option<(&Version, &str)> {
        let newest_ours = self.ours().map(|e| e.version.created).max();
        self.versions.iter().rev().find_map(|v| match &v.label {
            Label::Damaged(tag) if newest_ours.is_none_or(|ours| v.created >= ours) => Some((v, tag.as_str())),
            _ => None,
        })
    }

    /// Whether the vault shows a version of this rotation at this stage or past it: looked for before a store is repeated.
    pub fn find(&self, rotation: &str, seq: u64) -> Option<Entry<'_>> {
        self.ours().find(|e| e.labels.rotation == rotation && e.labels.seq == seq)
    }

    /// Whether somebody else has written past the place that `rotation` took: a higher one, or the same one no later. Of
    /// two that take one place the earlier goes on; where the vault's whole seconds cannot tell, neither does.
    pub fn is_overtaken(&self, rotation: &str, seq: u64) -> bool {
        let own = self.find(rotation, seq).map(|e| e.version.created);
        self.ours().any(|e| {
            let same = e.labels.seq == seq && e.labels.rotation != rotation;
            e.labels.seq > seq || (same && own.is_none_or(|own| e.version.created <= own))
        })
    }

    /// The intent that a rotation wrote, whatever has become of it.
    pub fn intent_of(&self, rotation: &str) -> Option<&Intent> {
        self.ours().find_map(|e| e.labels.intent.as_ref().filter(|_| e.labels.rotation == rotation))
    }
}

/// No honest version is so far ahead of all before it: its `seq` was edited, and nothing could follow it for long.
fn damage_leaps(versions: &mut [Version]) {
    versions.sort_by_key(|v| v.created);
    let mut highest = 0;
    for version in versions {
        if let Label::Ours(labels) = &version.label {
            match labels.seq.saturating_sub(highest) > LONGEST_LEAP {
                true => version.label = Label::Damaged("seq".to_owned()),
                false => highest = highest.max(labels.seq),
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! The vault as a journal: the secret's versions, and what our labels on them say.
//!
//! Labels are written as tags. Twelve of Key Vault's fifteen are used, each at most 256 characters; records of several
//! fields are small JSON objects, so that a person can read them in the portal. A label is never removed, only
//! overwritten: whether a tag write merges or replaces must not matter.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use chrono::{Datelike as _, TimeDelta};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Execution, Expiry, Fingerprint, Mode, Reason, Timestamp, Token};

/// The tags of one version, as the vault keeps them.
pub type Tags = BTreeMap<String, String>;

/// The tag that says a version is ours; its value is the version of this scheme.
const OURS: &str = "scim-rotator";
const SCHEME: &str = "1";
/// What Key Vault takes as a tag's value, in characters.
const MAX_TAG: usize = 256;
/// A place in our order that no honest journal reaches; beyond it, somebody has edited the tag.
const MAX_SEQ: u64 = 1_000_000_000_000;
/// What happens so close together may have happened in either order, as far as dates tell.
const SAME_TIME: TimeDelta = TimeDelta::minutes(1);
/// Moments outside of these years are nobody's honest entry, and reckoning with them would overflow.
const YEARS: RangeInclusive<i32> = 2000..=2200;

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

/// What a version's tags make of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// Written by us.
    Ours(Box<Labels>),
    /// No label of ours: somebody else stored it.
    Foreign,
    /// Bears our mark, but a label cannot be read (the tag's name): somebody has edited it.
    Damaged(String),
}

impl Label {
    /// Reads the tags of a version.
    pub fn parse(tags: &Tags) -> Self {
        match tags.get(OURS) {
            None => Self::Foreign,
            Some(scheme) if scheme != SCHEME => Self::Damaged(OURS.to_owned()),
            Some(_) => Labels::parse(tags).map_or_else(Self::Damaged, |labels| Self::Ours(Box::new(labels))),
        }
    }
}

/// Where a version stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Issued and stored; Entra does not hold it for certain.
    Pending,
    /// Entra holds it, or held it until a newer one became current.
    Current,
    /// Refused, superseded or dead: never to be used again.
    Rejected,
    /// Carries an intent where there is no token of ours yet.
    Placeholder,
}

/// Everything that we write onto a version.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// Where the version stands.
    pub stage: Stage,
    /// Our own order of versions: the highest wins.
    pub seq: u64,
    /// What is known of the token in it; none on a placeholder, or on a rejected version that holds no token.
    pub token: Option<TokenNote>,
    /// The rotation that made this version.
    pub rotation: String,
    /// The write-ahead record of a rotation that starts from this version.
    pub intent: Option<Intent>,
    /// The job's pause during that rotation.
    pub pause: Option<PauseNote>,
    /// How often in a row it has failed, and when the next try may be made.
    pub retry: Option<RetryNote>,
    /// What has been seen of this token at Entra.
    pub proof: Proof,
    /// For which quarantine `start` has been called.
    pub started: Option<StartNote>,
    /// Until when a person wants no rotation by policy.
    pub hold: Option<HoldNote>,
    /// Who wrote this last, and when. Every write signs.
    pub sign: Option<Sign>,
}

/// What is known of a stored token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenNote {
    /// Its fingerprint.
    pub id: Fingerprint,
    /// When it was issued, by our clock.
    pub issued: Timestamp,
    /// When it dies, if anything says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
}

impl TokenNote {
    /// The note for a token issued at `issued`.
    pub fn new(token: &Token, issued: Timestamp, expiry: Option<Expiry>) -> Self {
        Self { id: token.fingerprint(), issued, expiry }
    }

    /// Whether its life is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expiry.is_some_and(|expiry| expiry.at <= now)
    }
}

/// The write-ahead record: written before the issuer is asked for a new token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// When, by our clock.
    pub at: Timestamp,
    /// The mode of this rotation, whatever the configuration says later.
    pub mode: Mode,
    /// Whether the job will be paused around the cutover.
    pub will_pause: bool,
    /// The name of the [`Reason`] for it.
    #[serde(default)]
    pub why: String,
    /// How it ended, where that is known and no newer version tells.
    #[serde(default)]
    pub end: IntentEnd,
}

/// What became of an intent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntentEnd {
    /// Nobody has been asked yet: whatever happened, no token was made for it.
    Planned,
    /// The issuer was about to be asked: the answer may be lost.
    #[default]
    Open,
    /// The issuer certainly made no token.
    NotIssued,
}

/// The job's pause, written ahead of it. All by Graph's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseNote {
    /// When it was about to be paused.
    pub planned: Timestamp,
    /// When it was paused by us, for certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// When it ran again, or turned out not to be paused by us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

impl PauseNote {
    /// About to be paused.
    pub const fn planned(planned: Timestamp) -> Self {
        Self { planned, at: None, ended: None }
    }

    /// Paused by us, and no end recorded.
    pub const fn is_held(&self) -> bool {
        self.at.is_some() && self.ended.is_none()
    }

    /// Whether a cycle has begun under it, so that somebody must have started the job: if it is paused now, then by him. A
    /// cycle that began within a minute of the pause may have come just before it, and of a pause whose moment was only
    /// guessed (from when it was planned) nothing can be said.
    pub fn is_overrun(&self, last: Option<&Execution>) -> bool {
        let made = self.at.filter(|at| *at != self.planned);
        made.is_some_and(|at| last.is_some_and(|last| last.began > at + SAME_TIME))
    }

    /// Whether the job was paused after it was planned, nobody could write down.
    pub const fn is_open(&self) -> bool {
        self.at.is_none() && self.ended.is_none()
    }
}

/// The backoff, kept where a restart cannot lose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryNote {
    /// Failed attempts in a row.
    pub attempts: u32,
    /// Not to be tried before this moment.
    pub not_before: Timestamp,
}

/// A `start` given to end a quarantine: once per quarantine, recorded first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartNote {
    /// The `currentBegan` of the quarantine.
    pub quarantine: Timestamp,
    /// It was certainly not carried out, so it may be given again.
    #[serde(default)]
    pub failed: bool,
}

/// A person's wish that policy rotates nothing before a moment. The newest version that tells of one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldNote {
    /// When it ends by itself. To end it earlier, it is written again with that moment.
    pub until: Timestamp,
}

/// The last sign of life of a holder. Whoever has signed the newest version has the first say; see `decide::rivals`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// Which process, where: the same after a restart on the same host.
    pub holder: String,
    /// When, by its clock.
    pub at: Timestamp,
}

/// What has been seen of a token at Entra, each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The (last) PUT, by Graph's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<Timestamp>,
    /// The second PUT, made once while the first could not be proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Timestamp>,
    /// A cycle that began after the PUT had succeeded by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
    /// The saved check passed when the previous token was known dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<Timestamp>,
}

impl Proof {
    fn is_honest(&self) -> bool {
        [self.provisioned, self.again, self.confirmed, self.proven].into_iter().flatten().all(is_honest)
    }
}

impl Labels {
    /// The tags to write. Every tag that this version has ever borne is among them.
    pub fn to_tags(&self) -> Tags {
        let mut tags = Tags::from([
            (OURS.to_owned(), SCHEME.to_owned()),
            ("stage".to_owned(), text(&self.stage)),
            ("seq".to_owned(), self.seq.to_string()),
            ("rotation".to_owned(), self.rotation.clone()),
        ]);
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                debug_assert!(value.len() <= MAX_TAG, "{key} has {} characters", value.len());
                tags.insert(key.to_owned(), value);
            }
        };
        put("token", self.token.as_ref().map(json));
        put("intent", self.intent.as_ref().map(json));
        put("pause", self.pause.as_ref().map(json));
        put("retry", self.retry.as_ref().map(json));
        put("proof", (self.proof != Proof::default()).then(|| json(&self.proof)));
        put("started", self.started.as_ref().map(json));
        put("hold", self.hold.as_ref().map(json));
        put("sign", self.sign.as_ref().map(json));
        tags
    }

    /// The moments that anything irreversible rests on, with their tags.
    fn moments(&self) -> Vec<(&'static str, Timestamp)> {
        let token = self.token.iter().flat_map(|t| [Some(t.issued), t.expiry.map(|e| e.at)]).map(|at| ("token", at));
        let intent = self.intent.iter().map(|intent| ("intent", Some(intent.at)));
        let pause = self.pause.iter().flat_map(|p| [Some(p.planned), p.at, p.ended]).map(|at| ("pause", at));
        token.chain(intent).chain(pause).filter_map(|(tag, at)| Some((tag, at?))).collect()
    }

    /// Reads the tags; the error names the tag that cannot be read.
    fn parse(tags: &Tags) -> Result<Self, String> {
        fn bad<E>(key: &str) -> impl FnOnce(E) -> String {
            move |_| key.to_owned()
        }
        fn record<T: DeserializeOwned>(tags: &Tags, key: &str) -> Result<Option<T>, String> {
            tags.get(key).map(|value| serde_json::from_str(value)).transpose().map_err(bad(key))
        }
        // Nothing that cannot be undone rests on these: garbage counts as nothing, and is written over in time.
        fn lenient<T: DeserializeOwned>(tags: &Tags, key: &str) -> Option<T> {
            record(tags, key).ok().flatten()
        }
        let intent: Option<Intent> = record(tags, "intent")?;
        // Whoever has taken the tag of a pause away has not taken the pause away.
        let planned = intent.as_ref().filter(|intent| intent.will_pause).map(|intent| PauseNote::planned(intent.at));
        let need = |key: &str| tags.get(key).ok_or_else(|| key.to_owned());
        let stage = serde_json::from_value(need("stage")?.as_str().into()).map_err(bad("stage"))?;
        let labels = Self {
            stage,
            seq: need("seq")?.parse().map_err(bad("seq"))?,
            token: record(tags, "token")?,
            rotation: need("rotation")?.clone(),
            pause: record(tags, "pause")?.or(planned),
            intent,
            retry: lenient(tags, "retry").filter(|retry: &RetryNote| is_honest(retry.not_before)),
            proof: lenient(tags, "proof").filter(Proof::is_honest).unwrap_or_default(),
            started: lenient(tags, "started"),
            hold: lenient(tags, "hold").filter(|hold: &HoldNote| is_honest(hold.until)),
            sign: lenient(tags, "sign").filter(|sign: &Sign| is_honest(sign.at)),
        };
        if labels.seq > MAX_SEQ {
            return Err("seq".to_owned());
        }
        if let Some((tag, _)) = labels.moments().into_iter().find(|(_, at)| !is_honest(*at)) {
            return Err(tag.to_owned());
        }
        if labels.token.is_none() && !matches!(labels.stage, Stage::Placeholder | Stage::Rejected) {
            return Err("token".to_owned());
        }
        Ok(labels)
    }
}

/// Whether somebody can honestly have meant this moment.
fn is_honest(at: Timestamp) -> bool {
    YEARS.contains(&at.year())
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn text(stage: &Stage) -> String {
    json(stage).trim_matches('"').to_owned()
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
            .filter(|intent| intent.end == IntentEnd::Open && intent.at > now - period && intent.at < now + period)
            .map(|intent| intent.at)
            .collect();
        seen.sort();
        seen
    }

    /// Whether a proven token was replaced because it was refused, within `period` before `now`.
    pub fn lost_a_good_token(&self, period: TimeDelta, now: Timestamp) -> bool {
        self.ours().any(|e| {
            let intent = e.labels.intent.as_ref();
            e.labels.proof.proven.is_some()
                && intent.is_some_and(|i| i.why == Reason::TokenRefused.name() && i.at > now - period)
        })
    }

    /// The newest rejected version that may merely not have worked yet: with a token of its own, issued after the current
    /// one, that lives.
    pub fn newest_rejected(&self, now: Timestamp) -> Option<Entry<'_>> {
        let current = self.current()?.labels.token.as_ref()?;
        let newest = self.ours().find(|e| e.labels.stage == Stage::Rejected && e.labels.token.is_some())?;
        let token = newest.labels.token.as_ref()?;
        let elsewhere = |e: &Entry<'_>| {
            e.labels.stage != Stage::Rejected && e.labels.token.as_ref().is_some_and(|other| other.id == token.id)
        };
        let fit = newest.version.enabled && token.issued > current.issued && !token.is_over(now);
        (fit && !self.ours().any(|e| elsewhere(&e))).then_some(newest)
    }

    /// Whether another than `holder` has the first say: whoever signed the newest version of ours.
    pub fn is_kept_by_another(&self, holder: &str) -> bool {
        let newest = self.ours().next().and_then(|e| e.labels.sign.as_ref());
        newest.is_some_and(|sign| sign.holder != holder)
    }

    /// The last sign that anybody but `holder` has given, until `latest`: a later one was given by a clock that was wrong.
    pub fn sign_of_another(&self, holder: &str, latest: Timestamp) -> Option<Timestamp> {
        let signs = self.ours().filter_map(|e| e.labels.sign.as_ref());
        signs.filter(|sign| sign.holder != holder && sign.at <= latest).map(|sign| sign.at).max()
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

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;

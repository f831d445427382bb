//! The records among the labels, one a tag.

use std::ops::RangeInclusive;

use chrono::{Datelike as _, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::domain::{Execution, Expiry, Fingerprint, Mode, Timestamp, Token};

/// What happens so close together may have happened in either order, as far as dates tell.
const SAME_TIME: TimeDelta = TimeDelta::minutes(1);
/// Moments outside of these years are nobody's honest entry, and reckoning with them would overflow.
const YEARS: RangeInclusive<i32> = 2000..=2200;

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

    /// How long it lives in all, where its end is known.
    pub fn life(&self) -> Option<TimeDelta> {
        self.expiry.map(|expiry| expiry.at - self.issued)
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
    /// The name of the [`Reason`](crate::domain::Reason) for it.
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
    /// The same where a working token is missing, if that is earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_need: Option<Timestamp>,
}

impl RetryNote {
    /// When a missing token may be asked for again.
    pub fn in_need(&self) -> Timestamp {
        self.in_need.map_or(self.not_before, |moment| moment.min(self.not_before))
    }
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
    /// The first PUT, by Graph's clock, where `provisioned` is a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
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
    pub(super) fn is_honest(&self) -> bool {
        [self.first, self.provisioned, self.again, self.confirmed, self.proven].into_iter().flatten().all(is_honest)
    }
}

/// Whether somebody can honestly have meant this moment.
pub(super) fn is_honest(at: Timestamp) -> bool {
    YEARS.contains(&at.year())
}

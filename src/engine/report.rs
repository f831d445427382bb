//! What a connection looks like from outside: for `status`, `check`, the service manager and the logs.

mod make;
mod warnings;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Spec;
use super::progress::LastAction;
use crate::domain::history::What;
use crate::domain::journal::TokenNote;
use crate::domain::{ExecutionState, Expiry, ExpirySource, Fingerprint, JobState, Reason, Timestamp};
use crate::ports::Class;

/// One connection, as last seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The connection.
    pub connection: String,
    /// When this was seen, by this host's clock; none where nothing was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// How it stands.
    pub standing: Standing,
    /// Its token.
    pub token: Option<TokenReport>,
    /// Its provisioning job.
    pub job: Option<JobReport>,
    /// The last thing that was done, by this process or by the one that wrote the journal.
    pub last_action: Option<LastAction>,
    /// What came of a person's order, in the report that answers it; none when it was not taken up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obeyed: Option<LastAction>,
    /// The last few tokens, newest first: rotated, brought, or under way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Recent>,
    /// A person has put rotations by policy off until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// What deserves a look although nothing has failed.
    pub warnings: Vec<String>,
}

/// What was decided, or why nothing could be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// Which of the exit codes of `check` this is.
    pub kind: Kind,
    /// `wait`, `rotate`, `needs-human`, …
    pub action: Cow<'static, str>,
    /// The stable reason.
    pub reason: Reason,
    /// When something is to happen next.
    pub next: Option<Timestamp>,
    /// What failed, with its causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a person can do about it, ready to be typed where it is a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The kinds of standing that scripts tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing to do now.
    Idle,
    /// A rotation, or some other act, is due.
    Due,
    /// Something was begun and is not finished.
    Unfinished,
    /// A person has to act.
    NeedsHuman,
    /// It could not be seen.
    Unknown,
}

impl Kind {
    /// As scripts and metrics name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Due => "due",
            Self::Unfinished => "unfinished",
            Self::NeedsHuman => "needs-human",
            Self::Unknown => "unknown",
        }
    }
}

/// The current token, without its value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenReport {
    /// Its fingerprint.
    pub id: Fingerprint,
    /// `current`, `pending`, `confirmed`, `proven`, …: how far it has come.
    pub stage: Cow<'static, str>,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it dies.
    pub expires: Option<Timestamp>,
    /// Who says so.
    pub expiry_source: Option<ExpirySource>,
    /// When the rotation is wanted, before windows, jitter and deadline have their say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Timestamp>,
    /// The window that it falls into: open from then until just before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<(Timestamp, Timestamp)>,
    /// When it is to be rotated.
    pub due: Option<Timestamp>,
    /// Why then: `NearingExpiry`, `MaxAgeReached` or `LastSafeMoment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_reason: Option<Reason>,
    /// The end of the token before it, which may live until then beside it: in overlap, where that end is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_expires: Option<Timestamp>,
    /// Expiry minus `min_slack`.
    pub last_safe_moment: Option<Timestamp>,
    /// The time left until then; negative once it has passed.
    pub slack_seconds: Option<i64>,
    /// When it was given to Entra.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<Timestamp>,
    /// No cycle has succeeded with it although one should have by now: since when, by `confirm_within`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed_since: Option<Timestamp>,
    /// When a cycle had succeeded with it.
    pub confirmed: Option<Timestamp>,
    /// When it had been proven.
    pub proven: Option<Timestamp>,
}

/// How a token came, as the vault's versions and tags tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    /// When it was issued, asked for or brought.
    pub at: Timestamp,
    /// Which of these.
    pub what: What,
    /// The name of the [`Reason`] for it, where a tag keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// From the asking until Entra was given it, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_seconds: Option<i64>,
}

/// The provisioning job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobReport {
    /// Its id.
    pub id: String,
    /// `Active`, `Paused`, `Quarantine`, …
    pub state: JobState,
    /// The quarantine that it is in.
    pub quarantine: Option<QuarantineReport>,
    /// How the last cycle ended.
    pub last_cycle: Option<ExecutionState>,
    /// When the last cycle ended.
    pub last_cycle_ended: Option<Timestamp>,
    /// When the last one ended that has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_ended: Option<Timestamp>,
}

/// A quarantine, and what Entra will do about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuarantineReport {
    /// Entra's word for why: `EncounteredQuarantineException` stands for credentials.
    pub reason: String,
    /// Since when.
    pub began: Option<Timestamp>,
    /// When Entra tries again by itself.
    pub next_attempt: Option<Timestamp>,
    /// When Entra gives the job up for good: 28 days after it began.
    pub disabled_at: Option<Timestamp>,
}

impl Standing {
    /// The decision as a sentence.
    pub fn sentence(&self) -> String {
        let next = self.next.map(|at| format!(" (next: {})", at.format("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default();
        let verb = match &*self.action {
            "wait" => "waiting",
            "needs-human" => "a person has to act",
            "rotate" => "rotating",
            "resume" => "resuming a rotation",
            "adopt" => "adopting a token",
            "restate" => "storing the current token again",
            "reinstate" => "taking a rejected token back",
            "provision" => "giving the current token to Entra again",
            "start" => "starting the provisioning job",
            "retire" => "retiring old versions",
            "note" => "recording what was seen",
            _ => "the look failed",
        };
        format!("{verb}: {}{next}", self.reason.sentence())
    }
}

impl TokenReport {
    /// What the journal says of it.
    pub fn note(&self) -> TokenNote {
        let expiry = self.expires.zip(self.expiry_source).map(|(at, source)| Expiry { at, source });
        TokenNote { id: self.id.clone(), issued: self.issued, expiry }
    }

    /// From when on its slack is low: two thirds of the time from when it is due to its last safe moment are over.
    pub fn slack_low(&self) -> Option<Timestamp> {
        let (due, safe) = (self.due?, self.last_safe_moment?);
        Some(safe - (safe - due).max(chrono::TimeDelta::zero()) / 3)
    }
}

impl Report {
    /// The same, as it is at another moment if nothing has happened in between.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if let Some(token) = &mut self.token {
            token.slack_seconds = token.last_safe_moment.map(|safe| (safe - now).num_seconds());
        }
        self
    }

    /// How it stands, in a line.
    pub fn line(&self) -> String {
        let Standing { reason, error, remedy, .. } = &self.standing;
        let error = error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        let remedy = remedy.as_deref().map(|remedy| format!("; to do: {remedy}")).unwrap_or_default();
        let is_all = error.is_empty() && remedy.is_empty();
        let more = if is_all { String::new() } else { format!("; more: scim-rotator explain {reason}") };
        format!("{}: {} [{reason}]{error}{remedy}{more}", self.connection, self.standing.sentence())
    }

    /// A connection that is not tended, because its configuration cannot be used; `problems` says why.
    pub fn refused(name: &str, problems: String) -> Self {
        let (kind, reason) = (Kind::NeedsHuman, Reason::ConfigRefused);
        let remedy = reason.remedy_for(name);
        let standing =
            Standing { kind, action: "needs-human".into(), reason, next: None, error: Some(problems), remedy };
        Self { standing, ..Self::nothing(name) }
    }

    /// A connection whose loop has ended by a fault in the program, and is begun anew.
    pub(super) fn broken(name: &str, error: &str, now: Option<Timestamp>) -> Self {
        let mut report = Self::nothing(name);
        report.seen_at = now;
        report.standing.reason = Reason::StepFailed;
        report.standing.error = Some(error.to_owned());
        report
    }

    /// A connection of which nothing is known yet.
    pub(super) fn unseen(spec: &Spec) -> Self {
        Self::nothing(&spec.name)
    }

    fn nothing(name: &str) -> Self {
        Self {
            connection: name.to_owned(),
            seen_at: None,
            standing: Standing {
                kind: Kind::Unknown,
                action: "look".into(),
                reason: Reason::CannotObserve,
                next: None,
                error: None,
                remedy: None,
            },
            token: None,
            job: None,
            last_action: None,
            recent: Vec::new(),
            obeyed: None,
            held_until: None,
            warnings: Vec::new(),
        }
    }

    /// Turns it into the report of a failure, keeping what was seen before it.
    pub(super) fn fail(
        &mut self,
        class: Class,
        reason: Reason,
        error: String,
        next: Option<Timestamp>,
        last: Option<LastAction>,
    ) {
        let kind = if class == Class::Human { Kind::NeedsHuman } else { Kind::Unknown };
        let remedy = reason.remedy_for(&self.connection).filter(|_| class == Class::Human);
        let action = std::mem::take(&mut self.standing.action);
        self.standing = Standing { kind, action, reason, next, error: Some(error), remedy };
        self.last_action = last;
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;

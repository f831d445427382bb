//! What a connection looks like from outside: for `status`, `check`, the service manager and the logs.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Spec;
use super::observe::Observed;
use super::progress::{LastAction, Progress};
use crate::domain::history::{Deed, What, deeds};
use crate::domain::journal::{Entry, Proof, Stage, TokenNote};
use crate::domain::{Decision, ExecutionState, Expiry, ExpirySource, Fingerprint, JobState, Mode, Reason, Timestamp};
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
    pub last_cycle: Option<crate::domain::ExecutionState>,
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
    pub(super) fn broken(name: &str, error: &str, now: Timestamp) -> Self {
        let mut report = Self::nothing(name);
        report.seen_at = Some(now);
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

    pub(super) fn new(spec: &Spec, seen: &Observed, decision: &Decision, progress: &Progress, now: Timestamp) -> Self {
        let kind = match decision {
            Decision::Wait { reason: Reason::NoVerdict | Reason::QuarantineStands, .. } => Kind::Unknown,
            Decision::Wait { reason: Reason::Queued, .. } => Kind::Due,
            // What was begun by a process before this one may not show yet.
            Decision::Wait { reason: Reason::JustBegun, .. } => Kind::Unfinished,
            Decision::Wait { .. } if seen.is_unfinished() => Kind::Unfinished,
            Decision::StandBy { .. } => Kind::Unfinished,
            Decision::Wait { .. } | Decision::Ask(_) => Kind::Idle,
            Decision::Note {
                reason: Reason::PauseToRecord | Reason::PendingSuperseded | Reason::PendingUnreadable,
                ..
            } => Kind::Unfinished,
            Decision::Note { reason: Reason::Confirmed | Reason::Proven, .. } => Kind::Idle,
            Decision::Note { .. } => Kind::Due,
            Decision::Rotate(plan) if plan.reason == Reason::AnswerLost => Kind::Unfinished,
            Decision::Rotate(_)
            | Decision::Adopt { .. }
            | Decision::Reinstate { .. }
            | Decision::Restate { .. }
            | Decision::Retire(_) => Kind::Due,
            Decision::Resume { .. } | Decision::Start { .. } | Decision::Provision { .. } => Kind::Unfinished,
            Decision::NeedsHuman { .. } => Kind::NeedsHuman,
        };
        let next = match decision {
            Decision::Wait { until, .. } | Decision::StandBy { until, .. } | Decision::NeedsHuman { until, .. } => {
                Some(*until)
            }
            _ => None,
        };
        let reason = decision.reason().unwrap_or(Reason::NotDue);
        let mut report = Self {
            standing: Standing {
                kind,
                action: decision.name().into(),
                reason,
                next,
                error: None,
                remedy: reason.remedy_for(&spec.name),
            },
            token: token_report(spec, seen, now),
            job: Some(job_report(seen)),
            last_action: progress.last().or_else(|| last_from_journal(seen)),
            recent: recent(seen),
            held_until: seen.journal.hold().filter(|until| *until > now),
            ..Self::unseen(spec)
        };
        report.warnings = warnings(spec, seen, (reason, report.held_until), now);
        report
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

fn token_report(spec: &Spec, seen: &Observed, now: Timestamp) -> Option<TokenReport> {
    let entry = seen.journal.current()?;
    let note = entry.labels.token.as_ref()?;
    let due = spec.policy.due(note);
    let last_safe = due.and_then(|due| due.last_safe);
    Some(TokenReport {
        id: note.id.clone(),
        stage: stage(seen, entry.labels.proof).into(),
        issued: note.issued,
        expires: note.expiry.map(|e| e.at),
        expiry_source: note.expiry.map(|e| e.source),
        wanted: due.map(|due| due.wanted),
        window: due.and_then(|due| due.window),
        due: due.map(|due| due.at),
        due_reason: due.map(|due| due.reason),
        previous_expires: previous_expires(seen, note),
        last_safe_moment: last_safe,
        slack_seconds: last_safe.map(|safe| (safe - now).num_seconds()),
        provisioned: entry.labels.proof.provisioned,
        unconfirmed_since: unconfirmed_since(spec, entry.labels.proof, now),
        confirmed: entry.labels.proof.confirmed,
        proven: entry.labels.proof.proven,
    })
}

/// The end of the token that `note` has taken the place of, if that may live beside it.
fn previous_expires(seen: &Observed, note: &TokenNote) -> Option<Timestamp> {
    let removed = |mode| mode == Some(Mode::RemoveCurrent);
    let mut deeds = deeds(&seen.journal).into_iter().skip_while(|deed| deed.token.as_ref() != Some(&note.id));
    if removed(deeds.next()?.mode) {
        return None;
    }
    deeds
        .find(|deed| deed.token.as_ref().is_some_and(|token| *token != note.id))?
        .expires
        .filter(|end| *end > note.issued)
}

/// Since when a cycle should have succeeded with it, if none has.
fn unconfirmed_since(spec: &Spec, proof: Proof, now: Timestamp) -> Option<Timestamp> {
    let waited = proof.provisioned.filter(|_| proof.confirmed.is_none())? + spec.policy.confirm_within;
    (now > waited).then_some(waited)
}

fn stage(seen: &Observed, proof: Proof) -> &'static str {
    if seen.journal.pending().is_some() {
        "pending"
    } else if seen.journal.open_intent().is_some() {
        "issuing"
    } else if proof.proven.is_some() && proof.confirmed.is_some() {
        "proven"
    } else if proof.confirmed.is_some() {
        "confirmed, unproven"
    } else {
        "current"
    }
}

fn job_report(seen: &Observed) -> JobReport {
    let job = &seen.job;
    JobReport {
        id: job.id.clone(),
        state: job.state,
        quarantine: job.quarantine.as_ref().map(|q| QuarantineReport {
            reason: q.reason.clone(),
            began: q.began,
            next_attempt: q.next_attempt,
            disabled_at: q.given_up_at(),
        }),
        last_cycle: job.last_execution.as_ref().map(|e| e.state),
        last_cycle_ended: job.last_execution.as_ref().map(|e| e.ended),
        last_success_ended: [&job.last_success, &job.last_execution]
            .into_iter()
            .flatten()
            .filter(|e| e.state != ExecutionState::Failed)
            .map(|e| e.ended)
            .max(),
    }
}

/// So many of the last tokens are told with every look. All of them are told by `history`.
const RECENT: usize = 3;

fn recent(seen: &Observed) -> Vec<Recent> {
    let came = |what| matches!(what, What::Rotated | What::Asked | What::Brought | What::TakenBack);
    let deeds = deeds(&seen.journal).into_iter().filter(|deed| came(deed.what)).take(RECENT);
    let recent =
        |deed: Deed| Recent { at: deed.at, what: deed.what, reason: deed.reason, took_seconds: deed.took_seconds };
    deeds.map(recent).collect()
}

/// What the vault tells of the last rotation, where this process has done nothing yet.
fn last_from_journal(seen: &Observed) -> Option<LastAction> {
    let entry =
        seen.journal.ours().find(|e| e.labels.proof.provisioned.is_some() && e.labels.stage == Stage::Current)?;
    let proof = entry.labels.proof;
    let (at, reason) = [(proof.proven, Reason::Proven), (proof.confirmed, Reason::Confirmed)]
        .into_iter()
        .find_map(|(at, reason)| Some((at?, reason)))
        .or(Some((proof.provisioned?, Reason::Rotated)))?;
    Some(LastAction { at, action: "rotate".into(), reason, succeeded: true, error: None })
}

/// What Graph and the vault date so close together may have happened in either order.
const SAME_TIME: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// Where the job stands still under a pause that is ours, or may be, and nothing else that is told is about it.
fn pause_warning(seen: &Observed, reason: Reason) -> Option<String> {
    let told = matches!(
        reason,
        Reason::PauseToEnd | Reason::PauseEnded | Reason::PauseToRecord | Reason::PauseOfUnknownOrigin
    );
    if told || seen.job.state != JobState::Paused {
        return None;
    }
    let held = seen.journal.held_pause().map(|(_, pause)| pause.at.unwrap_or(pause.planned));
    let ran_since = |since: Timestamp| seen.job.last_execution.as_ref().is_some_and(|e| e.began > since + SAME_TIME);
    match (held, seen.journal.may_hide_a_pause().filter(|since| !ran_since(*since))) {
        (Some(since), _) => Some(format!(
            "provisioning stands still: the job is paused by us since {}, and runs again when what is shown is settled",
            since.format("%Y-%m-%d %H:%M:%S UTC")
        )),
        (None, Some(_)) => Some(
            "provisioning stands still: the job is paused, it may be by us, and the tags that told so may be those that \
             somebody has edited; start the job in the Entra portal (Provisioning, Start) unless it is meant to be paused"
                .to_owned(),
        ),
        (None, None) => None,
    }
}

/// Where nobody can read the current token. A placeholder stands where it could not be read any more, and has never held it.
fn unreadable_warning(spec: &Spec, current: Entry<'_>) -> Option<String> {
    let (id, name) = (&current.version.id, &spec.name);
    let is_unreadable = current.labels.token.is_some() && !current.version.enabled;
    is_unreadable.then(|| match current.labels.stage {
        Stage::Placeholder => format!(
            "nobody can read the current token in the vault, since its version was disabled: have a new token made by \
             `scim-rotator rotate {name}`"
        ),
        _ => format!(
            "the current version in the vault, {id}, is disabled, so that nobody can read it: enable it again, or have a new \
             token made by `scim-rotator rotate {name}`"
        ),
    })
}

fn warnings(
    spec: &Spec,
    seen: &Observed,
    (reason, held_until): (Reason, Option<Timestamp>),
    now: Timestamp,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let skew = (now - seen.job.seen_at).num_seconds();
    if skew.abs() > 300 {
        warnings
            .push(format!("this host's clock differs from Microsoft Graph's by {skew} seconds: mend its time service"));
    }
    warnings.extend(pause_warning(seen, reason));
    let Some(entry) = seen.journal.current() else { return warnings };
    warnings.extend(unreadable_warning(spec, entry));
    let token: Option<&TokenNote> = entry.labels.token.as_ref();
    match token.and_then(|t| t.expiry).map(|e| e.source) {
        Some(ExpirySource::Assumed) => {
            warnings.push("the expiry is assumed (assumed_lifetime): nothing the issuer said confirms it".to_owned());
        }
        None if token.is_some() => warnings.push("nothing says when the token dies".to_owned()),
        _ => (),
    }
    if token.and_then(|t| spec.policy.due(t)).is_some_and(|due| due.clamped) {
        warnings.push("the token lives shorter than the policy thinks: a third of its life is used instead".to_owned());
    }
    if let Some(at) = seen.job.quarantine.as_ref().and_then(|q| q.given_up_at()) {
        let (date, days) = (at.date_naive(), (at - seen.job.seen_at).num_days());
        warnings.push(match at > seen.job.seen_at {
            true => format!("the job is in quarantine: Entra disables it for good in {days} days, on {date}"),
            false => format!(
                "the job is in quarantine, and Entra has disabled it on {date}: once its cause is mended, start it in the \
                 Entra portal (Provisioning, Start)"
            ),
        });
    }
    if let Some(until) = held_until {
        let told = |at: Timestamp| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        let safe = token.and_then(|t| spec.policy.due(t)).and_then(|due| due.last_safe).filter(|safe| *safe < until);
        let beaten = safe.map(|safe| format!("; the last safe moment, {}, comes first and ends it", told(safe)));
        warnings.push(format!(
            "a person has put rotations by policy off until {}{}; `scim-rotator release {}` ends that",
            told(until),
            beaten.unwrap_or_default(),
            spec.name
        ));
    }
    let proof = entry.labels.proof;
    if let Some(put) = proof.provisioned.filter(|_| unconfirmed_since(spec, proof, now).is_some()) {
        warnings.push(format!("{}: {put}", Reason::Unconfirmed.sentence()));
    }
    if !(spec.policy.accept_supplied || spec.policy.supplied)
        && seen.journal.newest_foreign().is_some()
        && seen.journal.current().is_some()
    {
        warnings.push(
            "somebody stored a newer version in the vault; it is left alone (accept_supplied = false)".to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;

//! What is to be done now: a chain of small rules over what was seen. The first that speaks wins.
//!
//! Deciding changes nothing and asks nobody. Where a rule needs to know more than a normal look shows, it answers with
//! a [`Question`]; whoever drives it finds the answer and decides again.

use chrono::TimeDelta;

use super::attempts::{Attempts, ISSUE_PERIOD, IssueBound, ahead, issue_bound};
use super::job::{ExecutionState, Job, JobState};
use super::journal::{Entry, Journal, Labels, PauseNote, Stage, StartNote, TokenNote, VersionId};
use super::policy::{Bootstrap, Mode, Policy};
use super::reason::Reason;
use super::{Timestamp, Verdict};

/// How long an unfinished intent of another process is respected.
const RIVAL_GRACE: TimeDelta = TimeDelta::minutes(2);
/// How long a pause without a tag may still be taken for that of the rotation that meant to pause.
const UNRECORDED_PAUSE: TimeDelta = TimeDelta::hours(1);
/// How long a recorded pause may be invisible in Graph before its absence is believed.
const PAUSE_LAG: TimeDelta = TimeDelta::minutes(10);
/// A pause is not ended for a shorter wait than this.
const WORTH_STARTING: TimeDelta = TimeDelta::minutes(2);
/// When nobody can tell whether token or endpoint is at fault: ask again so soon.
const NO_VERDICT_WAIT: TimeDelta = TimeDelta::minutes(5);
/// When a person has to act: look again so soon.
const HUMAN_WAIT: TimeDelta = TimeDelta::hours(1);
/// A token that could not be proven for so long is written once more.
const SECOND_PUT: TimeDelta = TimeDelta::hours(1);
/// The longest wait that is ever answered: whoever waits looks again at least so often.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(1);

/// Everything that a decision is made from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The wall clock.
    pub now: Timestamp,
    /// Who we are, as intents name it.
    pub holder: &'a str,
    /// The rules of this connection.
    pub policy: &'a Policy,
    /// The vault.
    pub journal: &'a Journal,
    /// The provisioning job.
    pub job: &'a Job,
    /// Failures that the vault does not tell of.
    pub attempts: &'a Attempts,
    /// What has been asked on top of it during this look.
    pub answers: Answers,
}

/// The answers found so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers {
    /// To [`Question::Saved`].
    pub saved: Option<Verdict>,
    /// To [`Question::Current`].
    pub current: Option<CurrentHealth>,
    /// To [`Question::PreviousDead`].
    pub previous_dead: Option<bool>,
}

/// Something a rule needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Does Entra accept what it has saved?
    Saved,
    /// Is the vault's current token good?
    Current,
    /// Is the previous token dead?
    PreviousDead,
}

/// How the vault's current token fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrentHealth {
    /// Entra accepts it as a candidate.
    Good,
    /// The endpoint itself refused it twice, a minute apart.
    Refused,
    /// Neither could be shown.
    Unclear,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Nothing, until then.
    Wait {
        /// When to look again.
        until: Timestamp,
        /// Why to wait.
        reason: Reason,
    },
    /// Find this out and decide again.
    Ask(Question),
    /// Write these labels onto a version, and nothing else.
    Note {
        /// The version.
        version: VersionId,
        /// All its labels.
        labels: Box<Labels>,
        /// What has been learnt.
        reason: Reason,
    },
    /// Have a new token issued and bring it to Entra.
    Rotate(Plan),
    /// Bring this pending version to Entra.
    Resume {
        /// The version.
        version: VersionId,
        /// Why.
        reason: Reason,
    },
    /// Take over a version that somebody else stored.
    Adopt {
        /// The version.
        version: VersionId,
        /// Why.
        reason: Reason,
    },
    /// Give the current token to Entra once more.
    Provision {
        /// Why.
        reason: Reason,
    },
    /// Let the job run again.
    Start {
        /// The version and labels that record it: before the call for a quarantine, after it for a pause.
        version: VersionId,
        /// All labels as they are to be.
        labels: Box<Labels>,
        /// Why.
        reason: Reason,
    },
    /// Disable these versions.
    Retire(Vec<VersionId>),
    /// A person has to act.
    NeedsHuman {
        /// When to look again.
        until: Timestamp,
        /// What is wrong.
        reason: Reason,
    },
}

impl Decision {
    /// Why.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Wait { reason, .. }
            | Self::Note { reason, .. }
            | Self::Resume { reason, .. }
            | Self::Adopt { reason, .. }
            | Self::Provision { reason }
            | Self::Start { reason, .. }
            | Self::NeedsHuman { reason, .. } => Some(*reason),
            Self::Rotate(plan) => Some(plan.reason),
            Self::Retire(_) => Some(Reason::OldVersions),
            Self::Ask(_) => None,
        }
    }

    /// One word for status and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Wait { .. } => "wait",
            Self::Ask(_) => "ask",
            Self::Note { .. } => "note",
            Self::Rotate(_) => "rotate",
            Self::Resume { .. } => "resume",
            Self::Adopt { .. } => "adopt",
            Self::Provision { .. } => "provision",
            Self::Start { .. } => "start",
            Self::Retire(_) => "retire",
            Self::NeedsHuman { .. } => "needs-human",
        }
    }
}

/// A rotation to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How the issuer is asked.
    pub mode: Mode,
    /// Why.
    pub reason: Reason,
    /// The current token is known or must be assumed to be dead: it proves nothing, and there is nothing to go back to.
    pub current_dead: bool,
    /// The first token may have to be created.
    pub may_create: bool,
}

type Rule = fn(&Facts<'_>) -> Option<Decision>;

/// The chain. The order is the specification.
const RULES: &[(&str, Rule)] = &[
    ("a damaged journal is touched by nobody but a person", damaged),
    ("a pending token that is overtaken or dead is put aside", superseded),
    ("a pause that somebody ended, or that never came, is over", pause_ended),
    ("a pause that could not be written down is written down", unrecorded_pause),
    ("another process at work is left to it", rival),
    ("a pause of ours ends when Entra's saved token passes", end_pause),
    ("after a failure, wait", backing_off),
    ("a pending token goes to Entra before another is issued", pending),
    ("an intent without a token may be a lost answer", answer_lost),
    ("without a version of ours, begin as configured", bootstrap),
    ("a token that somebody supplied is taken over where that is allowed", supplied),
    ("a dead token is replaced whatever the policy says", expired),
    ("a refused token is healed or replaced, once it is clear which", trouble),
    ("a successful cycle confirms", confirm),
    ("a passing check proves, once the previous token is dead", prove),
    ("an unproven token is written once more", provision_again),
    ("a pause of unknown origin is a person's business", unknown_pause),
    ("old versions retire", retire),
    ("policy says when the token is due", due),
];

/// Decides.
pub fn decide(facts: &Facts<'_>) -> Decision {
    let decision = RULES.iter().find_map(|(_, rule)| rule(facts));
    match decision.unwrap_or(Decision::Wait { until: facts.now + LONGEST_WAIT, reason: Reason::NotDue }) {
        Decision::Wait { until, reason } => Decision::Wait { until: until.min(facts.now + LONGEST_WAIT), reason },
        other => other,
    }
}

fn damaged(f: &Facts<'_>) -> Option<Decision> {
    f.journal.damaged().map(|_| f.needs_human(Reason::JournalDamaged))
}

fn superseded(f: &Facts<'_>) -> Option<Decision> {
    let dead = |e: &Entry<'_>| e.labels.token.as_ref().is_some_and(|token| token.is_over(f.now));
    let entry = f.journal.superseded().or_else(|| f.journal.pending().filter(dead))?;
    Some(note(entry, Reason::PendingSuperseded, |labels| labels.stage = Stage::Rejected))
}

fn pause_ended(f: &Facts<'_>) -> Option<Decision> {
    let (entry, pause) = f.journal.last_pause().filter(|(_, pause)| pause.ended.is_none())?;
    let since = pause.at.unwrap_or(pause.planned);
    let gone = f.job.state != JobState::Paused && (f.ran_since(since) || f.job.seen_at > since + PAUSE_LAG);
    let ended = Some(f.job.seen_at);
    gone.then(|| note(entry, Reason::PauseEnded, |labels| labels.pause = Some(PauseNote { ended, ..pause })))
}

fn unrecorded_pause(f: &Facts<'_>) -> Option<Decision> {
    let (entry, pause) = f.unrecorded()?;
    let ours = !f.ran_since(pause.planned) && f.job.seen_at - pause.planned < UNRECORDED_PAUSE;
    let at = Some(pause.planned);
    ours.then(|| note(entry, Reason::PauseToRecord, |labels| labels.pause = Some(PauseNote { at, ..pause })))
}

fn backing_off(f: &Facts<'_>) -> Option<Decision> {
    let until = f.attempts.waiting(f.now)?;
    Some(Decision::Wait { until, reason: Reason::BackingOff })
}

fn rival(f: &Facts<'_>) -> Option<Decision> {
    let rotation = match (f.journal.pending(), f.journal.open_intent()) {
        (Some(pending), _) => &pending.labels.rotation,
        (None, Some((entry, _))) => &entry.labels.rotation,
        (None, None) => return None,
    };
    let intent = f.journal.intent_of(rotation)?;
    let until = ahead(intent.at + RIVAL_GRACE, f.now)?;
    (intent.holder != f.holder).then_some(Decision::Wait { until, reason: Reason::AnotherHolder })
}

fn pending(f: &Facts<'_>) -> Option<Decision> {
    let entry = f.journal.pending()?;
    Some(Decision::Resume { version: entry.version.id.clone(), reason: Reason::PendingToken })
}

fn end_pause(f: &Facts<'_>) -> Option<Decision> {
    let (entry, pause) = f.journal.held_pause().filter(|_| f.job.state == JobState::Paused)?;
    let unfinished = f.journal.pending().is_some() || f.journal.open_intent().is_some();
    if unfinished && f.next_try().is_some_and(|next| next - f.now < WORTH_STARTING) {
        return None; // The next attempt needs the pause again.
    }
    match f.answers.saved {
        None => Some(Decision::Ask(Question::Saved)),
        Some(Verdict::NotAccepted) => None,
        Some(Verdict::Accepted) => {
            let mut labels = entry.labels.clone();
            labels.pause = Some(PauseNote { ended: Some(f.job.seen_at), ..pause });
            Some(f.start(entry, labels, Reason::PauseToEnd))
        }
    }
}

fn answer_lost(f: &Facts<'_>) -> Option<Decision> {
    let (_, intent) = f.journal.open_intent()?;
    if let Some(until) = f.retry_wait() {
        return Some(Decision::Wait { until, reason: Reason::AnswerLost });
    }
    Some(f.issue(Reason::AnswerLost, intent.mode))
}

fn bootstrap(f: &Facts<'_>) -> Option<Decision> {
    if f.journal.ours().any(|e| e.labels.stage == Stage::Current) {
        return None;
    }
    Some(match f.policy.bootstrap {
        None => f.needs_human(Reason::NotAdopted),
        Some(Bootstrap::Adopt) => match f.journal.newest_foreign() {
            Some(version) => Decision::Adopt { version: version.id.clone(), reason: Reason::BootstrapAdopt },
            None => f.needs_human(Reason::NothingToAdopt),
        },
        Some(Bootstrap::Rotate | Bootstrap::Create) => match f.retry_wait() {
            Some(until) => Decision::Wait { until, reason: Reason::BackingOff },
            None => f.issue(Reason::BootstrapIssue, Mode::Overlap),
        },
    })
}

fn supplied(f: &Facts<'_>) -> Option<Decision> {
    let version = f.journal.newest_foreign().filter(|_| f.policy.accept_supplied)?;
    Some(Decision::Adopt { version: version.id.clone(), reason: Reason::SuppliedToken })
}

fn expired(f: &Facts<'_>) -> Option<Decision> {
    f.token().filter(|token| token.is_over(f.now))?;
    Some(f.replace(Reason::TokenExpired))
}

fn trouble(f: &Facts<'_>) -> Option<Decision> {
    let quarantine = f.job.quarantine.as_ref().filter(|q| q.is_for_credentials());
    let failed = f.job.last_execution.as_ref().is_some_and(|e| e.state == ExecutionState::Failed);
    let refused = f.answers.saved == Some(Verdict::NotAccepted);
    if quarantine.is_none() && !failed && !refused {
        return None;
    }
    match (f.answers.saved, f.answers.current) {
        (None, _) => Some(Decision::Ask(Question::Saved)),
        (Some(Verdict::Accepted), _) => {
            let quarantine = quarantine?;
            let entry = f.journal.current()?;
            let began = quarantine.began.unwrap_or_default();
            if entry.labels.started.is_some_and(|started| started.quarantine == began) {
                let until = quarantine.next_attempt.and_then(|next| ahead(next, f.now)).unwrap_or(f.now + HUMAN_WAIT);
                return Some(Decision::Wait { until, reason: Reason::QuarantineStands });
            }
            let labels = Labels { started: Some(StartNote { quarantine: began }), ..entry.labels.clone() };
            Some(f.start(entry, labels, Reason::QuarantineToEnd))
        }
        (Some(Verdict::NotAccepted), None) => Some(Decision::Ask(Question::Current)),
        (Some(Verdict::NotAccepted), Some(CurrentHealth::Good)) => {
            Some(Decision::Provision { reason: Reason::EntraHoldsAnother })
        }
        (Some(Verdict::NotAccepted), Some(CurrentHealth::Refused)) => Some(f.replace(Reason::TokenRefused)),
        (Some(Verdict::NotAccepted), Some(CurrentHealth::Unclear)) => {
            Some(Decision::Wait { until: f.now + NO_VERDICT_WAIT, reason: Reason::NoVerdict })
        }
    }
}

fn confirm(f: &Facts<'_>) -> Option<Decision> {
    let entry = f.journal.current()?;
    let proof = entry.labels.proof;
    let put = proof.provisioned.filter(|put| proof.confirmed.is_none() && f.job.succeeded_since(*put))?;
    Some(note(entry, Reason::Confirmed, |labels| labels.proof.confirmed = Some(f.now.max(put))))
}

fn prove(f: &Facts<'_>) -> Option<Decision> {
    let entry = f.journal.current()?;
    let proof = entry.labels.proof;
    if proof.confirmed.is_none() || proof.proven.is_some() {
        return None;
    }
    let previous = f.journal.previous();
    let over = previous.is_none_or(|e| e.labels.token.as_ref().is_some_and(|token| token.is_over(f.now)));
    match (over, f.answers.previous_dead, f.answers.saved) {
        (false, None, _) => Some(Decision::Ask(Question::PreviousDead)),
        (false, Some(false), _) => None,
        (_, _, None) => Some(Decision::Ask(Question::Saved)),
        (_, _, Some(Verdict::NotAccepted)) => None, // `trouble` has spoken.
        (_, _, Some(Verdict::Accepted)) => {
            Some(note(entry, Reason::Proven, |labels| labels.proof.proven = Some(f.now)))
        }
    }
}

fn provision_again(f: &Facts<'_>) -> Option<Decision> {
    let proof = f.journal.current()?.labels.proof;
    let waited = proof.provisioned.is_some_and(|put| f.now - put >= SECOND_PUT);
    let wanted = waited && proof.confirmed.is_some() && proof.proven.is_none() && proof.again.is_none();
    wanted.then_some(Decision::Provision { reason: Reason::StillUnproven })
}

fn unknown_pause(f: &Facts<'_>) -> Option<Decision> {
    f.unrecorded().map(|_| f.needs_human(Reason::PauseOfUnknownOrigin))
}

fn retire(f: &Facts<'_>) -> Option<Decision> {
    let current = f.journal.current()?;
    let proven = current.labels.proof.proven?;
    if f.now < proven + f.policy.retire_after {
        return None;
    }
    let old: Vec<_> = f
        .journal
        .ours()
        .filter(|e| e.labels.seq < current.labels.seq && e.version.enabled)
        .map(|e| e.version.id.clone())
        .collect();
    (!old.is_empty()).then_some(Decision::Retire(old))
}

fn due(f: &Facts<'_>) -> Option<Decision> {
    let token = f.token()?;
    let Some(due) = f.policy.due(token) else {
        return Some(f.needs_human(Reason::NoKnownEnd));
    };
    let wait = |until, reason| Some(Decision::Wait { until, reason });
    if f.now < due.at {
        return wait(f.next_milestone(due.at), Reason::NotDue);
    }
    if let Some(until) = f.retry_wait() {
        return wait(until, Reason::BackingOff);
    }
    let last = f.journal.issues_since(f.now - ISSUE_PERIOD).last().copied();
    let free = token.issued.max(last.unwrap_or(token.issued)) + ISSUE_PERIOD;
    if f.now < free && !f.policy.is_urgent(Some(token), f.now) {
        return wait(due.last_safe.map_or(free, |safe| free.min(safe)), Reason::IssuedRecently);
    }
    Some(f.issue(due.reason, f.policy.mode))
}

impl<'a> Facts<'a> {
    /// What is known of the current token.
    pub fn token(&self) -> Option<&'a TokenNote> {
        self.journal.current()?.labels.token.as_ref()
    }

    /// The written backoff of the connection, while it is ahead.
    fn retry_wait(&self) -> Option<Timestamp> {
        ahead(self.journal.current()?.labels.retry?.not_before, self.now)
    }

    /// When an unfinished rotation can be taken up again; `None` while the bounds on issuing forbid it.
    fn next_try(&self) -> Option<Timestamp> {
        let waits = [self.retry_wait(), self.attempts.waiting(self.now)];
        let next = waits.into_iter().flatten().fold(self.now, Timestamp::max);
        match issue_bound(self.journal, self.now) {
            _ if self.journal.pending().is_some() => Some(next),
            IssueBound::Spent(_) => None,
            IssueBound::TooSoon(free) => Some(next.max(free)),
            IssueBound::Free => Some(next),
        }
    }

    /// A rotation for a reason of need, as soon as the written backoff allows.
    fn replace(&self, reason: Reason) -> Decision {
        match self.retry_wait() {
            Some(until) => Decision::Wait { until, reason },
            None => self.issue(reason, self.policy.mode),
        }
    }

    /// A rotation, within the bounds on issuing.
    fn issue(&self, reason: Reason, mode: Mode) -> Decision {
        match issue_bound(self.journal, self.now) {
            IssueBound::Spent(until) => Decision::NeedsHuman { until, reason: Reason::IssueBudgetSpent },
            IssueBound::TooSoon(until) => Decision::Wait { until, reason: Reason::IssueFloor },
            IssueBound::Free => {
                let lost = self.journal.open_intent().is_some_and(|(_, intent)| intent.mode == Mode::RemoveCurrent);
                let over = self.token().is_none_or(|token| token.is_over(self.now));
                let refused = self.answers.current == Some(CurrentHealth::Refused);
                Decision::Rotate(Plan {
                    mode,
                    reason,
                    current_dead: lost || over || refused,
                    may_create: self.policy.bootstrap == Some(Bootstrap::Create)
                        && self.journal.current().is_none_or(|e| e.labels.stage == Stage::Placeholder),
                })
            }
        }
    }

    fn start(&self, entry: Entry<'_>, labels: Labels, reason: Reason) -> Decision {
        Decision::Start { version: entry.version.id.clone(), labels: Box::new(labels), reason }
    }

    fn needs_human(&self, reason: Reason) -> Decision {
        Decision::NeedsHuman { until: self.now + HUMAN_WAIT, reason }
    }

    /// A pause that was planned, if the job is paused and nothing says by whom.
    fn unrecorded(&self) -> Option<(Entry<'a>, PauseNote)> {
        self.journal.last_pause().filter(|(_, pause)| pause.is_open() && self.job.state == JobState::Paused)
    }

    /// Whether a cycle has begun after `moment`, both by Graph's clock.
    fn ran_since(&self, moment: Timestamp) -> bool {
        self.job.last_execution.as_ref().is_some_and(|e| e.began > moment)
    }

    /// When something is to be seen before the token comes due.
    fn next_milestone(&self, due: Timestamp) -> Timestamp {
        let Some(current) = self.journal.current() else { return due };
        let proof = current.labels.proof;
        let unproven = proof.proven.is_none();
        let previous_end = self
            .journal
            .previous()
            .filter(|_| unproven)
            .and_then(|e| e.labels.token.as_ref()?.expiry)
            .map(|expiry| expiry.at + TimeDelta::seconds(1));
        let second_put = proof.provisioned.filter(|_| unproven && proof.again.is_none()).map(|put| put + SECOND_PUT);
        let retirement = proof.proven.map(|proven| proven + self.policy.retire_after);
        let ahead = |moment: &Timestamp| *moment > self.now;
        [previous_end, second_put, retirement].into_iter().flatten().filter(ahead).fold(due, Timestamp::min)
    }
}

fn note(entry: Entry<'_>, reason: Reason, change: impl FnOnce(&mut Labels)) -> Decision {
    let mut labels = entry.labels.clone();
    change(&mut labels);
    Decision::Note { version: entry.version.id.clone(), labels: Box::new(labels), reason }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;

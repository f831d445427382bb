//! How the current token fares at Entra: refused, confirmed, proven; and what becomes of the versions before it.

use chrono::TimeDelta;

use super::decision::note;
use super::facts::{HUMAN_WAIT, SECOND_PUT};
use super::{CurrentHealth, Decision, Facts, Question, unfinished};
use crate::domain::attempts::ahead;
use crate::domain::job::{ExecutionState, JobState};
use crate::domain::journal::{Label, Labels, Stage, StartNote};
use crate::domain::reason::Reason;
use crate::domain::{Timestamp, Verdict};

/// A good token that is lost a second time within this time is no accident.
const FAMILIAR: TimeDelta = TimeDelta::days(7);
/// What failed is left alone for so long before something else is done at the same connection.
const REST: TimeDelta = TimeDelta::minutes(15);
/// When nobody can tell whether token or endpoint is at fault: ask again so soon.
const NO_VERDICT_WAIT: TimeDelta = TimeDelta::minutes(5);

/// A token may take effect later than it is waited for. For a day it is looked at again and again, since at the moment at
/// which it does the old one may die.
pub(super) fn late(f: &Facts<'_>) -> Option<Decision> {
    if f.expects_rejected() { f.rejected_first() } else { None }
}

/// A wait for a token that is due, or a spent budget of them, holds nothing up that needs no new one, nor a new one for another that
/// is dead. A lost answer has waits of its own.
pub(super) fn mend(f: &Facts<'_>) -> Option<Decision> {
    let rested = f.attempts.failed_at.is_none_or(|failed| f.now - failed >= REST);
    let is_early = f.attempts.waiting(f.now).is_some() && !rested;
    if is_early || f.journal.pending().is_some() || !f.has_begun() {
        return None;
    }
    let is_lost = f.journal.open_intent().is_some();
    let mends = |decision: &Decision| match decision {
        Decision::Ask(_) | Decision::Adopt { .. } | Decision::Provision { .. } | Decision::Start { .. } => true,
        Decision::Rotate(_) => !is_lost,
        _ => false,
    };
    unfinished::supplied(f).or_else(|| trouble(f)).filter(mends)
}

pub(super) fn expired(f: &Facts<'_>) -> Option<Decision> {
    f.token().filter(|token| token.is_over(f.now))?;
    Some(f.replace(Reason::TokenExpired))
}

pub(super) fn trouble(f: &Facts<'_>) -> Option<Decision> {
    // A job that a person paused may bear the note of a quarantine as well: it stays paused.
    let stopped = f.job.state == JobState::Quarantine;
    let quarantine = f.job.quarantine.as_ref().filter(|q| stopped && q.is_for_credentials());
    let failed = f.job.last_execution.as_ref().is_some_and(|e| e.state == ExecutionState::Failed);
    let not_accepted = f.answers.saved == Some(Verdict::NotAccepted);
    if quarantine.is_none() && !failed && !not_accepted {
        return None;
    }
    match (f.answers.saved, f.answers.current) {
        (None, _) => Some(Decision::Ask(Question::Saved)),
        (Some(Verdict::Accepted), _) => {
            let quarantine = quarantine?;
            let entry = f.journal.current()?;
            // One without a beginning is told from others by the last cycle that succeeded before it.
            let succeeded = f.job.last_success.as_ref().map(|last| last.began);
            let began = quarantine.began.or(succeeded).unwrap_or_default();
            if entry.labels.started.is_some_and(|started| started.quarantine == began && !started.failed) {
                return quarantine_stands(f, quarantine.next_attempt);
            }
            let labels =
                Labels { started: Some(StartNote { quarantine: began, failed: false }), ..entry.labels.clone() };
            Some(f.start(entry, labels, Reason::QuarantineToEnd))
        }
        (Some(Verdict::NotAccepted), None) => Some(Decision::Ask(Question::Current)),
        (Some(Verdict::NotAccepted), Some(CurrentHealth::Good)) => {
            Some(Decision::Provision { reason: Reason::EntraHoldsAnother })
        }
        (Some(Verdict::NotAccepted), Some(CurrentHealth::Refused)) => Some(refused(f)),
        // The endpoint cannot be asked about a token that nobody can read: only a failed cycle tells.
        (Some(Verdict::NotAccepted), Some(CurrentHealth::Unreadable)) if quarantine.is_some() || failed => {
            Some(f.replace(Reason::CurrentUnreadable))
        }
        (Some(Verdict::NotAccepted), Some(CurrentHealth::Unreadable | CurrentHealth::Unclear)) => {
            Some(Decision::Wait { until: f.now + NO_VERDICT_WAIT, reason: Reason::NoVerdict })
        }
    }
}

/// Nothing more is done for it but to wait for Entra's own next try; a token that comes due is rotated all the same.
fn quarantine_stands(f: &Facts<'_>, next_attempt: Option<Timestamp>) -> Option<Decision> {
    let until = next_attempt.and_then(|next| ahead(next, f.now)).unwrap_or(f.now + HUMAN_WAIT);
    let due = f.token().and_then(|token| f.policy.due(token)).map_or(until, |due| due.at);
    (due > f.now).then_some(Decision::Wait { until: until.min(due), reason: Reason::QuarantineStands })
}

/// A good token that is refused is replaced. The second time within a week somebody else rotates as well, and another
/// round would only take his token from him.
fn refused(f: &Facts<'_>) -> Decision {
    let proven = f.journal.current().is_some_and(|e| e.labels.proof.proven.is_some());
    match proven && f.journal.lost_a_good_token(FAMILIAR, f.now) {
        true => f.needs_human(Reason::RotatedElsewhere),
        false => f.replace(Reason::TokenRefused),
    }
}

pub(super) fn confirm(f: &Facts<'_>) -> Option<Decision> {
    let entry = f.journal.current()?;
    let proof = entry.labels.proof;
    let put = proof.provisioned.filter(|put| proof.confirmed.is_none() && f.job.succeeded_since(*put))?;
    Some(note(entry, Reason::Confirmed, |labels| labels.proof.confirmed = Some(f.now.max(put))))
}

pub(super) fn prove(f: &Facts<'_>) -> Option<Decision> {
    let entry = f.journal.current()?;
    let proof = entry.labels.proof;
    if proof.provisioned.is_none() || proof.proven.is_some() {
        return None;
    }
    let previous = f.journal.previous();
    let confirmed = proof.confirmed.is_some();
    let over = previous.map_or(confirmed, |e| e.labels.token.as_ref().is_some_and(|token| token.is_over(f.now)));
    if !over && !confirmed {
        return None;
    }
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

pub(super) fn provision_again(f: &Facts<'_>) -> Option<Decision> {
    let proof = f.journal.current().filter(|e| e.version.enabled)?.labels.proof;
    let waited = proof.provisioned.is_some_and(|put| f.job.seen_at - put >= SECOND_PUT);
    let wanted = waited && proof.proven.is_none() && proof.again.is_none();
    wanted.then_some(Decision::Provision { reason: Reason::StillUnproven })
}

/// A version that was put aside, or stored by a process that could not see a newer one yet, may be the latest, or share the
/// current one's place, in which nothing can be done for it. One that somebody else stored is his.
pub(super) fn restate(f: &Facts<'_>) -> Option<Decision> {
    let current = f.journal.current().filter(|e| e.version.enabled && e.labels.stage == Stage::Current)?;
    let Label::Ours(latest) = &f.journal.latest()?.label else { return None };
    let token = |labels: &Labels| labels.token.as_ref().map(|token| token.id.clone());
    let shared = f.journal.is_overtaken(&current.labels.rotation, current.labels.seq);
    let another = shared || latest.stage == Stage::Rejected || token(latest) != token(current.labels);
    if another && f.may_be_blind() {
        return Some(f.just_begun()); // What is newer still may not show yet.
    }
    another.then_some(Decision::Restate { reason: Reason::LatestIsAnother })
}

pub(super) fn retire(f: &Facts<'_>) -> Option<Decision> {
    // Without it, an older one may be all that there is.
    let current = f.journal.current().filter(|e| e.version.enabled)?;
    let proven = current.labels.proof.proven?;
    if f.now < proven + f.policy.retire_after {
        return None;
    }
    let late: Vec<_> = f.journal.rejected(f.now).map(|e| &e.version.id).collect();
    let old: Vec<_> = f
        .journal
        .ours()
        .filter(|e| e.labels.seq < current.labels.seq && e.version.enabled)
        // Given to Entra after the current one by a process that slept through a takeover: it may be what Entra holds.
        .filter(|e| e.labels.proof.provisioned <= current.labels.proof.provisioned)
        .filter(|e| !late.contains(&&e.version.id))
        .map(|e| e.version.id.clone())
        .collect();
    (!old.is_empty()).then_some(Decision::Retire(old))
}

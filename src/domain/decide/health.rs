//! How the current token fares at Entra: refused, confirmed, proven; and what becomes of the versions before it.

use chrono::TimeDelta;

use super::decision::note;
use super::facts::{HUMAN_WAIT, SECOND_PUT};
use super::{CurrentHealth, Decision, Facts, Question};
use crate::domain::Verdict;
use crate::domain::attempts::ahead;
use crate::domain::job::ExecutionState;
use crate::domain::journal::{Labels, StartNote};
use crate::domain::reason::Reason;

/// When nobody can tell whether token or endpoint is at fault: ask again so soon.
const NO_VERDICT_WAIT: TimeDelta = TimeDelta::minutes(5);

pub(super) fn expired(f: &Facts<'_>) -> Option<Decision> {
    f.token().filter(|token| token.is_over(f.now))?;
    Some(f.replace(Reason::TokenExpired))
}

pub(super) fn trouble(f: &Facts<'_>) -> Option<Decision> {
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

pub(super) fn confirm(f: &Facts<'_>) -> Option<Decision> {
    let entry = f.journal.current()?;
    let proof = entry.labels.proof;
    let put = proof.provisioned.filter(|put| proof.confirmed.is_none() && f.job.succeeded_since(*put))?;
    Some(note(entry, Reason::Confirmed, |labels| labels.proof.confirmed = Some(f.now.max(put))))
}

pub(super) fn prove(f: &Facts<'_>) -> Option<Decision> {
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

pub(super) fn provision_again(f: &Facts<'_>) -> Option<Decision> {
    let proof = f.journal.current()?.labels.proof;
    let waited = proof.provisioned.is_some_and(|put| f.now - put >= SECOND_PUT);
    let wanted = waited && proof.confirmed.is_some() && proof.proven.is_none() && proof.again.is_none();
    wanted.then_some(Decision::Provision { reason: Reason::StillUnproven })
}

pub(super) fn retire(f: &Facts<'_>) -> Option<Decision> {
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

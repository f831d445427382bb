//! What is unfinished, and how a connection begins.

use super::decision::note;
use super::{Decision, Facts};
use crate::domain::Timestamp;
use crate::domain::attempts::{IssueBound, LONGEST_ASK, issue_bound};
use crate::domain::journal::Entry;
use crate::domain::policy::{Bootstrap, Mode};
use crate::domain::reason::Reason;

/// A person's `rotate` or `adopt` writes a whole version over the damage; and so does a token about to die, rather than
/// dying unattended.
pub(super) fn damaged(f: &Facts<'_>) -> Option<Decision> {
    f.journal.damaged()?;
    let overruled = f.is_overridden() || f.policy.is_urgent(f.token(), f.now);
    (!overruled).then(|| f.needs_human(Reason::JournalDamaged))
}

pub(super) fn superseded(f: &Facts<'_>) -> Option<Decision> {
    let dead = |e: &Entry<'_>| e.labels.token.as_ref().is_some_and(|token| token.is_over(f.now));
    let disabled = |e: &Entry<'_>| !e.version.enabled;
    if let Some(entry) = f.journal.pending().filter(disabled) {
        return Some(note(entry, Reason::PendingUnreadable, |labels| labels.put_aside(Reason::PendingUnreadable)));
    }
    let entry = f.journal.superseded().or_else(|| f.journal.pending().filter(dead))?;
    Some(note(entry, Reason::PendingSuperseded, |labels| labels.put_aside(Reason::PendingSuperseded)))
}

pub(super) fn backing_off(f: &Facts<'_>) -> Option<Decision> {
    let until = f.attempts.waiting(f.now)?;
    // What failed while there was slack is waited for no longer than that lasts.
    let failed_before = |safe: &Timestamp| f.attempts.failed_at.is_some_and(|failed| failed < *safe);
    let last_safe = f.token().and_then(|token| f.policy.due(token)?.last_safe).filter(failed_before);
    let until = last_safe.map_or(until, |safe| until.min(safe));
    (until > f.now).then(|| f.wait_or_tell(until, Reason::BackingOff))
}

pub(super) fn pending(f: &Facts<'_>) -> Option<Decision> {
    let entry = f.journal.pending()?;
    Some(Decision::Resume { version: entry.version.id.clone(), reason: Reason::PendingToken })
}

pub(super) fn answer_lost(f: &Facts<'_>) -> Option<Decision> {
    let (_, intent) = f.journal.open_intent()?;
    // What is spent is told at once, not when the wait is over.
    let spent = matches!(issue_bound(f.journal, f.now), IssueBound::Spent(_));
    if let Some(until) = f.retry_wait().filter(|until| !spent && *until - f.now < LONGEST_ASK) {
        return Some(Decision::Wait { until, reason: Reason::AnswerLost });
    }
    Some(f.issue(Reason::AnswerLost, intent.mode))
}

pub(super) fn bootstrap(f: &Facts<'_>) -> Option<Decision> {
    if f.has_begun() {
        return None;
    }
    Some(match f.policy.bootstrap {
        _ if f.policy.supplied => match f.journal.newest_foreign() {
            Some(version) => Decision::Adopt { version: version.id.clone(), reason: Reason::SuppliedToken },
            None => f.needs_human(Reason::NothingToAdopt),
        },
        None => f.needs_human(Reason::NotAdopted),
        Some(Bootstrap::Adopt) => match f.journal.newest_foreign() {
            Some(version) => Decision::Adopt { version: version.id.clone(), reason: Reason::BootstrapAdopt },
            None => f.needs_human(Reason::NothingToAdopt),
        },
        Some(Bootstrap::Rotate | Bootstrap::Create) => match f.retry_wait() {
            Some(until) => Decision::Wait { until, reason: Reason::BackingOff },
            None => f.in_turn(f.issue(Reason::BootstrapIssue, Mode::Overlap), None),
        },
    })
}

pub(super) fn supplied(f: &Facts<'_>) -> Option<Decision> {
    let version = f.journal.newest_foreign().filter(|_| f.policy.accept_supplied || f.policy.supplied)?;
    match f.may_be_blind() {
        true => Some(f.just_begun()), // One of ours that is newer may not show yet.
        false => Some(Decision::Adopt { version: version.id.clone(), reason: Reason::SuppliedToken }),
    }
}

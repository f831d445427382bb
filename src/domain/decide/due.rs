//! What policy says, when nothing else has spoken.

use super::{Decision, Facts};
use crate::domain::Timestamp;
use crate::domain::attempts::ISSUE_PERIOD;
use crate::domain::reason::Reason;

pub(super) fn due(f: &Facts<'_>) -> Option<Decision> {
    if f.tenant_shared {
        return Some(f.needs_human(Reason::TenantShared)); // Said at once, not on the day it comes due.
    }
    let token = f.token()?;
    let Some(due) = f.policy.due(token) else {
        return Some(f.needs_human(Reason::NoKnownEnd));
    };
    // Under a person's pause as well a token that comes due is rotated; but as long as nothing is done, it is told.
    let wait = |until: Timestamp, reason| Some(f.wait_or_tell(until, reason));
    if f.now < due.at {
        return wait(f.next_milestone(due.at), Reason::NotDue);
    }
    if let Some(until) = f.held(due.last_safe) {
        return wait(until, Reason::Held);
    }
    let urgent = f.policy.is_urgent(Some(token), f.now);
    // A backoff for as long as there is slack ends with it.
    let until = if urgent {
        f.need_wait()
    } else {
        f.retry_wait().map(|until| due.last_safe.map_or(until, |safe| until.min(safe)))
    };
    if let Some(until) = until {
        return wait(until, Reason::BackingOff);
    }
    let last = f.journal.issues_within(ISSUE_PERIOD, f.now).last().copied();
    let free = token.issued.max(last.unwrap_or(token.issued)) + ISSUE_PERIOD;
    if f.now < free && !urgent {
        return wait(due.last_safe.map_or(free, |safe| free.min(safe)), Reason::IssuedRecently);
    }
    let rotation = f.issue(due.reason, f.policy.mode);
    Some(if urgent { rotation } else { f.in_turn(rotation, due.last_safe) })
}

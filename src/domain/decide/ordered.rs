//! What a person asks for. It goes past policy, backoff and hold, never past the bounds on issuing.

use super::decision::note;
use super::{Decision, Facts};
use crate::domain::Timestamp;
use crate::domain::journal::HoldNote;
use crate::domain::order::Order;
use crate::domain::policy::Mode;
use crate::domain::reason::Reason;

pub(super) fn ordered(f: &Facts<'_>) -> Option<Decision> {
    match f.order? {
        Order::Hold { until } => Some(hold(f, *until, Reason::Held)),
        Order::Release => Some(hold(f, f.now, Reason::Released)),
        Order::Rotate { compromised: true, .. } => Some(f.issue(Reason::Compromised, Mode::RemoveCurrent)),
        Order::Rotate { mode, .. } => Some(match f.journal.pending() {
            // A new token is on its way already: it is the one that is asked for.
            Some(entry) => Decision::Resume { version: entry.version.id.clone(), reason: Reason::Ordered },
            None => {
                let first = f.journal.current().is_none();
                f.issue(Reason::Ordered, mode.unwrap_or(if first { Mode::Overlap } else { f.policy.mode }))
            }
        }),
        // Stored by whoever drives this, before it decides; pending from then on.
        Order::Adopt { .. } => None,
    }
}

fn hold(f: &Facts<'_>, until: Timestamp, reason: Reason) -> Decision {
    match f.journal.ours().next() {
        Some(newest) => note(newest, reason, |labels| labels.hold = Some(HoldNote { until })),
        None => f.needs_human(Reason::NotAdopted), // Nothing is rotated, so there is nothing to hold.
    }
}

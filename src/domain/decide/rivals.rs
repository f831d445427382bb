//! Several processes on one vault: at any time one of them has the say, and the others stand by.
//!
//! Key Vault offers no compare-and-set, so this is a net and no lease. Every write signs the version that it is made on.
//! Who has signed the newest version is the *keeper*, and acts at once, as a single process always does. Anybody else acts
//! only when no other has signed for [`GRACE`], and when there has been something to do, or somebody at work, for as long:
//! it then claims the newest version by signing it, gives an earlier writer [`SETTLE`] to show himself, and looks again.

use chrono::TimeDelta;

use super::decision::note;
use super::{Decision, Facts};
use crate::domain::attempts::ahead;
use crate::domain::reason::Reason;

/// How long another process is left alone after its last sign. At work, it signs every minute, and a list may lag behind.
const GRACE: TimeDelta = TimeDelta::minutes(4);
/// How far another host's clock may be ahead of ours for its signs to count.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(15);
/// How long a claim stands before it is believed: more than the time from somebody's look to his first write.
pub const SETTLE: TimeDelta = TimeDelta::seconds(10);

/// Another process is at work.
pub(super) fn rival(f: &Facts<'_>) -> Option<Decision> {
    // By his clock, which may be off; and by what this process has seen of him itself.
    let told = f.journal.sign_of_another(f.holder, f.now + CLOCKS_APART).map(|sign| sign + GRACE);
    let seen = f.stirred.map(|ago| f.now + GRACE - ago);
    let until = ahead(told.max(seen)?, f.now)?;
    Some(Decision::Wait { until, reason: Reason::AnotherHolder })
}

/// What whoever is not the keeper does about a decision that changes something: it waits, then claims.
pub(super) fn stand_by(f: &Facts<'_>, wish: Decision) -> Decision {
    let is_idle = matches!(wish, Decision::Wait { .. } | Decision::Ask(_) | Decision::NeedsHuman { .. });
    let steps_back = f.acting && !is_idle && f.journal.is_kept_by_another(f.holder);
    let Some(newest) = f.journal.ours().next().filter(|_| steps_back) else { return wish };
    let ordered = wish.reason().is_some_and(Reason::is_order);
    match f.stood_by < GRACE && !ordered {
        true => Decision::StandBy { wish: wish.name(), until: f.now + GRACE - f.stood_by },
        false => note(newest, Reason::Claimed, |_| ()),
    }
}

//! What one connection leaves to the next of the same ward, and what it leaves open where there is none.

use tokio_util::sync::CancellationToken;

use super::Connection;
use super::observe::{NEVER_SEEN, PAUSED};
use crate::domain::{Decision, Reason};

impl Connection {
    /// Goes on where another one has stopped that had the same secret and the same job: with the token that the vault would not
    /// take from it, and with what a list of the vault may not show yet.
    pub fn inherit(&mut self, before: Self) {
        let Self { unsaved, memory, open, .. } = before;
        self.progress.holds_in_memory_only(unsaved.is_some());
        (self.unsaved, self.memory, self.open) = (unsaved, memory, open);
    }

    /// What was to end it has been honoured. From now on this is.
    pub(super) fn go_on(&mut self, shutdown: CancellationToken) {
        self.shutdown = shutdown;
        self.progress.goes_on();
    }

    /// Others rotate meanwhile.
    pub(super) fn step_out_of_line(&mut self) {
        self.place = None;
    }

    /// Whether anything that was begun has not come to its end, as far as was seen.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty() || self.unsaved.is_some()
    }

    /// Whether no look has shown yet what is open.
    pub(super) fn is_unseen(&self) -> bool {
        self.unsaved.is_none() && self.open == [NEVER_SEEN]
    }

    /// The same in words; none where nothing is open.
    pub fn open(&self) -> Option<String> {
        let unsaved = self.unsaved.as_ref().map(|_| "a new token is in memory only");
        let paused = self.memory.pause().map(|_| PAUSED).filter(|paused| !self.open.contains(paused));
        let all: Vec<_> = paused.into_iter().chain(self.open.iter().copied()).chain(unsaved).collect();
        self.is_open().then(|| all.join("; "))
    }
}

/// Whether a failure in the middle of it may leave something open.
pub(super) const fn may_leave_open(decision: &Decision) -> bool {
    use Decision::{Adopt, Provision, Reinstate, Resume, Rotate, Start};
    matches!(decision, Rotate(_) | Resume { .. } | Adopt { .. } | Reinstate { .. } | Provision { .. } | Start { .. })
}

/// Whether it brings nothing to its end that was begun before.
pub(super) const fn begins_anew(decision: &Decision) -> bool {
    use Reason::{BootstrapIssue, LastSafeMoment, MaxAgeReached, NearingExpiry};
    match decision {
        Decision::Rotate(plan) => {
            matches!(plan.reason, NearingExpiry | MaxAgeReached | LastSafeMoment | BootstrapIssue)
        }
        Decision::Adopt { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::VersionId;

    fn version() -> VersionId {
        VersionId("v".to_owned())
    }

    #[test]
    fn disabling_an_old_version_leaves_nothing_open_and_whatever_gives_entra_a_token_may() {
        assert!(!may_leave_open(&Decision::Retire(vec![version()])));
        assert!(may_leave_open(&Decision::Resume { version: version(), reason: Reason::PendingToken }));
    }

    #[test]
    fn who_ends_what_was_begun_takes_no_token_over_and_resumes_one() {
        assert!(begins_anew(&Decision::Adopt { version: version(), reason: Reason::BootstrapAdopt }));
        assert!(!begins_anew(&Decision::Resume { version: version(), reason: Reason::PendingToken }));
    }
}

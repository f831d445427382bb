//! What there is to be done, as data.

use super::Question;
use crate::domain::Timestamp;
use crate::domain::journal::{Entry, Labels, VersionId};
use crate::domain::policy::Mode;
use crate::domain::reason::Reason;

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
    /// Nothing, until then: another process has the first say, and should be doing this.
    StandBy {
        /// The name of what there is to be done.
        wish: &'static str,
        /// When to look again.
        until: Timestamp,
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
    /// Store a rejected token again, as pending: it works by now.
    Reinstate {
        /// The rejected version.
        version: VersionId,
        /// Why.
        reason: Reason,
    },
    /// Store the current token again, as the latest version.
    Restate {
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
            | Self::Reinstate { reason, .. }
            | Self::Restate { reason }
            | Self::Provision { reason }
            | Self::Start { reason, .. }
            | Self::NeedsHuman { reason, .. } => Some(*reason),
            Self::Rotate(plan) => Some(plan.reason),
            Self::Retire(_) => Some(Reason::OldVersions),
            Self::StandBy { .. } => Some(Reason::StandingBy),
            Self::Ask(_) => None,
        }
    }

    /// One word for status and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Wait { .. } | Self::StandBy { .. } => "wait",
            Self::Ask(_) => "ask",
            Self::Note { .. } => "note",
            Self::Rotate(_) => "rotate",
            Self::Resume { .. } => "resume",
            Self::Adopt { .. } => "adopt",
            Self::Reinstate { .. } => "reinstate",
            Self::Restate { .. } => "restate",
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
    /// The current token is known to be dead: it proves nothing, there is nothing to go back to, and no cycle can be harmed.
    pub current_dead: bool,
    /// It must be assumed to be dead, since an answer in remove-current mode may be lost. A cycle may still live on it.
    pub current_doubtful: bool,
    /// The first token may have to be created.
    pub may_create: bool,
    /// The job is paused around the cutover.
    pub fenced: bool,
    /// The current token is in wrong hands: no gap is waited for, and nothing is asked that could keep it alive.
    pub compromised: bool,
}

/// The decision to write down what has been learnt.
pub(super) fn note(entry: Entry<'_>, reason: Reason, change: impl FnOnce(&mut Labels)) -> Decision {
    let mut labels = entry.labels.clone();
    change(&mut labels);
    Decision::Note { version: entry.version.id.clone(), labels: Box::new(labels), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decision_has_a_word_of_its_own() {
        let (until, reason, version) = (Timestamp::UNIX_EPOCH, Reason::NotDue, || VersionId("v".to_owned()));
        let named = [
            (Decision::Wait { until, reason }, "wait"),
            (Decision::Ask(Question::Saved), "ask"),
            (Decision::Resume { version: version(), reason }, "resume"),
            (Decision::Adopt { version: version(), reason }, "adopt"),
            (Decision::Reinstate { version: version(), reason }, "reinstate"),
            (Decision::Restate { reason }, "restate"),
            (Decision::Provision { reason }, "provision"),
            (Decision::Retire(vec![version()]), "retire"),
            (Decision::NeedsHuman { until, reason }, "needs-human"),
        ];
        for (decision, name) in named {
            assert_eq!(decision.name(), name);
        }
    }
}

//! How much a connection wants to be looked at. The headline, the badges and the order of the cards go by this alone.

use crate::admin::looks::Seen;
use crate::domain::{JobState, Reason, Timestamp};
use crate::engine::report::Kind;

/// The most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Care {
    /// Something is wrong.
    Unwell,
    /// The slack is low.
    Late,
    /// Nothing is wrong, and it is not certain that anybody is provisioned.
    Uncertain,
    /// None.
    Rests,
}

impl Care {
    /// Of a connection that is not well, or is.
    pub fn of(seen: &Seen, is_unwell: bool, now: Timestamp) -> Self {
        let low = seen.report.as_ref().and_then(|report| report.token.as_ref()?.slack_low());
        match low.is_some_and(|low| low <= now) {
            _ if is_unwell => Self::Unwell,
            true => Self::Late,
            false if doubt(seen).is_some() => Self::Uncertain,
            false => Self::Rests,
        }
    }
}

/// Whether no look has seen it yet.
pub fn is_unseen(seen: &Seen) -> bool {
    let is_refused = seen.report.as_ref().is_some_and(|report| report.standing.reason == Reason::ConfigRefused);
    seen.times.seen_well.is_none() && !is_refused
}

/// Why it is not certain that anybody is provisioned: in a word or two, and as a sentence.
pub fn doubt(seen: &Seen) -> Option<(&'static str, &'static str)> {
    let report = seen.report.as_ref().filter(|_| !is_unseen(seen))?;
    match (report.standing.kind, report.job.as_ref().map(|job| job.state)) {
        (Kind::Unknown, _) => Some(("not certain", "The last look could not tell how it stands.")),
        // A job that stands still without us may be meant to, and nobody is provisioned all the same.
        (Kind::Idle, Some(JobState::Paused)) => {
            Some(("job paused", "The provisioning job is paused: nobody is provisioned until somebody starts it."))
        }
        (Kind::Idle, Some(JobState::Quarantine)) => {
            Some(("in quarantine", "Entra keeps the provisioning job in quarantine: hardly anybody is provisioned."))
        }
        (Kind::Idle, Some(state)) if state != JobState::Active => {
            Some(("job does not run", "The provisioning job does not run: nobody is provisioned."))
        }
        _ => None,
    }
}

//! Who is called, and when a person's deeds or a known fault excuse what is seen.

use chrono::TimeDelta;
use scim_rotator::domain::{Reason, Timestamp};
use scim_rotator::engine::report::Kind;

use super::super::host::Desk;
use super::super::people::Deed;
use super::super::plan::{Accident, What};
use super::Judge;
use crate::sim::known;
use crate::world::Service;

impl Judge<'_> {
    /// A person has edited tags: the record of a pause may be gone with them.
    pub(super) fn edited(&self) -> bool {
        let edits = |accident: &Accident| matches!(accident.what, What::Person(Deed::Edits(..)));
        known::EDITED_PAUSE && self.plan.accidents.iter().any(edits)
    }

    /// The vault was away: a start of ours may not stand in it.
    pub(super) fn unwritten(&self) -> bool {
        let away = |accident: &Accident| {
            matches!(accident.what, What::Outage { service: Service::Vault | Service::EntraLogin, .. })
        };
        let deletes = |accident: &Accident| accident.what == What::Person(Deed::DeletesSecret);
        known::UNWRITTEN_START && self.plan.accidents.iter().any(|a| away(a) || deletes(a))
    }

    /// Whose journal a person has edited, he may be asked for a token.
    pub(super) fn asks_for_a_token(&self, reason: Reason) -> bool {
        let asks = matches!(reason, Reason::NothingToAdopt | Reason::JournalDamaged);
        asks && self.plan.accidents.iter().any(|a| matches!(a.what, What::Person(Deed::Edits(..))))
    }

    /// Whether a person is called, or was just now.
    pub(super) fn needs_human(&mut self, desk: &Desk, now: Timestamp) -> bool {
        let needed = desk.report.as_ref().is_some_and(|report| report.standing.kind == Kind::NeedsHuman);
        if needed {
            self.human = Some(now);
        }
        // A failure in between may hide it until the next look.
        needed || self.human.is_some_and(|at| now - at < TimeDelta::minutes(30))
    }

    /// Accidents alone are no reason to call a person, but for these two.
    pub(super) fn called_for_nothing(&self, desk: &Desk) -> Result<(), String> {
        let Some(standing) = desk.report.as_ref().map(|report| &report.standing) else { return Ok(()) };
        let legitimate = matches!(standing.reason, Reason::IssueBudgetSpent | Reason::PauseOfUnknownOrigin);
        match standing.kind == Kind::NeedsHuman && self.is_strict() && !legitimate {
            true => Err(format!("a person is called for nothing: {} {:?}", standing.reason, standing.error)),
            false => Ok(()),
        }
    }
}

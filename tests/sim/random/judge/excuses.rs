//! Who is called, and when a person's deeds or a known fault excuse what is seen.

use chrono::TimeDelta;
use scim_rotator::domain::{Reason, Timestamp};
use scim_rotator::engine::report::Kind;

use super::super::host::Desk;
use super::{Judge, RACE};
use crate::world::TakesEffect;

impl Judge<'_> {
    /// Whether a person is called, or was just now.
    pub(super) fn needs_human(&mut self, desk: &Desk, now: Timestamp) -> bool {
        let needed = desk.report.as_ref().is_some_and(|report| report.standing.kind == Kind::NeedsHuman);
        if needed {
            self.human = Some(now);
        }
        // A failure in between may hide it until the next look.
        needed || self.human.is_some_and(|at| now - at < TimeDelta::minutes(30))
    }

    /// What the other of two hosts says.
    pub fn beside(&mut self, desk: &Desk, now: Timestamp) -> Result<(), String> {
        self.needs_human(desk, now);
        self.called_for_nothing(desk)
    }

    /// A person paused the job when a process that was about to do so was killed, or after that before a cycle can have begun:
    /// whose pause it is, nobody can know.
    pub(super) fn paused_as_we_died(&self) -> bool {
        let after = |(paused, killed): (Timestamp, Timestamp)| paused - killed;
        let after = self.person_paused.zip(self.killed).map(after);
        after.is_some_and(|after| -RACE <= after && after <= self.plan.settings.cycle_interval.max(RACE))
    }

    /// Tokens take longer to take effect than the configuration says that anybody should wait: what follows converges, but
    /// cycles fail, more tokens than one are needed, and one that dies when the next takes effect looks stolen.
    pub(super) fn takes_too_long(&self) -> bool {
        matches!(self.plan.settings.takes_effect, TakesEffect::Delay(delay) if delay > self.plan.policy.settle_for)
    }

    /// Accidents alone are no reason to call a person, but for these.
    pub(super) fn called_for_nothing(&self, desk: &Desk) -> Result<(), String> {
        let Some(standing) = desk.report.as_ref().map(|report| &report.standing) else { return Ok(()) };
        let legitimate = match standing.reason {
            Reason::IssueBudgetSpent | Reason::PauseOfUnknownOrigin => true,
            Reason::RotatedElsewhere => self.takes_too_long(),
            _ => false,
        };
        match standing.kind == Kind::NeedsHuman && self.is_strict() && !legitimate {
            true => Err(format!("a person is called for nothing: {} {:?}", standing.reason, standing.error)),
            false => Ok(()),
        }
    }
}

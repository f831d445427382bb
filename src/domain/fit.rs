//! What a policy comes to for a token of a certain life. Where the two do not fit, the policy is cut down, and that is told.

use chrono::TimeDelta;

use super::attempts::ISSUE_PERIOD;
use super::policy::{Before, Policy};
use super::room;
use crate::words::about;

/// This part of its life is left to a token for which the policy is cut down.
const LEFT: i32 = 3;

/// At least this part of its life is used before a fixed time before the end counts. Such a time says nothing of the life that
/// it was chosen for: thirty days of a year are calm, and of 31 days they are a token and a pause each day. Where the policy is
/// cut down, a token is used for two thirds of its life. A policy that would use less than half of that was made for longer
/// lives, and is not taken at its word; from a third on, three tokens in a life, it is.
const LEAST_USED: i32 = 3;

/// What a policy comes to for a token of a certain life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The life.
    pub life: TimeDelta,
    /// How long before its end the policy asks for a rotation, which may be longer than the life.
    pub asked: TimeDelta,
    /// How long before its end it is rotated.
    pub before: TimeDelta,
    /// Its end minus this is the last safe moment.
    pub slack: TimeDelta,
    /// One of both is less than the policy says.
    pub clamped: bool,
}

impl Policy {
    /// How long before the end of such a life it asks for a rotation. None: for a share of it, and it is not known.
    pub fn asked(&self, life: Option<TimeDelta>) -> Option<TimeDelta> {
        match self.rotate_before {
            Before::Time(time) => Some(time),
            Before::Share(percent) => life.map(|life| life / 100 * i32::from(percent)),
        }
    }

    /// How much of such a life has to be used before a rotation may be wanted. A share is one of the life itself, so it is taken
    /// at its word; but policy alone never has two tokens made within a day. People, who bring tokens, are asked for the next
    /// one as early as it says.
    pub fn least_used(&self, life: TimeDelta) -> TimeDelta {
        match self.rotate_before {
            _ if self.supplied => TimeDelta::seconds(1),
            Before::Time(_) => ISSUE_PERIOD.max(life / LEAST_USED),
            Before::Share(_) => ISSUE_PERIOD,
        }
    }

    /// The policy for a token of this life. It never comes to more than the policy says.
    pub fn fit(&self, life: TimeDelta) -> Fit {
        let life = life.max(TimeDelta::zero());
        let asked = self.asked(Some(life)).unwrap_or(life);
        let is_early = life - asked < self.least_used(life);
        let before = if is_early { asked.min(life / LEFT) } else { asked };
        let slack = if self.min_slack > before { before / 2 } else { self.min_slack };
        Fit { life, asked, before, slack, clamped: before < asked || slack < self.min_slack }
    }

    /// The shortest life that it fits as it is.
    pub fn shortest_life(&self) -> TimeDelta {
        let most = |part: TimeDelta, percent: u8| part * 100 / i32::from(percent).max(1);
        match self.rotate_before {
            Before::Time(time) if self.supplied => time + self.least_used(time),
            Before::Time(time) => (time + ISSUE_PERIOD).max(time * LEAST_USED / (LEAST_USED - 1)),
            Before::Share(left) => {
                let least = self.least_used(TimeDelta::zero());
                most(self.min_slack, left).max(most(least, 100_u8.saturating_sub(left)))
            }
        }
    }
}

impl Fit {
    /// What of the policy does not fit the token's life, and what it comes to instead.
    pub fn misfits(&self, policy: &Policy) -> Vec<String> {
        const SHORT: &str = "the token lives shorter than the policy thinks";
        let Self { life, asked, before, slack, clamped } = *self;
        let [life_is, asked_is, before_is, slack_is] = [life, asked, before, slack].map(about);
        let mut misfits = Vec::new();
        if before < asked {
            let why = match life - asked {
                used if used > TimeDelta::zero() => {
                    format!("leaves only {} of its life ({life_is}) to be used", about(used))
                }
                _ => format!("is not shorter than its life ({life_is})"),
            };
            misfits.push(format!(
                "{SHORT}: rotate_before_expiry ({asked_is}) {why}, so it is rotated {before_is} before its end instead"
            ));
        }
        if slack < policy.min_slack {
            misfits.push(format!(
                "{SHORT}: min_slack ({}) is longer than the {before_is} that are left of its life ({life_is}) when it is due, so \
                 the last safe moment is {slack_is} before its end instead",
                about(policy.min_slack)
            ));
        }
        if let Some(objection) = room::objection_to(policy, self) {
            // What raising or lowering would do to a value that is not in force, nobody can tell.
            let remedy = Some(objection.remedy).filter(|_| !clamped).map(|remedy| format!(". {remedy}"));
            misfits.push(format!(
                "this token, which lives for {life_is}, cannot be kept as the policy asks: {}{}",
                objection.why,
                remedy.unwrap_or_default()
            ));
        }
        misfits
    }
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;

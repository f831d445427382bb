//! How many tokens may be issued: the bounds of DESIGN.md, held against the world's own clock.

use std::collections::{BTreeSet, VecDeque};

use chrono::TimeDelta;
use scim_rotator::domain::Timestamp;
use scim_rotator::domain::policy::Before;

use super::plan::Plan;
use crate::world::{Fault, Op, World};

const DAY: TimeDelta = TimeDelta::hours(24);

/// Counts issues and what excuses them.
pub struct Bounds {
    /// How often the process went away, or a second one came.
    pub crashes: u32,
    /// Tokens that a person has asked for.
    pub ordered: u32,
    /// Tokens that HPE spoilt.
    pub refused: u32,
    /// The most that the daemon's clock was ever wrong.
    pub skew: TimeDelta,
    /// Answers that were lost with a token in them.
    pub lost: u32,
    /// How often the daemon's clock was stepped.
    pub steps: u32,
    last_step: Option<Timestamp>,
    recent: VecDeque<Timestamp>,
    rejected: BTreeSet<usize>,
    /// A token is due at this age, at the earliest.
    age: TimeDelta,
}

impl Bounds {
    pub fn new(plan: &Plan) -> Self {
        let life = plan.settings.token_life;
        let before = match plan.policy.rotate_before {
            Before::Time(time) => time,
            Before::Share(percent) => life / 100 * i32::from(percent),
        };
        let age = (life - before).min(plan.policy.max_age.unwrap_or(life));
        Self {
            crashes: 0,
            ordered: 0,
            refused: 0,
            skew: TimeDelta::zero(),
            lost: 0,
            steps: 0,
            last_step: None,
            recent: VecDeque::new(),
            rejected: BTreeSet::new(),
            age,
        }
    }

    /// The daemon's clock was stepped: for a day its own count of a day may be wrong.
    pub fn clock_stepped(&mut self, now: Timestamp) {
        self.steps += 1;
        self.last_step = Some(now);
    }

    /// A call went wrong.
    pub fn fault(&mut self, op: Op, fault: Fault) {
        if op == Op::Issue && fault.applies() {
            self.lost += 1;
        }
    }

    /// A version was labelled.
    pub fn labelled(&mut self, version: usize, stage: Option<&str>) {
        if stage == Some("rejected") {
            self.rejected.insert(version);
        }
    }

    /// The daemon had a token issued.
    pub fn issued(&mut self, at: Timestamp) -> Result<(), String> {
        let stepped = self.last_step.is_some_and(|step| at - step < DAY);
        if let Some(last) = self.recent.back().filter(|last| at - **last < TimeDelta::minutes(1))
            && !stepped
        {
            return Err(format!("(4) two issues within {} seconds", (at - *last).num_seconds()));
        }
        self.recent.push_back(at);
        while self.recent.front().is_some_and(|first| at - *first >= DAY) {
            self.recent.pop_front();
        }
        match self.recent.len() > if stepped { 8 } else { 4 } {
            true => Err(format!("(4) {} issues within a day", self.recent.len())),
            false => Ok(()),
        }
    }

    /// Issued ≤ due rotations + orders + crashes + lost answers + refused tokens (and one for each step of the clock).
    pub fn at_the_end(&self, world: &World, start: Timestamp) -> Result<(), String> {
        let lived = world.now() - start + self.skew;
        let due = lived.num_seconds() / (self.age - self.skew).num_seconds().max(1);
        let refused = self.refused.max(u32::try_from(self.rejected.len()).unwrap_or(u32::MAX));
        let most = due + i64::from(self.ordered + self.crashes + self.lost + refused + self.steps);
        match i64::from(world.ledger.issued) > most {
            true => Err(format!(
                "(4) {} issues, where {due} were due and {} asked for, {} crashes, {} lost answers, {refused} refused tokens and {} steps of the clock",
                world.ledger.issued, self.ordered, self.crashes, self.lost, self.steps
            )),
            false => Ok(()),
        }
    }
}

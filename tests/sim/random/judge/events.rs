//! What has happened since the last step, event by event.

use chrono::TimeDelta;
use scim_rotator::domain::{Mode, Timestamp};

use super::{BUSY, Judge, RACE, REPEATED};
use crate::world::{Event, Op, TakesEffect, Who, World};

impl Judge<'_> {
    /// Reads the story on, and judges what stands in it.
    pub(super) fn events(&mut self, world: &World, now: Timestamp) -> Result<(), String> {
        let skip = self.read - world.ledger.forgotten().min(self.read);
        let mut paused = None;
        // A process that has just begun knows what the one before it did from a list that lags.
        let race = RACE + world.settings.list_lag;
        for (at, event) in world.ledger.events().skip(skip) {
            self.read += 1;
            match event {
                Event::Issued { token, by, .. } => {
                    self.made.insert(*token, *at);
                    self.rotating = true;
                    if *by == Who::Daemon {
                        self.bounds.issued(*at)?;
                        self.issued_in_spite_of_a_hold(world, *at)?;
                    }
                }
                Event::SiblingLost { .. } if self.last_deed.is_some_and(|deed| *at - deed <= RACE) => {
                    self.setting_raced = true;
                }
                Event::Fault { op, fault } => {
                    self.disturbed(now);
                    self.bounds.fault(*op, *fault);
                    if *op == Op::Pause {
                        self.pause_failed = Some(*at);
                    }
                }
                Event::Died { token, why: "its life is over" } => drop(self.expired.insert(*token)),
                Event::Saved { token: Some(token) } => {
                    self.rotating = false;
                    self.tally.saved.insert(*token);
                }
                Event::Labelled { version, stage, enabled } => {
                    self.bounds.labelled(*version, stage.as_deref());
                    self.rotating &= stage.as_deref() != Some("rejected");
                    if !enabled || stage.as_deref() == Some("rejected") {
                        self.good_one_put_aside(world, *version)?;
                    }
                }
                Event::OutageBegan { .. } => self.exposed = true,
                Event::OutageEnded { .. } => self.exposed = false,
                Event::CyclesSucceeded { .. } => self.started_exposed = false,
                Event::Paused { by: Who::Person } => {
                    (paused, self.person_paused) = (Some(*at), Some(*at));
                    // Ours may have been carried out as far as we know, so that his is taken for it.
                    let doubtful = self.pause_failed.is_some_and(|failed| *at - failed <= REPEATED);
                    // Nor can anybody tell that ours had ended before.
                    self.violations += u32::from(doubtful || self.pause_lost);
                    self.pause_lost = false;
                }
                Event::Started { by } => {
                    self.pause_lost = *by == Who::Person && self.ours;
                    self.ours = false;
                    if *by == Who::Person {
                        // Who starts a job that he has paused himself, while we cannot see it or a rotation is under way,
                        // starts it with whatever Entra holds.
                        self.started_exposed = self.exposed || self.rotating || self.calm > *at;
                    }
                }
                Event::Quarantined { .. } => self.pause_lost |= std::mem::take(&mut self.ours),
                Event::Paused { by: Who::Daemon } => {
                    // A person was quicker by so little that nobody could know.
                    let raced = world.jobs()[0].paused_by == Some(Who::Person)
                        && self.last_deed.max(paused).is_some_and(|deed| *at - deed <= race);
                    self.violations += u32::from(raced);
                    (self.ours, self.pause_lost) = (true, false);
                }
                Event::Violation { .. } => {
                    let quicker = self.last_deed.is_some_and(|deed| *at - deed <= race);
                    self.violations += u32::from(quicker || self.paused_as_we_died());
                }
                Event::CycleFailed { token, refused: true } => self.cycle_fails(*token)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Nobody asks again and again without a pause.
    pub(super) fn hot_loop(&mut self, now: Timestamp, calls: u64) -> Result<(), String> {
        if now - self.hour.0 > TimeDelta::hours(1) {
            self.hour = (now, calls);
        }
        match calls - self.hour.1 > BUSY {
            true => Err(format!("more than {BUSY} calls within an hour")),
            false => Ok(()),
        }
    }

    /// (2), (3): no cycle fails where the fence stands, nor where the old token lives on; unless the new one takes longer to
    /// take effect than anybody waits for it.
    fn cycle_fails(&self, token: Option<u32>) -> Result<(), String> {
        let policy = &self.plan.policy;
        let overlap = policy.mode == Mode::Overlap;
        let lives_on = overlap && self.plan.settings.takes_effect == TakesEffect::OwnExpiry;
        let promised = (policy.fences(policy.mode) && !self.takes_too_long()) || lives_on;
        // A token that dies of old age has had its slack: it is excused only if accidents have used that up.
        let slack_used = token.is_some_and(|token| self.expired.contains(&token))
            && self.taken + self.bounds.skew >= self.plan.policy.min_slack;
        match self.is_strict() && promised && !slack_used && !self.started_exposed {
            true => Err(format!("(2) a provisioning cycle fails with token {token:?}")),
            false => Ok(()),
        }
    }

    /// (10): no version is put aside that holds what Entra uses, unless another one holds it too.
    fn good_one_put_aside(&self, world: &World, version: usize) -> Result<(), String> {
        let versions = world.versions();
        let Some(aside) = versions.get(version - 1) else { return Ok(()) };
        let used = world.token_number(&aside.value);
        let good = used.is_some() && used == world.saved_token() && world.entra_holds_a_working_token();
        let elsewhere = versions.iter().any(|other| {
            other.value == aside.value
                && other.enabled
                && other.tags.get("stage").is_none_or(|stage| stage != "rejected")
        });
        match good && !elsewhere && self.is_strict() && !self.takes_too_long() {
            true => Err(format!("(10) version {version} is put aside although Entra uses its token")),
            false => Ok(()),
        }
    }
}

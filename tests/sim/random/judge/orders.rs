//! What people ask of the daemon: each is told what came of it, and what he is told is true.

use scim_rotator::domain::{Order, Timestamp};
use scim_rotator::engine::Report;
use scim_rotator::engine::fleet::InLine;
use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::TryRecvError;

use super::Judge;
use crate::world::{PutReading, World};

/// An order that was taken.
pub(super) struct Asked {
    order: Order,
    at: Timestamp,
    /// What Entra held.
    saved: Option<u32>,
    is_joined: bool,
    /// Something else than a hold was asked for after it.
    is_overtaken: bool,
    heard: Receiver<Report>,
}

impl Judge<'_> {
    /// A person asks, and is heard.
    pub fn asked(&mut self, order: Order, place: InLine, heard: Receiver<Report>, world: &World) {
        let rotates = matches!(order, Order::Rotate { .. });
        // Whoever joins what was asked for before is told of that.
        let is_joined = place == InLine::Joined;
        self.bounds.ordered += u32::from(rotates && !is_joined);
        if !matches!(order, Order::Hold { .. }) {
            // It may be rotated from now on.
            self.held = None;
            self.asked.iter_mut().for_each(|before| before.is_overtaken = true);
        }
        let (at, saved) = (world.now(), world.saved_token());
        self.asked.push(Asked { order, at, saved, is_joined, is_overtaken: false, heard });
    }

    /// Hears what is answered by now.
    pub(super) fn answers(&mut self, world: &World, now: Timestamp) -> Result<(), String> {
        for mut asked in std::mem::take(&mut self.asked) {
            let name = asked.order.name();
            match asked.heard.try_recv() {
                Ok(report) => self.answered(&asked, &report, world)?,
                // The process has ended, or was configured otherwise: whoever asks again is told.
                Err(TryRecvError::Closed) => (),
                // It waits for what is under way, and that for a gap between two cycles.
                Err(TryRecvError::Empty) if now - asked.at.max(self.calm) > self.patience() * 2 => {
                    return Err(format!("who has asked for {name} is never told what came of it"));
                }
                Err(TryRecvError::Empty) => self.asked.push(asked),
            }
        }
        Ok(())
    }

    fn answered(&mut self, asked: &Asked, report: &Report, world: &World) -> Result<(), String> {
        let name = asked.order.name();
        let Some(done) = &report.obeyed else { return Ok(()) };
        if done.succeeded {
            self.tally.obeyed += 1;
        }
        match &asked.order {
            Order::Hold { until } if done.succeeded && !asked.is_overtaken => self.held = Some(*until),
            Order::Rotate { .. } if done.succeeded && !asked.is_joined && !self.is_second_there(world.now()) => {
                // That a PUT was ignored shows after an hour.
                let shows_late = self.plan.settings.put == PutReading::IgnoresFirst;
                if self.is_strict() && world.saved_token() == asked.saved && !shows_late {
                    return Err(format!("{name} is told as done ({}), and Entra holds no new token", done.reason));
                }
            }
            _ => (),
        }
        Ok(())
    }

    /// A hold is kept as long as nothing is at stake.
    pub(super) fn issued_in_spite_of_a_hold(&self, world: &World, at: Timestamp) -> Result<(), String> {
        let nothing_at_stake = at - self.calm > self.patience() && !self.exposed && self.is_strict();
        let last_safe = self.last_safe(world).is_none_or(|safe| at > safe - self.bounds.skew);
        match self.held.is_some_and(|until| at < until - self.bounds.skew) && nothing_at_stake && !last_safe {
            true => Err("a token is issued within a hold".to_owned()),
            false => Ok(()),
        }
    }
}

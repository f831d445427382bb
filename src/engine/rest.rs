//! A connection between two looks: for nearly all of its life there is nothing to do, and of thousands only what they must
//! not forget is to be kept. Their edges are made anew for each look.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::others::Others;
use super::{Connection, Ports, Progress, Spec};
use crate::domain::Timestamp;
use crate::domain::attempts::Attempts;
use crate::ports::Clock;

/// Makes what a connection is and what it works with, each time the same.
pub type Means = Arc<dyn Fn() -> (Arc<Spec>, Ports) + Send + Sync>;

/// Whoever looks again this soon does not rest: what its edges have at hand, such as a bearer of HPE, may still be good by then.
pub(super) const SOON: TimeDelta = TimeDelta::minutes(15);

/// What is left of a connection that rests.
pub struct Resting {
    means: Means,
    progress: Arc<Progress>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    began: Option<TimeDelta>,
    others: Others,
    open: Vec<&'static str>,
    calm: bool,
    introduced: bool,
}

impl Resting {
    /// What it is doing, which is nothing.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Its clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The connection as it was.
    pub fn wake(self) -> Connection {
        let Self { means, progress, shutdown, began, others, open, calm, introduced, clock: _ } = self;
        let (spec, ports) = means();
        let means = Some(means);
        let new = Connection::unknown(spec, ports, shutdown);
        Connection { means, progress, began, others, open, calm, introduced, ..new }
    }
}

impl Connection {
    /// A connection that has not looked yet, and that may rest: its edges can be made at any time.
    pub fn made_by(means: Means, shutdown: CancellationToken) -> Self {
        let (spec, ports) = means();
        Self { means: Some(means), ..Self::new(spec, ports, shutdown) }
    }

    /// Whether it can be had again from the little that it must not forget: not while anything is waited out, owed, or in
    /// memory only.
    pub(super) fn can_rest(&self) -> bool {
        let is_busy = self.unsaved.is_some()
            || self.has_lost_token()
            || self.failure.is_some()
            || self.attempts != Attempts::default()
            || self.order.is_some()
            || self.standing_by.is_some()
            || self.place.is_some();
        self.means.is_some() && !is_busy && self.memory.is_over(self.ports.clock.elapsed())
    }

    /// Takes that out, if it can rest. What is left is good for nothing any more.
    pub fn rest(&mut self) -> Option<Box<Resting>> {
        let means = self.means.clone().filter(|_| self.can_rest())?;
        let mut open = std::mem::take(&mut self.open);
        open.shrink_to_fit();
        Some(Box::new(Resting {
            means,
            progress: Arc::clone(&self.progress),
            clock: Arc::clone(&self.ports.clock),
            shutdown: self.shutdown.clone(),
            began: self.began,
            others: std::mem::take(&mut self.others),
            open,
            calm: self.calm,
            introduced: self.introduced,
        }))
    }

    /// Whether there is time to rest until then.
    pub(super) fn has_time(&self, next: Timestamp) -> bool {
        next - self.ports.clock.now() >= SOON
    }
}

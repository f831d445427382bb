//! What the engine is doing, for those who watch: the loop's pulse, the step it is in, and what it did last.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::domain::{Reason, Timestamp};

/// Shared between a connection's loop and whoever reports on it.
#[derive(Debug)]
pub struct Progress {
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
struct State {
    pulse: Instant,
    step: Option<&'static str>,
    last: Option<LastAction>,
}

/// The last thing that was done, and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct LastAction {
    /// When it ended.
    pub at: Timestamp,
    /// `rotate`, `resume`, …
    pub action: &'static str,
    /// Why it was done, or why it failed.
    pub reason: Reason,
    /// Whether it was carried through.
    pub succeeded: bool,
    /// The failure, with its causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { state: Mutex::new(State { pulse: Instant::now(), step: None, last: None }) }
    }
}

impl Progress {
    /// The loop turns.
    pub fn beat(&self) {
        self.with(|state| state.pulse = Instant::now());
    }

    /// How long ago it last turned. The watchdog lives on this, by the monotonic clock.
    pub fn since_beat(&self) -> Duration {
        self.with(|state| state.pulse.elapsed())
    }

    /// A step begins.
    pub fn enter(&self, step: &'static str) {
        self.with(|state| {
            state.pulse = Instant::now();
            state.step = Some(step);
        });
        tracing::info!(step, "{step}");
    }

    /// An action has ended.
    pub fn ended(&self, last: LastAction) {
        self.with(|state| {
            state.step = None;
            state.last = Some(last);
        });
    }

    /// The step that is being carried out.
    pub fn step(&self) -> Option<&'static str> {
        self.with(|state| state.step)
    }

    /// The last thing done.
    pub fn last(&self) -> Option<LastAction> {
        self.with(|state| state.last.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

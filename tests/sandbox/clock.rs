//! The sandbox's time: the real clock, run faster. The one place under tests/ that reads the real clock.

use chrono::{TimeDelta, Utc};

use crate::world::Timestamp;

/// The real time: what a world's `start` is to be when it is served.
#[expect(clippy::disallowed_methods, reason = "the sandbox serves real processes, which live in real time")]
pub fn real_now() -> Timestamp {
    Utc::now()
}

/// `anchor + (real − anchor) · speed`: the formula by which the daemon's own sandbox clock runs.
#[derive(Clone, Copy, Debug)]
pub struct FastClock {
    /// The moment at which real and world time are the same.
    pub anchor: Timestamp,
    /// World seconds per real second.
    pub speed: f64,
}

impl FastClock {
    /// The world's time now.
    pub fn now(self) -> Timestamp {
        self.at(real_now())
    }

    /// The world's time at a real moment.
    pub fn at(self, real: Timestamp) -> Timestamp {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a demo are far below 2^52")]
        let passed = (real - self.anchor).num_microseconds().unwrap_or(i64::MAX) as f64;
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        let passed = (passed * self.speed) as i64;
        self.anchor + TimeDelta::microseconds(passed)
    }
}

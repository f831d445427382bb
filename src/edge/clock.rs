//! The only place where the clock is read.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};

use crate::domain::Timestamp;
use crate::ports::Clock;

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        real_now()
    }

    fn elapsed(&self) -> TimeDelta {
        TimeDelta::from_std(real_elapsed()).unwrap_or(TimeDelta::MAX)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that runs `speed` times as fast as the machine's, from `anchor` on: for a sandbox in which a year passes in
/// a minute. Two processes with the same anchor and speed agree on the time.
#[derive(Clone, Copy, Debug)]
pub struct SandboxClock {
    /// The moment at which both clocks show the same.
    pub anchor: Timestamp,
    /// Sandbox seconds per real second; 0 counts as 1.
    pub speed: u32,
}

impl SandboxClock {
    fn at(&self, real: Timestamp) -> Timestamp {
        let speed = i32::try_from(self.speed.max(1)).unwrap_or(i32::MAX);
        let passed = (real - self.anchor).checked_mul(speed).unwrap_or(TimeDelta::MAX);
        self.anchor.checked_add_signed(passed).unwrap_or(Timestamp::MAX_UTC)
    }
}

#[async_trait]
impl Clock for SandboxClock {
    fn now(&self) -> Timestamp {
        self.at(real_now())
    }

    fn elapsed(&self) -> TimeDelta {
        TimeDelta::from_std(real_elapsed().saturating_mul(self.speed.max(1))).unwrap_or(TimeDelta::MAX)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration / self.speed.max(1)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
fn real_now() -> Timestamp {
    Utc::now()
}

/// Since this was asked for the first time in this process.
fn real_elapsed() -> Duration {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_clock_runs_faster_from_its_anchor_on() {
        let anchor = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = SandboxClock { anchor, speed: 3600 };
        assert_eq!(clock.at(anchor), anchor);
        assert_eq!(clock.at(anchor + TimeDelta::seconds(2)), anchor + TimeDelta::hours(2));
        assert_eq!(clock.at(anchor - TimeDelta::seconds(1)), anchor - TimeDelta::hours(1));
    }

    #[test]
    fn a_speed_beyond_all_calendars_does_not_panic() {
        let anchor = Timestamp::from_timestamp(0, 0).unwrap();
        let clock = SandboxClock { anchor, speed: u32::MAX };
        assert_eq!(clock.at(anchor + TimeDelta::days(20_000)), Timestamp::MAX_UTC);
    }

    #[tokio::test(start_paused = true)]
    async fn the_sandbox_sleeps_so_much_less() {
        let clock = SandboxClock { anchor: Timestamp::UNIX_EPOCH, speed: 60 };
        let before = tokio::time::Instant::now();
        clock.sleep(Duration::from_secs(60)).await;
        assert_eq!(before.elapsed().as_secs(), 1);
    }
}

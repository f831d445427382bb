//! A clock that nobody has set yet, or that has lost its date. A host without a battery begins in 1970, until its time service
//! has spoken: whatever was decided or written down by such a clock would be wrong by decades.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta};

use crate::domain::Timestamp;
use crate::ports::Clock;

/// No clock that has been set shows a year before this one.
const EARLIEST_YEAR: i32 = 2020;
/// How often the clock is compared while it is waited for.
const COMPARE: Duration = Duration::from_secs(1);

/// What is wrong with a clock that shows `now`, and what to do about it. None, if nothing is.
pub fn complaint(now: Timestamp) -> Option<String> {
    let earliest = NaiveDate::from_ymd_opt(EARLIEST_YEAR, 1, 1)?;
    (now.date_naive() < earliest).then(|| {
        format!(
            "this host's clock shows {}, so nobody has set it yet: start its time service (timedatectl set-ntp true), or set it",
            now.format("%Y-%m-%d %H:%M:%S UTC")
        )
    })
}

/// A clock that has once been set, and goes on when it falls before 2020: its moments are then reckoned from the last one that
/// could be believed, by the clock that nobody sets. That one may have slept with the host, so nothing new is begun by such
/// moments (see [`complaint`] of [`Clock::shown`]); what is under way is dated by them and comes to its end.
pub struct SaneClock {
    wall: Arc<dyn Clock>,
    /// The last moment that could be believed, and when that was by `elapsed`.
    believed: Mutex<Option<(Timestamp, TimeDelta)>>,
}

impl SaneClock {
    /// Over the clock of this host.
    pub fn over(wall: Arc<dyn Clock>) -> Self {
        Self { wall, believed: Mutex::default() }
    }
}

#[async_trait]
impl Clock for SaneClock {
    fn now(&self) -> Timestamp {
        let (shown, elapsed) = (self.wall.now(), self.wall.elapsed());
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        if complaint(shown).is_none() {
            *believed = Some((shown, elapsed));
        }
        believed.and_then(|(at, since)| at.checked_add_signed(elapsed - since)).unwrap_or(shown)
    }

    fn shown(&self) -> Timestamp {
        self.wall.shown()
    }

    fn elapsed(&self) -> TimeDelta {
        self.wall.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        self.wall.sleep(duration).await;
    }
}

/// Returns once the clock has been set.
pub async fn wait(clock: &dyn Clock) {
    if let Some(what) = complaint(clock.now()) {
        tracing::warn!("{what}; nothing is looked at before that");
        while complaint(clock.now()).is_some() {
            tokio::time::sleep(COMPARE).await;
        }
        tracing::info!("the clock has been set");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_believed_from_2020_on() {
        let at = |text: &str| complaint(text.parse().unwrap());
        assert!(at("1970-01-01T00:00:12Z").unwrap().contains("1970-01-01 00:00:12 UTC"));
        assert!(at("2019-12-31T23:59:59Z").is_some());
        assert_eq!(at("2020-01-01T00:00:00Z"), None);
    }

    /// A clock that a test sets: what it shows, and the seconds that have passed.
    struct Wall(Mutex<(&'static str, i64)>);

    #[async_trait]
    impl Clock for Wall {
        fn now(&self) -> Timestamp {
            self.0.lock().unwrap().0.parse().unwrap()
        }

        fn elapsed(&self) -> TimeDelta {
            TimeDelta::seconds(self.0.lock().unwrap().1)
        }

        async fn sleep(&self, _: Duration) {}
    }

    #[test]
    fn a_clock_that_falls_before_2020_is_reckoned_on_until_it_is_set_again_and_shows_its_fall() {
        let wall = Arc::new(Wall(Mutex::new(("1970-01-01T00:00:00Z", 5))));
        let clock = SaneClock::over(wall.clone());
        let said = |shown, seconds| {
            *wall.0.lock().unwrap() = (shown, seconds);
            let moments = [clock.now(), clock.shown()].map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string());
            (moments, complaint(clock.shown()).is_some())
        };
        let both = |now: &str, shown: &str| [now.to_owned(), shown.to_owned()];
        for (shown, seconds, now, falls) in [
            ("1970-01-01T00:00:09Z", 9, "1970-01-01 00:00:09", true),
            ("2027-03-01T12:00:00Z", 10, "2027-03-01 12:00:00", false),
            ("2019-12-31T23:59:59Z", 70, "2027-03-01 12:01:00", true),
            ("1970-01-01T00:00:00Z", 3610, "2027-03-01 13:00:00", true),
            ("2027-03-09T00:00:00Z", 3611, "2027-03-09 00:00:00", false),
            ("2027-03-08T00:00:00Z", 3612, "2027-03-08 00:00:00", false),
        ] {
            let plain = shown.replace('T', " ").replace('Z', "");
            assert_eq!(said(shown, seconds), (both(now, &plain), falls), "{shown}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_nobody_has_set_is_waited_for() {
        let wall = Wall(Mutex::new(("1970-01-01T00:00:00Z", 0)));
        let sets = async {
            tokio::time::sleep(Duration::from_secs(90)).await;
            wall.0.lock().unwrap().0 = "2027-03-01T12:00:00Z";
        };
        let began = tokio::time::Instant::now();
        futures::join!(wait(&wall), sets);
        assert!((90..=91).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    }
}

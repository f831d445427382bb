//! A clock that nobody has set yet, or that has lost its date. A host without a battery begins in 1970, until its time service
//! has spoken: whatever was decided or written down by such a clock would be wrong by decades.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta};
use futures::future::BoxFuture;

use crate::domain::Timestamp;
use crate::ports::Clock;

/// No clock that has been set shows a year before this one.
const EARLIEST_YEAR: i32 = 2020;
/// Two clocks that lie further apart are not two that nobody looks after: one of them is wrong.
const APART: TimeDelta = TimeDelta::days(1);
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

/// Whether a clock that shows `now` is so far from the far side's that it is wrong, and that one is believed.
pub fn is_astray(now: Timestamp, far: Timestamp) -> bool {
    (now - far).abs() > APART
}

/// A clock that has once been set, and goes on when it falls before 2020: its moments are then reckoned from the last one that
/// could be believed, by the clock that nobody sets. That one may have slept with the host, so nothing new is begun by such
/// moments (see [`complaint`] of [`Clock::shown`]); what is under way is dated by them and comes to its end.
///
/// One that is more than a day from Microsoft's goes by that: a token would be dead, or alive, by this host alone. Where the two
/// have parted since Microsoft told the time, the host has slept or was set, and only another answer tells which: until then
/// [`Clock::is_in_doubt`].
pub struct SaneClock {
    wall: Arc<dyn Clock>,
    /// The last moment that could be believed, and when that was by `elapsed`.
    believed: Mutex<Option<(Timestamp, TimeDelta)>>,
    heard: Mutex<Option<Heard>>,
}

/// What the far side said last.
#[derive(Clone, Copy)]
struct Heard {
    far: Timestamp,
    /// When, by `elapsed`.
    told: TimeDelta,
    /// Where the two lay too far apart: what this host's clock is to be corrected by.
    correction: Option<TimeDelta>,
}

impl Heard {
    /// Whether `now` is too far from what the far side's clock shows by now, if this host has not slept since.
    fn denies(&self, now: Timestamp, elapsed: TimeDelta) -> bool {
        is_astray(now, self.far + (elapsed - self.told))
    }
}

impl SaneClock {
    /// Over the clock of this host.
    pub fn over(wall: Arc<dyn Clock>) -> Self {
        Self { wall, believed: Mutex::default(), heard: Mutex::default() }
    }

    fn heard(&self) -> MutexGuard<'_, Option<Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By this host alone.
    fn reckoned(&self) -> Timestamp {
        let (shown, elapsed) = (self.wall.now(), self.wall.elapsed());
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        if complaint(shown).is_none() {
            *believed = Some((shown, elapsed));
        }
        believed.and_then(|(at, since)| at.checked_add_signed(elapsed - since)).unwrap_or(shown)
    }
}

#[async_trait]
impl Clock for SaneClock {
    fn now(&self) -> Timestamp {
        let (reckoned, elapsed) = (self.reckoned(), self.wall.elapsed());
        // One that somebody has set since is right again, although nobody was asked yet.
        let heard = self.heard().filter(|heard| heard.denies(reckoned, elapsed));
        heard.and_then(|heard| reckoned.checked_add_signed(heard.correction?)).unwrap_or(reckoned)
    }

    fn told(&self, far: Timestamp, asked: Timestamp) {
        let (here, told) = (self.reckoned(), self.wall.elapsed());
        let mut heard = self.heard();
        let before = heard.and_then(|heard| heard.correction);
        let correction = match (is_astray(here, far), is_astray(asked, far)) {
            (true, true) => Some(far - here),
            // Where the host slept over an answer, or was set meanwhile, that tells a moment between the two.
            (true, false) => before,
            (false, _) => None,
        };
        *heard = Some(Heard { far, told, correction });
        drop(heard);
        match (before, correction) {
            (None, Some(_)) => tracing::error!(
                %far,
                "this host's clock is more than a day from Microsoft Graph's, which is believed: set it"
            ),
            (Some(_), None) => tracing::info!("this host's clock is right again"),
            _ => (),
        }
    }

    fn is_in_doubt(&self) -> bool {
        let (now, elapsed) = (self.now(), self.wall.elapsed());
        self.heard().is_some_and(|heard| heard.denies(now, elapsed))
    }

    fn shown(&self) -> Timestamp {
        self.wall.shown()
    }

    fn elapsed(&self) -> TimeDelta {
        self.wall.elapsed()
    }

    // As `async_trait` has it: the wall's own future, and none around it.
    fn sleep<'life, 'async_trait>(&'life self, duration: Duration) -> BoxFuture<'async_trait, ()>
    where
        'life: 'async_trait,
    {
        self.wall.sleep(duration)
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

    #[test]
    fn a_clock_that_is_more_than_a_day_from_the_far_sides_goes_by_that_until_it_is_right_again() {
        let wall = Arc::new(Wall(Mutex::new(("2027-03-01T12:00:00Z", 0))));
        let clock = SaneClock::over(wall.clone());
        for (shown, seconds, far, now) in [
            ("2027-03-01T12:00:00Z", 0, Some("2027-03-02T12:00:00Z"), "2027-03-01T12:00:00Z"),
            ("2027-03-01T12:00:00Z", 0, Some("2027-03-02T12:00:01Z"), "2027-03-02T12:00:01Z"),
            ("2027-03-01T12:00:09Z", 9, None, "2027-03-02T12:00:10Z"),
            ("2027-03-02T12:00:10Z", 9, None, "2027-03-02T12:00:10Z"),
            ("2027-03-01T12:00:09Z", 9, Some("2027-02-28T12:00:08Z"), "2027-02-28T12:00:08Z"),
            ("2027-03-01T12:00:10Z", 10, Some("2027-03-01T11:00:00Z"), "2027-03-01T12:00:10Z"),
        ] {
            *wall.0.lock().unwrap() = (shown, seconds);
            far.into_iter().for_each(|far| clock.told(far.parse().unwrap(), shown.parse().unwrap()));
            let shows = [clock.now(), clock.shown()];
            assert_eq!(shows, [now, shown].map(|at| at.parse::<Timestamp>().unwrap()), "{shown} {far:?}");
        }
    }

    #[test]
    fn an_answer_that_the_host_slept_over_for_days_says_nothing_against_its_clock() {
        let [asked, woken] = ["2027-03-01T12:00:00Z", "2027-03-11T12:00:00Z"];
        let clock = SaneClock::over(Arc::new(Wall(Mutex::new((woken, 9)))));
        for (far, now) in [(asked, woken), (woken, woken), ("2027-02-20T12:00:00Z", "2027-02-20T12:00:00Z")] {
            clock.told(far.parse().unwrap(), asked.parse().unwrap());
            assert_eq!(clock.now(), now.parse::<Timestamp>().unwrap(), "{far}");
        }
    }

    #[test]
    fn a_clock_that_has_parted_from_the_far_sides_by_a_day_is_in_doubt_until_that_tells_the_time_again() {
        let wall = Arc::new(Wall(Mutex::new(("2027-03-01T12:00:00Z", 0))));
        let clock = SaneClock::over(wall.clone());
        for (shown, seconds, told, in_doubt) in [
            ("2027-03-01T12:00:00Z", 0, None, false),
            ("2028-03-01T12:00:00Z", 0, None, false), // Nobody has told any time yet.
            ("2027-03-01T12:00:00Z", 0, Some("2027-03-01T12:00:00Z"), false),
            ("2027-03-02T12:01:00Z", 60, None, false),
            ("2027-03-02T12:01:01Z", 60, None, true),
            // Set wrong, corrected, set otherwise, set right.
            ("2027-03-11T12:00:00Z", 70, Some("2027-03-01T12:01:10Z"), false),
            ("2027-03-12T12:00:10Z", 79, None, true),
            ("2027-03-01T12:01:20Z", 80, None, false),
            // The host has slept.
            ("2027-03-01T12:01:20Z", 80, Some("2027-03-01T12:01:20Z"), false),
            ("2027-03-11T12:01:20Z", 80, None, true),
            ("2027-03-11T12:01:20Z", 80, Some("2027-03-11T12:01:20Z"), false),
        ] {
            *wall.0.lock().unwrap() = (shown, seconds);
            told.into_iter().for_each(|far| clock.told(far.parse().unwrap(), shown.parse().unwrap()));
            assert_eq!(clock.is_in_doubt(), in_doubt, "{shown} {seconds} {told:?}");
        }
        // An answer to what was asked before the clock was set wrong denies no correction.
        *wall.0.lock().unwrap() = ("2027-03-21T12:01:20Z", 90);
        let [right, wrong] = ["2027-03-11T12:01:30Z", "2027-03-21T12:01:20Z"].map(|at| at.parse().unwrap());
        for asked in [wrong, right] {
            clock.told(right, asked);
            assert_eq!((clock.now(), clock.is_in_doubt()), (right, false), "{asked}");
        }
        clock.told(wrong, wrong);
        // Set wrong, or asleep, over the answer: which of the two it was, that does not tell.
        *wall.0.lock().unwrap() = ("2027-03-21T12:01:20Z", 90);
        let [before, after] = ["2027-03-11T12:01:30Z", "2027-03-21T12:01:20Z"].map(|at| at.parse().unwrap());
        for (far, asked, in_doubt) in [(before, before, true), (after, before, false), (after, after, false)] {
            clock.told(far, asked);
            assert_eq!((clock.now(), clock.is_in_doubt()), (after, in_doubt), "{far} {asked}");
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
        let waits = async {
            wait(&wall).await;
            began.elapsed().as_secs()
        };
        let (waited, ()) = futures::join!(waits, sets);
        assert!((90..=91).contains(&waited), "{waited}");
    }
}

//! Whether a policy can be met at all, worked out in the words of the person who has to change it.
//!
//! Reads no clock: windows are walked from a fixed day on. What only a token's real life can tell is left to
//! `domain::policy`, which clamps it at run time.

use chrono::{TimeDelta, TimeZone, Utc};

use crate::domain::Timestamp;
use crate::domain::attempts::Tier;
use crate::domain::decide::LONGEST_DRAIN;
use crate::domain::policy::{Before, Window};
use crate::words::span;

/// How many openings are looked at, at most: a year of hourly ones.
const OPENINGS: usize = 9_000;
/// How far ahead openings are looked for: every weekday on every date, leap days too.
const SPAN: TimeDelta = TimeDelta::days(366 * 8);

/// Where the walk begins: a Monday, before a leap year.
pub(super) fn anchor() -> Timestamp {
    Utc.with_ymd_and_hms(2027, 1, 4, 0, 0, 0).single().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// When rotations are welcome, and what that leaves. To walk it takes milliseconds, so it is done once for all connections
/// that go by the same table.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    pub list: Vec<Window>,
    /// The longest time for which none of them is open; nothing, where there are none. None: they do not open any more.
    closed: Option<TimeDelta>,
}

impl Windows {
    pub fn new(list: Vec<Window>) -> Self {
        Self { closed: longest_closed(&list), list }
    }
}

/// The times of one policy that bear on each other.
pub(super) struct Times<'a> {
    /// How long before its end a token is rotated.
    pub rotate_before: Before,
    /// The outage to ride out.
    pub min_slack: TimeDelta,
    /// The spread.
    pub jitter: TimeDelta,
    /// The windows.
    pub windows: &'a Windows,
    /// How long a new token may take to be accepted.
    pub settle_for: TimeDelta,
    /// The life of a token, where the configuration knows it.
    pub life: Option<TimeDelta>,
}

/// Which of the times is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    RotateBefore,
    MinSlack,
    Jitter,
    Window,
}

impl Times<'_> {
    /// The first thing that cannot work, with the arithmetic.
    pub fn objection(&self) -> Option<(Blame, String)> {
        let before = match (self.rotate_before, self.life) {
            (Before::Time(time), _) => time,
            (Before::Share(percent), Some(life)) => life / 100 * i32::from(percent),
            (Before::Share(_), None) => return None,
        };
        let (slack, wanted) = (self.min_slack, span(before));
        if let Some(life) = self.life.filter(|life| before >= *life) {
            let what = format!(
                "rotate_before_expiry ({wanted}) is not shorter than the token's life (assumed_lifetime, {}): each token \
                 would be due when it is born. Lower it, or write a share such as \"33%\"",
                span(life)
            );
            return Some((Blame::RotateBefore, what));
        }
        if slack >= before {
            let what = format!(
                "min_slack ({}) is not shorter than rotate_before_expiry ({wanted}): every rotation would begin after the \
                 last safe moment. Lower min_slack or raise rotate_before_expiry",
                span(slack)
            );
            return Some((Blame::MinSlack, what));
        }
        let room = before - slack;
        let between =
            format!("between rotate_before_expiry ({wanted}) and min_slack ({}) there are {}", span(slack), span(room));
        if self.jitter > room {
            let what = format!(
                "jitter ({}) is longer than the room it has: {between}. Lower it, or raise rotate_before_expiry",
                span(self.jitter)
            );
            return Some((Blame::Jitter, what));
        }
        let closed = self.windows.closed;
        let Some(closed) = closed.filter(|closed| *closed <= room) else {
            let what = format!(
                "the window may never open before the deadline: it stays closed for up to {}, but {between}. Let it open more \
                 often, raise rotate_before_expiry or lower min_slack",
                closed.map_or_else(|| format!("more than {}", span(SPAN)), span)
            );
            return Some((Blame::Window, what));
        };
        self.eaten_by_an_outage(before, closed)
    }

    /// Whether an outage of `min_slack`, which is to be ridden out, leaves too little of the token's life: one that begins when
    /// the token comes due as late as windows, closed for so long, and jitter let it.
    fn eaten_by_an_outage(&self, before: TimeDelta, closed: TimeDelta) -> Option<(Blame, String)> {
        let soon = Tier::Emergency.delay(u32::MAX);
        let takes = soon + LONGEST_DRAIN + self.settle_for;
        let room = before - self.min_slack;
        let longest_window = self.windows.list.iter().map(|window| window.lasts).max();
        let jitter = longest_window.map_or(self.jitter, |lasts| self.jitter.min(lasts));
        let left = room - closed - jitter;
        if left >= takes {
            return None;
        }
        let (blame, remedy) = if room < takes {
            (Blame::MinSlack, "Raise rotate_before_expiry, or lower min_slack")
        } else if room - closed < takes {
            (Blame::Window, "Let the window open more often, raise rotate_before_expiry, or lower min_slack")
        } else {
            (Blame::Jitter, "Lower jitter, raise rotate_before_expiry, or lower min_slack")
        };
        let put_off = [(closed, "for which the window is closed"), (jitter, "of jitter")];
        let put_off = put_off.iter().filter(|(time, _)| !time.is_zero());
        let put_off: String = put_off.map(|(time, what)| format!(" − {} {what}", span(*time))).collect();
        let what = format!(
            "an outage of min_slack ({}), which is to be ridden out, may leave too little of the token's life: \
             rotate_before_expiry ({}){put_off} − the outage = {}, but a rotation may take {} from then on ({} until it is tried \
             again, {} for a cycle to end, settle_for {}). {remedy}",
            span(self.min_slack),
            span(before),
            span(left),
            span(takes),
            span(soon),
            span(LONGEST_DRAIN),
            span(self.settle_for),
        );
        Some((blame, what))
    }
}

/// The longest time for which no window is open; nothing, where there are none. None: they do not open any more.
fn longest_closed(windows: &[Window]) -> Option<TimeDelta> {
    let mut at = anchor();
    let mut longest = TimeDelta::zero();
    if windows.is_empty() {
        return Some(longest);
    }
    for _ in 0..OPENINGS {
        let (opens, closes) = windows.iter().filter_map(|window| window.next(at)).min()?;
        longest = longest.max(opens - at);
        at = closes.max(at + TimeDelta::seconds(1));
        if at - anchor() > SPAN {
            break;
        }
    }
    Some(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cron: &str, lasts: TimeDelta) -> Window {
        Window { opens: cron.parse().unwrap(), lasts, zone: chrono_tz::Europe::Berlin }
    }

    fn objection(windows: &[Window]) -> Option<(Blame, String)> {
        let times = Times {
            rotate_before: Before::Time(TimeDelta::days(30)),
            min_slack: TimeDelta::days(7),
            jitter: TimeDelta::hours(2),
            windows: &Windows::new(windows.to_vec()),
            settle_for: TimeDelta::minutes(10),
            life: None,
        };
        times.objection()
    }

    #[test]
    fn a_weekly_window_has_room_and_a_monthly_one_has_not() {
        assert_eq!(objection(&[window("0 0 2 * * Sat", TimeDelta::hours(4))]), None);
        let (blame, what) = objection(&[window("0 0 2 1 * *", TimeDelta::days(1))]).unwrap();
        assert_eq!(blame, Blame::Window);
        assert!(what.contains("closed for up to 30d") && what.contains("there are 23d"), "{what}");
    }

    #[test]
    fn two_windows_together_may_have_the_room_that_neither_has() {
        let middle = window("0 0 2 15 * *", TimeDelta::hours(4));
        let first = window("0 0 2 1 * *", TimeDelta::hours(4));
        assert!(objection(std::slice::from_ref(&middle)).is_some());
        assert_eq!(objection(&[middle, first]), None);
    }

    #[test]
    fn a_window_that_opens_all_the_time_is_never_closed() {
        assert_eq!(objection(&[window("0 * * * * *", TimeDelta::minutes(1))]), None);
    }

    #[test]
    fn an_outage_of_the_stated_length_leaves_time_for_a_rotation_or_the_policy_is_refused_with_the_sum() {
        let (hours, minutes) = (TimeDelta::hours, TimeDelta::minutes);
        let (day, week) = (hours(24), hours(24 * 7));
        // Closed for 6d 20h, and for an hour more when summer time ends.
        let saturdays = [window("0 0 2 * * Sat", hours(4))];
        // A rotation takes 15m + 1h 30m + 10m at most: 1h 55m.
        for (before, slack, jitter, windows, refused) in [
            (hours(3), hours(1), minutes(5), &[][..], None),
            (hours(3), hours(1), minutes(6), &[], Some((Blame::Jitter, "(3h) − 6m of jitter − the outage = 1h 54m"))),
            (hours(3), minutes(66), minutes(0), &[], Some((Blame::MinSlack, "(3h) − the outage = 1h 54m"))),
            (day * 2, day, day, &[], Some((Blame::Jitter, "= 0s, but a rotation may take 1h 55m"))),
            (week * 2 + hours(2), week, hours(0), &saturdays, None),
            // The jitter stays inside the window, so it puts off by four hours at most.
            (week * 2 + hours(3), week, day * 3, &saturdays, None),
            (week * 2 + hours(2), week, day * 3, &saturdays, Some((Blame::Jitter, "is closed − 4h of jitter −"))),
            (
                week * 2 - hours(2),
                week,
                hours(0),
                &saturdays,
                Some((Blame::Window, "− 6d 21h for which the window is")),
            ),
        ] {
            let rotate_before = Before::Time(before);
            let settle_for = minutes(10);
            let windows = &Windows::new(windows.to_vec());
            let times = Times { rotate_before, min_slack: slack, jitter, windows, settle_for, life: None };
            match (times.objection(), refused) {
                (None, None) => (),
                (Some((blamed, what)), Some((blame, sum))) => {
                    assert!(blamed == blame && what.contains(sum), "{blamed:?}: {what}");
                    for word in
                        ["min_slack (", "rotate_before_expiry (", "15m until it is tried again", "settle_for 10m"]
                    {
                        assert!(what.contains(word), "{word} is not in {what}");
                    }
                }
                (told, wanted) => panic!("{before} {slack} {jitter}: {told:?} instead of {wanted:?}"),
            }
        }
    }

    #[test]
    fn a_share_is_judged_only_where_the_life_is_known() {
        let none = Windows::new(Vec::new());
        let times = |life| Times {
            rotate_before: Before::Share(33),
            min_slack: TimeDelta::days(7),
            jitter: TimeDelta::zero(),
            windows: &none,
            settle_for: TimeDelta::minutes(10),
            life,
        };
        assert_eq!(times(None).objection(), None);
        assert_eq!(times(Some(TimeDelta::days(20))).objection().unwrap().0, Blame::MinSlack);
        assert_eq!(times(Some(TimeDelta::days(90))).objection(), None);
    }
}

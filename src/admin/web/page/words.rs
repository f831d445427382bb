//! Moments and spans as people say them. All moments are UTC.

use chrono::{Datelike as _, TimeDelta};
use maud::{Markup, html};

use crate::domain::Timestamp;

/// `14 Mar 2027`.
pub fn day(at: Timestamp) -> String {
    format!("{} {}", at.day(), at.format("%b %Y"))
}

/// `14 Mar 2027, 02:17 UTC`, readable by machines too.
pub fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at.format("%Y-%m-%dT%H:%M:%SZ")) { (day(at)) ", " (at.format("%H:%M UTC")) } }
}

/// Until when something holds: the day, and the minute too once that is less than two days ahead.
pub fn until(at: Timestamp, now: Timestamp) -> String {
    match at - now < TimeDelta::hours(48) {
        true => format!("{}, {}", day(at), at.format("%H:%M UTC")),
        false => day(at),
    }
}

/// How long, in its two largest units at most: `43 days`, `3 days 4 hours`, `12 minutes`. Less than nothing is none.
pub fn span(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let Some(largest) = units.iter().position(|(unit, _)| seconds >= *unit) else { return "0 seconds".to_owned() };
    let (unit, name) = units[largest];
    let mut words = unit_of(seconds / unit, name);
    // Of ten and more of a unit nobody counts the rest.
    if let Some((smaller, name)) = units.get(largest + 1).filter(|_| seconds / unit < 10) {
        let rest = seconds % unit / smaller;
        if rest > 0 {
            words = format!("{words} {}", unit_of(rest, name));
        }
    }
    words
}

fn unit_of(number: i64, name: &str) -> String {
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

/// `in 43 days`, `3 hours ago`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    match at - now {
        ahead if ahead >= TimeDelta::seconds(1) => format!("in {}", span(ahead)),
        ago if ago > TimeDelta::seconds(-1) => "now".to_owned(),
        ago => format!("{} ago", span(-ago)),
    }
}

/// `1 connection`, `3 connections`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_two_units_at_most() {
        let said = |seconds| span(TimeDelta::seconds(seconds));
        assert_eq!(said(43 * 86_400 + 7200), "43 days");
        assert_eq!(said(3 * 86_400 + 4 * 3600 + 59), "3 days 4 hours");
        assert_eq!(said(86_400), "1 day");
        assert_eq!(said(61), "1 minute 1 second");
        assert_eq!([said(0), said(-5)], ["0 seconds", "0 seconds"]);
    }

    #[test]
    fn moments_are_said_from_now() {
        let now = Timestamp::UNIX_EPOCH + TimeDelta::days(60);
        assert_eq!(relative(now + TimeDelta::days(43), now), "in 43 days");
        assert_eq!(relative(now - TimeDelta::hours(3), now), "3 hours ago");
        assert_eq!(relative(now, now), "now");
        assert_eq!(day(now), "2 Mar 1970");
        assert!(moment(now).into_string().contains("2 Mar 1970, 00:00 UTC"));
        assert_eq!(until(now + TimeDelta::hours(48), now), "4 Mar 1970");
        assert_eq!(until(now + TimeDelta::minutes(48 * 60 - 1), now), "3 Mar 1970, 23:59 UTC");
    }
}

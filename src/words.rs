//! How a span of time is said to people: the same words in errors, status and logs as in the configuration file.

use chrono::TimeDelta;

/// A time as it would be written in the configuration: `23d 4h`. Less than nothing is `0s`.
pub fn span(time: TimeDelta) -> String {
    let mut seconds = time.num_seconds().max(0);
    let mut words = Vec::new();
    for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")] {
        if seconds >= unit {
            words.push(format!("{}{name}", seconds / unit));
            seconds %= unit;
        }
    }
    if words.is_empty() { "0s".into() } else { words.join(" ") }
}

/// The same to the minute, where it is hours: what was reckoned from two moments, or is a share, is seldom as round as it was meant.
pub fn about(time: TimeDelta) -> String {
    let over = (time.num_seconds() + 30).rem_euclid(60);
    span(if time < TimeDelta::hours(1) { time } else { TimeDelta::seconds(time.num_seconds() + 30 - over) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_hours_and_days_the_seconds_are_rounded_away() {
        let seconds = |seconds| about(TimeDelta::seconds(seconds));
        assert_eq!([3599, 3600, 3629, 3630, 86_399].map(seconds), ["59m 59s", "1h", "1h", "1h 1m", "1d"]);
    }

    #[test]
    fn a_span_reads_as_it_is_written() {
        assert_eq!(span(TimeDelta::hours(36)), "1d 12h");
        assert_eq!(span(TimeDelta::seconds(3661)), "1h 1m 1s");
        assert_eq!(span(TimeDelta::seconds(-5)), "0s");
    }
}

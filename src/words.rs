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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_as_it_is_written() {
        assert_eq!(span(TimeDelta::hours(36)), "1d 12h");
        assert_eq!(span(TimeDelta::seconds(3661)), "1h 1m 1s");
        assert_eq!(span(TimeDelta::seconds(-5)), "0s");
    }
}

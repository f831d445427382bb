//! A clock that nobody has set yet. A host without a battery begins in 1970, until its time service has spoken: whatever was
//! decided or written down by such a clock would be wrong by decades.

use std::time::Duration;

use chrono::NaiveDate;

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
}

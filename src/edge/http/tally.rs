//! How the requests to one service have ended, counted for as long as the process lives.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Answer, Failure};

/// How a request ended, as operators tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// 2xx.
    Answered,
    /// Any other status below 500 but 429.
    Refused,
    /// 429.
    Throttled,
    /// 5xx.
    Failed,
    /// There was no whole answer.
    Lost,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Answered, Self::Refused, Self::Throttled, Self::Failed, Self::Lost];

    /// As metrics name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }

    /// By the status of an answer.
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Answered,
            429 => Self::Throttled,
            500.. => Self::Failed,
            _ => Self::Refused,
        }
    }
}

/// The counters of one service.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; 5]);

impl Tally {
    /// How often requests have ended so.
    pub fn of(&self, ending: Ending) -> u64 {
        self.0[ending as usize].load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, ending: Ending) {
        self.0[ending as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counted(&self, answer: Result<Answer, Failure>) -> Result<Answer, Failure> {
        self.count(answer.as_ref().map_or(Ending::Lost, |answer| Ending::of_status(answer.status)));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_how_they_ended() {
        let tally = Tally::default();
        [200, 204, 404, 429, 500, 503, 302].into_iter().for_each(|status| tally.count(Ending::of_status(status)));
        tally.count(Ending::Lost);
        assert_eq!(Ending::ALL.map(|ending| tally.of(ending)), [2, 2, 1, 2, 1]);
    }
}

//! When to try again: two tiers of backoff, and the bounds on issuing.

use chrono::TimeDelta;

use super::Timestamp;
use super::journal::{Journal, RetryNote};

/// At most this many issues per connection in [`ISSUE_PERIOD`].
pub const MAX_ISSUES: usize = 4;
/// The period over which issues are counted; policy alone never issues twice within it.
pub const ISSUE_PERIOD: TimeDelta = TimeDelta::hours(24);
/// HPE's rate limits are unknown: at least this long between two issues.
pub const ISSUE_FLOOR: TimeDelta = TimeDelta::minutes(1);

/// No wait for it is longer, as far as clocks of two hosts may differ; one that seems to be was written by a clock that has
/// been set back since.
const LONGEST_FLOOR: TimeDelta = TimeDelta::minutes(6);

/// What counts as a day for [`MAX_ISSUES`]: so long it is one by the clock of every host that may have issued.
const BUDGET_PERIOD: TimeDelta = TimeDelta::minutes(24 * 60 + 6);

/// How urgent the next attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Slack is left: from a minute up to six hours.
    Normal,
    /// Slack has run out, or the token may be dead: from a minute up to a quarter of an hour.
    Emergency,
    /// Only a person can mend it, and nobody knows when he will have: a quarter of an hour, each time.
    Human,
    /// Nothing could be seen, so nobody knows how urgent it is: from a minute up to five.
    Blind,
}

impl Tier {
    /// The wait after `attempts` failures in a row (at least one): a minute, doubled each time, up to the tier's bound.
    pub fn delay(self, attempts: u32) -> TimeDelta {
        let most = match self {
            Self::Human => return TimeDelta::minutes(15),
            Self::Normal => TimeDelta::hours(6),
            Self::Emergency => TimeDelta::minutes(15),
            Self::Blind => TimeDelta::minutes(5),
        };
        let doublings = attempts.saturating_sub(1).min(10);
        most.min(TimeDelta::minutes(1 << doublings))
    }
}

impl RetryNote {
    /// After so many failed attempts in a row, the last one at `now`; `asked` is what the service wants (`Retry-After`).
    pub fn after(attempts: u32, now: Timestamp, tier: Tier, asked: TimeDelta) -> Self {
        let moment = |tier: Tier| now + tier.delay(attempts).max(asked);
        let in_need = Some(moment(Tier::Emergency)).filter(|_| tier == Tier::Normal);
        Self { attempts, not_before: moment(tier), in_need }
    }
}

/// Failures that no version of the vault tells of, because they came before anything was written. Kept in memory:
/// a restart forgets them, which costs one early try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Failed attempts in a row.
    pub failed: u32,
    /// Not to be tried before this moment.
    pub not_before: Option<Timestamp>,
    /// When the last one failed.
    pub failed_at: Option<Timestamp>,
}

impl Attempts {
    /// One more failure. `after` is what the service asked for (`Retry-After`).
    pub fn fail(&mut self, now: Timestamp, tier: Tier, after: Option<TimeDelta>) {
        self.failed = self.failed.saturating_add(1);
        self.wait(now, tier.delay(self.failed).max(after.unwrap_or_default()));
    }

    /// To be tried again so long after `now`, although nothing of ours has failed.
    pub fn wait(&mut self, now: Timestamp, delay: TimeDelta) {
        (self.failed_at, self.not_before) = (Some(now), Some(now + delay));
    }

    /// Starts over after a success.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The moment to wait for, while there is one ahead. It does not count once the clock has been stepped back past the
    /// failure itself, which would make the wait longer by the step.
    pub fn waiting(&self, now: Timestamp) -> Option<Timestamp> {
        ahead(self.not_before?, now).filter(|_| self.failed_at.is_none_or(|failed| now >= failed))
    }
}

/// `moment` if it is ahead, and near enough to be the end of a backoff.
pub fn ahead(moment: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (moment > now && moment - now <= ISSUE_PERIOD).then_some(moment)
}

/// How long a list of the vault may lag behind: only then can a lost answer be told from a pending version not seen yet.
pub const LIST_LAG: TimeDelta = TimeDelta::minutes(3);

/// The record to write ahead of an attempt: as if it had failed before anybody was asked.
pub fn written_ahead(previous: Option<RetryNote>, now: Timestamp) -> RetryNote {
    let attempts = previous.map_or(0, |retry| retry.attempts).saturating_add(1);
    RetryNote::after(attempts, now, Tier::Emergency, TimeDelta::zero())
}

/// When to ask again, should the answer to what is asked now be lost. `issued` is how often the issuer may have made a token
/// within the last [`ISSUE_PERIOD`]: what is left of the [`MAX_ISSUES`] is spread so that an issuer which answers nothing for
/// an hour does not use them up within minutes. No wait is shorter than [`LIST_LAG`].
pub fn ask_again(issued: usize, now: Timestamp) -> Timestamp {
    let minutes = [3, 10, 60][issued.min(2)];
    now + TimeDelta::minutes(minutes).max(LIST_LAG)
}

/// No wait after a lost answer is longer; one that seems to be was written by a clock that has been set back since.
pub const LONGEST_ASK: TimeDelta = TimeDelta::minutes(61);

/// What the bounds on issuing say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueBound {
    /// A token may be issued now.
    Free,
    /// The last issue was less than [`ISSUE_FLOOR`] ago.
    TooSoon(Timestamp),
    /// [`MAX_ISSUES`] have been made; one is free again then.
    Spent(Timestamp),
}

/// Holds the bounds against the journal.
pub fn issue_bound(journal: &Journal, now: Timestamp) -> IssueBound {
    let issues = journal.issues_within(BUDGET_PERIOD, now);
    if issues.len() >= MAX_ISSUES {
        return IssueBound::Spent(issues[issues.len() - MAX_ISSUES] + BUDGET_PERIOD);
    }
    let free = issues.last().map(|last| *last + ISSUE_FLOOR);
    match free.filter(|free| *free > now && *free - now <= LONGEST_FLOOR) {
        Some(free) => IssueBound::TooSoon(free),
        None => IssueBound::Free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + 60 * minutes, 0).unwrap()
    }

    #[test]
    fn the_delay_doubles_from_a_minute_up_to_the_bound_of_its_tier() {
        let minutes: Vec<_> = [1, 2, 3, 9, 10, u32::MAX].map(|n| Tier::Normal.delay(n).num_minutes()).into();
        assert_eq!(minutes, [1, 2, 4, 256, 360, 360]);
        assert_eq!(Tier::Emergency.delay(u32::MAX).num_minutes(), 15);
        assert_eq!(Tier::Normal.delay(0).num_minutes(), 1);
    }

    #[test]
    fn what_the_service_asked_for_is_honoured() {
        let mut attempts = Attempts::default();
        attempts.fail(at(0), Tier::Emergency, Some(TimeDelta::minutes(40)));
        assert_eq!(attempts.waiting(at(1)), Some(at(40)));
    }

    #[test]
    fn a_success_ends_the_wait_and_the_next_failure_begins_with_a_minute() {
        let mut attempts = Attempts::default();
        attempts.fail(at(0), Tier::Normal, None);
        attempts.fail(at(1), Tier::Normal, None);
        assert_eq!(attempts.waiting(at(1)), Some(at(3)));
        attempts.clear();
        assert_eq!(attempts.waiting(at(1)), None);
        attempts.fail(at(1), Tier::Normal, None);
        assert_eq!(attempts.waiting(at(1)), Some(at(2)));
    }

    #[test]
    fn a_moment_is_ahead_until_it_has_come_and_no_further_than_a_day() {
        assert_eq!([0, 1, 24 * 60, 24 * 60 + 1].map(|m| ahead(at(m), at(0)).is_some()), [false, true, true, false]);
    }

    #[test]
    fn lost_answers_are_spread_over_more_than_an_hour_and_the_first_two_are_soon_repeated() {
        let waits = [0, 1, 2, 9].map(|issued| (ask_again(issued, at(0)) - at(0)).num_minutes());
        assert_eq!(waits, [3, 10, 60, 60]);
    }

    #[test]
    fn a_clock_stepped_back_by_a_year_does_not_wait_for_a_year() {
        let mut attempts = Attempts::default();
        attempts.fail(at(0), Tier::Normal, None);
        assert_eq!(attempts.waiting(at(-60 * 24 * 365)), None);
        assert_eq!(attempts.waiting(at(-1)), None, "nor does one stepped back by a minute");
    }
}

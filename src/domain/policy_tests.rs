use super::*;
use crate::domain::{Expiry, ExpirySource, Token};

pub(in crate::domain) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(in crate::domain) fn token(issued: &str, expires: Option<&str>) -> TokenNote {
    let expiry = expires.map(|at| Expiry { at: moment(at), source: ExpirySource::Jwt });
    TokenNote::new(&Token::parse("some-token").unwrap(), moment(issued), expiry)
}

fn lives(life: TimeDelta) -> TokenNote {
    let issued = moment("2027-01-01T00:00:00Z");
    TokenNote {
        expiry: Some(Expiry { at: issued + life, source: ExpirySource::Jwt }),
        ..token("2027-01-01T00:00:00Z", None)
    }
}

fn year() -> TokenNote {
    token("2027-01-01T00:00:00Z", Some("2028-01-01T00:00:00Z"))
}

pub(in crate::domain) fn policy() -> Policy {
    Policy {
        mode: Mode::Overlap,
        supplied: false,
        takes_effect: TakesEffect::Unknown,
        fence: Fence::Auto,
        bootstrap: None,
        accept_supplied: false,
        rotate_before: Before::Time(TimeDelta::days(30)),
        max_age: None,
        min_slack: TimeDelta::days(7),
        windows: Windows::default(),
        jitter: TimeDelta::zero(),
        settle_for: TimeDelta::minutes(10),
        confirm_within: TimeDelta::hours(24),
        retire_after: TimeDelta::days(1),
    }
}

fn saturdays(zone: chrono_tz::Tz) -> Window {
    Window { opens: "0 0 2 * * Sat".parse().unwrap(), lasts: TimeDelta::hours(4), zone }
}

#[test]
fn a_token_is_due_so_long_before_its_end() {
    let due = policy().due(&year()).unwrap();
    assert_eq!(due.at, moment("2027-12-02T00:00:00Z"));
    assert_eq!(due.reason, Reason::NearingExpiry);
    assert_eq!(due.last_safe, Some(moment("2027-12-25T00:00:00Z")));
}

#[test]
fn a_share_of_life_counts_from_the_end() {
    let policy = Policy { rotate_before: Before::Share(20), ..policy() };
    assert_eq!(policy.due(&year()).unwrap().at, moment("2027-10-20T00:00:00Z"));
}

#[test]
fn the_earlier_of_age_and_expiry_wins_and_age_needs_no_expiry() {
    let policy = Policy { max_age: Some(TimeDelta::days(90)), ..policy() };
    let due = policy.due(&year()).unwrap();
    assert_eq!((due.at, due.reason), (moment("2027-04-01T00:00:00Z"), Reason::MaxAgeReached));
    let unknown = token("2027-01-01T00:00:00Z", None);
    assert_eq!(policy.due(&unknown).unwrap().at, moment("2027-04-01T00:00:00Z"));
    assert_eq!(Policy { max_age: None, ..policy }.due(&unknown), None);
}

#[test]
fn a_window_moves_the_rotation_to_its_next_opening_in_its_own_zone() {
    let policy = Policy { windows: vec![saturdays(chrono_tz::Europe::Berlin)].into(), ..policy() };
    // 2027-12-02 is a Thursday; Berlin is an hour ahead of UTC in December.
    assert_eq!(policy.due(&year()).unwrap().at, moment("2027-12-04T01:00:00Z"));
}

#[test]
fn a_window_that_is_open_when_the_token_comes_due_is_used_at_once() {
    let policy = Policy { windows: vec![saturdays(chrono_tz::UTC)].into(), ..policy() };
    let token = token("2027-01-01T00:00:00Z", Some("2028-01-03T03:30:00Z"));
    assert_eq!(policy.due(&token).unwrap().at, moment("2027-12-04T03:30:00Z"));
}

#[test]
fn the_deadline_beats_the_window() {
    let yearly = Window { opens: "0 0 0 30 12 *".parse().unwrap(), lasts: TimeDelta::hours(1), zone: chrono_tz::UTC };
    let due = Policy { windows: vec![yearly].into(), ..policy() }.due(&year()).unwrap();
    assert_eq!((due.at, due.reason), (moment("2027-12-25T00:00:00Z"), Reason::LastSafeMoment));
}

#[test]
fn jitter_stays_inside_the_window_and_is_the_same_at_every_look() {
    let policy = Policy { jitter: TimeDelta::days(3), windows: vec![saturdays(chrono_tz::UTC)].into(), ..policy() };
    let due = policy.due(&year()).unwrap().at;
    assert!(due >= moment("2027-12-04T02:00:00Z") && due < moment("2027-12-04T06:00:00Z"), "{due}");
    assert_eq!(policy.due(&year()).unwrap().at, due);
}

#[test]
fn jitter_never_carries_a_token_past_its_last_safe_moment() {
    let policy = Policy { jitter: TimeDelta::days(3000), ..policy() };
    let due = policy.due(&year()).unwrap();
    assert_eq!((due.at, due.reason), (moment("2027-12-25T00:00:00Z"), Reason::LastSafeMoment));
}

#[test]
fn a_life_shorter_than_the_policy_thinks_is_clamped_to_a_third() {
    let due = policy().due(&token("2027-01-01T00:00:00Z", Some("2027-01-10T00:00:00Z"))).unwrap();
    assert!(due.clamped);
    assert_eq!(due.at, moment("2027-01-07T00:00:00Z"));
    assert_eq!(due.last_safe, Some(moment("2027-01-08T12:00:00Z")));
}

#[test]
fn a_life_of_which_a_fixed_time_would_leave_less_than_a_third_is_clamped_and_a_longer_one_is_not() {
    for (hours, wanted, before) in [
        // The default, thirty days.
        (24 * 30, 24 * 30, 24 * 10),
        (24 * 31, 24 * 30, 248),
        (24 * 33, 24 * 30, 24 * 11),
        (24 * 44, 24 * 30, 352),
        (24 * 45, 24 * 30, 24 * 30),
        (24 * 365, 24 * 30, 24 * 30),
        // The sandbox.
        (72, 36, 36),
        (72, 48, 48),
        (72, 49, 24),
        (72, 70, 24),
        // Policy alone has no two tokens made within a day.
        (48, 24, 24),
        (48, 25, 16),
        (12, 5, 4),
    ] {
        let policy = Policy {
            rotate_before: Before::Time(TimeDelta::hours(wanted)),
            min_slack: TimeDelta::hours(1),
            ..policy()
        };
        let due = policy.due(&lives(TimeDelta::hours(hours))).unwrap();
        let end = moment("2027-01-01T00:00:00Z") + TimeDelta::hours(hours);
        assert_eq!((end - due.at, due.clamped), (TimeDelta::hours(before), before != wanted), "{hours} {wanted}");
    }
}

#[test]
fn a_share_is_taken_at_its_word_unless_a_token_would_be_due_within_a_day() {
    for (days, percent, before, clamped) in [
        (365, 90, TimeDelta::hours(365 * 24) / 10 * 9, false),
        (10, 90, TimeDelta::days(9), false),
        (9, 90, TimeDelta::days(3), true),
        (3, 67, TimeDelta::days(1), true),
        (3, 66, TimeDelta::hours(72) / 100 * 66, false),
    ] {
        let policy = Policy { rotate_before: Before::Share(percent), min_slack: TimeDelta::hours(1), ..policy() };
        let due = policy.due(&lives(TimeDelta::days(days))).unwrap();
        let end = moment("2027-01-01T00:00:00Z") + TimeDelta::days(days);
        assert_eq!((end - due.at, due.clamped), (before, clamped), "{days} {percent}");
    }
}

#[test]
fn of_a_token_that_people_bring_they_are_told_as_early_as_the_policy_asks_if_it_lives_so_long_at_all() {
    let policy = Policy { supplied: true, ..policy() };
    for (days, before) in [(29, TimeDelta::days(29) / 3), (30, TimeDelta::days(10)), (31, TimeDelta::days(30))] {
        let due = policy.due(&lives(TimeDelta::days(days))).unwrap();
        assert_eq!(moment("2027-01-01T00:00:00Z") + TimeDelta::days(days) - due.at, before, "{days}");
    }
}

#[test]
fn a_slack_that_is_cut_down_is_told_as_clamped_however_long_the_token_lives() {
    for (hours, rotate_before, slack, left, clamped) in [
        (72, Before::Share(30), TimeDelta::hours(48), TimeDelta::minutes(648), true),
        (24 * 20, Before::Share(33), TimeDelta::days(7), TimeDelta::minutes(4752), true),
        (24 * 22, Before::Share(33), TimeDelta::days(7), TimeDelta::days(7), false),
        (24 * 365, Before::Time(TimeDelta::days(30)), TimeDelta::days(31), TimeDelta::days(15), true),
    ] {
        let policy = Policy { rotate_before, min_slack: slack, ..policy() };
        let due = policy.due(&lives(TimeDelta::hours(hours))).unwrap();
        let end = moment("2027-01-01T00:00:00Z") + TimeDelta::hours(hours);
        assert_eq!((end - due.last_safe.unwrap(), due.clamped), (left, clamped), "{hours} {rotate_before:?}");
    }
}

#[test]
fn a_token_that_ended_before_it_was_issued_is_due_at_once_and_nothing_overflows() {
    let due = policy().due(&token("2027-01-10T00:00:00Z", Some("2027-01-01T00:00:00Z"))).unwrap();
    assert_eq!(due.at, moment("2027-01-01T00:00:00Z"));
}

#[test]
fn the_fence_is_left_out_only_where_it_is_known_to_be_needless() {
    let pinned = Policy { takes_effect: TakesEffect::OwnExpiry, ..policy() };
    assert!(policy().fences(Mode::Overlap));
    assert!(!pinned.fences(Mode::Overlap));
    assert!(pinned.fences(Mode::RemoveCurrent));
    assert!(Policy { fence: Fence::Always, ..pinned.clone() }.fences(Mode::Overlap));
    assert!(!Policy { fence: Fence::Never, ..pinned }.fences(Mode::RemoveCurrent));
}

#[test]
fn slack_runs_out_at_the_last_safe_moment() {
    assert!(!policy().is_urgent(Some(&year()), moment("2027-12-24T23:59:59Z")));
    assert!(policy().is_urgent(Some(&year()), moment("2027-12-25T00:00:00Z")));
}

#[test]
fn a_window_that_closes_as_the_token_comes_due_is_over() {
    let policy = Policy { windows: vec![saturdays(chrono_tz::UTC)].into(), ..policy() };
    let token = token("2027-01-01T00:00:00Z", Some("2028-01-03T06:00:00Z"));
    assert_eq!(policy.due(&token).unwrap().at, moment("2027-12-11T02:00:00Z"));
}

#[test]
fn jitter_spreads_tokens_over_all_of_the_window_but_never_to_its_very_end() {
    let policy = Policy { jitter: TimeDelta::days(3), windows: vec![saturdays(chrono_tz::UTC)].into(), ..policy() };
    let opens = moment("2027-12-04T02:00:00Z");
    let window = policy.windows.open(moment("2027-12-02T00:00:00Z"));
    assert_eq!(window, Some((opens, opens + TimeDelta::hours(4))));
    let spread = [0, 1 << 31, u32::MAX].map(|seed| policy.draw(opens, window, seed));
    assert_eq!(spread, [TimeDelta::zero(), TimeDelta::hours(2), TimeDelta::hours(4) - TimeDelta::seconds(1)]);
}

#[test]
fn a_token_that_comes_due_at_its_last_safe_moment_is_due_for_its_own_reason_and_nothing_is_clamped() {
    let due = Policy { min_slack: TimeDelta::days(30), ..policy() }.due(&year()).unwrap();
    let at = moment("2027-12-02T00:00:00Z");
    let (window, jitter) = (None, TimeDelta::zero());
    let reason = Reason::NearingExpiry;
    assert_eq!(due, Due { at, reason, last_safe: Some(at), clamped: false, wanted: at, window, jitter });
}

#[test]
fn a_slack_that_is_longer_than_the_token_lives_is_clamped_to_half_of_what_remains_when_it_is_due() {
    let policy = Policy { min_slack: TimeDelta::days(70), ..policy() };
    let due = policy.due(&token("2027-01-01T00:00:00Z", Some("2027-03-02T00:00:00Z"))).unwrap();
    assert!(due.clamped);
    assert_eq!((due.at, due.last_safe), (moment("2027-01-31T00:00:00Z"), Some(moment("2027-02-15T00:00:00Z"))));
}

/// The first openings from a day on, in the zone's own time.
fn openings(cron: &str, zone: chrono_tz::Tz, from: &str, count: usize) -> Vec<String> {
    let window = Window { opens: cron.parse().unwrap(), lasts: TimeDelta::hours(1), zone };
    let mut at = moment(from);
    let next = || {
        let (opens, closes) = window.next(at).unwrap();
        assert_eq!(closes - opens, TimeDelta::hours(1));
        at = closes;
        opens.with_timezone(&zone).format("%Y-%m-%d %H:%M %:z").to_string()
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn a_window_opens_once_a_day_when_summer_time_begins_and_ends() {
    let berlin = chrono_tz::Europe::Berlin;
    // Half past two does not exist on the day on which summer time begins, and comes twice on the day on which it ends.
    assert_eq!(
        openings("0 30 2 * * *", berlin, "2027-03-27T00:00:00Z", 3),
        ["2027-03-27 02:30 +01:00", "2027-03-28 03:00 +02:00", "2027-03-29 02:30 +02:00"]
    );
    assert_eq!(
        openings("0 30 2 * * *", berlin, "2027-10-30T00:00:00Z", 3),
        ["2027-10-30 02:30 +02:00", "2027-10-31 02:30 +02:00", "2027-11-01 02:30 +01:00"]
    );
}

#[test]
fn a_midnight_that_summer_time_leaves_out_opens_the_window_at_one() {
    assert_eq!(
        openings("0 0 0 * * *", chrono_tz::Africa::Cairo, "2027-04-29T00:00:00Z", 3),
        ["2027-04-30 01:00 +03:00", "2027-05-01 00:00 +03:00", "2027-05-02 00:00 +03:00"]
    );
}

#[test]
fn a_window_on_a_leap_day_opens_every_four_years() {
    assert_eq!(
        openings("0 0 12 29 2 *", chrono_tz::UTC, "2027-01-01T00:00:00Z", 2),
        ["2028-02-29 12:00 +00:00", "2032-02-29 12:00 +00:00"]
    );
}

use chrono::TimeDelta;

use super::*;
use crate::domain::policy::tests::{moment, policy, token};
use crate::domain::policy::{Before, Window};

const NOW: &str = "2027-01-01T00:00:00Z";

fn year_of(policy: &Policy, token: &TokenNote, held: Option<&str>) -> Vec<Rotation> {
    rotations(policy, token, held.map(moment), moment(NOW), moment("2028-01-01T00:00:00Z"))
}

fn told(rotations: &[Rotation]) -> Vec<(String, Reason)> {
    let minute = |at: Timestamp| at.format("%m-%d %H:%M").to_string();
    rotations.iter().map(|rotation| (minute(rotation.at), rotation.reason)).collect()
}

#[test]
fn a_year_of_tokens_of_ninety_days_is_told_rotation_by_rotation() {
    let token = token("2026-12-01T00:00:00Z", Some("2027-03-01T00:00:00Z"));
    let near = |at: &str| (at.to_owned(), Reason::NearingExpiry);
    let year = ["01-30 00:00", "03-31 00:00", "05-30 00:00", "07-29 00:00", "09-27 00:00", "11-26 00:00"].map(near);
    assert_eq!(told(&year_of(&policy(), &token, None)), year);
}

#[test]
fn a_token_that_is_overdue_is_rotated_now_and_one_without_an_end_never_but_by_age() {
    let overdue = token("2026-01-01T00:00:00Z", Some("2027-01-10T00:00:00Z"));
    assert_eq!(year_of(&policy(), &overdue, None)[0].at, moment(NOW));
    let unknown = token("2026-12-01T00:00:00Z", None);
    assert_eq!(year_of(&policy(), &unknown, None), []);
    let aged = Policy { max_age: Some(TimeDelta::days(200)), ..policy() };
    assert_eq!(
        told(&year_of(&aged, &unknown, None)),
        [("06-19 00:00".to_owned(), Reason::MaxAgeReached)],
        "and the next is in 2028"
    );
}

#[test]
fn a_hold_puts_off_the_first_rotation_and_ends_at_the_last_safe_moment() {
    let token = token("2026-12-01T00:00:00Z", Some("2027-03-01T00:00:00Z"));
    let first = |held: &str| told(&year_of(&policy(), &token, Some(held)))[0].clone();
    assert_eq!(first("2027-01-20T00:00:00Z"), ("01-30 00:00".to_owned(), Reason::NearingExpiry));
    assert_eq!(first("2027-02-05T00:00:00Z"), ("02-05 00:00".to_owned(), Reason::Held));
    assert_eq!(first("2027-05-05T00:00:00Z"), ("02-22 00:00".to_owned(), Reason::Held));
}

#[test]
fn the_jitter_of_a_token_at_hand_is_known_and_that_of_a_later_one_is_a_span_within_the_window() {
    let window = Window { opens: "0 0 2 * * Sat".parse().unwrap(), lasts: TimeDelta::hours(4), zone: chrono_tz::UTC };
    let policy = Policy { windows: vec![window].into(), jitter: TimeDelta::hours(2), ..policy() };
    let token = token("2026-12-01T00:00:00Z", Some("2027-03-01T00:00:00Z"));
    let rotations = year_of(&policy, &token, None);
    assert_eq!(rotations[0].at, policy.due(&token).unwrap().at);
    assert_eq!(rotations[0].latest, rotations[0].at);
    for later in &rotations[1..] {
        let (opens, closes) = later.due.window.unwrap();
        assert_eq!(later.at, opens, "the earliest is the opening");
        assert!(later.latest < opens + TimeDelta::hours(2) && later.latest < closes, "{later:?}");
        assert!(later.latest > opens + TimeDelta::minutes(119));
    }
}

#[test]
fn policy_alone_rotates_once_a_day_at_most_while_there_is_slack() {
    let often = Policy { rotate_before: Before::Share(30), min_slack: TimeDelta::hours(1), ..policy() };
    let token = token(NOW, Some("2027-01-02T06:00:00Z"));
    let rotations = year_of(&often, &token, None);
    assert_eq!(rotations.len(), 365);
    assert!(rotations.iter().all(|rotation| rotation.reason == Reason::IssuedRecently));
    assert_eq!(rotations[0].at, moment("2027-01-02T00:00:00Z"));
}

#[test]
fn a_token_without_any_life_ends_in_a_bounded_list() {
    let dead = token(NOW, Some(NOW));
    let rotations = year_of(&policy(), &dead, None);
    assert_eq!(rotations.len(), MOST);
    assert!(rotations.is_sorted_by(|one, next| one.at < next.at));
}

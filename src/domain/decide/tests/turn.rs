//! A rotation that may wait begins in its turn.

use super::*;

/// Due since day 70, past the last safe moment from day 93 on; not asked yet whether its turn has come.
fn on(number: i64) -> Seen {
    Seen { now: day(number), answers: Answers::default(), ..well() }
}

fn answered(turn: bool, seen: Seen) -> Seen {
    Seen { answers: Answers { turn: Some(turn), ..seen.answers }, ..seen }
}

#[test]
fn a_token_that_is_due_asks_for_its_turn_and_says_until_when_it_may_be_refused() {
    assert_eq!(on(71).decide(), Decision::Ask(Question::Turn { last_safe: Some(day(93)) }));
    assert_eq!(on(69).reason(), Some(Reason::NotDue));
}

#[test]
fn it_is_rotated_when_its_turn_has_come_and_waits_in_line_until_then() {
    assert!(matches!(answered(true, on(71)).decide(), Decision::Rotate(_)));
    let until = day(71) + TimeDelta::hours(1);
    assert_eq!(answered(false, on(71)).decide(), Decision::Wait { until, reason: Reason::Queued });
}

#[test]
fn nobody_waits_in_line_beyond_the_last_safe_moment() {
    let just_before = day(93) - TimeDelta::minutes(10);
    let late = Seen { now: just_before, ..on(92) };
    assert_eq!(answered(false, late).decide(), Decision::Wait { until: day(93), reason: Reason::Queued });
    assert!(matches!(answered(false, on(93)).decide(), Decision::Rotate(_)));
    assert!(matches!(on(93).decide(), Decision::Rotate(_)), "nor is anybody asked");
}

#[test]
fn a_dead_token_a_lost_answer_and_a_person_wait_for_no_turn() {
    assert!(matches!(answered(false, on(101)).decide(), Decision::Rotate(_)), "over");
    assert!(is_rotation(&answered(false, intended(10, Mode::Overlap)).decide(), Mode::Overlap, Reason::AnswerLost));
    let order = Some(Order::Rotate { mode: None, compromised: false });
    assert!(matches!(Seen { order, ..answered(false, on(50)) }.decide(), Decision::Rotate(_)));
}

#[test]
fn a_first_token_is_made_in_its_turn() {
    let policy = Policy { bootstrap: Some(Bootstrap::Rotate), ..well().policy };
    let first = Seen { policy, versions: vec![], ..on(10) };
    assert_eq!(first.decide(), Decision::Ask(Question::Turn { last_safe: None }));
    assert_eq!(answered(false, first).reason(), Some(Reason::Queued));
}

#[test]
fn what_stands_in_the_way_of_a_rotation_anyhow_takes_no_place_in_line() {
    let supplied = Policy { supplied: true, ..well().policy };
    assert_eq!(Seen { policy: supplied, ..on(71) }.reason(), Some(Reason::SupplyNeeded));
}

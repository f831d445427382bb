//! Several processes on one vault.

use super::*;
use crate::domain::journal::Sign;

/// A token that is due, in a journal whose newest version was signed by `holder` so long ago.
fn due_and_signed(holder: &str, ago: TimeDelta) -> Seen {
    let mut seen = Seen { now: day(70), ..well() };
    seen.last().sign = Some(Sign { holder: holder.to_owned(), at: day(70) - ago });
    seen
}

#[test]
fn another_process_is_left_alone_for_four_minutes_after_its_last_sign_whatever_is_to_be_done() {
    let mut seen = due_and_signed("there", TimeDelta::seconds(239));
    let waits = Decision::Wait { until: day(70) + TimeDelta::seconds(1), reason: Reason::AnotherHolder };
    assert_eq!(seen.decide(), waits);
    seen.order = Some(Order::Rotate { mode: None, compromised: true });
    assert_eq!(seen.decide(), waits, "a person's order waits as well");
    seen.order = None;
    seen.versions.push(version(labels(Stage::Pending, 0, day(60)), day(60)));
    assert_eq!(seen.decide(), waits, "so does the tidying up");
}

#[test]
fn another_process_that_is_seen_to_sign_is_left_alone_for_as_long_whatever_its_clock_says() {
    for signed in [TimeDelta::days(3), TimeDelta::days(-3)] {
        let mut seen = due_and_signed("there", signed);
        seen.stood_by = TimeDelta::hours(1);
        seen.stirred = Some(TimeDelta::seconds(239));
        let waits = Decision::Wait { until: day(70) + TimeDelta::seconds(1), reason: Reason::AnotherHolder };
        assert_eq!(seen.decide(), waits);
        seen.stirred = Some(TimeDelta::seconds(240));
        assert_eq!(seen.reason(), Some(Reason::Claimed));
    }
}

#[test]
fn a_sign_of_another_on_an_older_version_counts_as_well() {
    let mut seen = due_and_signed("there", TimeDelta::minutes(1));
    seen.versions.push(version(labels(Stage::Current, 2, day(0)), day(1)));
    seen.last().sign = Some(Sign { holder: HOLDER.to_owned(), at: day(1) });
    assert_eq!(seen.reason(), Some(Reason::AnotherHolder));
}

#[test]
fn whoever_signed_last_acts_at_once() {
    let seen = due_and_signed(HOLDER, TimeDelta::zero());
    assert!(is_rotation(&seen.decide(), Mode::RemoveCurrent, Reason::NearingExpiry), "{:?}", seen.decide());
}

#[test]
fn whoever_has_not_the_say_stands_by_for_four_minutes_and_then_claims_the_newest_version() {
    let mut seen = due_and_signed("there", TimeDelta::days(3));
    let stands_by = |seconds| Decision::StandBy { wish: "rotate", until: day(70) + TimeDelta::seconds(seconds) };
    assert_eq!(seen.decide(), stands_by(240));
    seen.stood_by = TimeDelta::seconds(239);
    assert_eq!(seen.decide(), stands_by(1));
    let claims = |decision: &Decision| matches!(decision, Decision::Note { version, reason: Reason::Claimed, .. } if version.0 == "v1");
    seen.stood_by = TimeDelta::seconds(240);
    assert!(claims(&seen.decide()), "{:?}", seen.decide());
    seen.stood_by = TimeDelta::zero();
    seen.order = Some(Order::Rotate { mode: None, compromised: false });
    assert!(claims(&seen.decide()), "a person who gives an order waits for nobody who is not at work");
}

#[test]
fn nobody_stands_by_with_what_changes_nothing_or_will_not_be_carried_out() {
    let mut seen = due_and_signed("there", TimeDelta::days(3));
    seen.now = day(69);
    assert!(matches!(seen.decide(), Decision::Wait { reason: Reason::NotDue, .. }));
    seen.now = day(70);
    seen.acting = false;
    assert!(is_rotation(&seen.decide(), Mode::RemoveCurrent, Reason::NearingExpiry), "`check` says what is due");
}

#[test]
fn a_sign_that_no_clock_can_have_given_holds_nobody_up() {
    let seen = due_and_signed("there", TimeDelta::days(-2));
    assert_eq!(seen.decide(), Decision::StandBy { wish: "rotate", until: day(70) + TimeDelta::minutes(4) });
}

//! A process that has just begun, and may not see yet what a former one has asked for.

use super::*;

/// Due since day 70, by a process that began at that moment.
fn begun() -> Seen {
    Seen { now: day(70), settled: day(70) + TimeDelta::minutes(3), ..well() }
}

fn with_intent(mut seen: Seen, end: IntentEnd) -> Seen {
    let intent = intended(0, Mode::Overlap).last().intent.take();
    seen.last().intent = intent.map(|intent| Intent { end, ..intent });
    seen
}

#[test]
fn it_waits_with_its_first_issue_until_all_that_was_written_before_it_must_show() {
    let mut seen = begun();
    assert_eq!(seen.decide(), Decision::Wait { until: seen.settled, reason: Reason::JustBegun });
    seen.now = seen.settled;
    assert_eq!(seen.reason(), Some(Reason::NearingExpiry));
}

#[test]
fn where_nobody_is_there_to_wait_it_waits_only_for_an_intent_that_shows() {
    let hurried = || Seen { hurried: true, ..begun() };
    assert_eq!(hurried().reason(), Some(Reason::NearingExpiry));
    assert_eq!(with_intent(hurried(), IntentEnd::Planned).reason(), Some(Reason::JustBegun));
    assert_eq!(with_intent(hurried(), IntentEnd::NotIssued).reason(), Some(Reason::NearingExpiry));
}

#[test]
fn a_persons_order_waits_only_for_an_intent_that_shows() {
    let ordered = || Seen { order: Some(Order::Rotate { mode: None, compromised: false }), ..begun() };
    assert_eq!(ordered().reason(), Some(Reason::Ordered));
    assert_eq!(with_intent(ordered(), IntentEnd::Planned).reason(), Some(Reason::JustBegun));
    let hurried = Seen { hurried: true, ..with_intent(ordered(), IntentEnd::Planned) };
    assert_eq!(hurried.reason(), Some(Reason::JustBegun));
}

#[test]
fn a_token_that_a_person_brings_hurries_as_an_order_does() {
    let mut seen = begun();
    seen.order = Some(Order::Adopt { token: Token::parse("some-token").unwrap(), expires: None });
    assert_eq!(seen.reason(), Some(Reason::NearingExpiry), "a token that is brought");
    seen.order = None;
    assert_eq!(seen.reason(), Some(Reason::JustBegun));
}

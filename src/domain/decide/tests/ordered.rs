//! What a person asks for.

use super::*;

fn asked(seen: Seen, order: Order) -> Seen {
    Seen { order: Some(order), ..seen }
}

fn rotate(mode: Option<Mode>) -> Order {
    Order::Rotate { mode, compromised: false }
}

const COMPROMISED: Order = Order::Rotate { mode: None, compromised: true };

#[test]
fn a_rotation_that_is_asked_for_is_made_though_nothing_is_due() {
    let seen = asked(well(), rotate(None));
    assert!(is_rotation(&seen.decide(), Mode::RemoveCurrent, Reason::Ordered), "{:?}", seen.decide());
    let seen = asked(well(), rotate(Some(Mode::Overlap)));
    assert!(is_rotation(&seen.decide(), Mode::Overlap, Reason::Ordered), "{:?}", seen.decide());
}

#[test]
fn an_order_goes_past_backoff_hold_and_a_missing_bootstrap() {
    let mut seen = asked(well(), rotate(None));
    seen.attempts.fail(seen.now, Tier::Normal, None);
    seen.last().retry = Some(RetryNote { attempts: 3, not_before: seen.now + TimeDelta::hours(1), in_need: None });
    seen.last().hold = Some(HoldNote { until: seen.now + TimeDelta::hours(1) });
    assert_eq!(seen.reason(), Some(Reason::Ordered));
    seen.versions.clear();
    assert!(is_rotation(&seen.decide(), Mode::Overlap, Reason::Ordered), "{:?}", seen.decide());
}

#[test]
fn a_minute_lies_between_two_rotations_whoever_asks() {
    let mut seen = asked(intended(0, Mode::Overlap), rotate(None));
    seen.last().retry = None;
    let at = seen.last().intent.as_ref().unwrap().at;
    let mut new = labels(Stage::Current, 3, at);
    new.proof = proven();
    seen.versions.push(version(new, at));
    seen.now = at + TimeDelta::seconds(59);
    let wait = Decision::Wait { until: at + TimeDelta::minutes(1), reason: Reason::IssueFloor };
    assert_eq!(seen.decide(), wait);
    seen.now = at + TimeDelta::minutes(1);
    assert!(is_rotation(&seen.decide(), Mode::RemoveCurrent, Reason::Ordered), "{:?}", seen.decide());
}

#[test]
fn an_order_never_goes_past_the_bounds_on_issuing() {
    let mut seen = asked(well(), rotate(None));
    for n in 0..4 {
        let mut labels = labels(Stage::Current, 2 + n, day(9));
        let at = seen.now - TimeDelta::hours(i64::try_from(n).unwrap() + 1);
        labels.intent =
            Some(Intent { at, mode: Mode::Overlap, will_pause: true, why: String::new(), end: IntentEnd::Open });
        labels.rotation = format!("spent{n}");
        seen.versions.push(version(labels, at));
    }
    assert!(matches!(seen.decide(), Decision::NeedsHuman { reason: Reason::IssueBudgetSpent, .. }));
}

#[test]
fn a_pending_token_is_what_a_plain_order_asks_for_and_what_a_compromise_overtakes() {
    let seen = asked(with_pending(well(), 2, day(10)), rotate(None));
    assert_eq!(seen.decide(), Decision::Resume { version: VersionId("v2".into()), reason: Reason::Ordered });
    let seen = asked(with_pending(well(), 2, day(10)), COMPROMISED);
    assert!(is_rotation(&seen.decide(), Mode::RemoveCurrent, Reason::Compromised), "{:?}", seen.decide());
}

#[test]
fn a_compromised_token_is_removed_at_once_and_under_the_fence_whatever_the_policy_says() {
    let mut seen = asked(well(), COMPROMISED);
    seen.policy.mode = Mode::Overlap;
    seen.policy.fence = Fence::Never;
    let Decision::Rotate(plan) = seen.decide() else { panic!("{:?}", seen.decide()) };
    assert!(plan.fenced && plan.compromised && !plan.current_dead && plan.mode == Mode::RemoveCurrent, "{plan:?}");
}

#[test]
fn a_hold_puts_a_due_rotation_off_and_the_last_safe_moment_ends_it() {
    let mut seen = Seen { now: day(70), ..well() };
    let until = day(80);
    seen.last().hold = Some(HoldNote { until });
    assert_eq!(seen.decide(), Decision::Wait { until: day(71), reason: Reason::Held });
    seen.now = until;
    assert_eq!(seen.reason(), Some(Reason::NearingExpiry));
    seen.last().hold = Some(HoldNote { until: day(99) });
    seen.now = day(93);
    assert_eq!(seen.reason(), Some(Reason::NearingExpiry), "expiry minus seven days is the last safe moment");
}

#[test]
fn hold_and_release_are_written_onto_the_newest_version_and_the_last_word_counts() {
    let held = asked(well(), Order::Hold { until: day(12) }).decide();
    let Decision::Note { labels, reason: Reason::Held, .. } = held else { panic!("{held:?}") };
    assert_eq!(labels.hold, Some(HoldNote { until: day(12) }));
    let released = asked(well(), Order::Release).decide();
    let Decision::Note { labels, reason: Reason::Released, .. } = released else { panic!("{released:?}") };
    assert_eq!(labels.hold, Some(HoldNote { until: day(10) }));
    let mut seen = asked(well(), Order::Release);
    seen.versions.clear();
    assert_eq!(seen.reason(), Some(Reason::NotAdopted), "there is nothing to hold");
}

#[test]
fn what_stands_damaged_is_overruled_by_an_order_and_by_a_token_about_to_die() {
    let mut seen = Seen { now: day(70), ..well() };
    let damaged = Label::Damaged("seq".into());
    seen.versions.push(Version { label: damaged, id: VersionId("d".into()), ..seen.versions[0].clone() });
    assert_eq!(seen.reason(), Some(Reason::JournalDamaged));
    let seen = asked(seen, rotate(None));
    assert_eq!(seen.reason(), Some(Reason::Ordered));
    let seen = Seen { now: day(93), order: None, ..seen };
    assert_eq!(seen.reason(), Some(Reason::NearingExpiry));
}

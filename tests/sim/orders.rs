//! What a person asks for, carried out by the engine in the world.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Policy, Reason, Token};
use scim_rotator::engine::{Act, Look};

use super::drive::{Drive, policy};
use super::{Crash, FaceOptions, Side};
use crate::world::{Fault, Schedule, Service, Settings, TakesEffect, World};

const COMPROMISED: Order = Order::Rotate { mode: None, compromised: true };

/// An adopted token on its fifth day: nothing is due for months.
async fn resting(takes_effect: TakesEffect, policy: Policy) -> Drive {
    let drive = Drive::new(World::new(Settings { takes_effect, ..Settings::default() }), policy);
    let until = drive.world().now() + TimeDelta::days(5);
    drive.live(&[], until).await;
    drive
}

async fn obey(drive: &Drive, order: Order) -> Look {
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(order).await
}

fn saved_and_issued(drive: &Drive) -> (Option<u32>, u32) {
    let world = drive.world();
    (world.saved_token(), world.ledger.issued)
}

fn is_well(drive: &Drive) {
    let world = drive.world();
    let well = world.entra_holds_a_working_token() && world.jobs()[0].schedule == Schedule::Active;
    assert!(well && world.ledger.cycles_failed == 0, "{}", world.ledger.trace());
}

#[tokio::test]
async fn a_rotation_that_is_asked_for_is_carried_through_in_the_mode_that_is_named() {
    let drive = resting(TakesEffect::FirstUse, policy(Mode::Overlap, Fence::Auto)).await;
    let look = obey(&drive, Order::Rotate { mode: Some(Mode::RemoveCurrent), compromised: false }).await;
    let last = look.report.last_action.expect("something was done");
    assert!(last.succeeded && last.reason == Reason::Ordered, "{last:?}");
    assert_eq!(saved_and_issued(&drive), (Some(2), 1));
    is_well(&drive);
}

#[tokio::test]
async fn a_compromised_token_is_dead_when_the_command_returns_and_no_cycle_has_failed_even_without_a_policy_fence() {
    for takes_effect in [TakesEffect::FirstUse, TakesEffect::Delay(TimeDelta::minutes(4)), TakesEffect::OwnExpiry] {
        let drive = resting(takes_effect, policy(Mode::Overlap, Fence::Never)).await;
        let old = drive.world().token_values().next().expect("a token").to_owned();
        let look = obey(&drive, COMPROMISED).await;
        assert!(look.report.last_action.is_some_and(|last| last.succeeded && last.reason == Reason::Compromised));
        assert!(!drive.world().accepts(&old), "the compromised token is dead");
        is_well(&drive);
    }
}

#[tokio::test]
async fn a_crash_anywhere_in_a_compromised_rotation_leaves_no_failing_cycle_and_kills_the_token() {
    let prepared = resting(TakesEffect::OwnExpiry, policy(Mode::Overlap, Fence::Never)).await;
    let begin = prepared.world().clone();
    let old = begin.token_values().next().expect("a token").to_owned();
    for at_call in 1..40 {
        for side in [Side::Before, Side::After] {
            let drive = Drive::new(begin.clone(), prepared.policy.clone());
            let crash = Some(Crash { at_call, side });
            let (face, mut connection) = drive.process(FaceOptions { crash, ..FaceOptions::default() });
            let died = tokio::select! {
                biased;
                () = face.crashed() => true,
                _ = connection.obey(COMPROMISED) => false,
            };
            let until = drive.world().now() + TimeDelta::hours(3);
            drive.live(&[], until).await;
            is_well(&drive);
            let world = drive.world();
            assert!(!died || world.ledger.issued <= 2, "{}", world.ledger.trace());
            // Killed before the intent stands, it is as if nobody had asked.
            assert!(world.ledger.issued == 0 || !world.accepts(&old), "{side:?} {at_call}\n{}", world.ledger.trace());
        }
    }
}

#[tokio::test]
async fn a_token_that_a_person_brings_is_tested_given_to_entra_and_current() {
    let drive = resting(TakesEffect::OwnExpiry, policy(Mode::Overlap, Fence::Auto)).await;
    let value = drive.world().person_rotates(false);
    let token = Token::parse(&value).expect("a token");
    let expires = Some(drive.world().now() + TimeDelta::days(90));
    let look = obey(&drive, Order::Adopt { token: token.clone(), expires }).await;
    let seen = look.report.token.expect("a token");
    assert_eq!((seen.id, seen.expires), (token.fingerprint(), expires));
    assert_eq!(saved_and_issued(&drive), (Some(2), 0));
    is_well(&drive);
    let again = obey(&drive, Order::Adopt { token, expires: None }).await;
    assert_eq!(again.report.standing.reason, Reason::AlreadyCurrent);
}

#[tokio::test]
async fn a_token_that_does_not_work_is_put_aside_and_entra_keeps_what_it_has() {
    let drive = resting(TakesEffect::OwnExpiry, policy(Mode::Overlap, Fence::Auto)).await;
    let token = Token::parse("this-token-was-never-made").expect("a token");
    let look = obey(&drive, Order::Adopt { token, expires: None }).await;
    assert_eq!(look.report.standing.reason, Reason::NewTokenRefused);
    assert_eq!(drive.world().saved_token(), Some(1));
    let latest = drive.world().versions().last().expect("a version").value.clone();
    assert!(drive.world().accepts(&latest), "whoever reads the latest gets a good one");
    is_well(&drive);
}

#[tokio::test]
async fn a_hold_lasts_across_processes_until_it_is_released_or_the_last_safe_moment_comes() {
    let prepared = resting(TakesEffect::OwnExpiry, policy(Mode::Overlap, Fence::Auto)).await;
    let due = prepared.world().settings.start + TimeDelta::days(150);
    let until = due - TimeDelta::days(1);
    prepared.live(&[], until).await;
    let hold = Order::Hold { until: due + TimeDelta::days(80) };
    assert_eq!(obey(&prepared, hold).await.report.standing.reason, Reason::NotDue);
    let begin = prepared.world().clone();

    let held = Drive::new(begin.clone(), prepared.policy.clone());
    held.live(&[], due + TimeDelta::days(2)).await;
    let (_face, mut connection) = held.process(FaceOptions::default());
    assert_eq!(connection.look(Act::DecideOnly).await.report.standing.reason, Reason::Held);
    assert_eq!(held.world().ledger.issued, 0);
    obey(&held, Order::Release).await;
    held.live(&[], due + TimeDelta::days(3)).await;
    assert_eq!(saved_and_issued(&held), (Some(2), 1), "released, it is rotated");

    let forgotten = Drive::new(begin, prepared.policy.clone());
    forgotten.live(&[], due + TimeDelta::days(22)).await;
    assert_eq!(forgotten.world().ledger.issued, 0, "still held, a day before the last safe moment");
    forgotten.live(&[], due + TimeDelta::days(24)).await;
    assert_eq!(saved_and_issued(&forgotten), (Some(2), 1));
    is_well(&forgotten);
}

#[tokio::test]
async fn what_came_of_an_order_is_told_apart_from_what_followed_it() {
    let drive = resting(TakesEffect::OwnExpiry, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance(TimeDelta::days(174)); // The last safe moment has come, and no process was there.
    let until = drive.world().now() + TimeDelta::days(2);
    let report = obey(&drive, Order::Hold { until }).await.report;
    assert!(report.obeyed.is_some_and(|last| last.succeeded && last.reason == Reason::Held), "the hold was written");
    assert_eq!(report.last_action.expect("something was done").reason, Reason::NearingExpiry);
    assert_eq!(saved_and_issued(&drive), (Some(2), 1), "and beaten");
    drive.world().settings.vault_forbidden = true;
    let report = obey(&drive, Order::Release).await.report;
    assert!(report.obeyed.is_none(), "what could not be taken up has no end, whatever was done before");
}

#[tokio::test]
async fn a_token_that_is_brought_under_a_persons_pause_is_given_to_entra_by_the_very_command() {
    let drive = resting(TakesEffect::OwnExpiry, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().person_pauses();
    let value = drive.world().person_rotates(false);
    let token = Token::parse(&value).expect("a token");
    let look = obey(&drive, Order::Adopt { token, expires: None }).await;
    assert!(look.report.obeyed.is_some_and(|done| done.succeeded), "{:?}", look.report.standing);
    let world = drive.world();
    assert_eq!(world.saved_token(), Some(2), "{}", world.ledger.trace());
    assert_eq!((world.jobs()[0].schedule, world.ledger.started_a_persons_pause), (Schedule::Paused, 0));
}

#[tokio::test]
async fn a_good_token_that_a_bad_one_was_brought_above_before_it_could_be_tried_is_taken_after_all() {
    let drive = resting(TakesEffect::OwnExpiry, policy(Mode::Overlap, Fence::Auto)).await;
    let good = Token::parse(&drive.world().person_rotates(false)).expect("a token");
    let now = drive.world().now();
    let expires = now + TimeDelta::days(90);
    drive.world().faults.during(Service::Scim, now, now + TimeDelta::minutes(30), Fault::Down);
    let look = obey(&drive, Order::Adopt { token: good, expires: Some(expires) }).await;
    assert_eq!(look.report.standing.reason, Reason::NoVerdict, "nothing can be tried");
    drive.world().advance_to(now + TimeDelta::minutes(31));
    let bad = Token::parse("this-token-was-never-made").expect("a token");
    obey(&drive, Order::Adopt { token: bad, expires: None }).await;
    assert_eq!(saved_and_issued(&drive), (Some(1), 0));
    let until = drive.world().now() + TimeDelta::hours(1);
    drive.live(&[], until).await;
    assert_eq!(saved_and_issued(&drive), (Some(2), 0), "{}", drive.world().ledger.trace());
    is_well(&drive);
}

#[tokio::test]
async fn a_cycle_that_outlives_a_persons_pause_is_waited_for_before_a_token_is_tried_that_he_brings() {
    let busy =
        Settings { takes_effect: TakesEffect::FirstUse, cycle_length: TimeDelta::minutes(39), ..Settings::default() };
    let drive = Drive::new(World::new(busy), policy(Mode::Overlap, Fence::Auto));
    let until = drive.world().now() + TimeDelta::days(5);
    drive.live(&[], until).await;
    let begins = drive.world().jobs()[0].last.as_ref().expect("a cycle has ended").began + TimeDelta::minutes(80);
    drive.world().advance_to(begins + TimeDelta::minutes(2));
    drive.world().person_pauses();
    let token = Token::parse(&drive.world().person_rotates(false)).expect("a token");
    obey(&drive, Order::Adopt { token, expires: None }).await;
    let until = drive.world().now() + TimeDelta::hours(2);
    drive.live(&[], until).await;
    let world = drive.world();
    assert_eq!((world.saved_token(), world.ledger.cycles_failed), (Some(2), 0), "{}", world.ledger.trace());
}

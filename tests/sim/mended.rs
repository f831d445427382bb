//! What needs no new token is done while one is waited for: after a failure, after lost answers, with the day's issues spent.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Policy};

use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Event, Fault, Op, Schedule, Service, Settings, TakesEffect, Timestamp, World};

fn own_expiry() -> Settings {
    Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }
}

fn lost_answers(world: &World) -> usize {
    world.ledger.events().filter(|(_, event)| matches!(event, Event::Fault { op: Op::Issue, .. })).count()
}

/// For how long, from `since` on, Entra held no working token.
fn outage(world: &World, since: Timestamp) -> TimeDelta {
    let ends = |(at, event): &&(Timestamp, Event)| *at > since && matches!(event, Event::OutageEnded { .. });
    world.ledger.events().find(ends).map_or(world.now() - since, |(at, _)| *at - since)
}

/// Lives for three days; when `is` for the first time, `person` meddles, and this is for how long Entra held no working token then.
async fn meddled(drive: &Drive, is: impl Fn(&World) -> bool, person: impl Fn(&mut World)) -> TimeDelta {
    let until = drive.world().now() + TimeDelta::days(3);
    let mut done = None;
    drive
        .live_beside(until, |world| {
            if done.is_none() && is(world) {
                done = Some(world.now());
                person(world);
            }
        })
        .await;
    outage(&drive.world(), done.expect("it was done"))
}

fn pastes_garbage(world: &mut World) {
    world.person_saves("a-token-that-was-never-made");
}

/// The next cycle shows it, and the next hourly look sees that.
fn soon() -> TimeDelta {
    settings().cycle_interval + TimeDelta::minutes(75)
}

#[tokio::test]
async fn entra_gets_the_vaults_good_token_back_while_a_failed_rotation_is_backed_off_from() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    let back = drive.world().now() + TimeDelta::hours(10);
    let now = drive.world().now();
    drive.world().faults.during(Service::HpeAuth, now, back, Fault::Down);
    let outage = meddled(&drive, |world| world.now() >= back, pastes_garbage).await;
    assert!(outage < soon(), "{outage}\n{}", drive.world().ledger.trace());
}

#[tokio::test]
async fn entra_gets_the_vaults_good_token_back_while_the_issues_of_a_day_are_spent() {
    let drive = about_to_rotate(own_expiry(), policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().faults.at_calls(Op::Issue, 1, 4, Fault::LoseRequest);
    let spent = |world: &World| lost_answers(world) == 4 && world.jobs()[0].schedule == Schedule::Active;
    let outage = meddled(&drive, spent, pastes_garbage).await;
    assert!(outage < soon(), "{outage}\n{}", drive.world().ledger.trace());
    assert!(drive.world().ledger.issued <= 4);
}

#[tokio::test]
async fn a_working_token_that_a_person_stores_is_taken_over_while_the_issues_of_a_day_are_spent() {
    let rules = Policy { accept_supplied: true, ..policy(Mode::RemoveCurrent, Fence::Auto) };
    let drive = about_to_rotate(own_expiry(), rules).await;
    drive.world().faults.at_calls(Op::Issue, 1, 4, Fault::LoseAnswer);
    let spent = |world: &World| lost_answers(world) == 4;
    let outage = meddled(&drive, spent, |world| {
        let new = world.person_rotates(false);
        world.person_stores(&new);
    })
    .await;
    assert!(outage < TimeDelta::minutes(100), "{outage}\n{}", drive.world().ledger.trace());
}

#[tokio::test]
async fn with_every_token_deleted_a_new_one_is_had_though_a_person_stores_what_is_none() {
    let rules = Policy { accept_supplied: true, ..policy(Mode::Overlap, Fence::Auto) };
    let drive = about_to_rotate(own_expiry(), rules).await;
    let until = drive.world().now() + TimeDelta::days(1);
    drive.live(&[], until).await; // It was rotated a few hours ago: there is slack.
    // For hours there is nothing to rotate, which is tried again and again.
    drive.world().person_deletes_tokens();
    let since = drive.world().now() + TimeDelta::hours(7);
    let outage = meddled(
        &drive,
        |world| world.now() >= since,
        |world| {
            world.person_creates(); // There is something to rotate again.
            world.person_stores("somebodys-password");
        },
    )
    .await;
    assert!(outage < soon(), "{outage}\n{}", drive.world().ledger.trace());
}

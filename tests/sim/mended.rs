//! What needs no new token is done while one is waited for: after a failure, after lost answers, with the day's issues spent.

use std::sync::Arc;

use chrono::TimeDelta;
use scim_rotator::domain::{Bootstrap, Fence, Mode, Policy};
use scim_rotator::engine::Act;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Begin, Event, Fault, Op, Schedule, Service, Settings, TakesEffect, Timestamp, Who, World};

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

#[tokio::test]
async fn before_the_first_token_of_ours_a_quarantine_has_none_made_otherwise_than_bootstrap_says() {
    for bootstrap in [None, Some(Bootstrap::Rotate)] {
        let first = Settings { begin: Begin::AtEntra, ..own_expiry() };
        let rules = |bootstrap| Policy { bootstrap, ..policy(Mode::RemoveCurrent, Fence::Auto) };
        let drive = Drive::new(World::new(first), rules(Some(Bootstrap::Rotate)));
        let begin = drive.world().now();
        drive.world().faults.during(Service::Hpe, begin, begin + TimeDelta::hours(9), Fault::Status(403, None));
        drive.live(&[], begin + TimeDelta::hours(2)).await;
        pastes_garbage(&mut drive.world());
        drive.world().person_starts();
        let drive = Drive::new(drive.world().clone(), rules(bootstrap));
        drive.live(&[], begin + TimeDelta::hours(24)).await;
        let world = drive.world();
        let made = world.ledger.events().filter_map(|(_, event)| match event {
            Event::Issued { by: Who::Daemon, remove_current, .. } => Some(*remove_current),
            _ => None,
        });
        let expected = if bootstrap.is_some() { vec![false] } else { vec![] };
        assert_eq!(made.collect::<Vec<_>>(), expected, "{bootstrap:?}\n{}", world.ledger.trace());
    }
}

/// Lives until then, and looks only when a look has asked for it: no cron wakes anybody in between.
async fn woken_by_nobody(drive: &Drive, until: Timestamp) {
    let (face, connection) = drive.process(FaceOptions { until: Some(until), ..FaceOptions::default() });
    let mut connection = connection.calm();
    let looks = async {
        loop {
            let look = connection.look(Act::CarryOut).await;
            let clock = Arc::clone(connection.clock());
            let wait = (look.next - clock.now()).max(TimeDelta::seconds(1));
            clock.sleep(wait.to_std().expect("a time")).await;
        }
    };
    tokio::select! { biased; () = face.over() => (), () = looks => () }
}

#[tokio::test]
async fn with_the_issues_of_a_day_spent_the_job_runs_again_in_time_though_no_cron_wakes_anybody() {
    let drive = about_to_rotate(own_expiry(), policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().faults.at_calls(Op::Issue, 1, 4, Fault::LoseRequest);
    let until = drive.world().now() + TimeDelta::hours(20);
    woken_by_nobody(&drive, until).await;
    let world = drive.world();
    assert_eq!(lost_answers(&world), 4);
    assert!(world.ledger.paused < TimeDelta::hours(4), "{}\n{}", world.ledger.paused, world.ledger.trace());
}

#[tokio::test]
async fn a_first_token_that_the_issuer_will_not_make_keeps_no_job_paused_that_runs_on_a_persons() {
    let first = Settings { begin: Begin::AtEntra, pause_ends_cycle: true, ..own_expiry() };
    let rules = Policy { bootstrap: Some(Bootstrap::Rotate), ..policy(Mode::Overlap, Fence::Auto) };
    let drive = Drive::new(World::new(first), rules);
    let begin = drive.world().now();
    drive.world().faults.during(Service::Hpe, begin, begin + TimeDelta::hours(12), Fault::Status(403, None));
    drive.live(&[], begin + TimeDelta::hours(12)).await;
    let world = drive.world();
    let ledger = &world.ledger;
    assert!(ledger.cycles_cut == 0 && ledger.cycles_succeeded > 12, "{}", ledger.trace());
    assert!(ledger.paused < TimeDelta::hours(6), "{}\n{}", ledger.paused, ledger.trace());
}

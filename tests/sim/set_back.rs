//! A clock that is set back by hours while something is under way: what is measured by it must not stand still.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode};
use scim_rotator::engine::Act;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy, tend};
use super::edited::killed_when;
use crate::world::{Event, Fault, Op, PutReading, Schedule, Service, Settings, TakesEffect, Who, World};

const BACK: TimeDelta = TimeDelta::hours(-5);

fn is_paused(world: &World) -> bool {
    world.jobs()[0].schedule == Schedule::Paused
}

/// A process tends the connection until so much later. Its clock is set back after its first look.
async fn set_back(drive: &Drive, time: TimeDelta) {
    let until = Some(drive.world().now() + time);
    let (face, connection) = drive.process(FaceOptions { until, ..FaceOptions::default() });
    let mut connection = connection.calm();
    connection.look(Act::CarryOut).await;
    face.step_clock(BACK);
    tokio::select! {
        biased;
        () = face.over() => (),
        () = tend(&mut connection) => (),
    }
}

#[tokio::test]
async fn a_pause_that_a_crash_left_ends_within_minutes_though_the_clock_was_set_back() {
    let drive = killed_when(Fence::Auto, is_paused).await;
    set_back(&drive, TimeDelta::minutes(20)).await;
    let world = drive.world();
    assert!(!is_paused(&world), "{}", world.ledger.trace());
}

#[tokio::test]
async fn a_process_that_has_just_begun_waits_for_minutes_and_not_until_its_clock_is_where_it_was() {
    let due = settings().start + TimeDelta::days(75);
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = about_to_rotate(quiet, policy(Mode::Overlap, Fence::Never)).await;
    drive.world().advance_to(due);
    set_back(&drive, TimeDelta::minutes(20)).await;
    let world = drive.world();
    assert_eq!(world.saved_token(), Some(2), "{}", world.ledger.trace());
}

#[tokio::test]
async fn the_pause_after_a_lost_answer_stands_for_an_hour_whatever_the_clock_was_set_to_since() {
    let drive = killed_when(Fence::Auto, |world| world.ledger.issued > 0).await;
    assert!(is_paused(&drive.world()));
    let now = drive.world().now();
    drive.world().faults.during(Service::Hpe, now, now + TimeDelta::hours(9), Fault::Status(409, None));
    // The token that was issued is the lost one: nothing of it stands in the vault.
    assert_eq!(drive.world().faults.calls(Op::VaultStore), 1);
    set_back(&drive, TimeDelta::minutes(40)).await;
    assert!(is_paused(&drive.world()), "the token may take effect any minute\n{}", drive.world().ledger.trace());
    set_back(&drive, TimeDelta::minutes(40)).await;
    // It may be paused again by now: the issuer is asked once more.
    let world = drive.world();
    let is_start = |event: &Event| matches!(event, Event::Started { by: Who::Daemon });
    let started = world.ledger.events().find(|(at, event)| *at > now && is_start(event)).map(|(at, _)| *at - now);
    assert!(started.is_some_and(|time| time < TimeDelta::minutes(75)), "{started:?}\n{}", world.ledger.trace());
}

#[tokio::test]
async fn a_write_that_entra_ignored_is_made_again_after_an_hour_by_the_clock_that_dated_it() {
    let due = settings().start + TimeDelta::days(71);
    let deaf = Settings { takes_effect: TakesEffect::OwnExpiry, put: PutReading::IgnoresFirst, ..settings() };
    let drive = about_to_rotate(deaf, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance_to(due);
    let until = Some(due + TimeDelta::hours(3));
    let (face, mut connection) = drive.process(FaceOptions { until, skew: BACK, ..FaceOptions::default() });
    tokio::select! {
        biased;
        () = face.over() => (),
        () = tend(&mut connection) => (),
    }
    let world = drive.world();
    assert_eq!((world.ledger.issued, world.saved_token()), (1, Some(2)), "{}", world.ledger.trace());
}

#[tokio::test]
async fn a_gap_is_waited_for_no_longer_though_the_clock_is_set_back_meanwhile() {
    // One cycle follows the other, so that there is no gap.
    let cycle_length = TimeDelta::minutes(39);
    let busy = Settings { cycle_length, pause_ends_cycle: true, takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let due = settings().start + TimeDelta::days(70);
    let drive = about_to_rotate(busy, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance_to(due);
    let asked = drive.world().faults.calls(Op::JobRead);
    let (face, mut connection) = drive.process(FaceOptions { yields: true, ..FaceOptions::default() });
    let sets_back = async {
        while drive.world().faults.calls(Op::JobRead) < asked + 10 {
            tokio::task::yield_now().await;
        }
        face.step_clock(BACK);
        std::future::pending::<()>().await;
    };
    tokio::select! { biased; () = sets_back => (), _ = connection.look(Act::CarryOut) => () }
    let world = drive.world();
    let took = world.now() - due;
    assert_eq!(world.saved_token(), Some(2), "{}", world.ledger.trace());
    assert!(took < TimeDelta::hours(4), "{took}\n{}", world.ledger.trace());
}

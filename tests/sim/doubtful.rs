//! Pauses of which it is not certain at once whose they are, and whether they were made at all: none is left behind, and none
//! of a person's is ended.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Policy, Reason};
use scim_rotator::engine::Act;

use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, policy, tend};
use super::{Crash, FaceOptions, Side};
use crate::world::{Event, Fault, Op, Schedule, Service, Settings, TakesEffect, Who, World};

fn paused(world: &World, who: Who) -> bool {
    world.jobs()[0].schedule == Schedule::Paused && world.jobs()[0].paused_by == Some(who)
}

fn has_paused(world: &World) -> bool {
    world.ledger.events().any(|(at, event)| {
        matches!(event, Event::Paused { by: Who::Daemon }) && *at > world.settings.start + TimeDelta::days(60)
    })
}

/// A person pauses the job as soon as the intent is stored, a moment before us, and so the process lives on for six hours.
async fn paused_at_the_intent(drive: &Drive, and: impl Fn(&mut World)) {
    let until = drive.world().now() + TimeDelta::hours(6);
    let stored = drive.world().ledger.stored;
    let mut done = false;
    drive
        .live_beside(until, |world| {
            if !done && world.ledger.stored > stored {
                done = true;
                world.person_pauses();
                and(world);
            }
        })
        .await;
}

#[tokio::test]
async fn a_pause_whose_answer_is_lost_before_a_certain_no_is_ended() {
    for no in [Fault::Down, Fault::Status(429, None), Fault::Status(403, None)] {
        for mode in [Mode::Overlap, Mode::RemoveCurrent] {
            let drive = about_to_rotate(settings(), policy(mode, Fence::Auto)).await;
            drive.world().faults.at_call(Op::Pause, 1, Fault::LoseAnswer);
            drive.world().faults.at_calls(Op::Pause, 2, 12, no);
            let until = drive.world().now() + TimeDelta::days(2);
            drive.live(&[], until).await;
            judge(&drive, 0).unwrap_or_else(|why| panic!("{no:?} {mode}\n{why}"));
        }
    }
}

#[tokio::test]
async fn a_persons_pause_that_came_before_ours_is_his_though_the_vault_could_not_be_told() {
    let drive = about_to_rotate(settings(), policy(Mode::RemoveCurrent, Fence::Auto)).await;
    paused_at_the_intent(&drive, |world| {
        let now = world.now();
        world.faults.during(Service::Vault, now, now + TimeDelta::minutes(6), Fault::Down);
    })
    .await;
    let world = drive.world();
    assert!(paused(&world, Who::Person), "{}", world.ledger.trace());
    assert_eq!((world.ledger.started_a_persons_pause, world.ledger.cycles_failed), (0, 0));
}

#[tokio::test]
async fn a_pause_that_nobody_wrote_down_in_time_is_told_even_after_a_rotation_that_failed_once() {
    let drive = about_to_rotate(settings(), policy(Mode::RemoveCurrent, Fence::Always)).await;
    let killed = drive.killed_when(has_paused).await;
    killed.world().advance(TimeDelta::hours(12));
    killed.world().faults.at_call(Op::BearerMint, 1, Fault::Html);
    let until = killed.world().now() + TimeDelta::hours(6);
    killed.live(&[], until).await;
    let (_face, mut connection) = killed.process(FaceOptions::default());
    let reason = connection.look(Act::DecideOnly).await.report.standing.reason;
    let world = killed.world();
    assert_eq!((world.saved_token(), reason), (Some(2), Reason::PauseOfUnknownOrigin), "{}", world.ledger.trace());
}

#[tokio::test]
async fn a_person_who_pauses_the_job_a_moment_before_us_in_the_midst_of_a_cycle_fails_none() {
    let busy = Settings { takes_effect: TakesEffect::FirstUse, cycle_length: TimeDelta::minutes(39), ..settings() };
    let drive = about_to_rotate(busy, policy(Mode::Overlap, Fence::Auto)).await;
    paused_at_the_intent(&drive, |_| ()).await;
    let world = drive.world();
    assert!(paused(&world, Who::Person), "{}", world.ledger.trace());
    assert_eq!((world.saved_token(), world.ledger.cycles_failed), (Some(2), 0), "{}", world.ledger.trace());
}

/// Killed under its own pause; a person starts the job, cycles run for hours, he pauses it; then the process is back. Calls
/// are fast, so that a pause is made in the second in which it was planned.
#[tokio::test]
async fn a_pause_in_the_second_of_its_plan_is_told_from_one_that_a_person_makes_hours_later() {
    let rules = Policy { accept_supplied: true, ..policy(Mode::Overlap, Fence::Auto) };
    let start = settings().start;
    let mut all = 0;
    for (latency, part) in [(30, 0), (30, 500), (100, 200), (100, 800), (300, 400)] {
        let latency = TimeDelta::milliseconds(latency);
        let drive = Drive::new(World::new(settings()), rules.clone());
        drive.live(&[], start + TimeDelta::days(20)).await;
        let new = drive.world().person_rotates(false);
        drive.world().person_stores(&new);
        drive.world().advance(TimeDelta::milliseconds(part));
        for at_call in 10..30 {
            let drive = Drive::new(drive.world().clone(), rules.clone());
            let until = Some(drive.world().now() + TimeDelta::hours(1));
            let crash = Some(Crash { at_call, side: Side::After });
            let (face, connection) = drive.process(FaceOptions { crash, latency, until, ..FaceOptions::default() });
            let mut connection = connection.calm();
            tokio::select! {
                biased;
                () = face.crashed() => (),
                () = face.over() => (),
                () = tend(&mut connection) => (),
            }
            if !paused(&drive.world(), Who::Daemon) {
                continue;
            }
            {
                let world = &mut *drive.world();
                world.person_starts();
                world.advance(TimeDelta::hours(3));
                world.person_pauses();
                world.advance(TimeDelta::minutes(1));
            }
            all += 1;
            let until = drive.world().now() + TimeDelta::hours(3);
            drive.live(&[], until).await;
            let world = drive.world();
            assert_eq!(world.ledger.started_a_persons_pause, 0, "{latency} {part} {at_call}\n{}", world.ledger.trace());
        }
    }
    assert!(all > 50, "only {all} of them were under a pause of ours");
}

#[tokio::test]
async fn a_pause_that_was_refused_for_a_supplied_token_is_not_taken_for_the_one_that_a_person_makes_then() {
    let rules = Policy { accept_supplied: true, ..policy(Mode::Overlap, Fence::Auto) };
    let drive = Drive::new(World::new(settings()), rules);
    let start = drive.world().now();
    drive.live(&[], start + TimeDelta::days(20)).await;
    let new = drive.world().person_rotates(false);
    drive.world().person_stores(&new);
    drive.world().faults.at_call(Op::Pause, 1, Fault::Status(403, None));
    let until = drive.world().now() + TimeDelta::hours(6);
    let mut done = false;
    drive
        .live_beside(until, |world| {
            let refused = world.ledger.events().any(|(_, event)| matches!(event, Event::Fault { op: Op::Pause, .. }));
            if !done && refused {
                done = true;
                world.person_pauses();
            }
        })
        .await;
    let world = drive.world();
    assert!(done && paused(&world, Who::Person), "{}", world.ledger.trace());
    assert_eq!((world.saved_token(), world.ledger.started_a_persons_pause), (Some(2), 0), "{}", world.ledger.trace());
}

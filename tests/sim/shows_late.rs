//! A pause that Graph shows late: it is neither taken for ended nor forgotten.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode};
use scim_rotator::engine::Act;
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Op, Schedule, Settings, TakesEffect};

#[tokio::test]
async fn a_pause_that_shows_late_is_ended_all_the_same() {
    for (lag, cycle) in [(30, 20), (70, 20), (100, 20), (100, 240), (300, 240), (540, 240)] {
        let cycle_length = TimeDelta::seconds(cycle);
        let quick = Settings { cycle_length, takes_effect: TakesEffect::FirstUse, ..settings() };
        let drive = about_to_rotate(quick, policy(Mode::Overlap, Fence::Auto)).await;
        drive.world().settings.pause_shows_after = TimeDelta::seconds(lag);
        let until = drive.world().now() + TimeDelta::hours(5);
        drive.live(&[], until).await;
        let world = drive.world();
        assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{lag} {cycle}\n{}", world.ledger.trace());
        let ledger = &world.ledger;
        assert_eq!((ledger.cycles_failed, ledger.started_while_active, world.saved_token()), (0, 0, Some(2)), "{lag}");
        assert!(ledger.paused < TimeDelta::minutes(80), "{lag} {cycle}: {}\n{}", ledger.paused, ledger.trace());
    }
}

#[tokio::test]
async fn a_process_that_is_stopped_just_after_its_pause_ends_it_before_it_goes() {
    for lag in [0, 45] {
        let (drive, _) = stopped_just_after_its_pause(TimeDelta::seconds(lag)).await;
        let world = drive.world();
        assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{lag}\n{}", world.ledger.trace());
    }
}

#[tokio::test]
async fn it_leaves_a_pause_that_does_not_show_for_minutes_to_the_next_process_before_it_is_killed_for_being_late() {
    let (drive, time) = stopped_just_after_its_pause(TimeDelta::minutes(9)).await;
    assert_eq!(drive.world().jobs()[0].schedule, Schedule::Paused);
    assert!(time < TimeDelta::minutes(3), "{time}");
    let until = drive.world().now() + TimeDelta::hours(3);
    drive.live(&[], until).await;
    let world = drive.world();
    let came = (world.jobs()[0].schedule, world.ledger.cycles_failed, world.saved_token());
    assert_eq!(came, (Schedule::Active, 0, Some(2)), "{}", world.ledger.trace());
}

/// A process that is told to end as soon as it has paused the job, which shows so much later; and how long it took for that.
async fn stopped_just_after_its_pause(lag: TimeDelta) -> (Drive, TimeDelta) {
    let quiet = Settings { takes_effect: TakesEffect::FirstUse, ..settings() };
    let due = quiet.start + TimeDelta::days(70) + TimeDelta::minutes(10);
    let drive = about_to_rotate(quiet, policy(Mode::RemoveCurrent, Fence::Auto)).await;
    drive.world().settings.pause_shows_after = lag;
    drive.world().advance_to(due);
    let before = drive.world().faults.calls(Op::Pause);
    let stop = CancellationToken::new();
    let (_face, mut connection) = drive.host("one-host", FaceOptions::default(), stop.clone());
    let mut told = None;
    let watcher = async {
        loop {
            if drive.world().faults.calls(Op::Pause) > before && told.is_none() {
                stop.cancel();
                told = Some(drive.world().now());
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { biased; () = watcher => (), _ = connection.look(Act::CarryOut) => () }
    assert_eq!(drive.world().ledger.issued, 0);
    let time = drive.world().now() - told.expect("it has paused the job");
    (drive, time)
}

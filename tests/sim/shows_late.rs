//! A pause that Graph shows late: it is neither taken for ended nor forgotten.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode};
use scim_rotator::engine::Act;
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::policy;
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
        let quiet = Settings { takes_effect: TakesEffect::FirstUse, ..settings() };
        let due = quiet.start + TimeDelta::days(70) + TimeDelta::minutes(10);
        let drive = about_to_rotate(quiet, policy(Mode::RemoveCurrent, Fence::Auto)).await;
        drive.world().settings.pause_shows_after = TimeDelta::seconds(lag);
        drive.world().advance_to(due);
        let before = drive.world().faults.calls(Op::Pause);
        let stop = CancellationToken::new();
        let (_face, mut connection) = drive.host("one-host", FaceOptions::default(), stop.clone());
        let watcher = async {
            loop {
                if drive.world().faults.calls(Op::Pause) > before {
                    stop.cancel();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { biased; () = watcher => (), _ = connection.look(Act::CarryOut) => () }
        let world = drive.world();
        assert!(world.faults.calls(Op::Pause) > before && world.ledger.issued == 0);
        assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{lag}\n{}", world.ledger.trace());
    }
}

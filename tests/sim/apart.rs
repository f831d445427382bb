//! A host whose clock is an hour off from those of Azure and HPE, in either direction.

use chrono::TimeDelta;
use scim_rotator::domain::policy::Before;
use scim_rotator::domain::{Fence, Mode, Policy};
use scim_rotator::engine::Act;

use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, policy, tend};
use super::{Crash, FaceOptions, Side};
use crate::world::{Settings, TakesEffect, World};

async fn live(drive: &Drive, skew: TimeDelta, time: TimeDelta) {
    let until = Some(drive.world().now() + time);
    let (face, connection) = drive.process(FaceOptions { skew, until, ..FaceOptions::default() });
    let mut connection = connection.calm();
    tokio::select! { biased; () = face.over() => (), () = tend(&mut connection) => () }
}

#[tokio::test]
async fn a_host_whose_clock_is_an_hour_off_rotates_as_any_other_and_says_that_it_is_off() {
    for skew in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
        for (mode, takes_effect) in [
            (Mode::Overlap, TakesEffect::FirstUse),
            (Mode::Overlap, TakesEffect::Delay(TimeDelta::minutes(4))),
            (Mode::RemoveCurrent, TakesEffect::OwnExpiry),
        ] {
            let settings = Settings { takes_effect, ..settings() };
            let drive = about_to_rotate(settings, policy(mode, Fence::Auto)).await;
            live(&drive, skew, TimeDelta::hours(40)).await;
            judge(&drive, 0).unwrap_or_else(|why| panic!("{skew} {mode}\n{why}"));
            let (_face, mut connection) = drive.process(FaceOptions { skew, ..FaceOptions::default() });
            let report = connection.look(Act::DecideOnly).await.report;
            let told = |warning: &String| warning.contains("this host's clock differs from Microsoft Graph's by");
            assert!(report.warnings.iter().any(told), "{:?}", report.warnings);
            let token = report.token.expect("a token");
            assert!(token.confirmed.is_some() && report.standing.error.is_none(), "{skew} {mode} {token:?}");
        }
    }
}

#[tokio::test]
async fn a_rotation_that_was_killed_under_one_clock_is_ended_under_another() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    let begin = drive.world().clone();
    let fresh = || Drive::new(begin.clone(), drive.policy.clone());
    let calls = fresh().live(&[], begin.now() + TimeDelta::hours(1)).await;
    for (before, after) in [(1, -1), (-1, 1)] {
        for at_call in 1..=calls {
            let drive = fresh();
            let (skew, crash) = (TimeDelta::hours(before), Some(Crash { at_call, side: Side::After }));
            let (face, connection) = drive.process(FaceOptions { skew, crash, ..FaceOptions::default() });
            let mut connection = connection.calm();
            tokio::select! { biased; () = face.crashed() => (), () = tend(&mut connection) => () }
            live(&drive, TimeDelta::hours(after), TimeDelta::hours(40)).await;
            judge(&drive, 1).unwrap_or_else(|why| panic!("{before} {after} call {at_call}\n{why}"));
        }
    }
}

#[tokio::test]
async fn a_host_whose_clock_is_days_off_goes_by_graphs_and_neither_hurries_nor_is_late() {
    for skew in [TimeDelta::days(10), TimeDelta::days(-10), TimeDelta::days(400), TimeDelta::days(-400)] {
        for mode in [Mode::Overlap, Mode::RemoveCurrent] {
            let own = Settings { takes_effect: TakesEffect::OwnExpiry, token_life: TimeDelta::days(6), ..settings() };
            let rules = Policy { rotate_before: Before::Share(33), ..policy(mode, Fence::Auto) };
            let drive = Drive::new(World::new(own), rules);
            live(&drive, skew, TimeDelta::days(41)).await;
            // A life of six days is used up to four.
            let world = drive.world();
            let (ledger, well) = (&world.ledger, world.entra_holds_a_working_token());
            assert!(well && ledger.cycles_failed == 0, "{skew} {mode}\n{}", ledger.trace());
            assert!((9..=11).contains(&ledger.issued), "{skew} {mode} {}\n{}", ledger.issued, ledger.trace());
        }
    }
}

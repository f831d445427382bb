//! A host whose clock is an hour off from those of Azure and HPE, in either direction.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode};
use scim_rotator::engine::Act;

use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, policy, tend};
use super::{Crash, FaceOptions, Side};
use crate::world::{Settings, TakesEffect};

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

//! A holder of a new name for every start, as a container has that is given its host's name at random: what one has begun,
//! another takes up who is not known for the same.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode};
use tokio_util::sync::CancellationToken;

use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, policy, tend};
use super::{Crash, FaceOptions, Side};
use crate::world::{Settings, TakesEffect, Timestamp};

/// One container until it dies, or until `until`. Answers with how many calls it made, and whether it died.
async fn container(drive: &Drive, name: &str, crash: Option<Crash>, until: Timestamp) -> (usize, bool) {
    let options = FaceOptions { crash, until: Some(until), ..FaceOptions::default() };
    let (face, connection) = drive.host(name, options, CancellationToken::new());
    let mut connection = connection.calm();
    let died = tokio::select! {
        biased;
        () = face.crashed() => true,
        () = face.over() => false,
        () = tend(&mut connection) => false,
    };
    (face.calls(), died)
}

async fn every_crash(mode: Mode, takes_effect: TakesEffect) {
    let settings = Settings { takes_effect, ..settings() };
    let prepared = about_to_rotate(settings, policy(mode, Fence::Auto)).await;
    let begin = prepared.world().clone();
    let fresh = || Drive::new(begin.clone(), prepared.policy.clone());
    let (calls, _) = container(&fresh(), "container-1", None, begin.now() + TimeDelta::hours(2)).await;
    for at_call in 1..=calls {
        for side in [Side::Before, Side::After] {
            let drive = fresh();
            let until = begin.now() + TimeDelta::hours(14);
            let (_, died) = container(&drive, "container-1", Some(Crash { at_call, side }), until).await;
            assert!(died, "{at_call}");
            drive.world().advance(TimeDelta::seconds(5));
            container(&drive, "container-2", None, until).await;
            judge(&drive, 1).unwrap_or_else(|why| panic!("{mode}, {side:?} call {at_call}\n{why}"));
        }
    }
}

#[tokio::test]
async fn a_rotation_that_was_killed_at_any_call_is_taken_up_by_a_container_of_another_name_in_overlap_mode() {
    every_crash(Mode::Overlap, TakesEffect::FirstUse).await;
}

#[tokio::test]
async fn a_rotation_that_was_killed_at_any_call_is_taken_up_by_a_container_of_another_name_in_remove_current_mode() {
    every_crash(Mode::RemoveCurrent, TakesEffect::OwnExpiry).await;
}

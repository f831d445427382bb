//! A host that sleeps for a week, and a clock that leaps by an hour, at every single call of a rotation.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode};

use super::Face;
use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, once, policy};
use crate::world::{Settings, TakesEffect};

/// At each call of a rotation in turn, `strike` befalls the process; some hours later all is well.
async fn at_each_call(mode: Mode, takes_effect: TakesEffect, strike: impl Fn(&Face)) {
    let prepared = about_to_rotate(Settings { takes_effect, ..settings() }, policy(mode, Fence::Auto)).await;
    let begin = prepared.world().clone();
    let fresh = || Drive::new(begin.clone(), prepared.policy.clone());
    let calls = fresh().live(&[], begin.now() + TimeDelta::hours(3)).await;
    assert!(calls > 20, "a rotation takes more than {calls} calls");
    for call in 1..=calls {
        let (drive, strike) = (fresh(), &strike);
        let end = begin.now() + TimeDelta::days(8);
        drive
            .live_through(end, |face| async move {
                once(|| face.calls() >= call).await;
                strike(&face);
            })
            .await;
        judge(&drive, 1).unwrap_or_else(|why| panic!("{mode}, struck at call {call}\n{why}"));
    }
}

async fn in_both_modes(strike: impl Fn(&Face)) {
    at_each_call(Mode::Overlap, TakesEffect::FirstUse, &strike).await;
    at_each_call(Mode::RemoveCurrent, TakesEffect::FirstUse, &strike).await;
}

#[tokio::test]
async fn a_host_that_sleeps_for_a_week_at_any_call_goes_on_where_it_was() {
    in_both_modes(|face| face.suspend(TimeDelta::days(7))).await;
}

#[tokio::test]
async fn a_clock_that_is_set_forward_by_an_hour_at_any_call_does_no_harm() {
    in_both_modes(|face| face.step_clock(TimeDelta::hours(1))).await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_by_an_hour_at_any_call_does_no_harm() {
    in_both_modes(|face| face.step_clock(TimeDelta::hours(-1))).await;
}

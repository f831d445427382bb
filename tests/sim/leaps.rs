//! A host that sleeps for a week, and a clock that leaps by an hour or by more than a year, at every single call of a rotation.

use chrono::TimeDelta;
use scim_rotator::domain::journal::Label;
use scim_rotator::domain::{Fence, Mode};

use super::Face;
use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, once, policy};
use super::edited::is_pending;
use crate::world::{Settings, TakesEffect};

/// At each call of what follows in turn, `strike` befalls the process; so much later all is well, as `judge` has it.
async fn at_each_call(
    prepared: &Drive,
    time: TimeDelta,
    judge: fn(&Drive) -> Result<(), String>,
    strike: impl Fn(&Face),
) {
    let mode = prepared.policy.mode;
    let begin = prepared.world().clone();
    let fresh = || Drive::new(begin.clone(), prepared.policy.clone());
    let calls = fresh().live(&[], begin.now() + TimeDelta::hours(3)).await;
    assert!(calls > 20, "a rotation takes more than {calls} calls");
    for call in 1..=calls {
        let (drive, strike) = (fresh(), &strike);
        let end = begin.now() + time;
        drive
            .live_through(end, |face| async move {
                once(|| face.calls() >= call).await;
                strike(&face);
            })
            .await;
        judge(&drive).unwrap_or_else(|why| panic!("{mode}, struck at call {call}\n{why}"));
    }
}

async fn in_both_modes(strike: impl Fn(&Face)) {
    at_each_call_of_both_modes(TimeDelta::days(8), strike, |drive| judge(drive, 1)).await;
}

async fn at_each_call_of_both_modes(time: TimeDelta, strike: impl Fn(&Face), judge: fn(&Drive) -> Result<(), String>) {
    for mode in [Mode::Overlap, Mode::RemoveCurrent] {
        let settings = Settings { takes_effect: TakesEffect::FirstUse, ..settings() };
        at_each_call(&about_to_rotate(settings, policy(mode, Fence::Auto)).await, time, judge, &strike).await;
    }
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

/// What [`judge`] asks for, and that no clock that leapt has dated the issue.
fn judge_dates(drive: &Drive) -> Result<(), String> {
    judge(drive, 0)?;
    let world = drive.world();
    for stored in &world.versions()[1..] {
        let Label::Ours(labels) = Label::parse(&stored.tags) else { return Err(format!("{:?}", stored.tags)) };
        let dates =
            [labels.token.map(|token| token.issued), labels.intent.map(|intent| intent.at), labels.proof.proven];
        if dates.into_iter().flatten().any(|at| (at - stored.created).abs() > TimeDelta::days(100)) {
            return Err(format!("{:?}\n{}", stored.tags, world.ledger.trace()));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_set_wrong_by_more_than_a_year_at_any_call_makes_no_other_token_and_dates_none() {
    for days in [400, -400] {
        at_each_call_of_both_modes(TimeDelta::days(2), |face| face.step_clock(TimeDelta::days(days)), judge_dates)
            .await;
    }
}

#[tokio::test]
async fn no_clock_makes_a_new_process_issue_a_token_that_a_killed_one_has_stored_and_that_is_not_listed_yet() {
    // The last cycle has failed, and a person has paused the job: each look asks how Entra's token fares.
    let lags = Settings { list_lag: TimeDelta::minutes(2), ..settings() };
    let begin = about_to_rotate(lags, policy(Mode::RemoveCurrent, Fence::Never)).await;
    let rotated = begin.killed_when(is_pending).await;
    rotated.world().advance(TimeDelta::minutes(50));
    rotated.world().person_pauses();
    let until = rotated.world().now() + TimeDelta::days(70) - TimeDelta::minutes(97);
    rotated.live(&[], until).await;
    let killed = rotated.killed_when(is_pending).await;
    let judge = |drive: &Drive| {
        let world = drive.world();
        match (world.ledger.issued, world.saved_token(), world.entra_holds_a_working_token()) {
            (2, Some(3), true) => Ok(()),
            _ => Err(world.ledger.trace()),
        }
    };
    for hours in [6, -6] {
        at_each_call(&killed, TimeDelta::hours(12), judge, |face| face.step_clock(TimeDelta::hours(hours))).await;
    }
}

//! How often a call is repeated within a run, for how long, and what is never repeated.

use chrono::TimeDelta;
use scim_rotator::domain::journal::Label;
use scim_rotator::domain::{Fence, Mode, Order, Stage};
use scim_rotator::engine::{Act, Look};

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Event, Fault, Op, Service, Settings, TakesEffect, Timestamp};

const ROTATE: Order = Order::Rotate { mode: None, compromised: false };

async fn prepared(mode: Mode) -> Drive {
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    about_to_rotate(quiet, policy(mode, Fence::Never)).await
}

/// One rotation, and the moments at which a call went wrong in it.
async fn failing(drive: &Drive, failing: Op) -> (Look, Vec<Timestamp>) {
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(ROTATE).await;
    let look = connection.look(Act::DecideOnly).await;
    let world = drive.world();
    let failed = world.ledger.events().filter(|(_, e)| matches!(e, Event::Fault { op, .. } if *op == failing));
    (look, failed.map(|(at, _)| *at).collect())
}

fn gaps(at: &[Timestamp]) -> Vec<i64> {
    at.windows(2).map(|two| (two[1] - two[0]).num_seconds()).collect()
}

#[tokio::test]
async fn a_call_that_can_be_made_twice_is_repeated_ever_less_often_for_two_minutes() {
    let drive = prepared(Mode::Overlap).await;
    drive.world().faults.at_calls(Op::SettingsPut, 1, 12, Fault::Status(503, None));
    let (_, failed) = failing(&drive, Op::SettingsPut).await;
    // Each of them takes three calls of a second: the vault, the settings, and the write.
    let waits: Vec<_> = gaps(&failed).iter().map(|gap| gap - 3).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30], "the rest is left to a later look: {failed:?}");
}

#[tokio::test]
async fn what_only_a_person_can_mend_is_not_repeated_and_a_service_that_asks_for_time_is_given_it() {
    for (fault, most) in [(Fault::Status(403, None), 1), (Fault::Status(503, Some(300)), 1)] {
        let drive = prepared(Mode::Overlap).await;
        drive.world().faults.at_calls(Op::SettingsPut, 1, 1, fault);
        let before = drive.world().faults.calls(Op::SettingsPut);
        let until = drive.world().now() + TimeDelta::minutes(1);
        let (face, mut connection) = drive.process(FaceOptions { until: Some(until), ..FaceOptions::default() });
        tokio::select! { biased; () = face.over() => (), _ = connection.obey(ROTATE) => () }
        assert_eq!(drive.world().faults.calls(Op::SettingsPut) - before, most, "{fault:?}");
    }
    let drive = prepared(Mode::Overlap).await;
    drive.world().faults.at_calls(Op::SettingsPut, 1, 2, Fault::Status(503, Some(25)));
    let (_, failed) = failing(&drive, Op::SettingsPut).await;
    assert_eq!(gaps(&failed), [28], "as long as it asks for");
    assert_eq!(drive.world().saved_token(), Some(2));
}

#[tokio::test]
async fn a_job_that_cannot_be_read_while_a_cycle_is_waited_for_ends_the_run_after_two_minutes() {
    let busy = Settings { cycle_length: TimeDelta::minutes(30), takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = about_to_rotate(busy, policy(Mode::RemoveCurrent, Fence::Auto)).await;
    let last = drive.world().jobs()[0].last.clone().expect("a cycle has ended");
    drive.world().advance_to(last.ended + TimeDelta::minutes(41));
    let paused = drive.world().faults.calls(Op::Pause);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let trouble = async {
        while drive.world().faults.calls(Op::Pause) == paused {
            tokio::task::yield_now().await;
        }
        let now = drive.world().now();
        drive.world().faults.during(Service::Graph, now, now + TimeDelta::hours(1), Fault::Down);
        std::future::pending::<()>().await;
    };
    let begin = drive.world().now();
    tokio::select! { biased; () = trouble => (), _ = connection.obey(ROTATE) => () }
    let time = drive.world().now() - begin;
    assert!(time > TimeDelta::minutes(2) && time < TimeDelta::minutes(14), "{time}");
    assert_eq!(drive.world().ledger.issued, 0);
}

#[tokio::test]
async fn a_vault_that_is_away_for_minutes_when_a_token_is_promoted_is_waited_for_in_the_same_run() {
    let drive = prepared(Mode::Overlap).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let trouble = async {
        while drive.world().ledger.issued == 0 {
            tokio::task::yield_now().await;
        }
        std::future::pending::<()>().await;
    };
    // The first store is that of the intent, the next that of the token.
    drive.world().faults.at_calls(Op::VaultStore, 2, 12, Fault::Status(503, None));
    let begin = drive.world().now();
    drive.world().faults.during(
        Service::Vault,
        begin + TimeDelta::seconds(150),
        begin + TimeDelta::minutes(8),
        Fault::Down,
    );
    let look = tokio::select! { biased; () = trouble => unreachable!("it never ends"), look = connection.obey(ROTATE) => look };
    let world = drive.world();
    let last = look.report.last_action.expect("something was done");
    assert!(last.succeeded && last.action == "rotate", "{last:?}\n{}", world.ledger.trace());
    let Label::Ours(latest) = Label::parse(&world.versions()[2].tags) else { panic!("ours") };
    assert_eq!((latest.stage, world.saved_token(), world.ledger.issued), (Stage::Current, Some(2), 1));
}

#[tokio::test]
async fn in_a_long_wait_a_process_signs_once_a_minute_and_not_more_often() {
    let busy = Settings { cycle_length: TimeDelta::minutes(30), takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = about_to_rotate(busy, policy(Mode::RemoveCurrent, Fence::Auto)).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(ROTATE).await;
    let world = drive.world();
    let at = |is: fn(&Event) -> bool| world.ledger.events().filter(|(_, e)| is(e)).last().expect("it happens").0;
    let from = at(|event| matches!(event, Event::Paused { .. }));
    let until = at(|event| matches!(event, Event::Issued { .. }));
    let signed = |(at, e): &&(Timestamp, Event)| *at > from && *at < until && matches!(e, Event::Labelled { .. });
    let (times, minutes) = (world.ledger.events().filter(signed).count(), (until - from).num_minutes());
    assert!(minutes >= 20 && (minutes - 3..=minutes + 2).contains(&(times as i64)), "{times} in {minutes}");
}

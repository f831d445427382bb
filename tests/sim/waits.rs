//! When a process looks again after what went wrong in it, and when a person gets his answer.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Policy, Reason};
use scim_rotator::engine::{Act, Connection};
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy, tend};
use crate::world::{Begin, Fault, Op, Service, Settings, TakesEffect, World};

const ROTATE: Order = Order::Rotate { mode: None, compromised: false };
/// A wait that an emergency never reaches, and patience soon does.
const QUARTER: i64 = 15;

async fn due(policy: Policy) -> Drive {
    let due = settings().start + TimeDelta::days(70);
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, policy).await;
    drive.world().advance_to(due);
    drive
}

/// The waits, in minutes, after `count` looks in a row, each of which comes when the one before it said.
async fn waits(drive: &Drive, connection: &mut Connection, count: usize) -> Vec<i64> {
    let mut waits = Vec::new();
    for _ in 0..count {
        let look = connection.look(Act::CarryOut).await;
        let now = drive.world().now();
        assert!(look.report.standing.error.is_some(), "{:?}", look.report.standing);
        waits.push((look.next - now).num_minutes());
        drive.world().advance_to(look.next.max(now) + TimeDelta::seconds(1));
    }
    waits
}

fn rules() -> Policy {
    policy(Mode::Overlap, Fence::Auto)
}

#[tokio::test]
async fn once_slack_has_run_out_whatever_a_rotation_lacks_is_asked_for_every_quarter_of_an_hour() {
    let drive = due(Policy { min_slack: TimeDelta::days(30), ..rules() }).await;
    drive.world().faults.at_calls(Op::SettingsRead, 1, 1000, Fault::Status(503, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    assert_eq!(waits(&drive, &mut connection, 8).await[5..], [QUARTER; 3]);
}

#[tokio::test]
async fn in_a_quarantine_whatever_a_rotation_lacks_is_asked_for_every_quarter_of_an_hour() {
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, rules()).await;
    drive.world().person_deletes_tokens();
    drive.world().advance(TimeDelta::minutes(45));
    drive.world().faults.at_calls(Op::SettingsRead, 1, 1000, Fault::Status(503, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    assert_eq!(waits(&drive, &mut connection, 8).await[5..], [QUARTER; 3]);
}

#[tokio::test]
async fn a_good_token_that_entra_cannot_be_given_again_is_tried_every_quarter_of_an_hour() {
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, rules()).await;
    drive.world().person_saves("a-token-that-was-never-made");
    // Long enough for a failed cycle, and too short for a quarantine to be seen.
    drive.world().advance(TimeDelta::minutes(41));
    drive.world().person_starts();
    drive.world().faults.at_calls(Op::SettingsPut, 1, 1000, Fault::Status(403, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.look(Act::CarryOut).await;
    assert_eq!(look.report.standing.action, "provision", "{:?}", look.report.standing);
    assert_eq!((look.next - drive.world().now()).num_minutes(), QUARTER);
}

#[tokio::test]
async fn a_dead_token_that_the_issuer_will_not_replace_is_asked_for_every_quarter_of_an_hour_though_it_has_slack() {
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, rules()).await;
    let rotated = drive.world().now() + TimeDelta::hours(30);
    drive.live(&[], rotated).await;
    drive.world().person_rotates(true);
    drive.world().faults.during(Service::Hpe, rotated, rotated + TimeDelta::hours(13), Fault::Status(409, None));
    let before = drive.world().faults.calls(Op::Issue);
    drive.live(&[], rotated + TimeDelta::hours(12)).await;
    let asked = drive.world().faults.calls(Op::Issue) - before;
    assert!(asked > 30, "{asked}\n{}", drive.world().ledger.trace());
}

#[tokio::test]
async fn after_a_refused_token_the_next_look_comes_within_a_minute_whatever_has_failed_before() {
    let drive = due(rules()).await;
    drive.world().spoil_next_token();
    drive.world().faults.at_calls(Op::SettingsRead, 1, 5, Fault::Status(503, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    assert_eq!(waits(&drive, &mut connection, 5).await, [1, 2, 4, 8, 16]);
    let look = connection.look(Act::CarryOut).await;
    assert_eq!(look.report.standing.reason, Reason::NewTokenRefused);
    assert_eq!((look.next - drive.world().now()).num_minutes(), 1);
}

#[tokio::test]
async fn after_a_refused_token_the_vault_says_when_the_next_may_be_asked_for() {
    let drive = due(rules()).await;
    drive.world().spoil_next_token();
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await;
    let world = drive.world();
    let stages: Vec<_> = world.versions().iter().map(|stored| stored.tags["stage"].as_str()).collect();
    assert_eq!(stages, ["current", "current", "rejected", "current"]);
    let scim_rotator::domain::journal::Label::Ours(last) =
        scim_rotator::domain::journal::Label::parse(&world.versions()[3].tags)
    else {
        panic!("ours")
    };
    assert_eq!((last.seq, last.intent), (4, None));
    let wait = last.retry.expect("a wait").not_before - world.now();
    assert!(wait > TimeDelta::zero() && wait <= TimeDelta::minutes(1), "{wait}");
}

#[tokio::test]
async fn what_only_a_person_can_end_is_looked_at_every_hour() {
    let rules = Policy { bootstrap: None, ..rules() };
    let drive = Drive::new(World::new(Settings { begin: Begin::AtEntra, ..settings() }), rules);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.look(Act::CarryOut).await;
    assert_eq!(look.report.standing.reason, Reason::NotAdopted);
    assert_eq!((look.next - drive.world().now()).num_minutes(), 60);
}

#[tokio::test]
async fn a_process_that_is_told_to_end_begins_nothing_and_asks_for_no_wait() {
    let drive = due(rules()).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let (_face, mut connection) = drive.host("one-host", FaceOptions::default(), stop);
    let look = connection.look(Act::CarryOut).await;
    let world = drive.world();
    assert_eq!((look.report.standing.reason, look.next), (Reason::NearingExpiry, world.now()));
    assert_eq!([Op::VaultStore, Op::VaultLabel, Op::Issue].map(|op| world.faults.calls(op))[2], 0);
    assert_eq!(world.versions().len(), 1);
}

#[tokio::test]
async fn a_rotation_that_a_shutdown_ends_leaves_no_wait_behind() {
    let drive = due(rules()).await;
    let (stop, stored) = (CancellationToken::new(), drive.world().faults.calls(Op::VaultStore));
    let (_face, mut connection) = drive.host("one-host", FaceOptions::default(), stop.clone());
    let manager = async {
        while drive.world().faults.calls(Op::VaultStore) == stored {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        std::future::pending::<()>().await;
    };
    let look = tokio::select! { biased; () = manager => unreachable!("it never ends"), look = connection.look(Act::CarryOut) => look };
    let now = drive.world().now();
    assert_eq!((look.report.standing.reason, look.next), (Reason::ShuttingDown, now));
}

#[tokio::test]
async fn a_token_that_somebody_stores_while_a_gap_is_waited_for_is_taken_instead_of_a_new_one() {
    let cycles = Settings { cycle_length: TimeDelta::minutes(39), takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let rules = Policy { accept_supplied: true, ..policy(Mode::Overlap, Fence::Always) };
    let drive = about_to_rotate(cycles, rules).await;
    let until = drive.world().now() + TimeDelta::hours(6);
    let (face, mut connection) =
        drive.process(FaceOptions { until: Some(until), yields: true, ..FaceOptions::default() });
    let progress = std::sync::Arc::clone(connection.progress());
    let person = async {
        while progress.step() != Some("wait for the gap between two cycles") {
            tokio::task::yield_now().await;
        }
        let world = &mut *drive.world();
        let value = world.person_creates();
        world.person_stores(&value);
    };
    let life = async {
        tokio::select! { biased; () = face.over() => (), () = tend(&mut connection) => () }
    };
    futures::join!(person, life);
    let world = drive.world();
    assert_eq!((world.saved_token(), world.ledger.issued), (Some(2), 0), "{}", world.ledger.trace());
}

#[tokio::test]
async fn an_order_that_another_process_keeps_from_being_carried_out_is_given_up_after_a_few_minutes() {
    let drive = due(rules()).await;
    let begin = drive.world().now();
    let another = async {
        let (_face, mut other) = drive.host("other-host", FaceOptions::default(), CancellationToken::new());
        loop {
            let now = drive.world().now();
            other.obey(Order::Hold { until: now + TimeDelta::hours(1) }).await;
            while drive.world().now() < now + TimeDelta::minutes(1) {
                tokio::task::yield_now().await;
            }
        }
    };
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let report = tokio::select! { biased; () = another => unreachable!("it never ends"), look = connection.obey(ROTATE) => look.report };
    assert!(drive.world().now() - begin < TimeDelta::minutes(6));
    assert_eq!((report.standing.reason, report.obeyed.is_none()), (Reason::AnotherHolder, true));
    assert_eq!(drive.world().ledger.issued, 0);
}

#[tokio::test]
async fn an_order_that_is_carried_out_is_answered_at_once_whatever_comes_due_soon() {
    let drive = about_to_rotate(settings(), rules()).await;
    let due = settings().start + TimeDelta::days(70);
    drive.world().advance_to(due - TimeDelta::minutes(2));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let begin = drive.world().now();
    let report = connection.obey(Order::Release).await.report;
    assert!(report.obeyed.is_some_and(|done| done.succeeded));
    assert!(drive.world().now() - begin < TimeDelta::minutes(1));
    assert_eq!(drive.world().ledger.issued, 0);
}

#[tokio::test]
async fn a_process_that_is_told_to_end_waits_for_no_orders_time() {
    let drive = due(rules()).await;
    let stop = CancellationToken::new();
    let (_face, mut connection) = drive.host("one-host", FaceOptions::default(), stop.clone());
    connection.obey(ROTATE).await;
    let begin = drive.world().now();
    stop.cancel();
    let report = connection.obey(ROTATE).await.report;
    assert!(report.obeyed.is_none(), "{:?}", report.standing);
    assert!(drive.world().now() - begin < TimeDelta::seconds(30));
}

#[tokio::test]
async fn a_removed_token_is_replaced_though_the_issuer_says_no_at_first() {
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, rules()).await;
    drive.world().person_rotates(true);
    drive.world().faults.at_call(Op::Issue, 1, Fault::Status(409, None));
    let until = drive.world().now() + TimeDelta::hours(6);
    drive.live(&[], until).await;
    let world = drive.world();
    assert!(world.entra_holds_a_working_token(), "{}", world.ledger.trace());
}

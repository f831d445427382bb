//! A job in quarantine: `start` ends it, once, when a good token is saved; and what retires afterwards.

use chrono::TimeDelta;
use scim_rotator::domain::journal::{Label, StartNote};
use scim_rotator::domain::{Fence, Labels, Mode, Order, Reason};
use scim_rotator::engine::Act;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Fault, Op, Schedule, Settings, TakesEffect};

fn labels(drive: &Drive, place: usize) -> Labels {
    match Label::parse(&drive.world().versions()[place].tags) {
        Label::Ours(labels) => *labels,
        other => panic!("{other:?}"),
    }
}

/// The job is in quarantine for a token that a person pasted over the good one, hours before it is due.
async fn quarantined() -> Drive {
    let due = settings().start + TimeDelta::days(70);
    let drive = about_to_rotate(
        Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() },
        policy(Mode::Overlap, Fence::Auto),
    )
    .await;
    let drive = Drive::new(
        drive.world().clone(),
        scim_rotator::domain::Policy {
            rotate_before: scim_rotator::domain::policy::Before::Time(TimeDelta::days(20)),
            ..drive.policy.clone()
        },
    );
    drive.world().person_saves("a-token-that-was-never-made");
    drive.world().advance_to(due);
    assert!(drive.world().jobs()[0].quarantine.is_some());
    drive
}

fn started(drive: &Drive) -> Option<StartNote> {
    labels(drive, 0).started
}

#[tokio::test]
async fn once_a_good_token_is_saved_the_job_is_started_which_is_written_down_before() {
    let drive = quarantined().await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await;
    assert!(started(&drive).is_some_and(|note| !note.failed));
    let world = drive.world();
    assert!(world.jobs()[0].quarantine.is_none() && world.jobs()[0].schedule == Schedule::Active);
    assert_eq!((world.saved_token(), world.ledger.issued), (Some(1), 0));
}

#[tokio::test]
async fn a_start_that_certainly_was_not_made_is_made_again_and_one_that_may_have_been_is_not() {
    for (fault, failed) in [(Fault::Status(403, None), true), (Fault::LoseRequest, false)] {
        let drive = quarantined().await;
        drive.world().faults.at_calls(Op::Start, 1, 100, fault);
        let (_face, mut connection) = drive.process(FaceOptions::default());
        connection.look(Act::CarryOut).await;
        assert_eq!(started(&drive).map(|note| note.failed), Some(failed), "{fault:?}");
        drive.world().faults.clear();
        let before = drive.world().faults.calls(Op::Start);
        drive.world().advance(TimeDelta::minutes(20));
        let look = connection.look(Act::CarryOut).await;
        let world = drive.world();
        assert_eq!(world.faults.calls(Op::Start) > before, failed, "{fault:?}\n{}", world.ledger.trace());
        assert!(failed || look.report.standing.reason == Reason::QuarantineStands, "{:?}", look.report.standing);
    }
}

#[tokio::test]
async fn a_version_that_retires_is_signed_by_whoever_disables_it() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    let until = drive.world().now() + TimeDelta::days(9);
    drive.live(&[], until).await;
    let signed = labels(&drive, 0).sign.expect("a sign").at;
    let world = drive.world();
    assert!(!world.versions()[0].enabled && until - signed < TimeDelta::days(2), "{signed}");
}

#[tokio::test]
async fn an_intent_carries_what_was_done_for_a_quarantine_so_that_it_is_not_done_again() {
    let drive = quarantined().await;
    drive.world().faults.at_calls(Op::Start, 1, 100, Fault::LoseRequest);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await;
    drive.world().faults.clear();
    drive.world().faults.at_call(Op::Issue, 1, Fault::Status(409, None));
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert_eq!(labels(&drive, 1).started, labels(&drive, 0).started);
    let before = drive.world().faults.calls(Op::Start);
    drive.world().advance(TimeDelta::minutes(20));
    connection.look(Act::CarryOut).await;
    assert_eq!(drive.world().faults.calls(Op::Start), before);
}

//! A rotation that was killed when its token had just been stored, and is taken up by the next process.

use chrono::TimeDelta;
use scim_rotator::domain::journal::Label;
use scim_rotator::domain::{Fence, Labels, Mode, Stage};
use scim_rotator::engine::{Act, Look};
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{LIFE, about_to_rotate, judge, settings};
use super::drive::{Drive, policy};
use super::edited::is_pending;
use crate::world::{Event, Fault, Op, Schedule, Settings, TakesEffect, Timestamp, Who};

fn brief() -> Settings {
    Settings { cycle_length: TimeDelta::minutes(5), takes_effect: TakesEffect::OwnExpiry, ..settings() }
}

/// The world with a pending token in the vault, and nobody at work.
async fn pending(mode: Mode, fence: Fence) -> Drive {
    about_to_rotate(brief(), policy(mode, fence)).await.killed_when(is_pending).await
}

async fn look(drive: &Drive) -> Look {
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await
}

fn labels(drive: &Drive, place: usize) -> Labels {
    match Label::parse(&drive.world().versions()[place].tags) {
        Label::Ours(labels) => *labels,
        other => panic!("{other:?}"),
    }
}

fn paused_since(drive: &Drive, from: Timestamp) -> bool {
    let paused = |(at, event): &(Timestamp, Event)| *at >= from && matches!(event, Event::Paused { by: Who::Daemon });
    drive.world().ledger.events().any(paused)
}

#[tokio::test]
async fn a_resumed_token_is_proven_at_once_where_its_rotation_has_removed_the_one_before_it_and_only_there() {
    for (mode, proven) in [(Mode::RemoveCurrent, true), (Mode::Overlap, false)] {
        let drive = pending(mode, Fence::Auto).await;
        look(&drive).await;
        let proof = labels(&drive, 2).proof;
        assert_eq!((proof.provisioned.is_some(), proof.proven.is_some()), (true, proven), "{mode}");
        assert_eq!(drive.world().saved_token(), Some(2));
    }
}

#[tokio::test]
async fn a_refused_token_that_follows_one_whose_life_is_over_is_put_aside_and_the_dead_one_is_not_stored_again() {
    let begin = about_to_rotate(brief(), policy(Mode::Overlap, Fence::Auto)).await;
    begin.world().spoil_next_token();
    let drive = begin.killed_when(is_pending).await;
    drive.world().advance(LIFE * 2 / 5);
    look(&drive).await;
    assert_eq!(labels(&drive, 2).stage, Stage::Rejected);
    assert_eq!(drive.world().versions().len(), 3);
}

#[tokio::test]
async fn a_pending_version_that_cannot_be_read_while_the_vault_has_trouble_is_not_put_aside() {
    let drive = pending(Mode::Overlap, Fence::Auto).await;
    drive.world().faults.at_calls(Op::VaultRead, 1, 3, Fault::Status(503, None));
    for _ in 0..3 {
        let next = look(&drive).await.next;
        assert_eq!(labels(&drive, 2).stage, Stage::Pending);
        drive.world().advance_to(next);
    }
    let until = drive.world().now() + TimeDelta::hours(3);
    drive.live(&[], until).await;
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test]
async fn a_rotation_that_was_not_to_pause_the_job_does_not_when_it_is_resumed() {
    let drive = pending(Mode::Overlap, Fence::Never).await;
    let begin = drive.world().now();
    look(&drive).await;
    assert!(!paused_since(&drive, begin));
    assert_eq!(drive.world().saved_token(), Some(2));
}

/// A pending token whose pause a person has ended long ago.
async fn started_by_a_person() -> Drive {
    let drive = pending(Mode::Overlap, Fence::Auto).await;
    drive.world().person_starts();
    drive.world().advance(TimeDelta::minutes(15));
    drive
}

#[tokio::test]
async fn a_resumed_rotation_pauses_a_job_that_runs_again_and_tells_so_on_its_own_version() {
    let drive = started_by_a_person().await;
    let begin = drive.world().now();
    look(&drive).await;
    assert!(paused_since(&drive, begin));
    assert_eq!(drive.world().saved_token(), Some(2));
    let [first, second] = [1, 2].map(|place| labels(&drive, place).pause.expect("a pause"));
    assert!(second.at.is_some_and(|at| at >= begin) && second.ended > second.at, "{second:?}");
    assert!(first.at.is_some_and(|at| at < begin), "that of the intent is another: {first:?}");
    assert_eq!(drive.world().jobs()[0].schedule, Schedule::Active);
}

#[tokio::test]
async fn a_resumed_rotation_that_breaks_off_under_its_pause_starts_the_job_if_it_is_to_end_and_entra_can_use_it() {
    for (ends, dies) in [(true, false), (false, false), (true, true)] {
        let drive = started_by_a_person().await;
        let (stop, before) = (CancellationToken::new(), drive.world().faults.calls(Op::Pause));
        let (_face, mut connection) = drive.host("one-host", FaceOptions::default(), stop.clone());
        let watcher = async {
            while drive.world().faults.calls(Op::Pause) == before {
                tokio::task::yield_now().await;
            }
            match ends {
                true => {
                    if dies {
                        drive.world().person_deletes_tokens();
                    }
                    stop.cancel();
                }
                false => drive.world().faults.at_calls(Op::JobRead, 1, 100, Fault::Status(503, None)),
            }
            std::future::pending::<()>().await;
        };
        tokio::select! { biased; () = watcher => (), _ = connection.look(Act::CarryOut) => () }
        let world = drive.world();
        assert_eq!(world.saved_token(), Some(1), "{}", world.ledger.trace());
        let runs = ends && !dies;
        assert_eq!(world.jobs()[0].schedule == Schedule::Active, runs, "{}", world.ledger.trace());
    }
}

#[tokio::test]
async fn one_refusal_of_what_is_saved_may_be_chance_and_ends_no_wait_for_a_cycle() {
    let drive = started_by_a_person().await;
    let begin = drive.world().now();
    let before = drive.world().faults.calls(Op::Pause);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let watcher = async {
        while drive.world().faults.calls(Op::Pause) == before {
            tokio::task::yield_now().await;
        }
        drive.world().faults.at_call(Op::EntraScim, 1, Fault::Down);
        std::future::pending::<()>().await;
    };
    tokio::select! { biased; () = watcher => (), _ = connection.look(Act::CarryOut) => () }
    let world = drive.world();
    let first =
        |is: fn(&Event) -> bool| world.ledger.events().find(|(at, e)| *at >= begin && is(e)).expect("it happens").0;
    let paused = first(|event| matches!(event, Event::Paused { .. }));
    let saved = first(|event| matches!(event, Event::Saved { .. }));
    assert!(saved - paused > TimeDelta::minutes(8), "{}", world.ledger.trace());
}

#[tokio::test]
async fn a_resumed_rotation_that_never_hears_of_its_pause_takes_it_for_made_and_ends_it() {
    let drive = started_by_a_person().await;
    drive.world().faults.at_calls(Op::Pause, 1, 10, Fault::LoseAnswer);
    let until = drive.world().now() + TimeDelta::hours(30);
    drive.live(&[], until).await;
    let world = drive.world();
    let came = (world.jobs()[0].schedule, world.saved_token(), world.ledger.started_a_persons_pause);
    assert_eq!(came, (Schedule::Active, Some(2), 0), "{}", world.ledger.trace());
}

#[tokio::test]
async fn under_a_persons_pause_a_token_that_was_issued_under_it_is_not_waited_for_once_more() {
    let begin = about_to_rotate(brief(), policy(Mode::Overlap, Fence::Auto)).await;
    begin.world().person_pauses();
    let drive = begin.killed_when(is_pending).await;
    // A process that has just begun takes nothing up for three minutes.
    let until = drive.world().now() + TimeDelta::minutes(5);
    drive.live(&[], until).await;
    let world = drive.world();
    assert_eq!(world.saved_token(), Some(2), "{}", world.ledger.trace());
}

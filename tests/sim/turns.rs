//! A process that may not make all of its rotations at the same time: who waits, and who does not.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::FutureExt as _;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::{Act, Connection, Limits, Turns};

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Fault, Op, Settings, Timestamp};

/// One rotation at a time.
fn one_at_once() -> Arc<Turns> {
    let turns = Arc::new(Turns::default());
    turns.limit(Limits { at_once: 1, at_once_per_host: 1 });
    turns
}

/// A connection that is due to rotate, of a process that has seen all there is to see.
async fn due(turns: &Arc<Turns>) -> (Drive, Connection) {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance(TimeDelta::hours(1));
    let (_face, connection) =
        drive.in_line("one", Arc::clone(turns), FaceOptions { yields: true, ..FaceOptions::default() });
    (drive, connection)
}

async fn reason(connection: &mut Connection) -> Reason {
    connection.look(Act::CarryOut).await.report.standing.reason
}

fn issued(drive: &Drive) -> u32 {
    drive.world().ledger.issued
}

#[tokio::test]
async fn who_is_due_waits_for_its_turn_is_called_and_rotates_then() {
    let turns = one_at_once();
    let (drive, mut connection) = due(&turns).await;
    let before = issued(&drive);
    let another = turns.line_up(&"hpe".into(), Timestamp::UNIX_EPOCH);
    let look = connection.look(Act::CarryOut).await;
    assert_eq!((look.report.standing.reason, issued(&drive)), (Reason::Queued, before));
    assert!(look.next - drive.world().now() <= TimeDelta::hours(1), "it asks again by itself");
    assert!(connection.called().now_or_never().is_none());
    drop(another);
    assert!(connection.called().now_or_never().is_some());
    assert_eq!((reason(&mut connection).await, issued(&drive)), (Reason::NotDue, before + 1));
}

#[tokio::test]
async fn who_has_rotated_or_failed_to_lets_the_next_one_begin() {
    for fails in [false, true] {
        let turns = one_at_once();
        let (drive, mut connection) = due(&turns).await;
        if fails {
            drive.world().faults.at_calls(Op::Issue, 1, 9, Fault::Status(403, None));
        }
        reason(&mut connection).await;
        assert!(turns.line_up(&"hpe".into(), Timestamp::UNIX_EPOCH).is_turn());
        assert!(connection.called().now_or_never().is_none(), "it waits for nothing any more");
    }
}

#[tokio::test]
async fn while_the_gap_between_two_cycles_is_waited_for_another_one_has_the_turn_until_it_is_done() {
    let cycles =
        Settings { cycle_length: TimeDelta::minutes(30), cycle_interval: TimeDelta::minutes(60), ..settings() };
    let begin = about_to_rotate(cycles, policy(Mode::Overlap, Fence::Auto)).await;
    begin.world().advance(TimeDelta::hours(1));
    let mut waited = 0;
    for minutes in (0..60).step_by(10) {
        let turns = one_at_once();
        let drive = Drive::new(begin.world().clone(), begin.policy.clone());
        drive.world().advance(TimeDelta::minutes(minutes));
        let options = FaceOptions { yields: true, ..FaceOptions::default() };
        let (_face, mut connection) = drive.in_line("one", Arc::clone(&turns), options);
        let (before, progress) = (issued(&drive), Arc::clone(connection.progress()));
        let another = async {
            while progress.step() != Some("wait for the gap between two cycles") {
                tokio::task::yield_now().await;
            }
            turns.line_up(&"hpe".into(), Timestamp::UNIX_EPOCH)
        };
        {
            let mut look = std::pin::pin!(connection.look(Act::CarryOut));
            let other = tokio::select! {
                biased;
                _ = &mut look => None,
                other = another => Some(other),
            };
            if let Some(other) = other.filter(|other| other.is_turn()) {
                waited += 1;
                let long_after_the_gap = async {
                    let until = drive.world().now() + TimeDelta::hours(3);
                    while drive.world().now() < until {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::select! {
                    biased;
                    _ = &mut look => panic!("it did not wait for its turn\n{}", drive.world().ledger.trace()),
                    () = long_after_the_gap => assert_eq!(issued(&drive), before, "the other has the turn"),
                }
                drop(other);
                let _told = look.await;
            }
        }
        // What was planned before the wait may be too old by now: the next look plans anew.
        for _ in 0..3 {
            if issued(&drive) == before {
                let next = connection.look(Act::CarryOut).await.next;
                drive.world().advance_to(next);
            }
        }
        assert_eq!(issued(&drive), before + 1, "{minutes}\n{}", drive.world().ledger.trace());
    }
    assert!(waited > 0, "of some moments the gap is waited for");
}

#[tokio::test]
async fn who_waits_for_its_turn_after_a_failure_shows_it_and_waits_longer_after_the_next() {
    let turns = one_at_once();
    let (drive, mut connection) = due(&turns).await;
    drive.world().faults.at_calls(Op::SettingsRead, 1, 99, Fault::Status(503, None));
    let mut waits = Vec::new();
    for queued in [false, false, true, false] {
        let another = queued.then(|| turns.line_up(&"hpe".into(), Timestamp::UNIX_EPOCH));
        let look = connection.look(Act::CarryOut).await;
        assert!(look.report.standing.error.is_some_and(|error| error.contains("503")), "{queued}");
        let now = drive.world().now();
        waits.push((look.next - now).num_minutes());
        if !queued {
            drive.world().advance_to(look.next);
        }
        drop(another);
    }
    assert_eq!((waits[0], waits[1], waits[3]), (1, 2, 4), "{waits:?}");
}

#[tokio::test]
async fn nobody_waits_for_a_turn_past_its_last_safe_moment() {
    let turns = one_at_once();
    let (drive, mut connection) = due(&turns).await;
    let before = issued(&drive);
    let _another = turns.line_up(&"hpe".into(), Timestamp::UNIX_EPOCH);
    let look = connection.look(Act::CarryOut).await;
    let last_safe = look.report.token.and_then(|token| token.last_safe_moment).expect("an end is known");
    drive.world().advance_to(last_safe - TimeDelta::minutes(10));
    let look = connection.look(Act::CarryOut).await;
    assert_eq!((look.report.standing.reason, look.next), (Reason::Queued, last_safe));
    drive.world().advance_to(last_safe);
    reason(&mut connection).await;
    assert_eq!(issued(&drive), before + 1);
}

#[tokio::test]
async fn a_person_waits_for_no_turn_and_a_connection_that_is_no_more_takes_none() {
    let turns = one_at_once();
    let (drive, mut connection) = due(&turns).await;
    let before = issued(&drive);
    let another = turns.line_up(&"hpe".into(), Timestamp::UNIX_EPOCH);
    assert_eq!(reason(&mut connection).await, Reason::Queued);
    let look = connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert!(look.report.obeyed.is_some_and(|done| done.succeeded && done.reason == Reason::Ordered));
    assert_eq!(issued(&drive), before + 1);

    let (_drive, mut waiting) = due(&turns).await;
    assert_eq!(reason(&mut waiting).await, Reason::Queued);
    drop(waiting);
    drop(another);
    assert!(turns.line_up(&"hpe".into(), Timestamp::MAX_UTC).is_turn());
}

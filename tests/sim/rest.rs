//! Between two looks a connection rests where it may. Every simulated life does (`drive::tend`); these tell when, and when not.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::{Act, Claims};
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::settings;
use super::drive::{Drive, policy};
use super::fleet::Place;
use crate::world::{Fault, Op, Service, World};

/// A world in which nothing is due and nothing is left to do.
async fn settled() -> Drive {
    let drive = Drive::new(World::new(settings()), policy(Mode::Overlap, Fence::Auto));
    let until = drive.world().now() + TimeDelta::days(14);
    drive.live(&[], until).await;
    drive
}

fn asked(drive: &Drive, op: Op) -> u32 {
    drive.world().faults.calls(op)
}

#[tokio::test]
async fn who_has_nothing_to_do_rests_and_has_not_forgotten_that_it_has_introduced_itself() {
    let drive = settled().await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let before = asked(&drive, Op::BearerMint);
    for _ in 0..3 {
        // The bearer that it came with is over by the next look.
        drive.world().advance(TimeDelta::minutes(20));
        assert_eq!(connection.look(Act::CarryOut).await.report.standing.reason, Reason::NotDue);
        connection = connection.rest().expect("it rests").wake();
    }
    assert_eq!(asked(&drive, Op::BearerMint) - before, 1);
    assert!(!connection.is_open(), "nor that nothing is open");
}

#[tokio::test]
async fn who_waits_out_a_failure_or_has_written_something_that_a_list_may_lack_does_not_rest() {
    let drive = settled().await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let now = drive.world().now();
    drive.world().faults.during(Service::Graph, now, now + TimeDelta::days(1), Fault::Down);
    assert_eq!(connection.look(Act::CarryOut).await.report.standing.reason, Reason::CannotObserve);
    assert!(connection.rest().is_none());
    drive.world().faults.clear();
    let until = drive.world().now() + TimeDelta::days(1);
    assert!(connection.obey(Order::Hold { until }).await.report.obeyed.is_some_and(|done| done.succeeded));
    assert!(connection.rest().is_none(), "its labels may not show yet");
    let later = drive.world().now() + TimeDelta::minutes(5);
    drive.world().advance_to(later);
    assert!(connection.look(Act::CarryOut).await.report.standing.error.is_none());
    assert!(connection.rest().is_some());
}

/// How often the edges of a fleet's only connection are made within two looks, of which the second is asked for; so long before
/// a rotation is due.
async fn made_within_two_looks(before: TimeDelta) -> usize {
    let drive = settled().await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let report = connection.look(Act::DecideOnly).await.report;
    let due = report.token.and_then(|token| token.due).expect("a moment");
    drive.world().advance_to(due - before);
    let mut place = Place::of(drive, TimeDelta::seconds(1), FaceOptions::default());
    let mut fleet = place.fleet();
    let wake = fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    assert_eq!(place.settle().await, 1);
    wake.notify_one();
    assert_eq!(place.settle().await, 1);
    place.edges_made()[0]
}

#[tokio::test]
async fn edges_are_made_anew_for_a_look_unless_it_is_known_to_come_within_a_quarter_of_an_hour() {
    // Once when it is configured, and once after it has waited for its first look.
    assert_eq!(made_within_two_looks(TimeDelta::minutes(14)).await, 2);
    assert_eq!(made_within_two_looks(TimeDelta::minutes(16)).await, 3);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_woken_for_a_fault_in_the_program_begins_anew_after_a_minute() {
    let drive = settled().await;
    // The third time is that of the second look.
    let options = FaceOptions { fails_to_be_made: Some(3), ..FaceOptions::default() };
    let mut place = Place::of(drive, TimeDelta::seconds(1), options);
    let mut fleet = place.fleet();
    let wake = fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    assert_eq!(place.report().await.standing.reason, Reason::NotDue);
    let begin = tokio::time::Instant::now();
    wake.notify_one();
    assert_eq!((place.report().await.standing.reason, begin.elapsed().as_secs()), (Reason::StepFailed, 0));
    assert_eq!((place.report().await.standing.reason, begin.elapsed().as_secs()), (Reason::NotDue, 60));
    assert_eq!(place.edges_made(), [3, 2]);
}

#[tokio::test]
async fn who_is_woken_is_watched_as_before_and_as_calm() {
    let drive = settled().await;
    // A cycle begins in half a minute.
    let begins = drive.world().jobs()[0].last.as_ref().expect("a cycle has ended").began + TimeDelta::minutes(80);
    drive.world().advance_to(begins - TimeDelta::seconds(30));
    let (_face, connection) = drive.process(FaceOptions::default());
    let mut connection = connection.calm();
    connection.look(Act::CarryOut).await;
    let watched = Arc::clone(connection.progress());
    let resting = connection.rest().expect("it rests");
    assert!(Arc::ptr_eq(&watched, resting.progress()));
    let mut connection = resting.wake();
    assert!(Arc::ptr_eq(&watched, connection.progress()));
    // Within the first minutes of a process, in which it issues nothing.
    drive.world().person_deletes_tokens();
    drive.world().advance(TimeDelta::minutes(1));
    assert_eq!(connection.look(Act::CarryOut).await.report.standing.reason, Reason::JustBegun);
    assert_eq!(drive.world().ledger.issued, 0);
}

#[tokio::test]
async fn who_is_woken_knows_whom_it_has_seen_at_work_whatever_the_other_s_clock_says() {
    let drive = settled().await;
    let (_face, connection) = drive.process(FaceOptions::default());
    let mut connection = connection.calm();
    connection.look(Act::CarryOut).await;
    let mut connection = connection.rest().expect("it rests").wake();
    drive.world().advance(TimeDelta::minutes(10));
    let slow = FaceOptions { skew: TimeDelta::hours(-1), ..FaceOptions::default() };
    let (_face, mut other) = drive.host("other-host", slow, CancellationToken::new());
    let until = drive.world().now() + TimeDelta::hours(3);
    other.obey(Order::Hold { until }).await;
    drive.world().person_deletes_tokens();
    assert_eq!(connection.look(Act::CarryOut).await.report.standing.reason, Reason::AnotherHolder);
}

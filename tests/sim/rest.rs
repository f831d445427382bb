//! Between two looks a connection rests where it may. Every simulated life does (`drive::tend`); these tell when, and when not.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::Act;

use super::FaceOptions;
use super::accidents::settings;
use super::drive::{Drive, policy};
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

//! An order that presses: a rotation that waits, and has asked nobody for a token yet, gives way to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::fleet::{InLine, Make, Watcher};
use scim_rotator::engine::{Claims, Course, Fleet, Listener, Progress, Report};
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Event, Op, Schedule, Settings, TakesEffect};

const GAP: &str = "wait for the gap between two cycles";
const DRAIN: &str = "let a running cycle end";

/// Listens for a step of the connection.
struct Waits(&'static str, Arc<AtomicBool>);

impl Watcher for Waits {
    fn begins(&self, _: &str, doing: &Arc<Progress>) {
        let (awaited, heard) = (self.0, Arc::clone(&self.1));
        doing.tell(Listener::new(move |step| {
            heard.fetch_or(step == awaited, Ordering::Relaxed);
            true
        }));
    }

    fn saw(&self, _: &Report, _: &Course) {}
}

/// A rotation by policy that waits in this step, and an order that is given `later` into it. Answers with the world some hours later, how
/// long it took until the issuer was asked, and what came of the order.
async fn ordered_in(step: &'static str, later: TimeDelta, order: Order) -> (Arc<Drive>, Option<TimeDelta>, Report) {
    ordered_beside(None, step, later, order).await
}

/// The same beside a rotation that a person has asked for before.
async fn ordered_beside(
    first: Option<Order>,
    step: &'static str,
    later: TimeDelta,
    order: Order,
) -> (Arc<Drive>, Option<TimeDelta>, Report) {
    let is_by_policy = first.is_none();
    // Cycles follow one another at once, so that no gap comes.
    let cycles = Settings { cycle_length: TimeDelta::minutes(39), takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = Arc::new(about_to_rotate(cycles, policy(Mode::RemoveCurrent, Fence::Auto)).await);
    let until = drive.world().now() + TimeDelta::hours(9);
    let over = Arc::clone(&drive);
    let make: Make = Arc::new(move |stop: CancellationToken| {
        over.host("one-host", FaceOptions { until: Some(until), yields: true, ..FaceOptions::default() }, stop).1
    });
    let heard = Arc::<AtomicBool>::default();
    let mut fleet = Fleet::new(Arc::new(Waits(step, Arc::clone(&heard))));
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), make, Duration::ZERO);
    let _outcome = first.map(|first| fleet.order("sim", first));
    while !heard.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    let told = drive.world().now() + later;
    while drive.world().now() < told {
        tokio::task::yield_now().await;
    }
    let (line, outcome) = fleet.order("sim", order).expect("it is tended");
    assert!(line == InLine::Behind || !is_by_policy, "{line:?}: something else is done before it");
    let report = outcome.await.expect("an answer");
    for _ in 0..100_000 {
        tokio::task::yield_now().await;
    }
    let issued = drive
        .world()
        .ledger
        .events()
        .find(|(at, event)| *at > told && matches!(event, Event::Issued { .. }))
        .map(|(at, _)| *at - told);
    (drive, issued, report)
}

#[tokio::test]
async fn a_compromised_token_does_not_wait_for_the_rotation_by_policy_that_waits_itself() {
    let begin = settings().start + TimeDelta::days(1); // The token has been adopted.
    // It waits for no gap, but for the cycles that may be running under a pause, and goes on under one that stands.
    for (step, later) in [(GAP, 0), (DRAIN, 0), (DRAIN, 2)] {
        let (drive, issued, report) =
            ordered_in(step, TimeDelta::minutes(later), Order::Rotate { mode: None, compromised: true }).await;
        let world = drive.world();
        assert!(report.obeyed.is_some_and(|done| done.succeeded && done.reason == Reason::Compromised), "{step}");
        assert!(
            issued.is_some_and(|after| after < TimeDelta::minutes(82)),
            "{step} {issued:?}\n{}",
            world.ledger.trace()
        );
        let ledger = &world.ledger;
        let pauses = ledger.events().filter(|(at, event)| *at > begin && matches!(event, Event::Paused { .. })).count();
        assert_eq!(
            (ledger.issued, ledger.cycles_failed, world.saved_token(), pauses),
            (1, 0, Some(2), 1),
            "{step}\n{}",
            ledger.trace()
        );
    }
}

#[tokio::test]
async fn what_is_to_be_held_is_not_rotated_first_although_it_waits_to_be() {
    for step in [GAP, DRAIN] {
        let until = chrono::DateTime::UNIX_EPOCH + TimeDelta::days(365 * 60);
        let (drive, issued, report) = ordered_in(step, TimeDelta::zero(), Order::Hold { until }).await;
        let world = drive.world();
        assert!(report.obeyed.is_some_and(|done| done.succeeded && done.reason == Reason::Held), "{step}");
        assert_eq!((issued, world.jobs()[0].schedule), (None, Schedule::Active), "{step}\n{}", world.ledger.trace());
        assert_eq!(super::rivals::calls(&world, Op::Issue), 0);
    }
}

#[tokio::test]
async fn a_hold_that_is_over_holds_nothing_up_any_more() {
    let until = settings().start + TimeDelta::days(70) + TimeDelta::hours(2);
    let (drive, issued, _) = ordered_in(GAP, TimeDelta::zero(), Order::Hold { until }).await;
    assert!(issued.is_some(), "{}", drive.world().ledger.trace());
}

#[tokio::test]
async fn the_rotation_of_a_compromised_token_gives_way_to_no_order() {
    let until = chrono::DateTime::UNIX_EPOCH + TimeDelta::days(365 * 60);
    let compromised = Order::Rotate { mode: None, compromised: true };
    let hold = Order::Hold { until };
    let (drive, issued, _) = ordered_beside(Some(compromised), DRAIN, TimeDelta::zero(), hold).await;
    assert_eq!((issued.is_some(), drive.world().saved_token()), (true, Some(2)), "{}", drive.world().ledger.trace());
}

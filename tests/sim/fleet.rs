//! The loops of a process: what wakes one, what ends one, what it does with an order, and what a clock that somebody sets does to it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::fleet::{Make, Watcher};
use scim_rotator::engine::{Claims, Course, Fleet, Report};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::accidents::settings;
use super::drive::{Drive, policy};
use super::{Face, FaceOptions};
use crate::world::{Event, Fault, Op, Who, World};

/// Counts what is left open.
#[derive(Default)]
struct Leaves(AtomicUsize);

impl Watcher for Leaves {
    fn saw(&self, _: &Report, _: &Course) {}

    fn leaves(&self, _: &str, _: &Claims, _: &str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn of_who_rests_with_nothing_open_nothing_is_said_to_be_left_whether_it_is_let_go_or_the_process_ends() {
    for ends in [false, true] {
        let mut place = Place::new(TimeDelta::seconds(1)).await;
        let watcher = Arc::<Leaves>::default();
        let mut fleet = Fleet::new(Arc::clone(&watcher) as Arc<dyn Watcher>);
        fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
        place.settle().await;
        if ends {
            fleet.stop().await;
        } else {
            fleet.part("sim", false);
            fleet.parted().await;
        }
        assert_eq!(watcher.0.load(Ordering::Relaxed), 0, "{ends}");
    }
}

/// Tells each report on.
struct Told<F>(F);

impl<F: Fn(&Report) + Send + Sync> Watcher for Told<F> {
    fn saw(&self, report: &Report, _: &Course) {
        self.0(report);
    }
}

/// A process over a world in which nothing is due, whose time stands still once its first looks are over.
pub struct Place {
    pub drive: Arc<Drive>,
    /// The face of each connection that was made, in their order.
    faces: Arc<Mutex<Vec<Arc<Face>>>>,
    pub make: Make,
    reports: mpsc::UnboundedReceiver<Report>,
    pub tell: mpsc::UnboundedSender<Report>,
}

impl Place {
    /// Time goes on for so long, and then stands still.
    pub async fn new(time: TimeDelta) -> Self {
        let drive = Drive::new(World::new(settings()), policy(Mode::Overlap, Fence::Auto));
        let begin = drive.world().now() + TimeDelta::days(2);
        drive.live(&[], begin).await;
        Self::of(drive, time, FaceOptions::default())
    }

    /// The same of any world; each process has these faces.
    pub fn of(drive: Drive, time: TimeDelta, options: FaceOptions) -> Self {
        let drive = Arc::new(drive);
        let begin = drive.world().now();
        let faces = Arc::new(Mutex::new(Vec::new()));
        let (made, over) = (Arc::clone(&faces), Arc::clone(&drive));
        let make: Make = Arc::new(move |stop: CancellationToken| {
            let until = Some(begin + time);
            let (face, connection) = over.host("one-host", FaceOptions { until, ..options.clone() }, stop);
            made.lock().expect("nobody panics with it").push(face);
            connection
        });
        let (tell, reports) = mpsc::unbounded_channel();
        Self { drive, faces, make, reports, tell }
    }

    pub fn fleet(&self) -> Fleet {
        let tell = self.tell.clone();
        self.fleet_that(move |report| drop(tell.send(report.clone())))
    }

    pub fn fleet_that(&self, told: impl Fn(&Report) + Send + Sync + 'static) -> Fleet {
        Fleet::new(Arc::new(Told(told)))
    }

    pub fn made(&self) -> usize {
        self.faces.lock().expect("nobody panics with it").len()
    }

    /// How often the edges of each were.
    pub fn edges_made(&self) -> Vec<usize> {
        self.faces.lock().expect("nobody panics with it").iter().map(|face| face.made()).collect()
    }

    pub async fn report(&mut self) -> Report {
        self.reports.recv().await.expect("a report")
    }

    /// Lets the loops do all that they do before they wait for what nobody does.
    pub async fn settle(&mut self) -> usize {
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        std::iter::from_fn(|| self.reports.try_recv().ok()).count()
    }
}

#[tokio::test]
async fn a_connection_looks_as_it_is_added_and_again_when_it_or_everybody_is_woken_and_not_otherwise() {
    let mut place = Place::new(TimeDelta::seconds(1)).await;
    let mut fleet = place.fleet();
    let wake = fleet.add("sim".to_owned(), [7; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    assert_eq!(place.report().await.standing.reason, Reason::NotDue);
    assert_eq!(place.settle().await, 0);
    wake.notify_one();
    assert_eq!(place.settle().await, 1);
    fleet.wake_all();
    assert_eq!(place.settle().await, 1);
    let members: Vec<_> = fleet.members().iter().map(|(name, member)| (&**name, member.identity)).collect();
    assert_eq!(members, [("sim", [7; 32])]);
    assert!(fleet.pulses().all_beat());
}

#[tokio::test]
async fn an_order_is_handed_to_the_connection_of_that_name_which_answers_and_reports() {
    let mut place = Place::new(TimeDelta::hours(1)).await;
    let mut fleet = place.fleet();
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    let until = place.drive.world().now() + TimeDelta::days(1);
    assert!(fleet.order("nobody", Order::Hold { until }).is_none());
    let (_, outcome) = fleet.order("sim", Order::Hold { until }).expect("it is tended");
    let report = outcome.await.expect("an answer");
    assert!(report.obeyed.is_some_and(|done| done.succeeded && done.reason == Reason::Held));
    place.settle().await;
    // Nobody waits for the answer any more: it is done all the same.
    drop(fleet.order("sim", Order::Release));
    assert!(place.settle().await > 0);
    assert!(place.drive.world().versions()[0].tags["hold"].contains("2026-01-07"), "released at once");
}

#[tokio::test]
async fn a_connection_that_is_removed_is_tended_no_more_and_neither_is_any_after_the_end() {
    let mut place = Place::new(TimeDelta::seconds(1)).await;
    let mut fleet = place.fleet();
    for name in ["one", "other"] {
        fleet.add(name.to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    }
    assert_eq!(place.settle().await, 2);
    fleet.part("one", false);
    assert_eq!(fleet.parted().await.name, "one");
    assert_eq!((fleet.members().len(), Arc::strong_count(&place.make)), (1, 2), "its loop has ended");
    fleet.wake_all();
    assert_eq!(place.settle().await, 1);
    fleet.stop().await;
    assert_eq!((fleet.members().len(), Arc::strong_count(&place.make)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_told_to_end_begins_no_look_that_is_asked_for_in_the_same_moment() {
    let mut place = Place::new(TimeDelta::seconds(1)).await;
    let mut fleet = place.fleet();
    let add = |n: u32| fleet.add(format!("{n}"), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    let wakes: Vec<_> = (0..16).map(add).collect();
    assert_eq!(place.settle().await, 16);
    wakes.iter().for_each(|wake| wake.notify_one());
    fleet.stop().await;
    assert_eq!(place.settle().await, 0);
}

/// A fleet whose `n`-th report is met by a fault in the program, whenever `faulty` says so.
fn failing(place: &Place, faulty: impl Fn(usize) -> bool + Send + Sync + 'static) -> Fleet {
    let (told, tell) = (AtomicUsize::new(0), place.tell.clone());
    place.fleet_that(move |report| {
        assert!(!faulty(told.fetch_add(1, Ordering::Relaxed)), "a fault in the program, as this test wants it");
        drop(tell.send(report.clone()));
    })
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_a_fault_has_ended_begins_anew_after_a_minute() {
    let mut place = Place::new(TimeDelta::seconds(1)).await;
    let mut fleet = failing(&place, |n| n == 0);
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    let begin = tokio::time::Instant::now();
    let told = place.report().await;
    assert_eq!(
        (told.standing.reason, begin.elapsed().as_secs()),
        (Reason::StepFailed, 0),
        "whoever watches is told at once"
    );
    place.report().await;
    assert_eq!((place.made(), begin.elapsed().as_secs()), (2, 60));
    assert!(fleet.pulses().all_beat());
    fleet.stop().await;
    assert_eq!(place.made(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_a_fault_has_ended_while_it_was_being_stopped_begins_no_more() {
    let quiet = Place::new(TimeDelta::seconds(1)).await;
    let drive = Drive::new(quiet.drive.world().clone(), quiet.drive.policy.clone());
    let place = Place::of(drive, TimeDelta::hours(1), FaceOptions { yields: true, ..FaceOptions::default() });
    let mut fleet = failing(&place, |n| n == 0);
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    while place.faces.lock().expect("nobody panics with it").first().is_none_or(|face| face.calls() < 2) {
        tokio::task::yield_now().await;
    }
    fleet.stop().await;
    assert_eq!(place.made(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_does_not_come_to_its_end_is_left_before_the_service_manager_kills_the_process() {
    let order = Order::Rotate { mode: None, compromised: false };
    let place = Place::new(TimeDelta::days(100)).await;
    let begin = place.drive.world().now();
    (place.make)(CancellationToken::new()).obey(order.clone()).await;
    let is_issued = |event: &Event| matches!(event, Event::Issued { by: Who::Daemon, .. });
    let issued = place.drive.world().ledger.events().find(|(_, event)| is_issued(event)).map(|(at, _)| *at - begin);
    // Time ends while the vault is asked again and again to take the token, so that this never does.
    let mut place = Place::new(issued.expect("a second token") + TimeDelta::seconds(60)).await;
    place.drive.world().faults.at_calls(Op::VaultStore, 2, 10_000, Fault::Status(503, None));
    let mut fleet = place.fleet();
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    let (_, outcome) = fleet.order("sim", order).expect("it is tended");
    place.settle().await;
    let begin = tokio::time::Instant::now();
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(300), fleet.stop()).await;
    assert!(stopped.is_ok(), "it is killed after {:?}", begin.elapsed());
    assert!(outcome.await.is_err() && begin.elapsed().as_secs() > 240, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_first_look_is_put_off_makes_it_then_and_obeys_a_person_before() {
    for (ordered, seconds) in [(false, 100), (true, 0)] {
        let mut place = Place::new(TimeDelta::seconds(1)).await;
        let mut fleet = place.fleet();
        let begin = tokio::time::Instant::now();
        fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::from_secs(100));
        let _outcome = ordered.then(|| fleet.order("sim", Order::Release));
        place.report().await;
        assert_eq!(begin.elapsed().as_secs(), seconds);
    }
}

/// How many looks a connection takes within `time` of virtual time, whose clock is stepped by so much after the first.
async fn looks(time: TimeDelta, step: TimeDelta) -> usize {
    let mut place = Place::new(time).await;
    let mut fleet = place.fleet();
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    place.report().await;
    let face = Arc::clone(&place.faces.lock().expect("nobody panics with it")[0]);
    face.step_clock(step);
    face.over().await;
    place.settle().await
}

#[tokio::test]
async fn a_clock_that_somebody_sets_back_by_a_year_puts_no_look_off_for_longer_than_it_was() {
    // Whoever has nothing to do looks once a day.
    let days = looks(TimeDelta::days(4), TimeDelta::zero()).await;
    assert!((3..=6).contains(&days), "{days}");
    let days = looks(TimeDelta::days(4), TimeDelta::days(-365)).await;
    assert!((2..=6).contains(&days), "{days}");
}

#[tokio::test]
async fn a_clock_that_is_set_forward_is_noticed_within_a_minute() {
    assert!(looks(TimeDelta::minutes(2), TimeDelta::days(2)).await > 0);
    assert_eq!(looks(TimeDelta::minutes(2), TimeDelta::zero()).await, 0);
}

#[tokio::test]
async fn a_process_that_holds_no_token_of_its_own_ends_at_once_and_one_that_the_vault_refuses_after_minutes() {
    let place = Place::new(TimeDelta::days(100)).await;
    let mut connection = (place.make)(CancellationToken::new());
    let begin = place.drive.world().now();
    assert!(connection.store_unsaved().await.is_none());
    assert_eq!(place.drive.world().now(), begin);

    place.drive.world().faults.at_calls(Op::VaultStore, 2, 10_000, Fault::Status(503, None));
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert!(connection.holds_unsaved_token());
    let begin = place.drive.world().now();
    let report = connection.store_unsaved().await.expect("a report");
    let time = place.drive.world().now() - begin;
    assert!(report.standing.error.is_some() && connection.holds_unsaved_token());
    assert!((TimeDelta::minutes(4)..TimeDelta::minutes(7)).contains(&time), "{time}");
}

#[tokio::test]
async fn whoever_watches_a_connection_sees_what_it_did_last() {
    let place = Place::new(TimeDelta::hours(1)).await;
    let mut connection = (place.make)(CancellationToken::new());
    let watched = Arc::clone(connection.progress());
    assert!(watched.last().is_none());
    connection.obey(Order::Release).await;
    assert!(watched.last().is_some_and(|last| last.succeeded && last.reason == Reason::Released));
}

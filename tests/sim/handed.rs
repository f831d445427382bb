//! What one loop leaves to the next: at a reload that configures its connection otherwise, and after a fault in the program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::fleet::{InLine, Make, Watcher};
use scim_rotator::engine::{Act, Claims, Course, Fleet, Listener, Report};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use super::fleet::Place;
use super::rivals::writes;
use crate::world::{Event, Fault, Op, Schedule, Service, Who};

const ROTATE: Order = Order::Rotate { mode: None, compromised: false };

/// How many tokens were issued to us, and whether Entra and the newest version of the vault hold the newest of all.
fn issued(place: &Place) -> (u32, bool) {
    let world = place.drive.world();
    let newest = world.token_values().last().expect("HPE made one");
    let number = world.token_values().count();
    let is_stored = world.versions().last().is_some_and(|version| version.value == newest);
    (world.ledger.issued, is_stored && world.saved_token().is_some_and(|saved| saved as usize == number))
}

fn vault_is_away(place: &Place) {
    place.drive.world().faults.at_calls(Op::VaultStore, 2, 1_000_000, Fault::Status(503, None));
}

/// A connection that has had a token issued which the vault does not take.
async fn unsaved(place: &mut Place, fleet: &mut Fleet) {
    vault_is_away(place);
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    let (_, outcome) = fleet.order("sim", ROTATE).expect("it is tended");
    let _outcome = outcome.await;
}

#[tokio::test(start_paused = true)]
async fn a_token_in_memory_only_is_handed_to_the_connection_that_a_reload_puts_in_the_place_of_its_own() {
    let mut place = Place::new(TimeDelta::hours(12)).await;
    let before = issued(&place).0;
    let mut fleet = place.fleet();
    unsaved(&mut place, &mut fleet).await;
    let told = place.drive.world().now();
    fleet.part("sim", true);
    assert_eq!(fleet.parted().await.name, "sim");
    let waited = place.drive.world().now() - told;
    assert!(waited < TimeDelta::minutes(4), "the heir may be what mends it, and need not wait: {waited}");
    assert_eq!(issued(&place), (before + 1, false));
    place.drive.world().faults.clear();
    fleet.add("sim".to_owned(), [1; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    place.settle().await;
    assert_eq!(issued(&place), (before + 1, true), "{}", place.drive.world().ledger.trace());
}

#[tokio::test(start_paused = true)]
async fn a_token_in_memory_only_that_no_heir_came_for_is_stored_before_the_process_ends() {
    let mut place = Place::new(TimeDelta::hours(12)).await;
    let before = issued(&place).0;
    let mut fleet = place.fleet();
    unsaved(&mut place, &mut fleet).await;
    fleet.part("sim", true);
    fleet.parted().await;
    place.drive.world().faults.clear();
    let stored = place.drive.world().versions().len();
    fleet.stop().await;
    let world = place.drive.world();
    assert_eq!((world.ledger.issued, world.versions().len()), (before + 1, stored + 1), "{}", world.ledger.trace());
}

/// A process that a reload has told to hand on a connection whose new token no vault has taken. Answers with how many tokens
/// were made before that one.
async fn parting(place: &Place) -> (u32, Fleet) {
    let before = issued(place).0;
    let mut fleet = place.fleet();
    vault_is_away(place);
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    let _outcome = fleet.order("sim", ROTATE).expect("it is tended");
    while issued(place).0 == before {
        tokio::task::yield_now().await;
    }
    fleet.part("sim", true);
    (before, fleet)
}

#[tokio::test(start_paused = true)]
async fn a_token_that_a_reload_has_left_to_an_heir_has_all_its_time_when_the_process_ends_long_after() {
    let place = Place::new(TimeDelta::hours(12)).await;
    let (before, mut fleet) = parting(&place).await;
    fleet.parted().await;
    let stored = {
        let mut world = place.drive.world();
        let end = world.now() + TimeDelta::minutes(5);
        world.advance_to(end);
        world.faults.clear();
        world.faults.during(Service::Vault, end, end + TimeDelta::minutes(3), Fault::Down);
        world.versions().len()
    };
    fleet.stop().await;
    let world = place.drive.world();
    assert_eq!((world.ledger.issued, world.versions().len()), (before + 1, stored + 1), "{}", world.ledger.trace());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_while_a_reload_waits_for_a_token_in_memory_gives_it_the_time_of_its_own_end() {
    let place = Place::new(TimeDelta::hours(12)).await;
    let (before, mut fleet) = parting(&place).await;
    let reload = place.drive.world().now();
    while place.drive.world().now() < reload + TimeDelta::minutes(1) {
        tokio::task::yield_now().await;
    }
    let stored = {
        let mut world = place.drive.world();
        let end = world.now();
        world.faults.clear();
        world.faults.during(Service::Vault, end, reload + TimeDelta::seconds(260), Fault::Down);
        world.versions().len()
    };
    fleet.stop().await;
    let world = place.drive.world();
    assert_eq!((world.ledger.issued, world.versions().len()), (before + 1, stored + 1), "{}", world.ledger.trace());
}

#[tokio::test(start_paused = true)]
async fn a_token_in_memory_only_outlives_a_fault_in_the_program() {
    let mut place = Place::new(TimeDelta::hours(12)).await;
    let before = issued(&place).0;
    let tell = place.tell.clone();
    let faulty = AtomicBool::new(true);
    let mut fleet = place.fleet_that(move |report| {
        drop(tell.send(report.clone()));
        let is_met = report.standing.error.is_some() && faulty.swap(false, Ordering::Relaxed);
        assert!(!is_met, "a fault in the program, as this test wants it");
    });
    unsaved(&mut place, &mut fleet).await;
    assert_eq!(issued(&place), (before + 1, false));
    place.drive.world().faults.clear();
    while issued(&place) != (before + 1, true) {
        assert_eq!(issued(&place).0, before + 1, "the token is not lost\n{}", place.drive.world().ledger.trace());
        tokio::time::sleep(Duration::from_secs(10)).await;
        place.settle().await;
    }
    assert_eq!(place.made(), 2, "its loop has begun anew");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_made_for_a_fault_in_the_program_is_told_and_made_after_a_minute() {
    let mut place = Place::new(TimeDelta::seconds(1)).await;
    let (made, faulty) = (Arc::clone(&place.make), AtomicBool::new(true));
    let make: Make = Arc::new(move |stop: CancellationToken| {
        assert!(!faulty.swap(false, Ordering::Relaxed), "a fault in the program, as this test wants it");
        made(stop)
    });
    let mut fleet = place.fleet();
    let begin = tokio::time::Instant::now();
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), make, Duration::ZERO);
    let told = place.report().await;
    assert!(told.standing.reason == Reason::StepFailed && told.standing.error.is_some());
    assert_eq!(place.report().await.standing.reason, Reason::NotDue);
    assert_eq!((place.made(), begin.elapsed().as_secs()), (1, 60));
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_hangs_keeps_nobody_waiting_for_much_more_than_an_hour_after_a_reload_has_told_it_to_end() {
    let place = Place::new(TimeDelta::days(100)).await;
    let begin = place.drive.world().now();
    (place.make)(CancellationToken::new()).obey(ROTATE).await;
    let is_issued = |event: &Event| matches!(event, Event::Issued { by: Who::Daemon, .. });
    let issued = place.drive.world().ledger.events().find(|(_, event)| is_issued(event)).map(|(at, _)| *at - begin);
    // Time ends while the vault is asked again and again to take the token, so that this never does.
    let mut place = Place::new(issued.expect("a second token") + TimeDelta::seconds(60)).await;
    vault_is_away(&place);
    let mut fleet = place.fleet();
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    let (_, outcome) = fleet.order("sim", ROTATE).expect("it is tended");
    place.settle().await;
    let begin = tokio::time::Instant::now();
    fleet.part("sim", true);
    fleet.parted().await;
    let minutes = begin.elapsed().as_secs() / 60;
    assert!(outcome.await.is_err() && (60..70).contains(&minutes), "{minutes}");
    assert!(fleet.pulses().all_beat(), "whoever hangs beats for nobody any more");
}

/// Told of what is left behind, and with which words.
struct Left(Arc<Mutex<Option<String>>>, UnboundedSender<Report>);

impl Watcher for Left {
    fn saw(&self, report: &Report, _: &Course) {
        drop(self.1.send(report.clone()));
    }

    fn leaves(&self, _: &str, _: &Claims, open: &str) {
        *self.0.lock().expect("nobody panics with it") = Some(open.to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_seen_is_looked_at_for_minutes_before_it_is_let_go_and_is_not_told_to_be_in_order_unseen() {
    for (away, is_left) in [(5, false), (60, true)] {
        let mut place = Place::new(TimeDelta::hours(12)).await;
        let begin = place.drive.world().now();
        place.drive.world().faults.during(Service::Vault, begin, begin + TimeDelta::minutes(away), Fault::Down);
        let left: Arc<Mutex<Option<String>>> = Arc::default();
        let mut fleet = Fleet::new(Arc::new(Left(Arc::clone(&left), place.tell.clone())));
        fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
        assert_eq!(place.report().await.standing.reason, Reason::CannotObserve);
        fleet.part("sim", false);
        fleet.parted().await;
        assert_eq!(left.lock().expect("nobody panics with it").is_some(), is_left, "{away}");
        let minutes = (place.drive.world().now() - begin).num_minutes();
        assert!((5..25).contains(&minutes), "{away}: {minutes}");
    }
}

/// A connection is taken out while the issuer's answer is on its way, which is lost; its job is paused.
async fn let_go_under_its_pause(place: &Place, fleet: &mut Fleet) {
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    place.drive.world().faults.at_calls(Op::Issue, 1, 1, Fault::LoseAnswer);
    let (line, _outcome) = fleet.order("sim", ROTATE).expect("it is tended");
    assert_eq!(line, InLine::First);
    while place.drive.world().faults.calls(Op::Issue) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(place.drive.world().jobs()[0].schedule, Schedule::Paused);
    fleet.part("sim", false);
}

#[tokio::test(start_paused = true)]
async fn what_a_connection_has_begun_that_is_let_go_is_brought_to_its_end_by_its_own_looks() {
    let place = Place::new(TimeDelta::hours(12)).await;
    let mut fleet = place.fleet();
    let_go_under_its_pause(&place, &mut fleet).await;
    fleet.parted().await;
    assert!(issued(&place).1, "{}", place.drive.world().ledger.trace());
    assert_eq!(place.drive.world().jobs()[0].schedule, Schedule::Active);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_brought_to_its_end_is_tried_for_an_hour_and_then_left_with_what_is_open() {
    let mut place = Place::new(TimeDelta::hours(12)).await;
    let left: Arc<Mutex<Option<String>>> = Arc::default();
    let mut fleet = Fleet::new(Arc::new(Left(Arc::clone(&left), place.tell.clone())));
    let_go_under_its_pause(&place, &mut fleet).await;
    let begin = {
        let mut world = place.drive.world();
        let begin = world.now();
        for service in [Service::Hpe, Service::Graph] {
            world.faults.during(service, begin, begin + TimeDelta::days(1), Fault::Down);
        }
        begin
    };
    fleet.parted().await;
    let minutes = (place.drive.world().now() - begin).num_minutes();
    assert!((55..90).contains(&minutes), "{minutes}");
    let looks = place.settle().await;
    assert!(looks < 100, "{looks}");
    let open = left.lock().expect("nobody panics with it").clone().expect("it is told");
    assert_eq!(open.matches("the provisioning job is paused by us").count(), 1, "{open}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_back_while_it_is_being_let_go_goes_on_where_it_stood() {
    let mut place = Place::new(TimeDelta::hours(12)).await;
    let claims = Claims { ward: 7, secret: 8, all: [7, 8].into() };
    let before = issued(&place).0;
    let mut fleet = place.fleet();
    vault_is_away(&place);
    fleet.add("sim".to_owned(), [0; 32], claims.clone(), Arc::clone(&place.make), Duration::ZERO);
    let (_, outcome) = fleet.order("sim", ROTATE).expect("it is tended");
    let _outcome = outcome.await;
    fleet.part("sim", false);
    for _ in 0..100 {
        assert!(futures::poll!(Box::pin(fleet.parted())).is_pending(), "a token of it is in memory only");
        tokio::task::yield_now().await;
    }
    let elsewhere = Claims { ward: 9, secret: 9, all: [9].into() };
    assert!(fleet.holds(&claims) && !fleet.holds(&elsewhere));
    fleet.hand_over(&[9].into());
    assert!(futures::poll!(Box::pin(fleet.parted())).is_pending(), "another one is back");
    let told = place.drive.world().now();
    fleet.hand_over(&[7].into());
    fleet.parted().await;
    let waited = place.drive.world().now() - told;
    assert!(!fleet.holds(&claims) && waited < TimeDelta::minutes(4), "{waited}");
    place.drive.world().faults.clear();
    fleet.add("sim".to_owned(), [1; 32], claims, Arc::clone(&place.make), Duration::ZERO);
    place.settle().await;
    assert_eq!(issued(&place), (before + 1, true), "{}", place.drive.world().ledger.trace());
}

#[tokio::test]
async fn what_is_due_while_a_connection_is_let_go_makes_no_hot_loop_of_its_looks() {
    let drive = about_to_rotate(settings(), policy(Mode::RemoveCurrent, Fence::Auto)).await;
    {
        let mut world = drive.world();
        let begin = world.now() + TimeDelta::hours(3);
        world.advance_to(begin);
        world.person_pauses();
        let planned = serde_json::json!({ "planned": begin - TimeDelta::hours(2) }).to_string();
        world.versions_mut().expect("a secret")[0].tags.insert("pause".to_owned(), planned);
    }
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let (mut looks, mut is_held_off) = (0, false);
    let until = drive.world().now() + TimeDelta::minutes(20);
    while connection.is_open() && drive.world().now() < until {
        let look = connection.look(Act::Finish).await;
        is_held_off |= look.report.standing.action == "rotate";
        looks += 1;
        connection.until(look.next).await;
    }
    assert!(is_held_off && looks < 40, "{looks}\n{}", drive.world().ledger.trace());
    assert_eq!(drive.world().ledger.issued, 0);
}

#[tokio::test]
async fn a_connection_that_is_let_go_with_nothing_open_leaves_to_the_next_what_would_be_good_to_do() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    let rested = drive.world().now() + TimeDelta::days(2);
    drive.live(&[], rested).await;
    let begin = drive.world().now();
    let wishes = |days| {
        let later = Drive::new(drive.world().clone(), drive.policy.clone());
        later.world().advance_to(begin + TimeDelta::days(days));
        later
    };
    let mut let_go = 0;
    for days in 0..60 {
        let later = wishes(days);
        let (_face, mut connection) = later.process(FaceOptions::default());
        let action = connection.look(Act::DecideOnly).await.report.standing.action;
        if action == "retire" {
            let before = writes(&later);
            connection.look(Act::Finish).await;
            assert_eq!(writes(&later), before, "{}", later.world().ledger.trace());
            let_go += 1;
        }
    }
    assert!(let_go > 0, "nothing is ever to be retired");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_behind_a_rotation_hears_at_once_that_its_connection_takes_up_no_more() {
    let place = Place::new(TimeDelta::hours(12)).await;
    let before = issued(&place).0;
    let mut fleet = place.fleet();
    fleet.add("sim".to_owned(), [0; 32], Claims::default(), Arc::clone(&place.make), Duration::ZERO);
    vault_is_away(&place);
    let (_, mut rotated) = fleet.order("sim", ROTATE).expect("it is tended");
    while issued(&place).0 == before {
        tokio::task::yield_now().await;
    }
    let (listener, steps) = std::sync::mpsc::channel();
    fleet.tell("sim", Listener::new(move |step| listener.send(step).is_ok()));
    let (line, released) = fleet.order("sim", Order::Release).expect("it is tended");
    assert_eq!(line, InLine::Behind);
    fleet.part("sim", false);
    assert!(released.await.is_err() && rotated.try_recv().is_err(), "the rotation goes on");
    assert!(rotated.await.is_ok());
    assert!(steps.try_iter().count() > 0, "whoever waits for it hears of its steps");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_takes_over_ends_once_nothing_of_it_is_open_and_begins_nothing() {
    let mut place = Place::new(TimeDelta::hours(12)).await;
    let mut fleet = place.fleet();
    unsaved(&mut place, &mut fleet).await;
    let issued_then = issued(&place).0;
    fleet.part("sim", false);
    let back = place.drive.world().now() + TimeDelta::minutes(20);
    let mut parted = Box::pin(fleet.parted());
    while place.drive.world().now() < back {
        assert!(futures::poll!(&mut parted).is_pending(), "it is tended on");
        tokio::task::yield_now().await;
    }
    place.drive.world().faults.clear();
    parted.await;
    assert_eq!(issued(&place), (issued_then, true), "{}", place.drive.world().ledger.trace());
    assert_eq!(place.drive.world().jobs()[0].schedule, Schedule::Active);
}

#[tokio::test]
async fn a_rotation_that_is_refused_before_it_begins_leaves_nothing_open_and_one_that_fails_later_may() {
    for (op, fault, open) in [
        (Op::SettingsRead, Fault::Status(403, None), None),
        (
            Op::Issue,
            Fault::LoseAnswer,
            Some("the provisioning job is paused by us; the last act failed, and what it has left does not show yet"),
        ),
    ] {
        let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
        let (_face, mut connection) = drive.process(FaceOptions::default());
        drive.world().faults.at_call(op, 1, fault);
        connection.obey(ROTATE).await;
        assert_eq!(connection.open().as_deref(), open, "{op:?}\n{}", drive.world().ledger.trace());
    }
}

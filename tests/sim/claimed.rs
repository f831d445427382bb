//! Somebody else on the same vault who does little: he claims the say and rotates nothing, or is another process of the same
//! host. Whoever stood still meanwhile finds that as well.

use chrono::TimeDelta;
use scim_rotator::domain::journal::{Intent, IntentEnd, Label, Sign};
use scim_rotator::domain::{Fence, Labels, Mode, Order, Reason};
use scim_rotator::engine::{Act, Look};
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy, tend};
use super::rivals::{calls, freeze, indebted, is_well, prepared, writes};
use crate::world::{Event, Fault, Op, Schedule, Settings, TakesEffect, Timestamp, Who, World};

const ROTATE: Order = Order::Rotate { mode: None, compromised: false };

fn own_expiry() -> Settings {
    Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }
}

/// The other host takes the say, by a hold that is over at once.
async fn other_claims(drive: &Drive) {
    let (_face, mut other) = drive.host("other-host", FaceOptions::default(), CancellationToken::new());
    let until = drive.world().now() + TimeDelta::seconds(1);
    let look = other.obey(Order::Hold { until }).await;
    assert!(look.report.obeyed.is_some_and(|done| done.succeeded));
}

/// A rotation that stands still as soon as `what`, for long enough that the other host may claim the say; and what it tells
/// once it has woken up. It must write nothing any more.
async fn outclaimed(drive: &Drive, what: impl Fn(&World) -> bool) -> Look {
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(ROTATE);
    let mut look = std::pin::pin!(look);
    freeze(drive, &mut look, what).await;
    drive.world().advance(TimeDelta::minutes(10));
    other_claims(drive).await;
    let before = writes(drive);
    let tested = calls(&drive.world(), Op::TestCandidate);
    let look = look.await;
    assert_eq!(writes(drive), before, "{}", drive.world().ledger.trace());
    // To test a token is to use it, and whoever is used may be the end of another.
    assert!(calls(&drive.world(), Op::TestCandidate) <= tested + 1, "{}", drive.world().ledger.trace());
    look
}

#[tokio::test]
async fn whoever_finds_the_say_claimed_while_it_waits_for_a_gap_begins_nothing() {
    let busy = Settings { cycle_length: TimeDelta::minutes(38), ..own_expiry() };
    let drive = about_to_rotate(busy, policy(Mode::Overlap, Fence::Auto)).await;
    let asked = calls(&drive.world(), Op::JobRead);
    let look = outclaimed(&drive, |world| calls(world, Op::JobRead) > asked + 4).await;
    assert!(look.report.last_action.is_some_and(|last| last.reason == Reason::TakenOver));
    is_well(&drive, 0);
}

#[tokio::test]
async fn a_host_whose_clock_is_behind_is_left_alone_for_as_long_as_it_is_seen_to_sign() {
    let drive = prepared(Mode::Overlap, own_expiry()).await;
    drive.world().advance(TimeDelta::minutes(80)); // It is due.
    let (_face, mut other) = drive.host("other-host", FaceOptions::default(), CancellationToken::new());
    let before = writes(&drive);
    let until = drive.world().now() + TimeDelta::minutes(20);
    while drive.world().now() < until {
        let at = drive.world().now() - TimeDelta::minutes(9);
        signs(&mut drive.world(), Sign { holder: "one-host".to_owned(), at });
        other.look(Act::CarryOut).await;
        drive.world().advance(TimeDelta::minutes(1));
    }
    assert_eq!(writes(&drive), before, "{}", drive.world().ledger.trace());
    drive.world().advance(TimeDelta::minutes(4));
    let look = other.look(Act::CarryOut).await;
    assert!(look.report.last_action.is_some_and(|last| last.succeeded), "and not for longer");
    is_well(&drive, 1);
}

/// The newest version is signed.
fn signs(world: &mut World, sign: Sign) {
    let newest = world.versions_mut().and_then(|all| all.last_mut()).expect("a version");
    let Label::Ours(labels) = Label::parse(&newest.tags) else { panic!("{:?}", newest.tags) };
    newest.tags = Labels { sign: Some(sign), ..*labels }.to_tags();
}

#[tokio::test]
async fn whoever_finds_the_say_claimed_while_its_token_settles_gives_entra_nothing() {
    let late = Settings { takes_effect: TakesEffect::Delay(TimeDelta::minutes(9)), ..settings() };
    let drive = prepared(Mode::Overlap, late).await;
    let tested = calls(&drive.world(), Op::TestCandidate);
    let look =
        outclaimed(&drive, |world| world.ledger.issued == 1 && calls(world, Op::TestCandidate) > tested + 2).await;
    assert!(look.report.last_action.is_some_and(|last| last.reason == Reason::TakenOver));
}

#[tokio::test]
async fn whoever_finds_the_say_claimed_while_it_repeats_the_store_of_its_token_does_not_even_test_it() {
    let drive = prepared(Mode::Overlap, own_expiry()).await;
    drive.world().faults.at_call(Op::VaultStore, 2, Fault::Status(503, None));
    let stored = calls(&drive.world(), Op::VaultStore);
    let tested = calls(&drive.world(), Op::TestCandidate);
    outclaimed(&drive, |world| calls(world, Op::VaultStore) == stored + 2).await;
    assert_eq!(calls(&drive.world(), Op::TestCandidate), tested + 1, "that of the old one, before it began");
}

#[tokio::test]
async fn after_a_takeover_two_minutes_are_waited_whatever_has_failed_before() {
    let busy = Settings { cycle_length: TimeDelta::minutes(38), ..own_expiry() };
    let drive = about_to_rotate(busy, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance(TimeDelta::minutes(50));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    drive.world().faults.at_calls(Op::SettingsRead, 1, 4, Fault::Status(503, None));
    for _ in 0..4 {
        let next = connection.look(Act::CarryOut).await.next;
        drive.world().advance_to(next);
    }
    let asked = calls(&drive.world(), Op::JobRead);
    let look = connection.look(Act::CarryOut);
    let mut look = std::pin::pin!(look);
    freeze(&drive, &mut look, |world| calls(world, Op::JobRead) > asked + 4).await;
    drive.world().advance(TimeDelta::minutes(10));
    other_claims(&drive).await;
    let look = look.await;
    assert_eq!(look.report.standing.reason, Reason::TakenOver);
    assert_eq!((look.next - drive.world().now()).num_seconds(), 120);
}

#[tokio::test]
async fn whoever_waited_for_a_gap_while_another_process_of_its_host_rotated_begins_nothing() {
    let busy = Settings { cycle_length: TimeDelta::minutes(38), ..own_expiry() };
    let drive = about_to_rotate(busy, policy(Mode::Overlap, Fence::Auto)).await;
    let asked = calls(&drive.world(), Op::JobRead);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(ROTATE);
    let mut look = std::pin::pin!(look);
    freeze(&drive, &mut look, |world| calls(world, Op::JobRead) > asked + 4).await;
    let (_face, mut second) = drive.process(FaceOptions::default());
    second.obey(ROTATE).await;
    assert_eq!(drive.world().saved_token(), Some(2));
    let before = writes(&drive);
    let look = look.await;
    assert_eq!(writes(&drive)[0], before[0], "{}", drive.world().ledger.trace());
    assert!(look.report.last_action.is_some_and(|last| last.reason == Reason::TakenOver));
    is_well(&drive, 1);
}

#[tokio::test]
async fn a_pause_that_another_process_of_its_host_has_made_meanwhile_is_kept_and_ended_in_the_end() {
    let drive = prepared(Mode::Overlap, own_expiry()).await;
    // Both have found the job active; the first repeats its last look at it while the second pauses it, and dies.
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(ROTATE);
    let mut look = std::pin::pin!(look);
    let stored = calls(&drive.world(), Op::VaultStore);
    drive.world().faults.at_call(Op::VaultStore, 1, Fault::LoseAnswer);
    freeze(&drive, &mut look, |world| calls(world, Op::VaultStore) > stored).await;
    let paused = calls(&drive.world(), Op::Pause);
    {
        let (_face, mut second) = drive.process(FaceOptions::default());
        let second = second.obey(ROTATE);
        let mut second = std::pin::pin!(second);
        freeze(&drive, &mut second, |world| calls(world, Op::Pause) > paused).await;
    }
    assert_eq!(drive.world().jobs()[0].schedule, Schedule::Paused);
    look.await;
    let until = drive.world().now() + TimeDelta::minutes(5);
    drive.live(&[], until).await;
    let world = drive.world();
    assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{}", world.ledger.trace());
    assert!(world.entra_holds_a_working_token() && world.ledger.issued <= 1, "{}", world.ledger.trace());
}

#[tokio::test]
async fn a_look_that_is_only_to_tell_pays_no_debts() {
    let (drive, mut connection) = indebted().await;
    drive.world().faults.clear();
    let before = writes(&drive);
    connection.look(Act::DecideOnly).await;
    assert_eq!(writes(&drive), before);
    connection.look(Act::CarryOut).await;
    assert!(writes(&drive)[2] > before[2]);
}

#[tokio::test]
async fn a_debt_that_the_vault_will_never_take_is_forgiven_and_one_that_it_may_is_not() {
    for (status, forgiven) in [(403, true), (503, false)] {
        let (drive, mut connection) = indebted().await;
        drive.world().faults.clear();
        drive.world().faults.at_calls(Op::VaultLabel, 1, if forgiven { 1 } else { 100 }, Fault::Status(status, None));
        let report = connection.look(Act::CarryOut).await.report;
        // What has failed before is still being waited out; whether this look got past the debt, its action tells.
        assert_eq!(report.standing.action, if forgiven { "wait" } else { "look" }, "{:?}", report.standing);
        drive.world().faults.clear();
        drive.world().person_pauses();
        connection.look(Act::CarryOut).await;
        let started = |(_, event): &&(Timestamp, Event)| matches!(event, Event::Started { by: Who::Daemon });
        // One to adopt and one to rotate: against the person's pause none, while it is remembered.
        let world = drive.world();
        assert!(forgiven || world.ledger.events().filter(started).count() == 2, "{}", world.ledger.trace());
    }
}

/// As two hosts leave it that believed to have the say in the same moment: the job is paused, and nothing tells by whom.
#[tokio::test]
async fn a_pause_that_another_host_has_written_over_is_ended_by_whoever_made_it() {
    let busy = Settings { cycle_length: TimeDelta::minutes(30), ..own_expiry() };
    let drive = prepared(Mode::RemoveCurrent, busy).await;
    let begin = drive.world().now();
    let until = Some(begin + TimeDelta::minutes(75));
    let (face, mut connection) = drive.process(FaceOptions { until, ..FaceOptions::default() });
    let labelled = calls(&drive.world(), Op::VaultLabel);
    {
        let rotation = connection.obey(ROTATE);
        let mut rotation = std::pin::pin!(rotation);
        freeze(&drive, &mut rotation, |world| calls(world, Op::VaultLabel) > labelled + 1).await;
        {
            let world = &mut *drive.world();
            let now = world.now();
            let tags = &mut world.versions_mut().and_then(|versions| versions.last_mut()).expect("the intent's").tags;
            let Label::Ours(labels) = Label::parse(tags) else { panic!("ours") };
            assert!(labels.pause.is_some_and(|pause| pause.is_held()), "{labels:?}");
            let intent = labels.intent.clone().map(|i| Intent { will_pause: false, end: IntentEnd::NotIssued, ..i });
            let sign = Some(Sign { holder: "other-host".to_owned(), at: now });
            *tags = Labels { intent, pause: None, sign, ..*labels }.to_tags();
        }
        let look = rotation.await;
        assert!(look.report.last_action.is_some_and(|last| last.reason == Reason::TakenOver));
    }
    assert_eq!(drive.world().jobs()[0].schedule, Schedule::Paused);
    connection.look(Act::DecideOnly).await;
    assert_eq!(
        connection.open().as_deref(),
        Some("the provisioning job is paused by us"),
        "the other one does not know"
    );
    tokio::select! { biased; () = face.over() => (), () = tend(&mut connection) => () }
    let world = drive.world();
    let is_start = |event: &Event| matches!(event, Event::Started { by: Who::Daemon });
    let started = world.ledger.events().filter(|(at, event)| *at > begin && is_start(event)).count();
    assert!(started > 0, "{}", world.ledger.trace());
    assert_eq!((world.ledger.cycles_failed, world.ledger.started_a_persons_pause), (0, 0));
}

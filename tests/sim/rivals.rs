//! Two hosts on one vault: one of them stands still in the midst of what it does, as a frozen virtual machine would, and
//! another takes over. Whoever wakes up finds that it has lost the say, and touches nothing any more.

use std::pin::Pin;

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::{Act, Look};
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy, tend};
use super::edited::is_pending;
use crate::world::{Event, Fault, Op, Schedule, Settings, TakesEffect, World};

const ROTATE: Order = Order::Rotate { mode: None, compromised: false };

/// Everything that changes anything.
const WRITES: [Op; 6] = [Op::Issue, Op::VaultStore, Op::VaultLabel, Op::SettingsPut, Op::Pause, Op::Start];

pub(super) fn writes(drive: &Drive) -> [u32; 6] {
    let world = drive.world();
    WRITES.map(|op| world.faults.calls(op))
}

pub(super) fn calls(world: &World, op: Op) -> u32 {
    world.faults.calls(op)
}

/// Lets a process go on until the world shows `what`. There it stands still: nobody polls it.
pub(super) async fn freeze(
    drive: &Drive,
    look: &mut Pin<&mut impl Future<Output = Look>>,
    what: impl Fn(&World) -> bool,
) {
    let watcher = async {
        while !what(&drive.world()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = watcher => (),
        look = look => panic!("it ended before: {:?}\n{}", look.report.standing, drive.world().ledger.trace()),
    }
}

/// Another host tends the connection for so long.
pub(super) async fn other_host(drive: &Drive, time: TimeDelta) {
    let until = Some(drive.world().now() + time);
    let options = FaceOptions { until, ..FaceOptions::default() };
    let (face, mut connection) = drive.host("other-host", options, CancellationToken::new());
    tokio::select! {
        biased;
        () = face.over() => (),
        () = tend(&mut connection) => (),
    }
}

#[tokio::test]
async fn a_process_that_stands_by_has_nothing_open_of_what_another_one_has_begun() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    {
        let (_face, mut other) = drive.host("other-host", FaceOptions::default(), CancellationToken::new());
        let mut look = std::pin::pin!(other.obey(ROTATE));
        freeze(&drive, &mut look, |world| world.jobs()[0].schedule == Schedule::Paused).await;
    }
    for minutes in [1, 20] {
        drive.world().advance(TimeDelta::minutes(minutes));
        let (_face, mut connection) = drive.process(FaceOptions::default());
        let report = connection.look(Act::CarryOut).await.report;
        assert_eq!(drive.world().jobs()[0].schedule, Schedule::Paused, "{minutes}");
        assert_eq!(connection.open(), None, "{minutes} {:?}", report.standing.reason);
    }
}

/// A rotation on one host that stands still once the world shows `what`; the other host goes on for `time`; then
/// `meanwhile` happens, and the first one wakes up. It must touch nothing any more.
async fn wakes_up(
    drive: &Drive,
    time: TimeDelta,
    what: impl Fn(&World, [u32; 6]) -> bool,
    meanwhile: impl FnOnce(&mut World),
) -> Look {
    let before = writes(drive);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(ROTATE);
    let mut look = std::pin::pin!(look);
    freeze(drive, &mut look, |world| what(world, before)).await;
    other_host(drive, time).await;
    meanwhile(&mut drive.world());
    let other = writes(drive);
    let look = look.await;
    assert_eq!(writes(drive), other, "{WRITES:?}\n{}", drive.world().ledger.trace());
    look
}

pub(super) fn is_well(drive: &Drive, issued: u32) {
    let world = drive.world();
    let ledger = &world.ledger;
    assert!(world.entra_holds_a_working_token() && ledger.cycles_failed == 0, "{}", ledger.trace());
    assert_eq!((ledger.issued, ledger.started_a_persons_pause), (issued, 0), "{}", ledger.trace());
}

pub(super) async fn prepared(mode: Mode, settings: Settings) -> Drive {
    let drive = about_to_rotate(settings, policy(mode, Fence::Auto)).await;
    // In the gap after a cycle.
    let ended = drive.world().jobs()[0].last.clone().expect("a cycle has ended").ended;
    drive.world().advance_to(ended + TimeDelta::minutes(41));
    drive
}

#[tokio::test]
async fn whoever_stands_still_while_its_token_settles_gives_entra_nothing_any_more() {
    let late = Settings { takes_effect: TakesEffect::Delay(TimeDelta::minutes(6)), ..settings() };
    let drive = prepared(Mode::Overlap, late).await;
    let settles =
        |world: &World, before: [u32; 6]| calls(world, Op::Issue) > before[0] && calls(world, Op::TestCandidate) > 3;
    wakes_up(&drive, TimeDelta::hours(5), settles, |_| ()).await;
    is_well(&drive, 1);
    assert_eq!(drive.world().saved_token(), Some(2));
}

#[tokio::test]
async fn whoever_stands_still_while_a_cycle_is_waited_for_issues_nothing_any_more() {
    let busy = Settings { cycle_length: TimeDelta::minutes(30), takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = prepared(Mode::Overlap, busy).await;
    let drains = |world: &World, before: [u32; 6]| calls(world, Op::Pause) > before[4];
    wakes_up(&drive, TimeDelta::hours(5), drains, |_| ()).await;
    is_well(&drive, 1);
}

#[tokio::test]
async fn whoever_stands_still_while_entra_verifies_ends_no_pause_that_a_person_has_made_since() {
    let slow = Settings {
        verification_delay: TimeDelta::minutes(5),
        takes_effect: TakesEffect::OwnExpiry,
        cycle_length: TimeDelta::minutes(30),
        ..settings()
    };
    let drive = prepared(Mode::RemoveCurrent, slow).await;
    let verifies = |world: &World, before: [u32; 6]| calls(world, Op::SettingsPut) > before[3];
    let started = calls(&drive.world(), Op::Start);
    // Not for so long that the end of another cycle would tell that the pause is another one.
    wakes_up(&drive, TimeDelta::minutes(25), verifies, World::person_pauses).await;
    assert_eq!(calls(&drive.world(), Op::Start), started + 1, "{}", drive.world().ledger.trace());
    is_well(&drive, 1);
    assert_eq!(drive.world().jobs()[0].schedule, Schedule::Paused);
}

#[tokio::test]
async fn whoever_stands_still_while_it_repeats_a_store_stores_nothing_any_more() {
    let drive = prepared(Mode::Overlap, Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }).await;
    // The first store is that of the intent.
    drive.world().faults.at_call(Op::VaultStore, 2, Fault::Status(503, None));
    let stores = |world: &World, before: [u32; 6]| calls(world, Op::VaultStore) == before[1] + 2;
    wakes_up(&drive, TimeDelta::hours(5), stores, |_| ()).await;
    is_well(&drive, 2);
}

#[tokio::test]
async fn whoever_stands_still_while_it_repeats_a_write_of_entras_settings_makes_it_no_more() {
    let drive = prepared(Mode::Overlap, Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }).await;
    drive.world().faults.at_call(Op::SettingsPut, 1, Fault::Status(503, None));
    let puts = |world: &World, before: [u32; 6]| calls(world, Op::SettingsPut) > before[3];
    wakes_up(&drive, TimeDelta::hours(5), puts, |_| ()).await;
    is_well(&drive, 1);
}

#[tokio::test]
async fn whoever_stands_still_while_it_waits_for_a_gap_leaves_the_rotation_to_the_other() {
    let busy = Settings { cycle_length: TimeDelta::minutes(38), takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = about_to_rotate(busy, policy(Mode::Overlap, Fence::Auto)).await;
    let asked = calls(&drive.world(), Op::JobRead);
    let waits = |world: &World, _: [u32; 6]| calls(world, Op::JobRead) > asked + 4;
    let look = wakes_up(&drive, TimeDelta::hours(5), waits, |_| ()).await;
    is_well(&drive, 1);
    assert!(look.report.last_action.is_some_and(|last| !last.succeeded && last.reason == Reason::TakenOver));
}

/// A process that has let the job run again, and could not write that down: the vault has been away since, and is still.
pub(super) async fn indebted() -> (Drive, scim_rotator::engine::Connection) {
    for nth in 1..12 {
        let drive = prepared(Mode::Overlap, Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }).await;
        let before = writes(&drive);
        drive.world().faults.at_calls(Op::VaultLabel, nth, 1000, Fault::Status(503, None));
        let (_face, mut connection) = drive.process(FaceOptions::default());
        connection.obey(ROTATE).await;
        if writes(&drive)[5] > before[5] && drive.world().saved_token() == Some(2) {
            return (drive, connection);
        }
    }
    panic!("the job was never started");
}

#[tokio::test]
async fn a_start_that_could_not_be_written_down_is_not_made_again_against_a_persons_pause() {
    let (drive, mut connection) = indebted().await;
    drive.world().person_pauses();
    for vault_is_back in [false, true, true] {
        if vault_is_back {
            drive.world().faults.clear();
        }
        connection.look(Act::CarryOut).await;
        drive.world().advance(TimeDelta::minutes(20));
    }
    // Written down by now, so that the next process knows it as well.
    let (_face, mut next) = drive.process(FaceOptions::default());
    next.look(Act::CarryOut).await;
    is_well(&drive, 1);
    assert_eq!(drive.world().jobs()[0].schedule, Schedule::Paused);
}

#[tokio::test]
async fn what_is_owed_to_the_vault_is_forgiven_once_another_has_the_say() {
    let (drive, mut connection) = indebted().await;
    drive.world().faults.clear();
    other_host(&drive, TimeDelta::hours(3)).await;
    let before = writes(&drive);
    connection.look(Act::CarryOut).await;
    assert_eq!(writes(&drive), before, "{}", drive.world().ledger.trace());
    is_well(&drive, 1);
}

#[tokio::test]
async fn what_is_owed_to_a_secret_that_was_deleted_keeps_nobody_from_beginning_anew() {
    let (drive, mut connection) = indebted().await;
    drive.world().faults.clear();
    drive.world().versions_mut().expect("a secret").clear();
    let before = writes(&drive);
    let standing = connection.look(Act::DecideOnly).await.report.standing;
    connection.look(Act::CarryOut).await;
    assert_ne!(standing.reason, Reason::CannotObserve);
    assert_eq!(writes(&drive)[2], before[2], "nothing is written onto what is not there: {standing:?}");
}

/// What it wrote last stands on an older version, and the pending one above that is its own.
#[tokio::test]
async fn whoever_waits_for_a_token_to_take_effect_does_not_take_its_own_newer_version_for_anothers() {
    let late = Settings { takes_effect: TakesEffect::Delay(TimeDelta::minutes(6)), ..settings() };
    let begin = prepared(Mode::Overlap, late).await;
    let drive = begin.killed_when(is_pending).await;
    // A person's edit, which is cleared away first.
    drive.world().versions_mut().expect("a secret")[0].tags.insert("stage".to_owned(), "pending".to_owned());
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.look(Act::CarryOut).await;
    let last = look.report.last_action.expect("something was done");
    assert!(last.succeeded, "{last:?}\n{}", drive.world().ledger.trace());
    assert_eq!(drive.world().saved_token(), Some(2));
}

#[tokio::test]
async fn whoever_has_not_the_say_looks_on_for_four_minutes_claims_it_and_gives_the_first_ten_seconds_more() {
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = about_to_rotate(quiet, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance(TimeDelta::minutes(50)); // It is due by now.
    let before = writes(&drive);
    let (_face, mut connection) = drive.host("other-host", FaceOptions::default(), CancellationToken::new());
    for minutes in [4, 2] {
        let look = connection.look(Act::CarryOut).await;
        let wait = look.next - drive.world().now();
        assert!((wait - TimeDelta::minutes(minutes)).abs() < TimeDelta::seconds(15), "{wait}");
        assert_eq!((look.report.standing.reason, writes(&drive)), (Reason::StandingBy, before));
        drive.world().advance(TimeDelta::minutes(2));
    }
    drive.world().advance(TimeDelta::seconds(5));
    let claims = drive.world().now();
    connection.look(Act::CarryOut).await;
    let world = drive.world();
    let events = || world.ledger.events().filter(|(at, _)| *at > claims);
    let claimed = events().find(|(_, event)| matches!(event, Event::Labelled { .. })).expect("a claim").0;
    let next = events().find(|(_, event)| matches!(event, Event::Tested { .. })).expect("a test").0;
    assert!(next - claimed >= TimeDelta::seconds(10), "{}", world.ledger.trace());
    assert_eq!(world.saved_token(), Some(2));
}

#[tokio::test]
async fn a_sign_from_the_future_that_a_container_with_a_wrong_clock_left_holds_up_nobody() {
    let drive = about_to_rotate(
        Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() },
        policy(Mode::Overlap, Fence::Auto),
    )
    .await;
    let wrong = FaceOptions { skew: TimeDelta::hours(20), ..FaceOptions::default() };
    let (_face, mut gone) = drive.host("container-1", wrong, CancellationToken::new());
    let now = drive.world().now();
    gone.obey(Order::Hold { until: now + TimeDelta::minutes(1) }).await;
    let (_face, mut next) = drive.host("container-2", FaceOptions::default(), CancellationToken::new());
    let look = next.obey(Order::Rotate { mode: None, compromised: true }).await;
    let world = drive.world();
    let obeyed = look.report.obeyed.is_some_and(|done| done.succeeded);
    assert!(obeyed, "{:?}\n{}", look.report.standing, world.ledger.trace());
    // The first had the token for due, and rotated as well.
    assert_eq!(world.saved_token(), Some(3));
}

#[tokio::test]
async fn who_slept_under_its_pause_writes_nothing_over_the_pause_that_another_has_made_since() {
    // Also where the vault does not answer at once when it wakes.
    for faults in 0..4 {
        wakes_under_another_pause(faults).await;
    }
}

/// A host sleeps under its pause, another ends that and makes one of its own; so many of the first listings at waking fail.
async fn wakes_under_another_pause(faults: u32) {
    let drive = prepared(Mode::RemoveCurrent, Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }).await;
    let pauses = || calls(&drive.world(), Op::Pause);
    let before = pauses();
    let (face, mut connection) = drive.process(FaceOptions::default());
    let mut look = std::pin::pin!(connection.obey(ROTATE));
    freeze(&drive, &mut look, |world| calls(world, Op::Pause) > before).await;
    let asleep = drive.world().now();
    let (_face, mut other) = drive.host("other-host", FaceOptions::default(), CancellationToken::new());
    let mut other = std::pin::pin!(tend(&mut other));
    let again = async {
        while pauses() < before + 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { biased; () = again => (), () = &mut other => () }
    let slept = drive.world().now() - asleep;
    face.wakes(slept);
    let other_wrote = writes(&drive);
    drive.world().faults.at_calls(Op::VaultList, 1, faults, Fault::Status(503, None));
    look.await;
    assert_eq!(writes(&drive), other_wrote, "{WRITES:?}");
    let until = drive.world().now() + TimeDelta::hours(2);
    let later = async {
        while drive.world().now() < until {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { biased; () = later => (), () = &mut other => () }
    let world = drive.world();
    assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{}", world.ledger.trace());
    assert!(world.entra_holds_a_working_token() && world.ledger.cycles_failed == 0, "{}", world.ledger.trace());
}

//! A host that sleeps in the midst of a rotation, after each of its calls once, while the clock that nobody sets sleeps with it.
//! What it goes by when it wakes is hours old: another host has rotated since, or a person has paused the job.

use std::cell::Cell;

use chrono::TimeDelta;
use scim_rotator::domain::journal::{IntentEnd, Label};
use scim_rotator::domain::{Fence, Mode, Order};
use scim_rotator::engine::Act;
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use super::rivals::{other_host, writes};
use crate::world::{Event, Fault, Op, Schedule, Service, Settings, TakesEffect, Who, World};

const NAP: TimeDelta = TimeDelta::hours(5);

fn all_calls(world: &World) -> u32 {
    Op::ALL.iter().map(|op| world.faults.calls(*op)).sum()
}

/// How a rotation goes that is broken off by sleep.
#[derive(Clone, Copy, Debug)]
struct Case {
    mode: Mode,
    takes_effect: TakesEffect,
    /// At waking the vault cannot be reached for so long.
    late: TimeDelta,
}

fn cases() -> impl Iterator<Item = Case> {
    let delay = TakesEffect::Delay(TimeDelta::minutes(6));
    let kinds = [(TakesEffect::OwnExpiry, 0), (TakesEffect::OwnExpiry, 25), (delay, 0)];
    let case = |mode, (takes_effect, late)| Case { mode, takes_effect, late: TimeDelta::seconds(late) };
    [Mode::Overlap, Mode::RemoveCurrent].into_iter().flat_map(move |mode| kinds.map(|kind| case(mode, kind)))
}

/// Each moment of a rotation that is due: right after its n-th call the host sleeps, and `meanwhile` happens. Where that answers
/// true, whoever wakes changes nothing any more; in any case all ends well as `judge` sees it. Answers how often it was true.
async fn sleeps_after_each_call(
    case: Case,
    meanwhile: impl AsyncFn(&Drive) -> bool,
    judge: impl Fn(&World, &str),
) -> usize {
    let mut replaced = 0;
    for nth in 1.. {
        let told = format!("asleep after call {nth}, {case:?}");
        let quiet = Settings { takes_effect: case.takes_effect, ..settings() };
        let drive = about_to_rotate(quiet, policy(case.mode, Fence::Auto)).await;
        drive.world().advance(TimeDelta::minutes(50));
        let asleep_at = all_calls(&drive.world()) + nth;
        let (face, mut connection) = drive.process(FaceOptions { yields: true, ..FaceOptions::default() });
        let mut look = std::pin::pin!(connection.look(Act::CarryOut));
        let call = async {
            while all_calls(&drive.world()) < asleep_at {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = call => (),
            _ = &mut look => {
                assert!(nth > 30, "it makes more calls than {nth}");
                return replaced;
            }
        }
        let asleep = drive.world().now();
        let is_replaced = meanwhile(&drive).await;
        replaced += usize::from(is_replaced);
        let woken = drive.world().now();
        face.wakes(woken - asleep);
        drive.world().faults.during(Service::Vault, woken, woken + case.late, Fault::Down);
        let before = writes(&drive);
        look.await;
        if is_replaced {
            assert_eq!(writes(&drive), before, "{told}\n{}", drive.world().ledger.trace());
        }
        judge(&drive.world(), &told);
    }
    replaced
}

/// Who has signed the newest version.
pub(super) fn keeper(world: &World) -> Option<String> {
    let ours = world.versions().iter().filter_map(|stored| match Label::parse(&stored.tags) {
        Label::Ours(labels) => Some(labels),
        _ => None,
    });
    ours.max_by_key(|labels| labels.seq)?.sign.map(|sign| sign.holder)
}

#[tokio::test]
async fn who_sleeps_after_any_call_of_a_rotation_changes_nothing_that_another_host_has_the_say_of_since() {
    for case in cases() {
        let other_tends = async |drive: &Drive| {
            other_host(drive, NAP).await;
            keeper(&drive.world()).as_deref() == Some("other-host")
        };
        let judge = |world: &World, told: &str| {
            let trace = || format!("{told}\n{}", world.ledger.trace());
            assert!(world.entra_holds_a_working_token() && world.ledger.cycles_failed == 0, "{}", trace());
            assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{}", trace());
        };
        let replaced = sleeps_after_each_call(case, other_tends, judge).await;
        assert!(replaced > 25, "{case:?}: {replaced}");
    }
}

#[tokio::test]
async fn who_sleeps_after_any_call_of_a_rotation_never_undoes_what_a_person_has_paused_or_set_meanwhile() {
    for case in cases() {
        let is_persons = Cell::new(false);
        let person_pauses = async |drive: &Drive| {
            let mut world = drive.world();
            is_persons.set(world.jobs()[0].schedule == Schedule::Active);
            if is_persons.get() {
                world.person_pauses();
            }
            world.person_sets("SyncAll", "true");
            world.person_sets("Added", "by hand");
            world.advance(NAP);
            false
        };
        let judge = |world: &World, told: &str| {
            let ledger = &world.ledger;
            let trace = || format!("{told}\n{}", ledger.trace());
            assert!(world.entra_holds_a_working_token() && ledger.cycles_failed == 0, "{}", trace());
            let schedule = if is_persons.get() { Schedule::Paused } else { Schedule::Active };
            assert_eq!((world.jobs()[0].schedule, ledger.started_a_persons_pause), (schedule, 0), "{}", trace());
            assert!(world.settings_lost().is_empty(), "{:?} {}", world.settings_lost(), trace());
        };
        sleeps_after_each_call(case, person_pauses, judge).await;
    }
}

#[tokio::test]
async fn who_sleeps_before_it_asks_the_issuer_dates_anew_when_it_asks() {
    let mut asked_late = 0;
    for nth in 1.. {
        let case = Case { mode: Mode::Overlap, takes_effect: TakesEffect::OwnExpiry, late: TimeDelta::zero() };
        let quiet = Settings { takes_effect: case.takes_effect, ..settings() };
        let drive = about_to_rotate(quiet, policy(case.mode, Fence::Auto)).await;
        drive.world().advance(TimeDelta::minutes(50));
        drive.world().faults.at_call(Op::Issue, 1, Fault::LoseAnswer);
        let issues = || drive.world().faults.calls(Op::Issue);
        let (face, mut connection) = drive.process(FaceOptions { yields: true, ..FaceOptions::default() });
        let mut look = std::pin::pin!(connection.look(Act::CarryOut));
        let before = issues();
        tokio::select! { biased; () = face.has_begun(nth) => (), _ = &mut look => break }
        if issues() > before {
            break;
        }
        drive.world().advance(NAP);
        face.wakes(NAP);
        look.await;
        let world = drive.world();
        let issued = world.ledger.events().find(|(_, event)| matches!(event, Event::Issued { by: Who::Daemon, .. }));
        let Some((issued, _)) = issued else { continue };
        let open = world.versions().iter().find_map(|stored| match Label::parse(&stored.tags) {
            Label::Ours(labels) => labels.intent.filter(|intent| intent.end == IntentEnd::Open),
            _ => None,
        });
        let dated = open.expect("an intent that is open").at;
        assert!((*issued - dated).abs() < TimeDelta::minutes(3), "asleep after call {nth}\n{}", world.ledger.trace());
        asked_late += 1;
    }
    assert!(asked_late > 10, "{asked_late}");
}

#[tokio::test]
async fn who_sleeps_after_any_call_of_a_rotation_gives_entra_no_dead_token_for_one_that_a_person_has_pasted_meanwhile()
{
    for case in cases().filter(|case| case.late == TimeDelta::zero()) {
        let person_rotates = async |drive: &Drive| {
            let mut world = drive.world();
            let value = world.person_rotates(true);
            world.person_saves(&value);
            world.advance(NAP);
            false
        };
        let judge = |world: &World, told: &str| {
            let is_well = world.entra_holds_a_working_token() && world.ledger.cycles_failed == 0;
            assert!(is_well, "{told}\n{}", world.ledger.trace());
        };
        sleeps_after_each_call(case, person_rotates, judge).await;
    }
}

/// The one that has signed last has been silent for days, and tells of a proof; in the midst of its look a person asks another
/// host for a rotation.
#[tokio::test]
async fn who_takes_long_to_look_writes_nothing_over_what_another_host_has_begun_meanwhile() {
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let begin = about_to_rotate(quiet, policy(Mode::Overlap, Fence::Auto)).await;
    // Until the token before has died of old age, which is to be proven.
    let Settings { start, token_life, .. } = begin.world().settings.clone();
    let dies = start + token_life;
    begin.live(&[], dies - TimeDelta::minutes(2)).await;
    begin.world().advance(TimeDelta::minutes(5));
    let asked = calls_of_a_look(&begin).await;
    assert!(asked > 4, "{asked}");
    for nth in 1..=asked {
        let drive = Drive::new(begin.world().clone(), begin.policy.clone());
        let before = writes(&drive);
        let (face, mut slow) = drive.process(FaceOptions { yields: true, ..FaceOptions::default() });
        let (_face, mut other) =
            drive.host("other-host", FaceOptions { yields: true, ..FaceOptions::default() }, CancellationToken::new());
        let mut slow = std::pin::pin!(slow.look(Act::CarryOut));
        let mut other = std::pin::pin!(other.obey(Order::Rotate { mode: None, compromised: false }));
        let until = async |what: &dyn Fn() -> bool| {
            while !what() {
                tokio::task::yield_now().await;
            }
        };
        let (is_asleep, has_paused) = (|| face.calls() >= nth, || writes(&drive)[4] > before[4]);
        tokio::select! { biased; () = until(&is_asleep) => (), _ = &mut slow => () }
        tokio::select! { biased; () = until(&has_paused) => (), _ = &mut other => () }
        let other_wrote = writes(&drive);
        slow.await;
        assert_eq!(writes(&drive), other_wrote, "after call {nth}");
        let obeyed = other.await.report.obeyed;
        let world = drive.world();
        assert!(obeyed.is_some_and(|done| done.succeeded), "after call {nth}\n{}", world.ledger.trace());
        assert_eq!(world.jobs()[0].schedule, Schedule::Active, "after call {nth}\n{}", world.ledger.trace());
        assert_eq!(world.saved_token(), Some(3));
    }
}

async fn calls_of_a_look(begin: &Drive) -> usize {
    let drive = Drive::new(begin.world().clone(), begin.policy.clone());
    let (face, mut connection) = drive.process(FaceOptions::default());
    let before = writes(&drive);
    connection.look(Act::CarryOut).await;
    assert_ne!(writes(&drive), before, "{}", drive.world().ledger.trace());
    face.calls()
}

#[tokio::test]
async fn a_graph_that_has_a_pause_asked_for_again_after_two_minutes_does_not_keep_the_job_from_being_paused() {
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = about_to_rotate(quiet, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance(TimeDelta::minutes(50));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    {
        let mut world = drive.world();
        world.faults.at_call(Op::Pause, 1, Fault::Hang);
        world.faults.at_call(Op::Pause, 2, Fault::Status(429, Some(96)));
    }
    let look = connection.look(Act::CarryOut).await;
    let world = drive.world();
    assert!(look.report.last_action.is_some_and(|last| last.succeeded), "{}", world.ledger.trace());
    assert_eq!(world.saved_token(), Some(2), "{}", world.ledger.trace());
}

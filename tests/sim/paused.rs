//! Rotations under a pause that stands already: a person's, or ours from an earlier attempt. And how ours is planned.

use chrono::TimeDelta;
use scim_rotator::domain::journal::Label;
use scim_rotator::domain::{Fence, Labels, Mode, Order, Policy};
use scim_rotator::engine::{Act, Connection};

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Event, Fault, Op, Schedule, Settings, TakesEffect, Timestamp, Who};

const ROTATE: Order = Order::Rotate { mode: None, compromised: false };

fn lasting(minutes: i64) -> Settings {
    let cycle_length = TimeDelta::minutes(minutes);
    Settings { cycle_length, takes_effect: TakesEffect::OwnExpiry, ..settings() }
}

/// A token that is due, a minute into a cycle.
async fn in_a_cycle(settings: Settings, policy: Policy) -> Drive {
    let drive = about_to_rotate(settings, policy).await;
    let began = drive.world().jobs()[0].last.clone().expect("a cycle has ended").began;
    drive.world().advance_to(began + TimeDelta::minutes(81));
    drive
}

fn labels(drive: &Drive, place: usize) -> Labels {
    match Label::parse(&drive.world().versions()[place].tags) {
        Label::Ours(labels) => *labels,
        other => panic!("{other:?}"),
    }
}

/// How long after `from` the issuer was asked first.
fn issued_after(drive: &Drive, from: Timestamp) -> TimeDelta {
    let world = drive.world();
    let issued = |event: &Event| matches!(event, Event::Issued { by: Who::Daemon, .. });
    world.ledger.events().find(|(at, event)| *at >= from && issued(event)).expect("a token is issued").0 - from
}

#[tokio::test]
async fn a_rotation_under_a_persons_pause_plans_none_of_its_own_and_leaves_his_alone() {
    let drive = about_to_rotate(lasting(4), policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().person_pauses();
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(ROTATE).await;
    let intended = labels(&drive, 1);
    assert_eq!((intended.intent.expect("an intent").will_pause, intended.pause), (false, None));
    let world = drive.world();
    assert_eq!((world.saved_token(), world.jobs()[0].schedule), (Some(2), Schedule::Paused));
    assert_eq!(world.ledger.started_a_persons_pause, 0);
}

#[tokio::test]
async fn a_persons_pause_is_left_alone_though_an_earlier_one_of_ours_stands_written_on_the_same_version() {
    let drive = about_to_rotate(lasting(4), policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().faults.at_call(Op::Issue, 1, Fault::Status(409, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(ROTATE).await;
    let earlier = labels(&drive, 1).pause.expect("the first try has paused the job");
    assert!(earlier.at.is_some() && earlier.ended.is_some());
    drive.world().person_pauses();
    connection.obey(ROTATE).await;
    assert_eq!(labels(&drive, 1).pause, Some(earlier), "the second try goes by the same record");
    let world = drive.world();
    assert_eq!((world.saved_token(), world.jobs()[0].schedule), (Some(2), Schedule::Paused));
    assert_eq!(world.ledger.started_a_persons_pause, 0, "{}", world.ledger.trace());
}

#[tokio::test]
async fn under_a_persons_pause_no_cycle_is_waited_for_without_a_fence_nor_where_the_token_is_dead() {
    for (fence, dead) in [(Fence::Never, false), (Fence::Auto, true)] {
        let drive = in_a_cycle(lasting(39), policy(Mode::Overlap, fence)).await;
        if dead {
            drive.world().person_rotates(true);
        }
        drive.world().person_pauses();
        let begin = drive.world().now();
        let (_face, mut connection) = drive.process(FaceOptions::default());
        connection.obey(ROTATE).await;
        let time = issued_after(&drive, begin);
        assert!(time < TimeDelta::minutes(4), "{fence:?} {time}");
    }
}

/// The answer to a first issue has been lost, minutes ago: the pause stands, and the second try may be made.
async fn answer_lost() -> (Drive, Connection) {
    let drive = about_to_rotate(lasting(4), policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance(TimeDelta::minutes(50));
    drive.world().faults.at_call(Op::Issue, 1, Fault::LoseAnswer);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await;
    drive.world().advance(TimeDelta::minutes(4));
    assert_eq!(drive.world().jobs()[0].schedule, Schedule::Paused);
    (drive, connection)
}

#[tokio::test]
async fn the_next_try_carries_the_pause_that_stands_and_waits_for_no_cycle_again() {
    let (drive, mut connection) = answer_lost().await;
    let begin = drive.world().now();
    connection.look(Act::CarryOut).await;
    let [first, second] = [1, 2].map(|place| labels(&drive, place));
    assert!(second.intent.is_some_and(|intent| intent.will_pause));
    let carried = second.pause.expect("it is carried along");
    assert_eq!(Some(carried.planned), first.pause.map(|pause| pause.planned));
    assert!(carried.at.is_some() && carried.ended > carried.at, "{carried:?}");
    assert!(issued_after(&drive, begin) < TimeDelta::minutes(1));
    let world = drive.world();
    assert_eq!((world.saved_token(), world.jobs()[0].schedule), (Some(3), Schedule::Active));
}

#[tokio::test]
async fn after_a_lost_answer_the_pause_stands_though_the_next_try_breaks_off_before_the_issuer_is_asked() {
    let (drive, mut connection) = answer_lost().await;
    drive.world().faults.at_calls(Op::VaultLabel, 1, 100, Fault::Status(403, None));
    let started = drive.world().faults.calls(Op::Start);
    connection.look(Act::CarryOut).await;
    let world = drive.world();
    assert_eq!((world.ledger.issued, world.versions().len()), (1, 3), "it broke off under its intent");
    assert_eq!(world.faults.calls(Op::Start), started);
}

#[tokio::test]
async fn a_plan_that_has_grown_old_before_the_pause_is_made_anew_and_a_fresh_one_is_not_written_again() {
    for (failures, stale) in [(0, false), (5, true)] {
        let begin = about_to_rotate(lasting(4), policy(Mode::Overlap, Fence::Auto)).await;
        begin.world().faults.at_calls(Op::VaultStore, 1, failures.max(1), Fault::Status(503, None));
        if !stale {
            begin.world().faults.clear();
        }
        let drive = begin.killed_when(|world| world.jobs()[0].schedule == Schedule::Paused).await;
        let pause = labels(&drive, 1).pause.expect("it was planned");
        let world = drive.world();
        let since = |is: fn(&Event) -> bool| world.ledger.events().filter(|(_, e)| is(e)).last().expect("it happens").0;
        let paused = since(|event| matches!(event, Event::Paused { .. }));
        assert!(pause.is_open() && paused - pause.planned < TimeDelta::seconds(12), "{paused} {pause:?}");
        let stored = since(|event| matches!(event, Event::Stored { .. }));
        let labelled = |(at, event): &&(Timestamp, Event)| *at > stored && matches!(event, Event::Labelled { .. });
        assert_eq!(world.ledger.events().filter(labelled).count(), usize::from(stale), "{}", world.ledger.trace());
    }
}

#[tokio::test]
async fn the_end_of_a_pause_is_written_down_in_the_run_that_ends_it_and_proves_nothing_by_itself() {
    let drive = about_to_rotate(lasting(4), policy(Mode::Overlap, Fence::Auto)).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(ROTATE).await;
    assert!(look.report.last_action.is_some_and(|last| last.succeeded && last.action == "rotate"));
    let started = {
        let world = drive.world();
        let started = |event: &Event| matches!(event, Event::Started { by: Who::Daemon });
        world.ledger.events().filter(|(_, event)| started(event)).last().expect("it is started").0
    };
    let ended = labels(&drive, 1).pause.and_then(|pause| pause.ended).expect("its end is told");
    assert!((ended - started).abs() <= TimeDelta::seconds(1), "{ended} {started}");
}

#[tokio::test]
async fn a_gap_is_waited_for_until_the_last_safe_moment_at_the_latest() {
    let slack = TimeDelta::days(30) - TimeDelta::minutes(30);
    let rules = Policy { min_slack: slack, ..policy(Mode::Overlap, Fence::Auto) };
    let due = settings().start + TimeDelta::days(70);
    let drive = about_to_rotate(Settings { pause_ends_cycle: true, ..lasting(39) }, rules).await;
    drive.world().advance_to(due);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await;
    let world = drive.world();
    let paused = |event: &Event| matches!(event, Event::Paused { by: Who::Daemon });
    let paused = world.ledger.events().find(|(at, event)| *at >= due && paused(event)).expect("it is paused").0 - due;
    assert!((TimeDelta::minutes(20)..TimeDelta::minutes(32)).contains(&paused), "{paused}");
}

#[tokio::test]
async fn a_job_that_a_person_starts_while_entra_verifies_the_new_token_is_not_started_once_more() {
    let (verification_delay, start_delay) = (TimeDelta::minutes(5), TimeDelta::minutes(20));
    let slow = Settings { verification_delay, start_delay, ..lasting(4) };
    let drive = about_to_rotate(slow, policy(Mode::RemoveCurrent, Fence::Auto)).await;
    let put = drive.world().faults.calls(Op::SettingsPut);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let person = async {
        while drive.world().faults.calls(Op::SettingsPut) == put {
            tokio::task::yield_now().await;
        }
        drive.world().person_starts();
        std::future::pending::<()>().await;
    };
    let started = drive.world().faults.calls(Op::Start);
    tokio::select! { biased; () = person => (), _ = connection.obey(ROTATE) => () }
    let world = drive.world();
    assert_eq!((world.saved_token(), world.faults.calls(Op::Start)), (Some(2), started), "{}", world.ledger.trace());
    assert_eq!(world.ledger.started_while_active, 0);
}

#[tokio::test]
async fn beside_a_job_that_never_shows_as_paused_nothing_is_issued() {
    let drive = about_to_rotate(
        Settings { start_delay: TimeDelta::minutes(60), ..lasting(4) },
        policy(Mode::Overlap, Fence::Auto),
    )
    .await;
    let paused = drive.world().faults.calls(Op::Pause);
    // What is written of the pause has to be repeated: time enough for a person to start the job before anybody looks again.
    drive.world().faults.at_call(Op::VaultLabel, 1, Fault::Status(503, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let person = async {
        while drive.world().faults.calls(Op::Pause) == paused {
            tokio::task::yield_now().await;
        }
        drive.world().person_starts();
        std::future::pending::<()>().await;
    };
    let look =
        tokio::select! { biased; () = person => unreachable!("it never ends"), look = connection.obey(ROTATE) => look };
    assert!(look.report.standing.error.is_some_and(|error| error.contains("started by somebody")));
    let world = drive.world();
    assert_eq!((world.ledger.issued, world.jobs()[0].schedule), (0, Schedule::Active), "{}", world.ledger.trace());
}

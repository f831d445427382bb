//! When a rotation waits for cycles, when it does not, and what becomes of the pause where it comes to nothing.

use chrono::TimeDelta;
use scim_rotator::domain::journal::Label;
use scim_rotator::domain::{Fence, Mode, Order, Policy};
use scim_rotator::engine::Act;

use super::FaceOptions;
use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, policy};
use super::edited::is_pending;
use crate::world::{Event, Fault, Op, Schedule, Settings, TakesEffect, Timestamp, Who, World};

/// Cycles that take all but a minute of the time, so that no gap is one.
fn busy() -> Settings {
    Settings { cycle_length: TimeDelta::minutes(39), takes_effect: TakesEffect::OwnExpiry, ..settings() }
}

/// Brings the token to the moment at which it comes due, nobody looking.
async fn just_due(settings: Settings, policy: Policy) -> (Drive, Timestamp) {
    let due = settings.start + TimeDelta::days(70);
    let drive = about_to_rotate(settings, policy).await;
    drive.world().advance_to(due);
    (drive, due)
}

/// Lets time pass until so long after the beginning of a cycle.
fn into_a_cycle(drive: &Drive, time: TimeDelta) -> Timestamp {
    let mut world = drive.world();
    let last = world.jobs()[0].last.clone().expect("a cycle has ended");
    let begin = last.began + TimeDelta::minutes(80);
    world.advance_to(begin + time);
    begin
}

async fn live(drive: &Drive, time: TimeDelta) {
    let until = drive.world().now() + time;
    drive.live(&[], until).await;
}

/// How long after `from` something happened first.
fn after(drive: &Drive, from: Timestamp, what: impl Fn(&Event) -> bool) -> Option<TimeDelta> {
    let world = drive.world();
    world.ledger.events().find(|(at, event)| *at >= from && what(event)).map(|(at, _)| *at - from)
}

fn issued(event: &Event) -> bool {
    matches!(event, Event::Issued { by: Who::Daemon, .. })
}

fn failed_issue(event: &Event) -> bool {
    matches!(event, Event::Fault { op: Op::Issue, .. })
}

fn started(event: &Event) -> bool {
    matches!(event, Event::Started { by: Who::Daemon })
}

#[tokio::test]
async fn without_a_fence_no_gap_is_waited_for_and_no_cycle() {
    let (drive, due) = just_due(busy(), policy(Mode::Overlap, Fence::Never)).await;
    live(&drive, TimeDelta::hours(8)).await;
    // A process that has just begun waits for three minutes.
    assert!(
        after(&drive, due, issued).is_some_and(|time| time < TimeDelta::minutes(5)),
        "{}",
        drive.world().ledger.trace()
    );
    assert_eq!(after(&drive, due, |event| matches!(event, Event::Paused { .. })), None);
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test]
async fn under_the_fence_the_gap_between_two_cycles_is_waited_for_but_not_for_longer_than_two_hours() {
    let pausing = |cycle_length| Settings { cycle_length, pause_ends_cycle: true, ..busy() };
    let rules = policy(Mode::Overlap, Fence::Auto);
    let (drive, _) = just_due(pausing(TimeDelta::minutes(30)), rules.clone()).await;
    live(&drive, TimeDelta::hours(8)).await;
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(drive.world().ledger.cycles_cut, 0, "no cycle is broken off where there is a gap");
    let (drive, due) = just_due(pausing(TimeDelta::minutes(39)), rules).await;
    live(&drive, TimeDelta::hours(8)).await;
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
    let paused = after(&drive, due, |event| matches!(event, Event::Paused { by: Who::Daemon }));
    let (least, most) = (TimeDelta::minutes(119), TimeDelta::minutes(130));
    assert!(paused.is_some_and(|time| time > least && time < most), "{paused:?}");
}

#[tokio::test]
async fn a_compromised_token_and_a_dead_one_wait_for_no_gap() {
    let (drive, due) = just_due(busy(), policy(Mode::Overlap, Fence::Auto)).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(Order::Rotate { mode: None, compromised: true }).await;
    let paused = after(&drive, due, |event| matches!(event, Event::Paused { by: Who::Daemon }));
    assert!(paused.is_some_and(|time| time < TimeDelta::minutes(3)), "{paused:?}");

    let (drive, due) = just_due(busy(), policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().person_rotates(true);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    let paused = after(&drive, due, |event| matches!(event, Event::Paused { by: Who::Daemon }));
    assert!(paused.is_some_and(|time| time < TimeDelta::minutes(5)), "{paused:?}");
}

#[tokio::test]
async fn a_cycle_that_outlives_a_persons_pause_is_waited_for_before_its_token_dies() {
    let (drive, _) = just_due(busy(), policy(Mode::RemoveCurrent, Fence::Auto)).await;
    into_a_cycle(&drive, TimeDelta::minutes(1));
    drive.world().person_pauses();
    live(&drive, TimeDelta::hours(5)).await;
    let world = drive.world();
    assert_eq!((world.saved_token(), world.ledger.cycles_failed), (Some(2), 0), "{}", world.ledger.trace());
    assert_eq!((world.jobs()[0].schedule, world.ledger.started_a_persons_pause), (Schedule::Paused, 0));
}

#[tokio::test]
async fn a_cycle_that_ended_just_before_a_pause_may_have_been_followed_by_another_which_is_waited_for() {
    let close = Settings { cycle_length: TimeDelta::seconds(39 * 60 + 40), ..busy() };
    let (drive, _) = just_due(close, policy(Mode::RemoveCurrent, Fence::Auto)).await;
    into_a_cycle(&drive, TimeDelta::seconds(10));
    drive.world().person_pauses();
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await;
    live(&drive, TimeDelta::hours(1)).await;
    let world = drive.world();
    assert_eq!((world.saved_token(), world.ledger.cycles_failed), (Some(2), 0), "{}", world.ledger.trace());
}

#[tokio::test]
async fn a_cycle_that_is_seen_to_end_is_waited_for_no_longer() {
    let (drive, _) = just_due(busy(), policy(Mode::RemoveCurrent, Fence::Auto)).await;
    let began = into_a_cycle(&drive, TimeDelta::minutes(20));
    drive.world().person_pauses();
    live(&drive, TimeDelta::hours(5)).await;
    let time = after(&drive, began, issued).expect("a token is issued");
    assert!(time > TimeDelta::minutes(39) && time < TimeDelta::minutes(42), "{time}");
}

/// The world whenever the engine sleeps, from its first pause on, until `until` says that it has seen enough.
async fn watch(drive: &Drive, mut until: impl FnMut(&mut World) -> bool) {
    let before = drive.world().faults.calls(Op::Pause);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let watcher = async {
        loop {
            {
                let world = &mut *drive.world();
                if world.faults.calls(Op::Pause) > before && until(world) {
                    break;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = watcher => (),
        _ = connection.look(Act::CarryOut) => panic!("it was to be watched for longer"),
    }
}

#[tokio::test]
async fn while_a_cycle_is_waited_for_the_intent_is_signed_again_and_again_for_those_on_other_hosts() {
    let (drive, _) = just_due(busy(), policy(Mode::RemoveCurrent, Fence::Auto)).await;
    into_a_cycle(&drive, TimeDelta::minutes(2));
    let mut oldest = TimeDelta::zero();
    let mut since = None;
    watch(&drive, |world| {
        let now = world.now();
        let Label::Ours(labels) = Label::parse(&world.versions()[1].tags) else { panic!("ours") };
        oldest = oldest.max(now - labels.sign.expect("a sign").at);
        now - *since.get_or_insert(now) > TimeDelta::minutes(20)
    })
    .await;
    assert!(oldest < TimeDelta::seconds(100), "{oldest}");
}

#[tokio::test]
async fn a_job_that_a_person_starts_under_our_pause_is_not_taken_for_a_paused_one() {
    for cycle_length in [4, 30] {
        let cycle_length = TimeDelta::minutes(cycle_length);
        let (drive, _) = just_due(Settings { cycle_length, ..busy() }, policy(Mode::RemoveCurrent, Fence::Auto)).await;
        let before = drive.world().faults.calls(Op::Pause);
        let (_face, mut connection) = drive.process(FaceOptions::default());
        let started = std::cell::Cell::new(None);
        let person = async {
            while drive.world().faults.calls(Op::Pause) == before {
                tokio::task::yield_now().await;
            }
            drive.world().person_starts();
            started.set(Some(drive.world().now()));
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = person => (),
            _ = connection.look(Act::CarryOut) => (),
        }
        assert_eq!(drive.world().ledger.issued, 0, "nothing is issued beside a job that runs");
        let noticed = drive.world().now() - started.get().expect("he starts it");
        assert!(noticed < TimeDelta::seconds(90), "{noticed}");
        live(&drive, TimeDelta::hours(5)).await;
        let world = drive.world();
        assert_eq!((world.saved_token(), world.ledger.cycles_failed), (Some(2), 0), "{}", world.ledger.trace());
        assert_eq!(world.jobs()[0].schedule, Schedule::Active);
    }
}

#[tokio::test]
async fn a_job_that_was_started_before_its_pause_ever_showed_is_watched_only_for_as_long_as_a_pause_may_show_late() {
    // No cycle ends for an hour, which would tell it too.
    let seldom = Settings { cycle_length: TimeDelta::minutes(4), start_delay: TimeDelta::hours(1), ..busy() };
    let (drive, due) = just_due(seldom, policy(Mode::RemoveCurrent, Fence::Auto)).await;
    let before = drive.world().faults.calls(Op::Pause);
    let (_face, mut connection) = drive.process(FaceOptions { yields: true, ..FaceOptions::default() });
    let person = async {
        while drive.world().faults.calls(Op::Pause) == before {
            tokio::task::yield_now().await;
        }
        drive.world().person_starts();
        std::future::pending::<()>().await;
    };
    tokio::select! { biased; () = person => (), _ = connection.look(Act::CarryOut) => () }
    let paused = after(&drive, due, |event| matches!(event, Event::Paused { by: Who::Daemon })).expect("a pause");
    let world = drive.world();
    let watched = world.now() - due - paused;
    assert_eq!(world.ledger.issued, 0, "{}", world.ledger.trace());
    assert!(watched > TimeDelta::minutes(10) && watched < TimeDelta::minutes(12), "{watched}");
}

/// A token that has been made may end the old one any minute: to wait on then harms more than it spares.
#[tokio::test]
async fn beside_a_pending_token_a_cycle_is_waited_for_only_as_long_as_the_old_token_lives() {
    let takes_effect = TakesEffect::Delay(TimeDelta::minutes(4));
    let (begin, _) = just_due(Settings { takes_effect, ..busy() }, policy(Mode::Overlap, Fence::Auto)).await;
    let drive = begin.killed_when(is_pending).await;
    // While nobody is there a person starts the job, and a cycle of 39 minutes begins.
    drive.world().person_starts();
    drive.world().advance(TimeDelta::minutes(1));
    live(&drive, TimeDelta::minutes(20)).await;
    let world = drive.world();
    assert_eq!(world.saved_token(), Some(2), "{}", world.ledger.trace());
    assert!(world.ledger.outage < TimeDelta::minutes(3), "{}\n{}", world.ledger.outage, world.ledger.trace());
}

#[tokio::test]
async fn a_job_that_was_started_under_our_pause_and_paused_again_stays_paused_by_whoever_did_it() {
    let (drive, _) =
        just_due(Settings { pause_ends_cycle: true, ..busy() }, policy(Mode::RemoveCurrent, Fence::Auto)).await;
    into_a_cycle(&drive, TimeDelta::minutes(2));
    let before = drive.world().faults.calls(Op::Pause);
    let person = async {
        let mut asked = Vec::new();
        loop {
            {
                let world = &mut *drive.world();
                let reads = world.faults.calls(Op::JobRead);
                if world.faults.calls(Op::Pause) > before && asked.last() != Some(&reads) {
                    asked.push(reads);
                    match asked.len() {
                        4 => world.person_starts(),
                        5 => break,
                        _ => (),
                    }
                }
            }
            tokio::task::yield_now().await;
        }
    };
    let (_face, mut connection) = drive.process(FaceOptions::default());
    // The cycle that the start began is broken off by the second pause, so that nothing tells of it afterwards.
    let look = async {
        let mut look = std::pin::pin!(connection.look(Act::CarryOut));
        tokio::select! { biased; () = person => (), _ = &mut look => return drive.world().person_pauses() }
        drive.world().person_pauses();
        look.await;
    };
    look.await;
    live(&drive, TimeDelta::hours(5)).await;
    let world = drive.world();
    let job = &world.jobs()[0];
    assert_eq!((job.schedule, job.paused_by), (Schedule::Paused, Some(Who::Person)), "{}", world.ledger.trace());
    assert_eq!((world.ledger.started_a_persons_pause, world.saved_token()), (0, Some(2)), "{}", world.ledger.trace());
}

#[tokio::test]
async fn when_the_issuer_says_no_the_job_runs_again_at_once() {
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let (drive, due) = just_due(quiet, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().faults.at_call(Op::Issue, 1, Fault::Status(409, None));
    live(&drive, TimeDelta::hours(8)).await;
    let refused = after(&drive, due, failed_issue).expect("the issuer says no");
    let again = after(&drive, due + refused, started).expect("the job is started");
    assert!(again < TimeDelta::seconds(30), "{again}");
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test]
async fn after_a_lost_answer_the_pause_stands_though_the_issuer_says_no_now() {
    for delay in [20, 35] {
        let takes_effect = TakesEffect::Delay(TimeDelta::minutes(delay));
        let (drive, _) = just_due(Settings { takes_effect, ..settings() }, policy(Mode::Overlap, Fence::Auto)).await;
        drive.world().faults.at_call(Op::Issue, 1, Fault::LoseAnswer);
        drive.world().faults.at_calls(Op::Issue, 2, 2, Fault::Status(409, None));
        live(&drive, TimeDelta::hours(2)).await;
        let world = drive.world();
        assert_eq!(world.ledger.cycles_failed, 0, "{delay}\n{}", world.ledger.trace());
    }
}

#[tokio::test]
async fn a_pause_that_graph_certainly_refused_is_written_down_as_never_made() {
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let (drive, _) = just_due(quiet, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().faults.at_call(Op::Pause, 1, Fault::Status(403, None));
    live(&drive, TimeDelta::minutes(10)).await;
    {
        let world = drive.world();
        let Label::Ours(labels) = Label::parse(&world.versions()[1].tags) else { panic!("ours") };
        let pause = labels.pause.expect("it was planned");
        assert!(pause.at.is_none() && pause.ended == Some(pause.planned), "{pause:?}");
    }
    live(&drive, TimeDelta::hours(8)).await;
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test]
async fn a_pause_whose_answer_never_came_is_taken_for_made_and_is_ended() {
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let (drive, _) = just_due(quiet, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().faults.at_calls(Op::Pause, 1, 10, Fault::LoseAnswer);
    live(&drive, TimeDelta::hours(30)).await;
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test]
async fn where_no_token_is_made_and_the_old_one_is_dead_the_pause_stands() {
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let (drive, _) = just_due(quiet, policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().person_deletes_tokens();
    drive.world().faults.at_calls(Op::Issue, 1, 10, Fault::Status(409, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(Order::Rotate { mode: None, compromised: true }).await;
    let world = drive.world();
    assert!(look.report.standing.error.is_some() && world.ledger.issued == 0);
    let job = &world.jobs()[0];
    assert_eq!((job.schedule, job.paused_by), (Schedule::Paused, Some(Who::Daemon)), "{}", world.ledger.trace());
}

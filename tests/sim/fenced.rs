//! When a rotation waits for cycles, when it does not, and what becomes of the pause where it comes to nothing.

use chrono::TimeDelta;
use scim_rotator::domain::journal::Label;
use scim_rotator::domain::{Fence, Mode, Order, Policy};

use super::FaceOptions;
use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, policy};
use crate::world::{Event, Fault, Op, Schedule, Settings, TakesEffect, Timestamp, Who};

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
    drive.world().person_pauses();
    live(&drive, TimeDelta::hours(5)).await;
    let world = drive.world();
    assert_eq!((world.saved_token(), world.ledger.cycles_failed), (Some(2), 0), "{}", world.ledger.trace());
    assert_eq!((world.jobs()[0].schedule, world.ledger.started_a_persons_pause), (Schedule::Paused, 0));
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

//! Asking the issuer: what it says no to, what it asks to wait for, and what becomes of the record of it.

use std::sync::Arc;

use chrono::TimeDelta;
use scim_rotator::domain::journal::{Intent, IntentEnd, Label};
use scim_rotator::domain::{Bootstrap, Fence, Labels, Mode, Order, Policy};
use scim_rotator::engine::Act;
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, policy};
use crate::world::{Begin, Event, Fault, Op, Schedule, Service, Settings, TakesEffect, World};

fn issues_asked(drive: &Drive) -> u32 {
    drive.world().faults.calls(Op::Issue)
}

/// The moments at which an issue went wrong, from the first on.
fn refusals(drive: &Drive) -> Vec<TimeDelta> {
    let world = drive.world();
    let at: Vec<_> = world
        .ledger
        .events()
        .filter(|(_, event)| matches!(event, Event::Fault { op: Op::Issue, .. }))
        .map(|(at, _)| *at)
        .collect();
    at.iter().map(|moment| *moment - at[0]).collect()
}

async fn refusing(fault: Fault, policy: Policy, time: TimeDelta) -> Drive {
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, policy).await;
    let begin = drive.world().now();
    drive.world().faults.during(Service::Hpe, begin, begin + time, fault);
    drive
}

#[tokio::test]
async fn an_issuer_that_says_no_for_days_fills_no_vault_and_is_asked_ever_less_often() {
    let rules = policy(Mode::Overlap, Fence::Auto);
    let drive = refusing(Fault::Status(409, None), rules, TimeDelta::days(4)).await;
    let before = drive.world().versions().len();
    let until = drive.world().now() + TimeDelta::days(4);
    drive.live(&[], until).await;
    let stored = drive.world().versions().len() - before;
    assert!((4..=6).contains(&stored), "one intent a day: {stored}");
    let asked = refusals(&drive);
    let gaps: Vec<_> = asked.windows(2).map(|two| (two[1] - two[0]).num_minutes()).collect();
    // The first one came under a fence that had to wait for a cycle.
    assert!(gaps[1..9].is_sorted() && gaps[1] < 10, "{gaps:?}");
    assert!(gaps[9..].iter().all(|gap| (360..480).contains(gap)), "six hours in the end: {gaps:?}");
    assert_eq!(drive.world().ledger.issued, 0);
    drive.live(&[], until + TimeDelta::days(1)).await;
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test]
async fn once_slack_has_run_out_an_issuer_that_says_no_is_asked_every_quarter_of_an_hour() {
    let rules = Policy { min_slack: TimeDelta::days(30), ..policy(Mode::Overlap, Fence::Auto) };
    let drive = refusing(Fault::Status(409, None), rules, TimeDelta::hours(12)).await;
    let until = drive.world().now() + TimeDelta::hours(11);
    drive.live(&[], until).await;
    let asked = refusals(&drive);
    let gaps: Vec<_> = asked.windows(2).map(|two| (two[1] - two[0]).num_minutes()).collect();
    assert!(gaps.len() > 20 && gaps[6..].iter().all(|gap| (15..30).contains(gap)), "{gaps:?}");
}

#[tokio::test]
async fn an_issuer_that_asks_for_time_is_given_it() {
    let rules = policy(Mode::Overlap, Fence::Auto);
    let drive = refusing(Fault::Status(429, Some(5 * 3600)), rules, TimeDelta::hours(7)).await;
    let until = drive.world().now() + TimeDelta::hours(24);
    drive.live(&[], until).await;
    let asked = refusals(&drive);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!((TimeDelta::hours(5)..TimeDelta::hours(6)).contains(&asked[1]), "{asked:?}");
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test]
async fn the_first_token_is_created_where_the_configuration_says_so_and_nowhere_else() {
    for (bootstrap, issued) in [(Bootstrap::Create, 1), (Bootstrap::Rotate, 0)] {
        let rules = Policy { bootstrap: Some(bootstrap), ..policy(Mode::Overlap, Fence::Auto) };
        let drive = Drive::new(World::new(Settings { begin: Begin::Empty, ..settings() }), rules);
        let until = drive.world().now() + TimeDelta::hours(3);
        drive.live(&[], until).await;
        assert!(issues_asked(&drive) > 0);
        let world = drive.world();
        assert_eq!(world.ledger.issued, issued, "{bootstrap:?}\n{}", world.ledger.trace());
        assert_eq!(world.entra_holds_a_working_token(), issued == 1, "{bootstrap:?}");
    }
}

#[tokio::test]
async fn where_somebody_has_deleted_the_token_no_first_one_is_created_behind_his_back() {
    let rules = Policy { bootstrap: Some(Bootstrap::Create), ..policy(Mode::Overlap, Fence::Auto) };
    let drive = about_to_rotate(Settings { begin: Begin::AtEntraAndVault, ..settings() }, rules).await;
    let issued = drive.world().ledger.issued;
    let asked = issues_asked(&drive);
    drive.world().person_deletes_tokens();
    let until = drive.world().now() + TimeDelta::days(2);
    drive.live(&[], until).await;
    assert!(issues_asked(&drive) > asked);
    let world = drive.world();
    assert_eq!(world.ledger.issued, issued, "{}", world.ledger.trace());
}

/// All that our versions say, oldest first.
fn written(drive: &Drive) -> Vec<Labels> {
    let ours = |stored: &crate::world::Stored| match Label::parse(&stored.tags) {
        Label::Ours(labels) => Some(*labels),
        _ => None,
    };
    drive.world().versions().iter().filter_map(ours).collect()
}

fn intents(drive: &Drive) -> Vec<Intent> {
    written(drive).into_iter().filter_map(|labels| labels.intent).collect()
}

/// Due, and the issuer has just said no to it once.
async fn refused_once() -> Drive {
    let rules = policy(Mode::Overlap, Fence::Auto);
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, rules).await;
    drive.world().advance(TimeDelta::minutes(50));
    drive.world().faults.at_call(Op::Issue, 1, Fault::Status(409, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await;
    assert_eq!(intents(&drive).iter().map(|intent| intent.end).collect::<Vec<_>>(), [IntentEnd::NotIssued]);
    drive
}

#[tokio::test]
async fn an_intent_that_is_used_again_says_what_is_done_this_time() {
    let drive = refused_once().await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(Order::Rotate { mode: Some(Mode::RemoveCurrent), compromised: false }).await;
    let all = intents(&drive);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((all[0].mode, all[0].why.as_str(), all[0].end), (Mode::RemoveCurrent, "Ordered", IntentEnd::Open));
    assert_eq!(drive.world().saved_token(), Some(2));
}

#[tokio::test]
async fn another_host_waits_until_the_first_is_silent_then_signs_and_uses_its_intent_again() {
    let drive = refused_once().await;
    let (_face, mut connection) = drive.host("other-host", FaceOptions::default(), CancellationToken::new());
    let asked = drive.world().now();
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    let intent = written(&drive).into_iter().rfind(|labels| labels.intent.is_some()).expect("an intent");
    assert_eq!(intent.sign.map(|sign| sign.holder).as_deref(), Some("other-host"));
    assert!(intent.intent.expect("an intent").at - asked > TimeDelta::minutes(3), "the first had signed just before");
    assert_eq!((intents(&drive).len(), drive.world().saved_token()), (1, Some(2)));
}

#[tokio::test]
async fn an_intent_under_a_version_of_somebody_elses_is_not_used_again() {
    let drive = refused_once().await;
    drive.world().person_stores("a-token-that-nobody-asked-for");
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert_eq!(intents(&drive).len(), 2);
}

#[tokio::test]
async fn an_intent_whose_answer_was_lost_stays_written_since_it_counts_as_an_issue() {
    let rules = policy(Mode::Overlap, Fence::Auto);
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, rules).await;
    drive.world().faults.at_calls(Op::Issue, 1, 2, Fault::LoseAnswer);
    let until = drive.world().now() + TimeDelta::hours(6);
    drive.live(&[], until).await;
    let open = intents(&drive).iter().filter(|intent| intent.end == IntentEnd::Open).count();
    assert_eq!(open, 3);
    assert_eq!(drive.world().ledger.issued, 3);
}

/// Lets a connection look until it has paused the job once more, and tells it to end then.
async fn ended_under_its_pause(drive: &Drive) {
    let (stop, before) = (CancellationToken::new(), drive.world().faults.calls(Op::Pause));
    let (_face, mut connection) = drive.host("one-host", FaceOptions::default(), stop.clone());
    let manager = async {
        while drive.world().faults.calls(Op::Pause) == before {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        std::future::pending::<()>().await;
    };
    let looks = async {
        // What a process that has just begun waits for is over by then.
        for _ in 0..10 {
            if stop.is_cancelled() {
                return;
            }
            let (look, clock) = (connection.look(Act::CarryOut).await, Arc::clone(connection.clock()));
            clock.sleep((look.next - clock.now()).to_std().unwrap_or_default()).await;
        }
    };
    tokio::select! { biased; () = manager => (), () = looks => () }
    assert!(stop.is_cancelled(), "it never paused the job");
}

#[tokio::test]
async fn a_shutdown_before_the_issue_starts_the_job_although_answers_were_lost_a_day_ago() {
    let rules = policy(Mode::Overlap, Fence::Auto);
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, rules).await;
    let begin = drive.world().now();
    drive.world().faults.at_calls(Op::Issue, 1, 4, Fault::LoseAnswer);
    drive.live(&[], begin + TimeDelta::hours(23)).await;
    assert_eq!((issues_asked(&drive), drive.world().jobs()[0].schedule), (4, Schedule::Active));
    drive.world().advance(TimeDelta::hours(3));
    ended_under_its_pause(&drive).await;
    assert_eq!(drive.world().jobs()[0].schedule, Schedule::Active, "{}", drive.world().ledger.trace());
}

#[tokio::test]
async fn a_shutdown_before_the_issue_leaves_the_job_running_and_is_no_failed_attempt() {
    let rules = policy(Mode::Overlap, Fence::Auto);
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, rules).await;
    drive.world().advance(TimeDelta::minutes(50));
    ended_under_its_pause(&drive).await;
    let last = written(&drive).pop().expect("an intent");
    assert_eq!(last.intent.map(|intent| intent.end), Some(IntentEnd::NotIssued));
    let retry = last.retry.expect("a retry");
    let world = drive.world();
    assert!(retry.attempts == 0 && retry.not_before <= world.now(), "{retry:?}");
    assert_eq!((world.ledger.issued, world.ledger.paused > TimeDelta::zero()), (0, true));
    assert_eq!(world.jobs()[0].schedule, Schedule::Active);
}

//! How long is waited after what went wrong, what is shown of it, and what a look may do that is only to tell.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::{Act, Look};

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Fault, Op, Service, Settings, TakesEffect};

/// A token that is due now.
async fn due(mode: Mode, fence: Fence) -> Drive {
    let due = settings().start + TimeDelta::days(70);
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = about_to_rotate(quiet, policy(mode, fence)).await;
    drive.world().advance_to(due);
    drive
}

fn calls(drive: &Drive, op: Op) -> u32 {
    drive.world().faults.calls(op)
}

/// The waits after `count` looks in a row, each of which comes when the one before it said.
async fn waits(drive: &Drive, connection: &mut scim_rotator::engine::Connection, count: usize) -> Vec<TimeDelta> {
    let mut waits = Vec::new();
    for _ in 0..count {
        let look = connection.look(Act::CarryOut).await;
        let now = drive.world().now();
        waits.push(look.next - now);
        drive.world().advance_to(look.next.max(now) + TimeDelta::seconds(1));
    }
    waits
}

fn minutes(waits: &[TimeDelta]) -> Vec<i64> {
    waits.iter().map(TimeDelta::num_minutes).collect()
}

#[tokio::test]
async fn what_cannot_be_seen_is_looked_at_within_five_minutes_and_after_a_good_look_the_wait_begins_anew() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    drive.world().faults.at_calls(Op::JobRead, 1, 4, Fault::Status(503, None));
    assert_eq!(minutes(&waits(&drive, &mut connection, 4).await), [1, 2, 4, 5]);
    let good = connection.look(Act::DecideOnly).await;
    assert_eq!(good.report.standing.error, None, "what is over is told no more");
    drive.world().faults.at_call(Op::JobRead, 1, Fault::Status(503, None));
    assert_eq!(minutes(&waits(&drive, &mut connection, 1).await), [1]);
}

#[tokio::test]
async fn while_slack_lasts_what_a_rotation_lacks_is_asked_for_ever_less_often() {
    let drive = due(Mode::Overlap, Fence::Auto).await;
    let now = drive.world().now();
    drive.world().faults.at_calls(Op::SettingsRead, 1, 1000, Fault::Status(503, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let waits = minutes(&waits(&drive, &mut connection, 8).await);
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128], "since {now}");
}

#[tokio::test]
async fn after_a_lost_answer_what_the_next_try_lacks_is_asked_for_every_quarter_of_an_hour() {
    let drive = due(Mode::Overlap, Fence::Never).await;
    drive.world().faults.at_call(Op::Issue, 1, Fault::LoseAnswer);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await;
    drive.world().advance(TimeDelta::minutes(5));
    drive.world().faults.at_calls(Op::SettingsRead, 1, 1000, Fault::Status(503, None));
    let waits = minutes(&waits(&drive, &mut connection, 9).await);
    assert!(waits[7..].iter().all(|wait| *wait <= 15), "{waits:?}");
}

#[tokio::test]
async fn looking_again_before_its_time_neither_ends_a_wait_nor_makes_it_longer() {
    let drive = due(Mode::Overlap, Fence::Auto).await;
    drive.world().faults.at_calls(Op::SettingsRead, 1, 1, Fault::Status(503, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let first = connection.look(Act::CarryOut).await;
    let asked = calls(&drive, Op::SettingsRead);
    for _ in 0..3 {
        let again = connection.look(Act::CarryOut).await;
        assert_eq!((again.report.standing.reason, again.next), (Reason::PreflightFailed, first.next));
    }
    assert_eq!(calls(&drive, Op::SettingsRead), asked);
}

#[tokio::test]
async fn a_look_that_is_only_to_tell_says_what_is_due_and_asks_the_issuer_for_nothing() {
    let drive = due(Mode::Overlap, Fence::Auto).await;
    let all = [Op::BearerMint, Op::VaultStore, Op::VaultLabel, Op::Pause, Op::Issue];
    let before = all.map(|op| calls(&drive, op));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let standing = connection.look(Act::DecideOnly).await.report.standing;
    assert_eq!((&*standing.action, standing.reason), ("rotate", Reason::NearingExpiry));
    assert_eq!(all.map(|op| calls(&drive, op)), before);
}

#[tokio::test]
async fn a_process_that_lives_for_years_issues_nothing_in_its_first_three_minutes() {
    let drive = due(Mode::Overlap, Fence::Never).await;
    let (_face, connection) = drive.process(FaceOptions::default());
    let mut connection = connection.calm();
    let look: Look = connection.look(Act::CarryOut).await;
    let wait = look.next - drive.world().now();
    assert!(wait > TimeDelta::minutes(2) && wait <= TimeDelta::minutes(3), "{wait}");
    assert_eq!(calls(&drive, Op::Issue), 0);
}

#[tokio::test]
async fn an_order_that_would_have_to_wait_for_hours_is_given_up_and_never_carried_out_behind_anybodys_back() {
    let drive = due(Mode::Overlap, Fence::Never).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let rotate = Order::Rotate { mode: None, compromised: false };
    for _ in 0..4 {
        connection.obey(rotate.clone()).await;
        drive.world().advance(TimeDelta::minutes(10));
    }
    let issued = drive.world().ledger.issued;
    let begin = drive.world().now();
    connection.obey(rotate).await;
    assert!(drive.world().now() - begin < TimeDelta::minutes(6));
    drive.world().advance(TimeDelta::hours(30));
    connection.look(Act::CarryOut).await;
    let world = drive.world();
    assert_eq!((issued, world.ledger.issued), (4, 4), "{}", world.ledger.trace());
}

#[tokio::test]
async fn while_nobody_can_tell_how_the_current_token_fares_nothing_is_issued_unless_it_is_in_wrong_hands() {
    for (is_read, compromised, issued) in [(true, false, 0), (false, false, 0), (true, true, 1)] {
        let drive = due(Mode::Overlap, Fence::Auto).await;
        if !is_read {
            drive.world().versions_mut().expect("a secret").iter_mut().for_each(|version| version.enabled = false);
        }
        let now = drive.world().now();
        drive.world().faults.during(Service::Scim, now, now + TimeDelta::hours(4), Fault::Down);
        let (_face, mut connection) = drive.process(FaceOptions::default());
        connection.obey(Order::Rotate { mode: None, compromised }).await;
        let world = drive.world();
        assert_eq!(world.ledger.issued, issued, "{is_read} {compromised}\n{}", world.ledger.trace());
    }
}

//! A wall clock that falls before 2020 while the process runs: nothing is begun, nothing is dated by it, and it is survived.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::{Act, report::Kind};

use super::FaceOptions;
use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, once, policy};
use crate::world::{Event, Op, Schedule, Who, World};

/// From 2026 to 2019.
const FALL: TimeDelta = TimeDelta::days(-7 * 365);

/// Whether a tag of the vault is dated by the clock that fell.
fn is_dated_wrongly(world: &World) -> bool {
    world.versions().iter().flat_map(|version| version.tags.values()).any(|tag| tag.contains("2019-"))
}

fn written(world: &World) -> (u32, u32, u32) {
    (world.ledger.issued, world.faults.calls(Op::VaultStore), world.faults.calls(Op::VaultLabel))
}

#[tokio::test]
async fn while_the_clock_has_no_date_nobody_looks_or_issues_and_once_it_is_set_the_token_is_rotated() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    let begin = drive.world().now();
    let [day, week] = [1, 7].map(|days| begin + TimeDelta::days(days));
    let before = written(&drive.world());
    let world = || drive.world();
    drive
        .live_through(begin + TimeDelta::days(8), |face| async move {
            face.step_clock(FALL);
            once(|| world().now() >= day).await;
            let listed = world().faults.calls(Op::VaultList);
            once(|| world().now() >= week).await;
            // Due since a week ago.
            assert_eq!(written(&world()), before, "{}", world().ledger.trace());
            assert_eq!(world().faults.calls(Op::VaultList), listed, "nobody has looked");
            face.step_clock(-FALL);
        })
        .await;
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
    assert!(!is_dated_wrongly(&drive.world()));
}

#[tokio::test]
async fn a_clock_that_loses_its_date_at_any_call_of_a_rotation_leaves_no_date_of_its_own_and_no_pause() {
    for mode in [Mode::Overlap, Mode::RemoveCurrent] {
        let prepared = about_to_rotate(settings(), policy(mode, Fence::Auto)).await;
        let begin = prepared.world().clone();
        let fresh = || Drive::new(begin.clone(), prepared.policy.clone());
        let calls = fresh().live(&[], begin.now() + TimeDelta::hours(3)).await;
        let mut put_off = 0;
        for call in 1..=calls {
            let drive = fresh();
            let world = || drive.world();
            drive
                .live_through(begin.now() + TimeDelta::days(2), |face| async move {
                    once(|| face.calls() >= call).await;
                    face.step_clock(FALL);
                    let set_again = world().now() + TimeDelta::hours(20);
                    once(|| world().now() >= set_again).await;
                    assert_eq!(world().jobs()[0].schedule, Schedule::Active, "call {call}\n{}", world().ledger.trace());
                    face.step_clock(-FALL);
                })
                .await;
            judge(&drive, 0).unwrap_or_else(|why| panic!("{mode}, fallen at call {call}\n{why}"));
            assert!(!is_dated_wrongly(&drive.world()), "call {call}\n{}", drive.world().ledger.trace());
            let issued = |(_, event): &&(_, Event)| matches!(event, Event::Issued { by: Who::Daemon, .. });
            let at = drive.world().ledger.events().find(issued).map(|(at, _)| *at).expect("a token");
            put_off += usize::from(at > begin.now() + TimeDelta::hours(19));
        }
        assert!(
            (1..calls).contains(&put_off),
            "{mode}: before the issue it is put off, from then on it goes on: {put_off}"
        );
    }
}

#[tokio::test]
async fn it_is_told_with_its_remedy_and_a_persons_order_is_refused_for_it() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    let (face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await;
    let before = written(&drive.world());
    face.step_clock(FALL);
    let report = connection.look(Act::CarryOut).await.report;
    assert_eq!((report.standing.kind, report.standing.reason), (Kind::NeedsHuman, Reason::ClockNotSet));
    let error = report.standing.error.expect("an error");
    assert!(error.contains("this host's clock shows 2019-") && error.contains("timedatectl"), "{error}");
    let report = connection.obey(Order::Rotate { mode: None, compromised: true }).await.report;
    assert!(!report.obeyed.is_some_and(|done| done.succeeded), "it is not carried out");
    assert_eq!((report.standing.reason, written(&drive.world())), (Reason::ClockNotSet, before));
    face.step_clock(-FALL);
    let report = connection.look(Act::CarryOut).await.report;
    assert_ne!(report.standing.reason, Reason::ClockNotSet);
}

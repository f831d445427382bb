//! What a look tells the people who run this, when something is wrong.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Policy, Reason};
use scim_rotator::engine::{Act, Report};

use super::FaceOptions;
use super::drive::{Drive, policy};
use crate::world::{Fault, Op, Service, Settings, World};

async fn adopted(policy: Policy) -> Drive {
    let drive = Drive::new(World::new(Settings::default()), policy);
    let until = drive.world().now() + TimeDelta::days(2);
    drive.live(&[], until).await;
    drive
}

async fn told(drive: &Drive) -> Report {
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::DecideOnly).await.report
}

#[tokio::test]
async fn a_quarantine_is_told_with_entras_next_attempt_and_the_day_on_which_the_job_is_given_up() {
    let drive = adopted(policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().person_deletes_tokens();
    drive.world().advance(TimeDelta::hours(2));
    let report = told(&drive).await;
    let quarantine = report.job.expect("a job").quarantine.expect("a quarantine");
    let began = quarantine.began.expect("it began");
    assert_eq!(quarantine.disabled_at, Some(began + TimeDelta::days(28)));
    assert!(quarantine.next_attempt.is_some_and(|next| next > began));
    assert!(report.warnings.iter().any(|w| w.contains("disables it for good in 27 days")), "{:?}", report.warnings);
}

#[tokio::test]
async fn a_hold_that_the_last_safe_moment_will_beat_is_told_as_such() {
    let drive = adopted(policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance(TimeDelta::days(160));
    let until = drive.world().now() + TimeDelta::days(60);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(Order::Hold { until }).await;
    let report = told(&drive).await;
    assert_eq!(report.standing.reason, Reason::Held);
    assert!(report.warnings.iter().any(|w| w.contains("comes first and ends it")), "{:?}", report.warnings);
}

#[tokio::test]
async fn what_is_being_waited_out_is_told_at_every_look_until_it_is_over() {
    let drive = adopted(policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance(TimeDelta::days(150));
    let now = drive.world().now();
    drive.world().faults.during(Service::HpeAuth, now, now + TimeDelta::hours(1), Fault::Status(403, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let mut reports = Vec::new();
    for _ in 0..2 {
        let report = connection.look(Act::CarryOut).await.report;
        assert_eq!(report.seen_at, Some(drive.world().now()));
        reports.push(report);
    }
    assert!(drive.world().faults.calls(Op::BearerMint) > 0);
    // Nothing was begun, so nothing is left open.
    assert!(!connection.is_open(), "{:?}", connection.open());
    for report in reports {
        assert_eq!(report.standing.reason, Reason::PreflightFailed, "{:?}", report.standing);
        assert!(report.standing.error.is_some_and(|error| error.contains("HPE")));
    }
}

#[tokio::test]
async fn tokens_that_people_bring_are_given_to_entra_and_asked_for_in_time() {
    let rules = Policy { supplied: true, bootstrap: None, ..policy(Mode::Overlap, Fence::Auto) };
    let drive = adopted(rules).await;
    assert_eq!(told(&drive).await.standing.reason, Reason::NotDue, "the token in the vault was taken over");
    let due = drive.world().now() + TimeDelta::days(150);
    drive.live(&[], due).await;
    let standing = told(&drive).await.standing;
    assert_eq!(standing.reason, Reason::SupplyNeeded);
    assert!(standing.remedy.is_some_and(|remedy| remedy.contains("adopt sim")));
    let value = drive.world().person_rotates(false);
    drive.world().person_stores(&value);
    let until = drive.world().now() + TimeDelta::hours(3);
    drive.live(&[], until).await;
    assert_eq!(told(&drive).await.standing.reason, Reason::NotDue);
    let world = drive.world();
    assert_eq!((world.saved_token(), world.ledger.issued, world.ledger.cycles_failed), (Some(2), 0, 0));
}

//! What gathers in a vault over the years: versions by the hundred, and one that was left pending long ago.

use chrono::TimeDelta;
use scim_rotator::domain::journal::Label;
use scim_rotator::domain::{Fence, Labels, Mode, Order, Reason, Stage};
use scim_rotator::engine::Act;

use super::FaceOptions;
use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, policy};
use super::edited::is_pending;
use crate::world::{Settings, Stored, TakesEffect};

const ROTATE: Order = Order::Rotate { mode: None, compromised: false };

#[tokio::test]
async fn a_look_and_a_rotation_over_two_hundred_and_fifty_versions_end_as_they_do_over_one() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Never)).await;
    // What people stored before anybody rotated, without a tag; and what forty rotations leave behind, most of it retired.
    {
        let world = &mut *drive.world();
        let versions = world.versions_mut().expect("a secret");
        let first = versions[0].clone();
        let older = |n: i64| Stored {
            id: format!("{n:032x}"),
            created: first.created - TimeDelta::days(200 - n),
            tags: std::collections::BTreeMap::new(),
            ..first.clone()
        };
        versions.splice(0..0, (0..170).map(older));
    }
    let (_face, mut connection) = drive.process(FaceOptions::default());
    for n in 0..40 {
        connection.obey(ROTATE).await;
        // One of them is proven, and what stands before it retires after a week.
        let times: &[_] = if n == 20 { &[TimeDelta::hours(7), TimeDelta::days(9)] } else { &[TimeDelta::hours(7)] };
        for time in times {
            drive.world().advance(*time);
            connection.look(Act::CarryOut).await;
        }
    }
    let shown = |drive: &Drive| {
        let world = drive.world();
        (world.versions().len(), world.versions().iter().filter(|version| version.enabled).count())
    };
    let (all, enabled) = shown(&drive);
    assert!(all >= 250 && enabled < 220, "{all} {enabled}");
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let report = connection.look(Act::CarryOut).await.report;
    assert_eq!((report.standing.reason, report.warnings.as_slice()), (Reason::NotDue, [].as_slice()));
    let before = drive.world().saved_token();
    let report = connection.obey(ROTATE).await.report;
    assert!(report.obeyed.is_some_and(|done| done.succeeded && done.action == "rotate"));
    let world = drive.world();
    assert_eq!((world.versions().len(), world.saved_token()), (all + 2, before.map(|token| token + 1)));
    assert!(world.entra_holds_a_working_token());
}

fn labels(drive: &Drive, place: usize) -> Labels {
    match Label::parse(&drive.world().versions()[place].tags) {
        Label::Ours(labels) => *labels,
        other => panic!("{other:?}"),
    }
}

/// A pending version of which nothing says when it dies, left alone for a year.
async fn left_for_a_year(life: TimeDelta) -> Drive {
    let long = Settings { token_life: life, takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let begin = about_to_rotate(long, policy(Mode::Overlap, Fence::Never)).await;
    let (_face, mut connection) = begin.process(FaceOptions::default());
    assert_ne!(connection.look(Act::DecideOnly).await.report.standing.reason, Reason::CannotObserve);
    begin.world().advance(life - TimeDelta::days(100));
    let drive = begin.killed_when(is_pending).await;
    {
        let mut labels = labels(&drive, 2);
        labels.token.as_mut().expect("a token").expiry = None;
        let world = &mut *drive.world();
        let pending = world.versions_mut().and_then(|versions| versions.last_mut()).expect("a version");
        (pending.tags, pending.expires) = (labels.to_tags(), None);
    }
    drive.world().advance(TimeDelta::days(365));
    drive
}

#[tokio::test]
async fn a_pending_token_of_no_known_end_that_died_during_a_year_is_put_aside_and_a_new_one_is_made() {
    let drive = left_for_a_year(TimeDelta::days(100)).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let report = connection.look(Act::CarryOut).await.report;
    assert_eq!((report.standing.reason, labels(&drive, 2).stage), (Reason::NewTokenRefused, Stage::Rejected));
    let until = drive.world().now() + TimeDelta::hours(30);
    drive.live(&[], until).await;
    let world = drive.world();
    assert_eq!((world.saved_token(), world.ledger.issued), (Some(3), 2), "{}", world.ledger.trace());
    assert!(world.entra_holds_a_working_token());
}

#[tokio::test]
async fn a_pending_token_of_no_known_end_that_still_works_after_a_year_goes_to_entra_and_a_person_is_told() {
    let drive = left_for_a_year(TimeDelta::days(500)).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let report = connection.look(Act::CarryOut).await.report;
    assert_eq!(report.standing.reason, Reason::NoKnownEnd, "{:?}", report.standing);
    assert!(report.standing.remedy.is_some() && report.warnings.iter().any(|w| w.contains("nothing says when")));
    judge_saved(&drive, 2);
}

fn judge_saved(drive: &Drive, token: u32) {
    {
        let world = drive.world();
        assert_eq!((world.saved_token(), world.ledger.issued), (Some(token), 1), "{}", world.ledger.trace());
        assert!(world.entra_holds_a_working_token());
    }
    drop(judge(drive, 0)); // Cycles have failed in a year in which nobody looked.
}

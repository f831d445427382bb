//! From a stored token to one that Entra holds: how it is tested, given to Entra, proven, and stored at last.

use chrono::TimeDelta;
use scim_rotator::domain::journal::{Label, Proof};
use scim_rotator::domain::{Fence, Mode, Order};

use super::FaceOptions;
use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, policy};
use crate::world::{Event, Fault, Op, PutReading, Service, Settings, TakesEffect};

async fn prepared(mode: Mode, settings: Settings) -> Drive {
    about_to_rotate(settings, policy(mode, Fence::Auto)).await
}

fn own_expiry() -> Settings {
    Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }
}

async fn live(drive: &Drive, time: TimeDelta) {
    let until = drive.world().now() + time;
    drive.live(&[], until).await;
}

fn calls(drive: &Drive, op: Op) -> u32 {
    drive.world().faults.calls(op)
}

/// The proof on the version that holds `token`, by its place in the vault.
fn proof(drive: &Drive, place: usize) -> Proof {
    match Label::parse(&drive.world().versions()[place].tags) {
        Label::Ours(labels) => labels.proof,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_endpoint_that_nobody_reaches_while_the_new_token_is_tested_does_not_make_it_refused() {
    for mode in [Mode::Overlap, Mode::RemoveCurrent] {
        let drive = prepared(mode, own_expiry()).await;
        let begin = drive.world().clone();
        let clean = Drive::new(begin.clone(), drive.policy.clone());
        live(&clean, TimeDelta::hours(2)).await;
        let issued = clean
            .world()
            .ledger
            .events()
            .find(|(_, event)| matches!(event, Event::Issued { token: 2, .. }))
            .map(|(at, _)| *at);
        let from = issued.expect("a token is issued") + TimeDelta::seconds(1);
        drive.world().faults.during(Service::Scim, from, from + TimeDelta::minutes(30), Fault::Down);
        live(&drive, TimeDelta::hours(30)).await;
        judge(&drive, 0).unwrap_or_else(|why| panic!("{mode}\n{why}"));
    }
}

#[tokio::test]
async fn a_refused_token_is_told_by_entras_own_tests_where_only_we_cannot_reach_the_endpoint() {
    let drive = prepared(Mode::Overlap, own_expiry()).await;
    drive.world().spoil_next_token();
    drive.world().faults.at_calls(Op::Probe, 1, 1000, Fault::Down);
    live(&drive, TimeDelta::hours(30)).await;
    judge(&drive, 1).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test]
async fn a_refused_token_costs_no_write_of_entras_settings_while_the_old_one_is_saved_and_passes() {
    let drive = prepared(Mode::Overlap, own_expiry()).await;
    drive.world().spoil_next_token();
    let before = calls(&drive, Op::SettingsPut);
    live(&drive, TimeDelta::hours(3)).await;
    assert_eq!(drive.world().ledger.issued, 1);
    assert_eq!(calls(&drive, Op::SettingsPut), before);
    let world = drive.world();
    assert!(world.jobs()[0].schedule == crate::world::Schedule::Active, "{}", world.ledger.trace());
}

#[tokio::test]
async fn a_token_that_takes_its_time_is_asked_about_ever_less_often() {
    let drive =
        prepared(Mode::Overlap, Settings { takes_effect: TakesEffect::Delay(TimeDelta::minutes(9)), ..settings() })
            .await;
    let before = calls(&drive, Op::TestCandidate);
    live(&drive, TimeDelta::hours(2)).await;
    let asked = calls(&drive, Op::TestCandidate) - before;
    assert!((8..=20).contains(&asked), "{asked}");
    assert_eq!(drive.world().saved_token(), Some(2));
}

#[tokio::test]
async fn a_write_that_is_dropped_is_made_again_in_the_same_run() {
    let drive = prepared(Mode::Overlap, Settings { put: PutReading::IgnoresFirst, ..settings() }).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert!(look.report.last_action.is_some_and(|last| last.succeeded && last.action == "rotate"));
    assert_eq!(drive.world().saved_token(), Some(2));
}

#[tokio::test]
async fn a_write_that_is_dropped_until_it_is_complete_is_seen_in_the_same_run_although_entra_takes_its_time() {
    let verification_delay = TimeDelta::minutes(3);
    let put = PutReading::DropsUnlessComplete;
    let drive = prepared(Mode::Overlap, Settings { put, verification_delay, ..settings() }).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert!(look.report.last_action.is_some_and(|last| last.succeeded && last.action == "rotate"));
    assert_eq!(drive.world().saved_token(), Some(2), "{}", drive.world().ledger.trace());
}

#[tokio::test]
async fn a_token_that_the_vault_could_not_take_is_stored_as_soon_as_it_is_back_in_the_same_run_or_at_a_later_look() {
    for failures in [20, 60] {
        let drive = prepared(Mode::Overlap, own_expiry()).await;
        // The first store is that of the intent.
        drive.world().faults.at_calls(Op::VaultStore, 2, failures, Fault::Status(503, None));
        live(&drive, TimeDelta::hours(12)).await;
        judge(&drive, 0).unwrap_or_else(|why| panic!("{failures}\n{why}"));
        let world = drive.world();
        let latest = world.versions().last().expect("a version");
        assert_eq!(world.token_number(&latest.value), Some(2), "{failures}\n{}", world.ledger.trace());
    }
}

#[tokio::test]
async fn a_store_that_fails_is_repeated_ever_less_often_for_two_minutes() {
    let drive = prepared(Mode::Overlap, own_expiry()).await;
    drive.world().faults.at_calls(Op::VaultStore, 1, 3, Fault::Status(503, None));
    live(&drive, TimeDelta::minutes(60)).await;
    let at: Vec<_> = {
        let world = drive.world();
        let failed = world.ledger.events().filter(|(_, e)| matches!(e, Event::Fault { op: Op::VaultStore, .. }));
        failed.map(|(at, _)| *at).collect()
    };
    let gaps: Vec<_> = at.windows(2).map(|two| (two[1] - two[0]).num_seconds()).collect();
    assert!(gaps.len() == 2 && gaps[0] < 6 && gaps[1] > gaps[0] && gaps[1] < 10, "{gaps:?}");
    assert_eq!(drive.world().ledger.issued, 1, "it went on in the same run");
}

#[tokio::test]
async fn a_new_token_is_proven_at_once_where_the_one_before_it_is_dead_and_only_there() {
    let removed = prepared(Mode::RemoveCurrent, own_expiry()).await;
    live(&removed, TimeDelta::minutes(70)).await;
    assert_eq!(removed.world().saved_token(), Some(2));
    assert!(proof(&removed, 2).proven.is_some(), "removed by the rotation");

    let living = prepared(Mode::Overlap, own_expiry()).await;
    live(&living, TimeDelta::minutes(70)).await;
    assert_eq!(living.world().saved_token(), Some(2));
    assert_eq!(proof(&living, 2).proven, None, "it may be the old one that passes");

    let refused = prepared(Mode::Overlap, own_expiry()).await;
    refused.world().person_rotates(true);
    let (_face, mut connection) = refused.process(FaceOptions::default());
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert_eq!(refused.world().saved_token(), Some(3));
    assert!(proof(&refused, 2).proven.is_some(), "removed by a person");
}

#[tokio::test]
async fn a_token_that_stays_unproven_is_written_once_more_after_an_hour_and_then_never_again() {
    let drive = prepared(Mode::Overlap, own_expiry()).await;
    let before = calls(&drive, Op::SettingsPut);
    live(&drive, TimeDelta::minutes(70)).await;
    assert_eq!(calls(&drive, Op::SettingsPut), before + 1);
    let first = proof(&drive, 2).provisioned;
    live(&drive, TimeDelta::hours(10)).await;
    assert_eq!(calls(&drive, Op::SettingsPut), before + 2);
    let proof = proof(&drive, 2);
    assert_eq!((proof.again.is_some(), proof.provisioned), (true, proof.again));
    assert!(first.is_some() && proof.first == first && proof.again > first, "{proof:?}");
}

#[tokio::test]
async fn what_a_person_pasted_over_a_good_token_is_replaced_by_it_without_another_issue() {
    let drive = prepared(Mode::Overlap, own_expiry()).await;
    live(&drive, TimeDelta::hours(30)).await;
    drive.world().person_saves("a-token-that-was-never-made");
    live(&drive, TimeDelta::hours(12)).await;
    let world = drive.world();
    assert_eq!((world.saved_token(), world.ledger.issued), (Some(2), 1), "{}", world.ledger.trace());
    assert!(world.entra_holds_a_working_token());
}

#[tokio::test]
async fn where_entra_provisions_somewhere_else_nothing_is_issued_and_no_token_is_sent_there() {
    let drive = prepared(Mode::Overlap, own_expiry()).await;
    drive.world().person_sets("BaseAddress", "https://elsewhere.example.com/scim");
    let before = calls(&drive, Op::SettingsPut);
    live(&drive, TimeDelta::days(2)).await;
    assert_eq!(calls(&drive, Op::SettingsPut), before);
    assert_eq!(calls(&drive, Op::Issue), 0);
}

#[tokio::test]
async fn after_a_refused_token_the_last_good_one_is_given_to_entra_in_the_same_run_where_it_holds_neither() {
    let drive = prepared(Mode::Overlap, own_expiry()).await;
    drive.world().spoil_next_token();
    drive.world().person_saves("a-token-that-was-never-made");
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert!(look.report.standing.error.is_some());
    let world = drive.world();
    assert_eq!((world.saved_token(), world.ledger.issued), (Some(1), 1), "{}", world.ledger.trace());
}

#[tokio::test]
async fn entra_is_given_a_token_once_where_it_takes_minutes_to_accept_what_it_has_saved() {
    let slow = Settings { verification_delay: TimeDelta::minutes(5), ..own_expiry() };
    let drive = prepared(Mode::Overlap, slow).await;
    let before = calls(&drive, Op::SettingsPut);
    live(&drive, TimeDelta::minutes(70)).await;
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(calls(&drive, Op::SettingsPut), before + 1);
}

#[tokio::test]
async fn what_entra_takes_at_last_is_waited_for_where_it_drops_what_is_not_complete_and_verifies_late() {
    let (put, verification_delay) = (PutReading::DropsUnlessComplete, TimeDelta::minutes(5));
    let drive = prepared(Mode::Overlap, Settings { put, verification_delay, ..own_expiry() }).await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert!(look.report.standing.error.is_none(), "{:?}", look.report.standing);
    assert_eq!(drive.world().saved_token(), Some(2));
}

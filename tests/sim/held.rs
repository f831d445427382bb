//! A token that is in memory only, look by look: when it is given to Entra all the same, and when it is left at that.

use chrono::TimeDelta;
use scim_rotator::domain::journal::Label;
use scim_rotator::domain::{Fence, Mode, Order, Reason, Stage};
use scim_rotator::engine::{Act, Connection};
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::drive::{Drive, policy};
use super::rivals::{calls, freeze, prepared, writes};
use crate::world::{Fault, Op, Service, Settings, TakesEffect};

const ROTATE: Order = Order::Rotate { mode: None, compromised: false };

async fn due(mode: Mode) -> Drive {
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..super::accidents::settings() };
    let drive = prepared(mode, quiet).await;
    Drive::new(drive.world().clone(), policy(mode, Fence::Never))
}

/// A process whose token the vault has not taken, though it lists and labels: given to Entra already, or not yet.
async fn unsaved(given: bool) -> (Drive, Connection) {
    unsaved_in(Mode::Overlap, given).await
}

async fn unsaved_in(mode: Mode, given: bool) -> (Drive, Connection) {
    let drive = due(mode).await;
    drive.world().faults.at_calls(Op::VaultStore, 2, 1000, Fault::Status(503, None));
    if !given {
        drive.world().faults.at_call(Op::SettingsPut, 1, Fault::Status(403, None));
    }
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(ROTATE).await;
    assert!(connection.holds_unsaved_token());
    assert_eq!(drive.world().saved_token(), Some(if given { 2 } else { 1 }));
    (drive, connection)
}

#[tokio::test]
async fn a_token_that_stands_in_the_vault_is_not_held_as_one_that_does_not_whatever_fails_after() {
    let drive = due(Mode::Overlap).await;
    drive.world().faults.at_call(Op::SettingsPut, 1, Fault::Status(403, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let report = connection.obey(ROTATE).await.report;
    assert!(report.standing.error.is_some() && !connection.holds_unsaved_token());
    assert_eq!(drive.world().versions().len(), 3);
}

#[tokio::test]
async fn a_token_that_entra_does_not_have_yet_is_given_to_it_while_the_vault_still_takes_none() {
    let (drive, mut connection) = unsaved(false).await;
    connection.look(Act::DecideOnly).await;
    assert_eq!(drive.world().saved_token(), Some(1), "a look that is only to tell does nothing with it");
    connection.look(Act::CarryOut).await;
    assert_eq!((drive.world().saved_token(), connection.holds_unsaved_token()), (Some(2), true));
}

#[tokio::test]
async fn a_token_from_memory_is_proven_at_once_where_its_rotation_has_removed_the_one_before_it_and_only_there() {
    for (mode, proven) in [(Mode::RemoveCurrent, true), (Mode::Overlap, false)] {
        let (drive, mut connection) = unsaved_in(mode, false).await;
        connection.look(Act::CarryOut).await;
        drive.world().faults.clear();
        connection.look(Act::CarryOut).await;
        let world = drive.world();
        let Label::Ours(stored) = Label::parse(&world.versions()[2].tags) else { panic!("ours") };
        assert_eq!((stored.stage, world.saved_token()), (Stage::Current, Some(2)), "{mode}");
        assert_eq!(stored.proof.proven.is_some(), proven, "{mode}");
    }
}

#[tokio::test]
async fn a_token_that_entra_has_is_not_given_to_it_again_while_the_vault_still_takes_none() {
    let (drive, mut connection) = unsaved(true).await;
    let before = calls(&drive.world(), Op::SettingsPut);
    connection.look(Act::CarryOut).await;
    assert_eq!(calls(&drive.world(), Op::SettingsPut), before);
    assert!(connection.holds_unsaved_token());
    drive.world().faults.clear();
    connection.look(Act::CarryOut).await;
    assert!(!connection.holds_unsaved_token());
    assert_eq!(drive.world().versions().last().map(|stored| stored.tags["stage"].clone()).as_deref(), Some("current"));
}

#[tokio::test]
async fn a_token_that_the_vault_took_without_an_answer_is_found_there_again_and_no_takeover_is_told() {
    let drive = due(Mode::Overlap).await;
    let stored = calls(&drive.world(), Op::VaultStore);
    drive.world().faults.at_call(Op::VaultStore, 2, Fault::LoseAnswer);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let trouble = async {
        while calls(&drive.world(), Op::VaultStore) < stored + 2 {
            tokio::task::yield_now().await;
        }
        {
            let world = &mut *drive.world();
            let now = world.now();
            world.faults.during(Service::Vault, now, now + TimeDelta::hours(1), Fault::Down);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! { biased; () = trouble => (), _ = connection.obey(ROTATE) => () }
    assert!(connection.holds_unsaved_token());
    drive.world().advance(TimeDelta::hours(1));
    let last = connection.look(Act::CarryOut).await.report.last_action.expect("something was done");
    assert!(last.succeeded && last.reason != Reason::TakenOver, "{last:?}");
    assert!(!connection.holds_unsaved_token());
    let world = drive.world();
    assert_eq!((world.versions().len(), world.saved_token(), world.ledger.issued), (3, Some(2), 1));
}

#[tokio::test]
async fn whoever_finds_the_say_claimed_while_it_stores_what_it_holds_keeps_it_untested_until_it_has_the_say_again() {
    let (drive, mut connection) = unsaved(false).await;
    let stored = calls(&drive.world(), Op::VaultStore);
    let before = {
        let look = connection.look(Act::CarryOut);
        let mut look = std::pin::pin!(look);
        freeze(&drive, &mut look, |world| calls(world, Op::VaultStore) > stored).await;
        drive.world().advance(TimeDelta::minutes(10));
        let (_face, mut other) = drive.host("other-host", FaceOptions::default(), CancellationToken::new());
        let until = drive.world().now() + TimeDelta::seconds(1);
        other.obey(Order::Hold { until }).await;
        let before = (writes(&drive), calls(&drive.world(), Op::TestCandidate));
        look.await;
        before
    };
    assert_eq!(writes(&drive), before.0, "{}", drive.world().ledger.trace());
    assert_eq!(calls(&drive.world(), Op::TestCandidate), before.1);
    assert!(connection.holds_unsaved_token(), "whoever has claimed the say may do nothing with it");
    drive.world().faults.clear();
    for _ in 0..30 {
        drive.world().advance(TimeDelta::minutes(1));
        connection.look(Act::CarryOut).await;
    }
    assert!(!connection.holds_unsaved_token());
    let world = drive.world();
    assert_eq!((world.saved_token(), world.ledger.issued), (Some(2), 1), "{}", world.ledger.trace());
}

#[tokio::test]
async fn who_is_told_to_end_with_a_token_that_another_host_lets_nobody_store_waits_for_nothing() {
    let (drive, mut connection) = unsaved(false).await;
    drive.world().advance(TimeDelta::minutes(10));
    let (_face, mut other) = drive.host("other-host", FaceOptions::default(), CancellationToken::new());
    let until = drive.world().now() + TimeDelta::seconds(1);
    other.obey(Order::Hold { until }).await;
    let asked = drive.world().now();
    connection.store_unsaved().await;
    let waited = drive.world().now() - asked;
    assert!(connection.holds_unsaved_token() && waited < TimeDelta::seconds(10), "{waited}");
}

#[tokio::test]
async fn a_store_that_fails_holds_up_the_way_to_entra_for_two_minutes_only() {
    use crate::world::Event;
    let (drive, _connection) = unsaved(true).await;
    let world = drive.world();
    let given = |event: &Event| matches!(event, Event::Saved { token: Some(2), .. });
    let given = world.ledger.events().find(|(_, event)| given(event)).expect("Entra has it").0;
    let failed =
        world.ledger.events().filter(|(at, e)| *at < given && matches!(e, Event::Fault { op: Op::VaultStore, .. }));
    let failed: Vec<_> = failed.map(|(at, _)| *at).collect();
    let time = *failed.last().expect("it failed") - failed[0];
    assert!(time > TimeDelta::seconds(80) && time <= TimeDelta::seconds(120), "{time}");
}

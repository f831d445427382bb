//! The one PUT that leaves a setting out: whatever goes wrong with it, Entra keeps its token, and nothing stays lost that counts.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::PutSeen;
use tokio_util::sync::CancellationToken;

use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use super::{Crash, FaceOptions, Side};
use crate::world::{Fault, Op, PutReading, Schedule, Settings, World};

const ALL: [PutReading; 4] =
    [PutReading::Merges, PutReading::Replaces, PutReading::DropsUnlessComplete, PutReading::IgnoresFirst];

async fn at_rest(put: PutReading) -> World {
    let prepared = about_to_rotate(Settings { put, ..settings() }, policy(Mode::Overlap, Fence::Auto)).await;
    prepared.world().clone()
}

fn drive(world: &World) -> Drive {
    Drive::new(world.clone(), policy(Mode::Overlap, Fence::Auto))
}

#[track_caller]
fn nothing_is_lost(world: &World, saved: Option<u32>) {
    let trace = || world.ledger.trace();
    assert!(world.entra_holds_a_working_token() && world.saved_token() == saved, "{}", trace());
    assert!(world.settings_lost().is_empty() && world.ledger.masks_sent == 0, "{}", trace());
    assert_eq!((world.ledger.cycles_failed, world.ledger.issued), (0, 0), "{}", trace());
}

#[tokio::test]
async fn a_setting_at_its_default_is_seen_to_go_or_stay_and_is_back_in_the_end() {
    for put in ALL {
        let world = at_rest(put).await;
        let drive = drive(&world);
        let (_face, mut connection) = drive.process(FaceOptions::default());
        let kept = put != PutReading::Replaces;
        let seen = connection.put_without_default().await.expect("it is carried out");
        assert_eq!(seen, Some(PutSeen { key: "SyncAll", kept, put_back: true }), "{put:?}");
        nothing_is_lost(&drive.world(), world.saved_token());
    }
}

#[tokio::test]
async fn whatever_goes_wrong_once_with_it_nothing_stays_lost() {
    for put in ALL {
        let world = at_rest(put).await;
        for op in [Op::SettingsPut, Op::SettingsRead, Op::TestSaved, Op::VaultList, Op::VaultRead, Op::JobRead] {
            for nth in [1, 2, 3] {
                for fault in [
                    Fault::LoseRequest,
                    Fault::LoseAnswer,
                    Fault::Hang,
                    Fault::Status(503, Some(5)),
                    Fault::Status(403, None),
                ] {
                    let drive = drive(&world);
                    drive.world().faults.at_call(op, nth, fault);
                    let (_face, mut connection) = drive.process(FaceOptions::default());
                    // It may well have failed; what counts is what it leaves.
                    let _came = connection.put_without_default().await;
                    // Only where Graph refuses the very write that puts the setting back, nobody can.
                    let refused = (op, nth, fault) == (Op::SettingsPut, 2, Fault::Status(403, None));
                    if !(refused && put == PutReading::Replaces) {
                        nothing_is_lost(&drive.world(), world.saved_token());
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn whatever_a_person_changes_while_the_host_sleeps_in_the_midst_of_it_stays_as_he_wants_it() {
    for put in ALL {
        let world = at_rest(put).await;
        for nth in 1.. {
            let drive = drive(&world);
            let (face, mut connection) = drive.process(FaceOptions { yields: true, ..FaceOptions::default() });
            let mut writes = std::pin::pin!(connection.put_without_default());
            let puts = || drive.world().faults.calls(Op::SettingsPut);
            let before = puts();
            tokio::select! {
                biased;
                () = face.has_begun(nth) => (),
                _ = &mut writes => {
                    assert!(nth > 8, "{nth}");
                    break;
                }
            }
            // What is written already and lost by it is put back whatever else was changed.
            if puts() > before {
                continue;
            }
            drive.world().person_sets("SyncAll", "true");
            let time = TimeDelta::hours(5);
            drive.world().advance(time);
            face.wakes(time);
            let _came = writes.await;
            nothing_is_lost(&drive.world(), world.saved_token());
        }
    }
}

#[tokio::test]
async fn where_no_setting_stands_at_its_default_nothing_is_written() {
    let world = at_rest(PutReading::Replaces).await;
    let drive = drive(&world);
    drive.world().person_sets("SyncAll", "true");
    let trace = drive.world().ledger.trace();
    let (_face, mut connection) = drive.process(FaceOptions::default());
    assert_eq!(connection.put_without_default().await.expect("it is seen"), None);
    assert_eq!(drive.world().ledger.trace(), trace);
}

#[tokio::test]
async fn nothing_is_left_out_under_a_token_that_does_not_pass_and_nothing_is_told_of_one_that_passes_no_more() {
    let world = at_rest(PutReading::Merges).await;
    let dead = drive(&world);
    dead.world().person_deletes_tokens();
    let (_face, mut connection) = dead.process(FaceOptions::default());
    assert_eq!(connection.put_without_default().await.map_err(|halt| halt.reason), Err(Reason::NoVerdict));
    assert_eq!(dead.world().faults.calls(Op::SettingsPut), world.faults.calls(Op::SettingsPut));

    let behind = drive(&world);
    behind.world().faults.at_calls(Op::TestSaved, 1, 999, Fault::Status(400, None));
    let (_face, mut connection) = behind.process(FaceOptions::default());
    assert!(connection.put_without_default().await.is_err());
    assert_eq!(behind.world().faults.calls(Op::SettingsPut), world.faults.calls(Op::SettingsPut) + 1);
}

#[tokio::test]
async fn what_is_unfinished_comes_first_and_whoever_is_told_to_end_or_has_been_overtaken_writes_nothing() {
    let world = at_rest(PutReading::Replaces).await;
    // A rotation that died right behind its pause.
    let unfinished = {
        let drive = drive(&world);
        let paused = |world: &World| world.jobs()[0].schedule == Schedule::Paused;
        drive.killed_when(paused).await.world().clone()
    };
    let drive_unfinished = drive(&unfinished);
    let (_face, mut connection) = drive_unfinished.process(FaceOptions::default());
    assert!(connection.put_without_default().await.is_err());

    let ending = drive(&world);
    let stop = CancellationToken::new();
    stop.cancel();
    let (_face, mut connection) = ending.host("one-host", FaceOptions::default(), stop);
    assert_eq!(connection.put_without_default().await.map_err(|halt| halt.reason), Err(Reason::ShuttingDown));

    let overtaken = drive(&world);
    let (_face, mut connection) = overtaken.host("another-host", FaceOptions::default(), CancellationToken::new());
    assert_eq!(connection.put_without_default().await.map_err(|halt| halt.reason), Err(Reason::TakenOver));
    for (drive, before) in [(drive_unfinished, unfinished), (ending, world.clone()), (overtaken, world)] {
        assert_eq!(drive.world().faults.calls(Op::SettingsPut), before.faults.calls(Op::SettingsPut));
    }
}

#[tokio::test]
async fn nothing_is_left_out_while_a_token_is_pending() {
    let drive = drive(&at_rest(PutReading::Replaces).await);
    let before = drive.world().faults.calls(Op::SettingsPut);
    drive.world().faults.at_calls(Op::SettingsPut, 1, 20, Fault::Status(403, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert!(connection.put_without_default().await.is_err());
    assert_eq!(drive.world().faults.calls(Op::SettingsPut), before + 1, "the rotation's own, which was refused");
}

#[tokio::test]
async fn a_process_that_dies_on_the_way_leaves_a_working_token_and_at_most_a_default_unsaid() {
    let world = at_rest(PutReading::Replaces).await;
    for at_call in 1..14 {
        for side in [Side::Before, Side::After] {
            let drive = drive(&world);
            let crash = Some(Crash { at_call, side });
            let (face, mut connection) = drive.process(FaceOptions { crash, ..FaceOptions::default() });
            tokio::select! {
                _ = connection.put_without_default() => (),
                () = face.crashed() => (),
            }
            let world_now = drive.world();
            assert!(world_now.entra_holds_a_working_token() && world_now.saved_token() == world.saved_token());
            assert!(world_now.settings_lost().iter().all(|key| *key == "SyncAll"), "{}", world_now.ledger.trace());
        }
    }
}

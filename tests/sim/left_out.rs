//! A PUT that leaves one setting out, to learn what becomes of it: whatever does, it stands there again afterwards.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order};

use super::FaceOptions;
use super::accidents::settings;
use super::drive::{Drive, policy};
use crate::world::{Fault, Op, PutReading, Settings, World};

async fn resting(put: PutReading) -> Drive {
    let drive = Drive::new(World::new(Settings { put, ..settings() }), policy(Mode::Overlap, Fence::Never));
    let until = drive.world().now() + TimeDelta::days(2);
    drive.live(&[], until).await;
    drive
}

#[tokio::test]
async fn a_setting_that_is_left_out_is_seen_to_stay_or_to_go_and_is_put_back() {
    for (put, kept) in [(PutReading::Merges, true), (PutReading::Replaces, false)] {
        let drive = resting(put).await;
        let (_face, mut connection) = drive.process(FaceOptions::default());
        let seen = connection.put_without_default().await.expect("it ends").expect("one stands at its default");
        assert_eq!((seen.key, seen.kept, seen.put_back), ("SyncAll", kept, true), "{put:?}");
        let world = drive.world();
        assert!(world.settings_lost().is_empty() && world.entra_holds_a_working_token(), "{put:?}");
    }
}

#[tokio::test]
async fn nothing_is_left_out_while_anything_is_unfinished_nor_where_nothing_stands_at_its_default() {
    let drive = resting(PutReading::Replaces).await;
    drive.world().person_sets("SyncAll", "true");
    drive.world().person_sets("SyncNotificationSettings", r#"{"Enabled":true}"#);
    let before = drive.world().faults.calls(Op::SettingsPut);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let seen = connection.put_without_default().await.expect("it ends");
    assert!(seen.is_none(), "{seen:?}");
    drive.world().faults.at_calls(Op::SettingsPut, 1, 20, Fault::Status(403, None));
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    assert!(connection.put_without_default().await.is_err(), "a token is pending");
    assert_eq!(drive.world().faults.calls(Op::SettingsPut), before + 1);
}

//! The face in memory does to its caller what a network and a kill do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use scim_rotator::ports::IssueHow;

use super::{Crash, Face, FaceOptions, Side};
use crate::world::{Settings, World};

fn face_with(settings: Settings, options: FaceOptions) -> Arc<Face> {
    Face::new(Arc::new(Mutex::new(World::new(settings))), options)
}

fn face() -> Arc<Face> {
    face_with(Settings::default(), FaceOptions::default())
}

const OVERLAP: IssueHow = IssueHow::Rotate { remove_current: false };

#[tokio::test]
async fn a_sleep_moves_the_worlds_clock_and_returns_at_once() {
    let face = face();
    let before = face.ports().clock.now();
    face.ports().clock.sleep(Duration::from_secs(86_400)).await;
    assert_eq!(face.ports().clock.now() - before, TimeDelta::days(1));
    assert!(face.world().ledger.cycles_succeeded > 30);
}

#[tokio::test]
async fn a_process_killed_before_a_call_has_changed_nothing_and_after_it_has() {
    for (side, issued) in [(Side::Before, 0), (Side::After, 1)] {
        let crash = Some(Crash { at_call: 2, side });
        let face = face_with(Settings::default(), FaceOptions { crash, ..FaceOptions::default() });
        let ports = face.ports();
        tokio::select! {
            biased;
            () = face.crashed() => {}
            _ = async { ports.issuer.preflight().await.unwrap(); ports.issuer.issue(OVERLAP).await } => {
                panic!("the call returned to a dead process")
            }
        }
        assert_eq!(face.world().ledger.issued, issued, "{side:?}");
    }
}

#[tokio::test]
async fn the_run_ends_where_the_test_says() {
    let until = Settings::default().start + TimeDelta::hours(3);
    let face = face_with(Settings::default(), FaceOptions { until: Some(until), ..FaceOptions::default() });
    let clock = face.ports().clock;
    tokio::select! {
        biased;
        () = face.over() => {}
        () = async { loop { clock.sleep(Duration::from_secs(60)).await } } => {}
    }
    assert_eq!(face.world().now(), until);
}

//! A process of several connections: before one of them rotates, the others are given time to show for which tenant they speak.

use std::sync::Arc;

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::{Look, Tenants};

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Event, Settings, TakesEffect, Timestamp};

/// A rotation on demand, `meanwhile` something happens once it has begun.
async fn rotates(tenants: &Arc<Tenants>, meanwhile: impl Fn()) -> (Drive, Look, Timestamp) {
    let quiet = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = about_to_rotate(quiet, policy(Mode::Overlap, Fence::Never)).await;
    let (_face, mut connection) = drive.connection("one", Arc::clone(tenants), FaceOptions::default());
    let begin = drive.world().now();
    let watcher = async {
        while drive.world().now() < begin + TimeDelta::seconds(15) {
            tokio::task::yield_now().await;
        }
        meanwhile();
        std::future::pending::<()>().await;
    };
    let obeyed = connection.obey(Order::Rotate { mode: None, compromised: false });
    let look = tokio::select! { biased; () = watcher => unreachable!("it never ends"), look = obeyed => look };
    (drive, look, begin)
}

/// How long after `begin` a token was issued.
fn issued(drive: &Drive, begin: Timestamp) -> Option<TimeDelta> {
    let world = drive.world();
    let issued = |(at, event): &&(Timestamp, Event)| *at >= begin && matches!(event, Event::Issued { .. });
    world.ledger.events().find(issued).map(|(at, _)| *at - begin)
}

#[tokio::test]
async fn a_connection_that_never_shows_its_tenant_is_waited_for_for_a_minute_and_no_other_is() {
    for (expected, least, most) in [(true, 60, 90), (false, 0, 30)] {
        let tenants = Arc::new(Tenants::default());
        if expected {
            tenants.expect("other");
        }
        let (drive, _, begin) = rotates(&tenants, || ()).await;
        let time = issued(&drive, begin).expect("a token is issued").num_seconds();
        assert!((least..most).contains(&time), "{expected} {time}");
    }
}

#[tokio::test]
async fn a_connection_that_shows_the_same_tenant_meanwhile_keeps_the_rotation_from_being_made() {
    let tenants = Arc::new(Tenants::default());
    tenants.expect("other");
    let (drive, look, begin) = rotates(&tenants, || tenants.introduce("other", Some(&settings().tenant))).await;
    assert_eq!((look.report.standing.reason, issued(&drive, begin)), (Reason::TenantShared, None));
    assert!(look.report.standing.error.is_some_and(|error| error.contains("\"other\"")));
}

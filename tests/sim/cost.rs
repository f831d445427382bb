//! What a connection asks of the services: when it idles, and in a year with its rotations. `make bench PART=cost` prints it.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode};

use super::drive::{Drive, policy};
use crate::world::{Op, Settings, TakesEffect, World};

/// How often each kind of call was made.
pub type Calls = Vec<(Op, u32)>;

/// Calls of every kind that is made at all by a connection that was taken over days ago and of which nothing is due: within
/// `time`, by a process that has been running for a day.
pub async fn idle(time: TimeDelta) -> Calls {
    let place = settled().await;
    let day = TimeDelta::days(1);
    let until = async |time| calls(&place, time).await;
    let (short, long) = (until(day).await, until(day + time).await);
    difference(&short, &long)
}

/// The same in a year, in which tokens of half a year are rotated a month before their end; and how many were.
pub async fn year(fence: Fence) -> (Calls, u32) {
    let mut place = settled().await;
    place.policy.fence = fence;
    let issued = place.world().ledger.issued;
    let before = counted(&place.world());
    let until = place.world().now() + TimeDelta::days(365);
    place.live(&[], until).await;
    let after = counted(&place.world());
    let rotations = place.world().ledger.issued - issued;
    (difference(&before, &after), rotations)
}

/// A connection that has been taken over, and whose token is confirmed and proven.
async fn settled() -> Drive {
    let settings = Settings { takes_effect: TakesEffect::FirstUse, ..Settings::default() };
    let drive = Drive::new(World::new(settings), policy(Mode::Overlap, Fence::Auto));
    // The versions that came before it are retired by then: to that end it looks once more.
    let until = drive.world().now() + TimeDelta::days(14);
    drive.live(&[], until).await;
    drive
}

async fn calls(place: &Drive, time: TimeDelta) -> Calls {
    let copy = Drive::new(place.world().clone(), place.policy.clone());
    let until = copy.world().now() + time;
    copy.live(&[], until).await;
    counted(&copy.world())
}

fn counted(world: &World) -> Calls {
    Op::ALL.iter().map(|op| (*op, world.faults.calls(*op))).collect()
}

fn difference(before: &Calls, after: &Calls) -> Calls {
    let made = before.iter().zip(after).map(|((op, before), (_, after))| (*op, after - before));
    // Entra's own calls of the endpoint are nobody's cost here.
    made.filter(|(op, count)| *count > 0 && *op != Op::EntraScim).collect()
}

#[tokio::test]
async fn an_idle_connection_costs_at_most_one_vault_listing_and_one_job_read_an_hour_by_default() {
    for days in [1, 30] {
        let calls = idle(TimeDelta::days(days)).await;
        let most = u32::try_from(days * 24).expect("few days");
        assert!(
            calls.iter().all(|(op, count)| matches!(op, Op::VaultList | Op::JobRead) && *count <= most),
            "{calls:?}"
        );
        assert_eq!(calls.len(), 2, "it looks: {calls:?}");
    }
}

#[tokio::test]
async fn a_rotation_leaves_two_versions_and_asks_the_issuer_once_fenced_or_not() {
    for fence in [Fence::Always, Fence::Never] {
        let (calls, rotations) = year(fence).await;
        let count = |op| calls.iter().find(|(other, _)| *other == op).map_or(0, |(_, count)| *count);
        assert!(rotations > 0, "{calls:?}");
        assert_eq!((count(Op::VaultStore), count(Op::Issue)), (2 * rotations, rotations), "{calls:?}");
        assert_eq!(count(Op::Pause), if fence == Fence::Always { rotations } else { 0 }, "{calls:?}");
    }
}

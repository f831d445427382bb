//! `kill -9` at every request of a rotation: before the service has seen it, and after it has done as asked.

use super::batch::{Coverage, all_hold};
use super::place::{
    OVERLAP, Place, REMOVE_CURRENT, SPEED, about_to_be_due, hourly, is_at_rest_with_newer, judge, only,
};
use crate::sandbox::{Side, Which};
use crate::world::Op;

/// How many rotations run side by side.
const AT_ONCE: usize = 8;
/// So many requests in a hundred are reached at least: how often a drain looks at the job is a matter of luck.
const MOST: usize = 50;

/// Every kind of request that a rotation makes.
const KINDS: [Op; 15] = [
    Op::VaultToken,
    Op::VaultList,
    Op::VaultRead,
    Op::VaultStore,
    Op::VaultLabel,
    Op::GraphToken,
    Op::JobRead,
    Op::SettingsRead,
    Op::SettingsPut,
    Op::TestCandidate,
    Op::TestSaved,
    Op::Pause,
    Op::Start,
    Op::BearerMint,
    Op::Issue,
];

/// Each of so many requests, and, as how many there are before it is a matter of luck, the first of each kind.
pub fn points(requests: usize) -> impl Iterator<Item = (Which, Side)> {
    let all = (1..=requests).map(Which::Nth).chain(KINDS.map(Which::Next));
    all.flat_map(|which| [(which, Side::Before), (which, Side::After)])
}

/// A request of each kind, on both sides.
pub fn every_kind() -> impl Iterator<Item = (Op, Side)> {
    KINDS.into_iter().flat_map(|op| [(op, Side::Before), (op, Side::After)])
}

async fn place(connection: usize, speed: f64) -> Place {
    // Where a second is less than an hour, a look in each second keeps the confirmation from taking minutes.
    let looks = |text: &str| if speed < SPEED { hourly(text) } else { text.to_owned() };
    Place::new(about_to_be_due(|_| ()).await, speed, |text| only(connection, &looks(&text))).await
}

/// How many requests a rotation takes that nobody disturbs, from the first look until it is confirmed.
pub async fn requests(place: &Place, connection: usize) -> usize {
    let token = place.sandbox.world(connection).saved_token().expect("a token");
    let _daemon = place.daemon(&[]);
    place.until(connection, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    place.sandbox.deeds()
}

/// One rotation whose daemon is killed at one request and started again. No, if it needs fewer requests this time.
async fn killed_at(connection: usize, which: Which, side: Side, coverage: Coverage) -> Result<bool, String> {
    // On a busy machine an hour of the sandbox's may go by until the second daemon has begun, and then a pause that no
    // label tells of is a person's business. That is no failure, and no proof either: it is done again, more slowly.
    for speed in [SPEED, SPEED / 10.0] {
        let place = place(connection, speed).await;
        let token = place.sandbox.world(connection).saved_token().expect("a token");
        let mut hold = place.sandbox.gate().hold(which, side);
        let daemon = place.daemon(&[]);
        let reached = place.reaches(&mut hold, connection, token).await;
        daemon.kill();
        hold.cut();
        let _again = place.daemon(&[]);
        if !place.comes_to_rest(connection, token).await {
            continue;
        }
        judge(&place.sandbox.world(connection), 3).map_err(|why| format!("{why}\n{}", place.logs()))?;
        if let Some(op) = reached {
            coverage.reached((op, side));
        }
        return Ok(reached.is_some());
    }
    Err("a person is asked whose pause it is, although no hour went by".to_owned())
}

async fn is_survived_everywhere(connection: usize) {
    let requests = requests(&place(connection, SPEED).await, connection).await;
    assert!(requests > 15, "a rotation takes more than {requests} requests");
    let coverage = Coverage::default();
    let killed = |(which, side)| killed_at(connection, which, side, coverage.clone());
    let reached = all_hold(AT_ONCE, points(requests), killed).await;
    assert!(reached >= MOST, "most requests are reached");
    coverage.holds_all(every_kind());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_any_two_steps_is_survived_in_overlap_mode() {
    is_survived_everywhere(OVERLAP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_any_two_steps_is_survived_in_remove_current_mode() {
    is_survived_everywhere(REMOVE_CURRENT).await;
}

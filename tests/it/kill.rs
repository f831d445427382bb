//! `kill -9` at every request of a rotation: before the service has seen it, and after it has done as asked.

use super::batch::all_hold;
use super::place::{OVERLAP, Place, REMOVE_CURRENT, SPEED, about_to_be_due, is_at_rest_with_newer, judge, only};
use crate::sandbox::{Side, Which};

/// How many rotations run side by side.
const AT_ONCE: usize = 8;
/// So many requests in a hundred are reached at least: how often a drain looks at the job is a matter of luck.
const MOST: usize = 50;

async fn place(connection: usize) -> Place {
    Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(connection, &text)).await
}

/// How many requests a rotation takes that nobody disturbs, from the first look until it is confirmed.
pub async fn requests(place: &Place, connection: usize) -> usize {
    let token = place.sandbox.world(connection).saved_token().expect("a token");
    let _daemon = place.daemon(&[]);
    place.until(connection, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    place.sandbox.deeds()
}

/// One rotation whose daemon is killed at one request and started again. No, if it needs fewer requests this time.
async fn killed_at(connection: usize, request: usize, side: Side) -> Result<bool, String> {
    let place = place(connection).await;
    let token = place.sandbox.world(connection).saved_token().expect("a token");
    let mut hold = place.sandbox.gate().hold(Which::Nth(request), side);
    let daemon = place.daemon(&[]);
    let reached = place.reaches(&mut hold, connection, token).await.is_some();
    daemon.kill();
    hold.cut();
    let _again = place.daemon(&[]);
    place.until(connection, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    judge(&place.sandbox.world(connection), 3).map(|()| reached).map_err(|why| format!("{why}\n{}", place.logs()))
}

async fn is_survived_everywhere(connection: usize) {
    let requests = requests(&place(connection).await, connection).await;
    assert!(requests > 15, "a rotation takes more than {requests} requests");
    let points = (1..=requests).flat_map(|request| [(request, Side::Before), (request, Side::After)]);
    let reached = all_hold(AT_ONCE, points, |(request, side)| killed_at(connection, request, side)).await;
    assert!(reached >= MOST, "most requests are reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_any_two_steps_is_survived_in_overlap_mode() {
    is_survived_everywhere(OVERLAP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_any_two_steps_is_survived_in_remove_current_mode() {
    is_survived_everywhere(REMOVE_CURRENT).await;
}

//! SIGTERM at every request of a rotation, once and twice: before the service has seen it, and after it has done as asked.

use rustix::process::Signal;

use super::batch::{Coverage, all_hold};
use super::kill::{every_kind, requests};
use super::place::{OVERLAP, Place, REMOVE_CURRENT, about_to_be_due, hourly, is_at_rest_with_newer, judge, only};
use crate::sandbox::{Side, Which};
use crate::world::{Op, Schedule};

const AT_ONCE: usize = 24;
/// So many requests in a hundred are reached at least: how often a drain looks at the job is a matter of luck.
const MOST: usize = 50;
/// Slower than elsewhere: a pause that could not be written down is taken for ours within the hour only, and a busy machine
/// takes a second to start a process.
const SPEED: f64 = 1200.0;
const HEARD: &str = "a rotation under way is brought to a safe point";

#[derive(Clone, Copy, Debug)]
struct Point {
    connection: usize,
    which: Which,
    side: Side,
}

async fn points(connection: usize) -> impl Iterator<Item = Point> {
    let requests = requests(&place(connection).await, connection).await;
    assert!(requests > 15, "a rotation takes more than {requests} requests");
    super::kill::points(requests).map(move |(which, side)| Point { connection, which, side })
}

async fn place(connection: usize) -> Place {
    Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(connection, &hourly(&text))).await
}

/// Told once, a daemon ends at a safe point: the job runs, and what was issued is with Entra.
async fn told_once(point: Point, coverage: Coverage) -> Result<bool, String> {
    let Point { connection, which, side } = point;
    let place = place(connection).await;
    let token = place.sandbox.world(connection).saved_token().expect("a token");
    let mut hold = place.sandbox.gate().hold(which, side);
    let mut daemon = place.daemon(&[]);
    let Some(op) = place.reaches(&mut hold, connection, token).await else { return Ok(false) };
    let issued = place.sandbox.world(connection).ledger.issued;
    daemon.signal(Signal::TERM);
    daemon.says(HEARD).await;
    hold.go();
    let code = daemon.ended().await;
    {
        let world = place.sandbox.world(connection);
        let newer = world.saved_token().is_some_and(|saved| saved > token);
        // An issue that is on its way cannot be called back; where the bearer had run out, a new one is its first half.
        let under_way = matches!(op, Op::Issue | Op::BearerMint);
        let checks = [
            (code == Some(0), "it ends with 0"),
            (world.jobs()[0].schedule == Schedule::Active, "the job runs"),
            (newer == (world.ledger.issued > 1), "what was issued is with Entra"),
            (world.ledger.issued == issued || under_way, "nothing is issued once the end is asked for"),
        ];
        if let Some((_, what)) = checks.iter().find(|(holds, _)| !holds) {
            return Err(format!("not so: {what} ({op:?})\n{}\n{}", world.ledger.trace(), place.logs()));
        }
    }
    let _next = place.daemon(&[]);
    place.until(connection, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    judge(&place.sandbox.world(connection), 2).map_err(|why| format!("{why}\n{}", place.logs()))?;
    coverage.reached((op, side));
    Ok(true)
}

/// Told twice, it ends at once, in the middle of the request; the next one takes up what is unfinished.
async fn told_twice(point: Point, coverage: Coverage) -> Result<bool, String> {
    let Point { connection, which, side } = point;
    let place = place(connection).await;
    let token = place.sandbox.world(connection).saved_token().expect("a token");
    let mut hold = place.sandbox.gate().hold(which, side);
    let mut daemon = place.daemon(&[]);
    let Some(op) = place.reaches(&mut hold, connection, token).await else { return Ok(false) };
    daemon.signal(Signal::TERM);
    daemon.says(HEARD).await;
    daemon.signal(Signal::TERM);
    // The request is still held: whoever waited for it would never end.
    let code = daemon.ended().await;
    hold.cut();
    if code != Some(0) {
        return Err(format!("it ends with {code:?} ({op:?})\n{}", place.logs()));
    }
    let _next = place.daemon(&[]);
    let rests = place.comes_to_rest(connection, token).await;
    judge(&place.sandbox.world(connection), 3).map_err(|why| format!("{why}\n{}", place.logs()))?;
    coverage.reached((op, side));
    Ok(rests)
}

async fn is_survived_everywhere<F>(connection: usize, told: impl Fn(Point, Coverage) -> F)
where
    F: Future<Output = Result<bool, String>> + Send + 'static,
{
    let coverage = Coverage::default();
    let reached = all_hold(AT_ONCE, points(connection).await, |point| told(point, coverage.clone())).await;
    assert!(reached >= MOST, "most requests are reached");
    coverage.holds_all(every_kind());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_any_step_ends_at_a_safe_point_in_overlap_mode() {
    is_survived_everywhere(OVERLAP, told_once).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_any_step_ends_at_a_safe_point_in_remove_current_mode() {
    is_survived_everywhere(REMOVE_CURRENT, told_once).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_in_any_step_ends_at_once_and_the_next_start_recovers_in_overlap_mode() {
    is_survived_everywhere(OVERLAP, told_twice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_in_any_step_ends_at_once_and_the_next_start_recovers_in_remove_current_mode() {
    is_survived_everywhere(REMOVE_CURRENT, told_twice).await;
}

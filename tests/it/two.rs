//! Two processes at work on one connection: on one host the lock keeps them apart, on two the journal does.

use chrono::TimeDelta;

use super::batch::all_hold;
use super::kill::requests;
use super::place::{
    Daemon, OVERLAP, Place, REMOVE_CURRENT, about_to_be_due, hourly, is_at_rest_with_newer, judge, only,
};
use crate::sandbox::{Side, Which};
use crate::world::{Op, Schedule, World};

const AT_ONCE: usize = 24;
/// So many requests in a hundred are reached at least: how often a drain looks at the job is a matter of luck.
const MOST: usize = 50;
/// Slower than elsewhere, so that a busy machine does not let hours pass while a process starts.
const SPEED: f64 = 1200.0;
/// How long two processes that are both awake take to come to an end with each other.
const SETTLED: TimeDelta = TimeDelta::hours(2);
/// How long they are watched in all.
const WATCHED: TimeDelta = TimeDelta::hours(3);

async fn place(connection: usize) -> Place {
    Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(connection, &hourly(&text))).await
}

/// A daemon of another host: another runtime directory, so another holder and another lock.
fn elsewhere(place: &Place) -> Daemon {
    let folder = place.setup.folder.join("run-elsewhere");
    place.daemon_with(&[], &[("SCIM_ROTATOR__RUNTIME_DIR", folder.to_str().expect("plain"))])
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_daemons_begun_at_once_on_one_host_one_is_refused_and_the_other_rotates() {
    let place = place(OVERLAP).await;
    let token = place.sandbox.world(OVERLAP).saved_token().expect("a token");
    let mut daemons = [place.daemon(&[]), place.daemon(&[])];
    let [one, other] = &mut daemons;
    let (refused, at_work) = tokio::select! {
        code = one.ended() => (code, other),
        code = other.ended() => (code, one),
    };
    assert_eq!(refused, Some(1), "{}", place.logs());
    assert!(place.logs().contains("another scim-rotator on this host is at work"), "{}", place.logs());
    at_work.says("ready").await;
    place.until(OVERLAP, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    judge(&place.sandbox.world(OVERLAP), 2).unwrap_or_else(|why| panic!("{why}\n{}", place.logs()));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_middle_of_a_rotation_run_and_once_are_refused_and_told_who_is_at_work() {
    let place = place(REMOVE_CURRENT).await;
    let token = place.sandbox.world(REMOVE_CURRENT).saved_token().expect("a token");
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::After);
    let daemon = place.daemon(&[]);
    hold.reached().await;
    for subcommand in ["run", "once"] {
        let second = place.run(&[subcommand]).await;
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert_eq!(second.status.code(), Some(1), "{said}");
        assert!(said.contains("another scim-rotator") && said.contains(&daemon.id().to_string()), "{said}");
    }
    hold.go();
    place.until(REMOVE_CURRENT, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    judge(&place.sandbox.world(REMOVE_CURRENT), 2).unwrap_or_else(|why| panic!("{why}\n{}", place.logs()));
}

#[derive(Clone, Copy, Debug)]
struct Point {
    connection: usize,
    request: usize,
}

/// One falls asleep at a request of its rotation, the other finds an old intent and takes over, and then the first
/// wakes up and goes on. Nothing can call back an issue that is on its way, so a cycle may fail; but they must not rotate
/// each other's token away for ever.
async fn one_sleeps(point: Point) -> Result<bool, String> {
    let Point { connection, request } = point;
    let place = place(connection).await;
    let token = place.sandbox.world(connection).saved_token().expect("a token");
    let mut hold = place.sandbox.gate().hold(Which::Nth(request), Side::Before);
    let _sleeper = place.daemon(&[]);
    if place.reaches(&mut hold, connection, token).await.is_none() {
        return Ok(false);
    }
    let _other = elsewhere(&place);
    if !place.comes_to_rest(connection, token).await {
        return Ok(false);
    }
    hold.go();
    provision(&place, connection).await?;
    Ok(true)
}

/// Entra provisions with a token that works, and so it stays: no more tokens than four a day, and none any more once all
/// is well.
async fn provision(place: &Place, connection: usize) -> Result<(), String> {
    let since = place.sandbox.world(connection).now();
    let well = |world: &World| world.entra_holds_a_working_token() && world.jobs()[0].schedule == Schedule::Active;
    place.until(connection, "Entra provisions", |world| world.now() > since + SETTLED && well(world)).await;
    let issued = place.sandbox.world(connection).ledger.issued;
    place.until(connection, "Entra provisions hours later", |world| world.now() > since + WATCHED && well(world)).await;
    let world = place.sandbox.world(connection);
    let ledger = &world.ledger;
    let checks = [
        (ledger.issued == issued, "no token is issued once all is well"),
        (ledger.issued <= 1 + 4, "no more than four are issued in a day"),
        (ledger.started_a_persons_pause == 0, "a person's pause is not ended"),
        (world.settings_lost().is_empty(), "no sibling setting is lost"),
    ];
    match checks.iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, what)) => Err(format!("broken: {what}\n{}\n{}", ledger.trace(), place.logs())),
    }
}

async fn points(connection: usize) -> impl Iterator<Item = Point> {
    let requests = requests(&place(connection).await, connection).await;
    (1..=requests).map(move |request| Point { connection, request })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_wakes_up_after_another_has_taken_over_gives_way_in_overlap_mode() {
    assert!(all_hold(AT_ONCE, points(OVERLAP).await, one_sleeps).await >= MOST, "most requests are reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_wakes_up_after_another_has_taken_over_gives_way_in_remove_current_mode() {
    assert!(all_hold(AT_ONCE, points(REMOVE_CURRENT).await, one_sleeps).await >= MOST, "most requests are reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_begin_at_once_do_not_rotate_each_others_token_away_for_ever() {
    for connection in [OVERLAP, REMOVE_CURRENT] {
        let place = place(connection).await;
        let token = place.sandbox.world(connection).saved_token().expect("a token");
        let _one = place.daemon(&[]);
        let _other = elsewhere(&place);
        place.until(connection, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
        provision(&place, connection).await.unwrap_or_else(|why| panic!("{why}"));
    }
}

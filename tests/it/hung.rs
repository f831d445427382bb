//! The fleet under a host that hangs for one of its connections: the others rotate, look, are added, changed and removed as
//! if it were not there; it is told, and the daemon ends in time.

use std::fs;

use chrono::TimeDelta;
use rustix::process::Signal;
use serde_json::Value;

use super::place::{
    Daemon, OVERLAP, Place, REMOVE_CURRENT, SPEED, about_to_be_due, hourly, is_at_rest_with_newer, judge, only,
};
use crate::sandbox::{Side, Which};
use crate::world::{Event, Fault, Op, Schedule, Service, World};

const GONE: &str = "no longer tended as it was configured";
const READ: &str = "the configuration was read again";

/// Short limits of a request, so that it is seen how a hung one is given up, tried again, and given up again.
fn impatient(text: &str) -> String {
    hourly(text).replace("[http]", "[http]\ntimeout = \"3s\"\nconnect_timeout = \"3s\"")
}

fn hangs(place: &Place, connection: usize, service: Service) {
    let mut world = place.sandbox.world(connection);
    let now = world.now();
    world.faults.during(service, now, now + TimeDelta::days(10_000), Fault::Hang);
}

/// The lines of a log that speak of a connection.
fn of(connection: &str, log: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let speaks = |line: &Value| {
        let spans = line["spans"].as_array().into_iter().flatten().chain([&line["span"], line]);
        spans.into_iter().any(|place| place["connection"] == connection)
    };
    lines.filter(speaks).collect()
}

fn complaints(connection: &str, log: &str) -> Vec<Value> {
    of(connection, log).into_iter().filter(|line| line["level"] == "WARN" || line["level"] == "ERROR").collect()
}

fn was_removed(connection: &str, log: &str) -> usize {
    of(connection, log).iter().filter(|line| line.to_string().contains(GONE)).count()
}

async fn ends_in_time(mut daemon: Daemon) {
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().await, Some(0), "{}", daemon.log());
    assert!(daemon.log().contains("\"ended\""), "at a safe point\n{}", daemon.log());
}

/// A reload with another text; returns when it is over.
async fn reload(place: &Place, daemon: &Daemon, text: &str) {
    let before = daemon.log().len();
    fs::write(&place.setup.config, text).expect("written");
    daemon.signal(Signal::HUP);
    daemon.says_after(before, READ).await;
}

fn text(place: &Place) -> String {
    fs::read_to_string(&place.setup.config).expect("the configuration")
}

async fn rotates(place: &Place, connection: usize, token: u32) {
    place.until(connection, "it is rotated and confirmed", |world| is_at_rest_with_newer(world, token)).await;
    let looks = place.sandbox.world(connection).faults.calls(Op::JobRead);
    let many = |world: &World| world.faults.calls(Op::JobRead) > looks + 2;
    place.until(connection, "it is looked at again", many).await;
}

async fn one_hangs(service: Service, told: &str) {
    let patient = |text: String| impatient(&text).replace("[http]\ntimeout = \"3s\"", "[http]\ntimeout = \"15s\"");
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, patient).await;
    let tokens = [OVERLAP, REMOVE_CURRENT].map(|n| place.sandbox.world(n).saved_token().expect("a token"));
    hangs(&place, OVERLAP, service);
    let daemon = place.daemon(&[]);
    rotates(&place, REMOVE_CURRENT, tokens[REMOVE_CURRENT]).await;
    daemon.says(told).await;
    let log = daemon.log();
    assert!(complaints("overlap", &log).iter().any(|line| line.to_string().contains(told)), "{service:?}\n{log}");
    assert_eq!(complaints("remove-current", &log), Vec::<Value>::new(), "{service:?}: it is as if alone");
    let rotated = log.find("\"Rotated\"").expect("the other one's");
    let given_up = log.find(told).expect("told");
    assert!(
        rotated < given_up,
        "{service:?}: the other one is done before the first request that hangs is given up\n{log}"
    );
    judge(&place.sandbox.world(REMOVE_CURRENT), 2).unwrap_or_else(|why| panic!("{service:?}: {why}\n{log}"));
    assert_eq!(place.sandbox.world(OVERLAP).saved_token(), Some(tokens[OVERLAP]), "{service:?} hangs still");
    ends_in_time(daemon).await;
    let schedule = place.sandbox.world(OVERLAP).jobs()[0].schedule;
    // Where the issuer may have made a token that nobody knows, the pause stands for an hour at most.
    assert!(schedule == Schedule::Active || service == Service::Hpe, "{service:?}: no pause is left behind");
    place.sandbox.world(OVERLAP).faults.clear();
    let _next = place.daemon(&[]);
    // It may have hung for longer than its token lived; then it is replaced.
    rotates(&place, OVERLAP, tokens[OVERLAP]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_hpe_that_hangs_for_one_tenant_delays_only_its_own_connection() {
    one_hangs(Service::HpeAuth, "iam.sandbox.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_hangs_for_one_tenant_delays_only_its_own_connection() {
    one_hangs(Service::Hpe, "sps.sandbox.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_hangs_delays_only_its_own_connection() {
    one_hangs(Service::Vault, "overlap.vault.sandbox.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_principal_for_which_graph_hangs_delays_only_its_own_connection() {
    one_hangs(Service::Graph, "graph.sandbox.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_while_only_one_may_rotate_holds_the_others_up_for_no_longer_than_its_request_is_waited_for() {
    let bend = |text: String| format!("[rotations]\nat_once = 1\n\n{}", impatient(&text));
    for service in [Service::HpeAuth, Service::Hpe] {
        let place = Place::new(about_to_be_due(|_| ()).await, SPEED, bend).await;
        let tokens = [OVERLAP, REMOVE_CURRENT].map(|n| place.sandbox.world(n).saved_token().expect("a token"));
        hangs(&place, OVERLAP, service);
        let daemon = place.daemon(&[]);
        rotates(&place, REMOVE_CURRENT, tokens[REMOVE_CURRENT]).await;
        judge(&place.sandbox.world(REMOVE_CURRENT), 2)
            .unwrap_or_else(|why| panic!("{service:?}: {why}\n{}", daemon.log()));
        assert_eq!(place.sandbox.world(OVERLAP).saved_token(), Some(tokens[OVERLAP]), "{service:?} hangs still");
        ends_in_time(daemon).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_hangs_others_are_added_changed_and_removed_by_reloads_that_do_not_touch_it() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| impatient(&text)).await;
    let both = text(&place);
    fs::write(&place.setup.config, only(OVERLAP, &both)).expect("written");
    let token = place.sandbox.world(REMOVE_CURRENT).saved_token().expect("a token");
    hangs(&place, OVERLAP, Service::Vault);
    let daemon = place.daemon(&[]);
    daemon.says("look failed").await;
    reload(&place, &daemon, &both).await;
    rotates(&place, REMOVE_CURRENT, token).await;
    reload(
        &place,
        &daemon,
        &both.replace("{ mode = \"remove-current\" }", "{ mode = \"remove-current\", jitter = \"1m\" }"),
    )
    .await;
    let looks = place.sandbox.world(REMOVE_CURRENT).faults.calls(Op::JobRead);
    place.until(REMOVE_CURRENT, "it is tended again", |world| world.faults.calls(Op::JobRead) > looks + 2).await;
    reload(&place, &daemon, &only(OVERLAP, &both)).await;
    assert_eq!((was_removed("remove-current", &daemon.log()), was_removed("overlap", &daemon.log())), (2, 0));
    let issued = place.sandbox.world(REMOVE_CURRENT).ledger.issued;
    // The one that hangs is changed itself, and lets go within the limit of a request.
    reload(&place, &daemon, &only(OVERLAP, &both).replace("36h", "35h")).await;
    assert_eq!(was_removed("overlap", &daemon.log()), 1);
    assert_eq!(place.sandbox.world(REMOVE_CURRENT).ledger.issued, issued);
    judge(&place.sandbox.world(REMOVE_CURRENT), 2).unwrap_or_else(|why| panic!("{why}\n{}", daemon.log()));
    ends_in_time(daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_in_hand_is_touched_by_no_reload_that_adds_rotates_and_removes_another() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| hourly(&text)).await;
    let both = text(&place);
    fs::write(&place.setup.config, only(OVERLAP, &both)).expect("written");
    let tokens = [OVERLAP, REMOVE_CURRENT].map(|n| place.sandbox.world(n).saved_token().expect("a token"));
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::After);
    let daemon = place.daemon(&[]);
    hold.reached().await;
    reload(&place, &daemon, &both).await;
    rotates(&place, REMOVE_CURRENT, tokens[REMOVE_CURRENT]).await;
    reload(&place, &daemon, &only(OVERLAP, &both)).await;
    hold.go();
    rotates(&place, OVERLAP, tokens[OVERLAP]).await;
    assert_eq!(was_removed("overlap", &daemon.log()), 0);
    judge(&place.sandbox.world(OVERLAP), 2).unwrap_or_else(|why| panic!("{why}\n{}", daemon.log()));
    let asked = place.sandbox.world(OVERLAP).ledger.events().filter(|(_, e)| matches!(e, Event::Issued { .. })).count();
    assert!(asked >= 2, "the rotation in hand was carried on by whom it was begun");
    ends_in_time(daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_connections_that_a_reload_changes_come_to_their_safe_points_side_by_side() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| hourly(&text)).await;
    let tokens = [OVERLAP, REMOVE_CURRENT].map(|n| place.sandbox.world(n).saved_token().expect("a token"));
    let mut holds = [(); 2].map(|()| place.sandbox.gate().hold(Which::Next(Op::Issue), Side::After));
    let mut daemon = place.daemon(&[]);
    for hold in &mut holds {
        hold.reached().await;
    }
    fs::write(&place.setup.config, text(&place).replace("36h", "35h")).expect("written");
    daemon.signal(Signal::HUP);
    // Both are told to end, although neither can.
    daemon.says(GONE).await;
    let both_told =
        || [("overlap", 1), ("remove-current", 1)].iter().all(|(name, n)| was_removed(name, &daemon.log()) == *n);
    place.until(OVERLAP, "both are told to end", |_| both_told()).await;
    // The second comes to its end while the first is still held.
    let [first, second] = holds;
    second.go();
    let ended = || daemon.log().contains("\"reason\":\"Rotated\"");
    place.until(OVERLAP, "one has come to its end", |_| ended()).await;
    first.go();
    daemon.says(READ).await;
    for n in [OVERLAP, REMOVE_CURRENT] {
        rotates(&place, n, tokens[n]).await;
        judge(&place.sandbox.world(n), 2).unwrap_or_else(|why| panic!("{why}\n{}", daemon.log()));
    }
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().await, Some(0));
}

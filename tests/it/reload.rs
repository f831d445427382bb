//! Signals while a reload waits for a rotation: none is left unheard.

use rustix::process::Signal;

use super::place::{
    Daemon, OVERLAP, Place, REMOVE_CURRENT, SPEED, about_to_be_due, hourly, is_at_rest_with_newer, judge, only,
};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Hold, Side, Which};
use crate::world::{Op, Schedule, TokenNo, World};

const WAITS: &str = "no longer tended as it was configured";
const ENDS: &str = "a rotation under way is brought to a safe point";
const DONE: &str = "the configuration was read again";

/// A daemon that has been told to reload and waits for its rotation, which is held right after the issue.
struct Reloading {
    place: Place,
    daemon: Daemon,
    hold: Hold,
    token: TokenNo,
}

async fn reloading() -> Reloading {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(OVERLAP, &hourly(&text))).await;
    let token = place.sandbox.world(OVERLAP).saved_token().expect("a token");
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::After);
    let daemon = place.daemon(&[]);
    hold.reached().await;
    let text = std::fs::read_to_string(&place.setup.config).expect("the configuration");
    std::fs::write(&place.setup.config, text.replace("36h", "35h")).expect("written");
    daemon.signal(Signal::HUP);
    daemon.says(WAITS).await;
    Reloading { place, daemon, hold, token }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_during_a_reload_ends_the_daemon_once_the_rotation_is_at_a_safe_point() {
    let Reloading { place, mut daemon, hold, token } = reloading().await;
    daemon.signal(Signal::TERM);
    daemon.says(ENDS).await;
    hold.go();
    assert_eq!(daemon.ended().await, Some(0), "{}", daemon.log());
    let world = place.sandbox.world(OVERLAP);
    assert!(world.saved_token() > Some(token), "{}\n{}", world.ledger.trace(), daemon.log());
    assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{}", world.ledger.trace());
    assert!(!daemon.log().contains(DONE), "the reload is not carried on\n{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_file_that_was_mended_in_its_place_is_taken_up_by_a_reload() {
    let other = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
    let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
    let ca = place.setup.folder.join("sandbox/ca.pem");
    let right = std::fs::read_to_string(&ca).expect("a CA");
    std::fs::write(&ca, &other.sandbox.ca_pem).expect("written");
    let daemon = place.daemon(&[]);
    daemon.says("certificate is not accepted").await;
    std::fs::write(&ca, right).expect("written");
    daemon.signal(Signal::HUP);
    daemon.says(WAITS).await;
    place.until(OVERLAP, "the first contact is made", |world| is_at_rest_with_newer(world, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_during_a_reload_ends_the_daemon_at_once() {
    let Reloading { place, mut daemon, hold, token } = reloading().await;
    daemon.signal(Signal::TERM);
    daemon.says(ENDS).await;
    daemon.signal(Signal::TERM);
    // The request is still held: whoever waited for it would never end.
    assert_eq!(daemon.ended().await, Some(0), "{}", daemon.log());
    hold.cut();
    let _next = place.daemon(&[]);
    place.until(OVERLAP, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    judge(&place.sandbox.world(OVERLAP), 3).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sighup_during_a_reload_comes_to_one_more_reload() {
    let Reloading { place, mut daemon, hold, token } = reloading().await;
    daemon.signal(Signal::HUP);
    daemon.signal(Signal::HUP);
    hold.go();
    place.until(OVERLAP, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().await, Some(0), "{}", daemon.log());
    assert_eq!(daemon.log().matches(DONE).count(), 2, "{}", daemon.log());
    judge(&place.sandbox.world(OVERLAP), 2).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_reload_waits_for_one_connection_another_is_added_tended_and_obeys_and_an_order_for_the_one_waits_for_it()
 {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| hourly(&text)).await;
    let both = std::fs::read_to_string(&place.setup.config).expect("the configuration");
    std::fs::write(&place.setup.config, only(OVERLAP, &both)).expect("written");
    let tokens = [OVERLAP, REMOVE_CURRENT].map(|n| place.sandbox.world(n).saved_token().expect("a token"));
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::After);
    let daemon = place.daemon(&[]);
    hold.reached().await;
    let changed = both.replace("{ mode = \"overlap\" }", "{ mode = \"overlap\", jitter = \"1m\" }");
    std::fs::write(&place.setup.config, changed).expect("written");
    daemon.signal(Signal::HUP);
    daemon.says(WAITS).await;
    daemon.says("waits until what is under way is at a safe point").await;
    let at_rest = |world: &World| is_at_rest_with_newer(world, tokens[REMOVE_CURRENT]);
    place.until(REMOVE_CURRENT, "the one that is new is rotated", at_rest).await;
    let output = place.run(&["hold", "remove-current", "--for", "2h"]).await;
    assert_eq!(output.status.code(), Some(0), "{}\n{}", String::from_utf8_lossy(&output.stderr), daemon.log());
    assert!(!daemon.log().contains(DONE), "the reload still waits\n{}", daemon.log());
    let order = place.run(&["hold", "overlap", "--for", "2h"]);
    let goes_on = async {
        let came = || daemon.log().matches("a command has come").count() == 2;
        place.until(OVERLAP, "the order has come", |_| came()).await;
        hold.go();
    };
    let (output, ()) = tokio::join!(order, goes_on);
    assert_eq!(output.status.code(), Some(0), "{}\n{}", String::from_utf8_lossy(&output.stderr), daemon.log());
    daemon.says(DONE).await;
    for n in [OVERLAP, REMOVE_CURRENT] {
        place.until(n, "it is confirmed", |world| is_at_rest_with_newer(world, tokens[n])).await;
        judge(&place.sandbox.world(n), 2).unwrap_or_else(|why| panic!("{why}\n{}", daemon.log()));
    }
}

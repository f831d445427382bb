//! Signals while a reload waits for a rotation: none is left unheard.

use rustix::process::Signal;

use super::place::{Daemon, OVERLAP, Place, SPEED, about_to_be_due, hourly, is_at_rest_with_newer, judge, only};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Hold, Side, Which};
use crate::world::{Op, Schedule, TokenNo};

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

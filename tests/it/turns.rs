//! The real binary, where not all connections may rotate at the same time.

use rustix::process::Signal;

use super::place::{BINARY, OVERLAP, Place, REMOVE_CURRENT, SPEED, about_to_be_due, is_at_rest_with_newer, judge};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Hold, Side, Which};
use crate::world::{Op, TokenNo};

const BOTH: [usize; 2] = [OVERLAP, REMOVE_CURRENT];

fn one_at_once(text: String) -> String {
    format!("[rotations]\nat_once = 1\n\n{text}")
}

/// Where only who has its turn comes by: a wait for the gap between two cycles, in which the turn is given back, comes after it.
const HAS_ITS_TURN: Which = Which::Next(Op::SettingsRead);

/// A daemon with two connections that are due. One of them is about to ask the issuer; the other one waits for its turn.
async fn one_waits() -> (Place, super::place::Daemon, Hold, [TokenNo; 2]) {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, one_at_once).await;
    let tokens = BOTH.map(|number| place.sandbox.world(number).saved_token().expect("a token"));
    let gate = place.sandbox.gate();
    let mut first = gate.hold(HAS_ITS_TURN, Side::Before);
    let daemon = place.daemon(&[]);
    first.reached().await;
    daemon.says("Queued").await;
    let mut hold = gate.hold(Which::Next(Op::Issue), Side::Before);
    first.go();
    hold.reached().await;
    assert_eq!(issued(&place), 2, "nothing but the first tokens of both");
    (place, daemon, hold, tokens)
}

fn issued(place: &Place) -> u32 {
    BOTH.iter().map(|number| place.sandbox.world(*number).ledger.issued).sum()
}

async fn both_rotate(place: &Place, tokens: [TokenNo; 2]) {
    for (number, token) in BOTH.into_iter().zip(tokens) {
        place.until(number, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
        judge(&place.sandbox.world(number), 3).unwrap_or_else(|why| panic!("{why}\n{}", place.logs()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_due_waits_until_another_one_has_rotated_and_rotates_then() {
    let (place, _daemon, hold, tokens) = one_waits().await;
    let check = place.run(&["check"]).await;
    assert_ne!(check.status.code(), Some(0), "it is due, or unfinished, for whoever asks");
    hold.go();
    both_rotate(&place, tokens).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_allows_more_rotations_at_once_lets_those_who_wait_begin_and_touches_nobody() {
    let (place, daemon, hold, tokens) = one_waits().await;
    let text = std::fs::read_to_string(&place.setup.config).expect("the configuration");
    std::fs::write(&place.setup.config, text.replace("at_once = 1", "at_once = 2\nat_once_per_host = 2"))
        .expect("written");
    daemon.signal(Signal::HUP);
    let begun = |number: usize| place.sandbox.world(number).ledger.issued == 2;
    let began = std::time::Instant::now();
    while !BOTH.into_iter().any(begun) {
        assert!(began.elapsed() < super::place::PATIENCE, "the other one never begins\n{}", daemon.log());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(!daemon.log().contains("no longer tended as it was configured"), "{}", daemon.log());
    hold.go();
    both_rotate(&place, tokens).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn once_makes_its_rotations_one_after_the_other_where_no_more_are_allowed() {
    let place = Place::new(worlds(|_| ()), SPEED, one_at_once).await;
    let mut first = place.sandbox.gate().hold(HAS_ITS_TURN, Side::Before);
    let mut once = place.setup.command(BINARY);
    once.arg("once");
    let mut once = place.daemon_by(once);
    first.reached().await;
    once.says("Queued").await;
    first.go();
    assert_eq!(once.ended().await, Some(0), "{}", once.log());
    for number in BOTH {
        let world = place.sandbox.world(number);
        assert_eq!((world.ledger.issued, world.saved_token()), (1, Some(2)), "{}", world.ledger.trace());
    }
}

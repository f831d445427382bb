//! A connection that a reload takes away, or leads elsewhere, in the middle of a rotation: what it has begun is brought to its
//! end first, so that no job is left paused; or it is said loudly what is left behind, and which act of a person ends it.

use std::fs;

use chrono::TimeDelta;
use rustix::process::Signal;

use super::place::{Daemon, OVERLAP, Place, REMOVE_CURRENT, about_to_be_due, hourly, is_at_rest_with_newer, only};
use crate::sandbox::{Side, Which};
use crate::world::{Fault, Op, Schedule, Service, TokenNo, World};

/// Slower than elsewhere: what is open is waited for by the hour, which is to outlast the stall of a busy machine.
const SPEED: f64 = 900.0;
const GONE: &str = "no longer tended as it was configured";
const LEFT: &str = "it is left behind";

/// A daemon that tends one connection, whose answer of the issuer is on its way, and the configurations of each alone.
struct Rotating {
    place: Place,
    daemon: Daemon,
    token: TokenNo,
    own: String,
    other: String,
}

impl Rotating {
    /// Asks the issuer under a pause, reloads with what `change` makes of the configurations, and loses the answer.
    async fn reloaded(change: impl FnOnce(&str, &str) -> String) -> Self {
        Self::reloaded_where(change, |_| ()).await
    }

    /// The same, where `befalls` befalls the world before the answer is lost.
    async fn reloaded_where(change: impl FnOnce(&str, &str) -> String, befalls: impl FnOnce(&mut World)) -> Self {
        let mut texts = (String::new(), String::new());
        let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| {
            texts = (only(OVERLAP, &hourly(&text)), only(REMOVE_CURRENT, &hourly(&text)));
            texts.0.clone()
        })
        .await;
        let own = fs::read_to_string(&place.setup.config).expect("the configuration");
        let (_, other) = texts.1.split_once("[[connections]]").expect("a connection");
        let (head, _) = own.split_once("[[connections]]").expect("a connection");
        let other = format!("{head}[[connections]]{other}");
        let token = place.sandbox.world(OVERLAP).saved_token().expect("a token");
        let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::After);
        let daemon = place.daemon(&[]);
        hold.reached().await;
        assert_eq!(place.sandbox.world(OVERLAP).jobs()[0].schedule, Schedule::Paused, "{}", daemon.log());
        fs::write(&place.setup.config, change(&own, &other)).expect("written");
        daemon.signal(Signal::HUP);
        daemon.says(GONE).await;
        befalls(&mut place.sandbox.world(OVERLAP));
        hold.cut();
        Self { place, daemon, token, own, other }
    }

    async fn comes_to_rest(&self) {
        let is_finished = |world: &World| {
            let newest = world.versions().last().and_then(|version| version.tags.get("stage"));
            world.entra_holds_a_working_token()
                && world.saved_token().is_some_and(|saved| saved > self.token)
                && world.jobs()[0].schedule == Schedule::Active
                && newest.is_some_and(|stage| stage == "current")
        };
        self.place.until(OVERLAP, "what was begun is brought to its end", is_finished).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_connection_has_begun_is_brought_to_its_end_although_the_answer_of_the_issuer_is_lost() {
    let rotating = Rotating::reloaded(|_, other| other.to_owned()).await;
    rotating.comes_to_rest().await;
    let Rotating { place, mut daemon, .. } = rotating;
    daemon.says("nothing of it is left open").await;
    let looks = |world: &World| world.faults.calls(Op::JobRead);
    let (seen, other) = (looks(&place.sandbox.world(OVERLAP)), looks(&place.sandbox.world(REMOVE_CURRENT)));
    place.until(REMOVE_CURRENT, "the other one is looked at for hours", |world| looks(world) > other + 4).await;
    assert_eq!(looks(&place.sandbox.world(OVERLAP)), seen, "nobody tends it any more\n{}", daemon.log());
    assert!(!daemon.log().contains(LEFT), "{}", daemon.log());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().await, Some(0), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_renamed_connection_has_begun_is_brought_to_its_end_under_its_new_name() {
    let renamed = |own: &str, _: &str| own.replace("name = \"overlap\"", "name = \"another-name\"");
    let rotating = Rotating::reloaded(renamed).await;
    rotating.comes_to_rest().await;
    let log = rotating.daemon.log();
    assert!(!log.contains(LEFT), "{log}");
    let token = rotating.token;
    let (place, at_rest) = (&rotating.place, |world: &World| is_at_rest_with_newer(world, token));
    place.until(OVERLAP, "the rotation is confirmed by who tends it now", at_rest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_for_one_secret_is_brought_to_its_end_before_another_secret_is_tended() {
    let led_elsewhere = |own: &str, _: &str| own.replace("secret = \"greenlake-scim-token\"", "secret = \"another\"");
    let rotating = Rotating::reloaded(led_elsewhere).await;
    rotating.comes_to_rest().await;
    rotating.daemon.says("the configuration was read again").await;
    let log = rotating.daemon.log();
    let (ended, begun) = (log.find("nothing of it is left open"), log.find("the configuration was read again"));
    assert!(ended.is_some() && ended < begun, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_connection_leaves_open_is_said_with_the_persons_part_until_the_connection_returns() {
    let out_of_order = |world: &mut World| {
        let now = world.now();
        world.faults.during(Service::Hpe, now, now + TimeDelta::days(10_000), Fault::Status(503, None));
        world.faults.during(Service::Graph, now, now + TimeDelta::days(10_000), Fault::Status(503, None));
    };
    let rotating = Rotating::reloaded_where(|_, other| other.to_owned(), out_of_order).await;
    let Rotating { place, daemon, own, token, other } = &rotating;
    daemon.says(LEFT).await;
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains(LEFT)).expect("it was said");
    let job = place.sandbox.world(OVERLAP).jobs()[0].id.clone();
    for part in ["\"ERROR\"", "\"connection\":\"overlap\"", &job, "paused by us", "put the connection back"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    for (arguments, code) in [(&["health", "--ready"][..], 1), (&["status"], 0)] {
        let output = place.run(arguments).await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("overlap.left-behind") && said.contains("LeftBehind"), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    }
    place.sandbox.world(OVERLAP).faults.clear();
    let (_, connection) = own.split_once("[[connections]]").expect("a connection");
    fs::write(&place.setup.config, format!("{other}\n[[connections]]{connection}")).expect("written");
    daemon.signal(Signal::HUP);
    let at_rest = |world: &World| is_at_rest_with_newer(world, *token);
    place.until(OVERLAP, "it is taken up where it was left", at_rest).await;
    let health = place.run(&["health"]).await;
    assert!(!String::from_utf8_lossy(&health.stdout).contains("left-behind"), "{}", daemon.log());
}

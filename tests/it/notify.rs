//! Who is told by webhook, and that nobody who hangs or fails delays anything.

use std::fs;
use std::time::Instant;

use chrono::TimeDelta;
use rustix::process::Signal;

use super::place::{Daemon, OVERLAP, PATIENCE, Place, about_to_be_due, hourly, is_at_rest_with_newer, judge, only};
use crate::sandbox::hooks::{Hooks, Mood};
use crate::sandbox::setup::worlds;
use crate::world::{Op, Timestamp, World};

/// The configuration with a receiver for each name (one that begins with `teams` gets cards) and a heartbeat.
pub fn telling(text: &str, receivers: &[&str]) -> String {
    let receivers = receivers.iter().map(|name| {
        let kind = if name.starts_with("teams") { "teams" } else { "json" };
        format!("\n[[notify]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl_file = \"./sandbox/hook-{name}\"\n")
    });
    let heartbeat = "\n[heartbeat]\nurl_file = \"./sandbox/hook-heart\"\nevery = \"5m\"\n";
    // A webhook that hangs is given up by a clock that the sandbox does not speed up.
    let limits = "[http]\ntimeout = \"2s\"\nconnect_timeout = \"2s\"\n";
    format!("{}{}{heartbeat}", text.replace("[http]\n", limits), receivers.collect::<String>())
}

/// Writes the files that hold the URLs.
pub fn write_urls(place: &Place, receivers: &[&str]) {
    for name in receivers.iter().chain(&["heart"]) {
        let url = Hooks::url(name, place.sandbox.address.port());
        fs::write(place.setup.folder.join(format!("sandbox/hook-{name}")), url).expect("written");
    }
}

/// Slower than elsewhere: a message is kept for a day, which is to outlast the stall of a busy machine.
const SPEED: f64 = 1800.0;

async fn place(worlds: Vec<std::sync::Arc<std::sync::Mutex<World>>>, receivers: &[&str]) -> Place {
    let place = Place::new(worlds, SPEED, |text| telling(&only(OVERLAP, &hourly(&text)), receivers)).await;
    write_urls(&place, receivers);
    place
}

/// Returns once this holds.
async fn until(place: &Place, what: &str, condition: impl Fn(&Hooks) -> bool) {
    let began = Instant::now();
    while !condition(place.sandbox.hooks()) {
        assert!(began.elapsed() < PATIENCE, "it never came to pass that {what}\n{}", place.logs());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn until_it_is(place: &Place, moment: Timestamp) {
    until(place, "time passes", |_| place.sandbox.clock().now() >= moment).await;
}

async fn ready(place: &Place) -> Daemon {
    let daemon = place.daemon(&[]);
    daemon.says("\"ready\"").await;
    daemon
}

fn events(posts: &[&str]) -> Vec<String> {
    posts.iter().map(|event| (*event).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_and_its_confirmation_arrive_and_the_heart_beats_until_the_process_is_gone() {
    let place = place(about_to_be_due(|_| ()).await, &["ops", "teams"]).await;
    let daemon = ready(&place).await;
    let hooks = place.sandbox.hooks();
    until(&place, "both are told", |hooks| hooks.taken("ops").len() >= 2 && hooks.posts("teams").len() >= 2).await;
    assert_eq!(hooks.taken("ops"), events(&["rotated", "confirmed"]), "{}", daemon.log());
    let told = &hooks.posts("ops")[0];
    assert_eq!((told.method.as_str(), &told.body["connection"]), ("POST", &"overlap".into()));
    assert!(told.body["slack_seconds"].as_i64() > Some(0) && told.body["expires"].is_string(), "{}", told.body);
    let card = &hooks.posts("teams")[0].body["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert!(card["content"].to_string().contains("overlap: rotated"), "{card}");
    until(&place, "the heart beats", |hooks| hooks.posts("heart").len() > 3).await;
    assert!(hooks.posts("heart").iter().all(|post| post.method == "GET"));
    daemon.kill();
    let gone = place.sandbox.clock().now() + TimeDelta::minutes(30);
    until_it_is(&place, gone).await;
    let before = hooks.posts("heart").len();
    until_it_is(&place, gone + TimeDelta::hours(2)).await;
    assert_eq!(hooks.posts("heart").len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_hang_or_answer_500_for_half_a_day_delay_nothing_and_get_their_messages_in_the_end() {
    let place = place(about_to_be_due(|_| ()).await, &["hung", "broken", "ops"]).await;
    let hooks = place.sandbox.hooks();
    hooks.set("hung", Mood::Hangs);
    hooks.set("broken", Mood::Answers(500));
    let token = place.sandbox.world(OVERLAP).saved_token().expect("a token");
    let daemon = ready(&place).await;
    place.until(OVERLAP, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    judge(&place.sandbox.world(OVERLAP), 2).unwrap_or_else(|why| panic!("{why}"));
    until(&place, "who takes everything is told", |hooks| hooks.taken("ops").len() == 2).await;
    let told = hooks.posts("ops")[1].at;
    until_it_is(&place, told + TimeDelta::hours(12)).await;
    assert!(hooks.taken("hung").is_empty() && hooks.taken("broken").is_empty());
    assert!(hooks.posts("broken").len() < 40, "{}", hooks.posts("broken").len());
    hooks.set("hung", Mood::Takes);
    hooks.set("broken", Mood::Takes);
    let both = |hooks: &Hooks| ["hung", "broken"].iter().all(|name| hooks.taken(name).len() >= 2);
    until(&place, "they get what waited", both).await;
    for name in ["hung", "broken"] {
        assert_eq!(hooks.taken(name)[..2], events(&["rotated", "confirmed"]));
        let ids = |name: &str| hooks.posts(name).into_iter().map(|post| post.body["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(name)[0], ids("ops")[0], "the same message is sent again");
    }
    let log = daemon.log();
    assert!(log.contains("a notification is not taken yet") && !log.contains("a notification is given up"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_person_is_told_once_and_that_it_is_well_again_once() {
    let receivers = ["ops"];
    let bend =
        |text: String| telling(&only(OVERLAP, &hourly(&text)).replace("bootstrap = \"rotate\"\n", ""), &receivers);
    let life = |settings: &mut crate::world::Settings| settings.token_life = TimeDelta::days(300);
    let place = Place::new(worlds(life), SPEED, bend).await;
    write_urls(&place, &receivers);
    let mut daemon = ready(&place).await;
    until(&place, "a person is called", |hooks| !hooks.taken("ops").is_empty()).await;
    let looks = place.sandbox.world(OVERLAP).faults.calls(Op::JobRead);
    place.until(OVERLAP, "it is looked at again", |world| world.faults.calls(Op::JobRead) > looks + 4).await;
    let hooks = place.sandbox.hooks();
    assert_eq!(hooks.taken("ops"), events(&["needs-human"]));
    let told = &hooks.posts("ops")[0].body;
    assert_eq!(told["reason"], "NotAdopted");
    assert!(told["remedy"].as_str().is_some_and(|remedy| remedy.contains("scim-rotator rotate overlap")), "{told}");
    assert_eq!(place.run(&["rotate", "overlap"]).await.status.code(), Some(0), "{}", daemon.log());
    until(&place, "it is told what came of it", |hooks| hooks.taken("ops").len() >= 4).await;
    let mut after = hooks.taken("ops")[1..].to_vec();
    after.sort();
    assert_eq!(after, events(&["confirmed", "healed", "rotated"]));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().await, Some(0), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn notify_test_says_what_each_receiver_answers_and_calls_no_heartbeat() {
    let place = place(worlds(|_| ()), &["ops", "teams"]).await;
    let hooks = place.sandbox.hooks();
    let test = async |arguments: &[&str], code: i32, words: &[&str]| {
        let output = place.run(&[&["notify", "test"], arguments].concat()).await;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{word:?}: {said}"));
    };
    test(&[], 0, &["ops: taken: hooks.sandbox.test answered 202", "teams: taken"]).await;
    assert_eq!((hooks.taken("ops"), hooks.posts("teams").len()), (events(&["test"]), 1));
    hooks.set("ops", Mood::Answers(403));
    test(&[], 1, &["ops: refused: hooks.sandbox.test answered 403 — ", "copy the URL anew", "teams: taken"]).await;
    test(&["teams"], 0, &["teams: taken"]).await;
    let output = place.run(&["notify", "test", "--json"]).await;
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!((&document["receivers"][0]["outcome"], output.status.code()), (&"refused".into(), Some(1)));
    hooks.set("ops", Mood::Hangs);
    test(&["ops"], 1, &["ops: not taken, the daemon would try again: hooks.sandbox.test: "]).await;
    test(&["nobody"], 64, &["there is no receiver \"nobody\"; the configuration has ops, teams"]).await;
    assert!(hooks.posts("heart").is_empty());
}

//! What a person asks for, through the real binary: by the running daemon where there is one, by the command itself where
//! there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use chrono::TimeDelta;
use rustix::process::Signal;

use super::place::{
    BINARY, Daemon, OVERLAP, Place, REMOVE_CURRENT, SPEED, about_to_be_due, is_at_rest_with_newer, judge, only,
};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Side, Which};
use crate::world::{Op, Schedule, World};

const NAMES: [&str; 2] = ["overlap", "remove-current"];

/// What a command answered.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn of(output: std::process::Output) -> Self {
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Self { code: output.status.code(), out, err }
    }

    #[track_caller]
    fn with(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        for word in words {
            assert!(self.out.contains(word) || self.err.contains(word), "{word:?}: {}\n{}", self.out, self.err);
        }
        self
    }
}

async fn say(place: &Place, arguments: &[&str]) -> Said {
    Said::of(place.run(arguments).await)
}

/// Both connections hold a first token of ours, and nothing is due for months.
async fn resting() -> Place {
    let place = Place::new(worlds(|settings| settings.token_life = TimeDelta::days(300)), SPEED, |text| text).await;
    say(&place, &["once"]).await.with(0, &[]);
    place
}

async fn ready(place: &Place) -> Daemon {
    let daemon = place.daemon(&[]);
    daemon.says("\"ready\"").await;
    daemon
}

fn saved(place: &Place, connection: usize) -> u32 {
    place.sandbox.world(connection).saved_token().expect("a token")
}

fn saved_value(place: &Place, connection: usize) -> String {
    let world = place.sandbox.world(connection);
    let number = world.saved_token().expect("a token");
    world.token_values().nth(number as usize - 1).expect("HPE made it").to_owned()
}

fn stages(world: &World) -> Vec<&str> {
    world.versions().iter().filter_map(|version| version.tags.get("stage").map(String::as_str)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_is_carried_out_in_the_mode_that_is_named_with_and_without_a_daemon() {
    let place = resting().await;
    let before = [OVERLAP, REMOVE_CURRENT].map(|connection| saved(&place, connection));
    for name in NAMES {
        say(&place, &["rotate", name]).await.with(0, &[&format!("{name}: "), "done: Entra holds a new token", "next:"]);
    }
    let middle = [OVERLAP, REMOVE_CURRENT].map(|connection| saved_value(&place, connection));
    let daemon = ready(&place).await;
    for (name, mode) in NAMES.into_iter().zip(["remove-current", "overlap"]) {
        say(&place, &["rotate", name, "--mode", mode]).await.with(0, &["done: Entra holds a new token"]);
    }
    assert_eq!(daemon.log().matches("a command has come").count(), 2, "{}", daemon.log());
    assert!(daemon.log().contains("peer.uid") && daemon.log().contains("peer.pid"), "{}", daemon.log());
    for connection in [OVERLAP, REMOVE_CURRENT] {
        assert_eq!(saved(&place, connection), before[connection] + 2);
        judge(&place.sandbox.world(connection), 3).unwrap_or_else(|why| panic!("{why}"));
    }
    let world = place.sandbox.world(OVERLAP);
    assert!(!world.accepts(&middle[OVERLAP]), "remove-current was asked for\n{}", world.ledger.trace());
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_for_json_every_command_answers_with_one_document_and_nothing_else() {
    let place = Place::new(worlds(|settings| settings.token_life = TimeDelta::days(300)), SPEED, |text| text).await;
    let token = place.setup.folder.join("token");
    let file = token.to_str().expect("a path");
    let mut daemon = None;
    for with_daemon in [false, true] {
        if with_daemon {
            daemon = Some(ready(&place).await);
        } else {
            let once = document(say(&place, &["once", "--json"]).await, 0);
            assert_eq!(once["connections"][0]["connection"], "overlap");
        }
        assert_eq!(document(say(&place, &["rotate", "overlap", "--json"]).await, 0)["carried_out"], true);
        fs::write(&token, saved_value(&place, OVERLAP)).expect("a file");
        let again = document(say(&place, &["adopt", "overlap", "--token-file", file, "--json"]).await, 1);
        assert_eq!((&again["carried_out"], &again["report"]["connection"]), (&false.into(), &"overlap".into()));
        for (order, stands) in
            [(&["hold", "overlap", "--for", "2h", "--json"][..], true), (&["release", "overlap", "--json"], false)]
        {
            let said = document(say(&place, order).await, 0);
            assert_eq!(
                (&said["carried_out"], said["report"]["held_until"].is_string()),
                (&true.into(), stands),
                "{said}"
            );
        }
        for look in
            [&["check", "--json"][..], &["check", "--json", "--fresh"], &["status", "--json"], &["plan", "--json"]]
        {
            let said = document(say(&place, look).await, 0);
            assert_eq!(said["connections"].as_array().map(Vec::len), Some(2), "{look:?}: {said}");
        }
        assert!(document(say(&place, &["history", "overlap", "--json"]).await, 0)["deeds"].is_array());
        assert_eq!(document(say(&place, &["doctor", "overlap", "--json"]).await, 0)["faults"], 0);
    }
    assert_eq!(document(say(&place, &["health", "--json"]).await, 0)["live"], true);
    let usable = document(say(&place, &["config", "check", "--json"]).await, 0);
    assert_eq!((&usable["usable"], &usable["connections"][1]["name"]), (&true.into(), &"remove-current".into()));
    drop(daemon);
    let config = place.setup.folder.join("scim-rotator.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, text.replacen("rotate_before_expiry", "rotate_before_expiri", 1)).expect("a file");
    let refused = document(say(&place, &["config", "check", "--json"]).await, 78);
    assert!(refused["problems"][0].as_str().is_some_and(|problem| problem.contains("expiri")), "{refused}");
}

/// What was said on standard output, as a whole.
#[track_caller]
fn document(said: Said, code: i32) -> serde_json::Value {
    let said = said.with(code, &[]);
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", said.out, said.err))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compromised_token_is_dead_when_the_command_returns_and_no_cycle_has_failed() {
    let place = resting().await;
    let mut daemon = None;
    for with_daemon in [false, true] {
        if with_daemon {
            daemon = Some(ready(&place).await);
        }
        let old = saved_value(&place, OVERLAP);
        let words = ["done:", "HPE has removed the compromised one"];
        say(&place, &["rotate", "overlap", "--reason", "compromised"]).await.with(0, &words);
        let world = place.sandbox.world(OVERLAP);
        assert!(!world.accepts(&old), "{}", world.ledger.trace());
        assert_eq!(world.jobs()[0].schedule, Schedule::Active);
        judge(&world, 3).unwrap_or_else(|why| panic!("{why}"));
    }
    assert!(daemon.is_some_and(|daemon| daemon.log().contains("Compromised")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_survives_a_restart_of_the_daemon_until_it_is_released() {
    // Ten minutes in a second: the last safe moment, a day away, must not come before the test is over.
    let place = Place::new(about_to_be_due(|_| ()).await, 600.0, |text| only(OVERLAP, &text)).await;
    let token = saved(&place, OVERLAP);
    let words = ["done: no rotation by policy before", "scim-rotator release overlap"];
    say(&place, &["hold", "overlap", "--for", "20h"]).await.with(0, &words);
    for _ in ["the first daemon", "the next one"] {
        let daemon = ready(&place).await;
        daemon.says("\"Held\"").await;
        daemon.kill();
    }
    let daemon = ready(&place).await;
    let status = say(&place, &["status"]).await.with(0, &["[Held]", "put rotations by policy off until"]);
    assert!(status.out.contains("to do: `scim-rotator release overlap`"), "{}", status.out);
    assert_eq!(place.sandbox.world(OVERLAP).ledger.issued, 1);
    say(&place, &["release", "overlap"]).await.with(0, &["done: policy alone"]);
    place.until(OVERLAP, "it is rotated", |world| is_at_rest_with_newer(world, token)).await;
    assert!(daemon.log().contains("Released"), "{}", daemon.log());
    say(&place, &["hold", "overlap", "--for", "1h"]).await.with(0, &["nothing is due before"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_beyond_the_last_safe_moment_says_that_it_is_beaten() {
    let change = |settings: &mut crate::world::Settings| settings.token_life = TimeDelta::days(20);
    let place = Place::new(worlds(change), SPEED, |text| only(OVERLAP, &text)).await;
    say(&place, &["once"]).await.with(0, &[]);
    let words = ["done: no rotation", "but the last safe moment", "before the end of the hold and beats it"];
    say(&place, &["hold", "overlap", "--for", "60days"]).await.with(0, &words);
    for usage in [["hold", "overlap", "--for", "91days"], ["hold", "overlap", "--for", "soon"]] {
        say(&place, &usage).await.with(64, &["--for"]);
    }
    say(&place, &["release", "overlap"]).await.with(0, &["done:"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn adopt_brings_a_token_that_a_person_made_to_entra_with_and_without_a_daemon() {
    let place = resting().await;
    let file = place.setup.folder.join("by-hand");
    let mut daemon = None;
    for with_daemon in [false, true] {
        if with_daemon {
            daemon = Some(ready(&place).await);
        }
        let value = place.sandbox.world(OVERLAP).person_rotates(false);
        fs::write(&file, format!("{value}\n")).expect("written");
        let mode = if with_daemon { 0o644 } else { 0o600 };
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("ours");
        let expires = (place.sandbox.world(OVERLAP).now() + TimeDelta::days(200)).format("%Y-%m-%d").to_string();
        let path = file.to_string_lossy();
        let words = ["done: Entra holds the token that you brought", &expires];
        let arguments = ["adopt", "overlap", "--token-file", &path, "--expires", &expires];
        let said = say(&place, &arguments).await.with(0, &words);
        assert_eq!(said.err.contains("can be read by every user"), with_daemon, "{}", said.err);
        assert_eq!(saved_value(&place, OVERLAP), value);
        let world = place.sandbox.world(OVERLAP);
        assert_eq!(stages(&world).last(), Some(&"current"), "{}", world.ledger.trace());
        judge(&world, 1).unwrap_or_else(|why| panic!("{why}"));
    }
    assert!(daemon.is_some_and(|daemon| daemon.log().contains("a command has come")));
    let path = file.to_string_lossy();
    let words = ["adopt failed: the token is the current one already"];
    say(&place, &["adopt", "overlap", "--token-file", &path]).await.with(1, &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_work_is_put_aside_and_nothing_else_changes() {
    let place = resting().await;
    let file = place.setup.folder.join("by-hand");
    fs::write(&file, "this-token-was-never-made").expect("written");
    let path = file.to_string_lossy();
    let before = saved(&place, OVERLAP);
    for with_daemon in [false, true] {
        let _daemon = if with_daemon { Some(ready(&place).await) } else { None };
        let words = ["adopt failed: the new token was refused and has been put aside"];
        say(&place, &["adopt", "overlap", "--token-file", &path]).await.with(1, &words);
        assert_eq!(saved(&place, OVERLAP), before);
        let world = place.sandbox.world(OVERLAP);
        assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{}", world.ledger.trace());
        let latest = world.versions().last().expect("a version").value.clone();
        assert!(world.accepts(&latest), "whoever reads the latest gets a good one");
        judge(&world, 1).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_that_holds_no_token_and_a_date_that_makes_no_sense_are_named_and_nothing_is_touched() {
    let place = resting().await;
    let versions = place.sandbox.world(OVERLAP).versions().len();
    let file = place.setup.folder.join("by-hand");
    let path = file.to_string_lossy().into_owned();
    let arguments = ["adopt", "overlap", "--token-file", &path];
    say(&place, &arguments).await.with(1, &["by-hand", "does not exist"]);
    for (content, words) in [
        ("\n", "is empty"),
        ("short", "has 5 characters"),
        ("two words of it", "position 3"),
        ("<html>no token</html>", "cannot stand in an Authorization header"),
    ] {
        fs::write(&file, content).expect("written");
        let said = say(&place, &arguments).await.with(1, &["by-hand", words]);
        assert!(!said.err.contains(content.trim()) || content.trim().is_empty(), "{}", said.err);
    }
    fs::write(&file, "a-token-as-it-may-be").expect("written");
    for with_daemon in [false, true] {
        let _daemon = if with_daemon { Some(ready(&place).await) } else { None };
        for (date, words) in [("2020-01-01", "would be dead since"), ("2099-01-01", "more than ten years")] {
            let arguments = ["adopt", "overlap", "--token-file", &path, "--expires", date];
            say(&place, &arguments).await.with(1, &[words]);
        }
    }
    let arguments = ["adopt", "overlap", "--token-file", &path, "--expires", "soon"];
    say(&place, &arguments).await.with(64, &["--expires"]);
    assert_eq!(place.sandbox.world(OVERLAP).versions().len(), versions);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_is_answered_with_the_names_that_there_are() {
    let place = resting().await;
    for command in [&["rotate", "prod"][..], &["release", "prod"], &["hold", "prod", "--for", "1h"]] {
        say(&place, command).await.with(64, &["no connection \"prod\"", "overlap, remove-current"]);
    }
    // The configuration has a name that the daemon has not read yet.
    let daemon = ready(&place).await;
    let text = fs::read_to_string(&place.setup.config).expect("the configuration");
    fs::write(&place.setup.config, text.replace("name = \"overlap\"", "name = \"renamed\"")).expect("written");
    let words = ["the daemon has no connection \"renamed\"", "overlap, remove-current", "has not read"];
    say(&place, &["release", "renamed"]).await.with(1, &words);
    daemon.signal(Signal::HUP);
    daemon.says("was read again").await;
    say(&place, &["release", "renamed"]).await.with(0, &["done:"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_no_success_although_the_rotation_before_it_was_one() {
    let place = resting().await;
    let _daemon = ready(&place).await;
    for _ in 0..3 {
        say(&place, &["rotate", "overlap"]).await.with(0, &["done:"]);
    }
    let words = ["rotate was not taken up: four tokens were issued within a day", "[IssueBudgetSpent]", "to do: read"];
    say(&place, &["rotate", "overlap"]).await.with(1, &words);
    assert_eq!(place.sandbox.world(OVERLAP).ledger.issued, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commands_at_the_same_time_do_not_disturb_each_other() {
    let place = resting().await;
    // Without a daemon the second one is told who is at work.
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::Before);
    let (first, second) = tokio::join!(place.run(&["rotate", "overlap"]), async {
        hold.reached().await;
        let second = place.run(&["hold", "overlap", "--for", "1h"]).await;
        hold.go();
        second
    });
    Said::of(first).with(0, &["done:"]);
    Said::of(second).with(1, &["no daemon answers", "another scim-rotator on this host is at work (process"]);
    // With one, they are carried out one after the other.
    let _daemon = ready(&place).await;
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::Before);
    let (first, (second, other)) = tokio::join!(place.run(&["rotate", "overlap"]), async {
        hold.reached().await;
        let other = place.run(&["hold", "remove-current", "--for", "1h"]).await;
        let second = place.run(&["hold", "overlap", "--for", "1h"]);
        let go = async {
            hold.go();
        };
        (tokio::join!(second, go).0, other)
    });
    Said::of(first).with(0, &["done: Entra holds a new token"]);
    Said::of(second).with(0, &["done: no rotation by policy"]);
    Said::of(other).with(0, &["done: no rotation by policy"]);
    judge(&place.sandbox.world(OVERLAP), 3).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_asked_for_again_and_again_while_it_is_under_way_is_one_and_keeps_nobody_from_asking_for_health() {
    let place = resting().await;
    let daemon = ready(&place).await;
    let before = place.sandbox.world(OVERLAP).ledger.issued;
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::Before);
    // More than there are seats at the control socket.
    let rotations = futures::future::join_all((0..20).map(|_| place.run(&["rotate", "overlap"])));
    let meanwhile = async {
        hold.reached().await;
        let asked = || daemon.log().matches("a command has come").count();
        while asked() < 20 {
            tokio::task::yield_now().await;
        }
        let health = say(&place, &["health"]).await;
        let other = say(&place, &["rotate", "overlap", "--mode", "remove-current", "--json"]);
        tokio::join!(other, async { hold.go() }).0.with(0, &["\"carried_out\": true"]);
        health
    };
    let (rotations, health) = tokio::join!(rotations, meanwhile);
    health.with(0, &["live"]);
    let joined = rotations.into_iter().map(|rotation| Said::of(rotation).with(0, &["done: Entra holds a new token"]));
    let joined = joined.filter(|said| said.out.contains("join the rotation that was asked for before")).count();
    assert_eq!((joined, place.sandbox.world(OVERLAP).ledger.issued - before), (19, 2));
    judge(&place.sandbox.world(OVERLAP), 3).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_a_daemon_is_told_although_its_configuration_can_be_read_no_more() {
    let place = resting().await;
    let config = place.setup.folder.join("scim-rotator.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    let broken = text.replacen("rotate_before_expiry", "rotate_before_expiri", 1);
    fs::write(&config, &broken).expect("a file");
    say(&place, &["health"]).await.with(78, &["rotate_before_expiri"]);
    fs::write(&config, &text).expect("a file");
    let silent = document(say(&place, &["health", "--json"]).await, 1);
    assert!(silent["waiting"].as_str().is_some_and(|what| what.starts_with("no daemon answers")), "{silent}");
    let daemon = ready(&place).await;
    fs::write(&config, &broken).expect("a file");
    say(&place, &["health"]).await.with(0, &["live", "the configuration cannot be used any more", "was asked"]);
    daemon.signal(Signal::HUP);
    daemon.says("the new configuration is refused").await;
    say(&place, &["health"]).await.with(0, &["live", "the new configuration is refused", "rotate_before_expiri"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_goes_away_changes_neither_what_a_command_does_nor_how_it_ends() {
    let place = resting().await;
    let before = saved(&place, OVERLAP);
    for (arguments, code) in [
        (&["rotate", "overlap"][..], 0),
        (&["plan"], 0),
        (&["man"], 0),
        (&["explain"], 0),
        (&["completions", "bash"], 0),
        (&["notify", "test"], 1),
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = tokio::process::Command::from(place.setup.command(BINARY));
        let output = command.args(arguments).stdin(Stdio::null()).stdout(writer).output().await.expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains("roken pipe")), (Some(code), false), "{arguments:?}: {said}");
    }
    assert_eq!(saved(&place, OVERLAP), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_to_a_command_that_rotates_by_itself_lets_the_job_run_again_and_issues_nothing() {
    // Real time: the drain of a running cycle takes minutes, and only the signal can end it.
    let place = Place::new(worlds(|_| ()), 1.0, |text| only(OVERLAP, &text)).await;
    // The first cycle is over.
    place.sandbox.world(OVERLAP).advance(chrono::TimeDelta::minutes(10));
    let mut command = tokio::process::Command::from(place.setup.command(BINARY));
    command.args(["rotate", "overlap"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.kill_on_drop(true).spawn().expect("it starts");
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    place.until(OVERLAP, "the job is paused", |world| world.jobs()[0].schedule == Schedule::Paused).await;
    rustix::process::kill_process(pid.expect("a process"), Signal::TERM).expect("it is there");
    let output = tokio::time::timeout(super::place::PATIENCE, child.wait_with_output()).await.expect("it ends");
    Said::of(output.expect("it is ours")).with(1, &["broken off before anything was issued"]);
    let world = place.sandbox.world(OVERLAP);
    assert_eq!((world.jobs()[0].schedule, world.ledger.issued), (Schedule::Active, 0), "{}", world.ledger.trace());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_under_way_is_answered_although_the_daemon_is_told_to_end() {
    let place = resting().await;
    let mut daemon = ready(&place).await;
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::After);
    let (said, ()) = tokio::join!(place.run(&["rotate", "overlap"]), async {
        hold.reached().await;
        daemon.signal(Signal::TERM);
        daemon.says("brought to a safe point").await;
        say(&place, &["release", "overlap"]).await.with(1, &["the daemon is ending"]);
        hold.go();
    });
    Said::of(said).with(0, &["done: Entra holds a new token"]);
    assert_eq!(daemon.ended().await, Some(0));
    assert!(!place.setup.folder.join("run/control.sock").exists(), "it leaves no socket behind");
}

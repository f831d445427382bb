//! `rotate` and `adopt` tell each step as it begins, whoever carries it out; and whoever reads or does not, nothing waits for him.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rustix::process::{Pid, Signal, kill_process};
use scim_rotator::domain::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::place::{BINARY, Daemon, OVERLAP, PATIENCE, Place, SPEED, judge, only};
use super::terminal::at_terminal;
use crate::sandbox::setup::worlds;
use crate::sandbox::{Side, Which};
use crate::world::{Op, Settings};

const OVER: &str = "\r\u{1b}[K";
const TERMINAL: &[(&str, &str)] = &[("TERM", "xterm")];

/// A connection that holds a first token of ours.
async fn resting(change: impl Fn(&mut Settings)) -> Place {
    let bend = |settings: &mut Settings| {
        settings.token_life = TimeDelta::days(300);
        change(settings);
    };
    let place =
        Place::new(worlds(bend), SPEED, |text| format!("{}\n[log]\nformat = \"text\"\n", only(OVERLAP, &text))).await;
    assert_eq!(place.run(&["once"]).await.status.code(), Some(0));
    place
}

async fn ready(place: &Place) -> Daemon {
    let daemon = place.daemon(&[]);
    daemon.says(" ready").await;
    daemon
}

/// The steps among the lines of an answer, each with a moment before it.
fn steps(out: &str) -> Vec<String> {
    let step = |line: &str| {
        let (at, name) = line.split_once("Z  ")?;
        at.replace(' ', "T").parse::<chrono::NaiveDateTime>().ok().map(|_| name.to_owned())
    };
    out.lines().filter_map(step).collect()
}

/// A rotation's steps, in their order.
const STEPS: [&str; 10] = [
    "preflight",
    "wait for the gap between two cycles",
    "write the intent",
    "pause the provisioning job",
    "let a running cycle end",
    "ask the issuer for a new token",
    "store the new token in the vault",
    "have Entra test the new token",
    "give Entra the new token",
    "have Entra verify what it has saved",
];

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_a_line_as_it_begins_with_and_without_a_daemon() {
    let place = resting(|_| ()).await;
    let mut daemon = None;
    for with_daemon in [false, true] {
        if with_daemon {
            daemon = Some(ready(&place).await);
        }
        let shown = place.setup.folder.join("shown");
        let read = || fs::read_to_string(&shown).unwrap_or_default();
        let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::Before);
        let mut command = tokio::process::Command::from(place.setup.command(BINARY));
        command.args(["rotate", "overlap"]).stdin(Stdio::null()).stdout(File::create(&shown).expect("a file"));
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
        hold.reached().await;
        let began = Instant::now();
        while !read().ends_with("ask the issuer for a new token\n") {
            assert!(began.elapsed() < PATIENCE, "the step is not told while it is carried out\n{}", read());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        hold.go();
        let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").expect("ours");
        let out = read();
        assert_eq!(status.code(), Some(0), "{out}");
        let told = steps(&out);
        assert_eq!(told[..STEPS.len()], STEPS, "{out}");
        assert_eq!(told.last().map(String::as_str), Some("promote the new token to current"), "{out}");
        let (before, after) = out.split_once("promote the new token to current\n").expect("both");
        assert!(after.contains("done: Entra holds a new token"), "{out}");
        assert_eq!(
            before.contains("is asked to carry it out, and goes on with it even if this command is ended"),
            with_daemon
        );
    }
    assert!(daemon.is_some_and(|daemon| daemon.log().contains("a command has come")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_shows_one_line_that_is_written_over_and_none_when_quiet_or_dumb() {
    let place = resting(|_| ()).await;
    let mut daemon = None;
    for with_daemon in [false, true] {
        if with_daemon {
            daemon = Some(ready(&place).await);
        }
        let shown = at_terminal(&place, &["rotate", "overlap"], TERMINAL).await;
        assert!(shown.contains(&format!("{OVER}preflight ... ")), "{shown:?}");
        assert!(steps(&shown).is_empty(), "{shown:?}");
        let (_, answer) = shown.rsplit_once(OVER).expect("it is cleared");
        assert!(answer.starts_with("overlap: ") && answer.contains("done: Entra holds a new token"), "{shown:?}");
    }
    drop(daemon);
    let quiet = at_terminal(&place, &["rotate", "overlap", "-q"], TERMINAL).await;
    assert!(!quiet.contains(OVER) && steps(&quiet).is_empty() && quiet.contains("done: "), "{quiet:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_cannot_write_over_a_line_gets_lines() {
    let place = resting(|_| ()).await;
    let dumb = at_terminal(&place, &["rotate", "overlap"], &[("TERM", "dumb")]).await;
    assert!(!dumb.contains(OVER) && steps(&dumb).len() > STEPS.len(), "{dumb:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_takes_the_place_of_the_line_that_stands_at_the_terminal() {
    let place = resting(|settings| settings.refuses_expiry = true).await;
    let shown = at_terminal(&place, &["rotate", "overlap"], &[("TERM", "xterm"), ("NO_COLOR", "1")]).await;
    let warning = shown.lines().find(|line| line.contains("WARN")).expect("a warning");
    let (before, said) = warning.rsplit_once(OVER).expect("the line is cleared");
    assert!(
        before.contains(" ... ")
            && said.starts_with("20")
            && said.contains("the vault refused the version with its expiry"),
        "{shown:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_goes_on_when_nobody_reads_its_steps() {
    let place = resting(|_| ()).await;
    for number in [3, 4] {
        let _daemon = if number == 4 { Some(ready(&place).await) } else { None };
        let mut command = tokio::process::Command::from(place.setup.command(BINARY));
        command.args(["rotate", "overlap"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().expect("it starts");
        drop(child.stdout.take());
        place.until(OVERLAP, "it is rotated", |world| world.saved_token() == Some(number)).await;
        tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").expect("ours");
        judge(&place.sandbox.world(OVERLAP), number - 1).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_killed_leaves_the_daemon_to_it_and_its_seat_to_others() {
    let place = resting(|_| ()).await;
    let daemon = ready(&place).await;
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::Before);
    // More than there are seats, of which all but the first wait behind it.
    let mut children = Vec::new();
    for place_in_line in 0..16 {
        let mut command = tokio::process::Command::from(place.setup.command(BINARY));
        let arguments = if place_in_line == 0 { &["rotate", "overlap"][..] } else { &["release", "overlap"] };
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        children.push(command.kill_on_drop(true).spawn().expect("it starts"));
        if place_in_line == 0 {
            hold.reached().await;
        }
    }
    let began = Instant::now();
    while daemon.log().matches("a command has come").count() < 16 {
        assert!(began.elapsed() < PATIENCE, "{}", daemon.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for child in &mut children {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("a process");
        kill_process(pid, Signal::KILL).expect("it is there");
        child.wait().await.expect("it ends");
    }
    let (released, ()) = tokio::join!(place.run(&["release", "overlap"]), async {
        hold.go();
    });
    assert_eq!(released.status.code(), Some(0), "{}", String::from_utf8_lossy(&released.stderr));
    let world = place.sandbox.world(OVERLAP);
    assert_eq!(world.saved_token(), Some(3), "{}", world.ledger.trace());
}

async fn told(place: &Place, accept: &str) -> String {
    let mut stream =
        UnixStream::connect(place.setup.folder.join("run/control.sock")).await.expect("the socket is open");
    let head = "POST /v1/connections/overlap/rotate HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n";
    stream.write_all(format!("{head}{accept}\r\n{{}}").as_bytes()).await.expect("it is taken");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.expect("it closes").expect("text");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_socket_the_steps_are_lines_of_json_for_who_asks_for_them_and_one_document_for_others() {
    let place = resting(|_| ()).await;
    let _daemon = ready(&place).await;
    let plain = told(&place, "").await;
    let (head, body) = plain.split_once("\r\n\r\n").expect("an answer");
    assert!(head.contains("application/json") && head.contains("content-length"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).expect("one document")["carried_out"], true);
    let lines = told(&place, "accept: application/x-ndjson\r\n").await;
    let (head, body) = lines.split_once("\r\n\r\n").expect("an answer");
    assert!(head.contains("application/x-ndjson"), "{head}");
    let told: Vec<Value> =
        body.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect();
    let (last, steps) = told.split_last().expect("lines");
    assert_eq!(last["outcome"]["carried_out"], true, "{body}");
    let names: Vec<_> = steps.iter().map(|line| line["step"]["name"].as_str().expect("a step")).collect();
    assert_eq!(names[..STEPS.len()], STEPS);
    let moments: Vec<Timestamp> =
        steps.iter().map(|line| line["step"]["at"].as_str().expect("a moment").parse().expect("RFC 3339")).collect();
    assert!(moments.is_sorted() && moments.first() < moments.last(), "{body}");
}

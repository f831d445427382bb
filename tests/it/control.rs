//! The control socket of the real daemon: whose it is, and that nothing that comes in over it does harm.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::place::{Daemon, OVERLAP, PATIENCE, Place, SPEED, only};
use crate::sandbox::setup::worlds;

async fn resting() -> (Place, Daemon) {
    let change = |settings: &mut crate::world::Settings| settings.token_life = chrono::TimeDelta::days(300);
    let place = Place::new(worlds(change), SPEED, |text| only(OVERLAP, &text)).await;
    assert_eq!(place.run(&["once"]).await.status.code(), Some(0));
    let daemon = place.daemon(&[]);
    daemon.says("\"ready\"").await;
    (place, daemon)
}

fn socket(place: &Place) -> PathBuf {
    place.setup.folder.join("run/control.sock")
}

/// What the daemon answers to these bytes, until it closes the connection.
async fn answer(place: &Place, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket(place)).await.expect("the socket is open");
    // It may close before it has read everything.
    let _broken = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it answers or closes");
    let _broken = read;
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(path: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn hold_works(place: &Place) {
    let output = place.run(&["hold", "overlap", "--for", "1h"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_for_user_and_group_alone_and_one_left_by_a_killed_daemon_is_replaced() {
    let (place, daemon) = resting().await;
    let mode = || std::fs::metadata(socket(&place)).expect("a socket").permissions().mode() & 0o777;
    assert_eq!(mode(), 0o660);
    daemon.kill();
    assert!(socket(&place).exists(), "a killed process cleans nothing up");
    hold_works(&place).await;
    let daemon = place.daemon(&[]);
    daemon.says("\"ready\"").await;
    assert_eq!(mode(), 0o660);
    hold_works(&place).await;
    assert_eq!(daemon.log().matches("a command has come").count(), 1, "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_does_not_answer_is_named_and_nothing_is_done_behind_its_back() {
    let (place, daemon) = resting().await;
    daemon.signal(Signal::STOP);
    let output = place.run(&["rotate", "overlap"]).await;
    daemon.signal(Signal::CONT);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no daemon answers") && said.contains(&format!("process {}", daemon.id())), "{said}");
    assert_eq!(place.sandbox.world(OVERLAP).ledger.issued, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_in_over_the_socket_the_daemon_lives_on() {
    let (place, daemon) = resting().await;
    let (path, large) = ("/v1/connections/overlap/adopt", "x".repeat(70_000));
    for (request, words) in [
        (post(path, &large), "413"),
        (post(path, "{\"token\": 7}"), "not what is asked for"),
        (post(path, "{\"token\": \"short\"}"), "this is no token"),
        (post("/v1/connections/overlap/dance", "{}"), "rotate, adopt, hold and release"),
        (post("/v1/connections/overlap/hold", "{\"seconds\": 99999999}"), "90 days at most"),
        (post("/v1/connections/nobody/release", "{}"), "it has overlap"),
        (b"GET /elsewhere HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), "404"),
        (b"GET /v1 HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), "version"),
        (b"\x16\x03\x01 this is no HTTP\r\n\r\n".to_vec(), ""),
    ] {
        let answer = answer(&place, &request).await;
        assert!(answer.contains(words), "{words:?} is not in {answer:?}");
    }
    assert!(!daemon.log().contains("xxxx"), "no body is logged");
    hold_works(&place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_say_nothing_lose_their_seats_to_those_who_do() {
    let (place, _daemon) = resting().await;
    let half = b"POST /v1/connections/overlap/hold HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
    for said in [&b""[..], b"POST /v1", half] {
        let mut idle = Vec::new();
        for _ in 0..20 {
            let mut stream = UnixStream::connect(socket(&place)).await.expect("the socket is open");
            stream.write_all(said).await.expect("the system takes it");
            idle.push(stream);
        }
        hold_works(&place).await;
    }
}

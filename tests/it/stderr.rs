//! A log that nobody takes must not cost a rotation.

use std::io::{PipeWriter, Read as _, pipe};
use std::process::Stdio;

use rustix::process::Signal;

use super::place::{
    BINARY, Daemon, OVERLAP, Place, SPEED, about_to_be_due, hourly, is_at_rest_with_newer, judge, only,
};

async fn place() -> Place {
    Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(OVERLAP, &hourly(&text))).await
}

/// A daemon at its most talkative, whose log goes into a pipe.
fn talkative(place: &Place, log: PipeWriter) -> Daemon {
    let mut command = place.setup.command(BINARY);
    command.args(["run", "-vvv"]).stderr(Stdio::from(log)).stdout(Stdio::null()).stdin(Stdio::null());
    Daemon::of(command.spawn().expect("the daemon starts"))
}

async fn rotates(place: &Place) {
    let token = place.sandbox.world(OVERLAP).saved_token().expect("a token");
    place.until(OVERLAP, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    judge(&place.sandbox.world(OVERLAP), 2).unwrap_or_else(|why| panic!("{why}"));
}

async fn ends(mut daemon: Daemon) {
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_the_log_that_is_gone_neither_ends_nor_stops_the_daemon() {
    let place = place().await;
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    let daemon = talkative(&place, writer);
    rotates(&place).await;
    ends(daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_standard_error_neither_ends_nor_stops_the_daemon() {
    let place = place().await;
    let mut command = place.setup.command("/bin/sh");
    command.args(["-c", "exec \"$1\" run -vvv 2>&-", "sh", BINARY]);
    let daemon = Daemon::of(command.spawn().expect("the daemon starts"));
    rotates(&place).await;
    ends(daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_the_log_that_falls_asleep_stops_nothing_and_is_told_what_it_has_missed() {
    let place = place().await;
    let (mut reader, writer) = pipe().expect("a pipe");
    let daemon = talkative(&place, writer);
    rotates(&place).await;
    // It wakes up, and from then on reads all there is.
    let mut log = vec![0; 32 * 1024];
    reader.read_exact(&mut log).expect("the pipe is full");
    let reading = std::thread::spawn(move || {
        reader.read_to_end(&mut log).expect("all of it");
        String::from_utf8_lossy(&log).into_owned()
    });
    ends(daemon).await;
    let log = reading.join().expect("read");
    assert!(log.contains("nobody read the log, lines were lost"), "{log}");
    assert!(log.contains("\"message\":\"ended\""), "{log}");
}

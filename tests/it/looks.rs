//! What a command shows beside a daemon: the daemon's last look while it holds, and one of its own where it does not.

use serde_json::Value;

use super::place::{Daemon, OVERLAP, Place, SPEED, about_to_be_due, only};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Side, Which};
use crate::world::{Fault, Op};

const BY_THE_DAEMON: &str = "seen by the daemon";

/// A daemon that has looked at its one connection, which is not due: its time goes by as ours does.
async fn idle() -> (Place, Daemon) {
    let place = Place::new(about_to_be_due(|_| ()).await, 1.0, |text| only(OVERLAP, &text)).await;
    let daemon = place.daemon(&[]);
    daemon.says("\"decision\":\"wait\"").await;
    (place, daemon)
}

/// What a command says, and how many calls that has cost.
async fn costs(place: &Place, arguments: &[&str]) -> (String, u32) {
    let calls = || Op::ALL.iter().map(|op| place.sandbox.world(OVERLAP).faults.calls(*op)).sum::<u32>();
    let before = calls();
    let output = place.run(arguments).await;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert_eq!(output.status.code(), Some(0), "{said}");
    (said, calls() - before)
}

fn first(said: &str) -> Value {
    serde_json::from_str::<Value>(said).expect("one document")["connections"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_daemon_that_has_looked_a_command_asks_nobody_and_says_whose_look_it_shows() {
    let (place, _daemon) = idle().await;
    for command in ["status", "check", "plan"] {
        let (said, calls) = costs(&place, &[command]).await;
        assert!(calls == 0 && said.contains(BY_THE_DAEMON), "{calls}: {said}");
        let (said, calls) = costs(&place, &[command, "--fresh"]).await;
        assert!(calls > 0 && !said.contains(BY_THE_DAEMON), "{calls}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_look_of_the_daemon_shows_what_one_of_the_command_shows() {
    let (place, _daemon) = idle().await;
    for command in ["status", "plan"] {
        let (told, none) = costs(&place, &[command, "--json"]).await;
        let (fresh, some) = costs(&place, &[command, "--json", "--fresh"]).await;
        assert!(none == 0 && some > 0);
        let [told, fresh] = [told, fresh].map(|said| {
            let mut shown = first(&said);
            let ages = [shown["seen_at"].take(), shown["slack_seconds"].take(), shown["token"]["slack_seconds"].take()];
            assert!(ages[0].is_string() && (ages[1].is_number() || ages[2].is_number()), "{ages:?}");
            shown["next_look"].take(); // A tick of the schedule may come between the two.
            shown["last_action"].take(); // The daemon knows what it has done, a command only what the vault says.
            shown
        });
        assert_eq!(told, fresh);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_configured_otherwise_than_the_daemon_has_it_is_looked_at() {
    let (place, _daemon) = idle().await;
    let text = std::fs::read_to_string(&place.setup.config).expect("the configuration");
    std::fs::write(&place.setup.config, text.replace("[policy]\n", "[policy]\nfence = \"never\"\n")).expect("written");
    let (said, calls) = costs(&place, &["status"]).await;
    assert!(calls > 0 && !said.contains(BY_THE_DAEMON), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_daemon_carries_something_out_a_command_looks_for_itself_and_sees_it_unfinished() {
    let change = |settings: &mut crate::world::Settings| settings.token_life = chrono::TimeDelta::days(300);
    let place = Place::new(worlds(change), SPEED, |text| only(OVERLAP, &text)).await;
    assert_eq!(place.run(&["once"]).await.status.code(), Some(0));
    let daemon = place.daemon(&[]);
    daemon.says("\"decision\":\"wait\"").await;
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::After);
    let look = async {
        hold.reached().await;
        let output = place.run(&["check"]).await;
        hold.go();
        output
    };
    let (rotate, look) = tokio::join!(place.run(&["rotate", "overlap"]), look);
    let said = String::from_utf8_lossy(&look.stdout).into_owned();
    assert!(look.status.code() == Some(11) && !said.contains(BY_THE_DAEMON), "{said}");
    assert_eq!(rotate.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_can_be_seen_a_command_shows_what_the_daemon_saw_before() {
    let (place, daemon) = idle().await;
    let (well, _) = costs(&place, &["status", "--json"]).await;
    place.sandbox.world(OVERLAP).faults.at_calls(Op::VaultList, 1, 10_000, Fault::Status(503, None));
    daemon.signal(rustix::process::Signal::HUP);
    daemon.says("CannotObserve").await;
    let output = place.run(&["status", "--json"]).await;
    let blind = first(&String::from_utf8_lossy(&output.stdout));
    assert_eq!((output.status.code(), &blind["standing"]["reason"]), (Some(1), &"CannotObserve".into()));
    assert_eq!(
        (&blind["token"]["id"], &blind["token"]["expires"]),
        (&first(&well)["token"]["id"], &first(&well)["token"]["expires"])
    );
    let said = place.run(&["status"]).await.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("token and job as the daemon saw them"), "{said}");
}

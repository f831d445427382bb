//! What people expect of a command line: `-q` and `-v`, colours for a terminal that wants them and for nothing else.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::place::{BINARY, OVERLAP, Place, SPEED, only};
use crate::sandbox::setup::worlds;

const ESCAPE: char = '\u{1b}';

/// A world of which a look warns: the secret file can be read by others.
async fn place() -> Place {
    use std::os::unix::fs::PermissionsExt as _;
    let place =
        Place::new(worlds(|_| ()), SPEED, |text| format!("{}\n[log]\nformat = \"text\"\n", only(OVERLAP, &text))).await;
    let secret = place.setup.folder.join("sandbox/azure-client-secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).expect("ours");
    place
}

/// What a command writes where all three of its ends are one terminal.
pub async fn at_terminal(place: &Place, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).expect("ours");
    unlockpt(&master).expect("unlocked");
    let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("text");
    let end = || OpenOptions::new().read(true).write(true).open(&name).expect("the other end");
    let mut command = tokio::process::Command::from(place.setup.command(BINARY));
    command.args(arguments).envs(environment.iter().copied());
    command.stdin(Stdio::from(end())).stdout(Stdio::from(end())).stderr(Stdio::from(end()));
    let mut child = command.kill_on_drop(true).spawn().expect("it starts");
    drop(command);
    let reader = tokio::task::spawn_blocking(move || {
        let mut shown = Vec::new();
        // The end of the last writer shows as an error.
        let _closed = File::from(master).read_to_end(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    });
    tokio::time::timeout(super::place::PATIENCE, child.wait()).await.expect("it ends").expect("it is ours");
    reader.await.expect("read")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_gets_colours_unless_no_color_or_a_dumb_terminal_says_otherwise() {
    let place = place().await;
    for arguments in [&["check", "-v"][..], &["--help"]] {
        for (environment, coloured) in [
            (&[("TERM", "xterm")][..], true),
            (&[("TERM", "xterm"), ("NO_COLOR", "")], true),
            (&[("TERM", "xterm"), ("NO_COLOR", "1")], false),
            (&[("TERM", "dumb")], false),
        ] {
            let shown = at_terminal(&place, arguments, environment).await;
            assert_eq!(shown.contains(ESCAPE), coloured, "{arguments:?} {environment:?}\n{shown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_has_a_colour_where_no_terminal_is() {
    let place = place().await;
    for arguments in [
        &["check", "-vv"][..],
        &["status"],
        &["plan"],
        &["history", "overlap"],
        &["--help"],
        &["rotate"],
        &["config", "check"],
    ] {
        let output = place.run_with(arguments, &[("TERM", "xterm"), ("CLICOLOR", "1")]).await;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(!said.is_empty() && !said.contains(ESCAPE), "{arguments:?}\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q_and_v_move_what_is_logged_and_never_what_is_answered() {
    let place = place().await;
    let levels = ["ERROR", " WARN", " INFO", "DEBUG", "TRACE"];
    // A command that answers logs warnings only; one that acts, what the configuration says.
    for (arguments, shown) in [
        (&["check", "-qq"][..], 0),
        (&["check", "-q"], 2),
        (&["check"], 2),
        (&["check", "-v"], 4),
        (&["check", "-vvv"], 5),
        (&["rotate", "prod"], 2),
        (&["hold", "prod", "--for", "1h", "-qq"], 0),
        (&["hold", "prod", "--for", "1h", "-q"], 2),
        (&["hold", "prod", "--for", "1h"], 2),
        (&["once"], 3),
    ] {
        let output = place.run(arguments).await;
        let (out, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let seen = |level: &&str| {
            log.lines()
                .any(|line| line.contains(&format!("Z {level}")) || line.contains(&format!("Z  {}", level.trim())))
        };
        let last = levels.iter().rposition(seen).map_or(0, |place| place + 1);
        assert_eq!(last, shown, "{arguments:?}\n{log}");
        assert_eq!(out.contains("overlap: "), matches!(arguments[0], "check" | "once"), "{arguments:?}\n{out}");
    }
    let both = place.run(&["check", "-q", "-v"]).await;
    assert_eq!(both.status.code(), Some(64));
}

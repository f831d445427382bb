//! No piece of a secret shows anywhere: not at the loudest log level, not in errors, files, arguments or environment.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use rustix::process::Signal;

use super::notify::{telling, write_urls};
use super::page::get;
use super::place::{
    BINARY, OVERLAP, PATIENCE, Place, REMOVE_CURRENT, SPEED, about_to_be_due, is_at_rest_with_newer, only,
};
use crate::sandbox::hooks::{self, Mood};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Side, Which};
use crate::world::{Fault, Op, Service};

/// So many bytes of a secret in a row are a leak.
const WINDOW: usize = 12;

/// Every window of a secret, as it is and as it would look in base64 (whatever its alignment), a URL, or JSON.
pub fn windows(secret: &str) -> HashSet<Vec<u8>> {
    let url: String = secret
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let mut forms = vec![secret.to_owned(), url, serde_json::to_string(secret).expect("JSON")];
    for skip in 0..3 {
        let shifted = secret.as_bytes().get(skip..).unwrap_or_default();
        forms.extend([STANDARD_NO_PAD.encode(shifted), URL_SAFE_NO_PAD.encode(shifted)]);
    }
    forms.iter().flat_map(|form| form.as_bytes().windows(WINDOW).map(<[u8]>::to_vec)).collect()
}

/// The first leak of any secret in `text`, blotted out but for its neighbourhood.
pub fn leak(text: &[u8], secrets: &HashSet<Vec<u8>>) -> Option<String> {
    let at = text.windows(WINDOW).position(|window| secrets.contains(window))?;
    let around = &text[at.saturating_sub(120)..(at + WINDOW).min(text.len())];
    Some(String::from_utf8_lossy(around).into_owned())
}

/// Everything that has been secret at any time in this place.
pub fn secrets(place: &Place) -> HashSet<Vec<u8>> {
    let mut all = HashSet::new();
    for number in [OVERLAP, REMOVE_CURRENT] {
        let world = place.sandbox.world(number);
        for value in world.token_values() {
            all.extend(windows(value));
        }
        all.extend(windows(&world.settings.client_secret));
        all.extend(windows(&world.settings.azure_client_secret));
    }
    for bearer in place.sandbox.bearers() {
        all.extend(windows(&bearer));
    }
    all.extend(windows(hooks::SECRET));
    all
}

#[test]
fn a_planted_leak_is_found_in_every_disguise() {
    let secret = "Tok3n-q8ZyW/x+91LmPqRs";
    let windows = windows(secret);
    let disguises = [
        secret.to_owned(),
        STANDARD_NO_PAD.encode(format!("ab{secret}")),
        URL_SAFE_NO_PAD.encode(format!("a{secret}")),
        secret.replace('/', "%2F").replace('+', "%2B").replace('-', "%2D"),
    ];
    for disguise in disguises {
        assert!(leak(format!("it says {disguise} here").as_bytes(), &windows).is_some(), "{disguise}");
    }
    assert!(leak(b"it says nothing of the kind", &windows).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_piece_of_a_secret_shows_in_any_log_error_file_argument_or_environment() {
    // One who takes what it is told, and those with whom everything goes wrong.
    let receivers = ["teams", "broken", "refuses", "hangs"];
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| telling(&text, &receivers)).await;
    write_urls(&place, &receivers);
    for (name, mood) in [("broken", Mood::Answers(500)), ("refuses", Mood::Answers(403)), ("hangs", Mood::Hangs)] {
        place.sandbox.hooks().set(name, mood);
    }
    let tokens = [OVERLAP, REMOVE_CURRENT].map(|n| place.sandbox.world(n).saved_token().expect("a token"));
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    for arguments in [
        ["check", "-vvv"].as_slice(),
        &["status", "--json", "-vvv"],
        &["history", "overlap", "--json", "-vvv"],
        &["config", "check", "-vvv"],
        &["notify", "test", "-vvv"],
    ] {
        let output = place.run(arguments).await;
        texts.push((format!("{arguments:?} out"), output.stdout));
        texts.push((format!("{arguments:?} err"), output.stderr));
    }
    // A rotation with everything going wrong once, in the ways that make for talkative errors.
    for number in [OVERLAP, REMOVE_CURRENT] {
        let mut world = place.sandbox.world(number);
        for (op, fault) in [
            (Op::BearerMint, Fault::Status(401, None)),
            (Op::TestCandidate, Fault::Html),
            (Op::SettingsPut, Fault::Status(500, None)),
            (Op::VaultStore, Fault::Status(503, None)),
            (Op::VaultLabel, Fault::Truncated),
            (Op::TestSaved, Fault::Status(400, None)),
            (Op::JobRead, Fault::LoseAnswer),
        ] {
            world.faults.at_call(op, 1, fault);
        }
        let now = world.now();
        world.faults.during(Service::Scim, now, now + chrono::TimeDelta::minutes(1), Fault::Html);
    }
    let daemon = place.daemon(&["-vvv"]);
    for (number, token) in [OVERLAP, REMOVE_CURRENT].into_iter().zip(tokens) {
        place.until(number, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    }
    daemon.says("a notification is given up").await;
    // And whatever the client says of a connection that comes to nothing.
    for name in receivers {
        let url = hooks::Hooks::url(name, 1);
        fs::write(place.setup.folder.join(format!("sandbox/hook-{name}")), url).expect("written");
    }
    let output = place.run(&["notify", "test", "-vvv"]).await;
    assert_eq!(output.status.code(), Some(1));
    texts.extend([("unreachable out".to_owned(), output.stdout), ("unreachable err".to_owned(), output.stderr)]);
    for part in ["cmdline", "environ"] {
        texts.push((part.to_owned(), fs::read(format!("/proc/{}/{part}", daemon.id())).expect("our own process")));
    }
    let page = daemon.page().await;
    for path in ["/", "/connections/overlap", "/readyz", "/metrics"] {
        texts.push((path.to_owned(), get(&format!("{page}{path}")).await.text.into_bytes()));
    }
    for arguments in [["status", "--json", "-vvv"], ["health", "--json", "-vvv"], ["check", "--fresh", "-vvv"]] {
        let output = place.run(&arguments).await;
        texts.push((format!("{arguments:?} beside the daemon"), [output.stdout, output.stderr].concat()));
    }
    daemon.kill();
    for entry in files(&place.setup.folder) {
        if !entry.ends_with("azure-client-secret")
            && !entry.to_string_lossy().contains("hpe-client-secret")
            && !entry.to_string_lossy().contains("sandbox/hook-")
        {
            texts.push((entry.display().to_string(), fs::read(&entry).expect("a file")));
        }
    }
    let secrets = secrets(&place);
    assert!(secrets.len() > 500, "there is something to look for");
    let spoken: usize = texts.iter().map(|(_, text)| text.len()).sum();
    assert!(spoken > 100_000, "at the loudest level there is much to look through, not {spoken} bytes");
    for (name, text) in &texts {
        if let Some(leak) = leak(text, &secrets) {
            panic!("{name} shows a secret at the end of: {leak}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_piece_of_an_adopted_token_shows_in_any_log_file_argument_or_environment() {
    let life = |settings: &mut crate::world::Settings| settings.token_life = chrono::TimeDelta::days(300);
    let place = Place::new(worlds(life), SPEED, |text| text).await;
    let by_hand = tempfile::tempdir().expect("a folder");
    let file = by_hand.path().join("by-hand");
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    place.run(&["once"]).await;
    for with_daemon in [false, true] {
        let daemon = with_daemon.then(|| place.daemon(&["-vvv"]));
        if let Some(daemon) = &daemon {
            daemon.says("\"ready\"").await;
        }
        // One that works, and one that is put aside, which makes for talk.
        for works in [true, false] {
            let value = match works {
                true => place.sandbox.world(OVERLAP).person_rotates(false),
                false => NEVER_MADE.to_owned(),
            };
            fs::write(&file, value).expect("written");
            let mut hold = place.sandbox.gate().hold(Which::Next(Op::VaultStore), Side::Before);
            let mut command = tokio::process::Command::from(place.setup.command(BINARY));
            command.args(["adopt", "overlap", "-vvv", "--token-file"]).arg(&file).kill_on_drop(true);
            let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            let child = child.expect("it starts");
            tokio::time::timeout(PATIENCE, hold.reached()).await.expect("it stores the token");
            for part in ["cmdline", "environ"] {
                let path = format!("/proc/{}/{part}", child.id().expect("it runs"));
                texts.push((part.to_owned(), fs::read(path).expect("our own process")));
            }
            hold.go();
            let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends");
            let output = output.expect("it is ours");
            assert_eq!(output.status.success(), works, "{}", String::from_utf8_lossy(&output.stdout));
            texts.extend([("out".to_owned(), output.stdout), ("err".to_owned(), output.stderr)]);
        }
    }
    for entry in files(&place.setup.folder).into_iter().filter(|entry| !entry.to_string_lossy().contains("secret")) {
        texts.push((entry.display().to_string(), fs::read(&entry).expect("a file")));
    }
    let mut secrets = secrets(&place);
    secrets.extend(windows(NEVER_MADE));
    let spoken: usize = texts.iter().map(|(_, text)| text.len()).sum();
    assert!(spoken > 100_000, "at the loudest level there is much to look through, not {spoken} bytes");
    for (name, text) in &texts {
        if let Some(leak) = leak(text, &secrets) {
            panic!("{name} shows a secret at the end of: {leak}");
        }
    }
}

/// Written where it does not belong, in a way that may keep the line from being read at all.
#[tokio::test(flavor = "multi_thread")]
async fn no_piece_of_a_password_in_a_configuration_that_is_refused_shows() {
    const PASSWORD: &str = "hunter2x-Zq81LmPqRs";
    let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
    let right = fs::read_to_string(&place.setup.config).expect("a configuration");
    let http = |line: &str| right.replace("[http]", &format!("[http]\n{line}"));
    let replaced = |key: &str, value: &str| {
        let (before, rest) = right.split_once(&format!("{key} = \"")).expect("the key is there");
        let (_, after) = rest.split_once('"').expect("its end is there");
        format!("{before}{key} = {value}{after}")
    };
    let notify = |line: &str| format!("{right}\n[[notify]]\nname = \"ops\"\nkind = \"json\"\n{line}\n");
    let wrong = [
        http(&format!("proxy = \"svc:{PASSWORD}@proxy.corp:3128\"")),
        http(&format!("proxy = \"http:svc:{PASSWORD}@proxy.corp:3128\"")),
        http(&format!("proxy = \"http://svc:a/{PASSWORD}@proxy.corp:3128\"")),
        http(&format!("proxy = \"http://svc:1/{PASSWORD}@proxy.corp:3128\"")),
        http(&format!("proxy = \"http://svc:a b,{PASSWORD}@proxy.corp:3128\"")),
        http(&format!("proxy = http://svc:a b,{PASSWORD}@proxy.corp:3128")),
        http(&format!("proxy = \"http://svc:a\"{PASSWORD}@proxy.corp:3128\"")),
        http(&format!("proxy = \"http://p:1\"\nproxy_user = \"svc:{PASSWORD}\"\nproxy_password_file = \"./x\"")),
        http(&format!("proxy = \"http://p:1\"\nproxy_user = \"svc\"\nproxy_password_file = \"Jq8/{PASSWORD}==\"")),
        http(&format!("no_proxy = [\"svc:{PASSWORD}@proxy.corp:3128\"]")),
        http(&format!("ca_file = {PASSWORD}@")),
        replaced("client_id", &format!("\"~{PASSWORD}\"")),
        notify(&format!("url = \"https://hooks.example/{PASSWORD}{PASSWORD}\"")),
        notify(&format!("url_file = \"https://hooks.example/w?sp=%2Ft&sig={PASSWORD}\"")),
        notify(&format!("url = https://hooks.example/w?sig={PASSWORD}")),
        replaced("client_secret_file", &format!("\"Jq8/{PASSWORD}==\"")),
        replaced("url", &format!("\"svc:{PASSWORD}@hpe.example\"")),
        replaced("url", &format!("\"https://svc:1/{PASSWORD}@hpe.example\"")),
    ];
    let secrets = windows(PASSWORD);
    let daemon = place.daemon(&[]);
    daemon.says("\"ready\"").await;
    for text in wrong {
        fs::write(&place.setup.config, &text).expect("written");
        let output = place.run(&["config", "check"]).await;
        assert_eq!(output.status.code(), Some(78), "{text}");
        for shown in [output.stdout, output.stderr] {
            assert_eq!(leak(&shown, &secrets), None);
        }
        let before = daemon.log().len();
        daemon.signal(Signal::HUP);
        daemon.says_after(before, "the new configuration").await;
    }
    assert_eq!(leak(daemon.log().as_bytes(), &secrets), None);
}

/// Looks like a token, and is none.
const NEVER_MADE: &str = "kX9-7dPq2Wz_vB4nM8sTfG6hJ1yRc";

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if entry.is_file() {
            // And no socket, which holds nothing.
            found.push(entry);
        }
    }
    found
}

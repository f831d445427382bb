//! The status page of the real daemon as people see it: in a browser by light, in the dark, on a phone and without a script, with
//! what axe-core finds in it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::page::{get, held, quarantined, unwell, well};
use super::place::{PATIENCE, Place, REMOVE_CURRENT, about_to_be_due};
use crate::sandbox::fleet;

/// One more than fit a page.
const COUNT: usize = 51;
/// What the browser saw: by light, in the dark, on a phone, without a script.
const VIEWS: [&str; 4] = ["light", "dark", "phone", "no-script"];

/// A browser's look at a page: what it saw in each view, with pictures under target/.
fn look(url: &str, name: &str) -> Value {
    look_in(&VIEWS, url, name)
}

fn look_in(views: &[&str], url: &str, name: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("target/browser");
    let pictures = root.join("target/pictures").join(name);
    std::fs::create_dir_all(&pictures).expect("a folder");
    assert!(
        tools.join("node_modules/axe-core").is_dir(),
        "the browser's tools are missing: `make browser` installs them"
    );
    let chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].into_iter().find(|path| Path::new(path).exists());
    let output = Command::new("node")
        .arg(root.join("tests/browser/look.mjs"))
        .args([url, &pictures.to_string_lossy()])
        .args(views)
        .env("NODE_PATH", tools.join("node_modules"))
        .env("CHROMIUM", chromium.expect("Chromium is missing: `make browser` installs it"))
        .output()
        .expect("node is missing: `make browser` installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{said}"))
}

/// In every view that was looked at these words are seen; nothing is wrong with the page for anybody, and it asks nobody else for anything.
fn assert_seen(seen: &Value, words: &[&str]) {
    for (view, seen) in seen.as_object().expect("views") {
        let text = seen["text"].as_str().unwrap_or_default();
        for word in words {
            assert!(text.contains(word), "{view}: {word:?} is not seen in\n{text}");
        }
        for list in ["trouble", "elsewhere", "findings"] {
            assert_eq!(seen[list], Value::Array(Vec::new()), "{view}: {list}");
        }
        assert_ne!(seen["overflows"], true, "{view}: it is wider than the screen");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_that_all_is_well_and_until_when_by_light_in_the_dark_on_a_phone_and_without_a_script() {
    let (_place, daemon) = well().await;
    let page = daemon.page().await;
    let seen = look(&page, "well");
    assert_seen(
        &seen,
        &["All is well until", "Slack", "Next rotation", "last safe moment", "expires", "Active, last cycle succeeded"],
    );
    assert!(seen["light"]["title"].as_str().is_some_and(|title| title.starts_with("All is well until")), "{seen}");
    assert!(
        seen["light"]["after"].as_str().is_some_and(|text| text.contains("All is well until")),
        "{}",
        seen["light"]
    );
    let reached = seen["light"]["reached"].as_array().expect("a list");
    for link in ["/connections/overlap", "/runbook/NotDue", "/metrics"] {
        assert!(reached.iter().any(|at| at == link), "{link} is not reached by the keyboard: {reached:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_who_needs_a_person_what_to_do_and_the_page_that_explains_it() {
    let (_place, daemon) = unwell().await;
    let page = daemon.page().await;
    assert_seen(&look(&page, "unwell"), &["1 connection not well", "needs a person", "To do:", "NotAdopted"]);
    assert_seen(&look(&format!("{page}/connections/overlap"), "connection"), &["overlap", "needs a person"]);
    assert_seen(&look(&format!("{page}/runbook/NotAdopted"), "runbook"), &["NotAdopted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_whose_job_a_person_has_paused_before_those_that_are_well() {
    let place = Place::new(about_to_be_due(|_| ()).await, 1.0, |text| text).await;
    place.sandbox.world(REMOVE_CURRENT).person_pauses();
    let daemon = place.daemon(&[]);
    for name in ["overlap", "remove-current"] {
        daemon.says(&format!("\"spans\":[{{\"connection\":\"{name}\"")).await;
    }
    let seen = look(&daemon.page().await, "paused");
    let words = ["1 connection not certain to provision", "Not certain to provision: remove-current.", "job paused"];
    assert_seen(&seen, &words);
    for view in VIEWS {
        let text = seen[view]["text"].as_str().unwrap_or_default();
        let cards = text.split_once("Next rotation").map_or("", |(_, cards)| cards);
        let order = ["\nremove-current", "\noverlap"].map(|name| cards.find(name));
        assert!(order[0].is_some() && order[0] < order[1], "{view}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_since_when_a_held_connection_is_overdue_and_until_when_it_is_held() {
    let (_place, daemon) = held().await;
    let seen = look(&daemon.page().await, "held");
    assert_seen(&seen, &["It is overdue since", "held until", "Next rotation in", "a person has put rotations off"]);
    for view in VIEWS {
        let text = seen[view]["text"].as_str().unwrap_or_default();
        let (_, coming) = text.split_once("Next rotation in ").unwrap_or_default();
        assert!(!coming.split('.').next().unwrap_or_default().contains("ago"), "{view}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_since_when_a_job_is_in_quarantine_and_when_entra_gives_it_up() {
    let (_place, daemon) = quarantined().await;
    let words = [
        "1 connection not well",
        "kept the provisioning job in quarantine",
        "in quarantine since",
        "given up by Entra in 27 days",
    ];
    assert_seen(&look(&daemon.page().await, "quarantined"), &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sees_more_connections_than_fit_a_page_finds_some_of_them_and_is_told_what_is_not_there() {
    let fleet = |text: String| {
        let (_, port) = text.split_once("login.sandbox.test:").expect("a port");
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        let policy = "rotate_before_expiry = \"30d\"\nmin_slack = \"7d\"\nfence = \"never\"";
        let text = fleet::config(COUNT, port.parse().expect("a number"), policy);
        text.replace("sandbox/hpe-client-secret\"", "sandbox/hpe-client-secret-a\"")
    };
    let place = Place::new(fleet::worlds(COUNT, 1.0), 1.0, fleet).await;
    let daemon = place.daemon(&[]);
    let page = daemon.page().await;
    until_all_are_seen(&page).await;
    for (path, name, words) in [
        ("/", "many", &["All is well until", "51 connections", "Page 1 of 2", "After"][..]),
        ("/?page=2", "many-second", &["Page 2 of 2", "Before"]),
        ("/?q=connection-1", "many-found", &["11 connections", "connection-19"]),
        ("/?q=nobody", "many-none", &["No connection has “nobody” in its name."]),
        ("/runbook", "runbook-index", &["Runbook", "NotAdopted"]),
    ] {
        // What differs between the views is seen of few connections as well as of many, which take axe a while.
        assert_seen(&look_in(&["phone"], &format!("{page}{path}"), name), words);
    }
    let missing = look(&format!("{page}/nothing"), "missing");
    assert_seen(&missing, &["Not found", "There is nothing of this kind here."]);
    assert_eq!(missing["light"]["status"], 404);
}

async fn until_all_are_seen(page: &str) {
    let began = Instant::now();
    while get(page).await.text.contains("not seen yet") {
        assert!(began.elapsed() < PATIENCE, "some are never seen");
    }
}

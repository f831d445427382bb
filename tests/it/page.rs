//! The status page, health and metrics of the real daemon: in a browser, by a scraper, and by `scim-rotator health`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use rustix::process::Signal;
use serde_json::Value;

use super::monitoring::METRICS;
use super::place::{Daemon, OVERLAP, PATIENCE, Place, SPEED, about_to_be_due, is_at_rest_with_newer, only};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Side, Which};
use crate::world::{Fault, Op};

/// What the browser saw: by light, in the dark, on a phone, without a script.
const VIEWS: [&str; 4] = ["light", "dark", "phone", "no-script"];

/// A daemon that has looked at both its connections, of which none is due.
async fn well() -> (Place, Daemon) {
    let place = Place::new(about_to_be_due(|_| ()).await, 1.0, |text| text).await;
    let daemon = place.daemon(&[]);
    // Of a look at one that is not due nothing is logged but what was decided.
    daemon.says("\"spans\":[{\"connection\":\"overlap\"").await;
    daemon.says("\"spans\":[{\"connection\":\"remove-current\"").await;
    (place, daemon)
}

/// A daemon one of whose connections waits for a person, who is to say how the first token comes.
async fn unwell() -> (Place, Daemon) {
    let change = |text: String| text.replace("bootstrap = \"rotate\"\n", "");
    let place = Place::new(worlds(|_| ()), 1.0, |text| change(only(OVERLAP, &text))).await;
    let daemon = place.daemon(&[]);
    daemon.says("NotAdopted").await;
    (place, daemon)
}

pub struct Answer {
    pub status: StatusCode,
    kind: String,
    headers: reqwest::header::HeaderMap,
    pub text: String,
}

#[expect(clippy::disallowed_methods, reason = "a browser's side of plain HTTP on loopback, not the daemon's")]
fn client() -> Client {
    Client::new()
}

async fn ask(method: Method, url: &str, accept: &str) -> Answer {
    let answer = client().request(method, url).header("accept", accept).timeout(PATIENCE).send().await;
    let answer = answer.expect("an answer");
    let headers = answer.headers().clone();
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    Answer { status: answer.status(), kind, headers, text: answer.text().await.expect("all of it") }
}

pub async fn get(url: &str) -> Answer {
    ask(Method::GET, url, "*/*").await
}

/// What Prometheus' own tool has to say against these metrics.
fn linted(text: &str) -> String {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().expect("promtool is missing: `make promtool` installs it");
    promtool.stdin.take().expect("its input").write_all(text.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

/// A browser's look at a page: what it saw in each view, with pictures under target/.
fn look(url: &str, name: &str) -> Value {
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
        .env("NODE_PATH", tools.join("node_modules"))
        .env("CHROMIUM", chromium.expect("Chromium is missing: `make browser` installs it"))
        .output()
        .expect("node is missing: `make browser` installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{said}"))
}

/// In every view these words are seen; nothing is wrong with the page for anybody, and it asks nobody else for anything.
fn assert_seen(seen: &Value, words: &[&str]) {
    for view in VIEWS {
        let seen = &seen[view];
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
async fn health_is_green_while_all_is_well_and_red_with_its_reasons_while_a_person_is_needed() {
    let (place, daemon) = well().await;
    let page = daemon.page().await;
    assert_eq!(get(&format!("{page}/livez")).await.status, StatusCode::OK);
    assert_eq!(get(&format!("{page}/readyz")).await.status, StatusCode::OK);
    for arguments in [&["health"][..], &["health", "--ready"]] {
        assert_eq!(place.run(arguments).await.status.code(), Some(0), "{arguments:?}");
    }
    let (place, daemon) = unwell().await;
    let page = daemon.page().await;
    assert_eq!(get(&format!("{page}/livez")).await.status, StatusCode::OK);
    let ready = get(&format!("{page}/readyz")).await;
    let faults: Value = serde_json::from_str(&ready.text).expect("JSON");
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((faults["ready"].clone(), faults["faults"][0]["reason"].clone()), (false.into(), "NotAdopted".into()));
    assert!(faults["faults"][0]["remedy"].as_str().is_some_and(|remedy| remedy.contains("scim-rotator adopt overlap")));
    assert_eq!(place.run(&["health"]).await.status.code(), Some(0));
    let told = place.run(&["health", "--ready"]).await;
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stdout).contains("overlap: a person has to act [NotAdopted]"));
    daemon.kill();
    let told = place.run(&["health"]).await;
    assert!(told.status.code() == Some(1) && String::from_utf8_lossy(&told.stderr).contains("no daemon answers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_can_be_changed_and_what_is_not_there_is_not_found() {
    let (_place, daemon) = unwell().await;
    let page = daemon.page().await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        for path in ["/", "/connections/overlap", "/v1/connections/overlap/rotate"] {
            let answer = ask(method.clone(), &format!("{page}{path}"), "*/*").await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
    for path in [
        "/nothing",
        "/connections/other",
        "/connections/%2e%2e%2fetc",
        "/connections/<b>x",
        "/runbook/../Cargo.toml",
        "/runbook/..%2f..%2fCargo.toml",
        "/v1/connections",
        "//",
        "/connections/",
    ] {
        let answer = get(&format!("{page}{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.text.contains("<b>x") && !answer.text.contains("[package]"), "{path}: {}", answer.text);
    }
    let head = ask(Method::HEAD, &page, "*/*").await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    for name in ["content-security-policy", "x-content-type-options", "referrer-policy", "cache-control"] {
        assert!(head.headers.contains_key(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_fails_for_over_an_hour_is_not_well_though_there_is_slack() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(OVERLAP, &text)).await;
    place.sandbox.world(OVERLAP).faults.at_calls(Op::SettingsPut, 1, 10_000, Fault::Status(500, None));
    let daemon = place.daemon(&[]);
    let page = daemon.page().await;
    let began = Instant::now();
    let ready = loop {
        let ready = get(&format!("{page}/readyz")).await;
        if ready.text.contains("\"stuck\"") {
            break ready;
        }
        assert!(began.elapsed() < PATIENCE, "{}\n{}", ready.text, daemon.log());
    };
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let shown = get(&page).await.text;
    assert!(shown.contains("1 connection not well") && !shown.contains("All is well"), "{shown}");
    let metrics = get(&format!("{page}/metrics")).await.text;
    assert!(metrics.contains("scim_rotator_ready{connection=\"overlap\"} 0"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_nobody_is_answered_who_came_by_a_name_of_somebody_elses() {
    let (_place, daemon) = unwell().await;
    let page = daemon.page().await;
    for (host, status) in [
        ("evil.example:8642", StatusCode::MISDIRECTED_REQUEST),
        ("localhost.evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("localhost:8642", StatusCode::OK),
        ("127.0.0.1", StatusCode::OK),
        ("[::1]:8642", StatusCode::OK),
    ] {
        let answer = client().get(format!("{page}/livez")).header("host", host).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_connections_open_keeps_nobody_from_asking() {
    let (_place, daemon) = unwell().await;
    let page = daemon.page().await;
    let address = page.trim_start_matches("http://");
    let mut open = Vec::new();
    for _ in 0..200 {
        open.push(std::net::TcpStream::connect(address).expect("it is let in"));
    }
    assert_eq!(get(&format!("{page}/livez")).await.status, StatusCode::OK);
    let said = |stream: &mut std::net::TcpStream| stream.read(&mut [0]);
    assert!(said(&mut open[0]).is_ok_and(|bytes| bytes == 0), "the first who said nothing has been sent away");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_of_each_connection_of_what_was_done_and_of_every_call_in_both_formats() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(OVERLAP, &text)).await;
    let first = place.sandbox.world(OVERLAP).saved_token().expect("a token");
    let daemon = place.daemon(&[]);
    let page = daemon.page().await;
    place.until(OVERLAP, "it rotates", |world| is_at_rest_with_newer(world, first)).await;
    let confirmed = daemon.log().len();
    daemon.says_after(confirmed, "\"decision\":\"wait\"").await;
    let text = get(&format!("{page}/metrics")).await;
    assert_eq!((text.status, text.kind.as_str()), (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8"));
    let value = |name: &str| {
        let line =
            text.text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}\n{}", text.text));
        line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok()).expect("a number")
    };
    assert!(value("scim_rotator_token_slack_seconds{connection=\"overlap\"}") > 0.0);
    assert!(value("scim_rotator_rotations_total{result=\"succeeded\"") >= 1.0);
    assert!(value("scim_rotator_rotations_total{result=\"failed\"") >= 0.0, "told from the beginning");
    assert!(value("scim_rotator_step_duration_seconds_count{step=\"ask the issuer for a new token\"}") >= 1.0);
    assert!(value("scim_rotator_confirm_duration_seconds_count") >= 1.0);
    for service in ["HPE", "Key Vault", "Microsoft Graph", "Entra login"] {
        assert!(
            value(&format!("scim_rotator_calls_total{{service=\"{service}\",class=\"answered\"}}")) >= 1.0,
            "{service}"
        );
    }
    let told: Vec<_> = text.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let unknown: Vec<_> = told.iter().filter(|name| !METRICS.contains(name)).collect();
    let missing: Vec<_> = METRICS.iter().filter(|name| !told.contains(name)).collect();
    assert!(unknown.is_empty() && missing.is_empty(), "not in the list: {unknown:?}; not told: {missing:?}");
    assert_eq!(linted(&text.text), "");
    let open = ask(Method::GET, &format!("{page}/metrics"), "application/openmetrics-text;version=1.0.0").await;
    assert!(open.kind.starts_with("application/openmetrics-text; version=1.0.0"), "{}", open.kind);
    assert!(open.text.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_costs_the_page_and_no_rotation_and_the_page_comes_once_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(OVERLAP, &text)).await;
    let first = place.sandbox.world(OVERLAP).saved_token().expect("a token");
    let daemon = place.daemon_with(&[], &[("SCIM_ROTATOR__ADMIN__LISTEN", &address)]);
    daemon.says("the status page cannot be served here").await;
    place.until(OVERLAP, "it rotates", |world| is_at_rest_with_newer(world, first)).await;
    drop(taken);
    assert_eq!(daemon.page().await, format!("http://{address}"));
    assert_eq!(get(&format!("http://{address}/livez")).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_moves_the_page_or_takes_it_away_and_one_that_is_refused_is_shown() {
    let place = Place::new(about_to_be_due(|_| ()).await, 1.0, |text| {
        only(OVERLAP, &text).replace("[policy]", "[admin]\nlisten = \"127.0.0.1:0\"\n\n[policy]")
    })
    .await;
    let mut command = place.setup.command(super::place::BINARY);
    command.arg("run").env_remove("SCIM_ROTATOR__ADMIN__LISTEN");
    let daemon = place.daemon_by(command);
    let page = daemon.page().await;
    daemon.says("\"decision\":\"wait\"").await;
    let reload = async |change: &dyn Fn(&str) -> String, says: &str| {
        let text = std::fs::read_to_string(&place.setup.config).expect("the configuration");
        std::fs::write(&place.setup.config, change(&text)).expect("written");
        let before = daemon.log().len();
        daemon.signal(Signal::HUP);
        daemon.says_after(before, says).await;
    };
    reload(&|text| text.replace("[policy]", "[policy]\nfance = 1"), "the old one stays").await;
    let shown = get(&page).await.text;
    assert!(shown.contains("The new configuration is refused") && shown.contains("fance"), "{shown}");
    assert!(get(&format!("{page}/metrics")).await.text.contains("scim_rotator_config_last_reload_successful 0"));
    reload(&|text| text.replace("\nfance = 1", "").replace("127.0.0.1:0", "none"), "was read again").await;
    let gone = client().get(&page).timeout(Duration::from_secs(5)).send().await;
    assert!(gone.is_err_and(|error| error.is_connect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_connection_in_the_middle_of_a_rotation_shows_the_step_that_it_is_in() {
    let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::After);
    let daemon = place.daemon(&[]);
    hold.reached().await;
    let shown = get(&format!("{}/connections/overlap", daemon.page().await)).await.text;
    hold.go();
    assert!(shown.contains("ask the issuer for a new token…"), "{shown}");
}

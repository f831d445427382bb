//! The status page, health and metrics of the real daemon: by plain HTTP, by a scraper, and by `scim-rotator health`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use reqwest::{Client, Method, StatusCode};
use rustix::process::Signal;
use serde_json::Value;

use super::monitoring::METRICS;
use super::place::{BINARY, Daemon, OVERLAP, PATIENCE, Place, SPEED, about_to_be_due, is_at_rest_with_newer, only};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Side, Which};
use crate::world::{Fault, Op};

/// A daemon that has looked at both its connections, of which none is due.
pub async fn well() -> (Place, Daemon) {
    let place = Place::new(about_to_be_due(|_| ()).await, 1.0, |text| text).await;
    let daemon = place.daemon(&[]);
    // Of a look at one that is not due nothing is logged but what was decided.
    daemon.says("\"spans\":[{\"connection\":\"overlap\"").await;
    daemon.says("\"spans\":[{\"connection\":\"remove-current\"").await;
    (place, daemon)
}

/// A daemon one of whose connections waits for a person, who is to say how the first token comes.
pub async fn unwell() -> (Place, Daemon) {
    let change = |text: String| text.replace("bootstrap = \"rotate\"\n", "");
    let place = Place::new(worlds(|_| ()), 1.0, |text| change(only(OVERLAP, &text))).await;
    let daemon = place.daemon(&[]);
    daemon.says("NotAdopted").await;
    (place, daemon)
}

/// A daemon that begins so much later, by its own clock, than what was done in this place before.
fn after(place: &Place, leapt: TimeDelta) -> Daemon {
    place.sandbox.leap(leapt);
    let mut command = place.setup.command_after(leapt, BINARY);
    command.arg("run");
    place.daemon_by(command)
}

/// A daemon whose connection has been due for most of an hour, and is held by a person.
pub async fn held() -> (Place, Daemon) {
    let place = Place::new(about_to_be_due(|_| ()).await, 2.0, |text| only(OVERLAP, &text)).await;
    let hold = place.run(&["hold", "overlap", "--for", "15h"]).await;
    assert!(hold.status.success(), "{}", String::from_utf8_lossy(&hold.stderr));
    let daemon = after(&place, TimeDelta::hours(1));
    daemon.says("\"Held\"").await;
    (place, daemon)
}

/// A daemon whose connection has been in quarantine for more than an hour, for a token that a person has pasted over the good
/// one; and the job cannot be started.
pub async fn quarantined() -> (Place, Daemon) {
    let worlds = about_to_be_due(|settings| settings.start += TimeDelta::hours(10)).await;
    let place = Place::new(worlds, 60.0, |text| only(OVERLAP, &text)).await;
    {
        let mut world = place.sandbox.world(OVERLAP);
        world.person_saves("a-token-that-was-never-made");
        world.faults.at_calls(Op::Start, 1, 10_000, Fault::LoseRequest);
    }
    let daemon = after(&place, TimeDelta::hours(3));
    daemon.says("QuarantineStands").await;
    (place, daemon)
}

pub struct Answer {
    pub status: StatusCode,
    kind: String,
    headers: reqwest::header::HeaderMap,
    pub text: String,
}

fn client() -> Client {
    Client::builder().no_proxy().build().expect("a client")
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

/// The value of the first sample whose line begins so.
#[track_caller]
fn value<T: FromStr>(metrics: &str, name: &str) -> T {
    let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}\n{metrics}"));
    line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok()).unwrap_or_else(|| panic!("{line}"))
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
    let failed = "scim_rotator_calls_total{service=\"Microsoft Graph\",class=\"failed\"}";
    assert!(value::<u64>(&metrics, failed) >= 1, "{metrics}");
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
    let value = |name: &str| value::<f64>(&text.text, name);
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
async fn a_call_that_is_not_answered_is_counted_by_what_became_of_it() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| {
        only(OVERLAP, &text).replace("[http]", "[http]\ntimeout = \"1s\"\nconnect_timeout = \"1s\"")
    })
    .await;
    let faults = [
        ("failed", Fault::Status(500, None)),
        ("throttled", Fault::Status(429, Some(1))),
        ("refused", Fault::Status(403, None)),
        ("lost", Fault::Hang),
    ];
    for (n, (_, fault)) in (1..).zip(faults) {
        place.sandbox.world(OVERLAP).faults.at_call(Op::JobRead, n, fault);
    }
    let daemon = place.daemon(&[]);
    let (page, began) = (daemon.page().await, Instant::now());
    loop {
        let metrics = get(&format!("{page}/metrics")).await.text;
        let class = |class: &str| format!("scim_rotator_calls_total{{service=\"Microsoft Graph\",class=\"{class}\"}}");
        let is_counted = |name: &str| metrics.lines().any(|line| line.starts_with(name) && !line.ends_with(" 0"));
        if faults.iter().all(|(name, _)| is_counted(&class(name))) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{metrics}\n{}", daemon.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_until_when_a_connection_is_held_and_since_when_one_is_in_quarantine() {
    let (place, daemon) = held().await;
    let metrics = get(&format!("{}/metrics", daemon.page().await)).await.text;
    let of =
        |metrics: &str, name: &str| value::<i64>(metrics, &format!("scim_rotator_{name}{{connection=\"overlap\"}}"));
    let now = place.sandbox.world(OVERLAP).now().timestamp();
    let (due, held) = (of(&metrics, "rotation_due_timestamp_seconds"), of(&metrics, "hold_until_timestamp_seconds"));
    assert!(due < now && now < held, "{due} {now} {held}");
    assert!(held < of(&metrics, "token_last_safe_timestamp_seconds"), "{metrics}");
    let standing = "scim_rotator_standing{connection=\"overlap\",kind=\"idle\",reason=\"Held\"}";
    assert_eq!((value::<i64>(&metrics, standing), of(&metrics, "ready")), (1, 1));
    let (place, daemon) = quarantined().await;
    let metrics = get(&format!("{}/metrics", daemon.page().await)).await.text;
    let began = of(&metrics, "quarantine_began_timestamp_seconds");
    let quarantine = place.sandbox.world(OVERLAP).jobs()[0].quarantine.clone().expect("it stands");
    assert_eq!(began, quarantine.began.timestamp());
    assert_eq!(of(&metrics, "quarantine_disabled_timestamp_seconds") - began, 28 * 86_400);
    assert_eq!(value::<i64>(&metrics, "scim_rotator_job_state{connection=\"overlap\",state=\"Quarantine\"}"), 1);
    assert_eq!(of(&metrics, "ready"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_who_ask_at_once_are_each_answered_in_full() {
    let (_place, daemon) = unwell().await;
    let page = daemon.page().await;
    let address = page.trim_start_matches("http://");
    let ask = |_| {
        let mut stream = std::net::TcpStream::connect(address).expect("it is let in");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is heard");
        stream
    };
    let asked: Vec<_> = (0..500).map(ask).collect();
    for (number, mut stream) in asked.into_iter().enumerate() {
        let mut text = String::new();
        let read = stream.read_to_string(&mut text);
        assert!(
            read.is_ok() && text.starts_with("HTTP/1.1 200") && text.ends_with("</html>"),
            "{number}: {read:?} {text}"
        );
    }
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
    let mut command = place.setup.command(BINARY);
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

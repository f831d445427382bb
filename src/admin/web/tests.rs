use chrono::TimeDelta;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::testing::{host, job, report};
use super::*;
use crate::domain::Reason;
use crate::engine::report::Kind;

/// Serves somewhere, until the test is over.
async fn served(host: Host) -> (SocketAddr, Arc<Host>) {
    let (listener, host) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::new(host));
    let address = listener.local_addr().unwrap();
    tokio::spawn(receive(listener, Arc::clone(&host)));
    (address, host)
}

/// One who has asked and has not read the answer yet.
async fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

/// The status and the whole of the answer.
async fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {text:?}")), text)
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    answer(ask(address, path).await).await
}

#[tokio::test]
async fn a_loop_that_does_not_turn_is_not_live_and_one_that_turns_again_is() {
    let (address, host) = served(host(1)).await;
    let (status, said) = get(address, "/livez").await;
    assert!(status == 503 && said.ends_with("the loop of a connection no longer turns\n"), "{said}");
    let (status, said) = get(address, "/readyz").await;
    assert!(status == 503 && said.contains("\"live\":false,\"ready\":true"), "{said}");
    host.manager.alive();
    for path in ["/livez", "/readyz"] {
        assert_eq!(get(address, path).await.0, 200, "{path}");
    }
    host.manager.stood_still(Duration::from_secs(119));
    assert_eq!(get(address, "/livez").await.0, 200);
    host.manager.stood_still(Duration::from_secs(2));
    assert_eq!(get(address, "/livez").await.0, 503);
}

#[tokio::test]
async fn a_thousand_connections_are_shown_page_by_page_found_by_name_measured_and_judged() {
    let host = host(1000);
    host.manager.alive();
    let (address, host) = served(host).await;
    for (path, words) in [
        ("/", &["1000 connections", "Page 1 of 20", "/connections/tenant-0000"][..]),
        ("/?page=20", &["Page 20 of 20", "/connections/tenant-0999"]),
        ("/?q=tenant-09&page=2", &["Page 2 of 2", "/connections/tenant-0999", "value=\"tenant-09\""]),
        ("/?q=0042", &["/connections/tenant-0042", "<span>1 connection</span>"]),
        ("/connections/tenant-0999", &["<h1>tenant-0999</h1>"]),
        ("/metrics", &["scim_rotator_ready{connection=\"tenant-0999\"} 1", "connections{state=\"tended\"} 1000"]),
        ("/readyz", &["\"ready\":true,\"connections\":1000"]),
    ] {
        let (status, said) = get(address, path).await;
        assert_eq!(status, 200, "{path}");
        for word in words {
            assert!(said.contains(word), "{path}: {word:?} is not in\n{said}");
        }
    }
    host.looks.saw(&report("tenant-0999", TimeDelta::days(-1)));
    let (status, said) = get(address, "/readyz").await;
    assert!(status == 503 && said.contains("\"connection\":\"tenant-0999\",\"why\":\"slack-gone\""), "{said}");
}

#[tokio::test]
async fn whoever_needs_a_person_is_measured_so_while_nothing_can_be_seen() {
    let (address, host) = served(host(1)).await;
    let mut stands = report("tenant-0000", TimeDelta::days(9));
    for (kind, reason, seen, measured) in [
        (Kind::NeedsHuman, Reason::SupplyNeeded, true, "needs-human"),
        (Kind::Unknown, Reason::CannotObserve, false, "needs-human"),
        (Kind::Idle, Reason::NotDue, true, "idle"),
        (Kind::Unknown, Reason::CannotObserve, false, "unknown"),
    ] {
        (stands.standing.kind, stands.standing.reason) = (kind, reason);
        stands.standing.error = (!seen).then(|| "the vault is away".to_owned());
        (stands.job, stands.token) = if seen { (Some(job("Active")), stands.token) } else { (None, None) };
        host.looks.saw(&stands);
        let standing = format!("connection=\"tenant-0000\",kind=\"{measured}\",reason=\"{reason}\"}} 1");
        let said = get(address, "/metrics").await.1;
        assert!(said.contains(&standing), "{standing} is not in\n{said}");
    }
}

#[tokio::test]
async fn of_all_who_ask_at_once_each_is_answered_in_full_whoever_is_silent_beside_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (mut silent, mut asked) = (Vec::new(), Vec::new());
    for number in 0..120 {
        match number % 6 {
            5 => silent.push(TcpStream::connect(address).await.unwrap()),
            _ => asked.push(ask(address, "/").await),
        }
    }
    // All of them are there before the first is let in.
    tokio::spawn(receive(listener, Arc::new(host(60))));
    let mut answers = JoinSet::new();
    asked.into_iter().for_each(|stream| _ = answers.spawn(answer(stream)));
    while let Some(answer) = answers.join_next().await {
        let (status, text) = answer.unwrap();
        assert!(status == 200 && text.ends_with("</html>"), "{status}: {} bytes", text.len());
    }
}

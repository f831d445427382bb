use std::sync::Arc;

use chrono::TimeDelta;

use super::*;
use crate::app::Calls;
use crate::edge::clock::SystemClock;
use crate::engine::Report;
use crate::engine::report::{JobReport, Kind, TokenReport};
use crate::ports::Clock as _;

/// A daemon that has looked at so many connections, whose slack ends a day later for each.
fn host(connections: usize) -> Host {
    let host = Host {
        looks: Arc::default(),
        counts: Arc::default(),
        calls: Calls::default(),
        notified: Arc::default(),
        manager: Arc::default(),
        clock: Arc::new(SystemClock),
        started: SystemClock.now(),
        sandboxed: false,
    };
    for number in 0..connections {
        let name = format!("tenant-{number:04}");
        host.looks.expect(&name, [0; 32], host.started);
        host.looks.saw(&report(&name, TimeDelta::days(number as i64 + 1)));
    }
    host
}

/// One that is well, with so much slack.
fn report(name: &str, slack: TimeDelta) -> Report {
    let now = SystemClock.now();
    let mut report = Report::refused(name, String::new());
    (report.standing.kind, report.standing.error, report.standing.remedy) = (Kind::Idle, None, None);
    report.standing.reason = Reason::NotDue;
    let token = serde_json::json!({
        "id": "0123456789ab", "stage": "proven", "issued": now - TimeDelta::days(9), "last_safe_moment": now + slack,
        "expires": now + slack + TimeDelta::days(7), "due": now + slack - TimeDelta::hours(5),
    });
    report.token = Some(serde_json::from_value::<TokenReport>(token).unwrap());
    (report.job, report.seen_at) = (Some(job()), Some(now));
    report
}

fn job() -> JobReport {
    serde_json::from_value(serde_json::json!({ "id": "job", "state": "Active" })).unwrap()
}

async fn page(host: &Host, query: &str) -> String {
    overview(host, query).await.into_string()
}

/// The connections on a page, in their order.
fn shown(page: &str) -> Vec<&str> {
    page.split("<article class=\"card ")
        .skip(1)
        .filter_map(|card| card.split("aria-label=\"").nth(1)?.split('"').next())
        .collect()
}

#[tokio::test]
async fn of_a_thousand_connections_a_page_shows_fifty_the_worst_first_and_the_verdict_is_of_all() {
    let host = host(1000);
    host.looks.saw(&report("tenant-0777", TimeDelta::days(-1)));
    let first = page(&host, "").await;
    let names = shown(&first);
    assert_eq!((names.len(), &names[..3]), (50, &["tenant-0777", "tenant-0000", "tenant-0001"][..]));
    assert!(first.contains("1 connection not well") && first.contains("1000 connections. What is wrong"), "{first}");
    assert!(first.contains("Page 1 of 20") && first.contains("href=\"/?page=2\""));
    let last = page(&host, "page=99").await;
    assert_eq!((shown(&last).len(), shown(&last).last().copied()), (50, Some("tenant-0999")));
    assert!(last.contains("Page 20 of 20") && first.len() < 400_000, "{} bytes", first.len());
}

#[tokio::test]
async fn connections_are_found_by_a_part_of_their_name_on_pages_that_keep_it() {
    let host = host(1000);
    assert_eq!(shown(&page(&host, "q=+0042").await), ["tenant-0042"]);
    let some = page(&host, "q=tenant-00").await;
    assert!(some.contains("href=\"/?q=tenant-00&amp;page=2\"") && some.contains("100 connections"), "{some}");
    let none = page(&host, "q=%3Cb%3E").await;
    assert!(none.contains("No connection has “&lt;b&gt;” in its name") && !none.contains("<b>"), "{none}");
}

#[tokio::test]
async fn the_verdict_is_until_the_first_slack_ends_and_there_is_none_before_the_first_look() {
    let well = page(&host(3), "").await;
    let until = words::day(SystemClock.now() + TimeDelta::days(1));
    assert!(well.contains(&format!("All is well until {until}")) && well.contains("tenant-0000"), "{well}");
    let host = host(1);
    host.looks.expect("a", [0; 32], host.started);
    assert!(page(&host, "").await.contains("Looking…"));
    // Nor is there a good one while one has only failed to be seen, or could not be judged.
    let mut blind = report("a", TimeDelta::days(1));
    (blind.standing.kind, blind.standing.error) = (Kind::Unknown, Some("away".to_owned()));
    host.looks.saw(&Report { token: None, job: None, ..blind.clone() });
    let page_of_blind = page(&host, "").await;
    assert!(page_of_blind.contains("Looking…") && !page_of_blind.contains("All is well"), "{page_of_blind}");
    host.looks.saw(&blind);
    let uncertain = page(&host, "").await;
    assert!(
        uncertain.contains("1 connection not certain to provision") && !uncertain.contains("All is well"),
        "{uncertain}"
    );
}

#[tokio::test]
async fn nothing_that_is_told_is_taken_for_markup() {
    let (host, evil) = (host(0), "<img src=x onerror=alert(1)>");
    host.looks.refuse(vec![Report::refused(&format!("/etc/{evil}.toml"), evil.to_owned())]);
    host.looks.reloaded(Some(evil.to_owned()));
    host.looks.expect("a", [0; 32], host.started);
    let mut report = report("a", TimeDelta::days(1));
    (report.warnings, report.standing.error, report.standing.remedy) =
        (vec![evil.to_owned()], Some(evil.to_owned()), Some(evil.to_owned()));
    host.looks.saw(&report);
    for page in [page(&host, "").await, connection(&host, "a").unwrap().into_string()] {
        assert!(page.contains("&lt;img") && !page.contains("<img"), "{page}");
    }
}

use chrono::TimeDelta;

use super::*;
use crate::admin::web::testing::{host, job, report};
use crate::domain::Reason;
use crate::edge::clock::SystemClock;
use crate::engine::Report;
use crate::engine::report::Kind;
use crate::ports::Clock as _;

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
    assert!(well.contains("UTC</h1>"), "what ends within two days is told to the minute: {well}");
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

/// What stands above the cards, and what the card of a connection says.
async fn said_of(host: &Host, name: &str) -> (String, String) {
    let page = page(host, "").await;
    let (head, _) = page.split_once("<article").unwrap_or((&page, ""));
    let card = page.split("<article").find(|card| card.contains(&format!("aria-label=\"{name}\"")));
    (head.to_owned(), card.unwrap_or_else(|| panic!("{name} is not on\n{page}")).to_owned())
}

#[tokio::test]
async fn a_job_that_does_not_run_is_found_among_a_thousand_connections_by_name_and_badge() {
    let host = host(1000);
    for (state, badge) in
        [("Paused", "job paused"), ("NotConfigured", "job does not run"), ("Unknown", "job does not run")]
    {
        host.looks.saw(&Report { job: Some(job(state)), ..report("tenant-0500", TimeDelta::days(501)) });
        let (head, card) = said_of(&host, "tenant-0500").await;
        assert!(head.contains("<h1 class=\"warn\">1 connection not certain to provision</h1>"), "{head}");
        assert!(head.contains("Not certain to provision: <a href=\"/connections/tenant-0500\">"), "{head}");
        assert!(card.starts_with(" class=\"card warn\"") && card.contains(badge), "{state}: {card}");
        assert!(card.contains("provisioned") && !card.contains(">well<"), "{state}: {card}");
    }
    host.looks.saw(&report("tenant-0777", TimeDelta::days(-1)));
    let (head, _) = said_of(&host, "tenant-0500").await;
    assert!(head.contains("1 connection not well") && head.contains("Not well: <a href=\"/connections/tenant-0777\">"));
    assert_eq!(shown(&page(&host, "").await)[..3], ["tenant-0777", "tenant-0500", "tenant-0000"]);
    for number in 500..512 {
        let name = format!("tenant-{number:04}");
        host.looks.saw(&Report { job: Some(job("Paused")), ..report(&name, TimeDelta::days(number + 1)) });
    }
    let (head, _) = said_of(&host, "tenant-0500").await;
    assert!(head.contains("tenant-0502</a> and 9 more.") && !head.contains("tenant-0503"), "{head}");
}

#[tokio::test]
async fn a_rotation_that_is_past_its_moment_is_overdue_and_what_it_waits_for_is_told() {
    let (host, now) = (host(2), SystemClock.now());
    let mut overdue = report("tenant-0000", TimeDelta::days(3));
    overdue.token.as_mut().unwrap().due = Some(now - TimeDelta::hours(17));
    (overdue.standing.reason, overdue.standing.next) = (Reason::BackingOff, Some(now + TimeDelta::seconds(750)));
    host.looks.saw(&overdue);
    let (head, card) = said_of(&host, "tenant-0000").await;
    let since = words::moment(now - TimeDelta::hours(17)).into_string();
    assert!(card.contains(&format!("overdue since {since}</strong> (17 hours), tried again in 12 minutes")), "{card}");
    assert!(
        head.contains("tenant-0000</a> is overdue since") && head.contains("Next rotation in 12 minutes"),
        "{head}"
    );
    overdue.held_until = Some(now + TimeDelta::hours(9));
    host.looks.saw(&overdue);
    let (head, card) = said_of(&host, "tenant-0000").await;
    let until = words::moment(now + TimeDelta::hours(9)).into_string();
    for said in [&head, &card] {
        assert!(
            said.contains(&format!("overdue since {since}, held until {until}")) && !said.contains(" ago, of"),
            "{said}"
        );
    }
    overdue.held_until = Some(now + TimeDelta::days(9));
    host.looks.saw(&overdue);
    let (_, card) = said_of(&host, "tenant-0000").await;
    let safe = words::moment(overdue.token.as_ref().unwrap().last_safe_moment.unwrap()).into_string();
    assert!(card.contains(&format!("held until {safe}")), "no hold outlasts the last safe moment: {card}");
    // Of what only a person can go on with nobody knows when it begins.
    (overdue.held_until, overdue.standing.kind) = (None, Kind::NeedsHuman);
    host.looks.saw(&overdue);
    let (_, card) = said_of(&host, "tenant-0000").await;
    assert!(card.contains("overdue since") && !card.contains("tried again"), "{card}");
    let mut another = report("tenant-0001", TimeDelta::days(3));
    another.token.as_mut().unwrap().due = Some(now - TimeDelta::hours(18));
    host.looks.saw(&another);
    let (head, _) = said_of(&host, "tenant-0000").await;
    let since = words::moment(now - TimeDelta::hours(18)).into_string();
    assert!(head.contains("Overdue: <a") && head.contains(&format!(", the first overdue since {since}. ")), "{head}");
}

#[tokio::test]
async fn a_rotation_that_is_put_off_before_it_is_due_is_told_for_when_it_really_begins() {
    let (host, now) = (host(1), SystemClock.now());
    let mut held = report("tenant-0000", TimeDelta::days(3));
    held.token.as_mut().unwrap().due = Some(now + TimeDelta::hours(1));
    held.held_until = Some(now + TimeDelta::seconds(8 * 3600 + 30));
    host.looks.saw(&held);
    let (head, card) = said_of(&host, "tenant-0000").await;
    assert!(head.contains("Next rotation in 8 hours.") && !head.contains("verdue"), "{head}");
    assert!(card.contains("<dd>in 8 hours, ") && card.contains(", held until then"), "{card}");
}

#[tokio::test]
async fn a_rotation_that_is_under_way_is_overdue_no_longer() {
    let (host, now) = (host(1), SystemClock.now());
    let mut due = report("tenant-0000", TimeDelta::days(3));
    due.token.as_mut().unwrap().due = Some(now - TimeDelta::minutes(2));
    host.looks.saw(&due);
    assert!(said_of(&host, "tenant-0000").await.0.contains("It is overdue since"));
    let doing = std::sync::Arc::new(crate::engine::Progress::default());
    doing.enter("preflight");
    host.looks.begins("tenant-0000", &doing, now);
    let (head, _) = said_of(&host, "tenant-0000").await;
    assert!(head.contains("1 at work") && !head.contains("verdue"), "{head}");
}

#[tokio::test]
async fn slack_is_low_once_two_thirds_of_the_time_that_there_is_for_a_rotation_are_over() {
    let (host, now) = (host(3), SystemClock.now());
    let slack = TimeDelta::minutes(142) + TimeDelta::seconds(30);
    let mut late = report("tenant-0001", slack);
    for (due, is_low) in [(slack * 2 - TimeDelta::minutes(1), false), (slack * 2, true)] {
        late.token.as_mut().unwrap().due = Some(now - due);
        host.looks.saw(&late);
        let (head, card) = said_of(&host, "tenant-0001").await;
        assert!(head.contains("2 hours 22 minutes") && card.contains("2 hours 22 minutes"), "{head}");
        match is_low {
            true => {
                assert!(head.contains("<h1 class=\"warn\">1 connection short of slack</h1>"), "{head}");
                assert!(head.contains("Short of slack: <a href=\"/connections/tenant-0001\">"), "{head}");
                assert!(card.starts_with(" class=\"card warn\"") && card.contains("slack is low"), "{card}");
                assert!(card.contains("its last safe moment comes near"), "{card}");
            }
            false => {
                let until = words::until(now + slack, now);
                assert!(head.contains(&format!("<h1 class=\"good\">All is well until {until}</h1>")), "{head}");
                assert!(card.starts_with(" class=\"card good\""), "{card}");
            }
        }
    }
    host.looks.saw(&Report { job: Some(job("Paused")), ..report("tenant-0002", TimeDelta::days(3)) });
    let (head, _) = said_of(&host, "tenant-0001").await;
    assert!(head.contains("1 connection short of slack, 1 connection not certain to provision"), "{head}");
}

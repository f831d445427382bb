//! A host that has looked at some connections, for tests of what is shown of them.

use std::sync::Arc;

use chrono::TimeDelta;

use super::Host;
use crate::app::Calls;
use crate::domain::Reason;
use crate::edge::clock::SystemClock;
use crate::engine::Report;
use crate::engine::report::{JobReport, Kind, TokenReport};
use crate::ports::Clock as _;

/// A daemon that has looked at so many connections, whose slack ends a day later for each.
pub fn host(connections: usize) -> Host {
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
        host.looks.expect(name.as_str(), [0; 32], host.started);
        host.looks.saw(&report(&name, TimeDelta::days(number as i64 + 1)));
    }
    host
}

/// One that is well, with so much slack.
pub fn report(name: &str, slack: TimeDelta) -> Report {
    let now = SystemClock.now();
    let mut report = Report::refused(name, String::new());
    (report.standing.kind, report.standing.error, report.standing.remedy) = (Kind::Idle, None, None);
    report.standing.reason = Reason::NotDue;
    let token = serde_json::json!({
        "id": "0123456789ab", "stage": "proven", "issued": now - TimeDelta::days(9), "last_safe_moment": now + slack,
        "expires": now + slack + TimeDelta::days(7), "due": now + slack - TimeDelta::hours(5),
    });
    report.token = Some(serde_json::from_value::<TokenReport>(token).unwrap());
    (report.job, report.seen_at) = (Some(job("Active")), Some(now));
    report
}

/// A job in this state.
pub fn job(state: &str) -> JobReport {
    serde_json::from_value(serde_json::json!({ "id": "job", "state": state })).unwrap()
}

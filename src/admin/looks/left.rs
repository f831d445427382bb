//! Connections that are tended no more although something of theirs is open. Each is shown as one that needs a person, under a
//! name that no connection has, until somebody tends the same secret.

use super::{Entry, Looks, Packed, Times};
use crate::domain::Reason;
use crate::engine::{Claims, Report};

/// What the names of those that are left behind end with.
pub const LEFT_BEHIND: &str = ".left-behind";

impl Looks {
    /// A connection is tended no more, and this is open. Answers with what is told of it from now on.
    pub fn leave_behind(&self, connection: &str, claims: &Claims, open: &str) -> Report {
        let mut report = Report::refused(connection, open.to_owned());
        report.standing.reason = Reason::LeftBehind;
        report.standing.remedy = Reason::LeftBehind.remedy().map(str::to_owned);
        let (mut configured, name) = (self.configured(), format!("{connection}{LEFT_BEHIND}"));
        let place = (claims.secret, claims.ward);
        self.with(|all| {
            let numbered = (2..).map(|number| format!("{name}-{number}"));
            let known = configured.left.get(&place).map(|name| name.to_string());
            let free = || std::iter::once(name.clone()).chain(numbered).find(|name| !all.contains_key(name.as_str()));
            report.connection = known.or_else(free).unwrap_or(name.clone());
            let before = all.get(connection);
            let seen = before.and_then(|entry| entry.report.as_ref()).and_then(Packed::read);
            (report.job, report.seen_at) = seen.map_or((None, None), |seen| (seen.job, seen.seen_at));
            let times = before.map(|entry| Times { needs_human: true, doing_since: None, ..entry.times });
            let entry = Entry {
                identity: [0; 32],
                report: Packed::of(&report),
                holds: true,
                doing: None,
                times: times.unwrap_or_else(|| Times::since(crate::domain::Timestamp::UNIX_EPOCH)),
            };
            all.insert(report.connection.as_str().into(), Box::new(entry));
        });
        configured.left.insert(place, report.connection.as_str().into());
        report
    }

    /// Somebody tends this secret from now on, and sees what is open of it. Answers with the names of what was left behind.
    pub fn takes_up(&self, claims: &Claims) -> Vec<String> {
        let mut configured = self.configured();
        let mut taken = Vec::new();
        configured.left.retain(|(secret, _), name| {
            let is_taken = *secret == claims.secret;
            taken.extend(is_taken.then(|| name.to_string()));
            !is_taken
        });
        self.with(|all| taken.iter().for_each(|name| drop(all.remove(name.as_str()))));
        taken
    }

    /// What is told of those that nobody looks at: their configuration cannot be used, or they are left behind.
    pub fn untended(&self) -> Vec<Report> {
        let configured = self.configured();
        let left = self.with(|all| {
            let entries = configured.left.values().filter_map(|name| all.get(&**name));
            entries.filter_map(|entry| entry.report.as_ref().and_then(Packed::read)).collect::<Vec<_>>()
        });
        configured.refused.iter().cloned().chain(left).collect()
    }
}

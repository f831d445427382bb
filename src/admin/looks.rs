//! The last look of the daemon at each connection, for commands that need none of their own: kept as it is told, in about a
//! kilobyte each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::engine::Report;
use crate::engine::fleet::Identity;

/// What the daemon tends, and how it stood last.
#[derive(Debug, Default)]
pub struct Looks {
    all: Mutex<BTreeMap<Box<str>, Entry>>,
}

#[derive(Debug)]
struct Entry {
    identity: Identity,
    /// None before the first look, while the connection looks and acts, and after what has failed: what was so before may
    /// not be so any more.
    report: Option<Box<RawValue>>,
}

/// How a connection stood when the daemon looked last; `R` is its report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastLook<R> {
    /// The connection.
    pub connection: String,
    /// As which configuration the daemon tends it: [`told`] of its identity.
    pub identity: String,
    /// None while it is being looked at.
    pub report: Option<R>,
}

/// An identity as it is told: 64 hexadecimal digits.
pub fn told(identity: &Identity) -> String {
    identity.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // A string takes everything.
        text
    })
}

impl Looks {
    /// A connection is tended from now on, configured like this.
    pub fn expect(&self, connection: &str, identity: Identity) {
        self.with(|all| all.insert(connection.into(), Entry { identity, report: None }));
    }

    /// What is known of it may not be so any more.
    pub fn begins(&self, connection: &str) {
        self.with(|all| {
            if let Some(entry) = all.get_mut(connection) {
                entry.report = None;
            }
        });
    }

    /// It has been looked at. Of a look or an act that failed there is nothing to keep: its report is of before.
    pub fn saw(&self, report: &Report) {
        let holds = report.standing.error.is_none() && matches!(&*report.standing.action, "wait" | "needs-human");
        // Whoever gave an order has been answered.
        let told = holds.then(|| to_raw_value(&Report { obeyed: None, ..report.clone() }).ok()).flatten();
        self.with(|all| {
            if let Some(entry) = all.get_mut(report.connection.as_str()) {
                entry.report = told;
            }
        });
    }

    /// It is no longer tended.
    pub fn forget(&self, connection: &str) {
        self.with(|all| all.remove(connection));
    }

    /// At most so many connections in the order of their names, from the first whose name comes after this one.
    pub fn page(&self, after: &str, most: usize) -> Vec<LastLook<Box<RawValue>>> {
        self.with(|all| {
            let coming = all.range::<str, _>((Bound::Excluded(after), Bound::Unbounded));
            let told = coming.take(most).map(|(name, entry)| LastLook {
                connection: name.to_string(),
                identity: told(&entry.identity),
                report: entry.report.clone(),
            });
            told.collect()
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<Box<str>, Entry>) -> T) -> T {
        act(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Identity = [1; 32];

    fn looks(names: &[&str]) -> Looks {
        let looks = Looks::default();
        for name in names {
            looks.expect(name, ONE);
            looks.saw(&report(name, "seen"));
        }
        looks
    }

    /// A report of a connection with this warning.
    fn report(name: &str, warning: &str) -> Report {
        let mut report = Report::refused(name, String::new());
        report.standing.error = None;
        report.warnings = vec![warning.to_owned()];
        report
    }

    fn warnings(looks: &Looks) -> Vec<Option<String>> {
        let read = |raw: Box<RawValue>| serde_json::from_str::<Report>(raw.get()).unwrap().warnings.concat();
        looks.page("", 9).into_iter().map(|look| look.report.map(read)).collect()
    }

    #[test]
    fn what_was_seen_is_told_until_the_next_look_begins_and_what_that_sees_from_its_end() {
        let looks = looks(&["a"]);
        assert_eq!(warnings(&looks), [Some("seen".to_owned())]);
        looks.begins("a");
        assert_eq!(warnings(&looks), [None]);
        looks.saw(&report("a", "seen again"));
        assert_eq!(warnings(&looks), [Some("seen again".to_owned())]);
    }

    #[test]
    fn nothing_is_told_after_a_look_or_an_act_that_failed_nor_of_what_was_seen_before_an_act() {
        for change in [
            |report: &mut Report| report.standing.error = Some("Graph is away".to_owned()),
            |report: &mut Report| report.standing.action = "rotate".into(),
        ] {
            let (looks, mut report) = (looks(&["a"]), report("a", "of before"));
            change(&mut report);
            looks.saw(&report);
            assert_eq!(warnings(&looks), [None]);
        }
    }

    #[test]
    fn nothing_is_told_of_a_connection_that_is_not_tended_or_has_been_configured_anew() {
        let looks = looks(&["a", "b"]);
        looks.forget("a");
        looks.saw(&report("a", "its loop was ending"));
        looks.expect("b", [2; 32]);
        assert_eq!(warnings(&looks), [None]);
        assert_eq!(looks.page("", 9)[0].identity, "02".repeat(32));
    }

    #[test]
    fn pages_follow_each_other_by_name_without_gap_or_overlap() {
        let looks = looks(&["c", "a", "b"]);
        let names = |after| looks.page(after, 2).into_iter().map(|look| look.connection).collect::<Vec<_>>();
        assert_eq!(names(""), ["a", "b"]);
        assert_eq!(names("b"), ["c"]);
        assert!(names("c").is_empty());
    }
}

//! The last look of the daemon at each connection: for commands that need none of their own, for the page, for metrics and for
//! health. Kept in a few hundred bytes each.

mod left;
mod packed;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

pub use self::left::LEFT_BEHIND;
use self::packed::Packed;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::{JobState, Reason, Timestamp};
use crate::engine::fleet::Identity;
use crate::engine::report::Kind;
use crate::engine::{Progress, Report};

/// What the daemon tends, and how it stood last.
#[derive(Debug, Default)]
pub struct Looks {
    all: Mutex<BTreeMap<Arc<str>, Box<Entry>>>,
    configured: Mutex<Configured>,
}

#[derive(Debug)]
struct Entry {
    identity: Identity,
    /// None before the first look.
    report: Option<Packed>,
    /// Whether it may be shown in place of a look: not while the connection looks and acts, nor after what has failed, since
    /// what was so before may not be so any more.
    holds: bool,
    /// What is being done, while something is.
    doing: Option<Arc<Progress>>,
    times: Times,
}

/// What the reports of one connection show only together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Since when it is tended.
    pub tended_since: Timestamp,
    /// The last look that has seen vault and job, whatever came of it.
    pub seen_well: Option<Timestamp>,
    /// Since when each look that saw it has found something unfinished, or could not judge it; none, if the last one did not.
    pub open_since: Option<Timestamp>,
    /// Since when it is being looked at, and what is due is done; none between two looks. What is begun in a look is told at
    /// its end only, and a rotation may wait for hours.
    pub doing_since: Option<Timestamp>,
    /// When the job was first seen to run after it was seen to stand still.
    pub runs_since: Option<Timestamp>,
    /// The last look that saw it has found that only a person can go on.
    pub needs_human: bool,
}

/// How a connection stood at the look before and stands now.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Before, as far as that is known.
    pub before: Option<Report>,
    /// Now.
    pub now: Seen,
}

/// What the last reading of the configuration has left behind.
#[derive(Clone, Debug, Default)]
struct Configured {
    refused: Vec<Report>,
    /// What is left behind, by the secret and the ward, and how it is called.
    left: BTreeMap<(u64, u64), Box<str>>,
    reload_problems: Option<String>,
    waiting: Option<String>,
}

/// How a connection stood when the daemon looked last; `R` is its report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastLook<R> {
    /// The connection.
    pub connection: String,
    /// As which configuration the daemon tends it: [`told`] of its identity.
    pub identity: String,
    /// None while it is being looked at, and after what has failed.
    pub report: Option<R>,
    /// How it stood before, in that case: it may not be so any more.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub before: Option<R>,
    /// When vault and job were last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_well: Option<Timestamp>,
}

/// Without a bound on what there might be.
fn none<R>() -> Option<R> {
    None
}

/// A connection as the page, metrics and health see it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its name.
    pub connection: String,
    /// How it stood last. What a look that failed did not see is of the one before. None before the first look.
    pub report: Option<Report>,
    /// The step that it is in; empty between two, none while nothing is done.
    pub step: Option<&'static str>,
    /// What its reports show only together.
    pub times: Times,
}

/// An identity as it is told: 64 hexadecimal digits.
pub fn told(identity: &Identity) -> String {
    identity.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // A string takes everything.
        text
    })
}

impl Looks {
    /// A connection is tended from now on, configured like this. What was seen of one that was configured otherwise is still
    /// what is known of its token.
    pub fn expect(&self, connection: impl Into<Arc<str>>, identity: Identity, now: Timestamp) {
        let fresh = || Box::new(Entry { identity, report: None, holds: false, doing: None, times: Times::since(now) });
        self.with(|all| {
            let entry = all.entry(connection.into()).or_insert_with(fresh);
            (entry.identity, entry.holds, entry.doing, entry.times.doing_since) = (identity, false, None, None);
        });
    }

    /// What is known of it may not be so any more.
    pub fn begins(&self, connection: &str, doing: &Arc<Progress>, now: Timestamp) {
        self.with(|all| {
            if let Some(entry) = all.get_mut(connection) {
                (entry.holds, entry.doing, entry.times.doing_since) = (false, Some(Arc::clone(doing)), Some(now));
            }
        });
    }

    /// It has been looked at. None of one that is not tended.
    pub fn saw(&self, report: &Report) -> Option<Turn> {
        self.with(|all| {
            let entry = all.get_mut(report.connection.as_str())?;
            let before = entry.report.as_ref().and_then(Packed::read);
            let now = completed(report, before.as_ref());
            // Of a look or an act that failed there is nothing to show in place of one: its report is of before.
            let failed = report.standing.error.is_some();
            entry.holds = !failed && matches!(&*report.standing.action, "wait" | "needs-human");
            entry.doing = None;
            entry.times = entry.times.after(report, before.as_ref());
            entry.report = Packed::of(&now);
            let now = Seen { connection: now.connection.clone(), report: Some(now), step: None, times: entry.times };
            Some(Turn { before, now })
        })
    }

    /// It is no longer tended.
    pub fn forget(&self, connection: &str) {
        self.with(|all| all.remove(connection));
    }

    /// These connections are not tended, since their configuration cannot be used.
    pub fn refuse(&self, refused: Vec<Report>) {
        self.configured().refused = refused;
    }

    /// A reload was refused for these problems, or taken over where there are none.
    pub fn reloaded(&self, problems: Option<String>) {
        self.configured().reload_problems = problems;
    }

    /// Nothing is tended yet, and why; or no longer.
    pub fn wait_for(&self, what: Option<String>) {
        self.configured().waiting = what;
    }

    /// Why nothing is tended yet.
    pub fn waiting(&self) -> Option<String> {
        self.configured().waiting.clone()
    }

    /// Why the last reload was refused.
    pub fn reload_problems(&self) -> Option<String> {
        self.configured().reload_problems.clone()
    }

    /// Those that are not tended, since their configuration cannot be used.
    pub fn refused(&self) -> Vec<Seen> {
        let seen = |report: &Report| Seen {
            connection: report.connection.clone(),
            report: Some(report.clone()),
            step: None,
            times: Times::since(Timestamp::UNIX_EPOCH),
        };
        self.configured().refused.iter().map(seen).collect()
    }

    /// Those that have been at work since before then, as they stood when they began.
    pub fn at_work_since(&self, moment: Timestamp) -> Vec<Seen> {
        self.with(|all| {
            let long = all.iter().filter(|(_, entry)| entry.times.doing_since.is_some_and(|since| since < moment));
            long.map(|(name, entry)| see(name, entry)).collect()
        })
    }

    /// How many are tended.
    pub fn count(&self) -> usize {
        // Both at once: what is left behind stands in both.
        let configured = self.configured();
        self.with(|all| all.len()).saturating_sub(configured.left.len())
    }

    /// At most so many connections in the order of their names, from the first whose name comes after this one.
    pub fn page(&self, after: &str, most: usize) -> Vec<LastLook<Box<RawValue>>> {
        self.take(after, most, |name, entry| LastLook {
            connection: name.to_owned(),
            identity: told(&entry.identity),
            report: entry.report.as_ref().filter(|_| entry.holds).and_then(Packed::json),
            before: entry.report.as_ref().filter(|_| !entry.holds).and_then(Packed::json),
            seen_well: entry.times.seen_well,
        })
    }

    /// The same as [`page`](Self::page), as seen for the page, metrics and health.
    pub fn seen(&self, after: &str, most: usize) -> Vec<Seen> {
        self.take(after, most, see)
    }

    /// One of them.
    pub fn one(&self, connection: &str) -> Option<Seen> {
        let tended = self.with(|all| all.get(connection).map(|entry| see(connection, entry)));
        tended.or_else(|| self.refused().into_iter().find(|seen| seen.connection == connection))
    }

    fn take<T>(&self, after: &str, most: usize, tell: impl Fn(&str, &Entry) -> T) -> Vec<T> {
        self.with(|all| {
            let coming = all.range::<str, _>((Bound::Excluded(after), Bound::Unbounded));
            coming.take(most).map(|(name, entry)| tell(name, entry)).collect()
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<Arc<str>, Box<Entry>>) -> T) -> T {
        act(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn configured(&self) -> std::sync::MutexGuard<'_, Configured> {
        self.configured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn see(connection: &str, entry: &Entry) -> Seen {
    Seen {
        connection: connection.to_owned(),
        report: entry.report.as_ref().and_then(Packed::read),
        step: entry.doing.as_ref().map(|doing| doing.step().unwrap_or_default()),
        times: entry.times,
    }
}

/// Whether it is of a look that saw nothing.
pub fn is_blind(report: &Report) -> bool {
    report.standing.error.is_some() && report.token.is_none() && report.job.is_none()
}

/// The report of a look that saw nothing, with what the one before it saw. Whoever gave an order has been answered.
pub fn completed(report: &Report, before: Option<&Report>) -> Report {
    let mut report = Report { obeyed: None, ..report.clone() };
    let blind = is_blind(&report);
    if let Some(before) = before.filter(|_| blind) {
        report.token.clone_from(&before.token);
        report.job.clone_from(&before.job);
        report.recent.clone_from(&before.recent);
        report.held_until = before.held_until;
    }
    report
}

impl Times {
    /// Of one that is tended from then on and has not been looked at.
    pub fn since(tended_since: Timestamp) -> Self {
        Self {
            tended_since,
            seen_well: None,
            open_since: None,
            doing_since: None,
            runs_since: None,
            needs_human: false,
        }
    }

    /// A look that sees nothing changes nothing of what is known.
    fn after(self, report: &Report, before: Option<&Report>) -> Self {
        let Report { seen_at, standing, job, .. } = report;
        let rests = Self { doing_since: None, ..self };
        if job.is_none() && standing.reason == Reason::CannotObserve {
            return rests;
        }
        let runs = |report: &Report| report.job.as_ref().map(|job| job.state == JobState::Active);
        let runs_again = before.and_then(runs) == Some(false) && runs(report) == Some(true);
        let is_open = matches!(standing.kind, Kind::Unfinished | Kind::Unknown);
        Self {
            seen_well: seen_at.filter(|_| job.is_some()).or(self.seen_well),
            open_since: if is_open { self.open_since.or(*seen_at) } else { None },
            runs_since: if runs_again { *seen_at } else { self.runs_since },
            needs_human: standing.kind == Kind::NeedsHuman,
            ..rests
        }
    }
}

#[cfg(test)]
#[path = "looks_tests.rs"]
mod tests;

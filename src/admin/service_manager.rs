//! What systemd is told: READY, STATUS, RELOADING, STOPPING, WATCHDOG. Without systemd it is told to nobody.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::engine::{Report, report::Kind};

/// The last word on every connection, and the line that systemd shows.
#[derive(Debug, Default)]
pub struct ServiceManager {
    reports: Mutex<BTreeMap<String, Report>>,
}

impl ServiceManager {
    /// A connection has been looked at.
    pub fn report(&self, report: &Report) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.insert(report.connection.clone(), report.clone());
        tell(&[NotifyState::Status(&sentence(&reports))]);
    }

    /// A connection is no longer tended.
    pub fn forget(&self, connection: &str) {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).remove(connection);
    }

    /// The configuration is loaded and the loops turn.
    pub fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// Nothing is looked at yet, and why.
    pub fn waiting(&self, what: &str) {
        tell(&[NotifyState::Status(what)]);
    }

    /// The configuration is being read again.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// The process ends.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// The loops turn.
    pub fn alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }

    /// How often [`Self::alive`] is to be said: half of what systemd allows.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        Some(sd_notify::watchdog_enabled()? / 2)
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}

/// One connection is told in full; of several, those that want attention.
fn sentence(reports: &BTreeMap<String, Report>) -> String {
    if let [only] = reports.values().collect::<Vec<_>>().as_slice() {
        return format!("{}: {}", only.connection, only.standing.sentence());
    }
    let unwell = |r: &&Report| matches!(r.standing.kind, Kind::NeedsHuman | Kind::Unknown);
    let names: Vec<_> = reports.values().filter(unwell).map(|r| r.connection.as_str()).take(5).collect();
    match names.as_slice() {
        [] => format!("{} connections, all well", reports.len()),
        names => format!("{} connections; look at {}", reports.len(), names.join(", ")),
    }
}

//! What systemd is told: READY, STATUS, RELOADING, STOPPING, WATCHDOG. Without systemd it is told to nobody.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::engine::{Report, report::Kind};

/// The line that systemd shows, and what it is made of.
#[derive(Debug, Default)]
pub struct ServiceManager {
    connections: Mutex<Connections>,
    /// When the loops were last seen to turn.
    pulse: Mutex<Option<Instant>>,
}

/// The loops are looked at twice a minute at least.
const STILL: Duration = Duration::from_secs(120);

/// How all of them stood last. One word of each is kept, since there may be thousands.
#[derive(Debug, Default)]
struct Connections {
    /// By a number of each name.
    all: BTreeSet<u64>,
    /// Those that are not.
    unwell: BTreeSet<String>,
    /// The last reload was refused: what is tended is what was configured before.
    refused: bool,
}

/// The same for the same name, and hardly ever for another.
fn number(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl Connections {
    fn note(&mut self, report: &Report) {
        let name = &report.connection;
        self.all.insert(number(name));
        match report.standing.kind {
            Kind::NeedsHuman | Kind::Unknown => self.unwell.insert(name.clone()),
            Kind::Idle | Kind::Due | Kind::Unfinished => self.unwell.remove(name),
        };
    }

    fn forget(&mut self, connection: &str) {
        self.all.remove(&number(connection));
        self.unwell.remove(connection);
    }

    /// One connection is told in full, as it has just been seen; of several, those that want attention.
    fn sentence(&self, last: &Report) -> String {
        match self.refused {
            true => format!("the new configuration is refused, see the log; {}", self.standing(last)),
            false => self.standing(last),
        }
    }

    fn standing(&self, last: &Report) -> String {
        if self.all.len() == 1 {
            return format!("{}: {}", last.connection, last.standing.sentence());
        }
        let names: Vec<_> = self.unwell.iter().map(String::as_str).take(5).collect();
        match names.as_slice() {
            [] => format!("{} connections, all well", self.all.len()),
            names => format!("{} connections; look at {}", self.all.len(), names.join(", ")),
        }
    }
}

impl ServiceManager {
    /// A connection has been looked at.
    pub fn report(&self, report: &Report) {
        let sentence = self.with(|connections| {
            connections.note(report);
            connections.sentence(report)
        });
        tell(&[NotifyState::Status(&sentence)]);
    }

    /// Whether the last reload was refused, to be shown until one is not.
    pub fn refused(&self, refused: bool) {
        self.with(|connections| connections.refused = refused);
    }

    /// A connection is no longer tended.
    pub fn forget(&self, connection: &str) {
        self.with(|connections| connections.forget(connection));
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
        *self.pulse.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        tell(&[NotifyState::Watchdog]);
    }

    /// Whether they were seen to turn within the last two minutes.
    pub fn is_alive(&self) -> bool {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|pulse| pulse.elapsed() < STILL)
    }

    /// As if the loops had last been seen to turn so much longer ago.
    #[cfg(test)]
    pub fn stood_still(&self, time: Duration) {
        let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        *pulse = pulse.map(|pulse| pulse - time);
    }

    /// How often [`Self::alive`] is to be said: half of what systemd allows.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        Some(sd_notify::watchdog_enabled()? / 2)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Connections) -> T) -> T {
        act(&mut self.connections.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str, kind: Kind) -> Report {
        let mut report = Report::refused(name, "it cannot be read".to_owned());
        report.standing.kind = kind;
        report
    }

    #[test]
    fn of_one_connection_all_is_told_and_of_several_whether_they_are_well_and_who_is_not() {
        let mut connections = Connections::default();
        let mut sentence = |name: &str, kind| {
            connections.note(&report(name, kind));
            connections.sentence(&report(name, kind))
        };
        assert!(sentence("a", Kind::NeedsHuman).starts_with("a: a person has to act"));
        assert_eq!(sentence("b", Kind::Idle), "2 connections; look at a");
        assert_eq!(sentence("a", Kind::Due), "2 connections, all well");
        connections.forget("b");
        assert!(connections.sentence(&report("a", Kind::Idle)).starts_with("a: "));
    }

    #[test]
    fn a_refused_configuration_is_told_until_one_is_taken_over() {
        let mut connections = Connections { refused: true, ..Connections::default() };
        let well = report("a", Kind::Idle);
        connections.note(&well);
        assert!(connections.sentence(&well).starts_with("the new configuration is refused, see the log; a: "));
        connections.refused = false;
        assert!(connections.sentence(&well).starts_with("a: "));
    }
}

//! Whoever watches the connections and tells the receivers. Lives as long as the process, across every reload.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::events::Memory;
use super::line::Line;
use super::message::Message;
use super::sent::{Outcome, Sent};
use super::{Audience, Receiver};
use crate::admin::health::Why;
use crate::domain::Timestamp;
use crate::engine::Report;
use crate::ports::Clock;

/// What waits at the end of the process has so long, in seconds of this host, since the service manager counts those.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// Watches, and tells.
pub struct Notifier {
    clock: Arc<dyn Clock>,
    holder: String,
    sent: Arc<Sent>,
    state: Mutex<State>,
    ending: CancellationToken,
    /// Every loop of the process turns, as far as is known.
    turns: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    /// Since when there is anybody to tell. Nothing is remembered before that.
    since: Option<Timestamp>,
    memories: BTreeMap<Box<str>, Memory>,
    lines: BTreeMap<String, (Arc<Line>, JoinHandle<()>)>,
    heartbeat: Option<JoinHandle<()>>,
}

impl Notifier {
    /// Tells nobody yet. `holder` is who speaks.
    pub fn new(clock: Arc<dyn Clock>, holder: String) -> Self {
        let turns = Arc::new(AtomicBool::new(true));
        let (sent, state) = (Arc::default(), Mutex::default());
        Self { clock, holder, sent, state, ending: CancellationToken::new(), turns }
    }

    /// How many messages have come to which end. The same one for as long as the process lives.
    pub fn sent(&self) -> Arc<Sent> {
        Arc::clone(&self.sent)
    }

    /// From now on these are told. Who was told before keeps what waits for him; what waits for others is dropped.
    pub fn turn_to(&self, Audience { receivers, heartbeat }: Audience) {
        let mut state = self.state();
        let mut before = std::mem::take(&mut state.lines);
        for receiver in receivers {
            let line = before.remove(&receiver.name);
            let name = receiver.name.clone();
            let line = match line {
                Some((line, task)) => {
                    line.lead_to(receiver);
                    (line, task)
                }
                None => self.line(receiver),
            };
            state.lines.insert(name, line);
        }
        for (name, (line, task)) in before {
            task.abort();
            self.drop_rest(&name, &line);
        }
        if state.lines.is_empty() {
            state.memories = BTreeMap::new();
        }
        state.since = (!state.lines.is_empty()).then(|| state.since.unwrap_or_else(|| self.clock.now()));
        state.heartbeat.take().iter().for_each(JoinHandle::abort);
        state.heartbeat =
            heartbeat.map(|beat| tokio::spawn(beat.beat(Arc::clone(&self.turns), Arc::clone(&self.clock))));
    }

    fn line(&self, receiver: Receiver) -> (Arc<Line>, JoinHandle<()>) {
        let (sent, clock) = (Arc::clone(&self.sent), Arc::clone(&self.clock));
        let line = Arc::new(Line::new(receiver, sent, clock, self.ending.clone()));
        let carried = Arc::clone(&line);
        (line, tokio::spawn(async move { carried.carry().await }))
    }

    /// Whether every loop turns: the heartbeat stands still while one does not.
    pub fn turns(&self, all: bool) {
        self.turns.store(all, Ordering::Relaxed);
    }

    /// A connection is no longer tended.
    pub fn forget(&self, connection: &str) {
        self.state().memories.remove(connection);
    }

    /// Lets what waits be tried once more each, for five seconds at most, and tells nobody anything after that.
    pub async fn end(&self) {
        let (lines, heartbeat) = {
            let mut state = self.state();
            (std::mem::take(&mut state.lines), state.heartbeat.take())
        };
        heartbeat.iter().for_each(JoinHandle::abort);
        self.ending.cancel();
        let (lines, mut tasks): (Vec<_>, Vec<_>) =
            lines.into_iter().map(|(name, (line, task))| ((name, line), task)).unzip();
        if tokio::time::timeout(LAST_CHANCE, futures::future::join_all(&mut tasks)).await.is_err() {
            tasks.iter().for_each(JoinHandle::abort);
        }
        for (name, line) in lines {
            self.drop_rest(&name, &line);
        }
    }

    /// A connection has been looked at, and is not well for these reasons: whoever is to know of it is told.
    pub fn saw(&self, report: &Report, whys: &[Why]) {
        let mut state = self.state();
        let State { since: Some(since), memories, lines, .. } = &mut *state else { return };
        let now = self.clock.now();
        let name = report.connection.as_str();
        if !memories.contains_key(name) {
            memories.insert(name.into(), Memory::since(*since));
        }
        let Some(memory) = memories.get_mut(name) else { return };
        for news in memory.saw(report, whys, now) {
            let message = Arc::new(Message::new(news, name, now, &self.holder));
            lines.values().for_each(|(line, _)| line.push(&message));
        }
    }

    fn drop_rest(&self, receiver: &str, line: &Line) {
        let number = line.undelivered();
        if number > 0 {
            self.sent.add(receiver, Outcome::Dropped, number);
            tracing::warn!(receiver, number, "notifications are left undelivered");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "notifier_tests.rs"]
mod tests;

//! The line to one receiver: a bounded queue, and the task that carries one message after the other, in their order, for up
//! to a day each. A webhook that hangs or fails costs this task and nobody else.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::message::Message;
use super::sent::{Outcome, Sent};
use super::{Answer, Receiver};
use crate::ports::Clock;

/// So many messages wait for a receiver at most. The oldest of those that weigh least makes room.
const ROOM: usize = 100;
/// A message that nobody has taken for so long is given up.
const LONGEST: TimeDelta = TimeDelta::days(1);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The line to one receiver. Outlives every state of the receiver's configuration.
pub(super) struct Line {
    state: Mutex<State>,
    /// There is something to carry.
    filled: Notify,
    /// The receiver is another one, or the process ends: no wait is worth going on with.
    hurry: Notify,
    sent: Arc<Sent>,
    clock: Arc<dyn Clock>,
    ending: CancellationToken,
}

struct State {
    receiver: Arc<Receiver>,
    waiting: VecDeque<Waiting>,
    /// One more is being carried.
    is_carrying: bool,
    /// Those that did not get through before the end.
    left: u64,
    /// The queue has overflown since it was last empty.
    overflown: bool,
}

/// A message, and when it was put in line by the clock that nobody sets.
struct Waiting {
    message: Arc<Message>,
    since: TimeDelta,
}

impl Line {
    pub fn new(receiver: Receiver, sent: Arc<Sent>, clock: Arc<dyn Clock>, ending: CancellationToken) -> Self {
        sent.expect(&receiver.name);
        let (receiver, waiting) = (Arc::new(receiver), VecDeque::new());
        let state = State { receiver, waiting, is_carrying: false, left: 0, overflown: false };
        Self { state: Mutex::new(state), filled: Notify::new(), hurry: Notify::new(), sent, clock, ending }
    }

    /// Whom it leads to now.
    pub fn receiver(&self) -> Arc<Receiver> {
        Arc::clone(&self.state().receiver)
    }

    /// It leads there from now on, and what waits goes there too.
    pub fn lead_to(&self, receiver: Receiver) {
        self.state().receiver = Arc::new(receiver);
        self.hurry.notify_one();
    }

    /// Puts a message in line, if the receiver wants to hear of it. Waits for nothing.
    pub fn push(&self, message: &Arc<Message>) {
        let mut state = self.state();
        if !state.receiver.events.contains(&message.event) {
            return;
        }
        let mut is_spared = false;
        if state.waiting.len() == ROOM {
            let weight = |(_, waiting): &(usize, &Waiting)| waiting.message.event.weight();
            let spared = state.waiting.iter().enumerate().min_by_key(weight);
            // The one that comes may weigh least itself.
            let spared = spared.filter(|(_, spared)| spared.message.event.weight() <= message.event.weight());
            let spared = spared.map(|(place, _)| place);
            is_spared = spared.is_none();
            spared.map(|place| state.waiting.remove(place));
            self.sent.add(&state.receiver.name, Outcome::Dropped, 1);
            if !std::mem::replace(&mut state.overflown, true) {
                let receiver = state.receiver.name.as_str();
                tracing::warn!(receiver, "too many notifications wait for this receiver; some are dropped");
            }
        }
        if is_spared {
            return;
        }
        state.waiting.push_back(Waiting { message: Arc::clone(message), since: self.clock.elapsed() });
        drop(state);
        self.filled.notify_one();
    }

    /// How many are on their way or have been left.
    pub fn undelivered(&self) -> u64 {
        let state = self.state();
        state.left + u64::from(state.is_carrying) + state.waiting.len() as u64
    }

    /// Carries for ever; once the process is to end, each that waits once.
    pub async fn carry(&self) {
        let mut failures = 0;
        loop {
            let waiting = tokio::select! {
                biased;
                waiting = self.next() => waiting,
                () = self.ending.cancelled() => return,
            };
            self.deliver(waiting, &mut failures).await;
        }
    }

    async fn next(&self) -> Waiting {
        loop {
            {
                let mut state = self.state();
                if let Some(waiting) = state.waiting.pop_front() {
                    state.is_carrying = true;
                    return waiting;
                }
                state.overflown = false;
            }
            self.filled.notified().await;
        }
    }

    /// Carries one until it is taken, refused, or too old. `failures` counts those since anything was taken.
    async fn deliver(&self, Waiting { message, since }: Waiting, failures: &mut u32) {
        loop {
            let receiver = self.receiver();
            let name = receiver.name.as_str();
            let (what, after) = match receiver.tell(&message).await {
                Answer::Taken(by) => {
                    *failures = 0;
                    tracing::debug!(
                        receiver = name,
                        event = message.event.name(),
                        id = message.id,
                        by,
                        "a notification was taken"
                    );
                    return self.done(Some(Outcome::Delivered));
                }
                Answer::Refused(what) => {
                    return self.give_up(name, &message, &what);
                }
                Answer::Later { what, after } => (what, after),
            };
            let left = LONGEST - (self.clock.elapsed() - since);
            if self.ending.is_cancelled() {
                return self.done(None);
            }
            if left <= TimeDelta::zero() {
                return self.give_up(name, &message, &what);
            }
            if *failures == 0 {
                tracing::warn!(
                    receiver = name,
                    error = what,
                    "a notification is not taken yet; it is tried again for a day"
                );
            }
            // Whoever asks for more time than that is not to miss a day's messages for it.
            let asked = after.unwrap_or_default().min(LONGEST_WAIT);
            let wait = wait(*failures).max(asked).min(left.to_std().unwrap_or_default());
            *failures = failures.saturating_add(1);
            tokio::select! {
                () = self.clock.sleep(wait) => (),
                () = self.hurry.notified() => (),
                () = self.ending.cancelled() => (),
            }
        }
    }

    fn give_up(&self, receiver: &str, message: &Message, error: &str) {
        tracing::error!(receiver, event = message.event.name(), error, "a notification is given up");
        self.done(Some(Outcome::GivenUp));
    }

    fn done(&self, outcome: Option<Outcome>) {
        let mut state = self.state();
        state.is_carrying = false;
        match outcome {
            Some(outcome) => self.sent.add(&state.receiver.name, outcome, 1),
            None => state.left += 1,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A second, two, four, and so on up to an hour.
fn wait(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(12)).min(LONGEST_WAIT)
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;

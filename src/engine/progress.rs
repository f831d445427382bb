//! What the engine is doing, for those who watch: the loop's pulse, the step it is in, and what it did last.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::domain::{Reason, Timestamp};

/// Shared between a connection's loop and whoever reports on it.
#[derive(Debug)]
pub struct Progress {
    state: Mutex<State>,
    listeners: Mutex<Vec<Listener>>,
    pressed: Notify,
}

/// Told of each step as it begins, until it answers that it has heard enough.
pub struct Listener(Box<dyn Fn(&'static str) -> bool + Send>);

impl Listener {
    /// `heard` gets the step's name, and answers whether it wants to hear of the next one. It must not wait.
    pub fn new(heard: impl Fn(&'static str) -> bool + Send + 'static) -> Self {
        Self(Box::new(heard))
    }
}

impl Listener {
    /// Tells it something between two steps.
    pub fn hear(&self, what: &'static str) {
        (self.0)(what);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// What has been done since somebody last asked for it.
#[derive(Debug, Default)]
pub struct Course {
    /// Each step that has ended, and how long it took by the clock of this host that nobody sets.
    pub steps: Vec<(&'static str, Duration)>,
    /// Each action that has ended, and how.
    pub actions: Vec<LastAction>,
}

#[derive(Debug)]
struct State {
    pulse: Instant,
    // Boxed, since there may be thousands of which nothing is told but that they turn.
    step: Option<Box<(&'static str, Instant)>>,
    course: Option<Box<Course>>,
    last: Option<Box<LastAction>>,
    told_to_end: Option<TimeDelta>,
    in_memory_only: bool,
    gives_way: bool,
    pressed_by: Option<Press>,
}

/// An order for which what waits is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Press {
    /// Another rotation.
    Rotation,
    /// None.
    Hold,
}

/// The last thing that was done, and how it ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastAction {
    /// When it ended.
    pub at: Timestamp,
    /// `rotate`, `resume`, …
    pub action: Cow<'static, str>,
    /// Why it was done, or why it failed.
    pub reason: Reason,
    /// Whether it was carried through.
    pub succeeded: bool,
    /// The failure, with its causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl State {
    fn end_step(&mut self) {
        if let Some((step, began)) = self.step.take().map(|step| *step) {
            self.course().steps.push((step, began.elapsed()));
        }
    }

    fn course(&mut self) -> &mut Course {
        self.course.get_or_insert_default()
    }
}

impl Default for Progress {
    fn default() -> Self {
        let pulse = Instant::now();
        let state = State {
            pulse,
            step: None,
            course: None,
            last: None,
            told_to_end: None,
            in_memory_only: false,
            gives_way: false,
            pressed_by: None,
        };
        Self { state: Mutex::new(state), listeners: Mutex::default(), pressed: Notify::new() }
    }
}

impl Progress {
    /// The loop turns.
    pub fn beat(&self) {
        self.with(|state| state.pulse = Instant::now());
    }

    /// How long ago it last turned. The watchdog lives on this, by the monotonic clock.
    pub fn since_beat(&self) -> Duration {
        self.with(|state| state.pulse.elapsed())
    }

    /// A step begins.
    pub fn enter(&self, step: &'static str) {
        self.with(|state| {
            state.pulse = Instant::now();
            state.end_step();
            state.step = Some(Box::new((step, state.pulse)));
        });
        tracing::info!(step, "{step}");
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).retain(|listener| (listener.0)(step));
    }

    /// Tells somebody of the steps from now on.
    pub fn tell(&self, listener: Listener) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// An action has ended.
    pub fn ended(&self, last: LastAction) {
        self.with(|state| {
            state.end_step();
            state.course().actions.push(last.clone());
            state.last = Some(Box::new(last));
        });
    }

    /// What has been done since this was last called.
    pub fn take_course(&self) -> Course {
        self.with(|state| state.course.take().map(|course| *course).unwrap_or_default())
    }

    /// The step that is being carried out.
    pub fn step(&self) -> Option<&'static str> {
        self.with(|state| state.step.as_ref().map(|step| step.0))
    }

    /// The last thing done.
    pub fn last(&self) -> Option<LastAction> {
        self.with(|state| state.last.as_deref().cloned())
    }

    /// The end has been asked for, at this moment by the clock that nobody sets. Only the first time counts.
    pub(super) fn told_to_end(&self, elapsed: TimeDelta) {
        self.with(|state| state.told_to_end = state.told_to_end.or(Some(elapsed)));
    }

    /// What was asked for has been done, and it goes on all the same.
    pub(super) fn goes_on(&self) {
        self.with(|state| state.told_to_end = None);
    }

    /// The process as a whole is to end: what is counted from its end counts from now on, whatever was asked for before.
    pub(super) fn process_ends(&self, elapsed: TimeDelta) {
        self.with(|state| state.told_to_end = Some(elapsed));
    }

    /// When the end was asked for.
    pub(super) fn end_asked_at(&self) -> Option<TimeDelta> {
        self.with(|state| state.told_to_end)
    }

    /// A new token exists nowhere but in this process and, it may be, at Entra; or does not any more.
    pub(super) fn holds_in_memory_only(&self, holds: bool) {
        self.with(|state| state.in_memory_only = holds);
    }

    /// Whether ending now loses a token.
    pub(super) fn is_in_memory_only(&self) -> bool {
        self.with(|state| state.in_memory_only)
    }

    /// What is being done can be given up, or not any more, for an order that presses.
    pub(super) fn may_give_way(&self, may: bool) {
        self.with(|state| state.gives_way = may);
    }

    /// An order has come that presses.
    pub(super) fn press(&self, by: Press) {
        self.with(|state| state.pressed_by = Some(by));
        self.pressed.notify_one();
    }

    /// It has been taken up, or there is none.
    pub(super) fn nobody_presses(&self) {
        self.with(|state| state.pressed_by = None);
    }

    /// Whether what is being done is to be given up for an order.
    pub(super) fn gives_way(&self) -> bool {
        self.with(|state| state.gives_way && state.pressed_by.is_some())
    }

    /// Whether another rotation comes next.
    pub(super) fn rotates_next(&self) -> bool {
        self.with(|state| state.pressed_by == Some(Press::Rotation))
    }

    /// Returns once it is.
    pub(super) async fn pressed(&self) {
        while !self.gives_way() {
            self.pressed.notified().await;
        }
    }

    /// As if the loop had last turned so long ago.
    #[cfg(test)]
    pub(super) fn stood_still(self, time: Duration) -> Self {
        self.with(|state| state.pulse -= time);
        self
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1000);

    #[test]
    fn the_pulse_is_as_old_as_the_last_turn_of_the_loop_or_the_last_step() {
        assert!(Progress::default().since_beat() < LONG);
        let progress = Progress::default().stood_still(LONG);
        assert!(progress.since_beat() >= LONG);
        progress.beat();
        assert!(progress.since_beat() < LONG);
        let progress = Progress::default().stood_still(LONG);
        progress.enter("preflight");
        assert!(progress.since_beat() < LONG);
    }

    #[test]
    fn a_listener_hears_of_each_step_until_it_has_heard_enough() {
        let (sender, heard) = std::sync::mpsc::channel();
        let progress = Progress::default();
        progress.enter("before");
        progress.tell(Listener::new(move |step| sender.send(step).is_ok() && step != "enough"));
        ["first", "enough", "more"].into_iter().for_each(|step| progress.enter(step));
        assert_eq!(heard.iter().collect::<Vec<_>>(), ["first", "enough"]);
        assert!(progress.listeners.lock().unwrap().is_empty());
    }

    #[test]
    fn a_step_is_shown_until_its_action_has_ended_which_is_shown_from_then_on() {
        let progress = Progress::default();
        assert!(progress.step().is_none() && progress.last().is_none());
        progress.enter("preflight");
        assert_eq!(progress.step(), Some("preflight"));
        let (at, reason) = (Timestamp::UNIX_EPOCH, Reason::Rotated);
        progress.ended(LastAction { at, action: "rotate".into(), reason, succeeded: true, error: None });
        assert!(progress.step().is_none());
        assert!(progress.last().is_some_and(|last| last.succeeded && last.reason == reason));
    }

    #[test]
    fn the_course_holds_each_step_and_action_that_has_ended_since_it_was_last_asked_for() {
        let progress = Progress::default();
        progress.enter("first");
        progress.enter("second");
        let steps = |course: &Course| course.steps.iter().map(|(step, _)| *step).collect::<Vec<_>>();
        assert_eq!(steps(&progress.take_course()), ["first"]);
        let (at, reason) = (Timestamp::UNIX_EPOCH, Reason::Rotated);
        progress.ended(LastAction { at, action: "rotate".into(), reason, succeeded: true, error: None });
        let course = progress.take_course();
        assert_eq!((steps(&course), course.actions.len()), (vec!["second"], 1));
        assert!(progress.take_course().actions.is_empty());
    }
}

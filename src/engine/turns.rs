//! How many rotations are under way at the same time, overall and at one issuer's host.
//!
//! A rotation that cannot wait is counted and never refused. Any other one takes its place in line, the one with the least
//! time left first. Whoever gets a turn looks again, and gives it back if there is nothing to begin any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use tokio::sync::Notify;

use super::halt::Halt;
use super::run::{LONGEST_NAP, Run};
use crate::domain::Timestamp;

/// How many rotations a process makes at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of all connections together: at least one.
    pub at_once: usize,
    /// Of those of one issuer's host: at least one.
    pub at_once_per_host: usize,
}

impl Limits {
    /// None.
    pub const UNLIMITED: Self = Self { at_once: usize::MAX, at_once_per_host: usize::MAX };
}

/// Shared by all connections of a process. Unlimited until it is told otherwise.
#[derive(Debug)]
pub struct Turns(Mutex<State>);

#[derive(Debug)]
struct State {
    limits: Limits,
    running: usize,
    hosts: BTreeMap<Arc<str>, Host>,
    /// Of each host that has room, who is the first in its line.
    heads: BTreeSet<(InLine, Arc<str>)>,
    /// The calls of those who wait.
    calls: BTreeMap<u64, Arc<Notify>>,
    /// Tells places apart.
    next: u64,
}

/// Who waits: by the last safe moment of its token, then by who came first.
type InLine = (Timestamp, u64);

/// An issuer's host.
#[derive(Debug, Default)]
struct Host {
    running: usize,
    line: BTreeSet<InLine>,
}

impl Host {
    /// Who is next, where there is room for it.
    fn head(&self, limits: Limits) -> Option<InLine> {
        self.line.first().copied().filter(|_| self.running < limits.at_once_per_host)
    }
}

/// A connection's place: in line, or with a turn of its own. It is given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    turns: Arc<Turns>,
    host: Arc<str>,
    last_safe: Timestamp,
    number: u64,
    call: Arc<Notify>,
}

impl Default for Turns {
    fn default() -> Self {
        let (hosts, heads, calls) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self(Mutex::new(State { limits: Limits::UNLIMITED, running: 0, hosts, heads, calls, next: 0 }))
    }
}

impl Turns {
    /// From now on no more than so many. What is under way goes on.
    pub fn limit(&self, limits: Limits) {
        self.with(|state| {
            state.limits = limits;
            let heads = state.hosts.iter().filter_map(|(name, host)| Some((host.head(limits)?, Arc::clone(name))));
            state.heads = heads.collect();
            state.call();
        });
    }

    /// A place in line at an issuer's host, or a turn at once where there is room. `last_safe` is the moment from which on
    /// nobody is refused.
    pub fn line_up(self: &Arc<Self>, host: &Arc<str>, last_safe: Timestamp) -> Place {
        let call = Arc::new(Notify::new());
        let number = self.with(|state| {
            let number = state.next;
            state.next += 1;
            state.change(host, |host| host.line.insert((last_safe, number)));
            state.calls.insert(number, Arc::clone(&call));
            state.call();
            number
        });
        Place { turns: Arc::clone(self), host: Arc::clone(host), last_safe, number, call }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Gives turns to those in line, as long as there is room for any of them.
    fn call(&mut self) {
        while self.running < self.limits.at_once {
            let Some((place, host)) = self.heads.first().cloned() else { return };
            self.begin(&host, place);
        }
    }

    /// Turns a place in line into a turn, if it is one.
    fn begin(&mut self, host: &Arc<str>, place: InLine) {
        let begins = self.change(host, |host| {
            let was_in_line = host.line.remove(&place);
            host.running += usize::from(was_in_line);
            was_in_line
        });
        if begins {
            self.running += 1;
            self.calls.remove(&place.1).iter().for_each(|call| call.notify_one());
        }
    }

    fn give_back(&mut self, host: &Arc<str>, place: InLine) {
        let ended = self.change(host, |host| {
            let was_in_line = host.line.remove(&place);
            host.running -= usize::from(!was_in_line);
            !was_in_line
        });
        match ended {
            true => self.running -= 1,
            false => drop(self.calls.remove(&place.1)),
        }
        self.call();
    }

    /// The only way in which a host changes: it is known who is at its head, and none is kept at which nobody is.
    fn change<T>(&mut self, name: &Arc<str>, act: impl FnOnce(&mut Host) -> T) -> T {
        let mut host = self.hosts.remove(name).unwrap_or_default();
        if let Some(head) = host.head(self.limits) {
            self.heads.remove(&(head, Arc::clone(name)));
        }
        let answer = act(&mut host);
        self.heads.extend(host.head(self.limits).map(|head| (head, Arc::clone(name))));
        if host.running > 0 || !host.line.is_empty() {
            self.hosts.insert(Arc::clone(name), host);
        }
        answer
    }
}

impl Place {
    /// Whether it is a turn.
    pub fn is_turn(&self) -> bool {
        self.turns.with(|state| !state.calls.contains_key(&self.number))
    }

    /// Makes it a turn, however many others there are.
    pub fn insist(&self) {
        self.turns.with(|state| state.begin(&self.host, (self.last_safe, self.number)));
    }

    /// Notified when it becomes a turn.
    pub fn call(&self) -> Arc<Notify> {
        Arc::clone(&self.call)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.turns.with(|state| state.give_back(&self.host, (self.last_safe, self.number)));
    }
}

/// The turn of a rotation that is under way.
pub(super) struct Turn {
    turns: Arc<Turns>,
    host: Arc<str>,
    /// Until when it waits for its turn; none waits for nobody.
    last_safe: Option<Timestamp>,
    place: Option<Place>,
}

impl Turn {
    /// Of one that waited in line for it.
    pub fn in_line(run: &Run<'_>, place: Place) -> Self {
        let (turns, host) = (Arc::clone(&run.ports.turns), Arc::clone(&run.spec.issuer_host));
        Self { turns, host, last_safe: Some(place.last_safe), place: Some(place) }
    }

    /// Of one that waits for nobody, and counts.
    pub fn at_once(run: &Run<'_>) -> Self {
        let (turns, host) = (Arc::clone(&run.ports.turns), Arc::clone(&run.spec.issuer_host));
        let place = turns.line_up(&host, run.now());
        place.insist();
        Self { turns, host, last_safe: None, place: Some(place) }
    }

    /// Others may have it while nothing is done.
    pub fn give_back(&mut self) {
        self.place = None;
    }

    /// Waits for another one, until the last safe moment at most.
    pub async fn take(&mut self, run: &Run<'_>) -> Result<(), Halt> {
        let place = self.turns.line_up(&self.host, self.last_safe.unwrap_or(run.now()));
        while !place.is_turn() {
            let left = self.last_safe.map_or(TimeDelta::zero(), |safe| safe - run.now());
            if left <= TimeDelta::zero() {
                place.insist();
                break;
            }
            let call = place.call();
            tokio::select! {
                biased;
                () = call.notified() => (),
                waited = run.wait_unless_stopping(left.min(LONGEST_NAP)) => waited?,
            }
        }
        self.place = Some(place);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns for three at once, two of them at one host.
    struct Scene(Arc<Turns>);

    impl Scene {
        fn new() -> Self {
            let turns = Arc::new(Turns::default());
            turns.limit(Limits { at_once: 3, at_once_per_host: 2 });
            Self(turns)
        }

        fn line_up(&self, host: &str, hours: i64) -> Place {
            let last_safe = Timestamp::UNIX_EPOCH + chrono::TimeDelta::hours(hours);
            self.0.line_up(&Arc::from(host), last_safe)
        }
    }

    fn turns(places: &[Place]) -> Vec<bool> {
        places.iter().map(Place::is_turn).collect()
    }

    fn is_called(place: &Place) -> bool {
        futures::FutureExt::now_or_never(place.call().notified()).is_some()
    }

    #[test]
    fn no_more_begin_than_may_overall_and_at_one_host() {
        let scene = Scene::new();
        let places = [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("b", 5)].map(|(host, at)| scene.line_up(host, at));
        assert_eq!(turns(&places), [true, true, false, true, false]);
    }

    #[test]
    fn whoever_ends_makes_room_for_the_one_with_the_least_time_left_that_its_host_has_room_for() {
        let scene = Scene::new();
        let [one, _two, other] = [("a", 1), ("a", 1), ("b", 1)].map(|(host, at)| scene.line_up(host, at));
        let line = [("a", 3), ("b", 9), ("a", 2), ("b", 8)].map(|(host, at)| scene.line_up(host, at));
        drop(other);
        assert_eq!(turns(&line), [false, false, false, true], "the host of the most urgent ones is full");
        assert!(is_called(&line[3]) && !is_called(&line[2]));
        drop(one);
        assert_eq!(turns(&line), [false, false, true, true]);
    }

    #[test]
    fn of_two_with_the_same_time_left_the_first_to_come_is_the_first_to_begin() {
        let scene = Scene::new();
        let [one, _other] = [0, 0].map(|at| scene.line_up("a", at));
        let line = [5, 5].map(|at| scene.line_up("a", at));
        drop(one);
        assert_eq!(turns(&line), [true, false]);
    }

    #[test]
    fn whoever_leaves_the_line_takes_no_room() {
        let scene = Scene::new();
        let [one, _two] = [0, 0].map(|at| scene.line_up("a", at));
        let [gone, stays] = [1, 2].map(|at| scene.line_up("a", at));
        drop(gone);
        assert!(!stays.is_turn());
        drop(one);
        assert!(stays.is_turn());
    }

    #[test]
    fn whoever_insists_begins_at_once_and_counts() {
        let scene = Scene::new();
        let [one, _two, urgent] = [0, 0, 0].map(|at| scene.line_up("a", at));
        urgent.insist();
        urgent.insist();
        assert!(urgent.is_turn() && is_called(&urgent));
        let next = scene.line_up("a", 0);
        drop(one);
        assert!(!next.is_turn(), "there are still two");
        drop(urgent);
        assert!(next.is_turn());
    }

    #[test]
    fn more_are_called_when_more_may_begin() {
        let scene = Scene::new();
        let places = [0; 5].map(|at| scene.line_up("a", at));
        assert_eq!(turns(&places), [true, true, false, false, false]);
        scene.0.limit(Limits { at_once: 4, at_once_per_host: 9 });
        assert_eq!(turns(&places), [true, true, true, true, false]);
        scene.0.limit(Limits { at_once: 1, at_once_per_host: 1 });
        assert_eq!(turns(&places), [true, true, true, true, false], "what is under way goes on");
    }

    #[test]
    fn nothing_is_left_when_all_are_gone() {
        let scene = Scene::new();
        drop([0; 5].map(|at| scene.line_up("a", at)));
        scene.0.with(|state| assert!(state.hosts.is_empty() && state.calls.is_empty() && state.running == 0));
    }
}

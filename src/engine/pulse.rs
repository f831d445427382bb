//! Whether the loops turn: the watchdog lives on this.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::Progress;

/// A loop that has not turned for so long is stuck.
const STUCK: Duration = Duration::from_secs(300);

/// What a loop is doing; nothing while it is about to begin anew.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<Option<Arc<Progress>>>);

impl Pulse {
    /// The loop begins, or pauses before it begins anew.
    pub fn set(&self, progress: Option<Arc<Progress>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// What the loop is doing.
    pub fn progress(&self) -> Option<Arc<Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the loop has turned within five minutes.
    fn beats(&self) -> bool {
        self.progress().is_none_or(|progress| progress.since_beat() < STUCK)
    }
}

/// The pulses of all loops of a process, those included that are being ended. Whoever holds it sees them all.
#[derive(Clone, Debug, Default)]
pub struct Pulses(Arc<Mutex<Vec<Weak<Pulse>>>>);

impl Pulses {
    /// Counts for as long as somebody keeps it.
    pub fn add(&self, pulse: &Arc<Pulse>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(pulse));
    }

    /// Whether every loop turns.
    pub fn all_beat(&self) -> bool {
        let mut pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.retain(|pulse| pulse.strong_count() > 0);
        pulses.iter().filter_map(Weak::upgrade).all(|pulse| pulse.beats())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loop that has last turned so many seconds ago; none is one that is about to begin anew.
    fn pulse(ago: Option<u64>) -> Arc<Pulse> {
        let stood = |ago| Arc::new(Progress::default().stood_still(Duration::from_secs(ago)));
        Arc::new(Pulse(Mutex::new(ago.map(stood))))
    }

    #[test]
    fn a_process_is_alive_while_each_of_its_loops_has_turned_within_five_minutes_or_is_about_to_begin_anew() {
        for (ago, alive) in [
            (vec![], true),
            (vec![Some(0), Some(290), None], true),
            (vec![Some(301)], false),
            (vec![Some(0), Some(301), None], false),
        ] {
            let (pulses, loops) = (Pulses::default(), ago.iter().map(|ago| pulse(*ago)).collect::<Vec<_>>());
            loops.iter().for_each(|pulse| pulses.add(pulse));
            assert_eq!(pulses.all_beat(), alive, "{ago:?}");
            drop(loops);
            assert!(pulses.all_beat(), "they have ended");
        }
    }
}

//! When the next of several processes has something to do.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use scim_rotator::domain::Timestamp;

/// The moments at which somebody who shares the world's time is to be polled again.
#[derive(Debug, Default)]
pub struct Alarms(Mutex<BTreeSet<Timestamp>>);

impl Alarms {
    /// One more.
    pub fn set(&self, at: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(at);
    }

    /// The first one after `now`; those before it are forgotten.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let mut alarms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while alarms.first().is_some_and(|at| *at <= now) {
            alarms.pop_first();
        }
        alarms.first().copied()
    }
}

//! How many messages have come to which end, for the metrics. Survives every reload.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Its receiver took it.
    Delivered,
    /// Its receiver refused it, or could not be reached for a day.
    GivenUp,
    /// There was no more room in the queue, or no more time before the end of the process.
    Dropped,
}

impl Outcome {
    /// As the metrics name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::GivenUp => "given-up",
            Self::Dropped => "dropped",
        }
    }
}

/// The counters, by receiver and outcome.
#[derive(Debug, Default)]
pub struct Sent {
    counts: Mutex<BTreeMap<(String, Outcome), u64>>,
}

impl Sent {
    /// So many more.
    pub fn add(&self, receiver: &str, outcome: Outcome, number: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((receiver.to_owned(), outcome)).or_default() += number;
    }

    /// All that have ever been counted, in the order of the receivers' names.
    pub fn counts(&self) -> Vec<(String, &'static str, u64)> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((receiver, outcome), number)| (receiver.clone(), outcome.name(), *number)).collect()
    }

    /// A receiver is known from now on, so that its counters begin at nothing and not at their first event.
    pub(super) fn expect(&self, receiver: &str) {
        for outcome in [Outcome::Delivered, Outcome::GivenUp, Outcome::Dropped] {
            self.add(receiver, outcome, 0);
        }
    }
}

//! What many lives came to, in numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::TimeDelta;

use super::plan::Span;
use crate::world::Ledger;

/// The numbers of one life, or of many.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub lives: u32,
    pub accidents: u32,
    /// The tokens that Entra has held in this life.
    pub saved: BTreeSet<u32>,
    pub rotations: usize,
    pub issued: u32,
    /// What people asked for, and was done.
    pub obeyed: u32,
    pub failed: u32,
    pub unreachable: u32,
    pub lived: TimeDelta,
    pub outage: TimeDelta,
    pub paused: TimeDelta,
    /// The longest time without a working token while every service and the process were there and nobody was called.
    pub worst_outage: TimeDelta,
    /// The longest pause under the same conditions.
    pub worst_pause: TimeDelta,
    /// In how many lives a person was called, by reason.
    pub called: BTreeMap<&'static str, u32>,
}

impl Tally {
    /// Takes over what the world has counted.
    pub fn of(&mut self, ledger: &Ledger, lived: TimeDelta) {
        self.lives = 1;
        self.lived = lived;
        self.rotations = self.saved.len().saturating_sub(1);
        self.issued = ledger.issued;
        self.failed = ledger.cycles_failed;
        self.unreachable = ledger.cycles_unreachable;
        self.outage = ledger.outage;
        self.paused = ledger.paused;
    }

    /// One more life.
    pub fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.accidents += other.accidents;
        self.rotations += other.rotations;
        self.issued += other.issued;
        self.obeyed += other.obeyed;
        self.failed += other.failed;
        self.unreachable += other.unreachable;
        self.lived += other.lived;
        self.outage += other.outage;
        self.paused += other.paused;
        self.worst_outage = self.worst_outage.max(other.worst_outage);
        self.worst_pause = self.worst_pause.max(other.worst_pause);
        for (reason, lives) in &other.called {
            *self.called.entry(reason).or_default() += lives;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let years = self.lived.num_days() / 365;
        writeln!(f, "{} lives, {years} virtual years, {} accidents", self.lives, self.accidents)?;
        writeln!(f, "{} rotations, {} tokens issued, {} orders carried out", self.rotations, self.issued, self.obeyed)?;
        writeln!(f, "{} cycles refused, {} could not reach the endpoint", self.failed, self.unreachable)?;
        writeln!(
            f,
            "without a working token: {} in all, {} at worst with all there and nobody called",
            Span(self.outage),
            Span(self.worst_outage)
        )?;
        writeln!(
            f,
            "paused: {} in all, {} at worst with all there and nobody called",
            Span(self.paused),
            Span(self.worst_pause)
        )?;
        write!(f, "lives in which a person was called: {:?}", self.called)
    }
}

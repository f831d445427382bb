//! The far side as one pure model: HPE, Key Vault and Entra, with their unknowns as settings and their faults as data.
//!
//! Time is an argument: [`World::advance_to`] lets everything happen that happens until then, in order. Nothing here may
//! read a clock, wait, or do I/O; values come from a seed and a counter, so that a run can be repeated to the letter.
//! Two faces show this one model: `sim` in memory, `sandbox` over TLS.

mod answer;
mod cycle;
mod entra;
mod faults;
mod hpe;
mod ids;
mod ledger;
mod login;
mod saved;
mod settings;
mod vault;

#[cfg(test)]
mod entra_tests;
#[cfg(test)]
mod hpe_tests;
#[cfg(test)]
mod provisioning_tests;
#[cfg(test)]
mod vault_tests;

use std::fmt;

use chrono::TimeDelta;

pub use answer::{Answer, AnswerShape, ExpiryTold};
pub use entra::{Job, Pair, QuarantineNote, Schedule};
pub use faults::{Fault, Faults, Op, Service};
pub use hpe::{Minted, TokenNo};
pub use ledger::{Event, Ledger};
pub use login::{Access, Grant};
pub use settings::{
    Begin, Delayed, ErrorFamily, Federated, LoginKind, PutReading, Settings, TagWrites, TakesEffect, ThrottleTold,
};
pub use vault::{Listed, NewSecret, Patch, Stored};

/// A moment in UTC.
pub type Timestamp = scim_rotator::domain::Timestamp;

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The program under test.
    Daemon,
    /// A person, by hand.
    Person,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Daemon => "the daemon",
            Self::Person => "a person",
        })
    }
}

/// A service's no, as it would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The service's error code.
    pub code: &'static str,
    /// The service's words.
    pub message: String,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }
}

/// HPE, Key Vault and Entra.
#[derive(Clone, Debug)]
pub struct World {
    /// The switches. May be turned while the world runs.
    pub settings: Settings,
    /// What goes wrong.
    pub faults: Faults,
    /// What has happened.
    pub ledger: Ledger,
    now: Timestamp,
    hpe: hpe::Hpe,
    vault: vault::Vault,
    entra: entra::Entra,
    /// Whether what cycles would use is refused at this moment.
    dead: bool,
}

impl World {
    /// A world at `settings.start`, with what `settings.begin` says has been done by hand.
    pub fn new(settings: Settings) -> Self {
        let mut world = Self {
            now: settings.start,
            hpe: hpe::Hpe::default(),
            vault: vault::Vault::default(),
            entra: entra::Entra::new(&settings),
            faults: Faults::default(),
            ledger: Ledger::default(),
            dead: true,
            settings,
        };
        if world.settings.begin != Begin::Empty {
            let value = world.person_creates();
            world.person_saves(&value);
            for job in 0..world.settings.jobs.len() {
                world.begin_schedule(job);
            }
            if world.settings.begin == Begin::AtEntraAndVault {
                world.person_stores(&value);
                world.forget_past();
            }
        }
        world.reckon();
        world
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets time pass.
    pub fn advance(&mut self, time: TimeDelta) {
        self.advance_to(self.now + time);
    }

    /// Lets everything happen that happens until `moment`, in order. A moment that has passed changes nothing.
    pub fn advance_to(&mut self, moment: Timestamp) {
        while let Some(next) = self.next_event().filter(|next| *next <= moment) {
            self.pass_to(next);
            self.settle_tokens();
            self.run_jobs();
            self.reckon();
        }
        self.pass_to(moment);
    }

    /// Counts one call of `op` and says what is to go wrong with it. The faces ask once per call.
    pub fn fault(&mut self, op: Op) -> Option<Fault> {
        let fault = self.faults.call(op, self.now);
        if let Some(fault) = fault {
            self.tell(Event::Fault { op, fault });
        }
        fault
    }

    /// When something happens next by itself.
    fn next_event(&self) -> Option<Timestamp> {
        [self.hpe.next_change(self.now), self.entra.next_change(self.now)].into_iter().flatten().min()
    }

    /// Moves the clock, and counts the time that has passed in the state that held until now.
    fn pass_to(&mut self, moment: Timestamp) {
        let passed = moment - self.now;
        if passed <= TimeDelta::zero() {
            return;
        }
        if self.dead {
            self.ledger.outage += passed;
            if self.entra.is_active() {
                self.ledger.exposed += passed;
            }
        }
        if self.entra.is_paused_by(Who::Daemon) {
            self.ledger.paused += passed;
        }
        self.now = moment;
    }

    /// Looks whether what Entra's cycles would use works now. Called after everything that may change it.
    fn reckon(&mut self) {
        let seen = self.entra.seen_by_cycles(self.now);
        let (token, reaches) = (seen.token, seen.reaches);
        let dead = !(reaches && token.is_some_and(|token| self.hpe.accepts(token, self.now)));
        if dead != self.dead {
            self.dead = dead;
            self.tell(if dead { Event::OutageBegan { token } } else { Event::OutageEnded { token } });
        }
    }

    fn tell(&mut self, event: Event) {
        self.ledger.tell(self.now, event);
    }
}

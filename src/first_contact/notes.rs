//! What was heard, when: by the clock that nobody sets, so that what came first is never in doubt.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;

use crate::domain::{Mode, ProbeVerdict, Token, Verdict};
use crate::ports::{Clock, Probe};

/// One call, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// When it was begun, by `Clock::elapsed`.
    pub began: TimeDelta,
    /// When its answer was there.
    pub ended: TimeDelta,
    /// What it was.
    pub heard: Heard,
}

/// What a call was, and what came of it. Holds no value of anything.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The issuer was asked, and made a token, made none, or nobody knows.
    Issue(Testing),
    /// The endpoint was asked about the old token.
    OldProbed(ProbeVerdict),
    /// Entra tested the old token, right after it had not accepted the new one.
    OldTested(Testing),
    /// Entra tested the new token.
    NewTested(Testing),
    /// Entra tested what it has saved.
    SavedTested(Testing),
    /// The settings were read: each key, and whether its value can be read.
    Shown(Vec<(String, bool)>),
    /// Settings and token were written: the keys beside the token, and whether the token was the new one.
    Put {
        /// The keys.
        keys: Vec<String>,
        /// Whether Graph took it.
        done: bool,
    },
    /// The job was paused, or not.
    Paused(bool),
    /// The job was started, or not.
    Started(bool),
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Testing {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Nobody knows.
    Unknown,
}

impl Testing {
    /// Of a verdict of Entra's, if there was one.
    pub fn of<E>(verdict: &Result<Verdict, E>) -> Self {
        match verdict {
            Ok(Verdict::Accepted) => Self::Yes,
            Ok(Verdict::NotAccepted) => Self::No,
            Err(_) => Self::Unknown,
        }
    }
}

/// All that was heard, in order. Knows the two tokens so that it can tell them apart, and shows neither.
pub struct Notebook {
    clock: Arc<dyn Clock>,
    mode: Mode,
    old: Option<Token>,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    new: Option<Token>,
    notes: Vec<Note>,
}

impl Notebook {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>, old: Option<Token>, mode: Mode) -> Self {
        Self { clock, mode, old, inside: Mutex::default() }
    }

    /// The token that is being replaced, where it is known.
    pub fn old(&self) -> Option<&Token> {
        self.old.as_ref()
    }

    /// How the new one is asked for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// A new token has been made.
    pub fn made(&self, token: &Token) {
        self.with(|inside| inside.new = Some(token.clone()));
    }

    /// Whether this is the new token.
    pub fn is_new(&self, token: &Token) -> bool {
        self.with(|inside| inside.new.as_ref() == Some(token))
    }

    /// Whether there is a new token that Entra has not accepted yet.
    pub fn is_new_untried(&self) -> bool {
        self.with(|inside| {
            let accepted = inside.notes.iter().any(|note| note.heard == Heard::NewTested(Testing::Yes));
            inside.new.is_some() && !accepted
        })
    }

    /// Whether there is a new token.
    pub fn has_new(&self) -> bool {
        self.with(|inside| inside.new.is_some())
    }

    /// The time by which notes are dated.
    pub fn elapsed(&self) -> TimeDelta {
        self.clock.elapsed()
    }

    /// Writes down a call that was begun at `began` and has just ended.
    pub fn note(&self, began: TimeDelta, heard: Heard) {
        let ended = self.clock.elapsed();
        self.with(|inside| inside.notes.push(Note { began, ended, heard }));
    }

    /// Asks the endpoint about the old token, and writes that down.
    pub async fn probe(&self, probe: &dyn Probe, old: &Token) {
        let began = self.elapsed();
        let verdict = probe.probe(old).await;
        self.note(began, Heard::OldProbed(verdict));
    }

    /// Whether the last two answers about the old token, since there is a new one, were refusals.
    pub fn is_old_gone(&self) -> bool {
        let notes = self.notes();
        let issued = notes.iter().position(|note| note.heard == Heard::Issue(Testing::Yes)).unwrap_or(notes.len());
        let probes = notes[issued..].iter().rev().filter_map(|note| match note.heard {
            Heard::OldProbed(verdict) => Some(verdict),
            _ => None,
        });
        let last: Vec<_> = probes.take(2).collect();
        last == [ProbeVerdict::Refused; 2]
    }

    /// All of it.
    pub fn notes(&self) -> Vec<Note> {
        self.with(|inside| inside.notes.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inside) -> T) -> T {
        act(&mut self.inside.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

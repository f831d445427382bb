//! A token that the vault could not take: it lives in memory only, and is brought home before anything else is decided.

use super::halt::{Halt, chain};
use super::observe::Observed;
use super::{Connection, Run};
use crate::domain::Reason;

impl Connection {
    /// Whether it holds a token that the vault does not have yet.
    pub fn holds_unsaved_token(&self) -> bool {
        self.unsaved.is_some()
    }

    /// Whether it has had a token in memory only, and has it no more.
    pub(super) fn has_lost_token(&self) -> bool {
        self.progress.is_in_memory_only() && self.unsaved.is_none()
    }

    /// A token that the vault could not take is carried on from memory, before anything else is decided.
    pub(super) async fn bring_home(&mut self, run: &Run<'_>, seen: &Observed) -> Result<(), Halt> {
        // Where it is: a fault in the program must not lose it.
        let Some(held) = self.unsaved.as_mut() else { return Ok(()) };
        let result = run.resume_unsaved(held, seen).await;
        let is_refused = matches!(&result, Err(halt) if halt.reason == Reason::NewTokenRefused);
        self.unsaved.take_if(|held| result.is_ok() || held.version.is_some() || is_refused);
        result
    }

    /// A token in memory only is kept, whoever has the say, unless it has come home or somebody has written past it.
    pub(super) fn review_unsaved(&mut self, run: &Run<'_>, seen: &Observed) {
        let Some(mut held) = self.unsaved.take() else { return };
        match run.has_come_home(&mut held, &seen.journal) {
            Ok(true) => (),
            Ok(false) => self.unsaved = Some(held),
            Err(halt) => tell_dropped(&halt),
        }
    }

    /// Where the rest cannot be seen, the vault alone is asked to take such a token, once: it may be back before the others
    /// are. What is to be done with the token then is decided when all can be seen.
    pub(super) async fn bring_home_unseen(&mut self, run: &Run<'_>) {
        let Some(mut held) = self.unsaved.take() else { return };
        match run.store_unseen(&mut held).await {
            Ok(()) => {
                tracing::info!(token = %held.token.fingerprint(), "the vault has taken the token that was in memory only")
            }
            Err(halt) if halt.reason == Reason::TakenOver => tell_dropped(&halt),
            Err(halt) => {
                tracing::debug!(error = %chain(&halt), "the token that is in memory only is not stored yet");
                self.unsaved = Some(held);
            }
        }
    }
}

fn tell_dropped(halt: &Halt) {
    tracing::warn!(reason = %halt.reason, error = %chain(halt), "a token that was in memory only is dropped");
}

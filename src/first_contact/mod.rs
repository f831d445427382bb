//! First contact: one rotation in the engine's usual way, and what can be learnt by watching it closely.
//!
//! HPE documents neither what it answers nor when a new token takes effect, Microsoft not what a PUT does to what it does not
//! name. One rotation settles most of that for a tenant. Nothing here rotates: the engine does, by an order like any
//! person's, through ports that are listened to. What is asked beside it is read only, and never of the new token.

mod listening;
mod notes;
mod questions;
mod reading;
mod report;
mod safety;

use std::sync::Arc;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::listening::listen;
pub use self::notes::{Heard, Note, Notebook, Testing};
pub use self::questions::{Answered, ExpirySeen, Field, Form, Shape, TokenSeen, Told, Validation};
pub use self::reading::{OldToken, PutReading, Readings};
pub use self::report::{Findings, Known};
pub use self::safety::unsafe_faults;
use crate::domain::{Journal, Mode, Order, Token};
use crate::engine::{Connection, Halt, Ports, PutSeen, Report, Spec, chain};
use crate::ports::{CallError, VaultError};

/// Between two questions to the endpoint about the old token, at most; it begins with a second.
const SLOWEST_WATCH: TimeDelta = TimeDelta::seconds(30);

/// What a first contact is made with.
pub struct Parts {
    /// The connection.
    pub spec: Spec,
    /// Its edges.
    pub ports: Ports,
    /// The issuer, which tells what its answers look like.
    pub answered: Arc<dyn Answered>,
    /// The provisioner, which tells what Entra's test says to the letter.
    pub validation: Arc<dyn Validation>,
}

/// What Entra's test of credentials says, to the letter.
#[derive(Clone, Debug, Default)]
pub struct Validated {
    /// To the vault's current token; none where the vault holds none of ours.
    pub good: Option<Result<Told, String>>,
    /// To one that nobody has made.
    pub wrong: Option<Result<Told, String>>,
    /// To what it has saved.
    pub saved: Option<Result<Told, String>>,
}

/// The experiment, ready to begin. Its connection listens.
pub struct Experiment {
    parts: Parts,
    connection: Connection,
    notebook: Arc<Notebook>,
    shutdown: CancellationToken,
    mode: Mode,
    watch: TimeDelta,
}

/// What the rotation came to.
pub struct Rotated {
    /// The report that answers the order.
    pub report: Report,
    /// The order itself.
    pub order: Order,
}

impl Experiment {
    /// Reads the token that is about to be replaced, if the vault holds one of ours. `mode`: another than the policy's.
    pub async fn prepare(
        parts: Parts,
        mode: Option<Mode>,
        watch: TimeDelta,
        shutdown: &CancellationToken,
    ) -> Result<Self, VaultError> {
        let journal = Journal::new(parts.ports.vault.list().await?);
        let entry = journal.current().filter(|entry| entry.version.enabled && entry.labels.token.is_some());
        let old = match entry {
            Some(entry) => match parts.ports.vault.read(&entry.version.id).await {
                Ok(token) => Some(token),
                Err(VaultError::Unusable { .. }) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        // As the engine does it: what is taken over first is taken over gently.
        let usual = if journal.current().is_none() { Mode::Overlap } else { parts.spec.policy.mode };
        let mode = mode.unwrap_or(usual);
        let notebook = Arc::new(Notebook::new(Arc::clone(&parts.ports.clock), old, mode));
        let ports = listen(&parts.ports, &notebook);
        let connection = Connection::new(parts.spec.clone(), ports, shutdown.clone());
        Ok(Self { parts, connection, notebook, shutdown: shutdown.clone(), mode, watch })
    }

    /// Asks Entra to test a good token, a wrong one and what it has saved. Changes nothing.
    pub async fn validate(&self) -> Validated {
        let validation = &self.parts.validation;
        let told = |told: Result<Told, CallError>| told.map_err(|error| chain(&error));
        let good = match self.notebook.old() {
            Some(old) => Some(told(validation.test_told(Some(old)).await)),
            None => None,
        };
        let wrong = match Token::parse(&format!("no-token-{}", Uuid::new_v4().simple())) {
            Ok(wrong) => Some(told(validation.test_told(Some(&wrong)).await)),
            Err(_) => None,
        };
        Validated { good, wrong, saved: Some(told(validation.test_told(None).await)) }
    }

    /// One rotation, by the engine.
    pub async fn rotate(&mut self) -> Rotated {
        let order = Order::Rotate { mode: Some(self.mode), compromised: false };
        let mut report = self.connection.obey(order.clone()).await.report;
        if let Some(last) = self.connection.store_unsaved().await {
            report = Report { obeyed: last.last_action.clone(), ..last };
        }
        Rotated { report, order }
    }

    /// One PUT that leaves out a setting which stands at its default, by the engine, which puts it back. Only behind a rotation
    /// that was carried through.
    pub async fn put_without_default(&mut self) -> Result<Option<PutSeen>, Halt> {
        self.connection.put_without_default().await
    }

    /// Watches how the old token fares, until the time is over, it has been refused twice, or somebody has had enough.
    pub async fn watch_old(&self) {
        let (clock, Some(old)) = (&self.parts.ports.clock, self.notebook.old()) else { return };
        let until = clock.elapsed() + self.watch;
        let mut pause = TimeDelta::seconds(1);
        while clock.elapsed() < until && !self.shutdown.is_cancelled() && !self.notebook.is_old_gone() {
            self.notebook.probe(self.parts.ports.probe.as_ref(), old).await;
            let nap = pause.min(until - clock.elapsed()).to_std().unwrap_or_default();
            tokio::select! {
                () = clock.sleep(nap) => (),
                () = self.shutdown.cancelled() => (),
            }
            pause = (pause * 2).min(SLOWEST_WATCH);
        }
    }

    /// What was learnt.
    pub fn findings(
        &self,
        validated: Validated,
        left_out: Result<Option<PutSeen>, String>,
        carried_out: bool,
    ) -> Findings {
        let notes = self.notebook.notes();
        let shape = self.parts.answered.last_shape();
        Findings {
            mode: self.mode,
            fenced: self.parts.spec.policy.fences(self.mode),
            settle_for: self.parts.spec.policy.settle_for,
            known: self.parts.spec.policy.takes_effect,
            carried_out,
            validated,
            readings: Readings::of(&notes, self.mode, self.notebook.old().is_some(), left_out),
            shape,
            notes,
        }
    }

    /// How the new token will be asked for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether there is a token to be watched.
    pub fn knows_old(&self) -> bool {
        self.notebook.old().is_some()
    }
}

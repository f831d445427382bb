//! Who has the say, among several processes on one vault. What is concluded from it stands in `domain/decide/rivals.rs`.

use std::time::Duration;

use chrono::TimeDelta;

use super::Run;
use super::halt::Halt;
use super::run::PATIENCE;
use crate::domain::journal::{Journal, Labels};
use crate::domain::{Reason, Version};
use crate::ports::{CallError, Class};

/// How often a run signs in a long wait: well within the grace that others give it.
const SIGN_AGAIN: TimeDelta = TimeDelta::minutes(1);
/// How long a rotation of another process is left alone once it has shown itself.
const TAKEN_OVER_WAIT: Duration = Duration::from_secs(120);

impl Run<'_> {
    /// In a wait that others would take for silence: signs the newest version once more, if anything was written last a
    /// minute ago. Fails when another process has taken over meanwhile; a vault that is away tells of nobody.
    pub async fn keep_signed(&self) -> Result<(), Halt> {
        if self.memory.last().is_none_or(|at| self.elapsed() - at < SIGN_AGAIN) {
            return Ok(());
        }
        let Ok(versions) = self.ports.vault.list().await else { return Ok(()) };
        if self.is_kept_by_another(versions.clone()) {
            return Err(self.taken_over());
        }
        let journal = self.journal(versions);
        let Some(newest) = journal.ours().next() else { return Ok(()) };
        let labels = Labels { sign: self.sign(), ..newest.labels.clone() };
        if self.ports.vault.label(&newest.version.id, &labels.to_tags(), None).await.is_ok() {
            self.memory.labelled(&newest.version.id, &labels, None, self.elapsed());
        }
        Ok(())
    }

    /// Whether another process has the say, in a list as the vault shows it.
    pub fn is_kept_by_another(&self, versions: Vec<Version>) -> bool {
        Journal::new(versions).is_kept_by_another(&self.spec.holder)
    }

    /// Whether a list, as the vault shows it, lets this run go on: nobody has written past the place that `labels` took, nor
    /// claimed the say.
    pub fn is_taken_over(&self, versions: Vec<Version>, labels: &Labels) -> bool {
        let journal = Journal::new(versions);
        journal.is_overtaken(&labels.rotation, labels.seq) || journal.is_kept_by_another(&self.spec.holder)
    }

    /// Lists once more and makes sure that nobody has written past the place that these labels took.
    pub async fn still_ours(&self, labels: &Labels) -> Result<Journal, Halt> {
        // As the vault shows it: what we know on top of it is ours in any case.
        let versions = self.insist(PATIENCE, || self.ports.vault.list()).await?;
        match self.is_taken_over(versions.clone(), labels) {
            true => Err(self.taken_over()),
            false => Ok(self.journal(versions)),
        }
    }

    /// Another process has written a newer version: this token must not reach Entra any more.
    pub fn taken_over(&self) -> Halt {
        let what = "another process has written a newer version; what this run holds is dropped";
        let class = Class::Retry { after: Some(TAKEN_OVER_WAIT) };
        Halt::from(CallError::new("Key Vault", class, what)).during(Reason::TakenOver)
    }
}

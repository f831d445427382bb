//! A PUT that is not like the others: what becomes of a setting that it does not name?
//!
//! Only a setting that stands at its own default is ever left out, so that losing it changes nothing; and what is lost is put
//! back at once, as behind every other PUT.

use super::cutover::Basis;
use super::observe::Values;
use super::run::{PATIENCE, Run};
use super::say::Say;
use super::{Connection, Halt, Reason};
use crate::domain::Verdict;
use crate::domain::settings::SecretsUpdate;
use crate::ports::{CallError, Class};

/// What became of the setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutSeen {
    /// Which one.
    pub key: &'static str,
    /// It was still shown.
    pub kept: bool,
    /// It is shown now.
    pub put_back: bool,
}

impl Connection {
    /// Gives Entra the current token once more, without one setting that stands at its default, looks whether that is gone,
    /// and puts it back. None if no setting stands there. Nothing is done while anything is unfinished.
    pub async fn put_without_default(&mut self) -> Result<Option<PutSeen>, Halt> {
        let run = Run {
            spec: &self.spec,
            ports: &self.ports,
            progress: &self.progress,
            shutdown: &self.shutdown,
            memory: &self.memory,
            values: &Values::default(),
            say: &Say::default(),
        };
        run.put_without_default().await
    }
}

impl Run<'_> {
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "leave-out"))]
    async fn put_without_default(&self) -> Result<Option<PutSeen>, Halt> {
        self.progress.enter("give Entra the token once more, without one setting");
        self.unless_stopping()?;
        let seen = self.observe().await?;
        let unfit = |what: &str| Halt::from(CallError::new("Key Vault", Class::Human, what));
        if seen.is_unfinished() || seen.journal.unended_pause().is_some() {
            return Err(unfit("something is unfinished: it comes first"));
        }
        let current = seen.journal.current().ok_or_else(|| unfit("there is no current token"))?;
        let token = self.token_of(Some(current)).await?.ok_or_else(|| unfit("the current token cannot be read"))?;
        let place = &current.labels;
        let read = self.moment();
        let before = self.check_settings().await?;
        let Some(key) = before.at_default() else { return Ok(None) };
        // What does not pass before can show nothing behind.
        if self.insist(PATIENCE, || self.ports.provisioner.test_candidate(&token)).await? != Verdict::Accepted {
            return Err(Halt::because(Reason::NoVerdict));
        }
        self.still_ours(place).await?;
        self.unless_replaced().await?;
        if self.is_long_ago(read) {
            return Err(self.too_long_ago());
        }
        let update = SecretsUpdate::new(&before, &self.spec.tenant_url, token.clone(), false).without(key);
        let put = self.ports.provisioner.provision(&update).await;
        let after = self.insist(PATIENCE, || self.ports.provisioner.settings()).await;
        let kept = after.as_ref().is_ok_and(|after| before.lost_in(after).is_empty());
        if kept {
            put?;
            if !self.saved_passes(self.spec.policy.settle_for).await? {
                return Err(Halt::because(Reason::NoVerdict));
            }
            return Ok(Some(PutSeen { key, kept, put_back: true }));
        }
        // Lost, or not to be seen: what was there is written again in either case.
        self.put_once(&token, place, false, Basis::Lost(&before, read)).await?;
        let back = self.insist(PATIENCE, || self.ports.provisioner.settings()).await?;
        let lost = before.lost_in(&back);
        if !lost.is_empty() {
            tracing::error!(settings = ?lost, "these settings of the provisioning job could not be put back");
        }
        if !self.saved_passes(self.spec.policy.settle_for).await? {
            return Err(Halt::because(Reason::NoVerdict));
        }
        after.map(|_| Some(PutSeen { key, kept, put_back: lost.is_empty() }))
    }
}

//! From a stored token to one that Entra holds and accepts. Entered by a rotation, by a resumed pending version, and,
//! in parts, whenever the current token has to be given to Entra again.

use std::future::Future;

use chrono::TimeDelta;

use super::Run;
use super::halt::{Halt, chain};
use super::issue::Held;
use super::observe::FRESH;
use super::run::{Moment, PATIENCE, Record};
use crate::domain::journal::{Labels, Stage};
use crate::domain::settings::SecretsUpdate;
use crate::domain::{Reason, Settings, Timestamp, Token, Verdict};
use crate::ports::CallError;

/// While a token settles, Entra is asked ever less often, from two seconds up to this.
const SLOWEST_POLL: TimeDelta = TimeDelta::seconds(60);
/// How long a job that cannot be started, or a vault that stays away, is tried in one run.
const LONG_PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// What is known of the token that the new one replaces.
pub(super) struct Old {
    /// Its value, to test it against and to go back to; none where there is none alive.
    pub token: Option<Token>,
    /// It is known, or must be assumed, to be dead.
    pub dead: bool,
}

/// What a PUT is made of.
#[derive(Clone, Copy)]
pub(super) enum Basis<'a> {
    /// The settings as they stand, and a token that had passed as a candidate at that moment.
    Tested(Moment),
    /// These settings, of which something was lost, and the same.
    Lost(&'a Settings, Moment),
}

/// How a new token's test by Entra ended.
enum Settled {
    Accepted,
    Refused,
}

impl Run<'_> {
    /// Test, provision, verify, unfence, promote. A refused token is put aside.
    pub async fn cut_over(&self, held: &mut Held, old: &Old, fence: Option<&mut Record>) -> Result<(), Halt> {
        match self.settle(held, old).await? {
            Settled::Accepted => (),
            Settled::Refused => return Err(self.put_aside(held, old, fence).await),
        }
        let put = self.provision_and_verify(&held.token, &held.labels).await?;
        self.unfence(held, fence).await?;
        self.promote(held, old, put).await
    }

    /// Lets the job run again, whichever version tells of the pause: the one that is named, or the pending one itself.
    async fn unfence(&self, held: &mut Held, fence: Option<&mut Record>) -> Result<(), Halt> {
        match (fence, held.record()) {
            (Some(fence), _) => self.lower_fence(fence).await,
            (None, Some(mut own)) => {
                self.lower_fence(&mut own).await?;
                held.labels = own.labels;
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// Entra tests the token before it is saved, again and again, since it may not have taken effect yet.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "test"))]
    async fn settle(&self, held: &Held, old: &Old) -> Result<Settled, Halt> {
        self.progress.enter("have Entra test the new token");
        match self.test_until_accepted(&held.token, self.spec.policy.settle_for).await? {
            true => Ok(Settled::Accepted),
            false if self.is_refused(&held.token, old).await => Ok(Settled::Refused),
            false => Err(Halt::because(Reason::NoVerdict)),
        }
    }

    /// Whether Entra accepts `token` as a candidate within `time`.
    async fn test_until_accepted(&self, token: &Token, time: TimeDelta) -> Result<bool, Halt> {
        self.ask_until_accepted(time, || self.ports.provisioner.test_candidate(token)).await
    }

    /// Whether Entra accepts what it has saved within `time`.
    pub async fn saved_passes(&self, time: TimeDelta) -> Result<bool, Halt> {
        self.ask_until_accepted(time, || self.ports.provisioner.test_saved()).await
    }

    /// Asks Entra, ever less often, until it accepts or `time` is over.
    async fn ask_until_accepted<F, Fut>(&self, time: TimeDelta, mut ask: F) -> Result<bool, Halt>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Verdict, CallError>>,
    {
        let until = self.elapsed() + time;
        let mut delay = TimeDelta::seconds(2);
        loop {
            let asked = self.moment();
            let mut verdict = self.insist(PATIENCE, &mut ask).await?;
            if verdict == Verdict::Accepted && self.is_long_ago(asked) {
                verdict = self.insist(PATIENCE, &mut ask).await?; // It may be dead by now.
            }
            if verdict == Verdict::Accepted {
                return Ok(true);
            }
            if self.elapsed() + delay > until {
                return Ok(false);
            }
            if self.progress.is_in_memory_only() {
                self.unless_stopping()?; // It is to be stored while there is time.
            }
            self.keep_signed().await?;
            self.wait(delay).await;
            delay = (delay * 2).min(SLOWEST_POLL);
        }
    }

    /// Entra says 400 for "refused" and for "endpoint down" alike. It counts as a refusal only if the old token still
    /// passes the same test now; or, where none is left alive, if the endpoint itself refuses the new one twice.
    async fn is_refused(&self, new: &Token, old: &Old) -> bool {
        if let Some(token) = old.token.as_ref().filter(|_| !old.dead) {
            match self.ports.provisioner.test_candidate(token).await {
                Ok(Verdict::Accepted) => {
                    return matches!(self.ports.provisioner.test_candidate(new).await, Ok(Verdict::NotAccepted));
                }
                Ok(Verdict::NotAccepted) => (),
                Err(_) => return false,
            }
        }
        self.is_refused_by_endpoint(new).await
    }

    /// Gives Entra the token, all siblings preserved, and waits until Entra accepts what it has saved.
    /// Answers with the time of the last PUT, by Graph's clock. The token has just passed as a candidate.
    ///
    /// A PUT whose token passes as a candidate but not as what is saved has been dropped, or is not seen yet. So the same
    /// PUT is made once more before one that adds the settings which a dropping Graph wants to see: that one changes them.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "verify"))]
    pub async fn provision_and_verify(&self, token: &Token, place: &Labels) -> Result<Timestamp, Halt> {
        let tested = self.moment();
        let (mut put, mut passes) = self.put_secrets(token, place, false, tested).await?;
        for complete in [false, true] {
            self.progress.enter("have Entra verify what it has saved");
            if passes || self.saved_passes(self.spec.policy.settle_for).await? {
                return Ok(put);
            }
            let tested = self.moment();
            if !self.test_until_accepted(token, TimeDelta::zero()).await? {
                return Err(Halt::because(Reason::NoVerdict));
            }
            tracing::warn!(
                reason = %Reason::EntraHoldsAnother,
                complete,
                "Entra does not accept what it has saved although it accepts the token; writing it again"
            );
            (put, passes) = self.put_secrets(token, place, complete, tested).await?;
        }
        match passes || self.saved_passes(self.spec.policy.settle_for).await? {
            true => Ok(put),
            false => Err(Halt::because(Reason::NoVerdict)),
        }
    }

    /// One PUT of everything, and a look at whether anything was lost by it. Answers with its time, and whether Entra was seen
    /// to accept at once what it has saved.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "provision"))]
    async fn put_secrets(
        &self,
        token: &Token,
        place: &Labels,
        complete: bool,
        tested: Moment,
    ) -> Result<(Timestamp, bool), Halt> {
        self.progress.enter("give Entra the new token");
        let asked = self.moment();
        let (before, put) = self.put_once(token, place, complete, Basis::Tested(tested)).await?;
        let read = self.insist(PATIENCE, || self.ports.provisioner.settings());
        let (after, verdict) = futures::join!(read, self.ports.provisioner.test_saved());
        let after = after?;
        // What is otherwise since long ago somebody has changed.
        let lost = match self.is_long_ago(asked) {
            true => before.gone_from(&after),
            false => before.lost_in(&after),
        };
        if lost.is_empty() {
            return Ok((put, matches!(verdict, Ok(Verdict::Accepted))));
        }
        tracing::error!(settings = ?lost, "settings of the provisioning job were lost by a write; putting them back");
        let back = before.put_back(&lost, &after);
        let (_, put) = self.put_once(token, place, complete, Basis::Lost(&back, tested)).await?;
        let after = self.insist(PATIENCE, || self.ports.provisioner.settings()).await?;
        match back.lost_in(&after) {
            still if still.is_empty() => Ok((put, false)),
            still => {
                tracing::error!(settings = ?still, "these settings of the provisioning job could not be put back");
                Ok((put, false)) // A working token counts for more; the error above is for a person.
            }
        }
    }

    /// One PUT that is carried out. The settings as they stand are read anew before every try, so that what a person changes
    /// meanwhile is not undone; and a test that is long ago is made anew.
    pub async fn put_once(
        &self,
        token: &Token,
        place: &Labels,
        complete: bool,
        basis: Basis<'_>,
    ) -> Result<(Settings, Timestamp), Halt> {
        self.insist(PATIENCE, || async move {
            let read = || async {
                match basis {
                    Basis::Lost(settings, _) => Ok(settings.clone()),
                    Basis::Tested(_) => self.check_settings().await,
                }
            };
            let ready = || async {
                let began = self.moment();
                let (listed, settings) = futures::join!(self.list_ours(place), read());
                self.or_away(listed)?;
                let (Basis::Tested(at) | Basis::Lost(_, at)) = basis;
                if self.is_long_ago(at) && self.ports.provisioner.test_candidate(token).await? != Verdict::Accepted {
                    return Err(Halt::because(Reason::NoVerdict));
                }
                // Beside a vault that hangs they grow old.
                match self.age(began) < FRESH {
                    true => settings,
                    false => read().await,
                }
            };
            let settings = self.recent(ready).await?;
            let update = SecretsUpdate::new(&settings, &self.spec.tenant_url, token.clone(), complete);
            let put = self.ports.provisioner.provision(&update).await?;
            Ok::<_, Halt>((settings, put))
        })
        .await
    }

    /// `pending → current`, in one tag write. A token that never reached the vault is stored as current instead.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "promote"))]
    async fn promote(&self, held: &mut Held, old: &Old, put: Timestamp) -> Result<(), Halt> {
        self.progress.enter("promote the new token to current");
        held.labels.stage = Stage::Current;
        held.labels.proof.provisioned = Some(put);
        // The saved check has just passed, and the token before it cannot have passed it.
        held.labels.proof.proven = old.dead.then_some(put);
        match held.record() {
            Some(mut record) => {
                let labels = held.labels.clone();
                self.write(&mut record, |l| *l = labels).await?;
            }
            None => self.store_at_last(held).await?,
        }
        tracing::info!(token = %held.token.fingerprint(), reason = %Reason::Rotated, "{}", Reason::Rotated.sentence());
        Ok(())
    }

    /// The vault was away when the token was issued. Entra holds it by now; the vault must get it before we forget it.
    async fn store_at_last(&self, held: &mut Held) -> Result<(), Halt> {
        self.store_now(held, LONG_PATIENCE).await
    }

    /// Gives the current token to Entra once more, and notes when. `place` is that of the newest version.
    pub async fn provision_current(
        &self,
        mut current: Record,
        place: &Labels,
        token: &Token,
        reason: Reason,
    ) -> Result<(), Halt> {
        self.progress.enter("have Entra test the current token");
        if !self.test_until_accepted(token, TimeDelta::zero()).await? {
            return Err(Halt::because(Reason::NoVerdict));
        }
        let put = self.provision_and_verify(token, place).await?;
        let again = (reason == Reason::StillUnproven).then_some(put);
        self.write(&mut current, |labels| {
            labels.proof.first = labels.proof.first.or(labels.proof.provisioned);
            labels.proof.provisioned = Some(put);
            labels.proof.confirmed = None;
            labels.proof.again = labels.proof.again.or(again);
        })
        .await
    }

    /// Puts a refused token aside, and things back as they were where there is something to go back to.
    async fn put_aside(&self, held: &mut Held, old: &Old, fence: Option<&mut Record>) -> Halt {
        let refused = Halt::because(Reason::NewTokenRefused);
        let token = held.token.fingerprint();
        tracing::info!(%token, "the new token is refused");
        if let Err(halt) = self.undo(held, old, fence).await {
            tracing::warn!(error = %chain(&halt), "what a refused token left behind is cleared at a later look");
        }
        refused
    }

    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "reject"))]
    async fn undo(&self, held: &mut Held, old: &Old, fence: Option<&mut Record>) -> Result<(), Halt> {
        self.progress.enter("put the refused token aside");
        if let Some(mut record) = held.record() {
            self.write(&mut record, |labels| labels.put_aside(Reason::NewTokenRefused)).await?;
            held.labels = record.labels;
        }
        let Some(last_good) = old.token.as_ref().filter(|_| !old.dead) else {
            return Ok(()); // Nothing to go back to: the open intent has the next look rotate again.
        };
        let restored = self.store_last_good(last_good, &held.labels).await?;
        if !self.saved_passes(TimeDelta::zero()).await? {
            if !self.test_until_accepted(last_good, TimeDelta::zero()).await? {
                return Ok(()); // Nothing passes: the pause stands until a look finds that something does.
            }
            self.provision_and_verify(last_good, &restored).await?;
        }
        self.unfence(held, fence).await
    }
}

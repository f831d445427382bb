//! The runs, each in its order. What the steps do stands in the files that are named after them.

use chrono::TimeDelta;

use super::Run;
use super::cutover::Old;
use super::halt::Halt;
use super::issue::{Held, Planned};
use super::observe::Observed;
use super::run::Record;
use super::turns::Turn;
use crate::domain::attempts::Tier;
use crate::domain::decide::LONGEST_STAND;
use crate::domain::journal::{Entry, IntentEnd, Journal, Label, Labels, PauseNote, RetryNote, Stage, StartNote};
use crate::domain::{Job, JobState, Mode, Plan, Reason, Timestamp, Token, Verdict, VersionId};
use crate::ports::{CallError, Class, VaultError};

impl Run<'_> {
    /// preflight → gap → intend → pause → issue → store → cut over.
    pub async fn rotate(
        &self,
        plan: &Plan,
        seen: &Observed,
        unsaved: &mut Option<Held>,
        turn: &mut Turn,
    ) -> Result<(), Halt> {
        let ready = self.preflight(plan, seen).await?;
        // Until the issuer is asked. A compromised token is what presses, and a dead one cannot wait.
        self.progress.may_give_way(!plan.compromised && !ready.current_dead);
        let known_dead = ready.current_dead;
        let mut old = self.old_token(seen, known_dead || plan.current_doubtful).await?;
        let held_pause = seen.journal.held_pause().is_some() && ready.job.state == JobState::Paused;
        // A token whose answer was lost earlier may take effect any minute: the pause stands until that is settled, or has had
        // its time.
        let now = self.now();
        let older_answer =
            seen.journal.open_intent().is_some_and(|(_, intent)| (now - intent.at).abs() < LONGEST_STAND);
        let wants_fence = plan.fenced;
        let mut job = ready.job;
        // Where no token of ours is known, Entra may well hold one by somebody's hand.
        let may_harm = !old.dead || old.token.is_none();
        if wants_fence && may_harm && !plan.compromised {
            turn.give_back();
            job = self.await_gap(job, self.last_safe(seen)).await?;
            turn.take(self).await?;
        }
        let fence = match (held_pause, wants_fence && job.state == JobState::Active) {
            (true, _) => Planned::Held,
            (false, true) => Planned::At(job.seen_at),
            (false, false) => Planned::None,
        };
        self.unless_stopping()?;
        self.unless_undated()?;
        // The wait may have taken hours, and somebody else may have rotated meanwhile, brought a token, or changed a version. Onto
        // one that is there already nobody writes without a look right before.
        let is_written_onto = seen.journal.current().is_some_and(|current| self.is_reusable(current, seen));
        if is_written_onto || !self.is_fresh(seen) {
            self.values.forget();
            if !self.list().await?.says_the_same_as(&seen.journal) {
                return Err(self.taken_over());
            }
        }
        let mut intent = self.intend(plan, seen, fence).await?;
        if let Err(halt) = self.secure(fence, seen, &job, known_dead, wants_fence, &mut intent).await {
            return Err(self.back_out(plan, &mut intent, fence, older_answer, halt).await);
        }
        let mut held = match self.issue(plan, &mut intent).await {
            Ok(held) => held,
            Err(halt) if older_answer => return Err(halt),
            Err(halt) => return Err(self.unfence_after(&mut intent, &old, halt).await),
        };
        old.dead |= plan.mode == Mode::RemoveCurrent;
        let result = match self.store_issued(&mut held).await {
            Ok(()) => self.cut_over(&mut held, &old, Some(&mut intent)).await,
            taken_over => taken_over,
        };
        // Whether somebody who has taken over has written past it shows at the next look.
        let is_refused = matches!(&result, Err(halt) if halt.reason == Reason::NewTokenRefused);
        *unsaved = (result.is_err() && held.version.is_none() && !is_refused).then_some(held);
        result
    }

    /// Between the intent and the issue: no cycle runs any more, nobody else is at work, and nobody wants us to end.
    async fn secure(
        &self,
        fence: Planned,
        seen: &Observed,
        job: &Job,
        known_dead: bool,
        wants_fence: bool,
        intent: &mut Record,
    ) -> Result<(), Halt> {
        // A token that nobody knows may end the one that Entra holds, or that one is dead already.
        let falling = match known_dead || seen.journal.open_intent().is_some() {
            true => self.token_of(seen.journal.current()).await.ok().flatten(),
            false => None,
        };
        let falling = falling.as_ref();
        match (fence, seen.journal.held_pause()) {
            (Planned::At(_), _) => self.raise_fence(intent, falling).await?,
            _ if known_dead => (), // No cycle can be harmed any more.
            (Planned::Held, Some((_, pause))) => self.drain(intent, pause.at.unwrap_or(pause.planned), falling).await?,
            // A person's pause: a cycle may have outlived it.
            _ if wants_fence && job.state == JobState::Paused => self.drain(intent, job.seen_at, falling).await?,
            _ => (),
        }
        self.unless_stopping()?;
        self.unless_undated()?;
        // The waits may have outlived the bearer. A new one is had before it is written that the issuer is asked, so that
        // one that cannot be had is not taken for a lost answer whatever happens meanwhile.
        self.ports.issuer.preflight().await?;
        self.confirm_intent(intent).await
    }

    /// Nothing was issued: the intent is given up and the job runs again.
    async fn back_out(&self, plan: &Plan, intent: &mut Record, fence: Planned, older_answer: bool, halt: Halt) -> Halt {
        self.give_up_intent(plan, intent, &halt).await;
        if halt.reason == Reason::TakenOver {
            return halt; // Whoever has taken over may need the pause; if not, the next look ends it.
        }
        let lowered = match own_plan(intent, fence).filter(|_| halt.class != Class::Ambiguous) {
            Some(plan) => {
                self.deny_pause(intent, plan).await;
                Ok(())
            }
            None if older_answer => Ok(()),
            // It is taken over, with what was waited for under it.
            None if halt.reason == Reason::OrderFirst && self.progress.rotates_next() => Ok(()),
            None => self.lower_fence(intent).await,
        };
        if let Err(error) = lowered {
            tracing::warn!(error = %super::halt::chain(&error), "the job could not be started again; a later look does it");
        }
        halt
    }

    /// Where certainly no token was made, the job may run with a living old one, or with whatever else Entra accepts of what it
    /// has saved; with a dead one a later look decides, and so it does where an answer may be lost.
    async fn unfence_after(&self, intent: &mut Record, old: &Old, halt: Halt) -> Halt {
        if intent.labels.intent.as_ref().is_some_and(|i| i.end == IntentEnd::NotIssued)
            && (!old.dead || self.entra_accepts_what_it_has().await)
            && let Err(error) = self.lower_fence(intent).await
        {
            tracing::warn!(error = %super::halt::chain(&error), "the job could not be started again; a later look does it");
        }
        halt
    }

    /// A pending version goes to Entra, with the mode and the fence of the intent that it came from.
    pub async fn resume(&self, version: &VersionId, seen: &Observed) -> Result<(), Halt> {
        let labels = labels_of(seen, version)?.clone();
        let token = match self.read_pending(version, &labels).await {
            Err(halt) if halt.reason == Reason::PendingUnreadable => return self.forsake(version, &labels, halt).await,
            token => token?,
        };
        let intent = seen.journal.intent_of(&labels.rotation);
        let mode = intent.map_or(Mode::Overlap, |intent| intent.mode);
        let will_pause = intent.map_or_else(|| self.spec.policy.fences(mode), |intent| intent.will_pause);
        let mut held = Held { token, labels, version: Some(version.clone()) };
        let old_dead = mode == Mode::RemoveCurrent || is_over(seen);
        let old = self.old_token(seen, old_dead).await?;
        self.finish(&mut held, &old, seen, will_pause).await
    }

    /// A token that the vault could not take goes on from memory.
    pub async fn resume_unsaved(&self, held: &mut Held, seen: &Observed) -> Result<(), Halt> {
        // The vault has just been listed, so it may well take the token now; from then on it is a pending one like any other.
        let stored = self.store_now(held, super::run::PATIENCE).await;
        if let Err(halt) = stored {
            if held.labels.stage == Stage::Current || halt.reason == Reason::TakenOver || self.shutdown.is_cancelled() {
                return Err(halt);
            }
            let intent = seen.journal.intent_of(&held.labels.rotation);
            let mode = intent.map_or(Mode::Overlap, |intent| intent.mode);
            let old = self.old_token(seen, mode == Mode::RemoveCurrent || is_over(seen)).await?;
            self.finish(held, &old, seen, intent.is_some_and(|intent| intent.will_pause)).await?;
        }
        held.version.is_some().then_some(()).ok_or_else(|| Halt::because(Reason::StepFailed))
    }

    /// Whether a token that was not seen to be stored stands in the vault all the same: only the answer to the store was lost,
    /// and it is pending like any other. Fails when somebody has written past its place.
    pub fn has_come_home(&self, held: &mut Held, journal: &Journal) -> Result<bool, Halt> {
        if journal.next_seq() > held.labels.seq + 1 {
            return Err(self.taken_over());
        }
        held.version = journal.find(&held.labels.rotation, held.labels.seq).map(|entry| entry.version.id.clone());
        Ok(held.version.is_some())
    }

    /// A token that the vault could not take is stored, whatever else cannot be seen: the vault is listed alone, once, and
    /// asked once.
    pub async fn store_unseen(&self, held: &mut Held) -> Result<(), Halt> {
        let versions = self.list_to_decide().await?;
        let is_anothers = Journal::new(versions.clone()).is_kept_by_another(&self.spec.holder);
        if self.has_come_home(held, &self.journal(versions))? {
            return Ok(());
        }
        // Whoever has claimed the say may do nothing with it: the token is kept until he does.
        if is_anothers {
            return Err(Halt::because(Reason::AnotherHolder));
        }
        self.store_now(held, TimeDelta::zero()).await
    }

    async fn finish(&self, held: &mut Held, old: &Old, seen: &Observed, will_pause: bool) -> Result<(), Halt> {
        let mut fence = seen.journal.held_pause().map(|(entry, _)| record(entry));
        if will_pause {
            let settled = match seen.job.state {
                JobState::Active => {
                    let carrier = seen.journal.ours().find(|e| e.labels.rotation == held.labels.rotation);
                    let carrier = carrier.map(record).or_else(|| held.record()).ok_or_else(|| self.taken_over())?;
                    self.raise_fence(fence.insert(carrier), old.token.as_ref()).await
                }
                JobState::Paused if !old.dead => self.drain_again(held, fence.as_ref(), old, seen).await,
                _ => Ok(()),
            };
            if let Err(halt) = settled {
                if let Some(fence) = fence.as_mut() {
                    let refused = own_plan(fence, Planned::At(seen.job.seen_at));
                    match refused.filter(|_| halt.class != Class::Ambiguous && halt.reason != Reason::TakenOver) {
                        Some(plan) => self.deny_pause(fence, plan).await,
                        // The pending token may have ended the one that Entra holds, whoever waited for that before.
                        None if halt.reason == Reason::ShuttingDown && self.entra_accepts_what_it_has().await => {
                            self.lower_fence(fence).await?
                        }
                        None => (),
                    }
                }
                return Err(halt);
            }
        }
        // The pending version may carry the pause itself; then its labels are written by one hand only.
        let own = fence.take_if(|fence| held.version.as_ref() == Some(&fence.id));
        if let Some(own) = own {
            held.labels.pause = own.labels.pause;
        }
        self.cut_over(held, old, fence.as_mut()).await
    }

    /// A process that was killed, or cut off, while it waited for a cycle leaves the rest of the wait to the next. It is over at
    /// once where it was over then.
    async fn drain_again(&self, held: &Held, fence: Option<&Record>, old: &Old, seen: &Observed) -> Result<(), Halt> {
        let pause = fence.and_then(|fence| Some((fence, fence.labels.pause?)));
        match (pause, held.record()) {
            (Some((fence, pause)), _) => self.drain(fence, pause.at.unwrap_or(pause.planned), old.token.as_ref()).await,
            // A person's pause. One that was issued under it has waited then; one that was brought has not.
            (None, Some(own)) if seen.journal.intent_of(&held.labels.rotation).is_none() => {
                self.drain(&own, seen.job.seen_at, old.token.as_ref()).await
            }
            _ => Ok(()),
        }
    }

    /// The current token goes to Entra once more.
    pub async fn provision_again(&self, seen: &Observed, reason: Reason) -> Result<(), Halt> {
        let current = seen.journal.current().ok_or_else(|| self.taken_over())?;
        let token = self.token_of(Some(current)).await?.ok_or_else(unreadable)?;
        // A rejected version may stand above it; who has written past that one has taken over.
        let place = seen.journal.ours().next().map_or(current.labels, |newest| newest.labels);
        self.provision_current(record(current), place, &token, reason).await
    }

    /// Lets the job run. For a quarantine the record comes first, so that it is tried once only; for a pause after it.
    pub async fn start(
        &self,
        version: &VersionId,
        labels: &Labels,
        seen: &Observed,
        reason: Reason,
    ) -> Result<(), Halt> {
        let mut record = Record { id: version.clone(), labels: labels_of(seen, version)?.clone() };
        if reason == Reason::QuarantineToEnd {
            self.write(&mut record, |l| *l = labels.clone()).await?;
            self.progress.enter("start the provisioning job");
            let started = self.start_if(JobState::Quarantine, None).await.map(drop);
            if let Err(halt) = &started
                && halt.class != Class::Ambiguous
            {
                let failed = labels.started.map(|note| StartNote { failed: true, ..note });
                self.write(&mut record, |l| l.started = failed).await?;
            }
            started
        } else {
            self.lower_fence(&mut record).await
        }
    }

    /// Disables old versions, newest last, so that a run that breaks off leaves the newest readable.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "retire"))]
    pub async fn retire(&self, versions: &[VersionId], seen: &Observed) -> Result<(), Halt> {
        self.progress.enter("disable old versions");
        for version in versions.iter().rev() {
            self.label(version, labels_of(seen, version)?.clone(), Some(false)).await?;
        }
        Ok(())
    }

    /// The last good value again, as the newest current version, in the place of a rejected one. Answers with its labels.
    pub async fn store_last_good(&self, token: &Token, rejected: &Labels) -> Result<Labels, Halt> {
        let journal = self.still_ours(rejected).await?;
        let current = journal.current().ok_or_else(|| self.taken_over())?;
        let labels = Labels { seq: rejected.seq + 1, intent: None, ..current.labels.clone() };
        let mut labels = labels.because(Reason::NewTokenRefused);
        labels.stage = Stage::Current;
        (labels.pause, labels.hold) = (None, None);
        labels.rotation = self.rotation_id(labels.seq);
        let now = self.now();
        let tier = if self.spec.policy.is_urgent(labels.token.as_ref(), now) { Tier::Emergency } else { Tier::Normal };
        if let Some(retry) = labels.retry.as_mut() {
            *retry = RetryNote::after(retry.attempts, now, tier, TimeDelta::zero());
        }
        let mut held = Held { token: token.clone(), labels, version: None };
        self.store_held(&mut held, super::run::PATIENCE).await?;
        Ok(held.labels)
    }

    /// A pending version that does not hold its token is no way to Entra: the next decision finds another one.
    async fn forsake(&self, version: &VersionId, labels: &Labels, halt: Halt) -> Result<(), Halt> {
        let (reason, error) = (Reason::PendingUnreadable, super::halt::chain(&halt));
        tracing::error!(%version, %reason, error, "{}", reason.sentence());
        let mut record = Record { id: version.clone(), labels: labels.clone() };
        self.write(&mut record, |labels| labels.put_aside(reason)).await
    }

    async fn read_pending(&self, version: &VersionId, labels: &Labels) -> Result<Token, Halt> {
        let token = match self.ports.vault.read(version).await {
            Err(error @ VaultError::Unusable { .. }) => {
                return Err(Halt::from(error).during(Reason::PendingUnreadable));
            }
            token => token?,
        };
        match &labels.token {
            Some(note) if note.id == token.fingerprint() => Ok(token),
            _ => Err(unreadable().during(Reason::PendingUnreadable)),
        }
    }

    async fn entra_accepts_what_it_has(&self) -> bool {
        matches!(self.ports.provisioner.test_saved().await, Ok(Verdict::Accepted))
    }

    async fn old_token(&self, seen: &Observed, dead: bool) -> Result<Old, Halt> {
        Ok(Old { token: self.token_of(seen.journal.current()).await?, dead })
    }

    fn last_safe(&self, seen: &Observed) -> Option<Timestamp> {
        let token = seen.journal.current()?.labels.token.as_ref()?;
        self.spec.policy.due(token)?.last_safe
    }
}

/// The pause that this very run has planned and not made. One that was planned by a process before us may well have been made.
pub(super) fn own_plan(intent: &Record, fence: Planned) -> Option<PauseNote> {
    let own = |pause: &PauseNote| matches!(fence, Planned::At(planned) if pause.planned >= planned);
    intent.labels.pause.filter(|pause| own(pause) && pause.is_open())
}

/// Whether the current token's life was over when it was looked, by Graph's clock.
fn is_over(seen: &Observed) -> bool {
    seen.journal.current().and_then(|e| e.labels.token.as_ref()).is_some_and(|token| token.is_over(seen.job.seen_at))
}

fn record(entry: Entry<'_>) -> Record {
    Record { id: entry.version.id.clone(), labels: entry.labels.clone() }
}

fn labels_of<'a>(seen: &'a Observed, version: &VersionId) -> Result<&'a Labels, Halt> {
    let found = seen.journal.versions().iter().find(|v| v.id == *version).map(|v| &v.label);
    match found {
        Some(Label::Ours(labels)) => Ok(labels),
        _ => Err(unreadable()),
    }
}

fn unreadable() -> Halt {
    let what = "the version does not hold the token that its labels speak of";
    CallError::new("Key Vault", Class::Human, what).into()
}

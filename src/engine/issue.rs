//! From the intent to the stored token: the stretch in which an answer can be lost, and nothing else may be.

use chrono::TimeDelta;

use super::Run;
use super::halt::Halt;
use super::observe::Observed;
use super::rotate::own_plan;
use super::run::{PATIENCE, Record};
use super::say::LONG;
use crate::domain::attempts::{ISSUE_PERIOD, Tier, ask_again, written_ahead};
use crate::domain::journal::{
    Entry, Intent, IntentEnd, Journal, Label, Labels, PauseNote, Proof, RetryNote, Stage, TokenNote,
};
use crate::domain::{Expiry, Mode, Plan, Reason, Timestamp, Token, Version, VersionId};
use crate::ports::{IssueHow, IssuerError, NewVersion, VaultError};

/// A newly issued, or pending, token on its way to Entra.
#[derive(Debug)]
pub(super) struct Held {
    /// The value.
    pub token: Token,
    /// The labels of the pending version, stored or still to be stored.
    pub labels: Labels,
    /// Where it stands in the vault; none as long as the vault could not be reached.
    pub version: Option<VersionId>,
}

/// What an intent says of the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planned {
    /// There will be none.
    None,
    /// The job is about to be paused, at this moment by Graph's clock.
    At(Timestamp),
    /// A pause of ours stands from an earlier attempt.
    Held,
}

impl Held {
    /// The stored version, to write labels onto.
    pub fn record(&self) -> Option<Record> {
        Some(Record { id: self.version.clone()?, labels: self.labels.clone() })
    }

    /// When it dies.
    pub fn expiry(&self) -> Option<Expiry> {
        self.labels.token.as_ref()?.expiry
    }
}

impl Run<'_> {
    /// The write-ahead record: the current value again, as a new version that says what is about to be done. One that came
    /// to nothing within a day is written once more instead: an issuer that says no for weeks must not fill the vault.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "intend"))]
    pub async fn intend(&self, plan: &Plan, seen: &Observed, fence: Planned) -> Result<Record, Halt> {
        self.progress.enter("write the intent");
        let current = seen.journal.current();
        let now = self.now();
        let base = current.map(|e| e.labels);
        let pause = match fence {
            Planned::None => None,
            Planned::At(moment) => Some(PauseNote::planned(moment)),
            // A pause of an earlier attempt that still stands is carried along, so that it is ended in the end.
            Planned::Held => seen.journal.held_pause().map(|(_, pause)| pause),
        };
        let intent = Some(Intent {
            at: now,
            mode: plan.mode,
            will_pause: fence != Planned::None,
            why: plan.reason.name().to_owned(),
            end: IntentEnd::Planned,
        });
        let retry = Some(written_ahead(base.and_then(|b| b.retry), now));
        let mut record = match current.filter(|e| self.is_reusable(*e, seen)) {
            Some(entry) => {
                let mut record = Record { id: entry.version.id.clone(), labels: entry.labels.clone() };
                // The end of an earlier pause is told by nobody else: it stays until another one is planned.
                let pause = pause.or(record.labels.pause);
                self.write(&mut record, |labels| *labels = Labels { intent, retry, pause, ..labels.clone() }).await?;
                record
            }
            None => {
                let seq = seen.journal.next_seq();
                let token = self.value_to_keep(&seen.journal).await?;
                let stage = match (&token, base) {
                    (Some(_), Some(labels)) => labels.stage,
                    _ => Stage::Placeholder,
                };
                let token_note = base.and_then(|b| b.token.clone());
                let labels = Labels {
                    intent,
                    retry,
                    pause,
                    proof: base.map_or(Proof::default(), |b| b.proof),
                    started: base.and_then(|b| b.started),
                    ..Labels::new(stage, seq, self.rotation_id(seq), token_note)
                };
                let expires = labels.token.as_ref().and_then(|t| t.expiry).map(|e| e.at).filter(|at| *at > now);
                let id = self.store_version(token, &labels, expires, PATIENCE).await?;
                Record { id, labels: Labels { sign: self.sign(), ..labels } }
            }
        };
        if let Err(halt) = self.still_ours(&record.labels).await {
            // Nobody has been asked, so nobody shall take this for a lost answer.
            self.give_up_intent(plan, &mut record, &halt).await;
            if let Some(plan) = own_plan(&record, fence).filter(|_| halt.reason != Reason::TakenOver) {
                self.deny_pause(&mut record, plan).await;
            }
            return Err(halt);
        }
        Ok(record)
    }

    /// Whether a version is the latest of all and carries an intent, a day old at most, that came to nothing.
    pub fn is_reusable(&self, entry: Entry<'_>, seen: &Observed) -> bool {
        let journal = &seen.journal;
        let came_to_nothing = |intent: &Intent| intent.end != IntentEnd::Open;
        let latest = journal.latest().is_some_and(|latest| latest.id == entry.version.id)
            && !journal.is_overtaken(&entry.labels.rotation, entry.labels.seq);
        // By the far side's clocks: ours may be off by days.
        let young = (seen.job.seen_at - entry.version.created).abs() < ISSUE_PERIOD;
        latest && young && entry.labels.intent.as_ref().is_some_and(came_to_nothing)
    }

    /// What a reader of "latest" gets now: the current token, or whatever stands there before there is one of ours.
    async fn value_to_keep(&self, journal: &Journal) -> Result<Option<Token>, Halt> {
        let version = match journal.current().filter(|e| e.labels.token.is_some()) {
            Some(entry) => Some(entry.version),
            None => journal.latest(),
        };
        let Some(version) = version.filter(|v| v.enabled) else { return Ok(None) };
        match self.value(&version.id).await {
            Ok(token) => Ok(Some(token)),
            Err(VaultError::Unusable { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Right before the issuer is asked: the bounds on issuing, and the wait for a lost answer, count from here and not from
    /// before the fence, which took minutes. Somebody else may have taken over meanwhile, and an end may have been asked for.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "confirm"))]
    pub async fn confirm_intent(&self, intent: &mut Record) -> Result<(), Halt> {
        let journal = self.still_ours(&intent.labels).await?;
        self.unless_stopping()?;
        self.progress.may_give_way(false);
        self.sure_of_time().await?;
        let now = self.now();
        let again = ask_again(journal.issues_within(ISSUE_PERIOD, now).len(), now);
        self.write(intent, |labels| {
            labels.intent = labels.intent.take().map(|intent| Intent { at: now, end: IntentEnd::Open, ..intent });
            labels.retry = labels.retry.map(|retry| RetryNote { not_before: again, ..retry });
        })
        .await?;
        self.unless_stopping()
    }

    /// The same once more where that is long ago: the host may have slept since.
    async fn still_confirmed(&self, intent: &mut Record) -> Result<(), Halt> {
        self.insist(PATIENCE, || self.unless_replaced()).await?;
        match intent.labels.intent.as_ref().is_some_and(|intent| (self.now() - intent.at).abs() > LONG) {
            true => self.confirm_intent(intent).await,
            false => Ok(()),
        }
    }

    /// Asks the issuer, once. From here on nothing is interrupted by a shutdown: a token in memory is a token to lose.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "issue"))]
    pub async fn issue(&self, plan: &Plan, intent: &mut Record) -> Result<Held, Halt> {
        self.progress.enter("ask the issuer for a new token");
        let mut how = IssueHow::Rotate { remove_current: plan.mode == Mode::RemoveCurrent };
        let issued = loop {
            let refused = match self.still_confirmed(intent).await {
                Ok(()) => match self.ports.issuer.issue(how).await {
                    Ok(issued) => break issued,
                    Err(error @ IssuerError::Ambiguous(_)) => return Err(error.into()),
                    Err(IssuerError::NothingToRotate(_)) if plan.may_create && how != IssueHow::Create => {
                        how = IssueHow::Create;
                        continue;
                    }
                    Err(error) => error.into(),
                },
                Err(halt) => halt,
            };
            self.give_up_intent(plan, intent, &refused).await;
            return Err(refused);
        };
        // A clock that has leapt meanwhile dates nothing: the token's life would be told wrong for as long as it lives.
        let asked = intent.labels.intent.as_ref().map(|intent| intent.at).filter(|_| self.ports.clock.is_in_doubt());
        let now = asked.unwrap_or(self.now());
        let (expires, source) = (issued.expiry.map(|e| e.at), issued.expiry.map(|e| e.source));
        tracing::info!(
            token = %issued.token.fingerprint(),
            mode = %plan.mode,
            expires = expires.map(tracing::field::display),
            expiry_source = source.map(tracing::field::display),
            "the issuer made a new token"
        );
        let note = TokenNote::new(&issued.token, now, issued.expiry);
        if self.spec.policy.due(&note).is_some_and(|due| due.clamped) {
            tracing::warn!("the new token lives shorter than the policy thinks; it is rotated by its own life");
        }
        let labels = Labels::new(Stage::Pending, intent.labels.seq + 1, intent.labels.rotation.clone(), Some(note));
        self.progress.holds_in_memory_only(true);
        Ok(Held { token: issued.token, labels, version: None })
    }

    /// Stores what was issued, and looks whether it still counts.
    pub async fn store_issued(&self, held: &mut Held) -> Result<(), Halt> {
        self.store_held(held, PATIENCE).await?;
        // A process that slept through a takeover must not bring home what nobody expects of it any more. A vault that has gone
        // away with the token tells of nobody; Entra is to have it now.
        if held.version.is_some()
            && let Err(halt) = self.still_ours(&held.labels).await
        {
            if halt.reason == Reason::TakenOver {
                return Err(halt);
            }
            tracing::warn!(error = %super::halt::chain(&halt), "whether another process has taken over cannot be seen; going on");
        }
        Ok(())
    }

    /// The issuer certainly made no token: say so in the journal, so that the next look need not assume one.
    /// Where this cannot be written, the open intent costs one more issue and nothing else.
    pub async fn give_up_intent(&self, plan: &Plan, intent: &mut Record, halt: &Halt) {
        if halt.reason == Reason::TakenOver {
            return; // The other one may have written his own over it. One that is planned only asked nobody; of any other he assumes so.
        }
        let now = self.now();
        let urgent = plan.current_dead || self.spec.policy.is_urgent(intent.labels.token.as_ref(), now);
        let tier = if urgent { Tier::Emergency } else { Tier::Normal };
        let stopping = matches!(halt.reason, Reason::ShuttingDown | Reason::OrderFirst);
        let written = self
            .write(intent, |labels| {
                if let Some(open) = labels.intent.as_mut() {
                    open.end = IntentEnd::NotIssued;
                }
                if let Some(retry) = labels.retry.as_mut() {
                    retry.attempts -= u32::from(stopping);
                    *retry = match stopping {
                        true => RetryNote { not_before: now, ..*retry },
                        false => RetryNote::after(retry.attempts, now, tier, halt.retry_after()),
                    };
                }
            })
            .await;
        if let Err(error) = written {
            tracing::warn!(error = %super::halt::chain(&error), "that no token was issued could not be written down");
        }
    }

    /// Stores a held token as it is labelled, for as long as `patience`. If the vault stays away, the token is kept in
    /// memory and the run goes on with it, loudly: provisioning lives on what Entra holds, not on the vault.
    pub async fn store_held(&self, held: &mut Held, patience: TimeDelta) -> Result<(), Halt> {
        match self.store_now(held, patience).await {
            Err(halt) if halt.reason != Reason::TakenOver => tracing::error!(
                token = %held.token.fingerprint(),
                error = %super::halt::chain(&halt),
                "a new token could not be stored in the vault; it lives in memory only until that succeeds"
            ),
            result => return result,
        }
        Ok(())
    }

    /// The same, where nothing is to be done with the token before it is stored.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "store"))]
    pub async fn store_now(&self, held: &mut Held, patience: TimeDelta) -> Result<(), Halt> {
        self.progress.enter("store the new token in the vault");
        let expires = held.expiry().map(|expiry| expiry.at);
        held.version = Some(self.store_version(Some(held.token.clone()), &held.labels, expires, patience).await?);
        held.labels.sign = self.sign();
        self.progress.holds_in_memory_only(false);
        Ok(())
    }

    /// Stores one version, exactly once: before each repetition the vault is listed for what an earlier try may have left.
    pub async fn store_version(
        &self,
        token: Option<Token>,
        labels: &Labels,
        expires: Option<Timestamp>,
        patience: TimeDelta,
    ) -> Result<VersionId, Halt> {
        let mut new = NewVersion { token, tags: labels.to_tags(), expires };
        let until = self.elapsed() + patience;
        let mut delay = TimeDelta::seconds(1);
        loop {
            self.progress.beat();
            let is_ours = match self.unless_replaced().await {
                // What is in memory only is to be stored although nobody can tell who has the say.
                seen if self.progress.is_in_memory_only() => self.or_away(seen),
                seen => seen,
            };
            let (at, labels) = (self.moment(), Labels { sign: self.sign(), ..labels.clone() });
            new.tags = labels.to_tags();
            let failed: Halt = match is_ours {
                Ok(()) => match self.ports.vault.store(&new).await {
                    Ok(id) => {
                        let version = Version {
                            id: id.clone(),
                            created: self.now(),
                            enabled: new.token.is_some(),
                            expires: new.expires,
                            label: Label::Ours(Box::new(labels)),
                        };
                        self.memory.stored(version, self.elapsed());
                        self.signed(at);
                        return Ok(id);
                    }
                    Err(error @ VaultError::VersionRefused(_)) if new.expires.take().is_some() => {
                        let error = super::halt::chain(&error);
                        tracing::warn!(error, "the vault refused the version with its expiry; storing it without");
                        continue;
                    }
                    Err(error) => error.into(),
                },
                Err(halt) if halt.reason == Reason::TakenOver => return Err(halt),
                Err(halt) => halt,
            };
            let wait = delay.max(failed.retry_after());
            if self.elapsed() + wait > self.last_chance(until) {
                return Err(failed);
            }
            self.wait(wait).await;
            delay = (delay * 2).min(TimeDelta::seconds(30));
            match self.still_ours(&labels).await {
                Ok(journal) => {
                    if let Some(entry) = journal.find(&labels.rotation, labels.seq) {
                        return Ok(entry.version.id.clone());
                    }
                }
                Err(halt) if halt.reason == Reason::TakenOver => return Err(halt),
                Err(_) if self.elapsed() > self.last_chance(until) => return Err(failed),
                Err(_) => (),
            }
        }
    }
}

//! Looking: the vault, the job, and the answers to what a decision wants to know on top.

use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;

use super::halt::Halt;
use super::run::{Moment, Run};
use super::turns::Place;
use crate::domain::journal::{Entry, Journal, PauseNote};
use crate::domain::{Answers, CurrentHealth, Job, JobState, ProbeVerdict, Question, Reason, Token, Verdict, VersionId};
use crate::ports::VaultError;

/// A token counts as refused by the endpoint only when it says so twice, so far apart.
const SECOND_PROBE: TimeDelta = TimeDelta::seconds(61);

/// What was asked for so shortly ago is not asked for once more: well within the time that a claim is given to show itself.
pub(super) const FRESH: TimeDelta = TimeDelta::seconds(3);

/// The values that one look has read.
#[derive(Debug, Default)]
pub(super) struct Values(Mutex<Vec<(VersionId, Token)>>);

impl Values {
    fn known(&self, version: &VersionId) -> Option<Token> {
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.iter().find(|(id, _)| id == version).map(|(_, token)| token.clone())
    }

    /// Somebody may have disabled a version meanwhile.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn learn(&self, version: &VersionId, token: &Token) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((version.clone(), token.clone()));
    }
}

/// So many rejected tokens are tried at one look: as many as may be issued in a day.
const MOST_REJECTED: usize = 4;
/// What is open, in words. Of an act that has failed nobody knows what it has left before the next look sees it.
pub(super) const UNSEEN: &str = "the last act failed, and what it has left does not show yet";
pub(super) const NEVER_SEEN: &str = "it has not been looked at yet, and what was begun before does not show";
pub(super) const PAUSED: &str = "the provisioning job is paused by us";

/// What one look saw.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub journal: Journal,
    pub job: Job,
    /// When it was asked for.
    pub at: Moment,
}

impl Observed {
    /// Whether a rotation is under way, or its pause stands.
    pub fn is_unfinished(&self) -> bool {
        let journal = &self.journal;
        journal.pending().is_some() || journal.open_intent().is_some() || journal.held_pause().is_some()
    }

    /// Whether a pause that this process has made stands, and another one has written over what told of it.
    pub fn has_forgotten(&self, pause: Option<PauseNote>) -> bool {
        self.job.state == JobState::Paused && pause.is_some_and(|pause| !self.journal.tells_of(&pause))
    }

    /// What has been begun and has not come to its end.
    pub fn open(&self) -> Vec<&'static str> {
        let pause = match (self.journal.unended_pause().map(|(_, pause)| pause.is_held()), self.job.state) {
            (Some(true), JobState::Paused) => Some(PAUSED),
            (Some(true), _) => Some("whether the provisioning job is still paused by us does not show yet"),
            (Some(false), JobState::Paused) => Some("the provisioning job is paused, it may be by us"),
            (Some(false), _) | (None, _) => None,
        };
        let pending = self.journal.pending().map(|_| "a new token is stored, and not with Entra for certain");
        let asked = self.journal.open_intent().map(|_| "whether the issuer has made a new token is not known");
        pause.into_iter().chain(pending).chain(asked).collect()
    }
}

impl Run<'_> {
    /// One vault listing and one job read, side by side. What both have to complain of is told at once.
    pub async fn observe(&self) -> Result<Observed, Halt> {
        let at = self.moment();
        let seen = self.list_and_read(at).await?;
        self.memory.saw(&seen.job);
        Ok(seen)
    }

    async fn list_and_read(&self, at: Moment) -> Result<Observed, Halt> {
        match futures::join!(self.list_to_decide(), self.job()) {
            (Ok(versions), Ok(job)) => Ok(Observed { journal: self.journal(versions), job, at }),
            (Err(vault), Ok(_)) => Err(Halt::from(vault).during(Reason::CannotObserve)),
            (Ok(_), Err(job)) => Err(Halt::from(job).during(Reason::CannotObserve)),
            (Err(vault), Err(job)) => Err(Halt::of(vec![vault.into(), job.into()], Reason::CannotObserve)),
        }
    }

    /// Whether what was seen can be taken for how things are now.
    pub fn is_fresh(&self, seen: &Observed) -> bool {
        self.age(seen.at) < FRESH
    }

    /// Answers one question of a decision.
    pub async fn answer(
        &self,
        question: Question,
        seen: &Observed,
        answers: &mut Answers,
        place: &mut Option<Place>,
    ) -> Result<(), Halt> {
        tracing::debug!(?question, "looking closer");
        match question {
            Question::Saved => {
                let verdict = self.ports.provisioner.test_saved().await;
                answers.saved = Some(verdict.map_err(|e| Halt::from(e).during(Reason::CannotObserve))?);
            }
            Question::Current => answers.current = Some(self.current_health(&seen.journal).await?),
            Question::Rejected => {
                answers.rejected = Some(self.accepted_by_now(&seen.journal).await?);
            }
            Question::Turn { last_safe } => {
                let last_safe = last_safe.unwrap_or(self.now());
                let place = place.get_or_insert_with(|| self.ports.turns.line_up(&self.spec.issuer_host, last_safe));
                answers.turn = Some(place.is_turn());
            }
            Question::PreviousDead => {
                answers.previous_dead = Some(match self.token_of(seen.journal.previous()).await {
                    Ok(Some(token)) => self.is_refused_by_endpoint(&token).await,
                    Ok(None) | Err(_) => false, // Retired or unreadable: nothing is known of it.
                });
            }
        }
        Ok(())
    }

    /// Which of the rejected tokens Entra accepts by now, the newest first: one that was never tried may stand below one that was.
    async fn accepted_by_now(&self, journal: &Journal) -> Result<Option<VersionId>, Halt> {
        // One that was taken back and refused again has several versions.
        let mut tried = Vec::new();
        let is_another = |e: &Entry<'_>| {
            let token = e.labels.token.as_ref().map(|token| token.id.clone());
            let is_new = !tried.contains(&token);
            tried.push(token);
            is_new
        };
        let mut failed = None;
        for entry in journal.rejected(self.now()).filter(is_another).take(MOST_REJECTED) {
            let verdict = match self.token_of(Some(entry)).await {
                Ok(None) => continue,
                Ok(Some(token)) => self.ports.provisioner.test_candidate(&token).await.map_err(Halt::from),
                Err(error) => Err(error.into()),
            };
            match verdict {
                Ok(Verdict::Accepted) => return Ok(Some(entry.version.id.clone())),
                Ok(Verdict::NotAccepted) => (),
                Err(halt) => failed = Some(halt), // Another one may be well.
            }
        }
        failed.map_or(Ok(None), |halt| Err(halt.during(Reason::CannotObserve)))
    }

    /// How the vault's current token fares at Entra, and, where Entra cannot say, at the endpoint itself.
    pub async fn current_health(&self, journal: &Journal) -> Result<CurrentHealth, Halt> {
        let token = match self.token_of(journal.current()).await {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(CurrentHealth::Unreadable),
            Err(error) => return Err(Halt::from(error).during(Reason::CannotObserve)),
        };
        match self.ports.provisioner.test_candidate(&token).await {
            Ok(Verdict::Accepted) => Ok(CurrentHealth::Good),
            Ok(Verdict::NotAccepted) if self.is_refused_by_endpoint(&token).await => Ok(CurrentHealth::Refused),
            Ok(Verdict::NotAccepted) => Ok(CurrentHealth::Unclear),
            Err(error) => Err(Halt::from(error).during(Reason::CannotObserve)),
        }
    }

    /// Whether the SCIM endpoint refuses a token twice, a minute apart. Anything else says nothing.
    pub async fn is_refused_by_endpoint(&self, token: &Token) -> bool {
        if self.ports.probe.probe(token).await != ProbeVerdict::Refused {
            return false;
        }
        self.wait(SECOND_PROBE).await;
        self.ports.probe.probe(token).await == ProbeVerdict::Refused
    }

    /// The value of a version, read once in a look: nobody can change it.
    pub async fn value(&self, version: &VersionId) -> Result<Token, VaultError> {
        if let Some(token) = self.values.known(version) {
            return Ok(token);
        }
        let token = self.ports.vault.read(version).await?;
        self.values.learn(version, &token);
        Ok(token)
    }

    /// The value of a version of ours, where it can be read and is the one that its labels speak of: a placeholder holds none,
    /// although somebody may have enabled it.
    pub async fn token_of(&self, entry: Option<Entry<'_>>) -> Result<Option<Token>, VaultError> {
        let Some((entry, note)) = entry.filter(|e| e.version.enabled).and_then(|e| Some((e, e.labels.token.as_ref()?)))
        else {
            return Ok(None);
        };
        match self.value(&entry.version.id).await {
            Ok(token) => Ok(Some(token).filter(|token| token.fingerprint() == note.id)),
            Err(VaultError::Unusable { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

//! Who has the say, among several processes on one vault. What is concluded from it stands in `domain/decide/rivals.rs`.
//!
//! Key Vault offers no compare-and-set, so whoever writes has listed shortly before. A host may sleep for hours in the midst of
//! any step, and another one take over meanwhile: what was listed long ago, by either clock, is listed once more.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;

use super::Run;
use super::halt::Halt;
use super::observe::FRESH;
use super::run::{Moment, PATIENCE, Record};
use crate::domain::decide::SETTLE;
use crate::domain::journal::{Journal, Labels, Sign};
use crate::domain::{Reason, Version};
use crate::ports::{CallError, Class, VaultError};

/// How often a run signs in a long wait: well within the grace that others give it.
const SIGN_AGAIN: TimeDelta = TimeDelta::minutes(1);
/// How long a rotation of another process is left alone once it has shown itself.
const TAKEN_OVER_WAIT: Duration = Duration::from_secs(120);

/// Whoever has signed within this time need not look again before he writes: nobody claims the say so soon. Much longer than
/// most calls take.
pub(super) const LONG: TimeDelta = TimeDelta::minutes(2);
/// So long a vault that has gone away may still be a network that is late when a host wakes.
const WAKING: TimeDelta = TimeDelta::seconds(30);

/// When a look listed the vault last, and what it goes by.
#[derive(Debug, Default)]
pub(super) struct Say(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    at: Option<Moment>,
    /// When this look signed a version last.
    signed: Option<Moment>,
    /// Since when the vault has been asked in vain, and when it was last.
    away: Option<(Moment, Moment)>,
    /// The sign of another process from which this one takes the say.
    taken_from: Option<Sign>,
}

impl Say {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run<'_> {
    /// Lists the vault for a decision, which is made from what it shows.
    pub async fn list_to_decide(&self) -> Result<Vec<Version>, VaultError> {
        let at = self.moment();
        let listed = self.ports.vault.list().await;
        let mut seen = self.say.seen();
        match &listed {
            Ok(_) => (seen.at, seen.away) = (Some(at), None),
            Err(_) => {
                let now = self.moment();
                let since = seen.away.filter(|(_, last)| !self.is_long_ago(*last)).map_or(now, |(since, _)| since);
                seen.away = Some((since, now));
            }
        }
        listed
    }

    /// Lists the vault once, as it shows itself. Fails when another process has the say.
    pub async fn list_once(&self) -> Result<Vec<Version>, Halt> {
        let versions = self.list_to_decide().await?;
        let journal = Journal::new(versions.clone());
        let mut seen = self.say.seen();
        if journal.is_kept_by_another(&self.spec.holder) && journal.keeper() != seen.taken_from.as_ref() {
            seen.at = None; // Whatever comes next sees it as well.
            return Err(self.taken_over());
        }
        Ok(versions)
    }

    /// Before anything is changed: where it was not just now, the vault is listed once more. Fails when another process has
    /// taken the say.
    pub async fn unless_replaced(&self) -> Result<(), Halt> {
        // The host may have slept in the midst of the first; a vault that is so slow is not waited for again and again.
        for _ in 0..2 {
            if self.is_old() {
                self.list_once().await?;
            }
        }
        Ok(())
    }

    /// What was `seen` of others, for what must be done in any case: a vault that has gone away, or lets nobody list any more,
    /// tells of nobody.
    pub fn or_away<T>(&self, seen: Result<T, Halt>) -> Result<(), Halt> {
        let wakes = || self.say.seen().away.is_some_and(|(since, _)| self.age(since) < WAKING);
        match seen {
            Err(halt) if halt.reason == Reason::TakenOver => Err(halt),
            // What only a person can mend, elsewhere, may be a firewall that does not know this host yet.
            Err(halt) if wakes() => Err(Halt { class: Class::Retry { after: None }, ..halt }),
            _ => Ok(()),
        }
    }

    fn is_old(&self) -> bool {
        let Seen { at, signed, .. } = *self.say.seen();
        let is_signed = signed.is_some_and(|signed| !self.is_long_ago(signed));
        at.is_none_or(|at| self.age(at) > if is_signed { LONG } else { FRESH })
    }

    /// This look has signed a version, as of `at`.
    pub fn signed(&self, at: Moment) {
        self.say.seen().signed = Some(at);
    }

    /// Whether so much time has passed since by either clock that anything may have happened: this host may have slept.
    pub fn is_long_ago(&self, at: Moment) -> bool {
        self.age(at) > LONG
    }

    /// Asks, and once more where that took so long. A service that is so slow is not asked again and again.
    pub async fn recent<T, Fut>(&self, ask: impl Fn() -> Fut) -> Result<T, Halt>
    where
        Fut: Future<Output = Result<T, Halt>>,
    {
        let asked = self.moment();
        let answer = ask().await?;
        match self.is_long_ago(asked) {
            true => ask().await,
            false => Ok(answer),
        }
    }

    /// What was read does not count any more.
    pub fn too_long_ago(&self) -> Halt {
        let what = "too much time has passed since it was read how things are; this host may have slept";
        CallError::new("scim-rotator", Class::Retry { after: None }, what).into()
    }

    /// A person asks for what is to come next, whoever has the say; unless somebody signs once more.
    pub fn takes_from(&self, keeper: Option<&Sign>) {
        self.say.seen().taken_from = keeper.cloned();
    }

    /// Signs a version, the newest, that another process has signed so long ago, if it has not done so again; and gives an
    /// earlier writer time to show himself.
    pub async fn claim(&self, newest: &mut Record) -> Result<(), Halt> {
        self.takes_from(newest.labels.sign.as_ref());
        self.write(newest, |_| ()).await?;
        self.wait_unless_stopping(SETTLE).await
    }

    /// In a wait that others would take for silence: signs the newest version once more, if anything was written last a minute
    /// ago, or the host may have slept since. Fails when another process has taken over meanwhile; a vault that is away tells
    /// of nobody.
    pub async fn keep_signed(&self) -> Result<(), Halt> {
        let is_silent =
            |at| self.elapsed() - at >= SIGN_AGAIN || self.say.seen().at.is_none_or(|at| self.is_long_ago(at));
        if !self.memory.last().is_some_and(is_silent) {
            return Ok(());
        }
        let listed = async {
            let versions = self.list_once().await?;
            self.unless_replaced().await.map(|()| versions)
        };
        let versions = match listed.await {
            Err(halt) if halt.reason != Reason::TakenOver => return Ok(()),
            versions => versions?,
        };
        let journal = self.journal(versions);
        let Some(newest) = journal.ours().next() else { return Ok(()) };
        let (at, labels) = (self.moment(), Labels { sign: self.sign(), ..newest.labels.clone() });
        if self.ports.vault.label(&newest.version.id, &labels.to_tags(), None).await.is_ok() {
            self.memory.labelled(&newest.version.id, &labels, None, self.elapsed());
            self.signed(at);
        }
        Ok(())
    }

    /// Lists once and makes sure that nobody has written past the place that these labels took, nor claimed the say. As the
    /// vault shows it: what we know on top of it is ours in any case.
    pub async fn list_ours(&self, place: &Labels) -> Result<Vec<Version>, Halt> {
        let versions = self.list_once().await?;
        match Journal::new(versions.clone()).is_overtaken(&place.rotation, place.seq) {
            true => Err(self.taken_over()),
            false => Ok(versions),
        }
    }

    /// The same until the vault answers. The journal as it is now.
    pub async fn still_ours(&self, place: &Labels) -> Result<Journal, Halt> {
        self.insist(PATIENCE, || self.list_ours(place)).await.map(|versions| self.journal(versions))
    }

    /// Another process has the say: nothing is changed any more.
    pub fn taken_over(&self) -> Halt {
        let what = "another process has taken over: it has signed the newest version, or written a newer one";
        let class = Class::Retry { after: Some(TAKEN_OVER_WAIT) };
        Halt::from(CallError::new("Key Vault", class, what)).during(Reason::TakenOver)
    }
}

//! What every step of a run needs: the ports, patience, and an eye on who else is at work.

use std::future::Future;

use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::halt::Halt;
use super::memory::Memory;
use super::observe::Values;
use super::progress::Progress;
use super::say::Say;
use super::{Ports, Spec};
use crate::domain::journal::{Journal, Labels, Sign};
use crate::domain::{Job, Reason, Timestamp, Version, VersionId};
use crate::ports::{CallError, Class};
use crate::sane_clock;

/// How long an idempotent call is repeated before the run gives up and leaves the rest to a later look.
pub(super) const PATIENCE: TimeDelta = TimeDelta::minutes(2);
/// How long a process that is told to end goes on trying to store a token that is in memory only, from then on. The service
/// manager gives it 300 seconds.
pub(super) const LAST_CHANCE: TimeDelta = TimeDelta::seconds(240);
/// No sleep is longer: the wall clock is compared at least so often.
pub(super) const LONGEST_NAP: TimeDelta = TimeDelta::seconds(60);

/// A moment by two clocks: what the one on the wall shows, which somebody may set, and the one that nobody sets, which may
/// sleep with the host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub shown: Timestamp,
    pub elapsed: TimeDelta,
}

/// A version of ours whose labels this run writes.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub id: VersionId,
    pub labels: Labels,
}

/// One connection at work.
pub(super) struct Run<'a> {
    pub spec: &'a Spec,
    pub ports: &'a Ports,
    pub progress: &'a Progress,
    pub shutdown: &'a CancellationToken,
    pub memory: &'a Memory,
    /// What this look has read of the vault.
    pub values: &'a Values,
    /// When it listed the vault last.
    pub say: &'a Say,
}

impl Run<'_> {
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// The time by the clock that nobody sets: what every patience is measured by.
    pub fn elapsed(&self) -> TimeDelta {
        self.ports.clock.elapsed()
    }

    /// Now, to be compared later.
    pub fn moment(&self) -> Moment {
        Moment { shown: self.ports.clock.shown(), elapsed: self.elapsed() }
    }

    /// How long ago that was, by whichever clock says longer.
    pub fn age(&self, at: Moment) -> TimeDelta {
        (self.elapsed() - at.elapsed).max((self.ports.clock.shown() - at.shown).abs())
    }

    /// Reads the job, whose date tells the time as well.
    pub async fn job(&self) -> Result<Job, CallError> {
        let asked = self.ports.clock.shown();
        let job = self.ports.provisioner.job().await?;
        self.ports.clock.told(job.seen_at, asked);
        Ok(job)
    }

    /// Before anything is dated that counts: where this host has slept for days since Graph told the time, or somebody has set
    /// its clock, asks for it once more. (Once more after that, where it was set in the midst of the answer.)
    pub async fn sure_of_time(&self) -> Result<(), Halt> {
        for _ in 0..2 {
            if self.ports.clock.is_in_doubt() {
                self.insist(PATIENCE, || self.job()).await?;
            }
        }
        match self.ports.clock.is_in_doubt() {
            true => Err(self.too_long_ago()),
            false => Ok(()),
        }
    }

    /// A name for a rotation that no other process and no other moment gives.
    pub fn rotation_id(&self, seq: u64) -> String {
        let seed = format!("{}|{}|{seq}|{}", self.spec.name, self.spec.holder, self.now().timestamp_micros());
        Sha256::digest(seed).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Waits, in naps. No step of the wall clock makes it longer or shorter.
    pub async fn wait(&self, time: TimeDelta) {
        let until = self.elapsed() + time;
        while self.elapsed() < until {
            let nap = (until - self.elapsed()).clamp(TimeDelta::milliseconds(1), LONGEST_NAP);
            self.progress.beat();
            self.ports.clock.sleep(nap.to_std().unwrap_or_default()).await;
        }
        self.progress.beat();
    }

    /// Waits as [`Self::wait`] does, where nothing can be lost by stopping instead.
    pub async fn wait_unless_stopping(&self, time: TimeDelta) -> Result<(), Halt> {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => (),
            () = self.progress.pressed() => (),
            () = self.wait(time) => (),
        }
        self.unless_stopping()
    }

    /// Before anything irreversible: a shutdown is honoured here, and so is an order that comes first.
    pub fn unless_stopping(&self) -> Result<(), Halt> {
        match () {
            () if self.shutdown.is_cancelled() => Err(Halt::because(Reason::ShuttingDown)),
            () if self.progress.gives_way() => Err(Halt::because(Reason::OrderFirst)),
            () => Ok(()),
        }
    }

    /// Before anything new is begun: a wall clock that has lost its date is first to be set again. What is under way goes on
    /// by reckoned dates, so that it comes to a safe point.
    pub fn unless_undated(&self) -> Result<(), Halt> {
        match sane_clock::complaint(self.ports.clock.shown()) {
            None => Ok(()),
            Some(what) => Err(Halt { reason: Reason::ClockNotSet, class: Class::Human, cause: Some(what.into()) }),
        }
    }

    /// Repeats an idempotent call until it succeeds, only a person can help, or patience ends. Where the answer to any of the
    /// tries was lost, what was asked for may have been done, however certain the no to the last one.
    pub async fn insist<T, E, F, Fut>(&self, patience: TimeDelta, mut call: F) -> Result<T, Halt>
    where
        E: Into<Halt>,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let until = self.elapsed() + patience;
        let mut delay = TimeDelta::seconds(1);
        let mut doubtful = false;
        let doubt = |halt: Halt, doubtful| if doubtful { Halt { class: Class::Ambiguous, ..halt } } else { halt };
        loop {
            self.progress.beat();
            let halt: Halt = match call().await {
                Ok(value) => return Ok(value),
                Err(error) => error.into(),
            };
            doubtful |= halt.class == Class::Ambiguous;
            match halt.class {
                _ if halt.reason == Reason::TakenOver => return Err(halt),
                Class::Human => return Err(doubt(halt, doubtful)),
                Class::Ambiguous | Class::Retry { .. } => (),
            }
            let wait = delay.max(halt.retry_after());
            if self.elapsed() + wait > self.last_chance(until) {
                return Err(doubt(halt, doubtful));
            }
            tracing::debug!(error = %super::halt::chain(&halt), wait_s = wait.num_seconds(), "a call failed and is repeated");
            self.wait(wait).await;
            delay = (delay * 2).min(TimeDelta::seconds(30));
        }
    }

    /// Until when something is repeated that may be until `until`: where a process that is told to end would lose a token that
    /// it has in memory only, for no longer than [`LAST_CHANCE`] from then on.
    pub fn last_chance(&self, until: TimeDelta) -> TimeDelta {
        let asked = self.progress.end_asked_at().filter(|_| self.progress.is_in_memory_only());
        asked.map_or(until, |asked| until.min(asked + LAST_CHANCE))
    }

    /// What every write is signed with.
    pub fn sign(&self) -> Option<Sign> {
        Some(Sign { holder: self.spec.holder.clone(), at: self.now() })
    }

    /// Writes what could not be written when it was done, as long as there is something to write it onto.
    pub async fn settle_debts(&self, journal: &Journal) -> Result<(), Halt> {
        while let Some((id, labels)) = self.memory.debt() {
            if !journal.versions().iter().any(|version| version.id == id) {
                self.memory.forgive();
                break;
            }
            match self.write(&mut Record { id: id.clone(), labels }, |_| ()).await {
                Err(halt) if halt.class == Class::Human => {
                    let error = super::halt::chain(&halt);
                    tracing::warn!(version = %id, error, "what was done could not be written down and never will be");
                    self.memory.forgive();
                }
                // Whoever has the say now goes by what he sees.
                Err(halt) if halt.reason == Reason::TakenOver => {
                    self.memory.forgive();
                    return Err(halt);
                }
                written => written?,
            }
        }
        Ok(())
    }

    /// Changes what is written on a version of ours.
    pub async fn write(&self, record: &mut Record, change: impl FnOnce(&mut Labels)) -> Result<(), Halt> {
        let mut labels = record.labels.clone();
        change(&mut labels);
        record.labels = self.label(&record.id, labels, None).await?;
        Ok(())
    }

    /// Writes labels onto a version, and whether it is enabled, and remembers that once it is done. Answers with what was
    /// written. What another process has written while this one slept is left alone.
    pub async fn label(&self, id: &VersionId, labels: Labels, enabled: Option<bool>) -> Result<Labels, Halt> {
        self.insist(PATIENCE, || async {
            self.unless_replaced().await?;
            let (at, labels) = (self.moment(), Labels { sign: self.sign(), ..labels.clone() });
            self.ports.vault.label(id, &labels.to_tags(), enabled).await?;
            self.memory.labelled(id, &labels, enabled, self.elapsed());
            self.signed(at);
            Ok::<_, Halt>(labels)
        })
        .await
    }

    /// The journal as it is now.
    pub async fn list(&self) -> Result<Journal, Halt> {
        self.insist(PATIENCE, || self.list_once()).await.map(|versions| self.journal(versions))
    }

    /// What the vault listed, with what we know that it may not show yet.
    pub fn journal(&self, versions: Vec<Version>) -> Journal {
        Journal::new(self.memory.complete(versions, self.elapsed()))
    }
}

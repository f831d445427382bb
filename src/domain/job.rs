//! The Entra provisioning job as Graph shows it.

use serde::Serialize;

use super::Timestamp;

/// One look at the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The job's id.
    pub id: String,
    /// `status.code`.
    pub state: JobState,
    /// `status.quarantine`, when there is one.
    pub quarantine: Option<Quarantine>,
    /// `status.lastExecution`, when there has been one.
    pub last_execution: Option<Execution>,
    /// `schedule.interval`: the time from the beginning of one cycle to the next.
    pub interval: Option<chrono::TimeDelta>,
    /// Graph's own clock (the answer's `Date`), by which executions are dated.
    pub seen_at: Timestamp,
}

/// `status.code` of a synchronization job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub enum JobState {
    /// No credentials or schema yet.
    NotConfigured,
    /// Configured and never run.
    NotRun,
    /// Runs on its schedule.
    Active,
    /// Stopped, by us or by a person.
    Paused,
    /// Stopped by Entra itself, which tries again ever more rarely.
    Quarantine,
    /// A code that this version does not know; nothing is done to such a job.
    Unknown,
}

/// Why and since when Entra keeps the job in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// `EncounteredQuarantineException` stands for credentials.
    pub reason: String,
    /// When this quarantine began.
    pub began: Option<Timestamp>,
    /// When Entra will try again by itself.
    pub next_attempt: Option<Timestamp>,
}

/// After so long in quarantine Entra disables a job for good.
const GIVEN_UP: chrono::TimeDelta = chrono::TimeDelta::days(28);

impl Quarantine {
    /// When Entra gives the job up, if nothing ends the quarantine before.
    pub fn given_up_at(&self) -> Option<Timestamp> {
        self.began?.checked_add_signed(GIVEN_UP)
    }

    /// Whether bad credentials are the cause.
    pub fn is_for_credentials(&self) -> bool {
        self.reason == "EncounteredQuarantineException"
    }
}

/// One provisioning cycle that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// By Graph's clock.
    pub began: Timestamp,
    /// By Graph's clock.
    pub ended: Timestamp,
    /// How it ended.
    pub state: ExecutionState,
}

impl Execution {
    /// How long it took.
    pub fn length(&self) -> chrono::TimeDelta {
        self.ended - self.began
    }
}

/// How a cycle ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub enum ExecutionState {
    /// All went well.
    Succeeded,
    /// The cycle as a whole failed: credentials, most often.
    Failed,
    /// Single users or groups failed; the token was accepted.
    EntryLevelErrors,
}

impl Job {
    /// Whether a cycle that began after `moment` (by Graph's clock) has shown that the token is accepted.
    pub fn succeeded_since(&self, moment: Timestamp) -> bool {
        self.quarantine.is_none()
            && self.last_execution.as_ref().is_some_and(|e| e.began > moment && e.state != ExecutionState::Failed)
    }

    /// When the next cycle is to begin, as far as the schedule tells.
    pub fn next_cycle(&self) -> Option<Timestamp> {
        Some(self.last_execution.as_ref()?.began + self.interval?)
    }
}

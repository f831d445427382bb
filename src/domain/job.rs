//! The Entra provisioning job as Graph shows it.

use serde::{Deserialize, Serialize};

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
    /// `status.lastSuccessfulExecution`, when there has been one.
    pub last_success: Option<Execution>,
    /// `schedule.interval`: the time from the beginning of one cycle to the next.
    pub interval: Option<chrono::TimeDelta>,
    /// Graph's own clock (the answer's `Date`), by which executions are dated.
    pub seen_at: Timestamp,
}

/// `status.code` of a synchronization job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl JobState {
    /// As Graph names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotConfigured => "NotConfigured",
            Self::NotRun => "NotRun",
            Self::Active => "Active",
            Self::Paused => "Paused",
            Self::Quarantine => "Quarantine",
            Self::Unknown => "Unknown",
        }
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub enum ExecutionState {
    /// All went well.
    Succeeded,
    /// The cycle as a whole failed: credentials, most often.
    Failed,
    /// Single users or groups failed; the token was accepted.
    EntryLevelErrors,
}

impl ExecutionState {
    /// What is said of a cycle.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::EntryLevelErrors => "succeeded but for single users or groups",
        }
    }
}

impl Job {
    /// Whether a cycle that began after `moment` (by Graph's clock) has shown that the token is accepted.
    pub fn succeeded_since(&self, moment: Timestamp) -> bool {
        self.quarantine.is_none()
            && self.last_execution.as_ref().is_some_and(|e| e.began > moment && e.state != ExecutionState::Failed)
    }

    /// How long a cycle takes, as far as is known: one that failed may have ended at once, so the last that succeeded counts
    /// as well.
    pub fn cycle_length(&self) -> Option<chrono::TimeDelta> {
        [&self.last_execution, &self.last_success].into_iter().flatten().map(Execution::length).max()
    }

    /// When the next cycle is to begin, as far as the schedule tells.
    pub fn next_cycle(&self) -> Option<Timestamp> {
        Some(self.last_execution.as_ref()?.began + self.interval?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + 60 * minutes, 0).unwrap()
    }

    fn job() -> Job {
        Job {
            id: "job".into(),
            state: JobState::Active,
            quarantine: None,
            last_success: None,
            last_execution: Some(Execution { began: at(0), ended: at(5), state: ExecutionState::Succeeded }),
            interval: Some(chrono::TimeDelta::minutes(40)),
            seen_at: at(7),
        }
    }

    #[test]
    fn a_cycle_takes_from_its_beginning_to_its_end_and_the_next_begins_an_interval_after_its_beginning() {
        assert_eq!(job().last_execution.map(|last| last.length()), Some(chrono::TimeDelta::minutes(5)));
        assert_eq!(job().next_cycle(), Some(at(40)));
        assert_eq!(Job { last_execution: None, ..job() }.next_cycle(), None);
    }

    #[test]
    fn a_cycle_that_failed_at_once_does_not_hide_how_long_one_takes() {
        let failed = Execution { began: at(40), ended: at(40), state: ExecutionState::Failed };
        let job = Job { last_success: job().last_execution, last_execution: Some(failed), ..job() };
        assert_eq!(job.cycle_length(), Some(chrono::TimeDelta::minutes(5)));
        assert_eq!(Job { last_success: None, ..job.clone() }.cycle_length(), Some(chrono::TimeDelta::zero()));
        assert_eq!(Job { last_success: None, last_execution: None, ..job }.cycle_length(), None);
    }

    #[test]
    fn a_cycle_that_began_at_the_very_moment_of_a_put_shows_nothing_of_it() {
        assert!(job().succeeded_since(at(-1)) && !job().succeeded_since(at(0)));
    }

    #[test]
    fn neither_a_failed_cycle_nor_one_before_a_quarantine_shows_that_the_token_is_accepted() {
        let mut failed = job();
        failed.last_execution.as_mut().unwrap().state = ExecutionState::Failed;
        assert!(!failed.succeeded_since(at(-1)));
        let quarantine = Quarantine { reason: String::new(), began: Some(at(6)), next_attempt: None };
        assert!(!Job { quarantine: Some(quarantine), ..job() }.succeeded_since(at(-1)));
    }

    #[test]
    fn a_job_is_given_up_four_weeks_after_its_quarantine_began() {
        let quarantine = Quarantine { reason: String::new(), began: Some(at(0)), next_attempt: None };
        assert_eq!(quarantine.given_up_at(), Some(at(28 * 24 * 60)));
        assert_eq!(Quarantine { began: None, ..quarantine }.given_up_at(), None);
    }
}

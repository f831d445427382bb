//! Entra as Graph shows it: the saved settings, the jobs, and the calls that read and change them.

use chrono::TimeDelta;
use scim_rotator::domain::settings::BASE_ADDRESS;
use scim_rotator::domain::{Execution, JobState};

use super::cycle::Cycle;
use super::{Delayed, Event, Refusal, Settings, Timestamp, TokenNo, Who, World};

/// A setting: key and value.
pub type Pair = (String, String);

/// `schedule.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Runs on its interval.
    Active,
    /// Given up after 28 days of quarantine.
    Disabled,
    /// Paused.
    Paused,
}

/// `status.quarantine`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineNote {
    /// `EncounteredQuarantineException` stands for credentials.
    pub reason: &'static str,
    /// `currentBegan` and `seriesBegan`.
    pub began: Timestamp,
    /// `seriesCount`.
    pub count: u32,
    /// `nextAttempt`; none once the job is disabled.
    pub next_attempt: Option<Timestamp>,
}

/// A provisioning job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// `status.code`.
    pub state: JobState,
    /// `schedule.state`.
    pub schedule: Schedule,
    /// `status.quarantine`.
    pub quarantine: Option<QuarantineNote>,
    /// `status.lastExecution`.
    pub last: Option<Execution>,
    /// `status.lastSuccessfulExecution`.
    pub last_success: Option<Execution>,
    /// Who has paused it, while it is paused.
    pub paused_by: Option<Who>,
    /// Graph never shows a running cycle.
    pub(super) running: Option<Cycle>,
    pub(super) next_begin: Option<Timestamp>,
}

/// The credentials as saved by one PUT.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub(super) at: Timestamp,
    pub(super) pairs: Vec<Pair>,
    pub(super) token: Option<TokenNo>,
    /// Whether `BaseAddress` leads to HPE.
    pub(super) reaches: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Entra {
    pub(super) jobs: Vec<Job>,
    /// Oldest first, never empty; the last is what is saved, older ones may still be seen.
    pub(super) saved: Vec<Saved>,
    /// What the siblings are meant to be.
    pub(super) intended: Vec<Pair>,
    /// The token whose first PUT was ignored.
    pub(super) ignored: Option<String>,
    pub(super) delay: TimeDelta,
    pub(super) delayed: Delayed,
    ids: u64,
    pub(super) revoked_hpe: u64,
    pub(super) revoked_entra: u64,
}

impl Entra {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut pairs = vec![(BASE_ADDRESS.to_owned(), settings.tenant_url.clone())];
        pairs.extend(settings.siblings.iter().cloned());
        Self {
            jobs: settings.jobs.iter().map(|id| Job::new(id)).collect(),
            saved: vec![Saved { at: settings.start, pairs, token: None, reaches: true }],
            intended: settings.siblings.clone(),
            ignored: None,
            delay: TimeDelta::zero(),
            delayed: settings.delayed,
            ids: 0,
            revoked_hpe: 0,
            revoked_entra: 0,
        }
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn last_id(&self) -> u64 {
        self.ids
    }

    pub(super) fn is_active(&self) -> bool {
        self.jobs.first().is_some_and(|job| job.state == JobState::Active)
    }

    pub(super) fn is_paused_by(&self, who: Who) -> bool {
        self.jobs.first().is_some_and(|job| job.state == JobState::Paused && job.paused_by == Some(who))
    }

    /// What a cycle beginning now would use.
    pub(super) fn seen_by_cycles(&self, now: Timestamp) -> &Saved {
        self.seen(now, if self.delayed == Delayed::CheckOnly { TimeDelta::zero() } else { self.delay })
    }

    pub(super) fn seen_by_check(&self, now: Timestamp) -> &Saved {
        self.seen(now, self.delay)
    }

    fn seen(&self, now: Timestamp, delay: TimeDelta) -> &Saved {
        self.saved.iter().rev().find(|saved| saved.at + delay <= now).unwrap_or(&self.saved[0])
    }

    pub(super) fn latest(&self) -> &Saved {
        self.saved.last().unwrap_or(&self.saved[0])
    }

    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let seen = self.saved.iter().map(|saved| saved.at + self.delay).filter(|moment| *moment > now);
        self.jobs.iter().filter_map(Job::next_change).chain(seen).min()
    }
}

impl Job {
    /// The template that it was made of: its id begins with that.
    pub fn template(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// One that has never run.
    fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: JobState::NotRun,
            schedule: Schedule::Active,
            quarantine: None,
            last: None,
            last_success: None,
            paused_by: None,
            running: None,
            next_begin: None,
        }
    }

    fn next_change(&self) -> Option<Timestamp> {
        self.running.as_ref().map_or(self.next_begin, |cycle| Some(cycle.next_use))
    }
}

impl World {
    /// Whether Graph lets the caller manage the service principal.
    pub fn graph_access(&self) -> Result<(), Refusal> {
        let may = |role: &String| role == "Application.ReadWrite.OwnedBy" || role == "Synchronization.ReadWrite.All";
        if !self.settings.graph_roles.iter().any(may) {
            return Err(Refusal::new(403, "Authorization_RequestDenied", "Insufficient privileges."));
        }
        if let Some((status, code, message)) = self.settings.graph_refusal {
            return Err(Refusal::new(status, code, message));
        }
        // Owning the app registration alone shows like this, not as a 403.
        if self.settings.owns_service_principal { Ok(()) } else { Err(Refusal::new(401, "UnknownError", "")) }
    }

    /// The jobs of the service principal.
    pub fn jobs(&self) -> &[Job] {
        &self.entra.jobs
    }

    /// One of them.
    pub fn job(&self, id: &str) -> Option<&Job> {
        self.entra.jobs.iter().find(|job| job.id == id)
    }

    /// The state that Graph shows of a job, which may be behind.
    pub fn shown_state(&self, job: &Job) -> JobState {
        let lag = self.settings.pause_shows_after;
        let pauses = self.ledger.events().filter(|(_, event)| matches!(event, Event::Paused { .. }));
        let is_young = !lag.is_zero() && pauses.last().is_some_and(|(at, _)| self.now() - *at < lag);
        match job.state {
            JobState::Paused if is_young => JobState::Active,
            state => state,
        }
    }

    /// The object ids of those who own the service principal.
    pub fn owners(&self) -> Vec<&str> {
        let a_person = "5c2f1ab0-0000-4000-8000-00000000000a";
        let caller = self.settings.owns_service_principal.then_some(self.settings.caller.as_str());
        [a_person].into_iter().chain(caller).collect()
    }

    /// A person adds a provisioning job, which has never run.
    pub fn person_adds_job(&mut self, id: &str) {
        self.settings.jobs.push(id.to_owned());
        self.entra.jobs.push(Job::new(id));
    }

    /// A person pauses the (first) job in the portal.
    pub fn person_pauses(&mut self) {
        if !self.entra.jobs.is_empty() {
            self.pause_job(0, Who::Person);
        }
    }

    /// A person starts the (first) job in the portal.
    pub fn person_starts(&mut self) {
        if !self.entra.jobs.is_empty() {
            self.start_job(0, Who::Person);
        }
    }
}

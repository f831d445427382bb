//! Entra as Graph shows it: the saved settings, the jobs, and the calls that read and change them.

use chrono::TimeDelta;
use scim_rotator::domain::settings::{BASE_ADDRESS, SECRET_TOKEN};
use scim_rotator::domain::{Execution, JobState};

use super::cycle::Cycle;
use super::{Delayed, Event, PutReading, Refusal, Settings, Timestamp, TokenNo, Who, World};

/// A setting: key and value.
pub type Pair = (String, String);

/// What must be in the body for a PUT not to be dropped, where PUT drops.
const COMPLETE: [&str; 2] = ["SyncAll", "SyncNotificationSettings"];
const MASK: &str = "*";

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
    at: Timestamp,
    pairs: Vec<Pair>,
    pub(super) token: Option<TokenNo>,
    /// Whether `BaseAddress` leads to HPE.
    pub(super) reaches: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Entra {
    pub(super) jobs: Vec<Job>,
    /// Oldest first, never empty; the last is what is saved, older ones may still be seen.
    saved: Vec<Saved>,
    /// What the siblings are meant to be.
    intended: Vec<Pair>,
    /// The token whose first PUT was ignored.
    ignored: Option<String>,
    delay: TimeDelta,
    delayed: Delayed,
    ids: u64,
    pub(super) revoked_hpe: u64,
    pub(super) revoked_entra: u64,
}

impl Entra {
    pub(super) fn new(settings: &Settings) -> Self {
        let job = |id: &String| Job {
            id: id.clone(),
            state: JobState::NotRun,
            schedule: Schedule::Active,
            quarantine: None,
            last: None,
            last_success: None,
            paused_by: None,
            running: None,
            next_begin: None,
        };
        let mut pairs = vec![(BASE_ADDRESS.to_owned(), settings.tenant_url.clone())];
        pairs.extend(settings.siblings.iter().cloned());
        Self {
            jobs: settings.jobs.iter().map(job).collect(),
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

    fn seen_by_check(&self, now: Timestamp) -> &Saved {
        self.seen(now, self.delay)
    }

    fn seen(&self, now: Timestamp, delay: TimeDelta) -> &Saved {
        self.saved.iter().rev().find(|saved| saved.at + delay <= now).unwrap_or(&self.saved[0])
    }

    fn latest(&self) -> &Saved {
        self.saved.last().unwrap_or(&self.saved[0])
    }

    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let seen = self.saved.iter().map(|saved| saved.at + self.delay).filter(|moment| *moment > now);
        self.jobs.iter().filter_map(Job::next_change).chain(seen).min()
    }
}

impl Job {
    fn next_change(&self) -> Option<Timestamp> {
        self.running.as_ref().map_or(self.next_begin, |cycle| Some(cycle.next_use))
    }
}

impl World {
    /// Whether Graph lets the caller manage the service principal.
    pub fn graph_access(&self) -> Result<(), Refusal> {
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

    /// `GET …/synchronization/secrets`: what is saved, sensitive values masked.
    pub fn graph_settings(&self) -> Vec<Pair> {
        let shown = self.entra.latest().pairs.iter().filter(|(key, _)| !self.settings.hidden.contains(key));
        shown
            .map(|(key, value)| {
                let masked = key == SECRET_TOKEN || self.settings.masked.contains(key);
                (key.clone(), if masked { MASK.to_owned() } else { value.clone() })
            })
            .collect()
    }

    /// `PUT …/synchronization/secrets`: 204 whatever comes of it.
    pub fn put_settings(&mut self, body: &[Pair]) {
        let value = body.iter().find(|(key, _)| key == SECRET_TOKEN).map(|(_, value)| value.clone());
        let token = value.as_deref().and_then(|value| self.hpe.find(value));
        self.ledger.masks_sent += u32::try_from(body.iter().filter(|(_, v)| v == MASK).count()).unwrap_or(u32::MAX);
        let complete = COMPLETE.iter().all(|needed| body.iter().any(|(key, _)| key == needed));
        let ignored = match self.settings.put {
            PutReading::DropsUnlessComplete => !complete,
            PutReading::IgnoresFirst => self.entra.ignored != value,
            PutReading::Merges | PutReading::Replaces => false,
        };
        if ignored {
            self.entra.ignored = value;
            self.tell(Event::PutIgnored { token });
            return;
        }
        let mut pairs = match self.settings.put {
            PutReading::Replaces => Vec::new(),
            _ => self.entra.latest().pairs.clone(),
        };
        for (key, value) in body {
            match pairs.iter_mut().find(|(k, _)| k == key) {
                Some(pair) => pair.1.clone_from(value),
                None => pairs.push((key.clone(), value.clone())),
            }
        }
        self.note_siblings(&pairs);
        self.save(pairs);
        self.reckon();
    }

    /// `validateCredentials` with a candidate: 204 (true) or 400 (false). A use of the token.
    pub fn test_candidate(&mut self, body: &[Pair]) -> bool {
        let value = |wanted| body.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
        let token = value(SECRET_TOKEN).and_then(|value| self.hpe.find(value));
        let reaches = value(BASE_ADDRESS).is_some_and(|url| self.is_tenant_url(url));
        self.test(token, reaches, false)
    }

    /// `validateCredentials` with `useSavedCredentials`.
    pub fn test_saved(&mut self) -> bool {
        let seen = self.entra.seen_by_check(self.now);
        let (token, reaches) = (seen.token, seen.reaches);
        self.test(token, reaches, true)
    }

    fn test(&mut self, token: Option<TokenNo>, reaches: bool, saved: bool) -> bool {
        let accepted = self.scim_by_entra(token, reaches) == Some(200);
        self.tell(Event::Tested { token, saved, accepted });
        self.reckon();
        accepted
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

    /// A person pastes a token in the portal.
    pub fn person_saves(&mut self, value: &str) {
        self.person_sets(SECRET_TOKEN, value);
    }

    /// A person changes the tenant URL or another setting in the portal; it is meant to be so from now on.
    pub fn person_sets(&mut self, key: &str, value: &str) {
        let mut pairs = self.entra.latest().pairs.clone();
        pairs.retain(|(k, _)| k != key);
        pairs.push((key.to_owned(), value.to_owned()));
        if key != SECRET_TOKEN && key != BASE_ADDRESS {
            self.entra.intended.retain(|(k, _)| k != key);
            self.entra.intended.push((key.to_owned(), value.to_owned()));
        }
        self.save(pairs);
        self.reckon();
    }

    /// The siblings that are not saved as they are meant to be: lost or changed.
    pub fn settings_lost(&self) -> Vec<&str> {
        let pairs = &self.entra.latest().pairs;
        self.entra.intended.iter().filter(|pair| !pairs.contains(pair)).map(|(key, _)| key.as_str()).collect()
    }

    /// The number of the token that is saved; none when it is no token of HPE's.
    pub fn saved_token(&self) -> Option<TokenNo> {
        self.entra.latest().token
    }

    /// Whether HPE accepts what Entra's cycles would use now. The invariant above all others.
    pub fn entra_holds_a_working_token(&self) -> bool {
        !self.dead
    }

    fn save(&mut self, pairs: Vec<Pair>) {
        let value = |wanted| pairs.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
        let token = value(SECRET_TOKEN).and_then(|value| self.hpe.find(value));
        let reaches = value(BASE_ADDRESS).is_some_and(|url| self.is_tenant_url(url));
        self.entra.delay = self.settings.verification_delay;
        self.entra.delayed = self.settings.delayed;
        let horizon = self.now - self.entra.delay;
        // Only the newest of those that everybody sees is still of use.
        if let Some(seen) = self.entra.saved.iter().rposition(|saved| saved.at <= horizon) {
            self.entra.saved.drain(..seen);
        }
        // What was saved before the world began has long been seen by everybody.
        let began = self.now == self.settings.start;
        if began {
            self.entra.saved.clear();
        }
        let at = if began { self.now - self.entra.delay } else { self.now };
        self.entra.saved.push(Saved { at, pairs, token, reaches });
        self.tell(Event::Saved { token });
    }

    fn note_siblings(&mut self, after: &[Pair]) {
        let before = self.settings_lost().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let lost: Vec<_> = self
            .entra
            .intended
            .iter()
            .filter(|pair| !after.contains(pair) && !before.contains(&pair.0))
            .map(|(key, _)| key.clone())
            .collect();
        let known = |key: &String| {
            key == SECRET_TOKEN || key == BASE_ADDRESS || self.entra.latest().pairs.iter().any(|(k, _)| k == key)
        };
        let added: Vec<_> = after.iter().map(|(key, _)| key).filter(|key| !known(key)).cloned().collect();
        for key in lost {
            self.ledger.siblings_lost.push(key.clone());
            self.tell(Event::SiblingLost { key });
        }
        self.ledger.siblings_added.extend(added);
    }

    fn is_tenant_url(&self, url: &str) -> bool {
        url.trim_end_matches('/').eq_ignore_ascii_case(self.settings.tenant_url.trim_end_matches('/'))
    }
}

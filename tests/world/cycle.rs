//! Provisioning itself: when cycles begin, what they use, how they end, and the quarantine with its timetable.

use chrono::TimeDelta;
use scim_rotator::domain::{Execution, ExecutionState, JobState};

use super::{Event, Job, QuarantineNote, Schedule, Timestamp, TokenNo, Who, World};

/// The reason that stands for credentials.
const FOR_CREDENTIALS: &str = "EncounteredQuarantineException";
/// After so long a quarantine the job is given up.
const GIVEN_UP: TimeDelta = TimeDelta::days(28);
/// The first cycle of a world.
const FIRST: TimeDelta = TimeDelta::minutes(5);

/// A cycle that runs. It uses the token that was saved at its beginning: at once, in the middle, and at its end.
#[derive(Clone, Debug)]
pub(super) struct Cycle {
    began: Timestamp,
    ends: Timestamp,
    token: Option<TokenNo>,
    reaches: bool,
    pub(super) next_use: Timestamp,
}

/// How one use went.
enum Use {
    Accepted,
    Refused,
    Unreachable,
}

/// The wait before Entra's own `n`-th retry (from 0).
fn retry_after(n: u32) -> TimeDelta {
    TimeDelta::hours([6, 12].get(n as usize).copied().unwrap_or(24))
}

impl World {
    /// `POST …/pause`: 204; false when there is no such job.
    pub fn pause(&mut self, id: &str) -> bool {
        let Some(job) = self.entra.jobs.iter().position(|job| job.id == id) else { return false };
        self.pause_job(job, Who::Daemon);
        true
    }

    /// `POST …/start`: 204; false when there is no such job.
    pub fn start(&mut self, id: &str) -> bool {
        let Some(job) = self.entra.jobs.iter().position(|job| job.id == id) else { return false };
        self.start_job(job, Who::Daemon);
        true
    }

    pub(super) fn begin_schedule(&mut self, job: usize) {
        self.entra.jobs[job].state = JobState::Active;
        self.entra.jobs[job].next_begin = Some(self.now + FIRST);
    }

    pub(super) fn pause_job(&mut self, index: usize, by: Who) {
        let ends_cycle = self.settings.pause_ends_cycle;
        let job = &mut self.entra.jobs[index];
        // Whoever pauses a paused job wants it paused: from then on it is a person's pause, if a person did.
        if job.state != JobState::Paused || by == Who::Person {
            job.paused_by = Some(by);
        }
        job.state = JobState::Paused;
        job.schedule = Schedule::Paused;
        job.next_begin = None;
        let cut = ends_cycle && job.running.take().is_some();
        self.tell(Event::Paused { by });
        if cut {
            self.ledger.cycles_cut += 1;
            self.tell(Event::CycleCut);
        }
    }

    pub(super) fn start_job(&mut self, index: usize, by: Who) {
        let job = &self.entra.jobs[index];
        if by == Who::Daemon && job.state == JobState::Active {
            self.ledger.started_while_active += 1;
            self.tell(Event::Violation { what: "start is called on an active job" });
        }
        let job = &self.entra.jobs[index];
        if by == Who::Daemon && job.state == JobState::Paused && job.paused_by == Some(Who::Person) {
            self.ledger.started_a_persons_pause += 1;
            self.tell(Event::Violation { what: "a job that a person paused is started" });
        }
        let soon = self.now + self.settings.start_delay;
        let job = &mut self.entra.jobs[index];
        job.state = JobState::Active;
        job.schedule = Schedule::Active;
        job.paused_by = None;
        job.next_begin = Some(soon);
        let cleared = job.quarantine.take().is_some();
        self.tell(Event::Started { by });
        if cleared {
            self.tell(Event::QuarantineEnded);
        }
    }

    /// Everything that is due with the jobs now.
    pub(super) fn run_jobs(&mut self) {
        for index in 0..self.entra.jobs.len() {
            if self.entra.jobs[index].running.as_ref().is_some_and(|cycle| cycle.next_use <= self.now) {
                self.go_on(index);
            }
            let job = &self.entra.jobs[index];
            if job.running.is_none() && job.next_begin.is_some_and(|moment| moment <= self.now) {
                self.begin(index);
            }
        }
    }

    fn begin(&mut self, index: usize) {
        let now = self.now;
        let job = &mut self.entra.jobs[index];
        job.next_begin = None;
        if job.quarantine.as_ref().is_some_and(|quarantine| now >= quarantine.began + GIVEN_UP) {
            give_up(job);
            self.tell(Event::JobDisabled);
            return;
        }
        let seen = self.entra.seen_by_cycles(now);
        let (token, reaches) = (seen.token, seen.reaches);
        let (ends, next_use) = (now + self.settings.cycle_length, now + self.settings.cycle_length / 2);
        self.entra.jobs[index].running = Some(Cycle { began: now, ends, token, reaches, next_use });
        let used = self.use_in_cycle(token, reaches);
        self.after_use(index, &used, false);
    }

    fn go_on(&mut self, index: usize) {
        let Some(cycle) = &mut self.entra.jobs[index].running else { return };
        let last = cycle.next_use >= cycle.ends;
        cycle.next_use = cycle.ends;
        let (token, reaches) = (cycle.token, cycle.reaches);
        let used = self.use_in_cycle(token, reaches);
        self.after_use(index, &used, last);
    }

    fn use_in_cycle(&mut self, token: Option<TokenNo>, reaches: bool) -> Use {
        match self.scim_by_entra(token, reaches) {
            Some(200) => Use::Accepted,
            Some(_) => Use::Refused,
            None => Use::Unreachable,
        }
    }

    fn after_use(&mut self, index: usize, used: &Use, last: bool) {
        let token = self.entra.jobs[index].running.as_ref().and_then(|cycle| cycle.token);
        match used {
            Use::Accepted if !last => {}
            Use::Accepted => {
                let entries = self.settings.entry_level_errors;
                let state = if entries { ExecutionState::EntryLevelErrors } else { ExecutionState::Succeeded };
                self.ledger.cycles_succeeded += 1;
                self.tell(Event::CyclesSucceeded { count: 1, token });
                self.end(index, state);
            }
            Use::Refused => {
                self.ledger.cycles_failed += 1;
                self.tell(Event::CycleFailed { token, refused: true });
                self.end(index, ExecutionState::Failed);
                self.quarantine(index);
            }
            Use::Unreachable => {
                self.ledger.cycles_unreachable += 1;
                self.tell(Event::CycleFailed { token, refused: false });
                self.end(index, ExecutionState::Failed);
                // An endpoint that is down does not put a job into quarantine here, but it keeps it there.
                if self.entra.jobs[index].quarantine.is_some() {
                    self.quarantine(index);
                }
            }
        }
    }

    fn end(&mut self, index: usize, state: ExecutionState) {
        let (now, interval) = (self.now, self.settings.cycle_interval);
        let job = &mut self.entra.jobs[index];
        let Some(cycle) = job.running.take() else { return };
        let execution = Execution { began: cycle.began, ended: now, state };
        job.last = Some(execution.clone());
        // `start` may have been given while this cycle was running: then the next one is set already.
        if matches!(job.state, JobState::Active | JobState::Quarantine) && job.next_begin.is_none() {
            job.next_begin = Some(now.max(cycle.began + interval));
        }
        if state == ExecutionState::Failed {
            return;
        }
        job.last_success = Some(execution);
        if job.state == JobState::Quarantine {
            job.state = JobState::Active;
        }
        if job.quarantine.take().is_some() {
            self.tell(Event::QuarantineEnded);
        }
    }

    fn quarantine(&mut self, index: usize) {
        let now = self.now;
        let job = &mut self.entra.jobs[index];
        let (began, count) = job.quarantine.as_ref().map_or((now, 0), |q| (q.began, q.count));
        let next = (now + retry_after(count)).min(began + GIVEN_UP);
        // A person's pause outlasts the failure of a cycle that was still running; ours is overtaken by it.
        if job.paused_by != Some(Who::Person) {
            job.state = JobState::Quarantine;
            job.schedule = Schedule::Active;
            job.paused_by = None;
            job.next_begin = Some(next);
        }
        job.quarantine =
            Some(QuarantineNote { reason: FOR_CREDENTIALS, began, count: count + 1, next_attempt: Some(next) });
        if count == 0 {
            self.ledger.quarantines += 1;
        }
        self.tell(Event::Quarantined { next: Some(next) });
    }
}

/// After 28 days Entra does not try any more.
fn give_up(job: &mut Job) {
    job.schedule = Schedule::Disabled;
    if let Some(quarantine) = &mut job.quarantine {
        quarantine.next_attempt = None;
    }
}

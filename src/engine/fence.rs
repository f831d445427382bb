//! The fence: the provisioning job is paused around the cutover, so that no cycle runs on a token that is about to die.

use chrono::TimeDelta;

use super::Run;
use super::halt::Halt;
use super::run::{PATIENCE, Record};
use crate::domain::decide::{LONGEST_DRAIN, PAUSE_LAG};
use crate::domain::journal::{Labels, PauseNote};
use crate::domain::{Job, JobState, Reason, Timestamp, Token, Verdict};
use crate::ports::{CallError, Class};

/// How often the job is read while waiting for a cycle to end.
const POLL: TimeDelta = TimeDelta::seconds(30);
/// The longest wait for the gap after a cycle.
const LONGEST_GAP_WAIT: TimeDelta = TimeDelta::hours(2);
/// A gap shorter than this is no gap.
const SMALLEST_GAP: TimeDelta = TimeDelta::minutes(2);
/// The shortest wait for a cycle that outlives the pause.
const SHORTEST_DRAIN: TimeDelta = TimeDelta::minutes(1);
/// What Graph dates so close together may have happened in either order.
const SAME_TIME: TimeDelta = TimeDelta::minutes(1);
/// The same where no cycle has ended yet, so that nothing tells its length.
const BLIND_DRAIN: TimeDelta = TimeDelta::minutes(5);
/// A plan of a pause that is older is not gone by, but made anew.
const STALE_PLAN: TimeDelta = TimeDelta::seconds(10);

/// So long a job is read again that is to run, and does not show the pause of it that was just made.
const SHOWS_LATE: TimeDelta = TimeDelta::minutes(2);

impl Run<'_> {
    /// Waits for the gap after a finished cycle, until `deadline` at the latest. Nothing is held meanwhile.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "gap"))]
    pub async fn await_gap(&self, mut job: Job, deadline: Option<Timestamp>) -> Result<Job, Halt> {
        self.progress.enter("wait for the gap between two cycles");
        let until = self.elapsed() + LONGEST_GAP_WAIT;
        let is_over = || self.elapsed() >= until || deadline.is_some_and(|deadline| self.now() >= deadline);
        while job.state == JobState::Active && !in_gap(&job) && !is_over() {
            self.wait_unless_stopping(POLL).await?;
            job = self.insist(PATIENCE, || self.job()).await?;
        }
        Ok(job)
    }

    /// Pauses an Active job, writes it ahead and after onto `record`, and waits until no cycle can be running any more. A shutdown ends
    /// the wait; whoever raised the fence lowers it then.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "fence"))]
    pub async fn raise_fence(&self, record: &mut Record, falling: Option<&Token>) -> Result<(), Halt> {
        self.progress.enter("pause the provisioning job");
        // Read just before: a pause that a person has made meanwhile is his, and no cycle runs under it either.
        let read = self.moment();
        let job = self.insist(PATIENCE, || self.job()).await?;
        let plan = match record.labels.pause {
            // One planned so long ago may have been overtaken by a cycle, and would not be known for ours after a crash.
            Some(plan) if plan.is_open() && job.seen_at - plan.planned < STALE_PLAN => plan,
            _ => PauseNote::planned(job.seen_at),
        };
        if job.state != JobState::Active {
            // Another process of ours may have paused it just now; then its pause is kept, and ended in the end.
            if let Some((_, held)) = self.list().await?.held_pause() {
                self.write(record, |labels| labels.pause = Some(held)).await?;
                return self.drain(record, held.at.unwrap_or(held.planned), falling).await;
            }
            let ended = Some(job.seen_at);
            self.write(record, |labels| labels.pause = Some(PauseNote { ended, ..plan })).await?;
            // A cycle may have outlived a person's pause as well.
            return match job.state {
                JobState::Paused => self.drain(record, job.seen_at, falling).await,
                _ => Ok(()),
            };
        }
        if record.labels.pause != Some(plan) {
            self.write(record, |labels| labels.pause = Some(plan)).await?;
        }
        let pause = || async {
            self.unless_replaced().await?;
            // A person may have paused it meanwhile.
            if self.is_long_ago(read) && self.job().await?.state != JobState::Active {
                return Err(self.too_long_ago());
            }
            Ok(self.ports.provisioner.pause().await?)
        };
        let at = self.insist(PATIENCE, pause).await?;
        // Graph's dates have whole seconds, and a pause as old as its plan would be taken for one that was only guessed.
        let at = at.max(plan.planned + TimeDelta::seconds(1));
        let held = Some(PauseNote { at: Some(at), ..plan });
        // Known here even if it cannot be written down, so that whoever backs out ends it.
        record.labels.pause = held;
        self.memory.paused(held);
        self.write(record, |labels| labels.pause = held).await?;
        self.drain(record, at, falling).await
    }

    /// Waits until no cycle can be running that began before `since`, when the job was paused (by Graph's clock): Graph
    /// shows no running cycle, and one may outlive the pause. A shutdown ends the wait; and so does the end of
    /// `falling`, the token that Entra holds where another one may end it any minute: then no cycle can be harmed any more.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "drain"))]
    pub async fn drain(&self, record: &Record, since: Timestamp, falling: Option<&Token>) -> Result<(), Halt> {
        self.progress.enter("let a running cycle end");
        let mut waited = TimeDelta::zero();
        let mut was_paused = false;
        loop {
            let job = self.insist(PATIENCE, || self.job()).await?;
            // That it is paused may show late; once it has shown, it does not go away by itself.
            if was_paused && job.state == JobState::Active {
                return Err(somebody_started_it());
            }
            was_paused |= job.state == JobState::Paused;
            self.memory.saw(&job);
            let last = job.last_execution.as_ref();
            let length = job.cycle_length();
            let length = length.map_or(BLIND_DRAIN, |length| (length * 2).clamp(SHORTEST_DRAIN, LONGEST_DRAIN));
            // One that is over may still be told of: a version is used again for another try.
            if record.labels.pause.is_some_and(|pause| pause.is_held() && pause.is_overrun(last)) {
                return Err(somebody_started_it());
            }
            // One that ended as the pause was made may have been followed by another just before it.
            let ended = last.is_some_and(|e| e.ended > since + SAME_TIME);
            let is_over = ended || waited.max(job.seen_at - since) >= length;
            // A pause that this process has just made, and that does not show yet, is waited for.
            let shows_late = self.memory.is_pause_unseen() && job.seen_at - since < PAUSE_LAG;
            match job.state {
                JobState::Active if is_over && !shows_late => return Err(somebody_started_it()),
                JobState::Active => (),
                _ if is_over => return Ok(()),
                _ => (),
            }
            // Counted by what was slept, so that no step of a clock makes the pause longer.
            let nap = if waited < length { POLL.min(length - waited) } else { POLL };
            self.wait_unless_stopping(nap).await?;
            waited += nap;
            self.keep_signed().await?;
            // Entra says the same of a token that is dead and of an endpoint that is down; the endpoint itself does not. It is
            // asked first: Entra may hold a new token by a person's hand, and to test that is to use it.
            if let Some(token) = falling
                && self.is_refused_by_endpoint(token).await
                && matches!(self.ports.provisioner.test_saved().await, Ok(Verdict::NotAccepted))
            {
                return Ok(());
            }
        }
    }

    /// Lets the job run again, if it is paused and `record` says that it was us; and writes that down.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "unfence"))]
    pub async fn lower_fence(&self, record: &mut Record) -> Result<(), Halt> {
        let Some(pause) = record.labels.pause.filter(PauseNote::is_held) else {
            return Ok(());
        };
        self.progress.enter("start the provisioning job");
        let until = self.elapsed() + SHOWS_LATE;
        let at = loop {
            match self.start_if(JobState::Paused, Some(pause)).await? {
                Some(at) => break at,
                None if self.elapsed() < until => self.wait(TimeDelta::seconds(10)).await,
                None => {
                    tracing::warn!("the job does not show the pause that was made of it; a later look starts it");
                    return Ok(());
                }
            }
        };
        self.memory.paused(None);
        let ended = PauseNote { ended: Some(at), ..pause };
        if let Err(halt) = self.note_pause(record, ended).await {
            tracing::warn!(error = %super::halt::chain(&halt), "that the job runs again is written down as soon as it can be");
        }
        Ok(())
    }

    /// A pause was certainly not made: nobody shall take a later one for it.
    pub async fn deny_pause(&self, record: &mut Record, plan: PauseNote) {
        if let Err(halt) = self.note_pause(record, PauseNote { ended: Some(plan.planned), ..plan }).await {
            let error = super::halt::chain(&halt);
            tracing::debug!(error, "that the job was not paused is written down as soon as it can be");
        }
    }

    /// Writes down that a pause is over, or was never made; if not now, then as soon as it can be: a person may pause the job from here
    /// on, and must not have his pause taken for ours.
    async fn note_pause(&self, record: &mut Record, ended: PauseNote) -> Result<(), Halt> {
        let written = self.write(record, |labels| labels.pause = Some(ended)).await;
        if written.as_ref().is_err_and(|halt| halt.reason != Reason::TakenOver) {
            record.labels.pause = Some(ended);
            let labels = Labels { sign: self.sign(), ..record.labels.clone() };
            self.memory.owed(&record.id, &labels, self.elapsed());
        }
        written
    }

    /// `start`, only in this state, never on a job that runs, nor on one that has run since it was paused: then somebody has
    /// started it, and paused it again. Before each try the job is read anew, and the vault: whoever has been
    /// overtaken starts nothing. None where a pause that this process has just made may not show yet.
    pub async fn start_if(&self, state: JobState, pause: Option<PauseNote>) -> Result<Option<Timestamp>, Halt> {
        self.insist(PATIENCE, || async {
            let read = || async {
                self.or_away(self.list_once().await)?;
                Ok::<_, Halt>(self.job().await?)
            };
            let job = self.recent(read).await?;
            let overrun = pause.is_some_and(|pause| pause.is_overrun(job.last_execution.as_ref()));
            let unseen = pause.filter(|_| job.state == JobState::Active && !overrun && self.memory.is_pause_unseen());
            let unseen = unseen.and_then(|pause| pause.at).is_some_and(|at| job.seen_at - at < PAUSE_LAG);
            match job.state == state && !overrun {
                true => Ok::<_, Halt>(Some(self.ports.provisioner.start().await?)),
                false => Ok(Some(job.seen_at).filter(|_| !unseen)),
            }
        })
        .await
    }
}

/// Whether the schedule shows no cycle running now, nor beginning soon, by Graph's clock.
fn in_gap(job: &Job) -> bool {
    match (&job.last_execution, job.next_cycle()) {
        (Some(last), Some(next)) => job.seen_at >= last.ended && job.seen_at + SMALLEST_GAP < next,
        (None, _) => false,      // The first one, the longest of all, is running or about to begin.
        (Some(_), None) => true, // Nothing tells: no use in waiting.
    }
}

fn somebody_started_it() -> Halt {
    let what = "the provisioning job was started by somebody while it was paused for a rotation";
    Halt::from(CallError::new("Microsoft Graph", Class::Retry { after: None }, what)).during(Reason::StepFailed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Execution, ExecutionState};

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + minutes * 60, 0).unwrap()
    }

    fn job(seen: i64) -> Job {
        Job {
            id: "j".into(),
            state: JobState::Active,
            quarantine: None,
            last_success: None,
            last_execution: Some(Execution { began: at(0), ended: at(5), state: ExecutionState::Succeeded }),
            interval: Some(TimeDelta::minutes(40)),
            seen_at: at(seen),
        }
    }

    #[test]
    fn the_gap_lies_between_the_end_of_a_cycle_and_shortly_before_the_next() {
        let gaps: Vec<_> = [4, 5, 37, 38, 45].map(|minute| in_gap(&job(minute))).into();
        assert_eq!(gaps, [false, true, true, false, false]);
    }
}

//! tokio-cron-scheduler says when to look, never when to rotate: the body of every job is one line.
//!
//! Its faults (it overlaps slow jobs, and looks at all its jobs twice a second) are harmless here: there is a job for each cron
//! expression and not for each connection, a tick only wakes, wake-ups collapse, and every connection looks at the wall clock
//! once a minute by itself. One is mended: after a clock that ran ahead was set right it would be silent until that time has come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use uuid::Uuid;

use super::herd;
use crate::domain::Timestamp;
use crate::domain::cron::Cron;

/// The scheduler reckons a tick as it does the one before.
const LATE: TimeDelta = TimeDelta::seconds(1);

/// The cron of the process, in UTC.
pub struct Ticker {
    scheduler: JobScheduler,
    /// By the expression that they go by.
    groups: BTreeMap<Arc<str>, Group>,
    /// Who goes by which expression.
    checks: BTreeMap<Arc<str>, Arc<str>>,
}

/// Whom to wake at one time, by their names.
type Members = Arc<Mutex<BTreeMap<Arc<str>, Arc<Notify>>>>;

/// All connections that look at the same times.
struct Group {
    job: Uuid,
    tick: Arc<Notify>,
    members: Members,
    /// Wakes them one after the other. Ticks that come meanwhile collapse.
    waking: JoinHandle<()>,
}

impl Ticker {
    /// Begins to tick.
    pub async fn start() -> Result<Self, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        scheduler.start().await?;
        Ok(Self { scheduler, groups: BTreeMap::new(), checks: BTreeMap::new() })
    }

    /// Wakes a connection whenever `check` (six fields, UTC) says so.
    pub async fn wake(
        &mut self,
        name: impl Into<Arc<str>>,
        whom: Arc<Notify>,
        check: &str,
    ) -> Result<(), JobSchedulerError> {
        if !self.groups.contains_key(check) {
            let tick = Arc::new(Notify::new());
            let job = self.scheduler.add(notifying(check, &tick)?).await?;
            let members = Members::default();
            let waking = tokio::spawn(wake_for_ever(Arc::clone(&members), Arc::clone(&tick)));
            self.groups.insert(check.into(), Group { job, tick, members, waking });
        }
        let name = name.into();
        if let Some((check, group)) = self.groups.get_key_value(check) {
            self.checks.insert(Arc::clone(&name), Arc::clone(check));
            lock(&group.members).insert(name, whom);
        }
        Ok(())
    }

    /// Begins anew whatever means to tick later than its expression says at `now`, by this host's clock: that was reckoned by one
    /// that has been set back since.
    pub async fn keep_time(&mut self, now: Timestamp) -> Result<(), JobSchedulerError> {
        for (check, group) in &mut self.groups {
            let due = check.parse::<Cron>().ok().and_then(|cron| cron.find_next_occurrence(&now, false).ok());
            let next = self.scheduler.next_tick_for_job(group.job).await?;
            if due.zip(next).is_some_and(|(due, next)| next > due + LATE) {
                self.scheduler.remove(&group.job).await?;
                group.job = self.scheduler.add(notifying(check, &group.tick)?).await?;
            }
        }
        Ok(())
    }

    /// No longer.
    pub async fn stop(&mut self, name: &str) -> Result<(), JobSchedulerError> {
        let Some(check) = self.checks.remove(name) else { return Ok(()) };
        let Some(group) = self.groups.get(&check) else { return Ok(()) };
        lock(&group.members).remove(name);
        if lock(&group.members).is_empty()
            && let Some(group) = self.groups.remove(&check)
        {
            group.waking.abort();
            self.scheduler.remove(&group.job).await?;
        }
        Ok(())
    }
}

fn notifying(check: &str, tick: &Arc<Notify>) -> Result<Job, JobSchedulerError> {
    let tick = Arc::clone(tick);
    Job::new(check, move |_, _| tick.notify_one())
}

async fn wake_for_ever(members: Members, tick: Arc<Notify>) {
    loop {
        tick.notified().await;
        let members = lock(&members).values().cloned().collect();
        herd::wake(members).await;
    }
}

fn lock(members: &Members) -> std::sync::MutexGuard<'_, BTreeMap<Arc<str>, Arc<Notify>>> {
    members.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH_SECOND: &str = "* * * * * *";

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_tick_wakes_all_until_they_are_stopped_and_the_others_go_on() {
        let mut ticker = Ticker::start().await.expect("it starts");
        let [one, other] = [Arc::new(Notify::new()), Arc::new(Notify::new())];
        ticker.wake("one", Arc::clone(&one), EACH_SECOND).await.expect("a cron of six fields");
        ticker.wake("other", Arc::clone(&other), EACH_SECOND).await.expect("a cron of six fields");
        assert_eq!(ticker.groups.len(), 1, "one job for all who look at the same times");
        one.notified().await;
        other.notified().await;
        ticker.stop("one").await.expect("it stops");
        other.notified().await;
        assert!(!lock(&ticker.groups[EACH_SECOND].members).contains_key("one"));
        assert!(ticker.wake("one", one, "every now and then").await.is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_to_tick_by_a_clock_that_ran_ahead_begins_anew_once_that_is_set_right_and_nothing_else_does() {
        let mut ticker = Ticker::start().await.expect("it starts");
        let one = Arc::new(Notify::new());
        ticker.wake("one", Arc::clone(&one), EACH_SECOND).await.expect("a cron of six fields");
        let begun = ticker.groups[EACH_SECOND].job;
        let next = ticker.scheduler.next_tick_for_job(begun).await.ok().flatten().expect("it is to tick");
        for (ahead, anew) in [(TimeDelta::zero(), false), (TimeDelta::days(400), false), (TimeDelta::days(-400), true)]
        {
            ticker.keep_time(next + ahead).await.expect("it goes on");
            assert_eq!(ticker.groups[EACH_SECOND].job != begun, anew, "{ahead}");
        }
        one.notified().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_ticks_any_more_for_nobody() {
        let mut ticker = Ticker::start().await.expect("it starts");
        ticker.wake("one", Arc::default(), EACH_SECOND).await.expect("a cron of six fields");
        let job = ticker.groups[EACH_SECOND].job;
        assert!(ticker.scheduler.next_tick_for_job(job).await.is_ok_and(|next| next.is_some()));
        ticker.stop("one").await.expect("it stops");
        assert!(ticker.groups.is_empty() && ticker.checks.is_empty());
        assert!(ticker.scheduler.next_tick_for_job(job).await.is_ok_and(|next| next.is_none()));
    }
}

//! tokio-cron-scheduler says when to look, never when to rotate: the body of every job is one line.
//!
//! Its faults (it overlaps slow jobs, and is silent for a while after the clock was stepped back) are harmless here: a
//! tick only wakes, wake-ups collapse, and every connection looks at the wall clock once a minute by itself.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use uuid::Uuid;

/// The cron of the process, in UTC.
pub struct Ticker(JobScheduler);

/// One tick, to be stopped with.
#[derive(Clone, Copy, Debug)]
pub struct Tick(Uuid);

impl Ticker {
    /// Begins to tick.
    pub async fn start() -> Result<Self, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        scheduler.start().await?;
        Ok(Self(scheduler))
    }

    /// Wakes `whom` whenever `check` (six fields, UTC) says so.
    pub async fn wake(&self, whom: Arc<Notify>, check: &str) -> Result<Tick, JobSchedulerError> {
        self.0.add(Job::new(check, move |_, _| whom.notify_one())?).await.map(Tick)
    }

    /// No longer.
    pub async fn stop(&self, tick: Tick) -> Result<(), JobSchedulerError> {
        self.0.remove(&tick.0).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the scheduler thinks that a tick comes next.
    async fn next(ticker: &Ticker, tick: Tick) -> bool {
        ticker.0.clone().next_tick_for_job(tick.0).await.is_ok_and(|next| next.is_some())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_tick_wakes_until_it_is_stopped_and_the_others_go_on() {
        let ticker = Ticker::start().await.expect("it starts");
        let [one, other] = [Arc::new(Notify::new()), Arc::new(Notify::new())];
        let first = ticker.wake(Arc::clone(&one), "* * * * * *").await.expect("a cron of six fields");
        let second = ticker.wake(Arc::clone(&other), "* * * * * *").await.expect("a cron of six fields");
        one.notified().await;
        other.notified().await;
        ticker.stop(first).await.expect("it stops");
        assert!(!next(&ticker, first).await && next(&ticker, second).await);
        assert!(ticker.wake(one, "every now and then").await.is_err());
    }
}

//! Many schedules side by side: every one is carried out, and the first that fails is told whole.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::StreamExt as _;

/// What the schedules of a batch have come to pass at, so that none of it is lost silently.
#[derive(Clone, Default)]
pub struct Coverage(Arc<Mutex<BTreeSet<String>>>);

impl Coverage {
    /// One schedule came to this.
    pub fn reached(&self, what: impl Debug) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(format!("{what:?}"));
    }

    /// Every one of these has been reached by some schedule.
    pub fn holds_all<T: Debug>(&self, all: impl IntoIterator<Item = T>) {
        let reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missed: Vec<_> = all.into_iter().map(|what| format!("{what:?}")).filter(|w| !reached.contains(w)).collect();
        assert!(missed.is_empty(), "nothing has happened at {missed:?}, only at {reached:?}");
    }
}

/// Carries out `schedule` for every point, so many at once. An outcome says whether the schedule came to what it is
/// about. Answers with how many in a hundred did: the caller knows how many must, for the enumeration to be one.
pub async fn all_hold<P, F>(at_once: usize, points: impl IntoIterator<Item = P>, schedule: impl Fn(P) -> F) -> usize
where
    P: Debug + Copy,
    F: Future<Output = Result<bool, String>> + Send + 'static,
{
    let began = Instant::now();
    let outcomes: Vec<_> = futures::stream::iter(points)
        .map(|point| {
            let running = tokio::spawn(schedule(point));
            async move {
                running.await.map_err(|panic| panic.to_string()).flatten().map_err(|why| format!("{point:?}: {why}"))
            }
        })
        .buffer_unordered(at_once)
        .collect()
        .await;
    let reached = outcomes.iter().filter(|outcome| matches!(outcome, Ok(true))).count();
    let failures: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    let (all, seconds) = (outcomes.len(), began.elapsed().as_secs());
    println!("{all} schedules in {seconds} s, {reached} reached, {} failures", failures.len());
    for why in &failures {
        println!("failed: {}", why.lines().next().unwrap_or_default());
    }
    assert!(failures.is_empty(), "{} of {all} fail; the first: {}", failures.len(), failures[0]);
    reached * 100 / all.max(1)
}

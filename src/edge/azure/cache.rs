//! Keeps what a login gave for as long as it is good, and fetches the next one early.
//!
//! A bearer that still lives is handed out while Entra is away. One that a service refused is not, whoever holds it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use azure_core::credentials::AccessToken;
use chrono::TimeDelta;
use tokio::sync::Mutex;

use crate::domain::Timestamp;
use crate::ports::{CallError, Clock};

/// Usual lives are of an hour: a new bearer is fetched in the last ten minutes.
const MARGIN: TimeDelta = TimeDelta::minutes(10);
/// Long lives (a day, for managed identities) are renewed in the middle, as Microsoft advises.
const LONG: TimeDelta = TimeDelta::hours(2);
/// In the very last moments a bearer is not handed out: it may end on its way.
const LAST: TimeDelta = TimeDelta::seconds(30);
/// After a failed early refresh, the next one.
const PAUSE: TimeDelta = TimeDelta::seconds(60);

struct Held {
    token: AccessToken,
    round: u64,
    refresh_at: TimeDelta,
    dies_at: TimeDelta,
}

/// How good a held bearer is.
enum State {
    Good(AccessToken),
    /// It lives, and it is time for the next one.
    Aging(AccessToken),
    Gone,
}

pub(super) struct Cache {
    /// The machine's own clock: measured by what passes, whatever anybody sets.
    machine: Arc<dyn Clock>,
    held: Lock<HashMap<String, Held>>,
    /// The time that a whole login may take, the wait for another one included.
    limit: Duration,
    /// Counts how often everything was dropped. What was asked for before the last drop counts as dropped.
    round: AtomicU64,
    /// One login at a time; those who come meanwhile share what it gave.
    flight: Mutex<()>,
}

impl Cache {
    pub fn new(machine: Arc<dyn Clock>, limit: Duration) -> Self {
        Self { machine, limit, held: Lock::default(), round: AtomicU64::new(0), flight: Mutex::new(()) }
    }

    /// Drops every bearer.
    pub fn forget(&self) {
        self.round.fetch_add(1, Ordering::SeqCst);
    }

    /// The bearer for `scope`: the one at hand, or a new one by `log_in`.
    pub async fn get<F>(
        &self,
        scope: &str,
        log_in: impl FnOnce() -> F,
        overdue: impl Fn() -> CallError,
    ) -> Result<AccessToken, CallError>
    where
        F: Future<Output = Result<AccessToken, CallError>>,
    {
        let aging = match self.state(scope) {
            State::Good(token) => return Ok(token),
            State::Aging(token) => Some(token),
            State::Gone => None,
        };
        let began = self.machine.elapsed();
        let made = async {
            let _flight = match (&aging, self.flight.try_lock()) {
                (_, Ok(flight)) => flight,
                // Somebody fetches the next one already.
                (Some(token), Err(_)) => return Ok(token.clone()),
                (None, Err(_)) => self.flight.lock().await,
            };
            if let State::Good(token) = self.state(scope) {
                return Ok(token);
            }
            // Who has waited so long for a login that came to nothing has no time left for one of its own.
            if (self.machine.elapsed() - began).to_std().is_ok_and(|waited| waited > self.limit / 4 * 3) {
                return Err(overdue());
            }
            let round = self.round.load(Ordering::SeqCst);
            let token = log_in().await?;
            self.keep(scope, round, &token);
            Ok(token)
        };
        let error = match tokio::time::timeout(self.limit, made).await {
            Ok(Ok(token)) => return Ok(token),
            Ok(Err(error)) => error,
            Err(_) => overdue(),
        };
        match aging.filter(|_| matches!(self.state(scope), State::Aging(_))) {
            Some(token) => {
                tracing::debug!(error = %error, "the login failed, and the bearer at hand is still good");
                self.put_off(scope);
                Ok(token)
            }
            None => Err(error),
        }
    }

    fn state(&self, scope: &str) -> State {
        let now = self.machine.elapsed();
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get(scope) {
            Some(held) if held.round != self.round.load(Ordering::SeqCst) || now >= held.dies_at => State::Gone,
            Some(held) if now >= held.refresh_at => State::Aging(held.token.clone()),
            Some(held) => State::Good(held.token.clone()),
            None => State::Gone,
        }
    }

    fn keep(&self, scope: &str, round: u64, token: &AccessToken) {
        let ends = Timestamp::from_timestamp(token.expires_on.unix_timestamp(), 0).unwrap_or_default();
        let life = ends - self.machine.now();
        let now = self.machine.elapsed();
        let held =
            Held { token: token.clone(), round, refresh_at: now + life - margin(life), dies_at: now + life - LAST };
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.to_owned(), held);
    }

    fn put_off(&self, scope: &str) {
        let next = self.machine.elapsed() + PAUSE;
        if let Some(held) = self.held.lock().unwrap_or_else(PoisonError::into_inner).get_mut(scope) {
            held.refresh_at = next;
        }
    }
}

/// How long before its end a bearer of this life is renewed.
fn margin(life: TimeDelta) -> TimeDelta {
    if life >= LONG { life / 2 } else { MARGIN.min(life / 5) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use azure_core::time::OffsetDateTime;

    use super::*;
    use crate::ports::Class;

    const BEGAN: i64 = 1_800_000_000;

    #[derive(Default)]
    struct Watch(AtomicI64);

    #[async_trait::async_trait]
    impl Clock for Watch {
        fn now(&self) -> Timestamp {
            Timestamp::from_timestamp(BEGAN, 0).unwrap() + self.elapsed()
        }

        fn elapsed(&self) -> TimeDelta {
            TimeDelta::seconds(self.0.load(Ordering::SeqCst))
        }

        async fn sleep(&self, _: std::time::Duration) {}
    }

    struct Drive {
        watch: Arc<Watch>,
        cache: Cache,
        /// The life of what is given; none while the far side is away.
        life: Option<i64>,
        logins: u32,
    }

    impl Drive {
        fn new(life: i64) -> Self {
            let watch = Arc::new(Watch::default());
            Self { cache: Cache::new(watch.clone(), Duration::from_secs(30)), watch, life: Some(life), logins: 0 }
        }

        fn pass(&self, seconds: i64) {
            self.watch.0.fetch_add(seconds, Ordering::SeqCst);
        }

        /// The number of the bearer that is handed out; none for a failure.
        async fn get(&mut self) -> Option<String> {
            let (logins, life, now) = (&mut self.logins, self.life, self.watch.now().timestamp());
            let log_in = || async move {
                *logins += 1;
                let away = || CallError::new("Entra login", Class::Retry { after: None }, "away");
                let ends = OffsetDateTime::from_unix_timestamp(now + life.ok_or_else(away)?).unwrap();
                Ok(AccessToken::new(logins.to_string(), ends))
            };
            let overdue = || CallError::new("Entra login", Class::Human, "overdue");
            self.cache.get("scope", log_in, overdue).await.ok().map(|token| token.token.secret().to_owned())
        }
    }

    #[tokio::test]
    async fn a_bearer_is_kept_until_shortly_before_its_end_and_a_long_one_for_half_its_life() {
        for (life, kept) in [(3600, 2999), (86_400, 43_199), (100, 69)] {
            let mut drive = Drive::new(life);
            assert_eq!(drive.get().await.unwrap(), "1");
            drive.pass(kept);
            assert_eq!(drive.get().await.unwrap(), "1", "{life}");
            drive.pass(1);
            assert_eq!(drive.get().await.unwrap(), "2", "{life}");
        }
    }

    #[tokio::test]
    async fn while_entra_is_away_a_bearer_that_lives_is_handed_out_and_entra_is_asked_once_a_minute() {
        let mut drive = Drive::new(3600);
        drive.get().await.unwrap();
        drive.life = None;
        drive.pass(3000);
        for (wait, logins) in [(0, 2), (59, 2), (1, 3)] {
            drive.pass(wait);
            assert_eq!((drive.get().await.unwrap().as_str(), drive.logins), ("1", logins));
        }
        drive.pass(600 - 60 - 30);
        assert_eq!(drive.get().await, None, "it is in its last moments");
    }

    #[tokio::test]
    async fn a_bearer_that_was_dropped_is_never_handed_out_again() {
        let mut drive = Drive::new(3600);
        drive.get().await.unwrap();
        drive.cache.forget();
        drive.life = None;
        assert_eq!(drive.get().await, None);
        drive.life = Some(3600);
        assert_eq!(drive.get().await.unwrap(), "3");
    }

    #[tokio::test]
    async fn a_bearer_that_is_about_to_end_when_it_comes_is_used_once_and_not_kept() {
        for life in [-60, 0, 30] {
            let mut drive = Drive::new(life);
            assert_eq!(
                (drive.get().await.unwrap().as_str(), drive.get().await.unwrap().as_str()),
                ("1", "2"),
                "{life}"
            );
        }
    }

    #[tokio::test]
    async fn who_waited_for_a_login_that_came_to_nothing_begins_none_when_its_own_time_is_nearly_over() {
        let watch = Arc::new(Watch::default());
        let cache = Cache::new(watch.clone(), Duration::from_secs(30));
        for (waited, begins) in [(29, false), (5, true)] {
            let (mut begun, never) = (false, || std::future::pending::<Result<AccessToken, CallError>>());
            let overdue = || CallError::new("Entra login", Class::Human, "overdue");
            let mut first = Box::pin(cache.get("vault", never, overdue));
            assert!(futures::future::poll_immediate(&mut first).await.is_none());
            {
                let log_in = || {
                    begun = true;
                    never()
                };
                let mut second = Box::pin(cache.get("graph", log_in, overdue));
                assert!(futures::future::poll_immediate(&mut second).await.is_none());
                watch.0.fetch_add(waited, Ordering::SeqCst);
                drop(first);
                let ended = futures::future::poll_immediate(&mut second).await;
                assert_eq!(ended.is_some_and(|ended| ended.is_err()), !begins);
            }
            assert_eq!(begun, begins);
        }
    }
}

//! What falls due for all connections at the same moment (a tick, a start, a person's wish) is spread a little, so that
//! thousands of them do not ask the same services in the same second.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// So far apart connections begin to look: fifty in a second.
const APART: Duration = Duration::from_millis(20);
/// All of them have begun within this time, however many there are.
pub const SPREAD: Duration = Duration::from_secs(200);

/// How far apart so many connections begin.
pub fn apart(number: usize) -> Duration {
    let number = u32::try_from(number).unwrap_or(u32::MAX).max(1);
    APART.min(SPREAD / number)
}

/// Wakes all of them, one after the other.
pub(super) async fn wake(members: Vec<Arc<Notify>>) {
    let apart = apart(members.len());
    for (number, member) in members.into_iter().enumerate() {
        wait(if number == 0 { Duration::ZERO } else { apart }).await;
        member.notify_one();
    }
}

/// Waits, in seconds of this host: what is spread is the work that it makes.
pub async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn they_begin_fifty_a_second_and_all_within_two_hundred_seconds() {
        let whole = |number: usize| apart(number) * u32::try_from(number).unwrap();
        assert_eq!([1, 50, 10_000].map(apart), [APART; 3]);
        assert_eq!([100, 10_000, 100_000].map(|number| whole(number).as_secs()), [2, 200, 200]);
        assert_eq!(apart(0), APART);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_is_woken_at_once_and_each_further_one_a_little_later() {
        let members: Vec<Arc<Notify>> = (0..3).map(|_| Arc::default()).collect();
        let began = Instant::now();
        let waking = tokio::spawn(wake(members.clone()));
        for (number, member) in (0..).zip(&members) {
            member.notified().await;
            // A paused clock leaps to the millisecond after what is waited for.
            assert_eq!(began.elapsed().as_millis() / 20, number, "{:?}", began.elapsed());
            assert!(members[number as usize + 1..].iter().all(|later| later.notified().now_or_never().is_none()));
        }
        waking.await.unwrap();
    }
}

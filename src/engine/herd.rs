//! What falls due for all connections at the same moment (a tick, a start, a person's wish) is spread a little, so that
//! thousands of them do not ask the same services in the same second.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// So far apart connections begin to look: fifty in a second.
const APART: Duration = Duration::from_millis(20);
/// All of them have begun within this time, however many there are.
const SPREAD: Duration = Duration::from_secs(200);

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
pub(super) async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

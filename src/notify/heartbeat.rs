//! The dead man's switch: somebody else is called at regular intervals, and raises the alarm when no call comes any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Answer, Webhook};
use crate::ports::Clock;

/// A call that came to nothing is made anew after so long, or at the next regular one: one lost call is no death.
const AGAIN: Duration = Duration::from_secs(60);

/// Whom to call, and how often.
#[derive(Clone)]
pub struct Heartbeat {
    /// The way to it.
    pub webhook: Arc<dyn Webhook>,
    /// From one call to the next.
    pub every: Duration,
}

impl Heartbeat {
    /// Calls for ever, but not while a loop of the process stands still.
    pub(super) async fn beat(self, turns: Arc<AtomicBool>, clock: Arc<dyn Clock>) {
        let mut fails = false;
        loop {
            let mut wait = self.every;
            if turns.load(Ordering::Relaxed) {
                match self.webhook.call().await {
                    Answer::Taken(_) if fails => {
                        fails = false;
                        tracing::info!("the heartbeat is heard again");
                    }
                    Answer::Taken(_) => (),
                    Answer::Later { what: error, .. } | Answer::Refused(error) => {
                        wait = wait.min(AGAIN);
                        if !std::mem::replace(&mut fails, true) {
                            tracing::warn!(error, "the heartbeat is not heard; it is tried again every minute");
                        }
                    }
                }
            }
            clock.sleep(wait).await;
        }
    }
}

//! What people have asked of a connection, until its loop takes it up. A channel would do, and take a kilobyte of each of ten
//! thousand connections that nobody asks for anything.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::Report;
use crate::domain::Order;

/// An order, and where the outcome is awaited.
pub(super) type Errand = (Order, oneshot::Sender<Report>);

/// Those that wait, the oldest first. One loop takes them.
#[derive(Debug, Default)]
pub(super) struct Errands {
    waiting: Mutex<VecDeque<Errand>>,
    come: Notify,
}

impl Errands {
    /// One more.
    pub fn add(&self, errand: Errand) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(errand);
        self.come.notify_one();
    }

    /// The next one, once there is one. Nothing is lost where this is not waited for to its end.
    pub async fn next(&self) -> Errand {
        loop {
            if let Some(errand) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
                return errand;
            }
            self.come.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn errand(order: Order) -> Errand {
        (order, oneshot::channel().0)
    }

    #[test]
    fn errands_are_taken_up_in_their_order_and_each_once_although_a_wait_for_them_was_given_up() {
        let errands = Errands::default();
        assert!(errands.next().now_or_never().is_none());
        errands.add(errand(Order::Release));
        errands.add(errand(Order::Rotate { mode: None, compromised: false }));
        let taken = || errands.next().now_or_never().map(|(order, _)| order.name());
        assert_eq!([taken(), taken(), taken()], [Some("release"), Some("rotate"), None]);
    }

    #[test]
    fn whoever_waits_already_is_woken() {
        let errands = Errands::default();
        let mut next = std::pin::pin!(errands.next());
        assert!(next.as_mut().now_or_never().is_none());
        errands.add(errand(Order::Release));
        assert!(next.now_or_never().is_some());
    }
}

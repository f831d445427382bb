//! Holds a request at a chosen point, so that a test can kill the caller just there.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};

use crate::world::Op;

/// Which request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The n-th call of the whole run, from 1: of those that reach a service, whatever the service.
    Nth(usize),
    /// The next call of this kind.
    Next(Op),
}

/// On which side of the deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The service has not seen the request yet.
    Before,
    /// The service has done as asked, and the answer is on its way.
    After,
}

/// How a held request goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// As if nothing had been.
    Go,
    /// Its connection breaks.
    Cut,
}

struct Waiting {
    which: Which,
    side: Side,
    reached: watch::Sender<Option<Op>>,
    onward: oneshot::Receiver<Onward>,
}

/// A place at which a request is, or will be, held. Dropping it lets the request go on.
pub struct Hold {
    reached: watch::Receiver<Option<Op>>,
    onward: oneshot::Sender<Onward>,
}

impl Hold {
    /// Returns when the request stands there; answers with what it is.
    pub async fn reached(&mut self) -> Op {
        match self.reached.wait_for(Option::is_some).await.ok().and_then(|op| *op) {
            Some(op) => op,
            // The sender goes only with the sandbox; then nothing will be reached any more.
            None => std::future::pending().await,
        }
    }

    /// Lets the request go on.
    pub fn go(self) {
        let _gone = self.onward.send(Onward::Go);
    }

    /// Breaks its connection there: what has not been done will not be.
    pub fn cut(self) {
        let _gone = self.onward.send(Onward::Cut);
    }
}

/// All the places.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<Vec<Waiting>>>);

impl Gate {
    /// Holds one request, once.
    pub fn hold(&self, which: Which, side: Side) -> Hold {
        let (reached_sender, reached) = watch::channel(None);
        let (onward, onward_receiver) = oneshot::channel();
        let waiting = Waiting { which, side, reached: reached_sender, onward: onward_receiver };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
        Hold { reached, onward }
    }

    /// Called on both sides of each deed: waits here if a test wants it so.
    pub async fn pass(&self, number: usize, op: Op, side: Side) -> Onward {
        let waiting = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let here = |w: &Waiting| w.side == side && (w.which == Which::Nth(number) || w.which == Which::Next(op));
            let Some(index) = all.iter().position(here) else { return Onward::Go };
            all.remove(index)
        };
        waiting.reached.send_replace(Some(op));
        waiting.onward.await.unwrap_or(Onward::Go)
    }
}

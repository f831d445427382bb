//! All connections of a process, each tended by a loop of its own: none waits for another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::claims::Claims;
use super::errands::Errands;
pub use super::errands::{InLine, MOST_ASKERS};
use super::herd;
use super::progress::{Course, Listener};
use super::pulse::{Pulse, Pulses};
use super::tend::{Ends, Loop};
use super::{Connection, Progress, Report};
use crate::domain::Order;

/// What tells one state of a connection's configuration from another.
pub type Identity = [u8; 32];
/// Makes a connection with nothing remembered: at the start, and again after a panic.
pub type Make = Arc<dyn Fn(CancellationToken) -> Connection + Send + Sync>;

/// Whoever watches the connections of a process.
pub trait Watcher: Send + Sync {
    /// The connection looks, and does what it decides: what was last told of it may not be so any more. `doing` tells what.
    fn begins(&self, _connection: &str, _doing: &Arc<Progress>) {}

    /// How it stands now, and what was done on the way.
    fn saw(&self, report: &Report, course: &Course);

    /// It is tended no more, by nobody, although this is open that it has begun.
    fn leaves(&self, _connection: &str, _claims: &Claims, _open: &str) {}
}

/// A connection and the loop that tends it.
pub struct Member {
    /// What tells whether a reload changed it.
    pub identity: Identity,
    tended: Arc<Loop>,
    task: JoinHandle<Option<Box<Connection>>>,
}

impl Member {
    /// What it has for itself.
    pub fn claims(&self) -> &Claims {
        &self.tended.claims
    }
}

/// A loop that has ended since it was told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    /// Its connection.
    pub name: String,
    /// What that had for itself, and has no more.
    pub claims: Claims,
}

/// A loop that has come to its end, and what it leaves.
type Ended = (Arc<str>, Option<Box<Connection>>);

/// The connections of this process by name.
pub struct Fleet {
    members: BTreeMap<Arc<str>, Member>,
    /// Those that have been told to end and have not yet.
    parting: BTreeMap<Arc<str>, Arc<Loop>>,
    ended: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// What the parting ones still have for themselves.
    held: BTreeSet<u64>,
    /// What those that have parted leave to who tends the same from now on.
    estates: BTreeMap<u64, Box<Connection>>,
    pulses: Pulses,
    watcher: Arc<dyn Watcher>,
    /// The process as a whole is to end.
    ending: CancellationToken,
}

impl Fleet {
    /// No connections yet.
    pub fn new(watcher: Arc<dyn Watcher>) -> Self {
        Self {
            members: BTreeMap::new(),
            parting: BTreeMap::new(),
            ended: FuturesUnordered::new(),
            held: BTreeSet::new(),
            estates: BTreeMap::new(),
            pulses: Pulses::default(),
            watcher,
            ending: CancellationToken::new(),
        }
    }

    /// Begins to tend a connection, which looks for the first time `after` so long, and goes on from what one of the same ward
    /// has left to it. Answers with what wakes it.
    pub fn add(
        &mut self,
        name: impl Into<Arc<str>>,
        identity: Identity,
        claims: Claims,
        make: Make,
        after: Duration,
    ) -> Arc<Notify> {
        let (name, wake, pulse) = (name.into(), Arc::<Notify>::default(), Arc::<Pulse>::default());
        self.pulses.add(&pulse);
        let before = self.estates.remove(&claims.ward);
        let tended = Arc::new(Loop {
            name: Arc::clone(&name),
            claims,
            make,
            wake: Arc::clone(&wake),
            ends: Ends::with(self.ending.clone()),
            pulse,
            watcher: Arc::clone(&self.watcher),
            errands: Errands::default(),
        });
        let task = tokio::spawn(Arc::clone(&tended).run(after, before));
        self.members.insert(name, Member { identity, tended, task });
        wake
    }

    /// The connections that are tended.
    pub fn members(&self) -> &BTreeMap<Arc<str>, Member> {
        &self.members
    }

    /// Hands a person's order to a connection, which carries it out once it has finished what it is doing. None when there
    /// is no such connection; the receiver fails when the connection ends before the order is carried out.
    pub fn order(&self, name: &str, order: Order) -> Option<(InLine, oneshot::Receiver<Report>)> {
        let member = self.members.get(name).filter(|member| !member.task.is_finished())?;
        let acts = member.tended.pulse.progress().is_some_and(|progress| progress.step().is_some());
        let (place, receiver) = member.tended.errands.add(order);
        Some((if place == InLine::First && acts { InLine::Behind } else { place }, receiver))
    }

    /// Tells somebody of the steps of a connection from now on, if there is such a one.
    pub fn tell(&self, name: &str, listener: Listener) {
        if let Some(progress) = self.members.get(name).and_then(|member| member.tended.pulse.progress()) {
            progress.tell(listener);
        }
    }

    /// Every connection looks again, one after the other.
    pub fn wake_all(&self) {
        let members = self.members.values().map(|member| Arc::clone(&member.tended.wake)).collect();
        tokio::spawn(herd::wake(members));
    }

    /// Whether the loops turn, those too that are being removed.
    pub fn pulses(&self) -> Pulses {
        self.pulses.clone()
    }

    /// Tells a connection to end, which it does once it has finished what cannot be interrupted. [`Self::parted`] tells when.
    /// Whoever has an heir leaves the rest to him; who has none brings to its end whatever it has begun.
    pub fn part(&mut self, name: &str, has_heir: bool) {
        let Some((name, Member { tended, task, .. })) = self.members.remove_entry(name) else { return };
        match has_heir {
            true => tended.ends.hand_over(),
            false => tended.ends.let_go(),
        }
        tended.errands.turn_away();
        self.held.extend(&tended.claims.all);
        self.parting.insert(Arc::clone(&name), tended);
        // A panic has been logged by the loop itself.
        self.ended.push(Box::pin(async move { (name, task.await.ok().flatten()) }));
    }

    /// Those that part although nobody was to take their place have heirs now: those of these wards.
    pub fn hand_over(&self, wards: &BTreeSet<u64>) {
        let heirs = self.parting.values().filter(|parting| wards.contains(&parting.claims.ward));
        heirs.for_each(|parting| parting.ends.hand_over());
    }

    /// Those that have been told to end and have not yet.
    pub fn parting(&self) -> impl Iterator<Item = &str> {
        self.parting.keys().map(|name| &**name)
    }

    /// Whether a parting connection still has anything of this for itself.
    pub fn holds(&self, claims: &Claims) -> bool {
        claims.all.iter().any(|claim| self.held.contains(claim))
    }

    /// The next one that has ended since it was told to; never returns where there is none. Nothing is lost where this is not
    /// waited for to its end.
    pub async fn parted(&mut self) -> Parted {
        loop {
            let Some((name, connection)) = self.ended.next().await else { return std::future::pending().await };
            let Some(parting) = self.parting.remove(&name) else { continue };
            let claims = parting.claims.clone();
            claims.all.iter().for_each(|claim| {
                self.held.remove(claim);
            });
            if let Some(connection) = connection {
                self.estates.insert(claims.ward, connection);
            }
            return Parted { name: name.to_string(), claims };
        }
    }

    /// Lets all connections finish what cannot be interrupted, side by side, and stops tending them; those too that are parting.
    pub async fn stop(&mut self) {
        self.ending.cancel();
        for (name, Member { tended, task, .. }) in std::mem::take(&mut self.members) {
            tended.ends.stop();
            self.ended.push(Box::pin(async move { (name, task.await.ok().flatten()) }));
        }
        for connection in std::mem::take(&mut self.estates).into_values() {
            self.ended.push(Box::pin(std::future::ready((Arc::from(""), Some(connection)))));
        }
        // What is left came too late for an heir.
        let store = async |(_, left): Ended| {
            if let Some(mut connection) = left {
                connection.store_at_the_end().await;
            }
        };
        std::mem::take(&mut self.ended).for_each_concurrent(None, store).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Watcher for Nobody {
        fn saw(&self, _: &Report, _: &Course) {}
    }

    #[tokio::test]
    async fn a_fleet_knows_of_each_loop_whether_it_turns_and_what_it_has_for_itself() {
        let mut fleet = Fleet::new(Arc::new(Nobody));
        let claims = Claims { ward: 7, secret: 8, all: [7, 8].into() };
        fleet.add("a", [0; 32], claims.clone(), Arc::new(|_| unreachable!("it is not begun")), Duration::ZERO);
        let member = &fleet.members()["a"];
        assert_eq!(member.claims(), &claims);
        assert!(fleet.pulses().all_beat());
        member.tended.pulse.set(Some(Arc::new(Progress::default().stood_still(Duration::from_secs(400)))));
        assert!(!fleet.pulses().all_beat());
    }
}

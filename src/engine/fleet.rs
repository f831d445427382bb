//! All connections of a process, each tended by a loop of its own: none waits for another.
//!
//! A loop looks when its time has come, or when it is woken; every wake-up collapses into "look again". Between looks it
//! compares the wall clock at least once a minute, so that a suspended host or a stepped clock does no harm.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::errands::Errands;
pub use super::errands::{InLine, MOST_ASKERS};
use super::herd;
use super::progress::{Course, Listener};
use super::pulse::{Pulse, Pulses};
use super::run::{LAST_CHANCE, LONGEST_NAP};
use super::{Act, Connection, Progress, Report};
use crate::domain::{Order, Timestamp};

/// After a panic, a connection is begun anew so much later.
const AFTER_PANIC: Duration = Duration::from_secs(60);
/// A loop that has not come to its end by so much after it was told to is left as it stands: the next start takes it up. In
/// seconds of this host, since the service manager, which gives it 300, counts those.
const LIMIT: Duration = Duration::from_secs(285);
/// The same where only a reload ends it: far more than the end of the process leaves a rotation, and still an end, so that one
/// loop that hangs does not keep the process from ever taking orders and reading its configuration again.
const RELOAD_LIMIT: Duration = Duration::from_secs(3600);

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
}

/// A connection and the loop that tends it.
pub struct Member {
    /// What tells whether a reload changed it.
    pub identity: Identity,
    wake: Arc<Notify>,
    pulse: Arc<Pulse>,
    stop: CancellationToken,
    errands: Arc<Errands>,
    task: JoinHandle<()>,
}

/// The connections of this process by name.
pub struct Fleet {
    members: BTreeMap<String, Member>,
    pulses: Pulses,
    watcher: Arc<dyn Watcher>,
    /// The process as a whole is to end.
    ending: CancellationToken,
}

impl Fleet {
    /// No connections yet.
    pub fn new(watcher: Arc<dyn Watcher>) -> Self {
        Self { members: BTreeMap::new(), pulses: Pulses::default(), watcher, ending: CancellationToken::new() }
    }

    /// Begins to tend a connection, which looks for the first time `after` so long. Answers with what wakes it.
    pub fn add(&mut self, name: String, identity: Identity, make: Make, after: Duration) -> Arc<Notify> {
        let wake = Arc::new(Notify::new());
        let stop = CancellationToken::new();
        let pulse = Arc::<Pulse>::default();
        self.pulses.add(&pulse);
        let errands = Arc::<Errands>::default();
        let task = tokio::spawn(tend_for_ever(
            name.clone(),
            (make, after),
            Arc::clone(&wake),
            (stop.clone(), self.ending.clone()),
            Arc::clone(&pulse),
            Arc::clone(&self.watcher),
            Arc::clone(&errands),
        ));
        self.members.insert(name, Member { identity, wake: Arc::clone(&wake), pulse, stop, errands, task });
        wake
    }

    /// The connections that are tended.
    pub fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }

    /// Hands a person's order to a connection, which carries it out once it has finished what it is doing. None when there
    /// is no such connection; the receiver fails when the connection ends before the order is carried out.
    pub fn order(&self, name: &str, order: Order) -> Option<(InLine, oneshot::Receiver<Report>)> {
        let member = self.members.get(name).filter(|member| !member.task.is_finished())?;
        let acts = member.pulse.progress().is_some_and(|progress| progress.step().is_some());
        let (place, receiver) = member.errands.add(order);
        Some((if place == InLine::First && acts { InLine::Behind } else { place }, receiver))
    }

    /// Tells somebody of the steps of a connection from now on, if there is such a one.
    pub fn tell(&self, name: &str, listener: Listener) {
        if let Some(progress) = self.members.get(name).and_then(|member| member.pulse.progress()) {
            progress.tell(listener);
        }
    }

    /// Every connection looks again, one after the other.
    pub fn wake_all(&self) {
        let members = self.members.values().map(|member| Arc::clone(&member.wake)).collect();
        tokio::spawn(herd::wake(members));
    }

    /// Whether the loops turn, those too that are being removed.
    pub fn pulses(&self) -> Pulses {
        self.pulses.clone()
    }

    /// Lets connections finish what cannot be interrupted, side by side, and stops tending them.
    pub async fn remove(&mut self, names: &[String]) {
        let members: Vec<_> = names.iter().filter_map(|name| self.members.remove_entry(name)).collect();
        end(members).await;
    }

    /// The same for all.
    pub async fn stop(&mut self) {
        self.ending.cancel();
        end(std::mem::take(&mut self.members)).await;
    }
}

/// Tells every loop to end before it waits for any.
async fn end(members: impl IntoIterator<Item = (String, Member)>) {
    let told = members.into_iter().map(|(name, member)| {
        member.stop.cancel();
        ended(name, member)
    });
    futures::future::join_all(told.collect::<Vec<_>>()).await;
}

async fn ended(name: String, mut member: Member) {
    // A panic has been logged by the loop itself.
    if tokio::time::timeout(RELOAD_LIMIT, &mut member.task).await.is_err() {
        member.task.abort();
        let doing = member.pulse.progress().unwrap_or_default();
        leave(&name, &doing);
    }
}

async fn tend_for_ever(
    name: String,
    (make, mut after): (Make, Duration),
    wake: Arc<Notify>,
    (stop, ending): (CancellationToken, CancellationToken),
    pulse: Arc<Pulse>,
    watcher: Arc<dyn Watcher>,
    errands: Arc<Errands>,
) {
    loop {
        let connection = Box::new(make(stop.clone()).calm());
        let (doing, clock) = (Arc::clone(connection.progress()), Arc::clone(connection.clock()));
        pulse.set(Some(Arc::clone(&doing)));
        let tended = tokio::select! {
            biased;
            tended = AssertUnwindSafe(Box::pin(tend(connection, after, &wake, &stop, &*watcher, &errands))).catch_unwind() => tended,
            () = out_of_time(&ending) => return leave(&name, &doing),
        };
        if tended.is_ok() || stop.is_cancelled() {
            return;
        }
        tracing::error!(connection = %name, "a fault in the program ended the loop of this connection; it begins anew in a minute");
        let broken = Report::broken(&name, "a fault in the program ended its loop", clock.now());
        // The fault may be the watcher's own.
        let told = AssertUnwindSafe(|| watcher.saw(&broken, &Course::default()));
        if std::panic::catch_unwind(told).is_err() {
            tracing::debug!(connection = %name, "whoever watches could not be told");
        }
        pulse.set(None);
        errands.broken_off();
        tokio::time::sleep(AFTER_PANIC).await;
        after = Duration::ZERO;
    }
}

/// Returns when a loop has had all the time there is to end with the process. One that only a reload ends has all of its own.
async fn out_of_time(ending: &CancellationToken) {
    ending.cancelled().await;
    tokio::time::sleep(LIMIT).await;
}

/// Says what is left behind by a loop that does not come to its end in time.
fn leave(name: &str, doing: &Progress) {
    let step = doing.step();
    tracing::error!(connection = %name, step, "it did not come to a safe point in time; the next start takes it up");
    if doing.is_in_memory_only() {
        tell_lost(name);
    }
}

/// The last word on a token that nobody could store.
fn tell_lost(name: &str) {
    tracing::error!(
        connection = %name,
        "a token that the vault never took is lost with this process; Entra may hold it, and the next start has the issuer rotate again"
    );
}

async fn tend(
    mut connection: Box<Connection>,
    after: Duration,
    wake: &Notify,
    stop: &CancellationToken,
    watcher: &dyn Watcher,
    errands: &Errands,
) {
    let mut next: BoxFuture<'static, ()> = Box::pin(herd::wait(after));
    loop {
        let order = tokio::select! {
            biased; // Whoever is told to end begins nothing, whatever else has come.
            () = stop.cancelled() => break,
            order = errands.next() => Some(order),
            () = wake.notified() => None,
            () = connection.called() => None,
            () = &mut next => None,
        };
        let progress = Arc::clone(connection.progress());
        watcher.begins(&connection.spec().name, &progress);
        // What comes of a look is told and not kept: most of the time there are many connections that wait.
        let look = match order {
            Some(order) => {
                let look = errands.beside(&progress, Box::pin(connection.obey(order))).await;
                errands.ended(&look.report);
                look
            }
            None => Box::pin(errands.beside(&progress, connection.look(Act::CarryOut))).await,
        };
        watcher.saw(&look.report, &connection.progress().take_course());
        next = Box::pin(connection.until(look.next));
    }
    if let Some(report) = Box::pin(connection.store_unsaved()).await {
        watcher.saw(&report, &connection.progress().take_course());
    }
}

impl Connection {
    /// Returns when the wall clock has reached `next`, having compared it at least once a minute; and in any case once so much
    /// time has been slept away as it was to take: a clock that is stepped back by a year must not put looking off for a year.
    pub fn until(&self, next: Timestamp) -> impl Future<Output = ()> + Send + use<> {
        let clock = Arc::clone(self.clock());
        let progress = Arc::clone(self.progress());
        async move {
            // Not even a look that is due at once may become a hot loop.
            let mut nap = TimeDelta::seconds(1);
            let mut to_sleep = next - clock.now();
            loop {
                progress.beat();
                clock.sleep(nap.to_std().unwrap_or_default()).await;
                to_sleep -= nap;
                let left = to_sleep.min(next - clock.now());
                if left <= TimeDelta::zero() {
                    return;
                }
                nap = left.min(LONGEST_NAP);
            }
        }
    }

    /// A token in memory is stored before the process ends, if the vault allows it at all, within four minutes of when the
    /// end was asked for. Answers with the last report, where there was anything to store.
    pub async fn store_unsaved(&mut self) -> Option<Report> {
        let (clock, progress) = (Arc::clone(self.clock()), Arc::clone(self.progress()));
        let began = clock.elapsed();
        if self.shutdown.is_cancelled() {
            progress.told_to_end(began);
        }
        let until = || progress.end_asked_at().map_or(began, |asked| asked.min(began)) + LAST_CHANCE;
        let mut last = None;
        while self.holds_unsaved_token() && clock.elapsed() < until() {
            tracing::error!(
                connection = %self.spec().name,
                "the end is put off: a token that the vault does not have yet is in memory only"
            );
            last = Some(self.look(Act::CarryOut).await.report);
            clock.sleep(Duration::from_secs(5)).await;
        }
        if self.holds_unsaved_token() {
            tell_lost(&self.spec().name);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Watcher for Nobody {
        fn saw(&self, _: &Report, _: &Course) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_hangs_is_left_as_it_stands_an_hour_after_a_reload_has_told_it_to_end_and_beats_for_nobody() {
        let mut fleet = Fleet::new(Arc::new(Nobody));
        let (pulse, hung) = (Arc::<Pulse>::default(), Progress::default().stood_still(RELOAD_LIMIT));
        pulse.set(Some(Arc::new(hung)));
        fleet.pulses.add(&pulse);
        let member = Member {
            identity: [0; 32],
            wake: Arc::default(),
            pulse,
            stop: CancellationToken::new(),
            errands: Arc::default(),
            task: tokio::spawn(std::future::pending()),
        };
        fleet.members.insert("a".to_owned(), member);
        let (began, pulses) = (tokio::time::Instant::now(), fleet.pulses());
        let names = ["a".to_owned()];
        let removed = fleet.remove(&names);
        tokio::pin!(removed);
        assert!(futures::poll!(&mut removed).is_pending());
        assert!(!pulses.all_beat(), "it hangs, whoever waits for it");
        removed.await;
        assert_eq!(began.elapsed(), RELOAD_LIMIT);
        assert!(pulses.all_beat());
    }
}

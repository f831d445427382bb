//! The world's face in memory: the five ports over one `World`, in virtual time.
//!
//! Nothing here waits: a sleep moves the world's clock and returns. Every port call takes a little virtual time, may go
//! wrong as the world's faults say, and may be the place where the process "dies": it then never returns, and whoever
//! drives the engine drops its future, as `kill -9` would.
//!
//! Where several processes share one world's time (`FaceOptions::alarms`), nobody moves the clock but their driver:
//! calls and sleeps set an alarm and are pending until it has passed.

mod alarms;
mod errors;
mod graph;
mod issuer;
mod vault;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use scim_rotator::domain::Timestamp;
use scim_rotator::ports::{Clock, Issuer, Probe, Provisioner, Vault};
use tokio::sync::Notify;

use crate::world::{Fault, Op, Refusal, World};
pub use alarms::Alarms;
use errors::Broken;

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// At which port call, counted from 1.
    pub at_call: usize,
    /// Before the far side does as asked, or after.
    pub side: Side,
}

/// On which side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The far side never hears of it.
    Before,
    /// The far side has done as asked (or has failed at it), and nobody is there for the answer.
    After,
}

/// How the face behaves.
#[derive(Clone, Debug)]
pub struct FaceOptions {
    /// How long a call takes: one half before the far side acts, one half after.
    pub latency: TimeDelta,
    /// After how long a call that hangs is given up.
    pub timeout: TimeDelta,
    /// How far the daemon's clock is ahead of the world's to begin with.
    pub skew: TimeDelta,
    /// The configured `job_id`; none stands for the only job.
    pub job_id: Option<String>,
    /// The configured `assumed_lifetime`.
    pub assumed_lifetime: Option<TimeDelta>,
    /// Where the process dies.
    pub crash: Option<Crash>,
    /// The last moment (of the world): a sleep beyond it never returns.
    pub until: Option<Timestamp>,
    /// After each call others have their turn.
    pub yields: bool,
    /// Its edges cannot be made this time, counted from 1: a fault in the program.
    pub fails_to_be_made: Option<usize>,
    /// Somebody else moves the clock, by these. He polls whenever it has moved: nobody is woken otherwise.
    pub alarms: Option<Arc<Alarms>>,
}

impl Default for FaceOptions {
    fn default() -> Self {
        Self {
            latency: TimeDelta::seconds(1),
            timeout: TimeDelta::seconds(20),
            skew: TimeDelta::zero(),
            job_id: None,
            assumed_lifetime: None,
            crash: None,
            until: None,
            yields: false,
            fails_to_be_made: None,
            alarms: None,
        }
    }
}

/// One process's view of the world. Make a new one for each process; several may share a world.
pub struct Face {
    world: Arc<Mutex<World>>,
    options: FaceOptions,
    calls: AtomicUsize,
    made: AtomicUsize,
    bearer: Mutex<Option<issuer::Bearer>>,
    parsed: Mutex<vault::Parsed>,
    skew: Mutex<TimeDelta>,
    /// How long the host has slept, which `elapsed` does not count.
    slept: Mutex<TimeDelta>,
    /// What calls have cost, where somebody else moves the clock: paid before the answer is given.
    owed: Mutex<TimeDelta>,
    dead: Notify,
    over: Notify,
}

/// The five ports.
#[derive(Clone)]
pub struct Ports {
    pub issuer: Arc<dyn Issuer>,
    pub vault: Arc<dyn Vault>,
    pub provisioner: Arc<dyn Provisioner>,
    pub probe: Arc<dyn Probe>,
    pub clock: Arc<dyn Clock>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Face {
    /// A face over `world`.
    pub fn new(world: Arc<Mutex<World>>, options: FaceOptions) -> Arc<Self> {
        let (dead, over) = (Notify::new(), Notify::new());
        let skew = Mutex::new(options.skew);
        Arc::new(Self {
            world,
            options,
            calls: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            bearer: Mutex::default(),
            parsed: Mutex::default(),
            skew,
            slept: Mutex::default(),
            owed: Mutex::default(),
            dead,
            over,
        })
    }

    /// The five ports as they are made anew: they have forgotten the bearer that they had at hand.
    pub fn ports_anew(self: &Arc<Self>) -> Ports {
        let made = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(self.options.fails_to_be_made != Some(made), "a fault in the program, as a test wants it");
        lock(&self.bearer).take();
        self.ports()
    }

    /// How often its edges were made.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// The five ports, all of them this face.
    pub fn ports(self: &Arc<Self>) -> Ports {
        Ports {
            issuer: self.clone(),
            vault: self.clone(),
            provisioner: self.clone(),
            probe: self.clone(),
            clock: self.clone(),
        }
    }

    /// The world, to be looked at or meddled with between two calls.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// How many port calls have been begun. A run without a crash tells how many crash points there are.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Returns once so many have been begun, where others have their turn in between.
    pub async fn has_begun(&self, calls: usize) {
        while self.calls() < calls {
            tokio::task::yield_now().await;
        }
    }

    /// How far the daemon's clock is ahead of the world's.
    pub fn skew(&self) -> TimeDelta {
        *lock(&self.skew)
    }

    /// Steps the daemon's clock.
    pub fn step_clock(&self, by: TimeDelta) {
        *lock(&self.skew) += by;
    }

    /// The host sleeps for so long: the far side goes on, and so does the wall clock.
    pub fn suspend(&self, time: TimeDelta) {
        self.world().advance(time);
        self.wakes(time);
    }

    /// The host has slept for so long.
    pub fn wakes(&self, slept: TimeDelta) {
        *lock(&self.slept) += slept;
    }

    /// Returns when the crash point has been reached: drop the engine then.
    pub async fn crashed(&self) {
        self.dead.notified().await;
    }

    /// Returns when a sleep has reached `until`: nothing more will happen.
    pub async fn over(&self) {
        self.over.notified().await;
    }

    /// One port call: counted, and perhaps the last one of this process.
    async fn port<T>(&self, call: impl FnOnce(&Self) -> T) -> T {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let dies = |side| self.options.crash == Some(Crash { at_call: number, side });
        if dies(Side::Before) {
            self.die("before").await;
        }
        let answer = call(self);
        if dies(Side::After) {
            self.die("after").await;
        }
        if self.options.yields {
            tokio::task::yield_now().await;
        }
        if let Some(alarms) = &self.options.alarms {
            let wake = self.world().now() + std::mem::take(&mut *lock(&self.owed));
            self.pend(alarms, wake).await;
        }
        answer
    }

    /// Pending until the world's clock has been moved to `wake`.
    async fn pend(&self, alarms: &Alarms, wake: Timestamp) {
        alarms.set(wake);
        std::future::poll_fn(|_| if self.world().now() >= wake { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Lets a call take its time.
    fn spend(&self, world: &mut World, time: TimeDelta) {
        match self.options.alarms {
            None => world.advance(time),
            Some(_) => *lock(&self.owed) += time,
        }
    }

    async fn die(&self, side: &str) {
        {
            let mut world = self.world();
            let now = world.now();
            let call = self.calls();
            world.ledger.note(now, format!("the process is killed {side} its call {call}"));
        }
        self.dead.notify_one();
        std::future::pending::<()>().await;
    }

    /// One exchange with a service: latency, faults, and the deed itself.
    fn exchange<T>(&self, op: Op, deed: impl FnOnce(&mut World) -> Result<T, Refusal>) -> Result<T, Broken> {
        let mut world = self.world();
        let half = self.options.latency / 2;
        self.spend(&mut world, half);
        let fault = world.fault(op);
        let answer = match fault {
            None => deed(&mut world).map_err(Broken::Refused),
            Some(fault) => {
                if fault.applies() {
                    // A refusal whose answer is lost is lost as well.
                    let _unheard = deed(&mut world);
                }
                Err(Broken::Fault(fault))
            }
        };
        self.spend(&mut world, if fault == Some(Fault::Hang) { self.options.timeout } else { half });
        answer
    }
}

#[async_trait]
impl Clock for Face {
    fn now(&self) -> Timestamp {
        self.world().now() + self.skew()
    }

    fn elapsed(&self) -> TimeDelta {
        let world = self.world();
        world.now() - world.settings.start - *lock(&self.slept)
    }

    async fn sleep(&self, duration: Duration) {
        if let Some(alarms) = &self.options.alarms {
            let wake = self.world().now() + TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX / 4);
            return self.pend(alarms, wake).await;
        }
        let ended = {
            let mut world = self.world();
            let wake = world.now() + TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX / 4);
            let wake = self.options.until.map_or(wake, |until| wake.min(until));
            world.advance_to(wake);
            self.options.until.is_some_and(|until| wake >= until)
        };
        if ended {
            self.over.notify_one();
            std::future::pending::<()>().await;
        }
        // Whoever else is ready, another connection or the test's driver, goes first.
        tokio::task::yield_now().await;
    }
}

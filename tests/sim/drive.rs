//! Drives the engine against the world in virtual time: processes that live, die and are started again.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use scim_rotator::domain::policy::{Before, Windows};
use scim_rotator::domain::{Bootstrap, Fence, Mode, Policy, TakesEffect as Pinned, Timestamp};
use scim_rotator::engine::{self, Act, Connection, Spec, Tenants, Turns};
use scim_rotator::ports::Clock;
use scim_rotator::sane_clock::SaneClock;
use tokio_util::sync::CancellationToken;

use super::{Crash, Face, FaceOptions, Side};
use crate::world::World;

/// How long the service manager takes to start a process again.
const RESTART: TimeDelta = TimeDelta::seconds(5);
/// The `check` cron: a look at least so often.
const CHECK: TimeDelta = TimeDelta::hours(1);

/// A policy whose numbers are those of the documentation.
pub fn policy(mode: Mode, fence: Fence) -> Policy {
    Policy {
        mode,
        supplied: false,
        takes_effect: Pinned::Unknown,
        fence,
        bootstrap: Some(Bootstrap::Adopt),
        accept_supplied: false,
        rotate_before: Before::Time(TimeDelta::days(30)),
        max_age: None,
        min_slack: TimeDelta::days(7),
        windows: Windows::default(),
        jitter: TimeDelta::zero(),
        settle_for: TimeDelta::minutes(10),
        confirm_within: TimeDelta::hours(24),
        retire_after: TimeDelta::days(7),
    }
}

/// What a process has once, and all connections that it makes of one configuration, one after the other, have in common.
#[derive(Clone)]
pub struct Seat {
    /// How it sees the world.
    pub face: Arc<Face>,
    /// What is configured.
    pub spec: Spec,
    clock: Arc<dyn Clock>,
    tenants: Arc<Tenants>,
    turns: Arc<Turns>,
}

impl Seat {
    /// A connection as it is made at the start, and anew whenever it is configured otherwise.
    pub fn connection(&self, stop: CancellationToken) -> Connection {
        let (seat, spec) = (self.clone(), Arc::new(self.spec.clone()));
        let means = move || {
            let face = seat.face.ports_anew();
            let ports = engine::Ports {
                issuer: face.issuer,
                vault: face.vault,
                provisioner: face.provisioner,
                probe: face.probe,
                clock: Arc::clone(&seat.clock),
                tenants: Arc::clone(&seat.tenants),
                turns: Arc::clone(&seat.turns),
            };
            (Arc::clone(&spec), ports)
        };
        Connection::made_by(Arc::new(means), stop)
    }
}

/// One connection's processes over one world.
pub struct Drive {
    /// The far side.
    pub world: Arc<Mutex<World>>,
    /// The rules.
    pub policy: Policy,
}

impl Drive {
    /// Over a world.
    pub fn new(world: World, policy: Policy) -> Self {
        Self { world: Arc::new(Mutex::new(world)), policy }
    }

    /// The far side, to be looked at.
    pub fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process that has just been started.
    pub fn process(&self, options: FaceOptions) -> (Arc<Face>, Connection) {
        self.connection("sim", Arc::new(Tenants::default()), options)
    }

    /// One of several connections of a process.
    pub fn connection(&self, name: &str, tenants: Arc<Tenants>, options: FaceOptions) -> (Arc<Face>, Connection) {
        self.connect((name, "one-host"), (tenants, Arc::default()), options, CancellationToken::new())
    }

    /// One of several connections of a process that may not all rotate at the same time.
    pub fn in_line(&self, name: &str, turns: Arc<Turns>, options: FaceOptions) -> (Arc<Face>, Connection) {
        self.connect((name, "one-host"), (Arc::default(), turns), options, CancellationToken::new())
    }

    /// A process on a host of its own, with the means to stop it.
    pub fn host(&self, holder: &str, options: FaceOptions, stop: CancellationToken) -> (Arc<Face>, Connection) {
        self.connect(("sim", holder), Default::default(), options, stop)
    }

    fn connect(
        &self,
        names: (&str, &str),
        shared: (Arc<Tenants>, Arc<Turns>),
        options: FaceOptions,
        stop: CancellationToken,
    ) -> (Arc<Face>, Connection) {
        let seat = self.seat(names, shared, options);
        let connection = seat.connection(stop);
        (seat.face, connection)
    }

    /// What a new process makes its connection of.
    pub fn seat(
        &self,
        (name, holder): (&str, &str),
        (tenants, turns): (Arc<Tenants>, Arc<Turns>),
        options: FaceOptions,
    ) -> Seat {
        // An adopted token tells nothing of its end; the configuration does.
        let assumed_lifetime = Some(self.world().settings.token_life);
        let face = Face::new(Arc::clone(&self.world), FaceOptions { assumed_lifetime, ..options });
        let spec = Spec {
            name: name.to_owned(),
            policy: self.policy.clone(),
            tenant_url: self.world().settings.tenant_url.clone(),
            holder: holder.to_owned(),
            issuer_host: "hpe".into(),
        };
        let clock = Arc::new(SaneClock::over(face.ports().clock));
        Seat { face, spec, clock, tenants, turns }
    }

    /// The same from here on, with a process that was killed as soon as the world looked like this.
    pub async fn killed_when(&self, is: impl Fn(&World) -> bool) -> Self {
        for at_call in 1..1000 {
            let drive = Self::new(self.world().clone(), self.policy.clone());
            let crash = Some(Crash { at_call, side: Side::After });
            let (face, connection) = drive.process(FaceOptions { crash, ..FaceOptions::default() });
            let mut connection = connection.calm();
            tokio::select! { biased; () = face.crashed() => (), () = tend(&mut connection) => () }
            if is(&drive.world()) {
                return drive;
            }
        }
        panic!("the world never looks like this")
    }

    /// Lets one process live until `until`. Between its calls `person` may meddle.
    pub async fn live_beside(&self, until: Timestamp, mut person: impl FnMut(&mut World)) {
        let options = FaceOptions { until: Some(until), yields: true, ..FaceOptions::default() };
        let (face, connection) = self.process(options);
        let mut connection = connection.calm();
        let meddle = async {
            loop {
                person(&mut self.world());
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { biased; () = face.over() => (), () = tend(&mut connection) => (), () = meddle => () }
    }

    /// The same while something befalls the process: `beside` is polled between its calls.
    pub async fn live_through<F>(&self, until: Timestamp, beside: impl FnOnce(Arc<Face>) -> F)
    where
        F: Future<Output = ()>,
    {
        let (face, connection) =
            self.process(FaceOptions { until: Some(until), yields: true, ..FaceOptions::default() });
        let mut connection = connection.calm();
        let beside = async {
            beside(Arc::clone(&face)).await;
            std::future::pending::<()>().await;
        };
        tokio::select! { biased; () = face.over() => (), () = beside => (), () = tend(&mut connection) => () }
    }

    /// Lets processes live until `until`, each dying at its crash; the one after the last crash lives on.
    /// Answers with the port calls that the first of them made.
    pub async fn live(&self, crashes: &[Crash], until: Timestamp) -> usize {
        let mut calls = None;
        for crash in crashes.iter().copied().map(Some).chain([None]) {
            let (face, connection) = self.process(FaceOptions { crash, until: Some(until), ..FaceOptions::default() });
            let mut connection = connection.calm();
            let died = tokio::select! {
                biased;
                () = face.crashed() => true,
                () = face.over() => false,
                () = tend(&mut connection) => false,
            };
            calls = calls.or(Some(face.calls()));
            if !died {
                break;
            }
            self.world().advance(RESTART);
        }
        calls.unwrap_or_default()
    }
}

/// Returns once it holds.
pub async fn once(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

/// The loop of a process: look, and look again when it is time, or at the next check.
pub async fn tend(connection: &mut Connection) {
    loop {
        let look = connection.look(Act::CarryOut).await;
        let clock = Arc::clone(connection.clock());
        let wait = (look.next - clock.now()).clamp(TimeDelta::seconds(1), CHECK);
        // Between two looks it forgets whatever it may.
        if let Some(resting) = connection.rest() {
            *connection = resting.wake();
        }
        clock.sleep(wait.to_std().unwrap_or_default()).await;
    }
}

//! The world's face over TLS: HPE, Key Vault and Entra on one loopback port, told apart by host name.
//!
//! A thin skin: it reads requests, asks the world, and words the answer as the service would. It adds what only a network
//! has: a challenge, pages, headers, connections that are refused, cut or never answered. It decides nothing itself.

pub mod assertion;
mod clock;
pub mod clouds;
mod distance;
pub mod fleet;
mod flow;
mod gate;
mod graph;
mod graph_job;
pub mod hooks;
mod hpe;
mod http;
pub mod identity;
mod login;
pub mod proxy;
mod register;
pub mod setup;
#[cfg(test)]
mod tests;
mod vault;
mod wire;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_rustls::rustls::ServerConfig;

use crate::world::{Op, Service, Timestamp, World};
pub use clock::{FastClock, real_now};
pub use gate::{Gate, Hold, Side, Which};
use hooks::Hooks;
pub use hpe::DEBUG_ID;
use register::Register;
use wire::{Caller, Identity, Line, Lines, TlsListener};

/// How often time is let pass in the worlds, in real time.
const TICK: Duration = Duration::from_millis(5);

/// How the sandbox runs.
#[derive(Clone, Copy, Debug)]
pub struct SandboxOptions {
    /// World seconds per real second. With 0 the worlds stand still but for what a test lets pass.
    pub speed: f64,
    /// How long a word and its answer take on the way, in real time, each half of it. It costs every request one of them, and a
    /// new connection two more before it: TCP's and TLS's own words go the same way.
    pub round_trip: Duration,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self { speed: 1.0, round_trip: Duration::ZERO }
    }
}

/// One call that was made, for a test to assert upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The world's time.
    pub at: Timestamp,
    /// The number of the world that it was about; none when it reached no service.
    pub world: Option<usize>,
    /// Which host was asked; none of a machine's own identity endpoint.
    pub service: Option<Service>,
    /// What kind; none when it reached no service (a challenge, a path that is not there).
    pub op: Option<Op>,
    /// The status; none when the connection was broken instead.
    pub status: Option<u16>,
}

/// What the handlers share.
pub struct State {
    worlds: Vec<Arc<Mutex<World>>>,
    register: Register,
    clock: FastClock,
    /// How far the worlds have leapt ahead of the clock.
    leapt: Mutex<TimeDelta>,
    gate: Gate,
    hooks: Hooks,
    places: AtomicUsize,
    log: Mutex<Vec<Recorded>>,
    bearers: Mutex<BTreeSet<String>>,
    lines: Mutex<Lines>,
    hellos: Mutex<BTreeSet<(String, SocketAddr)>>,
}

/// A sandbox that serves until it is dropped.
pub struct Sandbox {
    /// Where it listens: every host name is to be resolved to it.
    pub address: SocketAddr,
    /// The CA to be trusted.
    pub ca_pem: String,
    /// What its servers show, for others that are to be trusted by the same CA.
    pub tls: Arc<ServerConfig>,
    state: Arc<State>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Serves these worlds. Several are told apart by HPE tenant, vault name and service principal. The first one's
    /// time is the anchor: it is to begin at [`real_now`].
    pub async fn start(worlds: Vec<Arc<Mutex<World>>>, options: SandboxOptions) -> anyhow::Result<Self> {
        Self::start_at(worlds, options, &[(Ipv4Addr::LOCALHOST, 0).into()]).await
    }

    /// The same at addresses of one's choice, under the sandbox's names and those of the real services.
    pub async fn start_at(
        worlds: Vec<Arc<Mutex<World>>>,
        options: SandboxOptions,
        addresses: &[SocketAddr],
    ) -> anyhow::Result<Self> {
        let anchor = worlds.first().map_or_else(real_now, |world| lock(world).now());
        let clock = FastClock { anchor, speed: options.speed };
        for world in worlds.iter().filter(|_| options.speed > 0.0) {
            // The SDK counts the life of access tokens in real seconds.
            #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
            let life = (3600.0 * options.speed) as i64;
            lock(world).settings.access_life = TimeDelta::seconds(life.clamp(1, 1_000_000_000_000));
        }
        let (log, bearers, lines, hellos) = (Mutex::default(), Mutex::default(), Mutex::default(), Mutex::default());
        let (gate, hooks, places) = (Gate::default(), Hooks::default(), AtomicUsize::new(0));
        let register = Register::of(&worlds);
        let leapt = Mutex::default();
        let state =
            Arc::new(State { worlds, register, clock, leapt, gate, hooks, places, log, bearers, lines, hellos });
        let left = state.worlds.first().and_then(|world| lock(world).settings.certificate_left);
        let identity = Identity::generate(left)?;
        let admitting = state.clone();
        let (listener, accepting) =
            TlsListener::bind(identity.server.clone(), addresses, move |line| admitting.admit(line)).await?;
        let near = axum::serve::Listener::local_addr(&listener)?;
        let (address, way) = match options.round_trip {
            Duration::ZERO => (near, None),
            time => distance::to(near, time / 2).await.map(|(far, way)| (far, Some(way)))?,
        };
        let app = axum::Router::new().fallback(flow::handle).with_state(state.clone());
        let service = app.into_make_service_with_connect_info::<Caller>();
        let serving = tokio::spawn(async move {
            // It returns only with the runtime.
            let _ended = axum::serve(listener, service).await;
        });
        let ticking = tokio::spawn(tick(state.clone()));
        let tasks = accepting.into_iter().chain([serving, ticking]).chain(way).collect();
        Ok(Self { address, ca_pem: identity.ca_pem, tls: identity.server, state, tasks })
    }

    /// How many worlds there are.
    pub fn worlds(&self) -> usize {
        self.state.worlds.len()
    }

    /// The world with this number, brought up to now.
    pub fn world(&self, number: usize) -> MutexGuard<'_, World> {
        self.state.world(number)
    }

    /// The clock that the worlds run by; the daemon's own must have the same anchor and speed.
    pub fn clock(&self) -> FastClock {
        self.state.clock
    }

    /// Lets time leap in all worlds, as it does for a host that has slept.
    pub fn leap(&self, time: TimeDelta) {
        *self.state.leapt.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }

    /// Where requests can be held.
    pub fn gate(&self) -> &Gate {
        &self.state.gate
    }

    /// The webhooks.
    pub fn hooks(&self) -> &Hooks {
        &self.state.hooks
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Recorded> {
        self.calls_from(0)
    }

    /// Every call but the first so many.
    pub fn calls_from(&self, place: usize) -> Vec<Recorded> {
        let log = self.state.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.get(place..).map(<[_]>::to_vec).unwrap_or_default()
    }

    /// Closes every connection that stands, without a word.
    pub fn hang_up(&self) {
        self.state.cut(|_| true);
    }

    /// Lets every connection that stands be forgotten by a machine on the way: what goes down one comes to nothing.
    pub fn forget_connections(&self) {
        let lines = self.state.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.standing().for_each(|line| line.forget());
    }

    /// Every bearer that anybody has shown.
    pub fn bearers(&self) -> Vec<String> {
        self.state.bearers.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Every name that a client has said hello to, and the address that it came to with it.
    pub fn hellos(&self) -> Vec<(String, SocketAddr)> {
        self.state.hellos.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How many calls have reached a service: the number of places where a caller can be killed.
    pub fn deeds(&self) -> usize {
        self.state.places.load(Ordering::Relaxed)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.state.cut(|_| true);
    }
}

impl State {
    /// A world, brought up to now.
    fn world(&self, number: usize) -> MutexGuard<'_, World> {
        let mut world = lock(&self.worlds[number]);
        let leapt = *self.leapt.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance_to(self.clock.now() + leapt);
        world
    }

    /// The number of the world of which this holds, which is most likely the one that `key` stands for in the register.
    fn find(&self, key: &str, is_it: impl Fn(&World) -> bool) -> Option<usize> {
        let is_it = |number: &usize| is_it(&lock(&self.worlds[*number]));
        self.register.look_up(key).filter(is_it).or_else(|| (0..self.worlds.len()).find(is_it))
    }

    /// Whether a client may connect to the host that it says hello to.
    fn admit(&self, line: &Arc<Line>) -> bool {
        if let Some(at) = line.at {
            self.hellos.lock().unwrap_or_else(PoisonError::into_inner).insert((line.host.clone(), at));
        }
        let service = service_of(&line.host);
        if service.is_none() && line.host != hooks::HOST {
            return false;
        }
        if let Some(service) = service.filter(|service| self.is_down(*service)) {
            for number in 0..self.worlds.len() {
                let mut world = self.world(number);
                let now = world.now();
                world.faults.turn_away(service, now);
            }
            return false;
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).add(line);
        true
    }

    /// Hosts are shared: a service is down when it is down in every world.
    fn is_down(&self, service: Service) -> bool {
        (0..self.worlds.len()).all(|number| {
            let world = self.world(number);
            let now = world.now();
            world.faults.is_down(service, now)
        })
    }

    fn cut(&self, which: impl Fn(&str) -> bool) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.standing().filter(|line| which(&line.host)).for_each(|line| line.cut());
    }

    /// The number of the call that has just reached a service.
    fn next_place(&self) -> usize {
        self.places.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn record(&self, call: Recorded) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// Who answers on a host. The SCIM endpoint shares HPE's.
fn service_of(host: &str) -> Option<Service> {
    match host {
        "iam.sandbox.test" | "iam.us1.greenlake-hpe.com" => Some(Service::HpeAuth),
        "sps.sandbox.test" | "sps.us1.greenlake-hpe.com" => Some(Service::Hpe),
        _ => clouds::service_of(host),
    }
}

/// Lets time pass, and breaks the connections to services that have gone down.
async fn tick(state: Arc<State>) {
    const HOSTS: [Service; 5] = [Service::EntraLogin, Service::HpeAuth, Service::Hpe, Service::Graph, Service::Vault];
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        for service in HOSTS.into_iter().filter(|service| state.is_down(*service)) {
            state.cut(|host| service_of(host) == Some(service));
        }
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The long-running process: a fleet, a ticker, and the signals. What is done about a token stands in `engine`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::task::TaskTracker;

use crate::admin::control::Control;
use crate::admin::counts::Counts;
use crate::admin::health::{STUCK, whys};
use crate::admin::lock::Lock;
use crate::admin::looks::Looks;
use crate::admin::service_manager::ServiceManager;
use crate::admin::web::{self, Web};
use crate::app::{App, Shared};
use crate::config::{Config, Environment, Loaded, Refused};
use crate::engine::fleet::{Identity, Make, Watcher};
use crate::engine::herd;
use crate::engine::pulse::Pulses;
use crate::engine::ticker::Ticker;
use crate::engine::{Course, Fleet, Progress, Report};
use crate::notify::Notifier;
use crate::ports::Clock;
use crate::sane_clock;

/// How often the loops are watched where systemd does not ask for more.
const WATCH: Duration = Duration::from_secs(30);

/// Everything that lives as long as the process.
struct Daemon {
    config_file: PathBuf,
    fleet: Fleet,
    /// Counts the loops that still turn, those too that a reload is about to end.
    loops: TaskTracker,
    ticker: Ticker,
    shared: Shared,
    manager: Arc<ServiceManager>,
    looks: Arc<Looks>,
    notifier: Arc<Notifier>,
    clock: Arc<dyn Clock>,
    control: Control,
    web: Web,
}

/// Those who are told of every look.
struct Watchers {
    manager: Arc<ServiceManager>,
    looks: Arc<Looks>,
    counts: Arc<Counts>,
    notifier: Arc<Notifier>,
    clock: Arc<dyn Clock>,
}

impl Watcher for Watchers {
    fn begins(&self, connection: &str, doing: &Arc<Progress>) {
        self.looks.begins(connection, doing, self.clock.now());
    }

    fn saw(&self, report: &Report, course: &Course) {
        self.manager.report(report);
        let turn = self.looks.saw(report);
        let (before, seen) = turn.map_or((None, None), |turn| (turn.before, Some(turn.now)));
        self.counts.saw(before.as_ref(), report, course);
        let whys = seen.map_or_else(Vec::new, |seen| whys(&seen, self.clock.now()));
        self.notifier.saw(report, &whys);
    }
}

/// Tends every connection until it is told to end.
pub async fn run(config_file: PathBuf, config: Config) -> anyhow::Result<()> {
    let _lock = Lock::take(&config.runtime_dir)?;
    let mut signals = Signals::listen().context("signals cannot be listened to")?;
    let manager = Arc::new(ServiceManager::default());
    let looks = Arc::new(Looks::default());
    let (counts, shared) = (Arc::new(Counts::default()), Shared::default());
    let clock = crate::app::clock(&config);
    let notifier = Arc::new(Notifier::new(Arc::clone(&clock), crate::app::holder(&config.runtime_dir)));
    let watchers = Watchers {
        manager: Arc::clone(&manager),
        looks: Arc::clone(&looks),
        counts: Arc::clone(&counts),
        notifier: Arc::clone(&notifier),
        clock: Arc::clone(&clock),
    };
    let shown = web::Host {
        looks: Arc::clone(&looks),
        counts,
        calls: shared.calls.clone(),
        notified: notifier.sent(),
        manager: Arc::clone(&manager),
        started: clock.now(),
        clock: Arc::clone(&clock),
        sandboxed: config.sandbox.is_some(),
    };
    let mut daemon = Daemon {
        config_file,
        fleet: Fleet::new(Arc::new(watchers)),
        loops: TaskTracker::new(),
        ticker: Ticker::start().await.context("the cron cannot be started")?,
        shared,
        control: Control::open(&config.runtime_dir, Arc::clone(&clock), Arc::clone(&looks), Arc::clone(&manager)),
        manager,
        looks,
        clock,
        web: Web::new(shown),
        notifier,
    };
    daemon.web.listen(config.admin);
    if !daemon.clock_is_set(&config, &mut signals).await {
        return Ok(());
    }
    daemon.manager.alive();
    let (connections, refused) = (config.connections.len(), config.refused.clone());
    daemon.apply(config).await?;
    daemon.manager.ready();
    for refused in refused {
        let report = Report::refused(&refused.name, refused.problems.to_string());
        daemon.manager.report(&report);
        daemon.notifier.saw(&report, &[]);
    }
    tracing::info!(connections, "ready");
    daemon.watch(&mut signals).await;
    daemon.control.refuse();
    daemon.end(&mut signals).await;
    daemon.web.close();
    tokio::select! {
        () = daemon.notifier.end() => (),
        () = signals.end() => (),
    }
    daemon.control.close().await;
    Ok(())
}

impl Daemon {
    /// Waits for a clock that nobody has set yet. The service counts as started meanwhile: it may take longer than that may.
    /// No, if the end is asked for first.
    async fn clock_is_set(&self, config: &Config, signals: &mut Signals) -> bool {
        let clock = crate::app::clock(config);
        if let Some(what) = sane_clock::complaint(clock.now()) {
            self.manager.ready();
            self.manager.waiting(&what);
            self.looks.wait_for(Some(what));
        }
        let mut interval = tokio::time::interval(self.manager.watchdog_interval().unwrap_or(WATCH).min(WATCH));
        let mut set = std::pin::pin!(sane_clock::wait(&*clock));
        loop {
            tokio::select! {
                biased;
                () = &mut set => {
                    self.looks.wait_for(None);
                    return true;
                }
                () = signals.end() => return false,
                _ = interval.tick() => self.manager.alive(),
            }
        }
    }

    /// Brings the fleet in step with a configuration: what has not changed is not touched.
    async fn apply(&mut self, config: Config) -> anyhow::Result<()> {
        let app = App::build(&config, self.shared.clone())?;
        let audience = app.audience(&config);
        // Everything that can fail comes first, so that a configuration that fails changes nothing. What is told of each
        // connection is dropped as soon as it is made: of many it takes as much as they do.
        let mut wanted = BTreeMap::new();
        for connection in config.connections {
            let make = counted(&self.loops, app.maker(&connection)?);
            let made = (app.identity(&connection), make, connection.check.as_str().to_owned());
            wanted.insert(connection.name.to_string(), made);
        }
        app.limit_rotations();
        self.web.listen(config.admin);
        for seen in self.looks.refused().iter().filter(|seen| !wanted.contains_key(&seen.connection)) {
            self.forget(&seen.connection);
        }
        let refused = config.refused.iter().map(|one| Report::refused(&one.name, one.problems.to_string()));
        self.looks.refuse(refused.collect());
        self.notifier.turn_to(audience);
        let changed = |name: &str, identity: &Identity| wanted.get(name).is_none_or(|(new, ..)| new != identity);
        let gone = self.fleet.members().iter().filter(|(name, member)| changed(name, &member.identity));
        let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
        for name in &gone {
            tracing::info!(connection = %name, "no longer tended as it was configured");
            self.ticker.stop(name).await.context("a cron job cannot be removed")?;
        }
        self.fleet.remove(&gone).await;
        for name in &gone {
            self.shared.tenants.release(name);
            // Of one that is only configured otherwise, what was seen is still what is known.
            if !wanted.contains_key(name) {
                self.looks.forget(name);
                self.forget(name);
            }
        }
        // Before any of them looks, so that none issues before all have shown their tenant.
        for name in wanted.keys().filter(|name| !self.fleet.members().contains_key(*name)) {
            self.shared.tenants.expect(name);
        }
        let new = wanted.into_iter().filter(|(name, _)| !self.fleet.members().contains_key(name)).collect::<Vec<_>>();
        let apart = herd::apart(new.len());
        for ((name, (identity, make, check)), number) in new.into_iter().zip(0..) {
            self.looks.expect(&name, identity, self.clock.now());
            let wake = self.fleet.add(name.clone(), identity, make, apart * number);
            let ticks = self.ticker.wake(&name, wake, &check).await;
            ticks.with_context(|| format!("connection {name}: check = {check:?} is no cron expression"))?;
        }
        Ok(())
    }

    /// Nothing more will be told of it.
    fn forget(&self, connection: &str) {
        self.manager.forget(connection);
        self.notifier.forget(connection);
    }

    /// The same, while the service manager hears whether the process lives: a connection that is changed in the middle of a
    /// rotation brings it to a safe point first, which may take minutes.
    async fn apply_watched(&mut self, config: Config) -> anyhow::Result<()> {
        let pulse = self.pulse();
        let mut interval = tokio::time::interval(self.manager.watchdog_interval().unwrap_or(WATCH).min(WATCH));
        let mut applied = std::pin::pin!(self.apply(config));
        loop {
            tokio::select! {
                result = &mut applied => return result,
                _ = interval.tick() => pulse.pass_on(),
            }
        }
    }

    /// SIGHUP: a good configuration is taken over, a bad one refused; everybody looks.
    async fn reload(&mut self) {
        self.manager.reloading();
        let problems = self.read_again().await.err();
        if let Some(problems) = &problems {
            tracing::error!(%problems, "the new configuration is refused; the old one stays");
        }
        self.manager.refused(problems.is_some());
        self.looks.reloaded(problems);
        self.fleet.wake_all();
        self.manager.ready();
    }

    /// Fails with all that is wrong with it.
    async fn read_again(&mut self) -> Result<(), String> {
        let loaded = Config::load(&self.config_file, &Environment::of_process());
        let Loaded { config, .. } = loaded.map_err(|problems| problems.to_string())?;
        if !config.refused.is_empty() {
            let told = config.refused.iter().map(|Refused { name, problems }| format!("connection {name}: {problems}"));
            return Err(told.collect::<Vec<_>>().join("\n"));
        }
        let connections = config.connections.len();
        self.apply_watched(config).await.map_err(|error| crate::engine::chain(error.as_ref()).to_string())?;
        tracing::info!(connections, "the configuration was read again");
        Ok(())
    }

    /// Until the end is asked for: signals, and the watchdog, which is fed only while every loop turns.
    async fn watch(&mut self, signals: &mut Signals) {
        let mut interval = tokio::time::interval(self.manager.watchdog_interval().unwrap_or(WATCH).min(WATCH));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                wish = signals.next() => match wish {
                    Wish::End => return,
                    Wish::Reload => tokio::select! {
                        () = self.reload() => (),
                        // A loop that the reload was ending goes on to its safe point, and the end waits for it.
                        () = signals.end() => return,
                    },
                },
                call = self.control.next() => call.pass_to(&self.fleet),
                _ = interval.tick() => self.feed_watchdog(),
            }
        }
    }

    fn feed_watchdog(&self) {
        self.pulse().pass_on();
        // A look is told at its end; one that takes too long is told before.
        let now = self.clock.now();
        for seen in self.looks.at_work_since(now - STUCK) {
            seen.report.iter().for_each(|report| self.notifier.saw(report, &whys(&seen, now)));
        }
        // Nobody looks at those that are refused; whoever is told of them is told again.
        for report in self.looks.refused().into_iter().filter_map(|seen| seen.report) {
            self.notifier.saw(&report, &[]);
        }
    }

    /// Told even while the fleet is being changed.
    fn pulse(&self) -> Pulse {
        Pulse { loops: self.fleet.pulses(), manager: Arc::clone(&self.manager), notifier: Arc::clone(&self.notifier) }
    }

    /// What cannot be interrupted is finished first. Asked a second time, the process leaves at once, which is safe too.
    async fn end(&mut self, signals: &mut Signals) {
        tracing::info!("ending; a rotation under way is brought to a safe point first");
        self.manager.stopping();
        let (fleet, loops, manager) = (&mut self.fleet, &self.loops, &self.manager);
        loops.close();
        let mut interval = tokio::time::interval(manager.watchdog_interval().unwrap_or(WATCH).min(WATCH));
        let mut stopped = std::pin::pin!(futures::future::join(fleet.stop(), loops.wait()));
        loop {
            tokio::select! {
                _ = &mut stopped => break tracing::info!("ended"),
                () = signals.end() => break tracing::warn!("ended at once, as asked; the next start takes up what is unfinished"),
                // A stopping process is bounded by the time systemd gives it to stop.
                _ = interval.tick() => manager.alive(),
            }
        }
    }
}

/// Whether the loops turn, and who is told.
struct Pulse {
    loops: Pulses,
    manager: Arc<ServiceManager>,
    notifier: Arc<Notifier>,
}

impl Pulse {
    fn pass_on(&self) {
        let is_alive = self.loops.all_beat();
        self.notifier.turns(is_alive);
        match is_alive {
            true => self.manager.alive(),
            false => tracing::error!("the loop of a connection no longer turns; the watchdog is not fed"),
        }
    }
}

/// The same, counted in `loops` for as long as the loop that uses it turns.
fn counted(loops: &TaskTracker, make: Make) -> Make {
    let turning = loops.token();
    Arc::new(move |stop| {
        let _turning = &turning;
        make(stop)
    })
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    End,
    Reload,
}

/// The signals that the daemon answers to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::End,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.reload.recv() => Wish::Reload,
        }
    }

    /// Somebody wants it to end. Wishes to reload wait meanwhile, as one.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}

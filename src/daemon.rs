//! The long-running process: a fleet, a ticker, and the signals. What is done about a token stands in `engine`.

mod change;
mod signals;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use self::change::Coming;
use self::signals::{Signals, Wish};
use crate::admin::control::Control;
use crate::admin::counts::Counts;
use crate::admin::health::{STUCK, whys};
use crate::admin::lock::Lock;
use crate::admin::looks::Looks;
use crate::admin::service_manager::ServiceManager;
use crate::admin::web::{self, Web};
use crate::app::Shared;
use crate::config::Config;
use crate::edge::clock::SystemClock;
use crate::engine::fleet::Watcher;
use crate::engine::pulse::Pulses;
use crate::engine::ticker::Ticker;
use crate::engine::{Claims, Course, Fleet, Progress, Report};
use crate::notify::Notifier;
use crate::ports::Clock;
use crate::sane_clock;

/// How often the loops are watched where systemd does not ask for more.
const WATCH: Duration = Duration::from_secs(30);

/// Everything that lives as long as the process.
struct Daemon {
    config_file: PathBuf,
    fleet: Fleet,
    coming: Coming,
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

    fn leaves(&self, connection: &str, claims: &Claims, open: &str) {
        let left = self.looks.leave_behind(connection, claims, open);
        let (job, remedy) = (left.job.as_ref().map(|job| job.id.as_str()), left.standing.remedy.as_deref());
        tracing::error!(
            connection,
            job,
            open,
            remedy,
            "nobody tends this connection any more, and it is left behind: what it has begun has not come to its end"
        );
        self.manager.report(&left);
        self.notifier.saw(&left, &[]);
    }
}

/// Tends every connection until it is told to end.
pub async fn run(config_file: PathBuf, config: Config) -> anyhow::Result<()> {
    let _lock = Lock::take(&config.runtime_dir)?;
    let mut signals = Signals::listen().context("signals cannot be listened to")?;
    let manager = Arc::new(ServiceManager::default());
    let looks = Arc::new(Looks::default());
    let (counts, shared) = (Arc::new(Counts::default()), Shared::of(&config));
    let clock = Arc::clone(&shared.clock);
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
        coming: Coming::default(),
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
    daemon.coming.refuse();
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

    /// Until the end is asked for: signals, and the watchdog, which is fed only while every loop turns.
    async fn watch(&mut self, signals: &mut Signals) {
        let mut interval = tokio::time::interval(self.manager.watchdog_interval().unwrap_or(WATCH).min(WATCH));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                wish = signals.next(self.coming.is_empty()) => match wish {
                    Wish::End => return,
                    Wish::Reload => self.reload().await,
                },
                call = self.control.next() => self.pass_on(call),
                parted = self.fleet.parted() => self.parted(parted).await,
                _ = interval.tick() => {
                    self.feed_watchdog();
                    // The scheduler goes by this host's clock, and by no other.
                    if let Err(error) = self.ticker.keep_time(SystemClock.now()).await {
                        tracing::debug!(%error, "the cron could not be begun anew");
                    }
                }
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
        // Nobody looks at those that are refused or left behind; whoever is told of them is told again.
        for report in self.looks.untended() {
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
        let (fleet, manager) = (&mut self.fleet, &self.manager);
        let mut interval = tokio::time::interval(manager.watchdog_interval().unwrap_or(WATCH).min(WATCH));
        let mut stopped = std::pin::pin!(fleet.stop());
        loop {
            tokio::select! {
                () = &mut stopped => break tracing::info!("ended"),
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

//! The loop that tends one connection.
//!
//! It looks when its time has come, or when it is woken; every wake-up collapses into "look again". Between looks it
//! compares the wall clock at least once a minute, so that a suspended host or a stepped clock does no harm.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::claims::Claims;
use super::errands::Errands;
use super::fleet::{Make, Watcher};
use super::herd;
use super::observe::NEVER_SEEN;
use super::progress::Course;
use super::pulse::Pulse;
use super::report::Kind;
use super::run::{LAST_CHANCE, LONGEST_NAP};
use super::{Act, Connection, Progress, Report};
use crate::domain::{Order, Reason, Timestamp};
use crate::ports::Clock;

/// After a panic, a connection is begun anew so much later.
const AFTER_PANIC: Duration = Duration::from_secs(60);
/// A loop that has not come to its end by so much after it was told to is left as it stands: the next start takes it up. In
/// seconds of this host, since the service manager, which gives it 300, counts those.
const LIMIT: Duration = Duration::from_secs(285);
/// So long what a connection has begun is tended on after it was taken out of the configuration. A pause that stands for a lost
/// answer stands no longer, and by then the issuer has been asked again three times.
const OPEN_LIMIT: TimeDelta = TimeDelta::hours(1);
/// So long where no look has ever succeeded: most of those have never begun anything, and somebody may wait to correct them.
const UNSEEN_LIMIT: TimeDelta = TimeDelta::minutes(10);
/// The same as [`LIMIT`] where only a reload ends the loop: an end, so that one that hangs does not keep for ever what others
/// wait for.
const RELOAD_LIMIT: Duration = Duration::from_secs(3900);

/// How a loop is told to end, and what comes after it.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    /// It comes to a safe point, and looks no more by itself.
    stop: CancellationToken,
    /// The process as a whole is to end.
    process: CancellationToken,
    after: Arc<After>,
}

#[derive(Debug, Default)]
struct After {
    /// Somebody tends the same ward from then on.
    has_heir: AtomicBool,
    /// Of a connection that was taken out of the configuration: ends what it does to bring to its end what it has begun.
    onward: OnceLock<CancellationToken>,
}

impl Ends {
    /// Not yet.
    pub fn with(process: CancellationToken) -> Self {
        Self { stop: CancellationToken::new(), process, after: Arc::default() }
    }

    /// The process ends.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// The connection is taken out of the configuration.
    pub fn let_go(&self) {
        self.after.onward.get_or_init(|| self.process.child_token());
        self.stop.cancel();
    }

    /// The connection is configured otherwise, or is back.
    pub fn hand_over(&self) {
        self.after.has_heir.store(true, Ordering::Release);
        self.after.onward.get().into_iter().for_each(CancellationToken::cancel);
        self.stop.cancel();
    }

    fn has_heir(&self) -> bool {
        self.after.has_heir.load(Ordering::Acquire)
    }

    /// Whether there is an heir who may still come to it.
    fn can_hand_over(&self) -> bool {
        self.has_heir() && !self.process.is_cancelled()
    }

    /// Returns when a loop has had all the time there is to end. One that only a reload ends has all of its own.
    async fn out_of_time(&self) {
        let with_process = async {
            self.process.cancelled().await;
            tokio::time::sleep(LIMIT).await;
        };
        let alone = async {
            self.stop.cancelled().await;
            tokio::time::sleep(RELOAD_LIMIT).await;
        };
        tokio::select! {
            () = with_process => (),
            () = alone => (),
        }
    }
}

/// One loop, shared with the fleet that it belongs to.
pub(super) struct Loop {
    pub name: Arc<str>,
    pub claims: Claims,
    pub make: Make,
    pub wake: Arc<Notify>,
    pub ends: Ends,
    pub pulse: Arc<Pulse>,
    pub watcher: Arc<dyn Watcher>,
    pub errands: Errands,
}

/// How a loop has come to its end.
enum End {
    /// As it was told to. Whether what it knows is for its heir.
    Told { handed_over: bool },
    /// It had no more time.
    Late,
    /// By a fault in the program.
    Fault,
}

/// What a loop is called for.
enum Call {
    /// To come to its end.
    End,
    /// To do what a person asks for.
    Order(Order),
    /// To look.
    Look,
}

/// What a loop that was at work does next.
enum Tended {
    /// Nothing until then, as far as is known.
    Rests(Timestamp),
    /// It ends, as it was told to. Whether what it knows is for its heir.
    Told { handed_over: bool },
}

/// When a connection looks next by itself.
#[derive(Clone, Copy)]
enum Next {
    /// In so long, in seconds of this host.
    After(Duration),
    /// Once its clock has reached this.
    At(Timestamp),
}

impl Next {
    /// Returns then.
    async fn comes(self, clock: &Arc<dyn Clock>, progress: &Progress) {
        match self {
            Self::After(time) => Box::pin(herd::wait(time)).await,
            Self::At(moment) => until(clock, progress, moment).await,
        }
    }
}

impl Loop {
    /// Tends until it is told to end. What another one of the same ward knew `before` is taken over; what an heir is to know is
    /// handed on.
    pub async fn run(
        self: Arc<Self>,
        mut after: Duration,
        mut before: Option<Box<Connection>>,
    ) -> Option<Box<Connection>> {
        let mut clock = None;
        loop {
            let end = match catch_unwind(AssertUnwindSafe(|| Box::new((self.make)(self.ends.stop.clone()).calm()))) {
                Ok(mut connection) => {
                    before.take().into_iter().for_each(|before| connection.inherit(*before));
                    clock = Some(Arc::clone(connection.clock()));
                    self.errands.go_by(connection.spec().policy.mode);
                    self.pulse.set(Some(Arc::clone(connection.progress())));
                    let lived = AssertUnwindSafe(self.live(connection, after)).catch_unwind().await;
                    let end;
                    (end, before) = lived.unwrap_or((End::Fault, None));
                    before.iter_mut().for_each(|before| before.step_out_of_line());
                    end
                }
                Err(_) => End::Fault,
            };
            let handed_over = match end {
                End::Told { handed_over } => handed_over,
                End::Late => self.ends.can_hand_over(),
                End::Fault if self.ends.stop.is_cancelled() => self.ends.can_hand_over(),
                End::Fault => {
                    self.tell_fault(clock.as_deref());
                    self.tell_lost(before.as_deref(), true);
                    tokio::select! {
                        () = self.ends.stop.cancelled() => (),
                        () = tokio::time::sleep(AFTER_PANIC) => (),
                    }
                    after = Duration::ZERO;
                    continue;
                }
            };
            if !matches!(end, End::Told { .. }) {
                self.tell_lost(before.as_deref(), handed_over);
            }
            self.tell_left(before.as_deref());
            return before.filter(|_| handed_over);
        }
    }

    /// From when a connection is made until it is tended no more: at work, and at rest wherever it can be. None is left where
    /// it could not be woken, or need not be: an heir sees by itself what is open.
    async fn live(&self, mut connection: Box<Connection>, after: Duration) -> (End, Option<Box<Connection>>) {
        let mut next = Next::After(after);
        loop {
            let mut call = None;
            if let Some(resting) = connection.rest() {
                drop(connection);
                // As `call` has it, but that nobody who rests stands in line. Written out, since a future that is handed on
                // takes its room twice.
                call = Some(tokio::select! {
                    biased;
                    () = self.ends.stop.cancelled() => Call::End,
                    order = self.errands.next() => Call::Order(order),
                    () = self.wake.notified() => Call::Look,
                    () = next.comes(resting.clock(), resting.progress()) => Call::Look,
                });
                if matches!(call, Some(Call::End)) && self.ends.can_hand_over() {
                    return (End::Told { handed_over: true }, None);
                }
                let Ok(woken) = catch_unwind(AssertUnwindSafe(|| Box::new(resting.wake()))) else {
                    return (End::Fault, None);
                };
                connection = woken;
            }
            // What is at work is large, and most of the time nearly all connections rest.
            match Box::pin(self.tend_to_end(&mut connection, call, next)).await {
                Ok(later) => next = Next::At(later),
                Err(end) => return (end, Some(connection)),
            }
        }
    }

    /// Until it may rest until the moment that is answered, or comes to its end.
    async fn tend_to_end(&self, connection: &mut Connection, call: Option<Call>, next: Next) -> Result<Timestamp, End> {
        let (doing, clock) = (Arc::clone(connection.progress()), Arc::clone(connection.clock()));
        let told = async {
            self.ends.process.cancelled().await;
            doing.process_ends(clock.elapsed());
            std::future::pending().await
        };
        let tended = AssertUnwindSafe(Box::pin(self.tend(connection, call, next))).catch_unwind();
        tokio::select! {
            biased;
            end = told => end,
            tended = tended => match tended {
                Ok(Tended::Rests(until)) => Ok(until),
                Ok(Tended::Told { handed_over }) => Err(End::Told { handed_over }),
                Err(_) => Err(End::Fault),
            },
            () = self.ends.out_of_time() => {
                let step = doing.step();
                tracing::error!(connection = %self.name, step, "it did not come to a safe point in time; whoever tends it next takes it up");
                Err(End::Late)
            }
        }
    }

    /// What comes next. Whoever is told to end begins nothing, whatever else has come.
    async fn call(&self, connection: &Connection, next: Next) -> Call {
        tokio::select! {
            biased;
            () = self.ends.stop.cancelled() => Call::End,
            order = self.errands.next() => Call::Order(order),
            () = self.wake.notified() => Call::Look,
            () = connection.called() => Call::Look,
            () = next.comes(connection.clock(), connection.progress()) => Call::Look,
        }
    }

    async fn tend(&self, connection: &mut Connection, mut call: Option<Call>, mut next: Next) -> Tended {
        loop {
            let call = match call.take() {
                Some(call) => call,
                None => self.call(connection, next).await,
            };
            let progress = Arc::clone(connection.progress());
            // What comes of a look is told and not kept: most of the time there are many connections that wait.
            let look = match call {
                Call::End => break,
                Call::Order(order) => {
                    self.watcher.begins(&connection.spec().name, &progress);
                    let look = self.errands.beside(&progress, Box::pin(connection.obey(order))).await;
                    self.errands.ended(&look.report);
                    look
                }
                Call::Look => {
                    self.watcher.begins(&connection.spec().name, &progress);
                    Box::pin(self.errands.beside(&progress, connection.look(Act::CarryOut))).await
                }
            };
            self.watcher.saw(&look.report, &connection.progress().take_course());
            if connection.can_rest() && connection.has_time(look.next) && !self.ends.stop.is_cancelled() {
                return Tended::Rests(look.next);
            }
            next = Next::At(look.next);
        }
        if !self.ends.has_heir()
            && let Some(onward) = self.ends.after.onward.get()
        {
            Box::pin(self.finish(connection, onward)).await;
        }
        let handed_over = self.ends.can_hand_over();
        if !handed_over && let Some(report) = Box::pin(connection.store_unsaved()).await {
            self.watcher.saw(&report, &connection.progress().take_course());
        }
        Tended::Told { handed_over }
    }

    /// What it has begun is brought to its end, as far as time does that: nobody else will.
    async fn finish(&self, connection: &mut Connection, onward: &CancellationToken) {
        if onward.is_cancelled() {
            return;
        }
        let clock = Arc::clone(connection.clock());
        let began = clock.elapsed();
        connection.go_on(onward.clone());
        while connection.is_open() && !onward.is_cancelled() {
            self.watcher.begins(&connection.spec().name, connection.progress());
            let look = connection.look(Act::Finish).await;
            self.watcher.saw(&look.report, &connection.progress().take_course());
            let until = began + if connection.is_unseen() { UNSEEN_LIMIT } else { OPEN_LIMIT };
            let needs_human = look.report.standing.kind == Kind::NeedsHuman;
            if !connection.is_open() || needs_human || clock.elapsed() >= until {
                return;
            }
            let next = connection.until(look.next.min(clock.now() + (until - clock.elapsed())));
            tokio::select! {
                () = onward.cancelled() => (),
                () = connection.called() => (),
                () = next => (),
            }
        }
    }

    fn tell_fault(&self, clock: Option<&dyn Clock>) {
        tracing::error!(connection = %self.name, "a fault in the program ended the loop of this connection; it begins anew in a minute");
        let broken = Report::broken(&self.name, "a fault in the program ended its loop", clock.map(Clock::now));
        // The fault may be the watcher's own.
        let told = AssertUnwindSafe(|| self.watcher.saw(&broken, &Course::default()));
        if catch_unwind(told).is_err() {
            tracing::debug!(connection = %self.name, "whoever watches could not be told");
        }
        self.pulse.set(None);
        self.errands.broken_off();
    }

    /// A token that was in memory only is lost, unless somebody goes on with it.
    fn tell_lost(&self, connection: Option<&Connection>, goes_on: bool) {
        if connection.is_some_and(|it| it.has_lost_token() || !goes_on && it.holds_unsaved_token()) {
            tell_lost(&self.name);
        }
    }

    /// What a connection leaves behind that nobody tends any more.
    fn tell_left(&self, connection: Option<&Connection>) {
        if self.ends.after.onward.get().is_none() || self.ends.has_heir() {
            return;
        }
        // Of one that could not be made nobody knows.
        match connection.map_or_else(|| Some(NEVER_SEEN.to_owned()), Connection::open) {
            Some(open) => self.watcher.leaves(&self.name, &self.claims, &open),
            None => {
                tracing::info!(connection = %self.name, "it is let go: as far as was seen, nothing of it is left open")
            }
        }
    }
}

/// The last word on a token that nobody could store.
fn tell_lost(name: &str) {
    tracing::error!(
        connection = %name,
        "a token that the vault never took is lost; Entra may hold it, and whoever tends the connection next has the issuer rotate again"
    );
}

/// No look is further ahead than this.
const FURTHEST: TimeDelta = TimeDelta::days(1);

/// Returns when the wall clock has reached `next`, having compared it at least once a minute; and in any case once so much
/// time has been slept away as it was to take: a clock that is stepped back by a year must not put looking off for a year.
async fn until(clock: &Arc<dyn Clock>, progress: &Progress, next: Timestamp) {
    // Not even a look that is due at once may become a hot loop.
    let mut nap = TimeDelta::seconds(1);
    // None is further ahead: one that seems to be was reckoned by a clock that has been set right since.
    let mut to_sleep = (next - clock.now()).min(FURTHEST);
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

impl Connection {
    /// Returns when the wall clock has reached `next`, or so much time has been slept away as it was to take.
    pub fn until(&self, next: Timestamp) -> impl Future<Output = ()> + Send + use<> {
        let (clock, progress) = (Arc::clone(self.clock()), Arc::clone(self.progress()));
        async move { until(&clock, &progress, next).await }
    }

    /// The same as [`store_unsaved`](Self::store_unsaved) for one that no loop tends any more, from when the process is to end.
    pub(super) async fn store_at_the_end(&mut self) {
        self.progress.process_ends(self.clock().elapsed());
        if tokio::time::timeout(LIMIT, self.store_unsaved()).await.is_err() {
            tell_lost(&self.spec().name);
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
        let until = || progress.end_asked_at().unwrap_or(began) + LAST_CHANCE;
        let mut last = None;
        while self.holds_unsaved_token() && clock.elapsed() < until() {
            tracing::error!(
                connection = %self.spec().name,
                "the end is put off: a token that the vault does not have yet is in memory only"
            );
            let report = self.look(Act::CarryOut).await.report;
            let is_anothers = matches!(report.standing.reason, Reason::AnotherHolder | Reason::StandingBy);
            last = Some(report);
            if is_anothers {
                break; // Nothing of ours is stored before another one has been silent for long.
            }
            clock.sleep(Duration::from_secs(5)).await;
        }
        if self.holds_unsaved_token() {
            tell_lost(&self.spec().name);
        }
        last
    }
}

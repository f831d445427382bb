//! A host on which the daemon runs: its process, its clock, and the moment at which it is back.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use chrono::TimeDelta;
use scim_rotator::domain::{Order, Timestamp};
use scim_rotator::engine::fleet::InLine;
use scim_rotator::engine::{Act, Errands, Report};
use tokio::sync::oneshot::Receiver;
use tokio_util::sync::CancellationToken;

use crate::sim::drive::{Drive, Seat};
use crate::sim::face::Alarms;
use crate::sim::{Face, FaceOptions};

/// How long the service manager takes to start a process again.
const RESTART: TimeDelta = TimeDelta::seconds(5);
/// The `check` cron: a look at least so often.
pub const CHECK: TimeDelta = TimeDelta::hours(1);
/// How long the service manager waits for a process that is to stop.
const PATIENCE: TimeDelta = TimeDelta::seconds(300);

/// Whoever looks again this soon does not rest: `engine/rest.rs`.
const SOON: TimeDelta = TimeDelta::minutes(15);

/// What the last look came to, and whether another one is under way.
#[derive(Debug, Default)]
pub struct Desk {
    pub report: Option<Report>,
    pub looking: bool,
}

/// Where a process of the daemon runs, dies, and is started again.
pub struct Host {
    holder: &'static str,
    skew: TimeDelta,
    process: Option<Process>,
    back: Option<Timestamp>,
    /// Since when it is suspended, and until when.
    asleep: Option<(Timestamp, Timestamp)>,
    /// What was configured since.
    retire_after: Option<TimeDelta>,
    pub desk: Arc<Mutex<Desk>>,
}

struct Process {
    face: Arc<Face>,
    task: Pin<Box<dyn Future<Output = ()>>>,
    stop: CancellationToken,
    inbox: Arc<Inbox>,
    /// Once it was asked to stop: when it is killed, and when it is back.
    stopping: Option<(Timestamp, Timestamp)>,
}

/// What reaches a process from without.
#[derive(Default)]
struct Inbox {
    errands: Errands,
    /// The configuration as it is to be from now on, and what ends the connection that goes by the one before.
    reload: Mutex<(Option<TimeDelta>, CancellationToken)>,
}

impl Host {
    /// A host whose process is started at `back`.
    pub fn new(holder: &'static str, skew: TimeDelta, back: Timestamp) -> Self {
        Self { holder, skew, process: None, back: Some(back), asleep: None, retire_after: None, desk: Arc::default() }
    }

    /// The process is gone at once, and is started again so much later.
    pub fn kill(&mut self, away: TimeDelta, now: Timestamp) {
        if let Some(process) = self.process.take() {
            self.skew = process.face.skew();
            self.back = Some(now + away.max(RESTART));
        }
    }

    /// The process is asked to stop, and is started again so much after it has.
    pub fn stop(&mut self, away: TimeDelta, now: Timestamp) {
        if let Some(process) = &mut self.process {
            process.stop.cancel();
            process.stopping = Some((now + PATIENCE, now + away));
        }
    }

    /// It is suspended for so long, with all that runs on it. Answers when it wakes.
    pub fn sleep(&mut self, time: TimeDelta, now: Timestamp) -> Timestamp {
        let (since, until) = self.asleep.unwrap_or((now, now));
        let until = until.max(now + time);
        self.asleep = Some((since, until));
        until
    }

    /// A person gives an order, which nobody takes where no process is, or the host is suspended. Answers with what will come
    /// of it, and whether it joins one that was given before.
    pub fn order(&self, order: Order) -> Option<(InLine, Receiver<Report>)> {
        let process = self.process.as_ref().filter(|process| process.stopping.is_none() && self.asleep.is_none())?;
        Some(process.inbox.errands.add(order))
    }

    /// The configuration is changed, and read again.
    pub fn reload(&mut self, retire_after: TimeDelta) {
        self.retire_after = Some(retire_after);
        if let Some(process) = &self.process {
            let mut reload = lock(&process.inbox.reload);
            reload.0 = Some(retire_after);
            reload.1.cancel();
        }
    }

    /// The clock is stepped.
    pub fn step_clock(&mut self, by: TimeDelta) {
        match &self.process {
            Some(process) => process.face.step_clock(by),
            None => self.skew += by,
        }
    }

    /// How far its clock is ahead of the world's.
    pub fn skew(&self) -> TimeDelta {
        self.process.as_ref().map_or(self.skew, |process| process.face.skew())
    }

    /// When it does something that no alarm tells of.
    pub fn next(&self) -> Option<Timestamp> {
        let stopping = self.process.as_ref().and_then(|process| process.stopping.map(|(until, _)| until));
        match self.asleep {
            Some((_, until)) => Some(until),
            None => [self.back, stopping].into_iter().flatten().min(),
        }
    }

    /// Lets the process do what it can do now. The error is a panic's words.
    pub fn turn(&mut self, drive: &Drive, alarms: &Arc<Alarms>, now: Timestamp) -> Result<(), String> {
        match self.asleep {
            Some((_, until)) if now < until => return Ok(()),
            Some((since, until)) => {
                self.asleep = None;
                self.process.iter().for_each(|process| process.face.wakes(until - since));
            }
            None => (),
        }
        if self.process.is_none() && self.back.is_some_and(|back| back <= now) {
            self.back = None;
            self.process = Some(self.begin(drive, alarms));
        }
        let Some(process) = &mut self.process else { return Ok(()) };
        let mut context = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| process.task.as_mut().poll(&mut context)));
        let ended = polled.map_err(|cause| format!("a panic: {}", words(cause.as_ref())))? == Poll::Ready(());
        let late = process.stopping.is_some_and(|(until, _)| until <= now);
        if ended || late {
            let away = process.stopping.map_or(TimeDelta::zero(), |(_, back)| back - now);
            self.kill(away, now);
        }
        Ok(())
    }

    fn begin(&self, drive: &Drive, alarms: &Arc<Alarms>) -> Process {
        let stop = CancellationToken::new();
        let options = FaceOptions { skew: self.skew, alarms: Some(Arc::clone(alarms)), ..FaceOptions::default() };
        let mut seat = drive.seat(("sim", self.holder), Default::default(), options);
        self.retire_after.into_iter().for_each(|time| seat.spec.policy.retire_after = time);
        let (face, inbox) = (Arc::clone(&seat.face), Arc::<Inbox>::default());
        let task = tend(seat, Arc::clone(&inbox), Arc::clone(alarms), Arc::clone(&self.desk), stop.clone());
        Process { face, task: Box::pin(task), stop, inbox, stopping: None }
    }
}

fn words(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    text.unwrap_or("without words").to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is written on the desk.
pub fn read(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    lock(desk)
}

/// The loop of a process, until it is to stop: look, and look again when it is time, or at the next check. Between two looks it
/// rests where it can, and another one goes on in its place where it is configured otherwise: as `engine/tend.rs` has it.
async fn tend(mut seat: Seat, inbox: Arc<Inbox>, alarms: Arc<Alarms>, desk: Arc<Mutex<Desk>>, stop: CancellationToken) {
    let face = Arc::clone(&seat.face);
    let begin = |seat: &Seat| {
        let ends = stop.child_token();
        lock(&inbox.reload).1 = ends.clone();
        (seat.connection(ends.clone()).calm(), ends)
    };
    let (mut connection, mut ends) = begin(&seat);
    let mut order = None;
    loop {
        read(&desk).looking = true;
        let progress = Arc::clone(connection.progress());
        let look = match order.take() {
            Some(order) => inbox.errands.beside(&progress, connection.obey(order)).await,
            None => inbox.errands.beside(&progress, connection.look(Act::CarryOut)).await,
        };
        inbox.errands.ended(&look.report);
        {
            let mut desk = read(&desk);
            (desk.report, desk.looking) = (Some(look.report), false);
        }
        let clock = Arc::clone(connection.clock());
        let has_time = look.next - clock.now() >= SOON && !ends.is_cancelled();
        let resting = has_time.then(|| connection.rest()).flatten();
        let looked = face.world().now();
        let (soonest, check) = (looked + TimeDelta::seconds(1), looked + CHECK);
        let comes = std::future::poll_fn(|_| {
            let now = face.world().now();
            let wake = (now + (look.next - clock.now()).clamp(TimeDelta::zero(), CHECK)).clamp(soonest, check);
            alarms.set(wake);
            if now >= wake { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::select! {
            biased;
            () = ends.cancelled() => (),
            next = inbox.errands.next() => order = Some(next),
            () = comes => (),
        }
        if stop.is_cancelled() {
            if resting.is_none() {
                connection.store_unsaved().await;
            }
            return;
        }
        if !ends.is_cancelled() {
            resting.into_iter().for_each(|resting| connection = resting.wake());
            continue;
        }
        // Whoever waits is turned away, and whoever rests leaves nothing.
        inbox.errands.turn_away();
        lock(&inbox.reload).0.take().into_iter().for_each(|time| seat.spec.policy.retire_after = time);
        let before = connection;
        (connection, ends) = begin(&seat);
        if resting.is_none() {
            connection.inherit(before);
        }
    }
}

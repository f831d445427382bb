//! A host on which the daemon runs: its process, its clock, and the moment at which it is back.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use chrono::TimeDelta;
use scim_rotator::domain::{Order, Timestamp};
use scim_rotator::engine::{Act, Connection, Report};
use tokio_util::sync::CancellationToken;

use crate::sim::drive::Drive;
use crate::sim::face::Alarms;
use crate::sim::{Face, FaceOptions};

/// How long the service manager takes to start a process again.
const RESTART: TimeDelta = TimeDelta::seconds(5);
/// The `check` cron: a look at least so often.
pub const CHECK: TimeDelta = TimeDelta::hours(1);
/// How long the service manager waits for a process that is to stop.
const PATIENCE: TimeDelta = TimeDelta::seconds(300);

/// What the last look came to, whether another one is under way, and what a person asks for.
#[derive(Debug, Default)]
pub struct Desk {
    pub report: Option<Report>,
    pub looking: bool,
    pub order: Option<Order>,
}

/// Where a process of the daemon runs, dies, and is started again.
pub struct Host {
    holder: &'static str,
    skew: TimeDelta,
    process: Option<Process>,
    back: Option<Timestamp>,
    pub desk: Arc<Mutex<Desk>>,
}

struct Process {
    face: Arc<Face>,
    task: Pin<Box<dyn Future<Output = ()>>>,
    stop: CancellationToken,
    /// Once it was asked to stop: when it is killed, and for how long it stays away.
    stopping: Option<(Timestamp, TimeDelta)>,
}

impl Host {
    /// A host whose process is started at `back`.
    pub fn new(holder: &'static str, skew: TimeDelta, back: Timestamp) -> Self {
        Self { holder, skew, process: None, back: Some(back), desk: Arc::default() }
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
            process.stopping = Some((now + PATIENCE, away));
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
        [self.back, stopping].into_iter().flatten().min()
    }

    /// Lets the process do what it can do now. The error is a panic's words.
    pub fn turn(&mut self, drive: &Drive, alarms: &Arc<Alarms>, now: Timestamp) -> Result<(), String> {
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
            let away = process.stopping.map_or(TimeDelta::zero(), |(_, away)| away);
            self.kill(away, now);
        }
        Ok(())
    }

    fn begin(&self, drive: &Drive, alarms: &Arc<Alarms>) -> Process {
        let stop = CancellationToken::new();
        let options = FaceOptions { skew: self.skew, alarms: Some(Arc::clone(alarms)), ..FaceOptions::default() };
        let (face, connection) = drive.host(self.holder, options, stop.clone());
        let task = tend(connection, Arc::clone(&face), Arc::clone(alarms), Arc::clone(&self.desk), stop.clone());
        Process { face, task: Box::pin(task), stop, stopping: None }
    }
}

fn words(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    text.unwrap_or("without words").to_owned()
}

/// What is written on the desk.
pub fn read(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The loop of a process, until it is to stop: look, and look again when it is time, or at the next check.
async fn tend(
    connection: Connection,
    face: Arc<Face>,
    alarms: Arc<Alarms>,
    desk: Arc<Mutex<Desk>>,
    stop: CancellationToken,
) {
    let mut connection = connection.calm();
    let clock = Arc::clone(connection.clock());
    loop {
        let order = {
            let mut desk = read(&desk);
            desk.looking = true;
            desk.order.take()
        };
        let look = match order {
            Some(order) => connection.obey(order).await,
            None => connection.look(Act::CarryOut).await,
        };
        {
            let mut desk = read(&desk);
            (desk.report, desk.looking) = (Some(look.report), false);
        }
        let looked = face.world().now();
        let (soonest, check) = (looked + TimeDelta::seconds(1), looked + CHECK);
        std::future::poll_fn(|_| {
            let now = face.world().now();
            let wake = (now + (look.next - clock.now()).clamp(TimeDelta::zero(), CHECK)).clamp(soonest, check);
            alarms.set(wake);
            if stop.is_cancelled() || now >= wake || read(&desk).order.is_some() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        if stop.is_cancelled() {
            break;
        }
    }
    connection.store_unsaved().await;
}

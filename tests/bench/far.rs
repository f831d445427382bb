//! One rotation on a network whose round trip takes 50 ms, beside the least that its dependent calls can take.

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::daemon::Daemon;
use crate::sandbox::fleet::{self, worlds};
use crate::sandbox::setup::Setup;
use crate::sandbox::{Recorded, Sandbox, SandboxOptions};
use crate::world::Op;

/// The network.
pub const ROUND_TRIP: Duration = Duration::from_millis(50);
/// The calls of an unfenced rotation that need the answer of another one (docs/benchmarks.md derives it): what the flow as
/// designed cannot do without.
pub const FLOOR: u32 = 14;
/// What a new connection costs before its first request: the issuer is asked down one of its own.
pub const SET_UP: u32 = 2;
/// Connections that idle for longer are closed: the daemon comes to a rotation with none, as in life.
const COLD: Duration = Duration::from_secs(17);
/// With the fence the daemon waits for a cycle to end, a minute at least: a few seconds at this speed.
const FENCED_SPEED: f64 = 20.0;

/// How a rotation went.
pub struct Rotation {
    /// From the first request that belongs to it to the last answer, in real time.
    pub took: Duration,
    /// What whoever gave the order has waited.
    pub command: Duration,
    /// From the issue to the PUT: with the fence nothing runs meanwhile, without it a cycle may fail.
    pub exposed: Duration,
    /// The most that was resident, in megabytes.
    pub peak: f64,
}

/// Prints the table; answers with what it has measured.
pub async fn measure(binary: &Path) -> anyhow::Result<Rotation> {
    let near = Place::new("never", 1.0).await?;
    let daemon = Daemon::begin(&near.setup, binary)?;
    tokio::time::sleep(COLD).await;
    let (command, calls) = near.rotate(binary)?;
    let peak = daemon.peak()?;
    drop(daemon);
    if std::env::var_os("BENCH_CALLS").is_some() {
        show(&calls);
    }
    let since = |op: Op| calls.iter().find(|call| call.op == Some(op)).map(|call| call.at);
    let until = |op: Op| calls.iter().rfind(|call| call.op == Some(op)).map(|call| call.at);
    let span = |from: Option<_>, to: Option<_>| from.zip(to).map_or(Duration::ZERO, |(from, to)| real(to - from, 1.0));
    // Seen from the sandbox: it misses half a round trip at each end.
    let took = span(calls.first().map(|call| call.at), until(Op::VaultLabel)) + ROUND_TRIP;
    let exposed = span(since(Op::Issue), since(Op::SettingsPut));
    let (fenced, paused) = fenced(binary).await?;
    let floor = ROUND_TRIP * FLOOR;
    let own = ROUND_TRIP * (FLOOR + SET_UP);
    let over = |floor: Duration| (took.as_secs_f64() / floor.as_secs_f64() - 1.0) * 100.0;
    println!("\n| one rotation, round trip {} ms | |\n|---|---|", ROUND_TRIP.as_millis());
    println!("| floor: {FLOOR} round trips, all connections warm | {} ms |", floor.as_millis());
    println!("| the same, and the issuer's own new connection ({SET_UP} more) | {} ms |", own.as_millis());
    println!("| the daemon, from the first look to the promotion | {} ms |", took.as_millis());
    println!(
        "| over the floor (goal: 15 %) | {:.0} % ({:.0} % with the issuer's connection) |",
        over(floor),
        over(own)
    );
    println!(
        "| the whole `rotate` command, which finds no connection standing | {} ms, {} requests |",
        command.as_millis(),
        calls.len()
    );
    println!("| from the issue to the PUT | {} ms |", exposed.as_millis());
    println!("| paused, with the fence | {} ms and the wait for a cycle ({} requests) |", paused.as_millis(), fenced);
    Ok(Rotation { took, command, exposed, peak })
}

/// With the fence: how many requests, and how long the job was paused beside what it was waited for on purpose.
async fn fenced(binary: &Path) -> anyhow::Result<(usize, Duration)> {
    let place = Place::new("always", FENCED_SPEED).await?;
    // A cycle has just ended when it comes to that.
    let _daemon = Daemon::begin(&place.setup, binary)?;
    let (_, calls) = place.rotate(binary)?;
    let at = |op: Op| calls.iter().find(|call| call.op == Some(op)).map(|call| call.at);
    let confirmed = calls.iter().position(|call| call.op == Some(Op::Issue)).unwrap_or_default();
    // The wait ends with the last look at the job before the issue.
    let drained = calls[..confirmed].iter().rfind(|call| call.op == Some(Op::JobRead)).map(|call| call.at);
    let paused = drained.zip(at(Op::Start)).map_or(Duration::ZERO, |(from, to)| real(to - from, FENCED_SPEED));
    Ok((calls.len(), paused))
}

/// What was asked when, in round trips.
fn show(calls: &[Recorded]) {
    let first = calls.first().map(|call| call.at);
    for call in calls {
        let since = first.map_or(Duration::ZERO, |first| real(call.at - first, 1.0));
        let trips = since.as_secs_f64() / ROUND_TRIP.as_secs_f64();
        println!("{trips:6.1}  {:?} {}", call.op, call.status.unwrap_or_default());
    }
}

fn real(time: TimeDelta, speed: f64) -> Duration {
    time.to_std().unwrap_or_default().div_f64(speed)
}

/// One connection that has a token, far away.
pub struct Place {
    pub sandbox: Sandbox,
    setup: Setup,
    _folder: tempfile::TempDir,
}

impl Place {
    /// With this fence, at this speed.
    pub async fn new(fence: &str, speed: f64) -> anyhow::Result<Self> {
        let options = SandboxOptions { speed, round_trip: ROUND_TRIP };
        let sandbox = Sandbox::start(worlds(1, speed), options).await?;
        let folder = tempfile::tempdir()?;
        let policy = format!("rotate_before_expiry = \"30d\"\nmin_slack = \"7d\"\nfence = \"{fence}\"");
        let setup = Setup::of_fleet(folder.path(), &sandbox, &policy)?;
        Ok(Self { sandbox, setup, _folder: folder })
    }

    /// Has the daemon rotate: how long the command took, and every call from then on.
    fn rotate(&self, binary: &Path) -> anyhow::Result<(Duration, Vec<Recorded>)> {
        let (place, asked) = (self.sandbox.calls().len(), Instant::now());
        let mut command = self.setup.command(binary);
        let output = command.args(["rotate", fleet::FIRST]).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "the rotation failed: {said}");
        Ok((asked.elapsed(), self.sandbox.calls_from(place)))
    }
}

//! One, a hundred, a thousand and ten thousand connections of one process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::daemon::{Daemon, own_cpu};
use crate::sandbox::fleet::worlds;
use crate::sandbox::setup::Setup;
use crate::sandbox::{Sandbox, SandboxOptions};
use crate::world::{Op, Timestamp};

const SIZES: [usize; 4] = [1, 100, 1_000, 10_000];
/// How long an idle process is watched.
const IDLE: Duration = Duration::from_secs(20);
/// A process that has just begun issues nothing for three minutes, by its own clock: nine seconds at this speed.
const SPEED: f64 = 20.0;
/// What does not come in this time, and that in which so many begin one after the other, is told as far as it came.
fn patience(count: usize) -> Duration {
    Duration::from_secs(60) + Duration::from_millis(25) * u32::try_from(count).unwrap_or(u32::MAX)
}
/// The rules of connections of which none is due.
const AT_REST: &str = "rotate_before_expiry = \"30d\"\nmin_slack = \"7d\"\nfence = \"never\"";
/// The same of connections that are all due at once.
const DUE: &str = "rotate_before_expiry = \"120d\"\nmin_slack = \"7d\"\nfence = \"never\"";

/// Prints the table. `sizes` are those asked for, all if none.
pub async fn measure(binary: &Path, sizes: &[usize]) -> anyhow::Result<()> {
    println!(
        "\n| connections | READY | all have looked | CPU for that (sandbox) | resident (peak) | CPU idle | rotations/s | all rotated after | \
         CPU for that (sandbox) | resident (peak) |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for count in if sizes.is_empty() { &SIZES } else { sizes } {
        let (idle, busy) = (idle(binary, *count).await?, rotating(binary, *count).await?);
        println!("| {count} | {idle} | {busy} |");
    }
    Ok(())
}

/// Connections that have nothing to do but look.
async fn idle(binary: &Path, count: usize) -> anyhow::Result<String> {
    let sandbox = Sandbox::start(worlds(count, 1.0), SandboxOptions::default()).await?;
    let folder = tempfile::tempdir()?;
    let setup = Setup::of_fleet(folder.path(), &sandbox, AT_REST)?;
    let sandbox_before = own_cpu()?;
    let mut daemon = Daemon::begin(&setup, binary)?;
    let mut seen = Progress::default();
    let mut looked = [BTreeSet::new(), BTreeSet::new()];
    let since = Instant::now();
    while looked.iter().any(|set| set.len() < count) && since.elapsed() < patience(count) && daemon.is_alive()? {
        for (world, op, _) in seen.succeeded(&sandbox) {
            match op {
                Op::VaultList => looked[0].insert(world),
                Op::JobRead => looked[1].insert(world),
                _ => false,
            };
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (all, cpu, own) = (daemon.begun.elapsed(), daemon.cpu()?, own_cpu()? - sandbox_before);
    let done = looked.iter().map(BTreeSet::len).min().unwrap_or_default();
    let (failures, short) = (seen.failures(), if done < count { format!(" ({done} of them)") } else { String::new() });
    // What the first looks have left to do is done by then.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = daemon.cpu()?;
    tokio::time::sleep(IDLE).await;
    let used = (daemon.cpu()? - before) / IDLE.as_secs_f64() * 100.0;
    let (resident, peak) = (daemon.resident()?, daemon.peak()?);
    keep_log(&setup, "idle", count);
    let ready = daemon.ready.as_secs_f64();
    daemon.end().await?;
    Ok(format!(
        "{ready:.2} s | {:.2} s{short}{failures} | {cpu:.1} s ({own:.1}) | {resident:.1} MB ({peak:.1}) | {used:.2} %",
        all.as_secs_f64()
    ))
}

/// Connections that are all due when they may issue at last.
async fn rotating(binary: &Path, count: usize) -> anyhow::Result<String> {
    let options = SandboxOptions { speed: SPEED, ..SandboxOptions::default() };
    let sandbox = Sandbox::start(worlds(count, SPEED), options).await?;
    let folder = tempfile::tempdir()?;
    let setup = Setup::of_fleet(folder.path(), &sandbox, DUE)?;
    let mut daemon = Daemon::begin(&setup, binary)?;
    let (mut seen, mut given) = (Progress::default(), BTreeSet::new());
    let (mut since, mut last) = (None, None);
    let (mut begun, mut cpu, mut own) = (Instant::now(), 0.0, 0.0);
    while given.len() < count && begun.elapsed() < patience(count) && daemon.is_alive()? {
        for (world, op, at) in seen.succeeded(&sandbox) {
            if op == Op::VaultStore && since.is_none() {
                since = Some(at);
                (begun, cpu, own) = (Instant::now(), daemon.cpu()?, own_cpu()?);
            }
            if op == Op::SettingsPut && given.insert(world) {
                last = Some(at);
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let log = keep_log(&setup, "due", count);
    let since = since.with_context(|| format!("nothing is rotated: {log}"))?;
    let took = (last.unwrap_or(since) - since).as_seconds_f64() / SPEED;
    let (cpu, own) = (daemon.cpu()? - cpu, own_cpu()? - own);
    let (resident, peak) = (daemon.resident()?, daemon.peak()?);
    let issued: u32 = (0..count).map(|number| sandbox.world(number).ledger.issued).sum();
    daemon.end().await?;
    #[expect(clippy::cast_precision_loss, reason = "ten thousand")]
    let rate = if given.is_empty() { 0.0 } else { given.len() as f64 / took };
    let mut notes = String::new();
    if given.len() < count {
        notes = format!(" ({} of them, {issued} issued)", given.len());
    }
    notes += &seen.failures();
    Ok(format!("{rate:.0} | {took:.2} s{notes} | {cpu:.1} s ({own:.1}) | {resident:.1} MB ({peak:.1})"))
}

/// A place in the sandbox's list of calls.
#[derive(Default)]
struct Progress {
    place: usize,
    /// How many of each kind, and with which status; none where the connection broke.
    failed: BTreeMap<(Option<Op>, Option<u16>), usize>,
}

impl Progress {
    /// What has succeeded since it was asked last: which world, what, and when. The others are counted.
    fn succeeded(&mut self, sandbox: &Sandbox) -> Vec<(usize, Op, Timestamp)> {
        let calls = sandbox.calls_from(self.place);
        self.place += calls.len();
        let (good, bad): (Vec<_>, Vec<_>) =
            calls.into_iter().partition(|call| call.status.is_some_and(|status| status < 400));
        // A challenge is no failure, and it is of no world.
        for call in bad.iter().filter(|call| call.world.is_some()) {
            *self.failed.entry((call.op, call.status)).or_default() += 1;
        }
        good.into_iter().filter_map(|call| Some((call.world?, call.op?, call.at))).collect()
    }
}

impl Progress {
    fn failures(&self) -> String {
        let told = |((op, status), number): (&(Option<Op>, Option<u16>), &usize)| {
            let op = op.map_or("other".to_owned(), |op| format!("{op:?}"));
            let status = status.map_or("broken off".to_owned(), |status| status.to_string());
            format!(", failed: {number} {op} ({status})")
        };
        self.failed.iter().map(told).collect()
    }
}

/// Where the log of a process stays, for whoever wonders about its figures.
fn keep_log(setup: &Setup, what: &str, count: usize) -> String {
    let kept = std::env::temp_dir().join(format!("scim-rotator-bench-{what}-{count}.log"));
    let _not_kept = std::fs::copy(setup.folder.join("daemon.log"), &kept);
    kept.display().to_string()
}

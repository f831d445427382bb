//! `make bench`: what the release binary costs, as a table. Asserts nothing.

#[path = "mod.rs"]
#[expect(dead_code, unused_imports, reason = "a measurement needs less of the sandbox than the tests do")]
mod sandbox;
#[path = "../world/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a measurement needs less of the world than the tests do")]
mod world;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sandbox::setup::{Setup, worlds};
use sandbox::{Sandbox, SandboxOptions};

/// How long the idle daemon is watched.
const IDLE: Duration = Duration::from_secs(20);
const STARTS: usize = 9;

fn main() -> anyhow::Result<()> {
    let binary = PathBuf::from(std::env::args_os().nth(1).context("usage: bench BINARY")?);
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok().context("TLS cannot be set up")?;
    tokio::runtime::Runtime::new()?.block_on(measure(&binary))
}

async fn measure(binary: &Path) -> anyhow::Result<()> {
    let size = fs::metadata(binary).with_context(|| format!("{}", binary.display()))?.len();
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(start().await?.begin(binary)?.ready.as_secs_f64() * 1000.0);
    }
    starts.sort_by(f64::total_cmp);
    let place = start().await?;
    let mut daemon = place.begin(binary)?;
    // By a person's word: a daemon that has just begun issues nothing by itself for three minutes.
    let (calls_before, asked) = (place.sandbox.calls().len(), Instant::now());
    let rotated =
        place.setup.command(binary).args(["rotate", "overlap"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let (rotation, calls) = (asked.elapsed(), place.sandbox.calls().len() - calls_before);
    anyhow::ensure!(rotated.success() && daemon.child.try_wait()?.is_none(), "the rotation failed");
    let before = cpu(daemon.child.id())?;
    tokio::time::sleep(IDLE).await;
    let used = (cpu(daemon.child.id())? - before) / IDLE.as_secs_f64() * 100.0;
    let resident = resident(daemon.child.id())?;
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let megabytes = size as f64 / 1e6;
    println!("| | goal | measured |\n|---|---|---|");
    println!("| release binary | ≤ 13 MB | {megabytes:.1} MB |");
    println!("| resident memory, idle after a rotation | ≤ 14 MB | {resident:.1} MB |");
    println!("| CPU while idle (over {} s) | < 0.1 % | {used:.2} % |", IDLE.as_secs());
    println!("| start to READY (median of {STARTS}) | ≤ 150 ms | {:.0} ms |", starts[STARTS / 2]);
    println!(
        "| one rotation on loopback through the daemon by `rotate`, unfenced ({calls} requests) | | {:.0} ms |",
        rotation.as_secs_f64() * 1000.0
    );
    Ok(())
}

struct Place {
    sandbox: Sandbox,
    setup: Setup,
    folder: tempfile::TempDir,
}

struct Daemon {
    child: Child,
    ready: Duration,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// One connection, in real time, without the fence's waits.
async fn start() -> anyhow::Result<Place> {
    let sandbox = Sandbox::start(worlds(|_| ()), SandboxOptions { speed: 1.0 }).await?;
    let folder = tempfile::tempdir()?;
    let setup = Setup::write(folder.path(), &sandbox, |text| {
        let one = text.rsplit_once("[[connections]]").map_or_else(String::new, |(one, _)| one.to_owned());
        one.replace("min_slack = \"12h\"", "min_slack = \"12h\"\nfence = \"never\"")
    })?;
    Ok(Place { sandbox, setup, folder })
}

impl Place {
    fn begin(&self, binary: &Path) -> anyhow::Result<Daemon> {
        let path = self.folder.path().join("notify");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut command: Command = self.setup.command(binary);
        command.arg("run").env("NOTIFY_SOCKET", &path).stderr(Stdio::null()).stdout(Stdio::null());
        let since = Instant::now();
        let child = command.spawn()?;
        let mut daemon = Daemon { child, ready: Duration::ZERO };
        let mut buffer = [0_u8; 4096];
        loop {
            let length = socket.recv(&mut buffer).context("READY never came")?;
            if String::from_utf8_lossy(&buffer[..length]).contains("READY=1") {
                daemon.ready = since.elapsed();
                return Ok(daemon);
            }
        }
    }
}

/// Seconds of processor time, user and system.
fn cpu(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    // Fields 14 and 15; a hundred ticks are a second on every Linux that this runs on.
    Ok((ticks(11) + ticks(12)) / 100.0)
}

/// Resident memory in megabytes of a million bytes.
fn resident(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}

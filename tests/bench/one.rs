//! One connection: how big, how fast to begin, how idle.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::daemon::Daemon;
use crate::sandbox::setup::{Setup, worlds};
use crate::sandbox::{Sandbox, SandboxOptions};

/// How long the idle daemon is watched.
const IDLE: Duration = Duration::from_secs(20);
const STARTS: usize = 9;

/// Prints the table.
pub async fn measure(binary: &Path) -> anyhow::Result<()> {
    let size = fs::metadata(binary).with_context(|| format!("{}", binary.display()))?.len();
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let place = Place::new(SandboxOptions::default()).await?;
        starts.push(Daemon::begin(&place.setup, binary)?.ready.as_secs_f64() * 1000.0);
    }
    starts.sort_by(f64::total_cmp);
    let place = Place::new(SandboxOptions::default()).await?;
    let daemon = Daemon::begin(&place.setup, binary)?;
    let (rotation, calls) = place.rotate(binary)?;
    let before = daemon.cpu()?;
    tokio::time::sleep(IDLE).await;
    let used = (daemon.cpu()? - before) / IDLE.as_secs_f64() * 100.0;
    let resident = daemon.resident()?;
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

/// One connection of the shipped configuration, without the fence's waits.
pub struct Place {
    pub sandbox: Sandbox,
    pub setup: Setup,
    _folder: tempfile::TempDir,
}

impl Place {
    /// A sandbox, and what points the binary at it.
    pub async fn new(options: SandboxOptions) -> anyhow::Result<Self> {
        let sandbox = Sandbox::start(worlds(|_| ()), options).await?;
        let folder = tempfile::tempdir()?;
        let setup = Setup::write(folder.path(), &sandbox, |text| {
            let one = text.rsplit_once("[[connections]]").map_or_else(String::new, |(one, _)| one.to_owned());
            one.replace("min_slack = \"12h\"", "min_slack = \"12h\"\nfence = \"never\"")
        })?;
        Ok(Self { sandbox, setup, _folder: folder })
    }

    /// Has the daemon rotate by a person's word: one that has just begun issues nothing by itself for three minutes. How long it
    /// took, and how many requests.
    pub fn rotate(&self, binary: &Path) -> anyhow::Result<(Duration, usize)> {
        let (calls, asked) = (self.sandbox.calls().len(), Instant::now());
        let mut command = self.setup.command(binary);
        let rotated = command.args(["rotate", "overlap"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        anyhow::ensure!(rotated.success(), "the rotation failed");
        Ok((asked.elapsed(), self.sandbox.calls().len() - calls))
    }
}

//! The release binary as a process: begun, watched from outside, ended.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::sandbox::setup::Setup;

/// Ten thousand connections are read from a file in less.
const TO_READY: Duration = Duration::from_secs(300);
/// So long a process is given to end by itself.
const TO_END: Duration = Duration::from_secs(10);

/// A daemon that is running. Dropped, it is killed.
pub struct Daemon {
    child: Child,
    /// When it was begun.
    pub begun: Instant,
    /// How long it took until it said that it was ready.
    pub ready: Duration,
}

impl Daemon {
    /// Begins one, and waits until it is ready. Its log goes to `daemon.log` beside its configuration.
    pub fn begin(setup: &Setup, binary: &Path) -> anyhow::Result<Self> {
        let path = setup.folder.join("notify");
        let _of_an_earlier_one = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(TO_READY))?;
        let mut command: Command = setup.command(binary);
        let log = fs::File::create(setup.folder.join("daemon.log"))?;
        command.arg("run").env("NOTIFY_SOCKET", &path).stderr(log).stdout(Stdio::null());
        let begun = Instant::now();
        let mut daemon = Self { child: command.spawn()?, begun, ready: Duration::ZERO };
        let mut buffer = [0_u8; 4096];
        loop {
            let length = socket.recv(&mut buffer).context("READY never came")?;
            if String::from_utf8_lossy(&buffer[..length]).contains("READY=1") {
                daemon.ready = begun.elapsed();
                return Ok(daemon);
            }
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Seconds of processor time so far, user and system.
    pub fn cpu(&self) -> anyhow::Result<f64> {
        cpu(self.child.id())
    }

    /// Resident memory now, in megabytes of a million bytes.
    pub fn resident(&self) -> anyhow::Result<f64> {
        self.memory("VmRSS:")
    }

    /// The most that was ever resident, in megabytes.
    pub fn peak(&self) -> anyhow::Result<f64> {
        self.memory("VmHWM:")
    }

    /// Tells it to end, and waits for that.
    pub async fn end(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).context("no process")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let since = Instant::now();
        while self.is_alive()? && since.elapsed() < TO_END {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn memory(&self, what: &str) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(what)).context("the kernel does not tell")?;
        let kilobytes: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
        Ok(kilobytes * 1024.0 / 1e6)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Seconds of processor time of this very process, which holds the sandbox.
pub fn own_cpu() -> anyhow::Result<f64> {
    cpu(std::process::id())
}

fn cpu(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    // Fields 14 and 15; a hundred ticks are a second on every Linux that this runs on.
    Ok((ticks(11) + ticks(12)) / 100.0)
}

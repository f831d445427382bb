//! Standard error as the place of the log: written to only where that does not block.
//!
//! Who reads the log may fall asleep: a log driver that hangs, a terminal that is stopped. A write that blocks would stop
//! the one thread that everything runs on, perhaps with the provisioning job paused. Lines are lost instead, and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

/// How long a reader is waited for before the first line is lost. While lines are being lost, nobody waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// A pipe that is ready takes so much without blocking (`PIPE_BUF`).
const PIECE: usize = 4096;

/// Standard error.
#[derive(Debug)]
pub struct Stderr {
    json: bool,
    lost: AtomicU64,
}

impl Stderr {
    /// For a log of JSON, or of text.
    pub const fn new(json: bool) -> Self {
        Self { json, lost: AtomicU64::new(0) }
    }

    fn is_ready(&self, stderr: &io::StderrLock<'_>) -> bool {
        let patience = if self.lost.load(Ordering::Relaxed) == 0 { PATIENCE } else { Duration::ZERO };
        let patience = Timespec::try_from(patience).unwrap_or_default();
        let mut descriptors = [PollFd::new(stderr, PollFlags::OUT)];
        // What cannot be polled is written to: the write itself tells what is wrong.
        retry_on_intr(|| poll(&mut descriptors, Some(&patience))).map_or(true, |ready| ready > 0)
    }

    /// What is written in the place of lines that were lost.
    fn notice(&self, lost: u64) -> String {
        match self.json {
            true => format!(
                "{{\"level\":\"WARN\",\"message\":\"nobody read the log, lines were lost\",\"lines\":{lost}}}\n"
            ),
            false => format!(" WARN nobody read the log, lines were lost lines={lost}\n"),
        }
    }
}

impl Write for &Stderr {
    /// Takes every line whole, whether it can be written or is lost.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 && self.is_ready(&stderr) {
            stderr.write_all(self.notice(lost).as_bytes())?;
            self.lost.store(0, Ordering::Relaxed);
        }
        for piece in line.chunks(PIECE) {
            if !self.is_ready(&stderr) {
                self.lost.fetch_add(1, Ordering::Relaxed);
                break;
            }
            stderr.write_all(piece)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

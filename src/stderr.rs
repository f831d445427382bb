//! Standard error as the place of the log: written to only where that does not block.
//!
//! Who reads the log may fall asleep: a log driver that hangs, a terminal that is stopped. A write that blocks would stop
//! the one thread that everything runs on, perhaps with the provisioning job paused. Lines are lost instead, and counted.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

/// How long a reader is waited for before the first line is lost. While lines are being lost, nobody waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// A pipe that is ready takes so much without blocking (`PIPE_BUF`).
const PIECE: usize = 4096;

/// To the beginning of the line, and the rest of it cleared.
const OVER: &str = "\r\x1b[K";

/// Whether a line stands at the terminal that is to be written over.
static STANDS: AtomicBool = AtomicBool::new(false);

/// Writes a line at the terminal in the place of the one that stands there. Where nobody reads, it is left out.
pub fn write_line_over(line: &str) {
    let mut stderr = io::stderr().lock();
    if is_ready(&stderr, Duration::ZERO) {
        STANDS.store(true, Ordering::Relaxed);
        // The next one comes soon.
        let _unwritten = write!(stderr, "{OVER}{line}");
    }
}

/// Takes the line away that stands at the terminal, if there is one.
pub fn clear_line() {
    clear(&mut io::stderr().lock());
}

fn clear(stderr: &mut io::StderrLock<'_>) {
    if STANDS.swap(false, Ordering::Relaxed) && is_ready(&mut *stderr, Duration::ZERO) {
        let _unwritten = write!(stderr, "{OVER}");
    }
}

/// Whether a write would not block, waited for as long as `patience`. What cannot be polled is written to: the write itself
/// tells what is wrong.
pub fn is_ready(file: impl AsFd, patience: Duration) -> bool {
    let patience = Timespec::try_from(patience).unwrap_or_default();
    let mut descriptors = [PollFd::new(&file, PollFlags::OUT)];
    retry_on_intr(|| poll(&mut descriptors, Some(&patience))).map_or(true, |ready| ready > 0)
}

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
        is_ready(stderr, patience)
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
        clear(&mut stderr);
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

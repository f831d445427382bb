//! A command that asks at a terminal, and somebody who answers.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::place::PATIENCE;

/// A dialogue at a terminal.
pub struct Dialogue {
    master: File,
    shown: Arc<Mutex<Vec<u8>>>,
    read: usize,
    child: Child,
}

impl Dialogue {
    /// Starts a command whose three ends are one terminal.
    pub fn begin(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("ours");
        unlockpt(&master).expect("unlocked");
        let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("text");
        let end = || Stdio::from(OpenOptions::new().read(true).write(true).open(&name).expect("the other end"));
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
        let master = File::from(master);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, into) = (master.try_clone().expect("a copy"), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // The end of the last writer shows as an error.
            while let Ok(read @ 1..) = reader.read(&mut piece) {
                into.lock().expect("ours").extend_from_slice(&piece[..read]);
            }
        });
        Self { master, shown, read: 0, child }
    }

    /// All that stands at the terminal.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("ours")).into_owned()
    }

    /// Waits until this is asked behind what has been asked before.
    pub async fn asks(&mut self, question: &str) {
        let began = Instant::now();
        loop {
            let shown = self.shown();
            if let Some(at) = shown.get(self.read..).and_then(|shown| shown.find(question)) {
                self.read += at + question.len();
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it never asked {question:?}\n{shown}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for a question, and answers it with a line.
    pub async fn answer(&mut self, question: &str, answer: &str) {
        self.asks(question).await;
        writeln!(self.master, "{answer}").expect("it listens");
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("it is there");
    }

    /// Waits for the end.
    pub async fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("ours") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end\n{}", self.shown());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

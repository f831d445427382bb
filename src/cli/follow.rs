//! What a command shows while an order is carried out: on a terminal one line that is written over, elsewhere a line for each
//! step as it begins. With `-q` nothing.

use std::future::Future;
use std::io::{self, IsTerminal as _, Write};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::admin::control::Step;
use crate::domain::Timestamp;
use crate::ports::Clock;
use crate::stderr;
use crate::words::span;

/// The line that is written over shows how time goes by.
const TICK: Duration = Duration::from_secs(1);
/// A longer one would be broken by a narrow terminal, and could not be written over.
const WIDTH: usize = 79;

/// Who is told, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Nobody.
    Silent,
    /// Whoever reads standard output, a line for each step.
    Lines,
    /// Somebody at a terminal, by one line of standard error.
    Terminal,
}

impl Follow {
    /// As people expect it of the places where standard output and standard error go to.
    pub fn choose(quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        match quiet {
            true => Self::Silent,
            false if io::stdout().is_terminal() && io::stderr().is_terminal() && !dumb => Self::Terminal,
            false => Self::Lines,
        }
    }

    /// Shows each of `steps` until `work` is done.
    pub async fn show<T>(
        self,
        clock: &dyn Clock,
        mut steps: UnboundedReceiver<Step>,
        work: impl Future<Output = T>,
    ) -> T {
        let (mut work, began) = (pin!(work), clock.now());
        let mut tick = tokio::time::interval(TICK);
        let mut last: Option<Step> = None;
        loop {
            let done = tokio::select! {
                biased;
                Some(step) = steps.recv() => {
                    self.begins(&step);
                    last = Some(step);
                    None
                }
                done = &mut work => Some(done),
                _ = tick.tick(), if self == Self::Terminal => None,
            };
            if let Some(done) = done {
                // What began in the same breath as the work ended.
                while let Ok(step) = steps.try_recv() {
                    self.begins(&step);
                }
                if self == Self::Terminal {
                    stderr::clear_line();
                }
                return done;
            }
            if let Some(step) = last.as_ref().filter(|_| self == Self::Terminal) {
                stderr::write_line_over(&line(step, clock.now(), began));
            }
        }
    }

    /// The work goes on whatever becomes of those who read: where nobody does, the line is left out.
    fn begins(self, step: &Step) {
        let mut stdout = io::stdout().lock();
        if self == Self::Lines && stderr::is_ready(&stdout, Duration::ZERO) {
            let _unwritten = writeln!(stdout, "{}  {}", step.at.format("%Y-%m-%d %H:%M:%SZ"), step.name);
        }
    }
}

fn line(step: &Step, now: Timestamp, began: Timestamp) -> String {
    format!("{} ... {}", step.name, span(now - began)).chars().take(WIDTH).collect()
}

//! Programs that are run for what they print: each in a process group of its own, which ends with whoever waits for it.

use std::ffi::OsStr;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// What systemd tells this process alone: no child shall notify in its name.
const NOT_FOR_CHILDREN: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// Has it be started in a group of its own, and without what concerns this process alone.
pub fn alone(command: &mut Command) -> &mut Command {
    NOT_FOR_CHILDREN.iter().for_each(|name| {
        command.env_remove(OsStr::new(name));
    });
    command.process_group(0).kill_on_drop(true)
}

/// A process and all that it starts. Ended when it is dropped, unless it was let go.
#[derive(Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// Of a process that was started by [`alone`].
    pub fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// It has ended by itself.
    pub fn let_go(&mut self) {
        self.0 = None;
    }

    /// Ends it, and waits until its first process is gone.
    pub async fn end(&mut self, child: &mut Child) {
        self.kill();
        // It was killed: there is nothing left to be told.
        let _gone = child.wait().await;
    }

    fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            // Gone already, then.
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

//! A place to run the real binary in: worlds, a sandbox that serves them, a folder with the configuration, and daemons.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rustix::process::{Pid, Signal, kill_process};
use scim_rotator::domain::policy::Before;
use scim_rotator::domain::{Bootstrap, Fence, Mode, Policy};
use tempfile::TempDir;

use crate::sandbox::setup::{Setup, worlds};
use crate::sandbox::{Hold, Sandbox, SandboxOptions, real_now};
use crate::sim::drive::{Drive, policy};
use crate::world::{Op, Schedule, Settings, TokenNo, World};

pub const BINARY: &str = env!("CARGO_BIN_EXE_scim-rotator");
/// An hour in a second, as in the demo.
pub const SPEED: f64 = 3600.0;
/// Far more real time than anything here takes. Who waits for it waits for a condition, and fails when it never holds.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Which of the two connections of `config/sandbox.toml`.
pub const OVERLAP: usize = 0;
pub const REMOVE_CURRENT: usize = 1;

/// Everything that a test runs the binary in.
pub struct Place {
    pub sandbox: Sandbox,
    pub setup: Setup,
    _folder: TempDir,
}

impl Place {
    /// Serves these worlds, with the configuration bent by `change`.
    pub async fn new(worlds: Vec<Arc<Mutex<World>>>, speed: f64, change: impl FnOnce(String) -> String) -> Self {
        // The binary installs this for itself; the sandbox needs it in this process.
        let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let sandbox =
            Sandbox::start(worlds, SandboxOptions { speed, ..SandboxOptions::default() }).await.expect("a sandbox");
        let folder = tempfile::tempdir().expect("a folder");
        let setup = Setup::write(folder.path(), &sandbox, change).expect("a configuration");
        Self { sandbox, setup, _folder: folder }
    }

    /// A long-running daemon.
    pub fn daemon(&self, arguments: &[&str]) -> Daemon {
        self.daemon_with(arguments, &[])
    }

    /// A long-running daemon with something in its environment.
    pub fn daemon_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Daemon {
        let mut command = self.setup.command(BINARY);
        command.arg("run").args(arguments).envs(environment.iter().copied());
        self.daemon_by(command)
    }

    /// A long-running daemon, started by a command of the test's own.
    pub fn daemon_by(&self, mut command: Command) -> Daemon {
        let log = self.setup.folder.join(format!("daemon-{}.log", real_now().timestamp_micros()));
        command.stderr(File::create(&log).expect("a log")).stdout(Stdio::null()).stdin(Stdio::null());
        Daemon { child: command.spawn().expect("the daemon starts"), log }
    }

    /// A command that ends by itself.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[]).await
    }

    /// The same with something in its environment.
    pub async fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = tokio::process::Command::from(self.setup.command(BINARY));
        command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
        tokio::time::timeout(PATIENCE, command.output()).await.expect("the command ends").expect("the command starts")
    }

    /// Returns once `condition` holds of one world; fails, with its story and the daemon's log, if it never does.
    pub async fn until(&self, world: usize, what: &str, condition: impl Fn(&World) -> bool) {
        let began = Instant::now();
        while !condition(&self.sandbox.world(world)) {
            assert!(
                began.elapsed() < PATIENCE,
                "it never came to pass that {what}\n{}\n{}",
                self.sandbox.world(world).ledger.trace(),
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What request stands at `hold`; none if the rotation comes to its end without it.
    pub async fn reaches(&self, hold: &mut Hold, world: usize, token: TokenNo) -> Option<Op> {
        tokio::select! {
            biased;
            op = hold.reached() => Some(op),
            () = self.until(world, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)) => None,
        }
    }

    /// Returns once a newer token than `token` is confirmed. No, if a person is asked whose pause it is that stands: where
    /// a process dies between a pause and its label and cycles or an hour go by, nothing else can be done.
    pub async fn comes_to_rest(&self, world: usize, token: TokenNo) -> bool {
        let asks = || self.logs().contains("PauseOfUnknownOrigin");
        self.until(world, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token) || asks()).await;
        !asks()
    }

    /// What all daemons of this place have logged.
    pub fn logs(&self) -> String {
        let entries = fs::read_dir(&self.setup.folder).expect("the folder");
        let mut logs: Vec<_> = entries.map(|e| e.expect("an entry").path()).filter(|p| is_log(p)).collect();
        logs.sort();
        logs.iter().map(|log| fs::read_to_string(log).unwrap_or_default()).collect()
    }
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

/// A running daemon. Killed when it is dropped.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// A daemon whose log nobody keeps.
    pub fn of(child: Child) -> Self {
        Self { child, log: PathBuf::new() }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("the process is there");
    }

    /// `kill -9`, and gone.
    pub fn kill(mut self) {
        self.child.kill().expect("the process is there");
        self.child.wait().expect("it ends");
    }

    /// The process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end that somebody asked for; answers with the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the process is ours") {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "the daemon does not end\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where its status page is: the URL without a path.
    pub async fn page(&self) -> String {
        const SAYS: &str = "the status page is served at ";
        self.says(SAYS).await;
        let log = self.log();
        let (_, url) = log.rsplit_once(SAYS).expect("it has just been said");
        url.chars().take_while(|c| !matches!(c, '"' | ' ' | '\n')).collect::<String>().trim_end_matches('/').to_owned()
    }

    /// Returns once the log holds `text`.
    pub async fn says(&self, text: &str) {
        self.says_after(0, text).await;
    }

    /// Returns once the log holds `text` behind its first `before` bytes.
    pub async fn says_after(&self, before: usize, text: &str) {
        let began = Instant::now();
        while !self.log().get(before..).is_some_and(|log| log.contains(text)) {
            assert!(began.elapsed() < PATIENCE, "it never said {text:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The policy of `config/sandbox.toml`.
fn sandbox_policy(mode: Mode) -> Policy {
    Policy {
        rotate_before: Before::Time(TimeDelta::hours(36)),
        min_slack: TimeDelta::hours(12),
        confirm_within: TimeDelta::hours(6),
        retire_after: TimeDelta::hours(6),
        bootstrap: Some(Bootstrap::Rotate),
        ..policy(mode, Fence::Auto)
    }
}

/// Worlds in which both connections were begun a day and a half ago, by the engine itself in virtual time, so that both
/// tokens come due a few minutes from now.
pub async fn about_to_be_due(change: impl Fn(&mut Settings)) -> Vec<Arc<Mutex<World>>> {
    let now = real_now();
    let due = now + TimeDelta::minutes(3);
    let begun = worlds(|settings| {
        // The first token is made as soon as the first cycle has ended, and a running one would have.
        settings.start = due - TimeDelta::hours(36) - TimeDelta::minutes(18);
        change(settings);
    });
    for (world, mode) in begun.iter().zip([Mode::Overlap, Mode::RemoveCurrent]) {
        let drive = Drive { world: Arc::clone(world), policy: sandbox_policy(mode) };
        drive.live(&[], now).await;
        let world = drive.world();
        assert_eq!(
            world.ledger.issued,
            1,
            "the first token has been issued, and not the second\n{}",
            world.ledger.trace()
        );
        assert_eq!(world.ledger.cycles_failed, 0);
    }
    begun
}

/// The configuration with one of its two connections.
pub fn only(connection: usize, text: &str) -> String {
    let mut parts = text.split("[[connections]]");
    let head = parts.next().unwrap_or_default();
    let connection = parts.nth(connection).expect("the connection is in the file");
    format!("{head}[[connections]]{connection}")
}

/// The configuration with a look in each hour of the sandbox, as the default is in real time.
pub fn hourly(text: &str) -> String {
    text.replace("check = \"0 */10 * * * *\"", "check = \"* * * * * *\"")
}

/// The state of rest after a rotation: Entra holds a working token newer than `token`, the job runs, and the newest
/// version in the vault is current.
pub fn is_at_rest_with_newer(world: &World, token: TokenNo) -> bool {
    let newest = world.versions().last().and_then(|version| version.tags.get("stage"));
    let proof = world.versions().last().and_then(|version| version.tags.get("proof"));
    world.entra_holds_a_working_token()
        && world.saved_token().is_some_and(|saved| saved > token)
        && world.jobs()[0].schedule == Schedule::Active
        && newest.is_some_and(|stage| stage == "current")
        && proof.is_some_and(|proof| proof.contains("confirmed"))
}

/// What must hold at the end of every rotation, whatever happened on the way.
pub fn judge(world: &World, most_issued: u32) -> Result<(), String> {
    let ledger = &world.ledger;
    let checks = [
        (ledger.cycles_failed == 0, "no provisioning cycle fails"),
        (world.entra_holds_a_working_token(), "Entra holds a working token"),
        (world.settings_lost().is_empty(), "no sibling setting is lost"),
        (ledger.masks_sent == 0, "no mask is sent"),
        (ledger.started_while_active == 0, "start is never called on a running job"),
        (ledger.started_a_persons_pause == 0, "a person's pause is not ended"),
        (ledger.issued <= most_issued, "no more tokens are issued than there are reasons for"),
    ];
    let broken: Vec<_> = checks.iter().filter(|(holds, _)| !holds).map(|(_, what)| *what).collect();
    match broken.is_empty() {
        true => Ok(()),
        false => Err(format!("broken: {}\n{}", broken.join("; "), ledger.trace())),
    }
}

//! `make demo`: the real daemon against the sandbox, and the story of what happens, in plain words. Or, by
//! `demo --serve FOLDER [SPEED]`, the sandbox and the story alone, for a daemon that somebody else starts: in a container, say.

#[path = "mod.rs"]
#[expect(dead_code, unused_imports, reason = "a story needs less of the sandbox than the tests do")]
mod sandbox;
#[path = "../world/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a story needs less of the world than the tests do")]
mod world;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use sandbox::setup::{Setup, worlds};
use sandbox::{Sandbox, SandboxOptions};
use world::{Event, Timestamp};

/// An hour in a second.
const SPEED: f64 = 3600.0;
const CONNECTIONS: [&str; 2] = ["overlap", "remove-current"];

fn main() -> anyhow::Result<()> {
    const USAGE: &str = "usage: demo BINARY [SECONDS], or demo --serve FOLDER [SPEED]";
    let mut arguments = std::env::args_os().skip(1).peekable();
    let serves = arguments.next_if(|first| first == "--serve").is_some();
    let path = PathBuf::from(arguments.next().context(USAGE)?);
    let number = arguments.next().map(|n| n.to_string_lossy().parse::<u32>()).transpose().context(USAGE)?;
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok().context("TLS cannot be set up")?;
    let runtime = tokio::runtime::Runtime::new()?;
    if serves {
        runtime.block_on(serve(&path, number.map_or(SPEED, f64::from)))
    } else {
        runtime.block_on(tell(&path, number.map(|seconds| Duration::from_secs(seconds.into()))))
    }
}

/// Writes what a daemon needs into a folder, and tells until TERM or Ctrl-C what becomes of the worlds.
async fn serve(folder: &Path, speed: f64) -> anyhow::Result<()> {
    let sandbox = Sandbox::start(worlds(|_| ()), SandboxOptions { speed, ..SandboxOptions::default() }).await?;
    let anchor = sandbox.clock().anchor;
    let time = format!("clock_anchor = \"{}\"\nclock_speed = {speed}", anchor.to_rfc3339());
    let setup = Setup::write(folder, &sandbox, |text| text.replace("clock_speed = 3600", &time))?;
    println!("served on https://{}; the configuration is {}", sandbox.address, setup.config.display());
    let mut narrator = Narrator { started: anchor, told: [0, 0], page: None };
    let mut interval = tokio::time::interval(Duration::from_millis(200));
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = term.recv() => break,
            _ = interval.tick() => narrator.go_on(&sandbox),
        }
    }
    narrator.go_on(&sandbox);
    conclude(&sandbox)
}

async fn tell(binary: &Path, limit: Option<Duration>) -> anyhow::Result<()> {
    let sandbox = Sandbox::start(worlds(|_| ()), SandboxOptions { speed: SPEED, ..SandboxOptions::default() }).await?;
    let folder = tempfile::tempdir()?;
    let setup = Setup::write(folder.path(), &sandbox, |text| text)?;
    let log = folder.path().join("daemon.log");
    introduce(binary, &setup, &sandbox, &log);
    let mut daemon = setup
        .command(binary)
        .arg("run")
        .stderr(std::fs::File::create(&log)?)
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("{} cannot be started", binary.display()))?;
    let mut narrator = Narrator { started: sandbox.clock().anchor, told: [0, 0], page: None };
    let mut interval = tokio::time::interval(Duration::from_millis(200));
    let limit = limit.unwrap_or(Duration::MAX);
    let end = tokio::time::sleep(limit);
    tokio::pin!(end);
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            () = &mut end => break,
            _ = interval.tick() => {
                narrator.look_for_page(&log);
                narrator.go_on(&sandbox);
            }
        }
        if let Some(status) = daemon.try_wait()? {
            anyhow::bail!("the daemon ended ({status}); its log:\n{}", std::fs::read_to_string(&log)?);
        }
    }
    stop(&mut daemon)?;
    narrator.go_on(&sandbox);
    conclude(&sandbox)
}

fn introduce(binary: &Path, setup: &Setup, sandbox: &Sandbox, log: &Path) {
    println!(
        "\
HPE GreenLake, Azure Key Vault and Microsoft Entra are played on https://{} (TLS, throw-away CA).
The real daemon rotates two connections there: `overlap` and `remove-current` are HPE's two ways to rotate.
A token lives for 3 days here and is rotated after a day and a half; an hour passes in a second.
Entra provisions every 40 minutes with whatever token it holds: a cycle that fails is what must never happen.

  the daemon's log     {}
  its status (in another terminal; the daemon goes on), or `rotate overlap`, `hold overlap --for 1day` …
    SCIM_ROTATOR__SANDBOX__CLOCK_ANCHOR={} SCIM_ROTATOR__RUNTIME_DIR={} {} --config {} status

Ctrl-C ends it.
",
        sandbox.address,
        log.display(),
        sandbox.clock().anchor.to_rfc3339(),
        setup.folder.join("run").display(),
        binary.display(),
        setup.config.display(),
    );
}

/// Tells what has happened since it last spoke.
struct Narrator {
    started: Timestamp,
    told: [usize; 2],
    page: Option<String>,
}

impl Narrator {
    /// Tells once where the status page is.
    fn look_for_page(&mut self, log: &Path) {
        if self.page.is_none() {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            let url = log.split_once("the status page is served at ").and_then(|(_, rest)| rest.split('"').next());
            self.page = url.map(|url| {
                println!("  its status page      {url}\n");
                url.to_owned()
            });
        }
    }

    fn go_on(&mut self, sandbox: &Sandbox) {
        let mut lines = Vec::new();
        for (number, name) in CONNECTIONS.into_iter().enumerate() {
            let world = sandbox.world(number);
            let ledger = &world.ledger;
            let cycles = format!("   [cycles: {} succeeded, {} failed]", ledger.cycles_succeeded, ledger.cycles_failed);
            let skip = self.told[number].saturating_sub(ledger.forgotten());
            for (at, event) in ledger.events().skip(skip) {
                self.told[number] += 1;
                if let Some(text) = words(event) {
                    let counts = matches!(event, Event::Started { .. } | Event::CycleFailed { .. });
                    let cycles = if counts { cycles.as_str() } else { "" };
                    lines.push((*at, format!("{}  {name:<14}  {text}{cycles}", elapsed(*at - self.started))));
                }
            }
        }
        lines.sort_by_key(|(at, _)| *at);
        lines.iter().for_each(|(_, line)| println!("{line}"));
    }
}

fn elapsed(time: TimeDelta) -> String {
    format!("day {:>2} {:02}:{:02}", time.num_days() + 1, time.num_hours() % 24, time.num_minutes() % 60)
}

/// What of the world's events belongs into the story, and how it is said.
fn words(event: &Event) -> Option<String> {
    let stage = |stage: &Option<String>| match stage.as_deref() {
        Some("pending") => "a new token as a pending version",
        Some("current") => "the current token again, with the intent to rotate",
        Some("placeholder") => "the intent to issue the first token",
        _ => "a version",
    };
    Some(match event {
        Event::Stored { stage: s, .. } => format!("Key Vault stores {}", stage(s)),
        Event::Labelled { stage: Some(s), enabled: true, .. } if s == "rejected" => {
            "the version is rejected".to_owned()
        }
        Event::Labelled { stage: Some(s), enabled: false, .. } if s != "placeholder" => {
            "an old version retires".to_owned()
        }
        Event::CyclesSucceeded { .. } | Event::Labelled { .. } => return None,
        other => other.to_string(),
    })
}

fn stop(daemon: &mut Child) -> anyhow::Result<()> {
    if let Some(pid) = i32::try_from(daemon.id()).ok().and_then(rustix::process::Pid::from_raw) {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    }
    daemon.wait()?;
    Ok(())
}

fn conclude(sandbox: &Sandbox) -> anyhow::Result<()> {
    println!();
    let mut failed = 0;
    for (number, name) in CONNECTIONS.into_iter().enumerate() {
        let world = sandbox.world(number);
        let ledger = &world.ledger;
        failed += ledger.cycles_failed;
        println!(
            "{name:<14}  {} tokens issued, {} provisioning cycles succeeded, {} failed, paused for {} minutes in all",
            ledger.issued,
            ledger.cycles_succeeded,
            ledger.cycles_failed,
            ledger.paused.num_minutes(),
        );
    }
    anyhow::ensure!(failed == 0, "{failed} provisioning cycles failed");
    Ok(())
}

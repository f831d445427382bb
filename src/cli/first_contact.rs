//! `doctor NAME --first-contact`: the short experiment that settles for one tenant what no document tells.
//!
//! It refuses whatever would make a rotation unsafe or blind, and says how that ends. The rotation is the engine's own.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use tokio_util::sync::CancellationToken;

use crate::admin::control::Daemon;
use crate::admin::lock::{Lock, LockError};
use crate::admin::outcome;
use crate::app::{App, Shared};
use crate::cli::args::DoctorArgs;
use crate::cli::exit::Exit;
use crate::cli::{doctor, signals};
use crate::config::{Config, ConnectionConfig};
use crate::doctor::examine;
use crate::domain::{Bootstrap, Journal, Mode, Reason, Timestamp};
use crate::engine::{Act, chain, report::Kind};
use crate::first_contact::{Experiment, Known, unsafe_faults};
use crate::words::span;

/// What the report says until its end has come.
const UNFINISHED: &str = "This report is written when the experiment has come to its end. It has not: `scim-rotator once` (or the \
                          daemon) takes up what it began, and `scim-rotator status` says what that is.\n";

/// Makes first contact, or says what that would be.
pub async fn run(
    config: &Config,
    connection: &ConnectionConfig,
    args: &DoctorArgs,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let name = connection.name.as_str();
    if connection.issuer.greenlake().is_none() {
        bail!(
            "connection {name} has no issuer that could be asked: people bring its tokens, so there is nothing to learn"
        );
    }
    if !args.i_understand_this_rotates {
        explain(connection, args, out)?;
        return Ok(Exit::Usage);
    }
    let _lock = alone(config, name).await?;
    let shutdown = CancellationToken::new();
    let _signals = tokio::spawn(signals::cancel(shutdown.clone()));
    let app = App::build(config, Shared::of(config))?;
    let parts = app.first_contact(connection)?.context("there is no issuer that could be asked")?;
    let clock = Arc::clone(&parts.ports.clock);
    check_hops(config, &app, connection, out).await?;
    check_state(&app, connection, &parts, clock.now()).await?;
    let began = clock.now();
    let mut experiment = Experiment::prepare(parts, args.mode, args.watch, &shutdown)
        .await
        .with_context(|| format!("connection {name}: the vault cannot be read"))?;
    let path = args.report.clone().unwrap_or_else(|| default_path(name, began));
    let mut file = create(&path)?;
    write(&mut file, UNFINISHED)
        .with_context(|| format!("nothing was rotated: {} cannot be written", path.display()))?;
    if !experiment.knows_old() {
        writeln!(out, "the vault holds no current token of this connection: the old one cannot be watched")?;
    }
    writeln!(out, "asking Entra to test a good token, a wrong one, and what it has saved")?;
    let validated = experiment.validate().await;
    writeln!(out, "rotating, by {}; Ctrl-C ends it where nothing is lost by that", experiment.mode())?;
    let rotated = experiment.rotate().await;
    let outcome = outcome::Outcome::of(&rotated.order, &rotated.report);
    let left_out = match outcome.carried_out && !shutdown.is_cancelled() {
        true => {
            writeln!(out, "writing the settings once more without one that stands at its default")?;
            experiment.put_without_default().await.map_err(|halt| chain(&halt))
        }
        false => Err("the rotation was not carried through to its end".to_owned()),
    };
    if let Err(why) = &left_out {
        tracing::warn!(connection = name, why, "what a PUT does to settings that it does not name was not tried");
    }
    if outcome.carried_out && experiment.knows_old() {
        writeln!(out, "watching the old token for {} (Ctrl-C ends that)", span(args.watch))?;
        experiment.watch_old().await;
    }
    // Why it failed names hosts and ids, which the report must not.
    let left_out = left_out.map_err(|_| "it could not be tried; the log says why".to_owned());
    let findings = experiment.findings(validated, left_out, outcome.carried_out);
    let known = Known { version: env!("CARGO_PKG_VERSION"), began };
    let written = write(&mut file, &findings.report(known));

    for line in &outcome.says {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\nwhat was read:")?;
    for (unknown, reading, evidence) in findings.read() {
        let evidence = if evidence.is_empty() { evidence } else { format!(" ({evidence})") };
        writeln!(out, "  {unknown}: {reading}{evidence}")?;
    }
    writeln!(out, "\nto pin in the configuration, for {name}:")?;
    for line in findings.pins() {
        writeln!(out, "  {line}")?;
    }
    written.with_context(|| format!("the report {} cannot be written", path.display()))?;
    writeln!(out, "\nthe report, fit to be shared: {}", path.display())?;
    Ok(if outcome.carried_out { Exit::Done } else { Exit::Failed })
}

/// The lock, and no daemon.
async fn alone(config: &Config, name: &str) -> anyhow::Result<Lock> {
    let stop = format!(
        "an experiment wants the connection for itself. Stop the daemon (systemctl stop scim-rotator), run this again, and \
         start the daemon: it goes on with whatever {name} is in the middle of"
    );
    if let Some(daemon) = Daemon::find(&config.runtime_dir).await? {
        let pid = daemon.pid().map(|pid| format!(" (process {pid})")).unwrap_or_default();
        bail!("a daemon{pid} tends {name}, and {stop}");
    }
    Lock::take(&config.runtime_dir).map_err(|error| match error {
        LockError::Held { .. } => anyhow!("{error}; {stop}"),
        LockError::Unusable { .. } => error.into(),
    })
}

/// The doctor's own walk.
async fn check_hops(
    config: &Config,
    app: &App,
    connection: &ConnectionConfig,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let name = connection.name.as_str();
    let (subject, questions) = app.doctor(&config.azure, connection).with_context(|| format!("connection {name}"))?;
    let checks = examine(&subject, &questions).await;
    let faults = unsafe_faults(&checks);
    if faults.is_empty() {
        return Ok(());
    }
    let faults: Vec<_> = faults.into_iter().cloned().collect();
    doctor::report(name, &faults, out)?;
    bail!(
        "nothing was rotated: with {} of these faults no rotation is safe, or none can be watched; mend them first",
        faults.len()
    );
}

/// What the vault and the job say: nothing unfinished, nobody else, no hold.
async fn check_state(
    app: &App,
    connection: &ConnectionConfig,
    parts: &crate::first_contact::Parts,
    now: Timestamp,
) -> anyhow::Result<()> {
    let name = connection.name.as_str();
    let versions = parts.ports.vault.list().await.with_context(|| format!("connection {name}"))?;
    let journal = Journal::new(versions);
    if let Some(until) = journal.hold().filter(|until| *until > now) {
        let until = until.format("%Y-%m-%d %H:%M:%S UTC");
        bail!("nothing was rotated: a person holds {name} until {until}; `scim-rotator release {name}` ends that");
    }
    let report = app.connection(connection, &CancellationToken::new())?.look(Act::DecideOnly).await.report;
    let standing = &report.standing;
    let is_new = matches!(standing.reason, Reason::NotAdopted | Reason::NothingToAdopt);
    match standing.kind {
        _ if standing.reason == Reason::AnotherHolder => {
            bail!("nothing was rotated: another process keeps {name}; {}", report.line())
        }
        Kind::Idle | Kind::Due => Ok(()),
        Kind::NeedsHuman if is_new => Ok(()),
        Kind::Unfinished => bail!(
            "nothing was rotated: something is unfinished, `scim-rotator once` brings it to its end; {}",
            report.line()
        ),
        Kind::NeedsHuman | Kind::Unknown => bail!("nothing was rotated: {}", report.line()),
    }
}

/// The file is there before anything is done, so that no finding is lost for want of one; for this user alone.
fn create(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path).with_context(|| {
        format!("nothing was rotated: the report {} cannot be made; name another file with --report", path.display())
    })
}

/// In place of whatever stands there.
fn write(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn default_path(name: &str, now: Timestamp) -> PathBuf {
    PathBuf::from(format!("first-contact-{name}-{}.md", now.format("%Y%m%dT%H%M%SZ")))
}

/// What would be done.
fn explain(connection: &ConnectionConfig, args: &DoctorArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let name = connection.name.as_str();
    let policy = &connection.policy;
    let mode = args.mode.unwrap_or(policy.mode);
    let (flag, old) = match mode {
        Mode::Overlap => ("false", "HPE lets the old token live until the new one takes effect"),
        Mode::RemoveCurrent => ("true", "HPE removes the old token at once"),
    };
    let fence = match policy.fences(mode) {
        true => "the provisioning job is paused around it and started again",
        false => "the provisioning job is not paused (fence)",
    };
    let first = match policy.bootstrap {
        Some(Bootstrap::Adopt) => " A token in the vault that is not ours yet is adopted by `scim-rotator once` first.",
        _ => "",
    };
    let steps = [
        "take this host's lock; refuse while a daemon has it".to_owned(),
        "walk every hop as `doctor` does; refuse at a fault that makes a rotation unsafe, under a hold, and while \
         anything is unfinished"
            .to_owned(),
        format!("read the current token from the vault, so that it can be watched.{first}"),
        "have Entra test that token, one that nobody has made, and what it has saved: which status, which code?".to_owned(),
        format!(
            "have HPE make a new token with remove-current={flag} ({old}), and bring it to Entra by the very steps of \
             `scim-rotator rotate {name}`: intent and token stored in the vault first; {fence}"
        ),
        "meanwhile ask the SCIM endpoint how the old token fares; the new one is used by nobody but Entra's own test".to_owned(),
        "write Entra's saved settings once more without one that stands at its default (SyncAll = false, or notifications \
         off), look whether it is gone, and put it back"
            .to_owned(),
        format!("watch the old token for {} more (--watch)", span(args.watch)),
        "write a report without any secret, name, id or host (--report), and print the settings to pin".to_owned(),
    ];
    writeln!(out, "first contact with {name} would:")?;
    for (number, step) in (1..).zip(&steps) {
        writeln!(out, "  {number}. {step}")?;
    }
    writeln!(
        out,
        "Broken off anywhere, it is taken up by `scim-rotator run` or `once` like any rotation. It counts as one of the four \
         that are issued in 24 hours at most.\nNothing has been done. To do it:\n  scim-rotator doctor {name} --first-contact \
         --i-understand-this-rotates"
    )?;
    Ok(())
}

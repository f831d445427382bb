//! `health`: whether the daemon of this host lives, and whether all is well; for containers, monitors and people.

use std::io::Write;
use std::path::Path;

use crate::admin::control::Daemon;
use crate::admin::health::{Fault, Health};
use crate::cli::args::HealthArgs;
use crate::cli::exit::Exit;
use crate::cli::json;
use crate::config::Config;

/// Asks the daemon, and nobody else.
pub async fn run(config: &Config, args: &HealthArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    if let Some(exit) = of_daemon(&config.runtime_dir, args, out).await? {
        return Ok(exit);
    }
    let dir = config.runtime_dir.display();
    if args.json {
        json::write(&Health::of_nobody(format!("no daemon answers in {dir}")), out)?;
        return Ok(Exit::Failed);
    }
    anyhow::bail!("no daemon answers in {dir}: start it, or name the runtime directory that it has")
}

/// The same of the daemon of this runtime directory; none if there is no such one.
pub async fn of_daemon(runtime_dir: &Path, args: &HealthArgs, out: &mut impl Write) -> anyhow::Result<Option<Exit>> {
    let Some(daemon) = Daemon::find(runtime_dir).await? else { return Ok(None) };
    let health = daemon.health().await?;
    match args.json {
        true => json::write(&health, out)?,
        false => tell(&health, out)?,
    }
    let well = health.live && (health.ready || !args.ready);
    Ok(Some(if well { Exit::Done } else { Exit::Failed }))
}

fn tell(health: &Health, out: &mut impl Write) -> std::io::Result<()> {
    let live = if health.live { "live" } else { "not live: the loop of a connection no longer turns" };
    let ready = if health.ready { "ready" } else { "not ready" };
    writeln!(out, "{live}; {ready}; connections: {}", health.connections)?;
    health.waiting.iter().try_for_each(|what| writeln!(out, "{what}"))?;
    for Fault { connection, sentence, page, error, remedy, .. } in &health.faults {
        let error = error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        let remedy = remedy.as_deref().map(|remedy| format!("; to do: {remedy}")).unwrap_or_default();
        writeln!(out, "{connection}: {sentence} [{page}]{error}{remedy}")?;
    }
    if health.more_faults > 0 {
        writeln!(out, "and {} more", health.more_faults)?;
    }
    if let Some(problems) = &health.reload_problems {
        writeln!(out, "the new configuration is refused, and the one before it stays: {problems}")?;
    }
    Ok(())
}

//! `health`: whether the daemon of this host lives, and whether all is well; for containers, monitors and people.

use std::io::Write;

use crate::admin::control::Daemon;
use crate::admin::health::Fault;
use crate::cli::args::HealthArgs;
use crate::cli::exit::Exit;
use crate::config::Config;

/// Asks the daemon, and nobody else.
pub async fn run(config: &Config, args: &HealthArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let Some(daemon) = Daemon::find(&config.runtime_dir).await? else {
        anyhow::bail!(
            "no daemon answers in {}: start it, or name the runtime directory that it has",
            config.runtime_dir.display()
        );
    };
    let health = daemon.health().await?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &health)?;
        writeln!(out)?;
    } else {
        let live = if health.live { "live" } else { "not live: the loop of a connection no longer turns" };
        let ready = if health.ready { "ready" } else { "not ready" };
        writeln!(out, "{live}; {ready}; connections: {}", health.connections)?;
        health.waiting.iter().try_for_each(|what| writeln!(out, "{what}"))?;
        for Fault { connection, sentence, reason, error, remedy, .. } in &health.faults {
            let error = error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
            let remedy = remedy.as_deref().map(|remedy| format!("; to do: {remedy}")).unwrap_or_default();
            writeln!(out, "{connection}: {sentence} [{reason}]{error}{remedy}")?;
        }
        if health.more_faults > 0 {
            writeln!(out, "and {} more", health.more_faults)?;
        }
    }
    let well = health.live && (health.ready || !args.ready);
    Ok(if well { Exit::Done } else { Exit::Failed })
}

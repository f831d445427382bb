//! `doctor`: every hop of each connection, looked at one after the other. Changes nothing.

use anyhow::{Context as _, bail};
use serde_json::json;
use std::io::{self, Write};

use crate::app::{App, Shared};
use crate::cli::args::DoctorArgs;
use crate::cli::exit::Exit;
use crate::cli::first_contact;
use crate::cli::json;
use crate::cli::look::no_such_connection;
use crate::config::{Config, ConnectionConfig};
use crate::doctor::{Check, Outcome, examine};

/// Examines the connection that is named, or all. Failed if there is a fault anywhere.
pub async fn run(config: &Config, args: &DoctorArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let chosen = chosen(config, args.name.as_deref())?;
    if args.first_contact {
        let [connection] = chosen[..] else { bail!("a first contact is made with one connection: name it") };
        return first_contact::run(config, connection, args, out).await;
    }
    let app = App::build(config, Shared::of(config))?;
    let mut examined = Vec::new();
    for connection in chosen {
        let name = connection.name.as_str();
        let (subject, questions) =
            app.doctor(&config.azure, connection).with_context(|| format!("connection {name}"))?;
        let checks = examine(&subject, &questions).await;
        if !args.json {
            report(name, &checks, out)?;
        }
        examined.push((name, checks));
    }
    let faults = examined.iter().map(|(_, checks)| count(checks, Outcome::Fault)).sum::<usize>();
    if args.json {
        let connections: Vec<_> =
            examined.iter().map(|(name, checks)| json!({"name": name, "checks": checks})).collect();
        json::write(&json!({"connections": connections, "faults": faults}), out)?;
    }
    // What is wrong with the configuration of others has been said already.
    let refused = args.name.is_none() && !config.refused.is_empty();
    Ok(if faults == 0 && !refused { Exit::Done } else { Exit::Failed })
}

fn chosen<'a>(config: &'a Config, name: Option<&str>) -> anyhow::Result<Vec<&'a ConnectionConfig>> {
    let all = config.connections.iter();
    let Some(name) = name else { return Ok(all.collect()) };
    let chosen: Vec<_> = all.filter(|connection| connection.name.as_str() == name).collect();
    if chosen.is_empty() {
        return Err(no_such_connection(config, name));
    }
    Ok(chosen)
}

fn count(checks: &[Check], outcome: Outcome) -> usize {
    checks.iter().filter(|check| check.outcome == outcome).count()
}

pub(super) fn report(name: &str, checks: &[Check], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{name}")?;
    for Check { hop, of, outcome, evidence, fix } in checks {
        let of = of.as_ref().map(|of| format!(" {of}")).unwrap_or_default();
        writeln!(out, "  {outcome:7}  {hop}{of}: {evidence}")?;
        // What could not be tried may well be in order.
        let when = if *outcome == Outcome::Untried { "if in doubt" } else { "to do" };
        for line in fix.iter().flat_map(|fix| fix.lines()) {
            writeln!(out, "           {when}: {line}")?;
        }
    }
    let [faults, warnings, untried, skipped] =
        [Outcome::Fault, Outcome::Warning, Outcome::Untried, Outcome::Skipped].map(|outcome| count(checks, outcome));
    writeln!(out, "  {faults} faults, {warnings} warnings, {untried} untried, {skipped} skipped\n")
}

//! `status`: every connection as it stands.

use std::io::{self, Write};

use crate::cli::args::StatusArgs;
use crate::cli::columns::{self, minute, slack};
use crate::cli::exit::Exit;
use crate::cli::json;
use crate::cli::look::{Seen, document, look};
use crate::config::Config;
use crate::domain::Timestamp;
use crate::engine::Report;
use crate::engine::report::{JobReport, Kind, TokenReport};

/// Shows the reports as a table, or as one JSON document. Failed only if a connection could not be seen.
pub async fn run(config: &Config, args: &StatusArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let seen = look(config, &args.look).await?;
    if args.json {
        json::write(&document(seen.iter().map(|seen| &seen.report)), out)?;
    } else {
        table(&seen, out)?;
    }
    let unseen = seen.iter().any(|seen| seen.report.standing.kind == Kind::Unknown);
    Ok(if unseen { Exit::Failed } else { Exit::Done })
}

const HEAD: [&str; 6] = ["CONNECTION", "STAGE", "EXPIRES", "SLACK", "JOB", "NEXT"];

/// The table, and below it what a line has no room for.
fn table(seen: &[Seen], out: &mut impl Write) -> io::Result<()> {
    columns::write(HEAD, &seen.iter().map(|seen| row(&seen.report)).collect::<Vec<_>>(), out)?;
    seen.iter().try_for_each(|seen| details(seen, out))
}

fn row(report: &Report) -> [String; 6] {
    let token = report.token.as_ref();
    let dash = || "-".to_owned();
    [
        report.connection.clone(),
        token.map_or_else(dash, |t| t.stage.to_string()),
        token.and_then(expires).unwrap_or_else(dash),
        token.and_then(|t| t.slack_seconds).map_or_else(dash, slack),
        report.job.as_ref().map_or_else(dash, job),
        next(report),
    ]
}

fn expires(token: &TokenReport) -> Option<String> {
    let source = token.expiry_source.map(|source| format!(" ({source})")).unwrap_or_default();
    Some(format!("{}{source}", minute(token.expires?)))
}

fn job(job: &JobReport) -> String {
    let cycle = job.last_cycle.map(|state| format!(", last cycle {state:?}")).unwrap_or_default();
    format!("{:?}{cycle}", job.state)
}

fn next(report: &Report) -> String {
    let standing = &report.standing;
    let word = if standing.action == "wait" { "until" } else { "next look" };
    let when = standing.next.map(|at| format!(" {word} {}", minute(at))).unwrap_or_default();
    format!("{}{when} [{}]", standing.action, standing.reason)
}

fn details(seen: &Seen, out: &mut impl Write) -> io::Result<()> {
    let report = &seen.report;
    writeln!(out, "\n{}: {}", report.connection, report.standing.sentence())?;
    if let Some(error) = &report.standing.error {
        writeln!(out, "  error: {error}")?;
    }
    if let Some(remedy) = &report.standing.remedy {
        writeln!(out, "  to do: {remedy}")?;
    }
    if let Some(token) = &report.token {
        let due = token.due.map(|at| format!(", due {}", minute(at))).unwrap_or_default();
        writeln!(out, "  token {} issued {}{due}", token.id, minute(token.issued))?;
        let seen =
            |what, at: Option<Timestamp>| at.map_or(format!("not {what} yet"), |at| format!("{what} {}", minute(at)));
        writeln!(out, "  {}, {}", seen("confirmed", token.confirmed), seen("proven", token.proven))?;
    }
    if let Some(quarantine) = report.job.as_ref().and_then(|job| job.quarantine.as_ref()) {
        let began = quarantine.began.map(|at| format!(" since {}", minute(at))).unwrap_or_default();
        let next = quarantine.next_attempt.map(|at| format!(", Entra tries again {}", minute(at))).unwrap_or_default();
        writeln!(out, "  quarantine{began} [{}]{next}", quarantine.reason)?;
    }
    if let Some(last) = &report.last_action {
        let how = if last.succeeded { "done" } else { "failed" };
        writeln!(out, "  last: {} {how} at {} [{}]", last.action, minute(last.at), last.reason)?;
    }
    for warning in &report.warnings {
        writeln!(out, "  warning: {warning}")?;
    }
    if let Some(by) = seen.by() {
        writeln!(out, "  {by}")?;
    }
    Ok(())
}

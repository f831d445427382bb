//! A plan for people: a table with a line for each connection, and below it what the line has no room for.

use std::io::{self, Write};

use chrono::TimeDelta;

use super::{Coming, Next, Plan};
use crate::cli::columns::{self, minute};
use crate::domain::{ExpirySource, Reason};
use crate::words::span;

const HEAD: [&str; 5] = ["CONNECTION", "NEXT LOOK", "NEXT ROTATION", "LAST SAFE MOMENT", "SLACK"];

/// Writes all plans.
pub(super) fn write(plans: &[Plan], horizon: TimeDelta, out: &mut impl Write) -> io::Result<()> {
    columns::write(HEAD, &plans.iter().map(row).collect::<Vec<_>>(), out)?;
    plans.iter().try_for_each(|plan| details(plan, horizon, out))
}

fn row(plan: &Plan) -> [String; 5] {
    let dash = || "-".to_owned();
    let assumed = if plan.expiry_source == Some(ExpirySource::Assumed) { " (assumed)" } else { "" };
    [
        plan.connection.clone(),
        plan.next_look.map_or_else(dash, minute),
        plan.next_rotation.as_ref().map_or_else(dash, |next| format!("{} [{}]", minute(next.at), next.reason)),
        plan.last_safe_moment.map_or_else(dash, |at| format!("{}{assumed}", minute(at))),
        plan.slack_seconds.map_or_else(dash, columns::slack),
    ]
}

fn details(plan: &Plan, horizon: TimeDelta, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{}: {}", plan.connection, plan.now)?;
    if let Some(error) = &plan.error {
        writeln!(out, "  error: {error}")?;
    }
    if let Some(remedy) = &plan.remedy {
        writeln!(out, "  to do: {remedy}")?;
    }
    if let Some(by) = &plan.seen_by {
        writeln!(out, "  {by}")?;
    }
    if plan.afterwards.is_empty() {
        return Ok(());
    }
    match &plan.next_rotation {
        Some(next) => why(plan, next, out)?,
        None if plan.slack_seconds.is_none() => {
            writeln!(out, "  no rotation can be told yet: no token is known, or nothing says when it ends")?;
        }
        None => writeln!(out, "  no rotation is to come")?,
    }
    if !plan.steps.is_empty() {
        writeln!(out, "  a rotation does, in this order:")?;
    }
    for (number, step) in (1..).zip(&plan.steps) {
        writeln!(out, "    {number:>2}. {} ({})", step.step, step.service)?;
    }
    let mut told = Vec::new();
    for step in &plan.steps {
        if !told.contains(&step.service) {
            writeln!(out, "    {} needs {}", step.service, step.needs)?;
            told.push(step.service);
        }
    }
    writeln!(out, "    then: {}", plan.afterwards)?;
    let (what, days) = (if plan.supplied { "tokens to be brought" } else { "rotations" }, span(horizon));
    match plan.rotations.as_slice() {
        [] => writeln!(out, "  {what} within {days}: none"),
        coming => {
            writeln!(
                out,
                "  {what} within {days}, if each is made at its earliest and its token lives as long as this one:"
            )?;
            coming.iter().try_for_each(|one| writeln!(out, "    {}", line(one)))
        }
    }
}

/// The way from what expiry or age ask for to the moment itself.
fn why(plan: &Plan, next: &Next, out: &mut impl Write) -> io::Result<()> {
    let what = if plan.supplied { "a new token is to be brought" } else { "the next rotation" };
    let mode = if plan.supplied { String::new() } else { format!(", by {}", next.mode) };
    writeln!(out, "  {what}{mode}: {} [{}], {}", minute(next.at), next.reason, next.reason.sentence())?;
    if let Some(wanted) = next.wanted {
        writeln!(out, "    expiry or age ask for {}", minute(wanted))?;
    }
    for misfit in &next.misfits {
        writeln!(out, "    {misfit}")?;
    }
    if let Some(window) = &next.window {
        writeln!(out, "    the window is open from {} to {}", minute(window.opens), minute(window.closes))?;
    }
    if next.jitter_seconds > 0 {
        writeln!(out, "    this token has drawn {} of the jitter", span(TimeDelta::seconds(next.jitter_seconds)))?;
    }
    if next.reason == Reason::LastSafeMoment {
        writeln!(out, "    the last safe moment comes first, and beats window and jitter")?;
    }
    if let Some(until) = next.held_until {
        let name = &plan.connection;
        writeln!(out, "    a person has put it off until {}; `scim-rotator release {name}` ends that", minute(until))?;
    }
    Ok(())
}

fn line(coming: &Coming) -> String {
    let latest = Some(coming.latest).filter(|latest| minute(*latest) != minute(coming.at));
    let latest = latest.map(|at| format!(" .. {}", minute(at))).unwrap_or_default();
    format!("{}{latest} [{}]", minute(coming.at), coming.reason)
}

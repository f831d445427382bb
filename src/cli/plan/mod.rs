//! `plan`: what comes next for each connection, why then, and what it will do. Nothing is changed.

mod steps;
mod table;

use std::io::Write;

use chrono::TimeDelta;
use serde::Serialize;

use crate::cli::args::PlanArgs;
use crate::cli::exit::Exit;
use crate::cli::json;
use crate::cli::look::{Seen, look};
use crate::config::{Config, ConnectionConfig};
use crate::domain::forecast::{self, Rotation};
use crate::domain::{ExpirySource, Mode, Reason, Timestamp};
use crate::engine::report::Kind;
use steps::Step;

/// Shows the plans as text, or as one JSON document. Failed only if a connection could not be seen.
pub async fn run(config: &Config, args: &PlanArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let seen = look(config, &args.look).await?;
    let now = crate::app::clock(config).now();
    let plans: Vec<_> = config
        .connections
        .iter()
        .zip(&seen)
        .map(|(connection, seen)| Plan::new(connection, seen, now, args.horizon))
        .chain(seen.iter().skip(config.connections.len()).map(Plan::refused))
        .collect();
    if args.json {
        json::write(&serde_json::json!({ "connections": plans }), out)?;
    } else {
        table::write(&plans, args.horizon, out)?;
    }
    let unseen = seen
        .iter()
        .map(|seen| &seen.report.standing)
        .any(|standing| standing.kind == Kind::Unknown || standing.reason == Reason::CannotObserve);
    Ok(if unseen { Exit::Failed } else { Exit::Done })
}

/// What comes next for one connection.
#[derive(Debug, Serialize)]
struct Plan {
    connection: String,
    /// How it stands now, as a line of `check`.
    now: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// When that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_at: Option<Timestamp>,
    /// By whom, where it was not looked at just now.
    #[serde(skip)]
    seen_by: Option<String>,
    /// When a running daemon looks next: at the next tick of `check`, or earlier, when something is to happen before that.
    next_look: Option<Timestamp>,
    /// Nobody is asked for a token: a person brings it.
    supplied: bool,
    next_rotation: Option<Next>,
    last_safe_moment: Option<Timestamp>,
    slack_seconds: Option<i64>,
    expires: Option<Timestamp>,
    /// Who says so; `assumed` is a guess.
    expiry_source: Option<ExpirySource>,
    /// What the next rotation does, in this order.
    steps: Vec<Step>,
    /// What comes hours and days after that, at looks that are nobody's rotation.
    afterwards: String,
    /// The rotations within the horizon, the next one first.
    rotations: Vec<Coming>,
}

/// The next rotation, and what makes it be then.
#[derive(Debug, Serialize)]
struct Next {
    at: Timestamp,
    reason: Reason,
    mode: Mode,
    /// What expiry or age ask for.
    wanted: Option<Timestamp>,
    /// The window that it falls into.
    window: Option<Open>,
    /// The share of the jitter that this token has drawn.
    jitter_seconds: i64,
    /// The token lives shorter than the policy thinks, which is cut down for it.
    clamped: bool,
    /// What of the policy does not fit its life, and what it comes to instead.
    misfits: Vec<String>,
    /// A person has put rotations by policy off until then.
    held_until: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Open {
    opens: Timestamp,
    closes: Timestamp,
}

#[derive(Debug, Serialize)]
struct Coming {
    /// The earliest moment.
    at: Timestamp,
    /// The latest: a token that is not made yet has not drawn its jitter.
    latest: Timestamp,
    reason: Reason,
}

impl Plan {
    /// Of a connection whose configuration cannot be used, nothing can be planned.
    fn refused(Seen { report, .. }: &Seen) -> Self {
        Self {
            seen_at: None,
            seen_by: None,
            connection: report.connection.clone(),
            now: report.standing.sentence(),
            error: report.standing.error.clone(),
            remedy: report.standing.remedy.clone(),
            next_look: None,
            supplied: false,
            next_rotation: None,
            last_safe_moment: None,
            slack_seconds: None,
            expires: None,
            expiry_source: None,
            steps: Vec::new(),
            afterwards: String::new(),
            rotations: Vec::new(),
        }
    }

    fn new(connection: &ConnectionConfig, seen: &Seen, now: Timestamp, horizon: TimeDelta) -> Self {
        let report = &seen.report;
        let policy = &connection.policy;
        let token = report.token.as_ref();
        let until = now.checked_add_signed(horizon).unwrap_or(Timestamp::MAX_UTC);
        let rotations = token.map_or_else(Vec::new, |token| {
            forecast::rotations(policy, &token.note(), report.held_until, now, Timestamp::MAX_UTC.min(until))
        });
        // The next one is told however far away it is.
        let next = token.and_then(|token| forecast::next(policy, &token.note(), report.held_until, now));
        let mode = if token.is_some() { policy.mode } else { Mode::Overlap };
        let begins = (report.standing.action == "rotate").then_some(report.standing.reason);
        let life = token.and_then(|token| token.note().life());
        let misfits = life.map_or_else(Vec::new, |life| policy.fit(life).misfits(policy));
        let next = match (next, begins) {
            (Some(rotation), None) => Some(Next::by_policy(&rotation, mode, report.held_until, misfits)),
            (Some(rotation), Some(reason)) if reason == rotation.due.reason => {
                Some(Next::by_policy(&rotation, mode, None, misfits))
            }
            // It has another reason than the policy's: a dead token, a lost answer, the very first one.
            (_, Some(reason)) => Some(Next::now(now, reason, mode)),
            (None, None) => None,
        };
        let tick = connection.check.find_next_occurrence(&now, false).ok();
        Self {
            connection: report.connection.clone(),
            now: report.standing.sentence(),
            error: report.standing.error.clone(),
            remedy: report.standing.remedy.clone(),
            seen_at: report.seen_at,
            seen_by: seen.by(),
            next_look: report.standing.next.into_iter().chain(tick).min().map(|at| at.max(now)),
            supplied: policy.supplied,
            steps: if policy.supplied { Vec::new() } else { steps::of(policy, mode) },
            afterwards: steps::afterwards(policy),
            next_rotation: next,
            last_safe_moment: token.and_then(|token| token.last_safe_moment),
            slack_seconds: token.and_then(|token| token.slack_seconds),
            expires: token.and_then(|token| token.expires),
            expiry_source: token.and_then(|token| token.expiry_source),
            rotations: rotations.iter().map(|r| Coming { at: r.at, latest: r.latest, reason: r.reason }).collect(),
        }
    }
}

impl Next {
    fn by_policy(rotation: &Rotation, mode: Mode, held_until: Option<Timestamp>, misfits: Vec<String>) -> Self {
        let due = rotation.due;
        Self {
            at: rotation.at,
            reason: rotation.reason,
            mode,
            wanted: Some(due.wanted),
            window: due.window.map(|(opens, closes)| Open { opens, closes }),
            jitter_seconds: due.jitter.num_seconds(),
            clamped: due.clamped,
            misfits,
            held_until,
        }
    }

    fn now(at: Timestamp, reason: Reason, mode: Mode) -> Self {
        Self {
            at,
            reason,
            mode,
            wanted: None,
            window: None,
            jitter_seconds: 0,
            clamped: false,
            misfits: Vec::new(),
            held_until: None,
        }
    }
}

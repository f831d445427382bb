//! What came of a person's order, in words and for scripts: the same whether the daemon carried it out or the command.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{ExpirySource, Order, Reason, Timestamp};
use crate::engine::Report;
use crate::words::span;

/// The end of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether it was carried out, to its end.
    pub carried_out: bool,
    /// Lines for people: how the connection stands, what became of the order, what happens next.
    pub says: Vec<String>,
    /// The report of the connection.
    pub report: Value,
}

impl Outcome {
    /// Judges by what the engine noted of this very order, not by what it did last.
    pub fn of(order: &Order, report: &Report) -> Self {
        let carried_out = report.obeyed.as_ref().is_some_and(|last| last.succeeded);
        let mut says = vec![report.line()];
        match (carried_out, order) {
            (false, _) => says.push(failure(order, report)),
            (true, Order::Rotate { compromised, .. }) => {
                let removed = if *compromised { "; HPE has removed the compromised one" } else { "" };
                says.push(format!("done: Entra holds a new token and accepts it{}{removed}", life(report)));
                says.push(NEXT.to_owned());
            }
            (true, Order::Adopt { .. }) => {
                says.push(format!("done: Entra holds the token that you brought and accepts it{}", life(report)));
                says.push(NEXT.to_owned());
            }
            (true, Order::Hold { until }) => says.extend(held(*until, report)),
            (true, Order::Release) => says.push("done: policy alone says again when to rotate".to_owned()),
        }
        let report = serde_json::to_value(report).unwrap_or_default();
        Self { carried_out, says, report }
    }
}

const NEXT: &str =
    "next: the looks of `run` or `once` see it confirmed by a provisioning cycle, and retire what came before it";

fn life(report: &Report) -> String {
    let Some(token) = &report.token else { return String::new() };
    let assumed = if token.expiry_source == Some(ExpirySource::Assumed) { ", which is assumed" } else { "" };
    token.expires.map(|at| format!(" (it lives until {}{assumed})", second(at))).unwrap_or_default()
}

fn failure(order: &Order, report: &Report) -> String {
    let name = order.name();
    match &report.obeyed {
        Some(last) if matches!(last.reason, Reason::ShuttingDown | Reason::OrderFirst) => {
            format!("{name} was broken off before anything was issued: nothing has changed")
        }
        Some(last) => format!("{name} failed: {}", last.reason.sentence()),
        None => format!("{name} was not taken up: {}", report.standing.reason.sentence()),
    }
}

/// The last safe moment beats a hold, and nobody should learn that from the log.
fn held(until: Timestamp, report: &Report) -> Vec<String> {
    let mut says = vec![format!("done: no rotation by policy before {}", second(until))];
    let token = report.token.as_ref();
    if let Some(safe) = token.and_then(|token| token.last_safe_moment).filter(|safe| *safe < until) {
        let ahead = span(until - safe);
        says.push(format!(
            "but the last safe moment, {}, comes {ahead} before the end of the hold and beats it: from then on it is rotated",
            second(safe)
        ));
    } else if let Some(due) = token.and_then(|token| token.due).filter(|due| *due >= until) {
        says.push(format!("nothing is due before {} anyway", second(due)));
    }
    says.push(format!("next: `scim-rotator release {}` ends it earlier", report.connection));
    says
}

fn second(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

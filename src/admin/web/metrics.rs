//! `/metrics`: what is counted, and how each connection stands, as Prometheus reads it.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, LabelSetEncoder, MetricEncoder, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::Host;
use crate::admin::health::{Why, whys};
use crate::admin::looks::Seen;
use crate::domain::{Reason, Timestamp};
use crate::edge::http::Ending;
use crate::engine::report::Kind;

/// The two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' own, which it is made from.
    Text,
}

impl Format {
    /// What the caller's `Accept` asks for.
    pub fn of(accept: Option<&str>) -> Self {
        match accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            true => Self::OpenMetrics,
            false => Self::Text,
        }
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Everything, in this format.
pub async fn render(host: &Host, format: Format) -> Result<String, fmt::Error> {
    let now = host.clock.now();
    let mut rows = Vec::new();
    host.each(|seen| rows.push(Row::of(&seen, now))).await;
    let mut registry = Registry::default();
    let started = ConstGauge::new(host.started.timestamp());
    registry.register_with_unit("process_start_time", "When the process began", Unit::Seconds, started);
    let ours = registry.sub_registry_with_prefix("scim_rotator");
    host.counts.register(ours);
    ours.register_collector(Box::new(Process::of(host)));
    ours.register_collector(Box::new(Rows(rows)));
    let mut out = String::new();
    match format {
        Format::OpenMetrics => text::encode(&mut out, &registry)?,
        Format::Text => prometheus_text::encode(&mut out, &registry)?,
    }
    Ok(out)
}

/// What concerns the process and not a connection.
#[derive(Debug)]
struct Process {
    tended: usize,
    refused: usize,
    last_reload_good: bool,
    calls: Vec<(&'static str, &'static str, u64)>,
    notified: Vec<(String, &'static str, u64)>,
}

impl Process {
    fn of(host: &Host) -> Self {
        let services = host.calls.services();
        let calls = services
            .iter()
            .flat_map(|(service, tally)| Ending::ALL.map(|ending| (*service, ending.name(), tally.of(ending))));
        Self {
            tended: host.looks.count(),
            refused: host.looks.refused().len(),
            last_reload_good: host.looks.reload_problems().is_none(),
            calls: calls.collect(),
            notified: host.notified.counts(),
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name, help, rows: &[(Labels<'_>, i64)]| write(&mut encoder, name, help, None, rows);
        gauge("build_info", "Which release this is", &[(Labels(&[("version", env!("CARGO_PKG_VERSION"))]), 1)])?;
        let connections = [("tended", self.tended), ("refused", self.refused)];
        let labels = connections.map(|(state, _)| [("state", state)]);
        let rows = [0, 1].map(|n| (Labels(&labels[n]), as_number(connections[n].1)));
        gauge("connections", "Connections by whether they are tended, or refused for their configuration", &rows)?;
        let good = [(Labels(&[]), i64::from(self.last_reload_good))];
        gauge("config_last_reload_successful", "Whether the last reading of the configuration was taken over", &good)?;
        let help = "Messages to receivers by what became of them";
        let mut sent = encoder.encode_descriptor("notifications", help, None, MetricType::Counter)?;
        for (receiver, result, count) in &self.notified {
            add(&mut sent, [("receiver", receiver), ("result", result)], *count)?;
        }
        let help = "Requests by the service that was asked and how they ended";
        let mut calls = encoder.encode_descriptor("calls", help, None, MetricType::Counter)?;
        for (service, class, count) in &self.calls {
            add(&mut calls, [("service", service), ("class", class)], *count)?;
        }
        Ok(())
    }
}

/// A connection as it is measured. Moments are in seconds since 1970.
#[derive(Debug)]
struct Row {
    connection: String,
    /// In the order of [`MOMENTS`].
    moments: [Option<i64>; MOMENTS.len()],
    slack: Option<i64>,
    expires: Option<(i64, String)>,
    ready: bool,
    stage: Option<Cow<'static, str>>,
    standing: Option<(Kind, Reason)>,
    job: Option<&'static str>,
}

/// Name, help, and where it is taken from.
type Moment = (&'static str, &'static str, fn(&Seen) -> Option<Timestamp>);

/// Gauges of a moment each, without more labels.
const MOMENTS: [Moment; 10] = [
    ("token_issued_timestamp", "When the current token was issued", |seen| Some(token(seen)?.issued)),
    ("token_last_safe_timestamp", "The last safe moment: expiry minus min_slack", |seen| token(seen)?.last_safe_moment),
    ("rotation_due_timestamp", "When the current token is to be rotated", |seen| token(seen)?.due),
    ("token_unconfirmed_since_timestamp", "Since when a cycle should have succeeded with the current token", |seen| {
        token(seen)?.unconfirmed_since
    }),
    ("last_look_timestamp", "The last look that has seen the connection", |seen| seen.times.seen_well),
    ("job_last_cycle_timestamp", "When the last provisioning cycle ended", |seen| {
        seen.report.as_ref()?.job.as_ref()?.last_cycle_ended
    }),
    ("job_last_success_timestamp", "When the last provisioning cycle ended that has succeeded", |seen| {
        seen.report.as_ref()?.job.as_ref()?.last_success_ended
    }),
    ("quarantine_began_timestamp", "Since when Entra keeps the job in quarantine", |seen| quarantine(seen)?.began),
    ("quarantine_disabled_timestamp", "When Entra gives the quarantined job up for good", |seen| {
        quarantine(seen)?.disabled_at
    }),
    ("hold_until_timestamp", "Until when a person has put rotations by policy off", |seen| {
        seen.report.as_ref()?.held_until
    }),
];

fn token(seen: &Seen) -> Option<&crate::engine::report::TokenReport> {
    seen.report.as_ref()?.token.as_ref()
}

fn quarantine(seen: &Seen) -> Option<&crate::engine::report::QuarantineReport> {
    seen.report.as_ref()?.job.as_ref()?.quarantine.as_ref()
}

impl Row {
    fn of(seen: &Seen, now: Timestamp) -> Self {
        let (report, token) = (seen.report.as_ref(), token(seen));
        let expires = token.and_then(|token| token.expires.zip(token.expiry_source));
        let whys = whys(seen, now);
        // What a person has to do is not done by not being seen: an alert must not end with an outage.
        let kind = |kind| if whys.contains(&Why::NeedsHuman) { Kind::NeedsHuman } else { kind };
        Self {
            moments: MOMENTS.map(|(.., of)| of(seen).map(|at| at.timestamp())),
            slack: token.and_then(|token| token.last_safe_moment).map(|safe| (safe - now).num_seconds()),
            expires: expires.map(|(at, source)| (at.timestamp(), source.to_string())),
            ready: whys.is_empty(),
            stage: token.map(|token| token.stage.clone()),
            standing: report.map(|report| (kind(report.standing.kind), report.standing.reason)),
            job: report.and_then(|report| report.job.as_ref()).map(|job| job.state.name()),
            connection: seen.connection.clone(),
        }
    }
}

#[derive(Debug)]
struct Rows(Vec<Row>);

impl Rows {
    /// A gauge of those that have one; `labels` tells those beside the connection's.
    fn write<'a, const N: usize>(
        &'a self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help, unit): (&str, &str, Option<&Unit>),
        of: impl Fn(&'a Row) -> Option<([(&'static str, &'a str); N], i64)>,
    ) -> fmt::Result {
        let mut gauge = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for row in &self.0 {
            if let Some((more, value)) = of(row) {
                let labels = (Labels(&[("connection", row.connection.as_str())]), Labels(&more));
                gauge.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }
}

impl Collector for Rows {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (encoder, seconds) = (&mut encoder, Some(&Unit::Seconds));
        let help = "The time left until the last safe moment; negative once it has passed";
        self.write(encoder, ("token_slack", help, seconds), |row| Some(([], row.slack?)))?;
        for (number, (name, help, _)) in MOMENTS.into_iter().enumerate() {
            self.write(encoder, (name, help, seconds), |row| Some(([], row.moments[number]?)))?;
        }
        self.write(
            encoder,
            ("token_expiry_timestamp", "When the current token dies, and who says so", seconds),
            |row| row.expires.as_ref().map(|(at, source)| ([("source", source.as_str())], *at)),
        )?;
        self.write(encoder, ("token_stage", "How far the current token has come", None), |row| {
            Some(([("stage", row.stage.as_deref()?)], 1))
        })?;
        self.write(encoder, ("standing", "How the connection stands, and the stable reason", None), |row| {
            row.standing.map(|(kind, reason)| ([("kind", kind.name()), ("reason", reason.name())], 1))
        })?;
        self.write(encoder, ("job_state", "The state of the provisioning job", None), |row| {
            Some(([("state", row.job?)], 1))
        })?;
        self.write(encoder, ("ready", "Whether nothing is wrong, as /readyz judges it", None), |row| {
            Some(([], i64::from(row.ready)))
        })
    }
}

/// Labels without storage of their own.
#[derive(Clone, Copy, Debug)]
struct Labels<'a>(&'a [(&'a str, &'a str)]);

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}

fn write(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    rows: &[(Labels<'_>, i64)],
) -> fmt::Result {
    let mut gauge = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for (labels, value) in rows {
        gauge.encode_family(labels)?.encode_gauge(value)?;
    }
    Ok(())
}

fn add(counter: &mut MetricEncoder<'_>, labels: [(&str, &str); 2], count: u64) -> fmt::Result {
    counter.encode_family(&Labels(&labels))?.encode_counter::<Labels<'_>, u64, f64>(&count, None)
}

fn as_number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

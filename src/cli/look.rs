//! What the commands share that show how connections stand: the last look of the daemon at each or one of their own, side by
//! side, and what a standing stands for.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::admin::control::{ClientError, Daemon};
use crate::admin::looks;
use crate::app::{App, Shared};
use crate::cli::args::LookArgs;
use crate::cli::exit::{Exit, Misnamed};
use crate::config::Config;
use crate::domain::Timestamp;
use crate::domain::cron::Cron;
use crate::engine::{Act, Connection, Report, herd, report::Kind};
use crate::words::span;

/// How a connection stands.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The report.
    pub report: Report,
    /// Who has seen it.
    pub by: By,
}

/// Who has seen how a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// This command, just now.
    Us,
    /// The running daemon, so long ago.
    Daemon(TimeDelta),
    /// This command sees nothing just now, and the running daemon saw token and job so long ago.
    DaemonBefore(TimeDelta),
}

impl Seen {
    /// Whose look it was, where that should be known.
    pub fn by(&self) -> Option<String> {
        match self.by {
            By::Us => None,
            By::Daemon(ago) => Some(format!("seen by the daemon {} ago; --fresh looks again", span(ago))),
            By::DaemonBefore(ago) => {
                Some(format!("token and job as the daemon saw them {} ago: nothing can be seen now", span(ago)))
            }
        }
    }
}

/// Every connection, with nothing remembered, and no more of them to rotate at the same time than the configuration says.
pub fn connections(config: &Config, shutdown: &CancellationToken) -> anyhow::Result<Vec<Connection>> {
    let app = App::build(config, Shared::of(config))?;
    app.limit_rotations();
    config.connections.iter().map(|connection| app.connection(connection, shutdown)).collect()
}

/// Every connection in the order of the configuration, as it stands; those that are refused come last. Changes nothing. What
/// the running daemon has seen holds until its next look. Everything else is looked at, and none waits for another; where
/// nothing can be seen, what the daemon saw before is better than nothing.
pub async fn look(config: &Config, args: &LookArgs) -> anyhow::Result<Vec<Seen>> {
    let app = App::build(config, Shared::of(config))?;
    let (mut told, left) = match args.fresh {
        true => Told::default(),
        false => told(config, &app).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "the daemon's last looks are not known");
            Told::default()
        }),
    };
    let holds = |seen: &&Seen| matches!(seen.by, By::Daemon(_));
    let apart = herd::apart(config.connections.len() - told.values().filter(holds).count());
    let mut number = 0;
    let looks = config.connections.iter().map(|connection| {
        let told = told.remove(connection.name.as_str());
        let turn = apart * number;
        number += u32::from(told.as_ref().filter(holds).is_none());
        let app = &app;
        async move {
            if let Some(seen) = told.as_ref().filter(holds) {
                return Ok(seen.clone());
            }
            let mut connection = app.connection(connection, &CancellationToken::new())?;
            herd::wait(turn).await;
            let report = connection.look(Act::DecideOnly).await.report;
            Ok(match told.filter(|_| looks::is_blind(&report)) {
                Some(Seen { report: before, by }) => {
                    let report = looks::completed(&report, Some(&before));
                    Seen { report: Report { seen_at: before.seen_at, ..report }, by }
                }
                None => Seen { report, by: By::Us },
            })
        }
    });
    let mut seen = futures::future::join_all(looks).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    seen.extend(refused(config).map(|report| Seen { report, by: By::Us }));
    seen.extend(left);
    Ok(seen)
}

/// What a daemon tells of connections by their names, and of those that it has left behind.
type Told = (BTreeMap<String, Seen>, Vec<Seen>);

/// What the daemon has seen of what is configured as it is here: what still holds, since no look is due, and what was before.
async fn told(config: &Config, app: &App) -> Result<Told, ClientError> {
    let Some(daemon) = Daemon::find(&config.runtime_dir).await? else { return Ok(Told::default()) };
    let mut looks: BTreeMap<_, _> = daemon
        .looks()
        .await?
        .into_iter()
        .map(|look| ((look.connection.clone(), look.identity.clone()), look))
        .collect();
    let now = crate::app::clock(config).now();
    let seen = config.connections.iter().filter_map(|connection| {
        let name = connection.name.to_string();
        let Some(look) = looks.remove(&(name.clone(), looks::told(&app.identity(connection)))) else {
            tracing::debug!(connection = name, "the daemon does not tend it as it is configured here");
            return None;
        };
        let held = look.report.as_ref().and_then(|report| age(report, &connection.check, now));
        let by = held.map(By::Daemon).or(look.seen_well.map(|at| By::DaemonBefore(now - at)))?;
        let seen_at = |report: Report| Report { seen_at: look.seen_well.or(report.seen_at), ..report };
        let report = look.report.or(look.before.map(seen_at))?.at(now);
        Some((name, Seen { report, by }))
    });
    let seen = seen.collect();
    let left = looks.into_values().filter(|look| look.connection.contains(looks::LEFT_BEHIND));
    let left = left.filter_map(|look| look.report).map(|report| {
        let by = By::Daemon(report.seen_at.map_or(TimeDelta::zero(), |at| now - at));
        Seen { report, by }
    });
    Ok((seen, left.collect()))
}

/// How old a report is that still holds: until something is to be done, and no longer than until the daemon looks by its cron.
fn age(report: &Report, check: &Cron, now: Timestamp) -> Option<TimeDelta> {
    let seen_at = report.seen_at.filter(|at| *at <= now)?;
    let tick = check.find_next_occurrence(&seen_at, false).ok()? + TimeDelta::from_std(herd::SPREAD).ok()?;
    let is_over = report.standing.next.is_none_or(|next| next <= now) || tick <= now;
    (!is_over).then(|| now - seen_at)
}

/// How the connections stand that are not looked at, because their configuration cannot be used.
pub fn refused(config: &Config) -> impl Iterator<Item = Report> {
    config.refused.iter().map(|refused| Report::refused(&refused.name, refused.problems.to_string()))
}

/// Reports as machines read them.
pub fn document<'a>(reports: impl Iterator<Item = &'a Report>) -> serde_json::Value {
    serde_json::json!({ "connections": reports.collect::<Vec<_>>() })
}

/// Why `name` is no connection that can be used.
pub fn no_such_connection(config: &Config, name: &str) -> anyhow::Error {
    if let Some(refused) = config.refused.iter().find(|refused| refused.name == name) {
        return anyhow::anyhow!("connection {name:?} is refused: {}", refused.problems);
    }
    let names: Vec<_> = config.connections.iter().map(|connection| connection.name.as_str()).collect();
    Misnamed(format!("there is no connection {name:?}; the configuration has {}", names.join(", "))).into()
}

/// The exit code that one connection stands for.
pub fn exit_of(report: &Report) -> Exit {
    match report.standing.kind {
        Kind::Idle => Exit::Done,
        Kind::Due => Exit::Due,
        Kind::Unfinished => Exit::Unfinished,
        Kind::NeedsHuman => Exit::NeedsHuman,
        Kind::Unknown => Exit::Failed,
    }
}

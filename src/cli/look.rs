//! What `once`, `check` and `status` share: the connections, a look at each side by side, and how one stands.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::exit::Exit;
use crate::config::Config;
use crate::engine::{Act, Connection, Report, Tenants, report::Kind};

/// Every connection, with nothing remembered.
pub fn connections(config: &Config, shutdown: &CancellationToken) -> anyhow::Result<Vec<Connection>> {
    let app = App::build(config, Arc::new(Tenants::default()))?;
    config.connections.iter().map(|connection| app.connection(connection, shutdown)).collect()
}

/// Looks at every connection and changes nothing. None waits for another.
pub async fn look(config: &Config) -> anyhow::Result<Vec<Report>> {
    let connections = connections(config, &CancellationToken::new())?;
    let looks = connections.into_iter().map(|mut c| async move { c.look(Act::DecideOnly).await.report });
    Ok(futures::future::join_all(looks).await)
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

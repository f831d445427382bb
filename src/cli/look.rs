//! What `once`, `check` and `status` share: one look at every connection, side by side.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::exit::Exit;
use crate::config::Config;
use crate::engine::{Act, Report, Tenants, report::Kind};

/// Looks at every connection. None waits for another.
pub async fn look(config: &Config, act: Act, shutdown: &CancellationToken) -> anyhow::Result<Vec<Report>> {
    let app = App::build(config, Arc::new(Tenants::default()))?;
    let connections = config.connections.iter().map(|connection| app.connection(connection, shutdown));
    let connections = connections.collect::<anyhow::Result<Vec<_>>>()?;
    let looks = connections.into_iter().map(|mut connection| async move {
        let mut report = connection.look(act).await.report;
        if act == Act::CarryOut
            && let Some(last) = connection.store_unsaved().await
        {
            report = last;
        }
        report
    });
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

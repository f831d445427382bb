//! What `once`, `check` and `status` share: the connections, a look at each side by side, and how one stands.

use tokio_util::sync::CancellationToken;

use crate::app::{App, Shared};
use crate::cli::exit::Exit;
use crate::config::Config;
use crate::engine::{Act, Connection, Report, herd, report::Kind};

/// Every connection, with nothing remembered. Where they are to act, no more of them rotate at the same time than the
/// configuration says.
pub fn connections(config: &Config, act: Act, shutdown: &CancellationToken) -> anyhow::Result<Vec<Connection>> {
    let app = App::build(config, Shared::default())?;
    if act == Act::CarryOut {
        app.limit_rotations();
    }
    config.connections.iter().map(|connection| app.connection(connection, shutdown)).collect()
}

/// Looks at every connection and changes nothing. None waits for another. Those that are refused come last.
pub async fn look(config: &Config) -> anyhow::Result<Vec<Report>> {
    let connections = connections(config, Act::DecideOnly, &CancellationToken::new())?;
    let apart = herd::apart(connections.len());
    let looks = (0..).zip(connections).map(|(number, mut connection)| async move {
        herd::wait(apart * number).await;
        connection.look(Act::DecideOnly).await.report
    });
    let mut reports = futures::future::join_all(looks).await;
    reports.extend(refused(config));
    Ok(reports)
}

/// How the connections stand that are not looked at, because their configuration cannot be used.
pub fn refused(config: &Config) -> impl Iterator<Item = Report> {
    config.refused.iter().map(|refused| Report::refused(&refused.name, refused.problems.to_string()))
}

/// Why `name` is no connection that can be used.
pub fn no_such_connection(config: &Config, name: &str) -> anyhow::Error {
    if let Some(refused) = config.refused.iter().find(|refused| refused.name == name) {
        return anyhow::anyhow!("connection {name:?} is refused: {}", refused.problems);
    }
    let names: Vec<_> = config.connections.iter().map(|connection| connection.name.as_str()).collect();
    anyhow::anyhow!("there is no connection {name:?}; the configuration has {}", names.join(", "))
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

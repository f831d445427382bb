//! `once`: look, do what is due, and end at rest.
//!
//! Whoever runs it from a timer comes back in hours. So what it has begun and could not finish, it takes up again itself,
//! as the daemon would, for some minutes.

use std::io::Write;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::admin::lock::Lock;
use crate::cli::args::OnceArgs;
use crate::cli::exit::Exit;
use crate::cli::json;
use crate::cli::look::{connections, document, refused};
use crate::cli::signals;
use crate::config::Config;
use crate::domain::Reason;
use crate::engine::{Act, Connection, Report, herd, report::Kind};

/// How long it goes on looking at what its first look left unfinished. The help says so too.
const LIMIT: TimeDelta = TimeDelta::minutes(10);
/// Not even a look that is due at once may become a hot loop.
const SHORTEST_WAIT: TimeDelta = TimeDelta::seconds(1);

/// Looks and acts at every connection, under the lock. Failed if any connection could not be seen, could not be carried
/// through, or needs a person.
pub async fn run(config: &Config, args: &OnceArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let _lock = Lock::take(&config.runtime_dir)?;
    let shutdown = CancellationToken::new();
    let _signals = tokio::spawn(signals::cancel(shutdown.clone()));
    let connections = connections(config, &shutdown)?;
    let apart = herd::apart(connections.len());
    let shutdown = &shutdown;
    let rests = (0..).zip(connections).map(|(number, connection)| async move {
        herd::wait(apart * number).await;
        bring_to_rest(connection, shutdown).await
    });
    let mut reports = futures::future::join_all(rests).await;
    reports.extend(refused(config));
    match args.json {
        true => json::write(&document(reports.iter()), out)?,
        false => reports.iter().try_for_each(|report| writeln!(out, "{}", report.line()))?,
    }
    Ok(if reports.iter().any(has_failed) { Exit::Failed } else { Exit::Done })
}

/// One look, another one when a turn to rotate has come that had to be waited for, and more as long as they leave something
/// unfinished and the limit allows it.
async fn bring_to_rest(mut connection: Connection, shutdown: &CancellationToken) -> Report {
    let mut look = connection.look(Act::CarryOut).await;
    while look.report.standing.reason == Reason::Queued {
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = connection.called() => (),
            () = connection.until(look.next) => (),
        }
        look = connection.look(Act::CarryOut).await;
    }
    let clock = std::sync::Arc::clone(connection.clock());
    let limit = clock.now() + LIMIT;
    let mut unfinished = is_unfinished(&look.report, false);
    while unfinished && look.next < limit {
        tracing::info!(connection = %look.report.connection, next = %look.next, "unfinished; looking again");
        let wait = (look.next - clock.now()).max(SHORTEST_WAIT);
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = clock.sleep(wait.to_std().unwrap_or_default()) => (),
        }
        look = connection.look(Act::CarryOut).await;
        unfinished = is_unfinished(&look.report, unfinished);
    }
    connection.store_unsaved().await.unwrap_or(look.report)
}

/// Whether something was begun that another look may finish. A look that could not see leaves it as it `was`.
fn is_unfinished(report: &Report, was: bool) -> bool {
    let standing = &report.standing;
    match (standing.kind, standing.reason) {
        (Kind::Unfinished, _) => true,
        (Kind::Unknown, Reason::PreflightFailed | Reason::ShuttingDown | Reason::OrderFirst | Reason::TakenOver) => {
            false
        }
        (Kind::Unknown, _) if matches!(&*standing.action, "look" | "wait") => was,
        (Kind::Unknown, _) => true,
        (Kind::Idle | Kind::Due | Kind::NeedsHuman, _) => false,
    }
}

/// Whether the last look left anything to be wished for. Who waits after a failure has not done what was due.
fn has_failed(report: &Report) -> bool {
    let failed = matches!(report.standing.kind, Kind::Unknown | Kind::NeedsHuman | Kind::Unfinished);
    failed || matches!(report.standing.reason, Reason::BackingOff | Reason::Queued)
}

//! What `rotate`, `adopt`, `hold` and `release` share: the order goes to the running daemon; where there is none, it is
//! carried out here, under the same lock and by the same code.

use anyhow::{Context as _, anyhow};
use std::io::Write;
use std::sync::Arc;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_util::sync::CancellationToken;

use crate::admin::control::{Ask, Daemon, Step};
use crate::admin::lock::Lock;
use crate::admin::outcome::Outcome;
use crate::app::{App, Shared};
use crate::cli::exit::Exit;
use crate::cli::follow::Follow;
use crate::cli::json;
use crate::cli::look::no_such_connection;
use crate::cli::signals;
use crate::config::{Config, ConnectionConfig};
use crate::engine::Report;

/// How it is told what becomes of an order.
#[derive(Clone, Copy, Debug)]
pub enum Show {
    /// In words at its end, and until then like this.
    Words(Follow),
    /// As one JSON document at its end.
    Document,
}

impl Show {
    /// As the command line has it.
    pub fn choose(json: bool, follow: Follow) -> Self {
        if json { Self::Document } else { Self::Words(follow) }
    }

    fn follow(self) -> Follow {
        match self {
            Self::Words(follow) => follow,
            Self::Document => Follow::Silent,
        }
    }
}

/// Has `ask` carried out for the connection of this name, and says what came of it.
pub async fn carry_out(
    config: &Config,
    name: &str,
    ask: Ask,
    show: Show,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let follow = show.follow();
    let Some(connection) = config.connections.iter().find(|connection| connection.name.as_str() == name) else {
        return Err(no_such_connection(config, name));
    };
    let daemon = Daemon::find(&config.runtime_dir).await?;
    if let Some(daemon) = daemon.as_ref().filter(|_| follow != Follow::Silent) {
        let process = daemon.pid().map(|pid| format!(" (process {pid})")).unwrap_or_default();
        // Whether or not anybody reads it.
        let _unread = writeln!(
            out,
            "the daemon{process} is asked to carry it out, and goes on with it even if this command is ended"
        );
    }
    let (told, steps) = mpsc::unbounded_channel();
    let work = async {
        match daemon {
            Some(daemon) => Ok(daemon.ask(name, &ask, &told).await?),
            None => alone(config, connection, ask, told).await,
        }
    };
    let outcome: Outcome = follow.show(&*crate::app::clock(config), steps, work).await?;
    match show {
        Show::Document => json::write(&outcome, out)?,
        Show::Words(_) => outcome.says.iter().try_for_each(|line| writeln!(out, "{line}"))?,
    }
    Ok(if outcome.carried_out { Exit::Done } else { Exit::Failed })
}

async fn alone(
    config: &Config,
    connection: &ConnectionConfig,
    ask: Ask,
    told: UnboundedSender<Step>,
) -> anyhow::Result<Outcome> {
    let _lock = Lock::take(&config.runtime_dir).context("no daemon answers, and the work cannot be done here")?;
    let shutdown = CancellationToken::new();
    let _signals = tokio::spawn(signals::cancel(shutdown.clone()));
    let app = App::build(config, Shared::of(config))?;
    let mut connection = app.connection(connection, &shutdown)?;
    connection.progress().tell(Step::listener(told, Arc::clone(connection.clock())));
    let order = ask.order(connection.clock().now()).map_err(|problem| anyhow!(problem))?;
    let mut report = connection.obey(order.clone()).await.report;
    if let Some(last) = connection.store_unsaved().await {
        // A token that was in memory only has been brought home, or not: that is what came of the order.
        report = Report { obeyed: last.last_action.clone(), ..last };
    }
    Ok(Outcome::of(&order, &report))
}

//! `history`: what was done so far, from the vault's versions and tags alone. No value is read, and nothing is changed.

mod table;

use std::io::Write;

use serde::Serialize;

use crate::app::{App, Shared};
use crate::cli::args::HistoryArgs;
use crate::cli::exit::Exit;
use crate::cli::json;
use crate::cli::look::no_such_connection;
use crate::config::{Config, ConnectionConfig};
use crate::domain::history::{Deed, deeds};
use crate::domain::{Journal, Timestamp};

/// Shows the deeds as text, or as one JSON document. Fails if the vault does not list the versions.
pub async fn run(config: &Config, args: &HistoryArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let named = |connection: &&ConnectionConfig| connection.name.as_str() == args.name;
    let Some(connection) = config.connections.iter().find(named) else {
        return Err(no_such_connection(config, &args.name));
    };
    let journal = Journal::new(App::build(config, Shared::of(config))?.vault(connection)?.list().await?);
    let history = History {
        connection: connection.name.as_str(),
        vault: connection.vault.url.as_str(),
        secret: &connection.vault.secret,
        versions: journal.versions().len(),
        disabled: journal.versions().iter().filter(|version| !version.enabled).count(),
        held_until: journal.hold(),
        deeds: deeds(&journal),
    };
    if args.json {
        json::write(&history, out)?;
    } else {
        table::write(&history, crate::app::clock(config).now(), out)?;
    }
    Ok(Exit::Done)
}

/// All that the vault tells of one connection.
#[derive(Debug, Serialize)]
struct History<'a> {
    connection: &'a str,
    vault: &'a str,
    secret: &'a str,
    /// How many versions the secret has.
    versions: usize,
    /// How many of them are disabled.
    disabled: usize,
    /// The last word on a hold, which may lie in the past.
    held_until: Option<Timestamp>,
    /// Newest first.
    deeds: Vec<Deed>,
}

//! `once`: one look, acted upon.

use std::io::Write;

use tokio_util::sync::CancellationToken;

use crate::admin::lock::Lock;
use crate::cli::exit::Exit;
use crate::cli::look::look;
use crate::cli::signals;
use crate::config::Config;
use crate::engine::{Act, report::Kind};

/// Looks and acts once at every connection, under the lock. Failed if any connection could not be seen, could not be
/// carried through, or needs a person.
pub async fn run(config: &Config, out: &mut impl Write) -> anyhow::Result<Exit> {
    let _lock = Lock::take(&config.runtime_dir)?;
    let shutdown = CancellationToken::new();
    let _signals = tokio::spawn(signals::cancel(shutdown.clone()));
    let reports = look(config, Act::CarryOut, &shutdown).await?;
    for report in &reports {
        writeln!(out, "{}", report.line())?;
    }
    let failed = reports.iter().any(|r| matches!(r.standing.kind, Kind::Unknown | Kind::NeedsHuman));
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

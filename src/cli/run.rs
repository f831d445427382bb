//! `run`: tend every connection for years.

use std::path::PathBuf;

use crate::cli::exit::Exit;
use crate::config::Config;

/// Runs until it is told to end.
pub async fn run(config_file: PathBuf, config: Config) -> anyhow::Result<Exit> {
    crate::daemon::run(config_file, config).await.map(|()| Exit::Done)
}

//! `release`: the hold is over.

use std::io::Write;

use crate::admin::control::Ask;
use crate::cli::args::ReleaseArgs;
use crate::cli::exit::Exit;
use crate::cli::follow::Follow;
use crate::cli::order::{Show, carry_out};
use crate::config::Config;

/// Has the end of the hold written down.
pub async fn run(config: &Config, args: &ReleaseArgs, follow: Follow, out: &mut impl Write) -> anyhow::Result<Exit> {
    carry_out(config, &args.name, Ask::Release, Show::choose(args.json, follow), out).await
}

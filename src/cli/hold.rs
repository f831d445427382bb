//! `hold`: no rotation by policy for a while.

use std::io::Write;

use crate::admin::control::Ask;
use crate::cli::args::HoldArgs;
use crate::cli::exit::Exit;
use crate::cli::follow::Follow;
use crate::cli::order::{Show, carry_out};
use crate::config::Config;

/// Has the hold written down.
pub async fn run(config: &Config, args: &HoldArgs, follow: Follow, out: &mut impl Write) -> anyhow::Result<Exit> {
    carry_out(config, &args.name, Ask::Hold { time: args.time }, Show::choose(args.json, follow), out).await
}

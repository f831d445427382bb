//! `rotate`: a new token, now.

use std::io::Write;

use crate::admin::control::Ask;
use crate::cli::args::RotateArgs;
use crate::cli::exit::Exit;
use crate::cli::follow::Follow;
use crate::cli::order::{Show, carry_out};
use crate::config::Config;

/// Has a new token made and brought to Entra.
pub async fn run(config: &Config, args: &RotateArgs, follow: Follow, out: &mut impl Write) -> anyhow::Result<Exit> {
    // `compromised` is the one reason that there is.
    let ask = Ask::Rotate { mode: args.mode, compromised: args.reason.is_some() };
    carry_out(config, &args.name, ask, Show::choose(args.json, follow), out).await
}

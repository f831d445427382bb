//! `completions`: what a shell needs to complete our command line, made of its one definition.

use std::io::Write;

use clap::CommandFactory as _;
use clap_complete::{Generator as _, Shell};

use crate::cli::args::{Cli, CompletionsArgs};
use crate::cli::exit::Exit;

/// Writes the script for one shell. Needs no configuration.
pub fn run(args: &CompletionsArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    command.set_bin_name(env!("CARGO_PKG_NAME"));
    command.build();
    let mut script = Vec::new();
    args.shell.try_generate(&command, &mut script)?;
    if args.shell == Shell::Bash {
        script = one_name(&script).into_bytes();
    }
    out.write_all(&script)?;
    Ok(Exit::Done)
}

/// clap_complete 4.6.12 spells a name with a hyphen in two ways in its states for bash, so that nothing is completed behind a
/// subcommand (clap issue 6421).
fn one_name(script: &[u8]) -> String {
    let [spelt, otherwise] = ["__subcmd__", "__"].map(|dash| env!("CARGO_PKG_NAME").replace('-', dash));
    String::from_utf8_lossy(script).replace(&spelt, &otherwise)
}

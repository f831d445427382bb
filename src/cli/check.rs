//! `check`: look and decide, and change nothing.

use std::io::Write;

use crate::cli::args::CheckArgs;
use crate::cli::exit::Exit;
use crate::cli::look::{exit_of, look};
use crate::config::Config;

/// Says what would be done now.
pub async fn run(config: &Config, args: &CheckArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let reports = match look(config).await {
        Ok(reports) => reports,
        // A condition that cannot be told holds: the run behind it says what is wrong.
        Err(error) if args.due => {
            writeln!(out, "{error:#}")?;
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error),
    };
    for report in &reports {
        writeln!(out, "{}", report.line())?;
    }
    let exits = reports.iter().map(exit_of);
    Ok(if args.due { Exit::of_due_check(exits) } else { Exit::of_check(exits) })
}

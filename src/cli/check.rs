//! `check`: look and decide, and change nothing.

use std::io::Write;

use crate::cli::args::CheckArgs;
use crate::cli::exit::Exit;
use crate::cli::look::{exit_of, look};
use crate::config::Config;
use crate::domain::Reason;
use crate::engine::Report;

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
    // What could not be seen is in doubt, though a person may have to mend it.
    let in_doubt = |report: &Report| matches!(report.standing.reason, Reason::CannotObserve | Reason::ClockNotSet);
    Ok(match args.due {
        true => Exit::of_due_check(reports.iter().map(|r| if in_doubt(r) { Exit::Failed } else { exit_of(r) })),
        false => Exit::of_check(reports.iter().map(exit_of)),
    })
}

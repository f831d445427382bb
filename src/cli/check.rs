//! `check`: look and decide, and change nothing.

use std::io::Write;

use crate::cli::args::CheckArgs;
use crate::cli::exit::Exit;
use crate::cli::json;
use crate::cli::look::{document, exit_of, look};
use crate::config::Config;

/// Says what would be done now.
pub async fn run(config: &Config, args: &CheckArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let seen = match look(config, &args.look).await {
        Ok(seen) => seen,
        // A condition that cannot be told holds: the run behind it says what is wrong.
        Err(error) if args.due => {
            match args.json {
                true => json::write(&serde_json::json!({ "error": format!("{error:#}") }), out)?,
                false => writeln!(out, "{error:#}")?,
            }
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error),
    };
    if args.json {
        json::write(&document(seen.iter().map(|seen| &seen.report)), out)?;
    } else {
        for seen in &seen {
            let by = seen.by().map(|by| format!(" ({by})")).unwrap_or_default();
            writeln!(out, "{}{by}", seen.report.line())?;
        }
    }
    let exits = seen.iter().map(|seen| exit_of(&seen.report));
    Ok(if args.due { Exit::of_due_check(exits) } else { Exit::of_check(exits) })
}

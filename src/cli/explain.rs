//! `explain`: a page of the runbook, where the program is.

use std::io::Write;

use crate::cli::args::ExplainArgs;
use crate::cli::exit::{Exit, Misnamed};
use crate::runbook::{self, INDEX};

/// Prints the page. Needs no configuration.
pub fn run(args: &ExplainArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let name = args.page.as_deref().unwrap_or(INDEX);
    let Some(text) = runbook::page(name) else {
        let like = runbook::like(name).collect::<Vec<_>>();
        let meant = if like.is_empty() { String::new() } else { format!("; did you mean {}?", like.join(", ")) };
        let what = format!("the runbook has no page {name:?}{meant}; `scim-rotator explain` shows what there is");
        return Err(Misnamed(what).into());
    };
    out.write_all(text.as_bytes())?;
    Ok(Exit::Done)
}

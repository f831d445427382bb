//! The answer for machines: one document, and nothing else on standard output.

use std::io::Write;

use serde::Serialize;

/// Writes it, indented, with a line end.
pub fn write(answer: &impl Serialize, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, answer)?;
    Ok(writeln!(out)?)
}

//! `config schema`: the JSON Schemas of the configuration, as `make reference` has made them.

use std::io::Write;

use crate::cli::exit::Exit;

const WHOLE: &str = include_str!("../../config/scim-rotator.schema.json");
const CONNECTION: &str = include_str!("../../config/connection.schema.json");

/// Writes the schema of the whole file, or of one connection. Needs no configuration.
pub fn run(connection: bool, out: &mut impl Write) -> anyhow::Result<Exit> {
    out.write_all(if connection { CONNECTION } else { WHOLE }.as_bytes())?;
    Ok(Exit::Done)
}

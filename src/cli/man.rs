//! `man`: the manual pages, one for the program and one for each subcommand, made of the one definition of the command line.

use std::fs;
use std::io::{self, Write};

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::cli::args::{Cli, ManArgs};
use crate::cli::exit::Exit;

/// Writes the program's page, or all of them into a folder. Needs no configuration.
pub fn run(args: &ManArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    // The page of `help` would only tell how to ask for help.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let Some(folder) = &args.dir else {
        out.write_all(&page(&program)?)?;
        return Ok(Exit::Done);
    };
    fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let mut written = Vec::new();
    for command in with_subcommands(&program) {
        let file = folder.join(format!("{}.1", name(command)));
        fs::write(&file, page(command)?).with_context(|| format!("{} cannot be written", file.display()))?;
        written.push(file);
    }
    written.iter().try_for_each(|file| writeln!(out, "{}", file.display()))?;
    Ok(Exit::Done)
}

fn with_subcommands(command: &Command) -> Vec<&Command> {
    [command].into_iter().chain(command.get_subcommands().flat_map(with_subcommands)).collect()
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let version = format!("scim-rotator {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(version).manual("scim-rotator");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let more = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    more.split("\n\n").filter(|part| !part.is_empty()).try_for_each(|part| section(part, &mut page))?;
    Ok(page)
}

/// A part of what stands below the help: its head as a section, and its lines as they stand, since they are in columns.
fn section(part: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let (head, lines) = part.split_once('\n').unwrap_or((part, ""));
    let head = head.trim_end_matches(':');
    let (title, remark) =
        head.split_once(" (").map_or((head, None), |(title, remark)| (title, remark.strip_suffix(')')));
    writeln!(page, ".SH \"{}\"", escaped(&title.replace('`', "").to_uppercase()))?;
    if let Some(remark) = remark {
        writeln!(page, "{}", escaped(remark))?;
    }
    writeln!(page, ".nf")?;
    lines.lines().try_for_each(|line| writeln!(page, "{}", escaped(line)))?;
    writeln!(page, ".fi")
}

/// Text that is text to roff: a line that begins with a dot or a quote would be an order.
fn escaped(text: &str) -> String {
    let plain = text.replace('\\', "\\e").replace('-', "\\-");
    if plain.starts_with(['.', '\'']) { format!("\\&{plain}") } else { plain }
}

//! Puts the pages of the runbook into the binary, so that they can be read where the daemon runs, whatever else is away.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=docs/runbook");
    let root = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let mut pages: Vec<_> = fs::read_dir(root.join("docs/runbook"))?
        .filter_map(|entry| Some(entry.ok()?.path()).filter(|path| path.extension().is_some_and(|kind| kind == "md")))
        .collect();
    pages.sort();
    let mut table = "&[\n".to_owned();
    for page in &pages {
        let name = page.file_stem().unwrap_or_default().to_string_lossy();
        let path = format!("/docs/runbook/{name}.md");
        // Where the package lies is asked when it is compiled: what is built here may be used again for another checkout. (A
        // string takes everything.)
        let _ = writeln!(table, "({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))),");
    }
    table.push(']');
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join("runbook.rs"), table)
}

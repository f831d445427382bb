//! `connections_dir`: a folder with a file for each connection, as configuration management likes it.
//!
//! Read are the files that end in `.toml`, in the order of their names, and none whose name begins with a dot. Each holds what
//! a table `[[connections]]` holds, at its top level; without a `name` the connection is called as the file is.

use std::path::{Path, PathBuf};

use super::problem::{Place, Problem};
use super::source::{Environment, Source};

/// One file of the folder.
pub(super) struct Piece {
    /// Where it is.
    pub path: PathBuf,
    /// Its name without the ending.
    pub name: String,
    /// What it holds, or why that cannot be read.
    text: Result<String, String>,
}

impl Piece {
    fn read(path: PathBuf) -> Self {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // Whoever reads a pipe may wait for ever.
        let bytes = match path.metadata() {
            Ok(metadata) if !metadata.is_file() => Err("is no file".to_owned()),
            _ => std::fs::read(&path).map_err(|error| format!("cannot be read: {error}")),
        };
        let text = bytes.and_then(|bytes| {
            String::from_utf8(bytes)
                .map_err(|error| format!("is no UTF-8 text, from byte {} on", error.utf8_error().valid_up_to()))
        });
        Self { path, name, text }
    }

    /// Its text, taken apart; nothing of it comes from the environment.
    pub fn source(&self) -> Result<Source<'_>, Vec<Problem>> {
        let unreadable =
            |what: &String| vec![Problem { place: Place::File(self.path.clone()), key: None, what: what.clone() }];
        let text = self.text.as_ref().map_err(unreadable)?;
        let (source, problems) = Source::new(&self.path, text, None, &Environment::default());
        source.ok_or(problems)
    }
}

/// The files of the folder, or why there is none to be had.
pub(super) fn read(folder: &Path) -> Result<Vec<Piece>, String> {
    let unreadable = |error: std::io::Error| {
        format!("the folder {} cannot be read: {error}. Make it, or leave this key out", folder.display())
    };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = paths.map_err(unreadable)?;
    paths.retain(|path| {
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && path.extension().is_some_and(|extension| extension == "toml")
    });
    paths.sort();
    Ok(paths.into_iter().map(Piece::read).collect())
}

//! A file that holds one secret, read anew each time it is needed: rotating the secret is replacing the file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// The path of a secret. Says nothing of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile(PathBuf);

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It is missing, or not ours to read.
    #[error("the secret file {} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// There is nothing in it.
    #[error("the secret file {} is empty", .0.display())]
    Empty(PathBuf),
}

impl SecretFile {
    /// The secret at `path`. Nothing is read yet.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The secret, without white space around it.
    pub fn read(&self) -> Result<SecretString, SecretFileError> {
        let text =
            std::fs::read_to_string(&self.0).map_err(|error| SecretFileError::Unreadable(self.0.clone(), error))?;
        match text.trim() {
            "" => Err(SecretFileError::Empty(self.0.clone())),
            text => Ok(SecretString::from(text)),
        }
    }

    /// What is wrong with its permissions, if anything.
    pub fn warning(&self) -> Option<String> {
        let mode = std::fs::metadata(&self.0).ok()?.permissions().mode();
        (mode & 0o007 != 0)
            .then(|| format!("the secret file {} can be read by everybody: chmod 0400", self.0.display()))
    }
}

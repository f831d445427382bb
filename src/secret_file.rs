//! A secret that lives in a file: a systemd credential, a container secret.
//!
//! Read anew at each use, so that a rotated file is picked up without a restart. Never shows what it read: `Debug` and
//! the errors hold the path only.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use crate::messages::messages;

/// The largest file taken for a secret, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The place of a secret. Holds the path, never the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    path: PathBuf,
}

/// Why a secret cannot be had from its file.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// There is no such file.
    #[error("secret file {} {}", .0.display(), BadFile::Missing.said())]
    Missing(PathBuf),
    /// It is there and cannot be read.
    #[error("secret file {} {}", .path.display(), BadFile::Unreadable.said())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A pipe, a socket, or a device.
    #[error("secret file {} {}", .0.display(), BadFile::NoFile.said())]
    NoFile(PathBuf),
    /// Nothing in it but at most a newline.
    #[error("secret file {} {}", .0.display(), BadFile::Empty.said())]
    Empty(PathBuf),
    /// Not text.
    #[error("secret file {} {}", .0.display(), BadFile::NotUtf8.said())]
    NotUtf8(PathBuf),
    /// More than a secret can be.
    #[error("secret file {} {}", .0.display(), BadFile::TooLarge.said())]
    TooLarge(PathBuf),
}

messages! {
    /// What can be wrong with the file of a secret.
    pub enum BadFile {
        /// Not there.
        Missing {
            shows: "does not exist",
            means: "it was never made, or its path is wrong; it may still come, so it is looked for again",
            remedy: "create it, or correct the path",
        }
        /// Not for us.
        Unreadable {
            shows: "cannot be read",
            means: "it belongs to somebody else, or is a folder",
            remedy: "let the service's user read it",
        }
        /// It would be waited for.
        NoFile {
            shows: "is no regular file",
            means: "it is a pipe, a socket or a device, which may keep whoever reads it waiting, and can be read once only",
            remedy: "write the secret into a file",
        }
        /// Nothing in it.
        Empty {
            shows: "is empty",
            means: "nothing stands in it, or nothing but blanks",
            remedy: "write the secret into it",
        }
        /// Not text.
        NotUtf8 {
            shows: "is not UTF-8 text",
            means: "something else stands in it",
            remedy: "store the secret itself, not an archive or a key store",
        }
        /// No secret is so long.
        TooLarge {
            shows: "is larger than 64 KB",
            means: "no secret is so long",
            remedy: "it is surely another file: correct the path",
        }
    }
}

impl BadFile {
    /// As an error says it of a file.
    fn said(self) -> String {
        let message = self.message();
        format!("{}; {}", message.shows, message.remedy)
    }
}

impl SecretFile {
    /// The secret in the file at `path`. Nothing is read yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the secret, without one newline at its end.
    pub fn read(&self) -> Result<SecretString, SecretFileError> {
        let bytes = self.read_bytes()?.expose_secret().to_vec();
        let mut text = String::from_utf8(bytes).map_err(|_| SecretFileError::NotUtf8(self.path.clone()))?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        if text.trim().is_empty() {
            return Err(SecretFileError::Empty(self.path.clone()));
        }
        Ok(SecretString::from(text))
    }

    /// Reads what is no text: a key store.
    pub fn read_bytes(&self) -> Result<SecretSlice<u8>, SecretFileError> {
        let path = || self.path.clone();
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => SecretFileError::Missing(path()),
            _ => SecretFileError::Unreadable { path: path(), source },
        };
        let kind = std::fs::metadata(&self.path).map_err(unreadable)?.file_type();
        // What a shell hands over by /dev/stdin or /dev/fd is on its way already.
        if !kind.is_file() && !kind.is_dir() && !self.path.starts_with("/dev") {
            return Err(SecretFileError::NoFile(path()));
        }
        let mut bytes = Vec::new();
        let file = File::open(&self.path).map_err(unreadable)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(SecretFileError::TooLarge(path()));
        }
        if bytes.is_empty() {
            return Err(SecretFileError::Empty(path()));
        }
        Ok(SecretSlice::from(bytes))
    }

    /// What is wrong with the file although it can be read: everybody on this machine can read it too.
    #[cfg(unix)]
    pub fn warning(&self) -> Option<String> {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&self.path).ok()?.permissions().mode();
        (mode & 0o004 != 0).then(|| {
            let path = self.path.display();
            format!(
                "secret file {path} can be read by every user of this machine (mode {:03o}); chmod 600 {path}",
                mode & 0o777
            )
        })
    }

    /// File modes are a thing of unix.
    #[cfg(not(unix))]
    pub fn warning(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, SecretFile) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, content).unwrap();
        (dir, SecretFile::new(path))
    }

    #[test]
    fn one_newline_is_trimmed_and_only_one() {
        for (content, secret) in
            [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("abc\n\n", "abc\n"), (" a b ", " a b ")]
        {
            let (_dir, file) = file(content.as_bytes());
            assert_eq!(file.read().unwrap().expose_secret(), secret);
        }
    }

    #[test]
    fn a_file_that_was_written_anew_is_read_anew() {
        let (_dir, file) = file(b"old");
        assert_eq!(file.read().unwrap().expose_secret(), "old");
        std::fs::write(file.path(), "new").unwrap();
        assert_eq!(file.read().unwrap().expose_secret(), "new");
    }

    #[test]
    fn each_bad_file_is_told_apart_and_named() {
        let (dir, gone) = file(b"x");
        drop(dir);
        assert!(matches!(gone.read(), Err(SecretFileError::Missing(_))));
        let (_dir, empty) = file(b"\n");
        assert!(matches!(empty.read(), Err(SecretFileError::Empty(_))));
        let (_dir, binary) = file(b"\xff\xfe");
        assert!(matches!(binary.read(), Err(SecretFileError::NotUtf8(_))));
        let (_dir, large) = file(&[b'x'; MAX_BYTES as usize + 1]);
        let error = large.read().unwrap_err();
        assert!(matches!(error, SecretFileError::TooLarge(_)));
        assert!(error.to_string().contains(&large.path().display().to_string()));
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(SecretFile::new(dir.path().into()).read(), Err(SecretFileError::Unreadable { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_world_readable_file_is_warned_of() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, file) = file(b"x");
        let mode = |mode| std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o600);
        assert_eq!(file.warning(), None);
        mode(0o644);
        assert!(file.warning().unwrap().contains("chmod 600"));
    }

    #[test]
    fn debug_shows_the_path_and_no_secret() {
        let (_dir, file) = file(b"canary-5ecret-value");
        file.read().unwrap();
        assert!(!format!("{file:?}").contains("canary"));
    }
}

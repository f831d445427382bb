//! One host, one process at work: an advisory lock in the runtime directory. The kernel drops it with the process, so
//! nothing is ever left behind to be cleared away by hand.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::messages::messages;

/// Held as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("another scim-rotator on this host is at work{} and holds {}; {}", who(.pid), .path.display(), NoLock::Held.message().remedy)]
    Held {
        /// The lock.
        path: PathBuf,
        /// The process that holds it, if it said so.
        pid: Option<u32>,
    },
    /// The runtime directory cannot be used.
    #[error("the lock {} cannot be taken; {}", .path.display(), NoLock::Unusable.message().remedy)]
    Unusable {
        /// The lock.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

messages! {
    /// The same, as an operator meets them.
    pub enum NoLock {
        /// One at a time.
        Held {
            shows: "\"another scim-rotator on this host is at work\"",
            means: "one process at a time rotates on one host",
            remedy: "end it, or let it do the work",
        }
        /// No place for it.
        Unusable {
            shows: "\"the lock … cannot be taken\"",
            means: "the runtime directory cannot be written to",
            remedy: "make its directory writable for this user, or set runtime_dir",
        }
    }
}

fn who(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

impl Lock {
    /// Takes the lock, or says at once who has it. Creates the directory for this user alone if it is not there.
    pub fn take(runtime_dir: &Path) -> Result<Self, LockError> {
        let path = runtime_dir.join("scim-rotator.lock");
        let unusable = |source| LockError::Unusable { path: path.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(runtime_dir).map_err(unusable)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let read = file.read_to_string(&mut pid);
                return Err(LockError::Held { pid: read.ok().and_then(|_| pid.trim().parse().ok()), path });
            }
        }
        // The number is a help for people only: a full disk must not keep the daemon from its work.
        let written =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = written {
            tracing::debug!(%error, "the process number could not be written into the lock");
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_to_come_is_told_who_has_the_lock_and_it_is_free_again_after_him() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("made/on/the/way");
        let lock = Lock::take(&inner).unwrap();
        let message = Lock::take(&inner).unwrap_err().to_string();
        assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        drop(lock);
        Lock::take(&inner).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let message = Lock::take(file.path()).unwrap_err().to_string();
        assert!(message.contains("scim-rotator.lock") && message.contains("runtime_dir"), "{message}");
    }
}

//! The control socket: how a command reaches the daemon that is at work. HTTP/1.1 in a Unix socket in the runtime
//! directory, which only the daemon's user and group can open. Nothing of it ever listens on TCP, and no body is logged.
//!
//! ```text
//! GET  /v1                            who is there
//! POST /v1/connections/NAME/rotate    {"mode": "overlap" | "remove-current" | null, "compromised": false}
//! POST /v1/connections/NAME/adopt     {"token": "…", "expires": "2027-01-01T00:00:00Z" | null}
//! POST /v1/connections/NAME/hold      {"seconds": 7200}
//! POST /v1/connections/NAME/release   {}
//! ```
//! An order is answered, once it has been carried out, by 200 and an [`Outcome`](super::outcome::Outcome); what cannot be
//! taken up, by a `Problem`.

mod client;
mod server;
mod told;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use client::{ClientError, Daemon};
pub use server::{Call, Control};
pub use told::NoDaemon;
pub use wire::Ask;

/// The longest body, in bytes: more than any token.
const MOST_BYTES: usize = 64 * 1024;
/// How long either side waits for what the other has at hand: a header, a body, a greeting.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the socket of a runtime directory is.
fn socket_of(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("control.sock")
}

//! The control socket: how a command reaches the daemon that is at work. HTTP/1.1 in a Unix socket in the runtime
//! directory, which only the daemon's user and group can open. Nothing of it ever listens on TCP, and no body is logged.
//!
//! ```text
//! GET  /v1                            who is there
//! GET  /v1/health                     whether all is well: a Health
//! GET  /v1/connections?after=NAME     how they stood when the daemon looked last: so many of them, by name, after this one
//! POST /v1/connections/NAME/rotate    {"mode": "overlap" | "remove-current" | null, "compromised": false}
//! POST /v1/connections/NAME/adopt     {"token": "…", "expires": "2027-01-01T00:00:00Z" | null}
//! POST /v1/connections/NAME/hold      {"seconds": 7200}
//! POST /v1/connections/NAME/release   {}
//! ```
//! To who accepts `application/x-ndjson` an order is answered by a line for each step as it begins, and one for how it ended:
//! ```text
//! {"step": {"at": "2027-01-01T00:00:00Z", "name": "preflight"}}
//! {"outcome": {…}} | {"problem": "…"}
//! ```
//! To others it is answered, once it has been carried out, by 200 and an [`Outcome`](super::outcome::Outcome); what cannot be
//! taken up, by a `Problem`.

mod client;
mod server;
mod steps;
mod told;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use client::{ClientError, Daemon};
pub use server::{Call, Control};
pub use steps::Step;
pub use told::NoDaemon;
pub use wire::Ask;

/// The longest body, in bytes: more than any token.
const MOST_BYTES: usize = 64 * 1024;
/// How long either side waits for what the other has at hand: a header, a body, a greeting.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many last looks are told at a time, of about a kilobyte each.
const PAGE: usize = 256;

/// Where the socket of a runtime directory is.
fn socket_of(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("control.sock")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::admin::looks::Looks;
    use crate::edge::clock::SystemClock;
    use crate::engine::Report;
    use crate::ports::Clock as _;

    #[tokio::test]
    async fn the_last_looks_at_more_connections_than_a_page_holds_come_over_the_socket_once_each_in_their_order() {
        let (folder, looks) = (tempfile::tempdir().unwrap(), Arc::new(Looks::default()));
        let names: Vec<_> = (0..2 * PAGE).map(|n| format!("c-{n:04}")).collect();
        for name in &names {
            looks.expect(name.as_str(), [0; 32], SystemClock.now());
            let mut report = Report::refused(name, String::new());
            report.standing.error = None;
            looks.saw(&report);
        }
        let _control = Control::open(folder.path(), Arc::new(SystemClock), looks, Arc::default());
        let daemon = Daemon::find(folder.path()).await.unwrap().unwrap();
        let told = daemon.looks().await.unwrap();
        assert!(
            told.iter().all(|look| look.report.as_ref().is_some_and(|report| report.connection == look.connection))
        );
        assert_eq!(told.into_iter().map(|look| look.connection).collect::<Vec<_>>(), names);
    }
}

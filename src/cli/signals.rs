//! What ends a command that acts by itself.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::exit::Exit;

/// The first signal has the run end where nothing is lost by it; the second ends the process.
pub async fn cancel(shutdown: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    for again in [false, true] {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
        if again {
            std::process::exit(Exit::Failed.code().into());
        }
        shutdown.cancel();
    }
}

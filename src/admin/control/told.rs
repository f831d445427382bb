//! What an operator meets whose command does not get through to the daemon, or not to its end.

use crate::messages::messages;

messages! {
    /// Why an order was not carried out by the daemon of this host.
    pub enum NoDaemon {
        /// Not for this user.
        Closed {
            shows: "\"the control socket … cannot be opened\"",
            means: "a daemon runs, and takes orders from its own user and group only",
            remedy: "run this as the daemon's user or as root",
        }
        /// Anybody's.
        Untrusted {
            shows: "\"the control socket … belongs to user …\"",
            means: "somebody else may have made it, to be told a token",
            remedy: "set runtime_dir",
        }
        /// No answer to the end.
        BrokenOff {
            shows: "\"the daemon broke off\"",
            means: "it ended, or was too slow, while it had an order",
            remedy: "whether the order was carried out stands in its log and in `scim-rotator status`",
        }
        /// Another configuration.
        NoConnection {
            shows: "\"the daemon has no connection …\"",
            means: "the daemon goes by a configuration without it: an older one, if the name is new",
            remedy: "check the name; have the daemon read the configuration again (systemctl reload, or SIGHUP)",
        }
        /// On its way out.
        Ending {
            shows: "\"the daemon is ending and takes no commands\"",
            means: "somebody has ended it, and it brings home what it has begun",
            remedy: "ask again once it has ended or has been started anew",
        }
        /// In the midst of it.
        Ended {
            shows: "\"the connection ended before this was carried out\"",
            means: "a reload, an end of the daemon, or a fault came first",
            remedy: "see `scim-rotator status` and the log, and ask again",
        }
    }
}

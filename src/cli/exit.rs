//! What the process says when it ends: numbers that scripts and systemd rely on, so they never change.

use std::process::ExitCode;

use crate::messages::Message;

/// The exit codes, all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done; for `check`, nothing is due.
    Done,
    /// 1: it failed and may succeed later (a missing secret file too); for `check`, it cannot be told.
    Failed,
    /// 10: `check` found a token that is due.
    Due,
    /// 11: `check` found a rotation that is not finished.
    Unfinished,
    /// 12: `check` found what only a person can mend.
    NeedsHuman,
    /// 64: the command line makes no sense, or names what there is not.
    Usage,
    /// 78: the configuration cannot be used.
    Config,
}

impl Exit {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Done, Self::Failed, Self::Due, Self::Unfinished, Self::NeedsHuman, Self::Usage, Self::Config];

    /// Which commands end so, what it means, and what to do.
    pub const fn message(self) -> Message {
        let (shows, means, remedy) = match self {
            Self::Done => (
                "every command",
                "done; `check`: nothing is due; `check --due`: there is work, doubt, or need of a person; `doctor`: no fault",
                "nothing",
            ),
            Self::Failed => (
                "every command",
                "it failed, and may succeed later (a secret file that is missing may still come); `check`: it cannot be told; \
                 `check --due`: there is nothing to do; `doctor`: there is a fault",
                "read the line above it; `scim-rotator doctor` walks every hop",
            ),
            Self::Due => {
                ("`check`", "a token is due, or something else is to be done", "nothing: `run` and `once` do it")
            }
            Self::Unfinished => {
                ("`check`", "a rotation has been begun and is not finished", "nothing: `run` and `once` finish it")
            }
            Self::NeedsHuman => {
                ("`check`", "only a person can go on", "do what stands behind *to do*, or behind the dash")
            }
            Self::Usage => (
                "every command",
                "the command line makes no sense, or names a connection, a receiver or a page that there is not",
                "scim-rotator help; where a name is wrong, the line lists those that there are",
            ),
            Self::Config => (
                "every command",
                "the configuration cannot be used; every problem is listed with file, line and key",
                "correct what is listed; `scim-rotator config check` tries it and contacts nobody",
            ),
        };
        Message { shows, means, remedy }
    }

    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Due => 10,
            Self::Unfinished => 11,
            Self::NeedsHuman => 12,
            Self::Usage => 64,
            Self::Config => 78,
        }
    }

    /// What `check` says for several connections: the one that wants attention most speaks for all.
    pub fn of_check(connections: impl IntoIterator<Item = Self>) -> Self {
        let weight = |exit: &Self| match exit {
            Self::Done => 0,
            Self::Due => 1,
            Self::Unfinished => 2,
            Self::Failed => 3,
            Self::NeedsHuman => 4,
            Self::Usage | Self::Config => 5,
        };
        connections.into_iter().max_by_key(weight).unwrap_or(Self::Done)
    }

    /// What `check --due` says: 0 when a run has something to do or it cannot be told, 1 when it has not. A connection
    /// that waits for a person wants a run too, which fails: a run that is left out is heard of by nobody.
    pub fn of_due_check(connections: impl IntoIterator<Item = Self>) -> Self {
        let wants_a_run = |exit| matches!(exit, Self::Due | Self::Unfinished | Self::Failed | Self::NeedsHuman);
        if connections.into_iter().any(wants_a_run) { Self::Done } else { Self::Failed }
    }
}

/// The command line names what there is not: the exit code is [`Exit::Usage`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misnamed(pub String);

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_speaks_for_the_connection_that_wants_attention_most() {
        assert_eq!(Exit::of_check([Exit::Done, Exit::Due]).code(), 10);
        assert_eq!(Exit::of_check([Exit::Unfinished, Exit::Due, Exit::Done]).code(), 11);
        assert_eq!(Exit::of_check([Exit::NeedsHuman, Exit::Failed]).code(), 12);
        assert_eq!(Exit::of_check([Exit::Done, Exit::Done]).code(), 0);
    }

    #[test]
    fn a_condition_holds_when_there_is_work_or_doubt_or_a_person_is_needed() {
        for exit in [Exit::Due, Exit::Unfinished, Exit::Failed, Exit::NeedsHuman] {
            assert_eq!(Exit::of_due_check([Exit::Done, exit]).code(), 0);
        }
        assert_eq!(Exit::of_due_check([Exit::Done, Exit::Done]).code(), 1);
    }
}

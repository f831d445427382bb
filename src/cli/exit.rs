//! What the process says when it ends: numbers that scripts and systemd rely on, so they never change.

use std::process::ExitCode;

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
    /// 64: the command line makes no sense.
    Usage,
    /// 78: the configuration cannot be used.
    Config,
}

impl Exit {
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
    /// that waits for a person gives a run nothing to do.
    pub fn of_due_check(connections: impl IntoIterator<Item = Self>) -> Self {
        let wants_a_run = |exit| matches!(exit, Self::Due | Self::Unfinished | Self::Failed);
        if connections.into_iter().any(wants_a_run) { Self::Done } else { Self::Failed }
    }
}

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
    fn a_condition_holds_when_there_is_work_or_doubt() {
        for exit in [Exit::Due, Exit::Unfinished, Exit::Failed] {
            assert_eq!(Exit::of_due_check([Exit::Done, exit]).code(), 0);
        }
        assert_eq!(Exit::of_due_check([Exit::Done, Exit::NeedsHuman]).code(), 1);
    }
}

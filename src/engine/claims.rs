//! What a connection has for itself: of two that have the same, one waits until the other has parted.

/// Numbers that are the same where what they stand for is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The secret and the job that it tends. Whoever has the same ward goes on where another one has stopped.
    pub ward: u64,
    /// The secret alone: whoever tends it reads in its tags what is open.
    pub secret: u64,
    /// All that no two connections may share: its name, its secret, its service principal, its tenant.
    pub all: Box<[u64]>,
}

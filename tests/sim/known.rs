//! What is known not to hold. Each switch keeps plans from being drawn, or findings from being counted, that only show the
//! same thing again; `docs/reliability.md` tells of them. Set one to false when its cause is mended; then delete it.

/// A delay of *takes effect* longer than `settle_for` converges, but a cycle fails when the old token dies.
pub const LONG_DELAYS: bool = true;
/// Two hosts on one vault notice each other by the journal only, so one may issue a token that the other does not expect.
pub const TWO_HOSTS: bool = true;
/// A `pause` tag that a person has edited strands the job, and nobody is called.
pub const EDITED_PAUSE: bool = true;
/// Our own start that could not be written down is repeated against a person's later pause.
pub const UNWRITTEN_START: bool = true;

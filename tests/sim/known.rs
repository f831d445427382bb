//! What is known not to hold yet. Each switch keeps plans from being drawn, or findings from being counted, that only
//! show the same thing again. Set one to false when its cause is mended; then delete it.

/// A delay of *takes effect* longer than `settle_for` never converges.
pub const LONG_DELAYS: bool = true;
/// Two hosts that take the same `seq` do not see each other, and the journal is not listed again after the gap wait.
pub const TWO_HOSTS: bool = true;
/// `seq` at its end, and dates in the year 262142, overflow.
pub const HUGE_TAGS: bool = false;
/// An old token that is only assumed to be dead lets the drain of a running cycle be skipped.
pub const ASSUMED_DEAD: bool = false;
/// A pause of unknown origin keeps the policy from rotating.
pub const UNKNOWN_PAUSE_FIRST: bool = false;
/// A rotation that fails midway is tried again in the normal tier, after hours.
pub const FAILS_MIDWAY: bool = false;
/// The bounds on issuing are counted from the intent, which a drain separates from the issue.
pub const BOUND_BY_INTENT: bool = false;
/// A supplied version that is no token is rejected and stays the latest.
pub const REJECTED_LATEST: bool = false;
/// Lists that lag behind: a restarted process issues again, `retire` runs hot, and `TakenOver` calls a person.
pub const LAGGING_LISTS: bool = false;
/// A quarantine that came under a person's pause is ended, and the pause with it.
pub const QUARANTINE_UNDER_PAUSE: bool = false;
/// A PUT that did nothing is not noticed while a person's pause keeps cycles from confirming it.
pub const HIDDEN_BY_A_PAUSE: bool = false;
/// A step of the clock forward ends `settle_for` early, and a good token is rejected.
pub const CLOCK_ENDS_SETTLING: bool = false;
/// A current version that a person has disabled leaves no verdict for ever.
pub const UNREADABLE_CURRENT: bool = false;
/// A lost answer is forgotten when the next try is certainly refused: under a delay the old token then dies unnoticed.
pub const LOST_ANSWER_FORGOTTEN: bool = false;
/// A token in memory that the vault cannot take calls nobody.
pub const UNSAVED_IS_MUTE: bool = false;
/// Somebody who starts the job and pauses it again during our fence is overruled.
pub const STARTED_AND_PAUSED_AGAIN: bool = false;
/// While HPE has no token to rotate, every try leaves another version in the vault.
pub const INTENTS_PILE_UP: bool = false;
/// A `pause` tag that a person has edited strands the job, and nobody is called.
pub const EDITED_PAUSE: bool = true;
/// Our own start that could not be written down is repeated against a person's later pause.
pub const UNWRITTEN_START: bool = true;

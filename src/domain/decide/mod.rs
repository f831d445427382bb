//! What is to be done now: a chain of small rules over what was seen. The first that speaks wins.
//!
//! Deciding changes nothing and asks nobody. Where a rule needs to know more than a normal look shows, it answers with
//! a [`Question`]; whoever drives it finds the answer and decides again.

mod decision;
mod due;
mod facts;
mod health;
mod ordered;
mod pause;
mod rivals;
mod unfinished;

use chrono::TimeDelta;

pub use self::decision::{Decision, Plan};
pub use self::facts::{Answers, CurrentHealth, Facts, HUMAN_WAIT, Question};
pub use self::pause::{LONGEST_DRAIN, LONGEST_STAND, PAUSE_LAG};
pub use self::rivals::SETTLE;
use super::job::JobState;
use super::reason::Reason;

/// While a rejected token may still take effect: the old one may die at that moment.
const LATE_WAIT: TimeDelta = TimeDelta::minutes(5);
/// While the job is paused: a list may not have shown yet that it was us, and that is believed for an hour only.
const PAUSED_WAIT: TimeDelta = TimeDelta::minutes(30);
/// The longest wait that is ever answered: whoever waits looks again at least so often.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(1);

type Rule = fn(&Facts<'_>) -> Option<Decision>;

/// The chain. The order is the specification.
const RULES: &[(&str, Rule)] = &[
    ("another process at work is left to it", rivals::rival),
    ("a damaged journal is touched by nobody but a person", unfinished::damaged),
    ("a pending token that is overtaken or dead is put aside", unfinished::superseded),
    ("a pause that somebody ended, or that never came, is over", pause::pause_ended),
    ("a pause that could not be written down is written down", pause::unrecorded_pause),
    ("a pause that this process made and no version tells of is written down again", pause::forgotten_pause),
    ("under a pause that no version tells of, a process that has just begun takes nothing up", pause::hidden_pause),
    ("what a person asks for is done", ordered::ordered),
    ("a pause of ours ends when Entra's saved token passes", pause::end_pause),
    ("what is wrong now is not held up by a wait for a token that is due", health::mend),
    ("after a failure, wait", unfinished::backing_off),
    ("a pending token goes to Entra before another is issued", unfinished::pending),
    ("a rejected token that works by now is taken back", health::late),
    ("an intent without a token may be a lost answer", unfinished::answer_lost),
    ("without a version of ours, begin as configured", unfinished::bootstrap),
    ("a token that somebody supplied is taken over where that is allowed", unfinished::supplied),
    ("whoever reads the latest version finds the current token", health::restate),
    ("a dead token is replaced whatever the policy says", health::expired),
    ("a refused token is healed or replaced, once it is clear which", health::trouble),
    ("a successful cycle confirms", health::confirm),
    ("a passing check proves, once the previous token is dead", health::prove),
    ("an unproven token is written once more", health::provision_again),
    ("old versions retire", health::retire),
    ("policy says when the token is due; until then a pause of unknown origin is a person's business", due::due),
];

/// Decides.
pub fn decide(facts: &Facts<'_>) -> Decision {
    let longest = facts.now + longest_wait(facts);
    match RULES.iter().find_map(|(_, rule)| rule(facts)) {
        Some(Decision::Wait { until, reason }) => Decision::Wait { until: until.min(longest), reason },
        Some(other) => rivals::stand_by(facts, other),
        None => Decision::Wait { until: longest, reason: Reason::NotDue },
    }
}

/// How long may be waited whatever there is to wait for.
fn longest_wait(f: &Facts<'_>) -> TimeDelta {
    match f.job.state {
        _ if f.expects_rejected() => LATE_WAIT,
        // Then it is certain whether a former process has asked for a token, and the pause need not stand for that.
        JobState::Paused if f.settled > f.now => PAUSED_WAIT.min(f.settled - f.now),
        JobState::Paused => PAUSED_WAIT,
        // It may not show yet, or somebody may have started the job: one of both shows soon.
        _ if f.journal.held_pause().is_some() => LATE_WAIT,
        _ => LONGEST_WAIT,
    }
}

#[cfg(test)]
mod tests;

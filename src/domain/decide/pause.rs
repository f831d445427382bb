//! The pauses of the job: ours, and those that may be a person's.

use chrono::TimeDelta;

use super::decision::note;
use super::{Decision, Facts, Question};
use crate::domain::Verdict;
use crate::domain::job::JobState;
use crate::domain::journal::PauseNote;
use crate::domain::reason::Reason;

/// How long a pause without a tag may still be taken for that of the rotation that meant to pause.
const UNRECORDED_PAUSE: TimeDelta = TimeDelta::hours(1);
/// How long a recorded pause may be invisible in Graph before its absence is believed.
pub const PAUSE_LAG: TimeDelta = TimeDelta::minutes(10);
/// A cycle that outlives the pause is waited for no longer, before a token is made.
pub const LONGEST_DRAIN: TimeDelta = TimeDelta::minutes(90);
/// Under a pending token a pause stands until the next attempt, if that is so near.
const WORTH_STANDING: TimeDelta = TimeDelta::minutes(20);
/// But not for longer than this while Entra's saved token passes. So long it stands after a lost answer as well: the token
/// that nobody knows may take effect any minute, and with it the one that Entra holds may die.
pub const LONGEST_STAND: TimeDelta = TimeDelta::hours(1);

pub(super) fn pause_ended(f: &Facts<'_>) -> Option<Decision> {
    let (entry, pause) = f.journal.unended_pause()?;
    let since = pause.at.unwrap_or(pause.planned);
    // It has run since it was certainly paused by us: if it is paused now, then by a person.
    let overrun = pause.is_overrun(f.job.last_execution.as_ref());
    let gone = overrun || f.job.state != JobState::Paused && (f.ran_since(since) || f.job.seen_at > since + PAUSE_LAG);
    let ended = Some(f.job.seen_at);
    gone.then(|| note(entry, Reason::PauseEnded, |labels| labels.pause = Some(PauseNote { ended, ..pause })))
}

pub(super) fn unrecorded_pause(f: &Facts<'_>) -> Option<Decision> {
    let (entry, pause) = f.unrecorded()?;
    let ours = !f.ran_since(pause.planned) && f.job.seen_at - pause.planned < UNRECORDED_PAUSE;
    let at = Some(pause.planned);
    ours.then(|| note(entry, Reason::PauseToRecord, |labels| labels.pause = Some(PauseNote { at, ..pause })))
}

/// Another host may have written over what told of it, in the moment at which both believed to have the say.
pub(super) fn forgotten_pause(f: &Facts<'_>) -> Option<Decision> {
    let pause = f.own_pause.filter(|pause| !pause.is_overrun(f.job.last_execution.as_ref()))?;
    let told = f.journal.tells_of(&pause);
    let idle = f.journal.pending().is_none() && f.journal.open_intent().is_none();
    let newest = f.journal.ours().next().filter(|_| f.job.state == JobState::Paused && idle && !told)?;
    Some(note(newest, Reason::PauseToRecord, |labels| labels.pause = Some(pause)))
}

/// In its first minutes a process may not see yet that the pause is that of the rotation which it would take up, and would write
/// over what tells of it. Nothing runs meanwhile.
pub(super) fn hidden_pause(f: &Facts<'_>) -> Option<Decision> {
    let resumes = f.journal.pending().is_some() || f.expects_rejected();
    let hidden = f.job.state == JobState::Paused && f.journal.unended_pause().is_none() && f.own_pause.is_none();
    (resumes && hidden && f.settled > f.now).then(|| f.just_begun())
}

pub(super) fn end_pause(f: &Facts<'_>) -> Option<Decision> {
    let (entry, pause) = f.journal.held_pause().filter(|_| f.job.state == JobState::Paused)?;
    let paused = f.job.seen_at - pause.at.unwrap_or(pause.planned);
    let stands = match (f.journal.pending(), f.journal.open_intent()) {
        (Some(pending), _) => {
            // The wait for a cycle may have taken longer, and the token that was made after it is young.
            let made = pending.labels.token.as_ref().map(|token| f.now - token.issued);
            let made = made.filter(|age| *age >= TimeDelta::zero());
            made.unwrap_or(paused).min(paused) < LONGEST_STAND && f.next_try() - f.now < WORTH_STANDING
        }
        // A clock that was set back since tells nothing: then the pause itself, which is a little older, by Graph's.
        (None, Some((_, intent))) => match f.now - intent.at {
            ahead if ahead < TimeDelta::zero() => paused < LONGEST_STAND,
            age => age < LONGEST_STAND,
        },
        // The list may not show yet that a former process has asked.
        (None, None) => f.journal.newest_intent().is_some() && f.settled > f.now,
    };
    if stands {
        return None;
    }
    match f.answers.saved {
        None => Some(Decision::Ask(Question::Saved)),
        Some(Verdict::NotAccepted) => None,
        Some(Verdict::Accepted) => {
            let mut labels = entry.labels.clone();
            labels.pause = Some(PauseNote { ended: Some(f.job.seen_at), ..pause });
            Some(f.start(entry, labels, Reason::PauseToEnd))
        }
    }
}

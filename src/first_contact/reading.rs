//! What the notes say of the unknowns. Pure. Where two readings would look alike, none of them is claimed.

use chrono::TimeDelta;

use super::notes::{Heard, Note, Testing};
use crate::domain::{Mode, ProbeVerdict};
use crate::engine::PutSeen;

/// How the token fared that was replaced.
#[derive(Clone, Debug, PartialEq)]
pub enum OldToken {
    /// The vault held none, so nothing could be watched.
    Unwatched,
    /// It lived until the new one was used for the first time, and not beyond.
    FirstUse {
        /// Refused so long after that use began, at the latest.
        within: TimeDelta,
    },
    /// The new one was refused for a time while the old one lived; then they changed places.
    Delay {
        /// The change came no sooner than this after the issue,
        at_least: TimeDelta,
        /// and no later than this.
        at_most: TimeDelta,
    },
    /// It lived on beside the new one for as long as it was watched.
    LivesOn {
        /// So long after the first use of the new one.
        watched: TimeDelta,
    },
    /// It lived on beside the new one for a while, and died then.
    Grace {
        /// No sooner than this after the first use of the new one,
        at_least: TimeDelta,
        /// and no later than this.
        at_most: TimeDelta,
    },
    /// It was dead before the new one was used.
    DeadAtIssue {
        /// Refused so long after the issuer was asked, at the latest.
        within: TimeDelta,
    },
    /// Two readings would look like this.
    Unclear(&'static str),
}

/// What the PUTs tell.
#[derive(Clone, Debug, PartialEq)]
pub struct PutReading {
    /// Those of the rotation itself, which name every setting that can be read.
    pub rotation: RotationPuts,
    /// The one that left a setting out.
    pub left_out: LeftOut,
    /// The keys that Graph shows, and whether their values can be read.
    pub shown: Vec<(String, bool)>,
    /// Keys that were shown before the first PUT and not behind it.
    pub lost: Vec<String>,
}

/// What the PUTs of the rotation tell.
#[derive(Clone, Debug, PartialEq)]
pub enum RotationPuts {
    /// It did not come so far.
    None,
    /// The first one counted: Entra's check of what it has saved passed with the old token dead.
    Counted {
        /// The first passing check came so long after it.
        after: TimeDelta,
    },
    /// The check passed, and the old token lived: it may have been that one's.
    Unproven,
    /// The check went on failing behind the first; only this one counted.
    Repeated {
        /// Its number.
        number: usize,
        /// What it named and the first did not.
        added: Vec<String>,
    },
    /// None of them was seen to count.
    Uncounted {
        /// So many.
        puts: usize,
    },
}

/// What came of leaving a setting out.
#[derive(Clone, Debug, PartialEq)]
pub enum LeftOut {
    /// It was not tried.
    Untried(String),
    /// It was gone afterwards, and is back.
    Gone(&'static str),
    /// It was gone afterwards, and is not back: it stands at its default all the same.
    Lost(&'static str),
    /// It was there afterwards.
    Kept(&'static str),
}

/// What the notes say.
#[derive(Clone, Debug, PartialEq)]
pub struct Readings {
    /// The token that was replaced.
    pub old: OldToken,
    /// How long it took until Entra was let in with the new one: no less, and no more. None if it never was.
    pub new_took: Option<(TimeDelta, TimeDelta)>,
    /// The PUTs.
    pub put: PutReading,
}

impl Readings {
    /// Reads the notes of a rotation in this mode.
    pub(super) fn of(notes: &[Note], mode: Mode, knows_old: bool, left_out: Result<Option<PutSeen>, String>) -> Self {
        let issue = notes.iter().position(|note| note.heard == Heard::Issue(Testing::Yes));
        let after = issue.map_or(&[][..], |at| &notes[at..]);
        Self {
            old: if knows_old { old(after, mode) } else { OldToken::Unwatched },
            new_took: new_took(after),
            put: PutReading {
                rotation: rotation_puts(after, mode),
                left_out: match left_out {
                    Err(why) => LeftOut::Untried(why),
                    Ok(None) => LeftOut::Untried("no setting that Graph shows stands at its default".to_owned()),
                    Ok(Some(PutSeen { key, kept: true, .. })) => LeftOut::Kept(key),
                    Ok(Some(PutSeen { key, put_back: true, .. })) => LeftOut::Gone(key),
                    Ok(Some(PutSeen { key, .. })) => LeftOut::Lost(key),
                },
                shown: shown(notes).last().cloned().unwrap_or_default(),
                lost: lost(notes),
            },
        }
    }
}

/// From the issue on: when Entra was let in with the new token.
fn first_use(after: &[Note]) -> Option<&Note> {
    after.iter().find(|note| note.heard == Heard::NewTested(Testing::Yes))
}

fn new_took(after: &[Note]) -> Option<(TimeDelta, TimeDelta)> {
    let (issue, used) = (after.first()?, first_use(after)?);
    let refused = after.iter().rfind(|n| n.heard == Heard::NewTested(Testing::No) && n.ended <= used.began);
    let at_least = refused.map_or(TimeDelta::zero(), |refused| refused.began - issue.ended);
    Some((at_least.max(TimeDelta::zero()), used.ended - issue.began))
}

fn probes(after: &[Note], verdict: ProbeVerdict) -> impl DoubleEndedIterator<Item = &Note> {
    after.iter().filter(move |note| note.heard == Heard::OldProbed(verdict))
}

fn old(after: &[Note], mode: Mode) -> OldToken {
    let Some(issue) = after.first() else { return OldToken::Unclear("no new token was made") };
    let refused = |from: TimeDelta| probes(after, ProbeVerdict::Refused).find(move |note| note.began >= from);
    if mode == Mode::RemoveCurrent {
        let lived = probes(after, ProbeVerdict::Accepted).next_back();
        return match (lived, refused(issue.ended)) {
            (None, Some(refused)) => OldToken::DeadAtIssue { within: refused.ended - issue.began },
            (Some(lived), None) => OldToken::LivesOn { watched: lived.began - issue.ended },
            (Some(lived), Some(_)) => match refused(lived.ended) {
                Some(refused) => {
                    OldToken::Grace { at_least: lived.began - issue.ended, at_most: refused.ended - issue.began }
                }
                None => OldToken::Unclear("the endpoint refused the old token and let it in afterwards"),
            },
            (None, None) => OldToken::Unclear("the endpoint said nothing about the old token"),
        };
    }
    let Some(used) = first_use(after) else {
        return OldToken::Unclear("Entra was never let in with the new token, so it was not seen to take effect");
    };
    let lived_before = probes(after, ProbeVerdict::Accepted).rfind(|note| note.ended <= used.began);
    let lived_after = probes(after, ProbeVerdict::Accepted).rfind(|note| note.began >= used.ended);
    let last_refusal = after.iter().rfind(|n| n.heard == Heard::NewTested(Testing::No) && n.ended <= used.began);
    let is_vouched_for = after.iter().any(|n| n.heard == Heard::OldTested(Testing::Yes) && n.ended <= used.began);
    let died = refused(lived_after.or(lived_before).map_or(issue.ended, |lived| lived.ended));
    match (died, lived_after, last_refusal) {
        (None, Some(_), Some(_)) if is_vouched_for => {
            OldToken::Unclear("the new token was refused at first, and the old one lives on beside it")
        }
        (None, Some(lived), _) => OldToken::LivesOn { watched: lived.began - used.ended },
        (None, None, _) => {
            OldToken::Unclear("the endpoint said nothing about the old token behind the first use of the new")
        }
        (Some(died), Some(lived), _) => {
            OldToken::Grace { at_least: lived.began - used.ended, at_most: died.ended - used.began }
        }
        (Some(_), None, Some(_)) if !is_vouched_for => OldToken::Unclear(
            "the new token was not accepted at first, and nothing shows whether it was refused or the endpoint was down: \
             first-use or delay",
        ),
        (Some(died), None, Some(refusal)) => OldToken::Delay {
            at_least: lived_before.map_or(refusal.began, |lived| lived.began.max(refusal.began)) - issue.ended,
            at_most: died.ended.min(used.ended) - issue.began,
        },
        (Some(died), None, None) if lived_before.is_some() && died.began >= used.began => {
            OldToken::FirstUse { within: died.ended - used.began }
        }
        (Some(died), None, None) if lived_before.is_none() && died.ended <= used.began => {
            OldToken::DeadAtIssue { within: died.ended - issue.began }
        }
        (Some(_), None, None) => OldToken::Unclear(
            "the old token died between the issue and the first use of the new, and nothing shows at which",
        ),
    }
}

fn rotation_puts(after: &[Note], mode: Mode) -> RotationPuts {
    let put = |note: &Note| match &note.heard {
        Heard::Put { keys, done: true } => Some((note.ended, keys.clone())),
        _ => None,
    };
    let Some((first, first_keys)) = after.iter().find_map(put) else { return RotationPuts::None };
    let checks = |wanted| move |note: &&Note| note.heard == Heard::SavedTested(wanted) && note.began >= first;
    let Some(passed) = after.iter().find(checks(Testing::Yes)) else {
        return RotationPuts::Uncounted { puts: after.iter().filter_map(put).count() };
    };
    let before: Vec<_> = after.iter().filter(|note| note.ended <= passed.began).filter_map(put).collect();
    let is_dead = mode == Mode::RemoveCurrent
        || probes(after, ProbeVerdict::Refused).any(|note| note.ended <= passed.began && note.began >= first);
    // A second PUT that follows upon a check that failed; one that puts lost settings back follows upon none.
    let repeated = after
        .iter()
        .find(checks(Testing::No))
        .is_some_and(|failed| before.last().is_some_and(|(at, _)| *at > failed.ended));
    match before.as_slice() {
        [.., (_, keys)] if repeated => RotationPuts::Repeated {
            number: before.len(),
            added: keys.iter().filter(|key| !first_keys.contains(key)).cloned().collect(),
        },
        _ if is_dead => RotationPuts::Counted { after: passed.began - first },
        _ => RotationPuts::Unproven,
    }
}

fn shown(notes: &[Note]) -> Vec<Vec<(String, bool)>> {
    let shown = |note: &Note| match &note.heard {
        Heard::Shown(keys) => Some(keys.clone()),
        _ => None,
    };
    notes.iter().filter_map(shown).collect()
}

fn lost(notes: &[Note]) -> Vec<String> {
    let Some(put) = notes.iter().position(|note| matches!(note.heard, Heard::Put { done: true, .. })) else {
        return Vec::new();
    };
    let (before, after) = (shown(&notes[..put]).pop(), shown(&notes[put..]).into_iter().next());
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    before.into_iter().map(|(key, _)| key).filter(|key| !after.iter().any(|(other, _)| other == key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One note a second, each half a second long, as `what` says.
    fn notes(what: &str) -> Vec<Note> {
        let heard = |word: &str| match word {
            "issue" => Heard::Issue(Testing::Yes),
            "old+" => Heard::OldProbed(ProbeVerdict::Accepted),
            "old-" => Heard::OldProbed(ProbeVerdict::Refused),
            "old?" => Heard::OldProbed(ProbeVerdict::NoVerdict),
            "vouch" => Heard::OldTested(Testing::Yes),
            "new+" => Heard::NewTested(Testing::Yes),
            "new-" => Heard::NewTested(Testing::No),
            "saved+" => Heard::SavedTested(Testing::Yes),
            "saved-" => Heard::SavedTested(Testing::No),
            "put" => Heard::Put { keys: vec!["BaseAddress".into()], done: true },
            "put!" => Heard::Put { keys: vec!["BaseAddress".into(), "SyncAll".into()], done: true },
            other => panic!("{other}"),
        };
        let dated = (0..).map(TimeDelta::seconds).zip(what.split_whitespace());
        dated
            .map(|(began, word)| Note { began, ended: began + TimeDelta::milliseconds(500), heard: heard(word) })
            .collect()
    }

    fn read(mode: Mode, what: &str) -> Readings {
        Readings::of(&notes(what), mode, true, Ok(None))
    }

    fn ms(n: i64) -> TimeDelta {
        TimeDelta::milliseconds(n)
    }

    #[test]
    fn what_becomes_of_the_old_token_is_read_from_who_was_let_in_before_and_after_whom() {
        let table = [
            ("old+ issue old+ new+ put old- saved+ old- old-", OldToken::FirstUse { within: ms(2500) }),
            (
                "old+ issue old+ new- vouch old+ new- vouch old- new+ put old-",
                OldToken::Delay { at_least: ms(4500), at_most: ms(7500) },
            ),
            ("issue old+ new- vouch old+ new+ put old-", OldToken::Delay { at_least: ms(3500), at_most: ms(5500) }),
            ("issue old+ new+ put old+ saved+ old+", OldToken::LivesOn { watched: ms(3500) }),
            ("issue old+ new+ put old+ old+ old- old-", OldToken::Grace { at_least: ms(2500), at_most: ms(4500) }),
            ("issue old- new+ put old-", OldToken::DeadAtIssue { within: ms(1500) }),
        ];
        for (what, expected) in table {
            assert_eq!(read(Mode::Overlap, what).old, expected, "{what}");
        }
        for what in [
            "",
            "old+ issue old+ new- vouch",
            "issue new+ put old-",
            "issue old? new+ put old? old?",
            "issue old+ new- old+ new+ put old-",
            "issue old+ new- vouch old+ new+ put old+",
        ] {
            assert!(matches!(read(Mode::Overlap, what).old, OldToken::Unclear(_)), "{what}");
        }
        assert_eq!(Readings::of(&notes("issue new+ put"), Mode::Overlap, false, Ok(None)).old, OldToken::Unwatched);
    }

    #[test]
    fn where_the_old_token_is_to_be_removed_it_is_dead_or_lives_or_died_later() {
        let table = [
            ("old+ issue new+ put old- old-", OldToken::DeadAtIssue { within: ms(3500) }),
            ("old+ issue new+ put old+ old+", OldToken::LivesOn { watched: ms(3500) }),
            ("old+ issue new+ put old+ old- old-", OldToken::Grace { at_least: ms(2500), at_most: ms(4500) }),
        ];
        for (what, expected) in table {
            assert_eq!(read(Mode::RemoveCurrent, what).old, expected, "{what}");
        }
        assert!(matches!(read(Mode::RemoveCurrent, "issue new+ put old?").old, OldToken::Unclear(_)));
    }

    #[test]
    fn how_long_the_new_token_takes_is_bounded_by_the_last_no_and_the_first_yes() {
        assert_eq!(read(Mode::Overlap, "issue new+").new_took, Some((ms(0), ms(1500))));
        assert_eq!(read(Mode::Overlap, "issue new- new- new+").new_took, Some((ms(1500), ms(3500))));
        assert_eq!(read(Mode::Overlap, "issue new-").new_took, None);
    }

    #[test]
    fn a_put_counts_only_where_the_passing_check_cannot_be_the_old_tokens() {
        let overlap = |what| read(Mode::Overlap, what).put.rotation;
        assert_eq!(overlap("issue new+"), RotationPuts::None);
        assert_eq!(overlap("issue new+ put old- saved+"), RotationPuts::Counted { after: ms(1500) });
        assert_eq!(overlap("issue new+ put old+ saved+"), RotationPuts::Unproven);
        assert_eq!(
            read(Mode::RemoveCurrent, "issue new+ put saved+").put.rotation,
            RotationPuts::Counted { after: ms(500) }
        );
        assert_eq!(overlap("issue new+ put old- saved- saved+"), RotationPuts::Counted { after: ms(2500) });
        assert_eq!(
            overlap("issue new+ put old- saved- new+ put! old- saved+ old- put saved+"),
            RotationPuts::Repeated { number: 2, added: vec!["SyncAll".into()] }
        );
        assert_eq!(overlap("issue new+ put saved- put saved-"), RotationPuts::Uncounted { puts: 2 });
        // Lost settings are put back at once, with no check in between.
        assert_eq!(overlap("issue new+ put put! old- saved+"), RotationPuts::Counted { after: ms(2500) });
    }
}

//! The rotations to come, if nothing happens but what policy asks for.

use super::attempts::{ISSUE_FLOOR, ISSUE_PERIOD};
use super::journal::TokenNote;
use super::policy::{Due, Policy};
use super::reason::Reason;
use super::{Fingerprint, Timestamp};

/// The most that are told: a rotation a day for ten years, and some.
const MOST: usize = 4_000;

/// One rotation to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// When it begins; the earliest moment, where that is not certain yet.
    pub at: Timestamp,
    /// The latest moment. The same for the token at hand; one that is not made yet has not drawn its jitter.
    pub latest: Timestamp,
    /// Why then: `NearingExpiry`, `MaxAgeReached` or `LastSafeMoment`; `Held` or `IssuedRecently`, where that puts it off.
    pub reason: Reason,
    /// What policy makes of it by itself.
    pub due: Due,
}

/// The rotations from `now` until `until`, oldest first. Nothing, where no end of the token is known and no `max_age` is set.
///
/// The first is what the token at hand comes to, with a person's hold until `held`. Each later one assumes that the one before
/// it was made at its earliest, and that its token lives as long as the one at hand was to live.
pub fn rotations(
    policy: &Policy,
    token: &TokenNote,
    held: Option<Timestamp>,
    now: Timestamp,
    until: Timestamp,
) -> Vec<Rotation> {
    let mut rotations = Vec::new();
    let mut coming = next(policy, token, held, now);
    while let Some(rotation) = coming.filter(|rotation| rotation.at <= until && rotations.len() < MOST) {
        rotations.push(rotation);
        coming = after(policy, token, rotation.at);
    }
    rotations
}

/// What the token at hand comes to, however far away that is; see [`rotations`].
pub fn next(policy: &Policy, token: &TokenNote, held: Option<Timestamp>, now: Timestamp) -> Option<Rotation> {
    let due = policy.due(token)?;
    let (at, put_off) = put_off(due.at, due.last_safe, token.issued, held);
    let at = at.max(now);
    Some(Rotation { at, latest: at, reason: put_off.unwrap_or(due.reason), due })
}

/// When a rotation that is due at `due` may begin, and what puts it off, if anything does: that the token was issued less than
/// a day before, or a person's hold. Neither is let past the last safe moment.
pub fn put_off(
    due: Timestamp,
    last_safe: Option<Timestamp>,
    issued: Timestamp,
    held: Option<Timestamp>,
) -> (Timestamp, Option<Reason>) {
    let (mut at, mut reason) = (due, None);
    for (moment, why) in [(issued + ISSUE_PERIOD, Reason::IssuedRecently), (held.unwrap_or(due), Reason::Held)] {
        let moment = last_safe.map_or(moment, |safe| moment.min(safe));
        if moment > at {
            (at, reason) = (moment, Some(why));
        }
    }
    (at, reason)
}

/// The one after a rotation at `issued`.
fn after(policy: &Policy, token: &TokenNote, issued: Timestamp) -> Option<Rotation> {
    let life = token.expiry.map(|expiry| expiry.at - token.issued);
    let drawn = |seed: u32| TokenNote {
        id: Fingerprint::from(format!("{seed:08x}").as_str()),
        issued,
        expiry: token.expiry.zip(life).map(|(expiry, life)| super::Expiry { at: issued + life, ..expiry }),
    };
    let [earliest, latest] = [0, u32::MAX].map(|seed| next(policy, &drawn(seed), None, issued + ISSUE_FLOOR));
    let (earliest, latest) = (earliest?, latest?);
    Some(Rotation { latest: latest.at.max(earliest.at), ..earliest })
}

#[cfg(test)]
#[path = "forecast_tests.rs"]
mod tests;

//! When a token is to be rotated: a deadline beats a window, a window beats jitter.

use std::fmt;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::fit::Fit;
use super::journal::TokenNote;
use super::reason::Reason;
pub use super::window::{Window, Windows};

/// What HPE does with the current token when a new one is made: its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// `remove-current=false`: the old token lives until the new one *takes effect*.
    Overlap,
    /// `remove-current=true`: the old token is dead when the call returns.
    RemoveCurrent,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overlap => "overlap",
            Self::RemoveCurrent => "remove-current",
        })
    }
}

/// When an overlapped token retires the old one. HPE documents it nowhere; `Unknown` is right under every reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TakesEffect {
    /// Be right under all three.
    #[default]
    Unknown,
    /// At the first use of the new token, Entra's test of it included.
    FirstUse,
    /// After a delay, at which the old one dies and the new one begins to work.
    Delay,
    /// The old one lives to its own end.
    OwnExpiry,
}

/// Whether the provisioning job is paused around the cutover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fence {
    /// Unless it is known to be needless: overlap, where the old token lives to its own end.
    #[default]
    Auto,
    /// In every rotation.
    Always,
    /// In none.
    Never,
}

/// What to do where the vault holds no version of ours yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bootstrap {
    /// Take over the token that stands in the vault as the latest version.
    Adopt,
    /// Have the issuer rotate, always by overlap.
    Rotate,
    /// Like `rotate`; and when the issuer says that there is no token yet, have it create the first one.
    Create,
}

/// How long before its end a token is rotated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Before {
    /// A fixed time.
    Time(TimeDelta),
    /// A share of the token's life, in percent, 1 to 90.
    Share(u8),
}

/// The rules for one connection. Checked when it is loaded; what a token's real life does not fit is clamped, with a warning.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How the issuer is asked.
    pub mode: Mode,
    /// Nobody can be asked for a token: people bring them, and have to be told in time.
    pub supplied: bool,
    /// What is known of the issuer's overlap.
    pub takes_effect: TakesEffect,
    /// Whether the job is paused.
    pub fence: Fence,
    /// First contact.
    pub bootstrap: Option<Bootstrap>,
    /// Whether a version stored by somebody else is taken over.
    pub accept_supplied: bool,
    /// Rotate so long before the end of life.
    pub rotate_before: Before,
    /// Rotate at this age, whatever the expiry.
    pub max_age: Option<TimeDelta>,
    /// The outage that must be ridden out: expiry minus this is the last safe moment.
    pub min_slack: TimeDelta,
    /// When rotations are welcome; none means always.
    pub windows: Windows,
    /// Spread over this time, drawn once per token.
    pub jitter: TimeDelta,
    /// How long a new token may take to be accepted before a verdict is sought.
    pub settle_for: TimeDelta,
    /// How long after a rotation a cycle must have succeeded.
    pub confirm_within: TimeDelta,
    /// How long a previous token stays readable in the vault once the new one is proven.
    pub retire_after: TimeDelta,
}

/// When a token is due, and why then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The moment.
    pub at: Timestamp,
    /// `NearingExpiry`, `MaxAgeReached` or `LastSafeMoment`.
    pub reason: Reason,
    /// Expiry minus the slack; none where no expiry is known.
    pub last_safe: Option<Timestamp>,
    /// The token's life is shorter than the policy thinks, which is cut down for it: see [`Fit`].
    pub clamped: bool,
    /// What expiry or age ask for, before windows, jitter and deadline have their say.
    pub wanted: Timestamp,
    /// What the windows make of that: open from then until just before then. None without windows.
    pub window: Option<(Timestamp, Timestamp)>,
    /// How much of the jitter this token has drawn.
    pub jitter: TimeDelta,
}

impl Policy {
    /// When `token` is to be rotated. `None`: it has no known end and there is no `max_age`.
    pub fn due(&self, token: &TokenNote) -> Option<Due> {
        let expiry = token.expiry.map(|expiry| expiry.at);
        let fit = token.life().map(|life| self.fit(life));
        let of_end = |part: fn(Fit) -> TimeDelta| expiry.zip(fit).map(|(expiry, fit)| expiry - part(fit));
        let last_safe = of_end(|fit| fit.slack);
        let nearing = of_end(|fit| fit.before).map(|at| (at, Reason::NearingExpiry));
        let aged = self.max_age.map(|age| (token.issued + age, Reason::MaxAgeReached));
        let (wanted, reason) = nearing.into_iter().chain(aged).min_by_key(|(at, _)| *at)?;
        let window = self.windows.open(wanted);
        let from = window.map_or(wanted, |(opens, _)| opens);
        let jitter = self.draw(from, window, token.id.seed());
        let clamped = fit.is_some_and(|fit| fit.clamped);
        let spread = Due { at: from + jitter, reason, last_safe, clamped, wanted, window, jitter };
        Some(match last_safe {
            Some(deadline) if deadline < spread.at => Due { at: deadline, reason: Reason::LastSafeMoment, ..spread },
            _ => spread,
        })
    }

    /// The share of the jitter that `seed` draws, within the window.
    fn draw(&self, from: Timestamp, window: Option<(Timestamp, Timestamp)>, seed: u32) -> TimeDelta {
        let span = window.map_or(self.jitter, |(_, closes)| self.jitter.min(closes - from));
        let seconds = i64::from(seed) * span.num_seconds().max(0) / (i64::from(u32::MAX) + 1);
        TimeDelta::seconds(seconds)
    }

    /// Whether a rotation in this mode pauses the job.
    pub fn fences(&self, mode: Mode) -> bool {
        match self.fence {
            Fence::Always => true,
            Fence::Never => false,
            Fence::Auto => !(mode == Mode::Overlap && self.takes_effect == TakesEffect::OwnExpiry),
        }
    }

    /// Whether slack has run out: failures are then retried in the emergency tier and reported as errors.
    pub fn is_urgent(&self, token: Option<&TokenNote>, now: Timestamp) -> bool {
        token.and_then(|token| self.due(token)).and_then(|due| due.last_safe).is_some_and(|safe| now >= safe)
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
pub(super) mod tests;

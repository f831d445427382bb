//! Whether a policy can be met at all, worked out in the words of the person who has to change it.
//!
//! Reads no clock: windows are walked from a fixed day on. What only a token's real life can tell is left to `policy`, which
//! clamps it at run time.

use chrono::TimeDelta;

use super::attempts::Tier;
use super::decide::LONGEST_DRAIN;
use super::policy::Policy;
use super::window::SPAN;
use crate::words::span;

/// Which of the times is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// `rotate_before_expiry`.
    RotateBefore,
    /// `min_slack`.
    MinSlack,
    /// `jitter`.
    Jitter,
    /// `window`.
    Window,
}

/// The first thing that cannot work, with the arithmetic. `life` is that of a token, where it is known: without it nothing can be
/// said of a share of it.
pub fn objection(policy: &Policy, life: Option<TimeDelta>) -> Option<(Blame, String)> {
    Times { policy, before: policy.asked(life)?, slack: policy.min_slack, life }.objection()
}

/// The times of a policy that bear on each other.
struct Times<'a> {
    /// The others.
    policy: &'a Policy,
    /// How long before its end a token is rotated.
    before: TimeDelta,
    /// The outage to ride out.
    slack: TimeDelta,
    /// The life of a token, where it is known.
    life: Option<TimeDelta>,
}

impl Times<'_> {
    fn objection(&self) -> Option<(Blame, String)> {
        let Self { policy: Policy { jitter, windows, .. }, before, slack, life } = *self;
        let wanted = span(before);
        if let Some(life) = life.filter(|life| before >= *life) {
            let what = format!(
                "rotate_before_expiry ({wanted}) is not shorter than the token's life (assumed_lifetime, {}): each token \
                 would be due when it is born. Lower it, or write a share such as \"33%\"",
                span(life)
            );
            return Some((Blame::RotateBefore, what));
        }
        if slack >= before {
            let what = format!(
                "min_slack ({}) is not shorter than rotate_before_expiry ({wanted}): every rotation would begin after the \
                 last safe moment. Lower min_slack or raise rotate_before_expiry",
                span(slack)
            );
            return Some((Blame::MinSlack, what));
        }
        let room = before - slack;
        let between =
            format!("between rotate_before_expiry ({wanted}) and min_slack ({}) there are {}", span(slack), span(room));
        if *jitter > room {
            let what = format!(
                "jitter ({}) is longer than the room it has: {between}. Lower it, or raise rotate_before_expiry",
                span(*jitter)
            );
            return Some((Blame::Jitter, what));
        }
        let closed = windows.longest_closed();
        let Some(closed) = closed.filter(|closed| *closed <= room) else {
            let what = format!(
                "the window may never open before the deadline: it stays closed for up to {}, but {between}. Let it open more \
                 often, raise rotate_before_expiry or lower min_slack",
                closed.map_or_else(|| format!("more than {}", span(SPAN)), span)
            );
            return Some((Blame::Window, what));
        };
        self.eaten_by_an_outage(closed)
    }

    /// Whether an outage of `min_slack`, which is to be ridden out, leaves too little of the token's life: one that begins when
    /// the token comes due as late as windows, closed for so long, and jitter let it.
    fn eaten_by_an_outage(&self, closed: TimeDelta) -> Option<(Blame, String)> {
        let Self { policy: Policy { windows, jitter, settle_for, .. }, before, slack, .. } = *self;
        let soon = Tier::Emergency.delay(u32::MAX);
        let takes = soon + LONGEST_DRAIN + *settle_for;
        let room = before - slack;
        let longest_window = windows.iter().map(|window| window.lasts).max();
        let jitter = longest_window.map_or(*jitter, |lasts| lasts.min(*jitter));
        let left = room - closed - jitter;
        if left >= takes {
            return None;
        }
        let (blame, remedy) = if room < takes {
            (Blame::MinSlack, "Raise rotate_before_expiry, or lower min_slack")
        } else if room - closed < takes {
            (Blame::Window, "Let the window open more often, raise rotate_before_expiry, or lower min_slack")
        } else {
            (Blame::Jitter, "Lower jitter, raise rotate_before_expiry, or lower min_slack")
        };
        let put_off = [(closed, "for which the window is closed"), (jitter, "of jitter")];
        let put_off = put_off.iter().filter(|(time, _)| !time.is_zero());
        let put_off: String = put_off.map(|(time, what)| format!(" − {} {what}", span(*time))).collect();
        let what = format!(
            "an outage of min_slack ({}), which is to be ridden out, may leave too little of the token's life: \
             rotate_before_expiry ({}){put_off} − the outage = {}, but a rotation may take {} from then on ({} until it is tried \
             again, {} for a cycle to end, settle_for {}). {remedy}",
            span(slack),
            span(before),
            span(left),
            span(takes),
            span(soon),
            span(LONGEST_DRAIN),
            span(*settle_for),
        );
        Some((blame, what))
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;

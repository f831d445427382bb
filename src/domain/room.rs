//! Whether a policy can be met at all, worked out in the words of the person who has to change it: when it is loaded, for the
//! life that is assumed, if any is; and at each look for the life that the token has.
//!
//! Reads no clock: windows are walked from a fixed day on.

use std::fmt;

use chrono::TimeDelta;

use super::attempts::{ISSUE_PERIOD, Tier};
use super::decide::LONGEST_DRAIN;
use super::fit::Fit;
use super::policy::Policy;
use super::window::SPAN;
use crate::words::about;

/// So long after an outage a rotation is tried again, at the latest.
fn soon() -> TimeDelta {
    Tier::Emergency.delay(u32::MAX)
}

/// Which of the times is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// `rotate_before_expiry`, for the life of the token.
    RotateBefore,
    /// `min_slack`.
    MinSlack,
    /// `jitter`.
    Jitter,
    /// `window`.
    Window,
}

/// Something that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// Which of the times is to blame.
    pub blame: Blame,
    /// Why, with the arithmetic.
    pub why: String,
    /// What can be done about it.
    pub remedy: String,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.why, self.remedy)
    }
}

/// The first thing that cannot work. `life` is what `assumed_lifetime` says: without it nothing can be said of a share of it.
pub fn objection(policy: &Policy, life: Option<TimeDelta>) -> Option<Objection> {
    let before = policy.asked(life)?;
    let life = life.map(|life| (life, format!("the token's life (assumed_lifetime, {})", about(life))));
    Times { policy, before, slack: policy.min_slack, life }.objection()
}

/// The same of what a policy comes to for a token that there is.
pub fn objection_to(policy: &Policy, fit: &Fit) -> Option<Objection> {
    let life = Some((fit.life, format!("its life ({})", about(fit.life))));
    Times { policy, before: fit.before, slack: fit.slack, life }.objection()
}

/// The times of a policy that bear on each other.
struct Times<'a> {
    /// The others.
    policy: &'a Policy,
    /// How long before its end a token is rotated.
    before: TimeDelta,
    /// The outage to ride out.
    slack: TimeDelta,
    /// The life of a token, where it is known, and what it is called.
    life: Option<(TimeDelta, String)>,
}

impl Times<'_> {
    fn objection(&self) -> Option<Objection> {
        let Self { policy: Policy { jitter, windows, .. }, before, slack, .. } = *self;
        if let Some(early) = self.due_too_early() {
            return Some(early);
        }
        let wanted = about(before);
        if slack >= before {
            return Some(Objection {
                blame: Blame::MinSlack,
                why: format!(
                    "min_slack ({}) is not shorter than rotate_before_expiry ({wanted}): every rotation would begin after the \
                     last safe moment",
                    about(slack)
                ),
                remedy: "Lower min_slack or raise rotate_before_expiry".to_owned(),
            });
        }
        let room = before - slack;
        let between = format!(
            "between rotate_before_expiry ({wanted}) and min_slack ({}) there are {}",
            about(slack),
            about(room)
        );
        if *jitter > room {
            return Some(Objection {
                blame: Blame::Jitter,
                why: format!("jitter ({}) is longer than the room it has: {between}", about(*jitter)),
                remedy: "Lower it, or raise rotate_before_expiry".to_owned(),
            });
        }
        let closed = windows.longest_closed();
        let Some(closed) = closed.filter(|closed| *closed <= room) else {
            return Some(Objection {
                blame: Blame::Window,
                why: format!(
                    "the window may never open before the deadline: it stays closed for up to {}, but {between}",
                    closed.map_or_else(|| format!("more than {}", about(SPAN)), about)
                ),
                remedy: "Let it open more often, raise rotate_before_expiry or lower min_slack".to_owned(),
            });
        };
        self.eaten_by_an_outage(closed)
    }

    /// Whether too little of the token's life would be used.
    fn due_too_early(&self) -> Option<Objection> {
        let (life, life_is) = self.life.as_ref()?;
        let (used, least) = (*life - self.before, self.policy.least_used(*life));
        if used >= least {
            return None;
        }
        let nothing = TimeDelta::zero();
        let why = match used {
            used if used <= nothing => {
                format!("is not shorter than {life_is}: each token would be due when it is born")
            }
            used if least <= ISSUE_PERIOD => format!(
                "leaves {} of {life_is} to be used, but policy alone never has two tokens made within {}",
                about(used),
                about(ISSUE_PERIOD)
            ),
            used => format!(
                "leaves only {} of {life_is} to be used, less than a third of it: tokens would be made again and again",
                about(used)
            ),
        };
        let (most, takes) = (*life - least, self.takes());
        let remedy = match most {
            _ if self.policy.supplied => "Lower it, or write a share such as \"33%\"".to_owned(),
            most if most <= takes => format!(
                "No policy keeps a token that does not live for {} and for min_slack beyond that",
                about(ISSUE_PERIOD + takes)
            ),
            most => format!(
                "Lower it to {} at most, or write a share such as \"33%\"; how old a token may grow is said by max_age",
                about(most)
            ),
        };
        let why = format!("rotate_before_expiry ({}) {why}", about(self.before));
        Some(Objection { blame: Blame::RotateBefore, why, remedy })
    }

    /// How long a rotation may take from the end of an outage on.
    fn takes(&self) -> TimeDelta {
        soon() + LONGEST_DRAIN + self.policy.settle_for
    }

    /// Whether an outage of `min_slack`, which is to be ridden out, leaves too little of the token's life: one that begins when
    /// the token comes due as late as windows, closed for so long, and jitter let it.
    fn eaten_by_an_outage(&self, closed: TimeDelta) -> Option<Objection> {
        let Self { policy: Policy { windows, jitter, settle_for, .. }, before, slack, .. } = *self;
        let takes = self.takes();
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
        let put_off: String = put_off.map(|(time, what)| format!(" − {} {what}", about(*time))).collect();
        let why = format!(
            "an outage of min_slack ({}), which is to be ridden out, may leave too little of the token's life: \
             rotate_before_expiry ({}){put_off} − the outage = {}, but a rotation may take {} from then on ({} until it is tried \
             again, {} for a cycle to end, settle_for {})",
            about(slack),
            about(before),
            about(left),
            about(takes),
            about(soon()),
            about(LONGEST_DRAIN),
            about(*settle_for),
        );
        Some(Objection { blame, why, remedy: remedy.to_owned() })
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;

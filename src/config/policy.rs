//! `[policy]`, and the `policy = { … }` of a connection laid over it, key by key.
//!
//! Becomes a [`Policy`] that can be met, or a problem with the arithmetic of why not.

use std::sync::LazyLock;
use std::time::Duration;

use chrono::TimeDelta;

use super::raw::{Report, Scalar, Section};
use super::scalar;
use super::source::Key;
use crate::domain::cron::Cron;
use crate::domain::policy::{Before, Bootstrap, Fence, Mode, Policy, TakesEffect, Window, Windows};
use crate::domain::room::{self, Blame};

/// When to look where nothing is said of it: one for all, since parsed it takes five kilobytes.
static HOURLY: LazyLock<Option<Cron>> = LazyLock::new(|| scalar::cron(Scalar::Text("0 0 * * * *")).ok());

/// A value and the key that set it.
#[derive(Clone)]
struct Set<T> {
    value: T,
    key: Key,
}

/// The policy as far as one table sets it.
#[derive(Clone)]
pub(super) struct Draft {
    mode: Option<Set<Mode>>,
    rotate_before: Option<Set<Before>>,
    max_age: Option<Set<TimeDelta>>,
    min_slack: Option<Set<TimeDelta>>,
    windows: Option<Set<Windows>>,
    jitter: Option<Set<TimeDelta>>,
    check: Option<Set<Cron>>,
    settle_for: Option<Set<TimeDelta>>,
    confirm_within: Option<Set<TimeDelta>>,
    retire_after: Option<Set<TimeDelta>>,
    fence: Option<Set<Fence>>,
    bootstrap: Option<Set<Bootstrap>>,
    accept_supplied: Option<Set<bool>>,
    /// One of the times that bear on each other is set and cannot be read, so nothing can be said of them together.
    unreadable: bool,
}

/// What the issuer's table adds to a policy.
pub(super) struct Issuer {
    /// People bring the tokens.
    pub supplied: bool,
    /// `takes_effect`.
    pub takes_effect: TakesEffect,
    /// `assumed_lifetime`.
    pub life: Option<TimeDelta>,
    /// The key of `assumed_lifetime`.
    pub life_key: Key,
}

impl Issuer {
    /// One whose table cannot be read: the policy is judged without it.
    pub fn unknown(key: Key) -> Self {
        Self { supplied: false, takes_effect: TakesEffect::Unknown, life: None, life_key: key }
    }
}

/// A rotation by age alone is never oftener than this: policy alone issues no two tokens within a day.
const YOUNGEST: TimeDelta = TimeDelta::days(1);
const LONGEST: TimeDelta = TimeDelta::days(3660);

impl Draft {
    /// Reads one table. Never none: what cannot be used is reported and counts as not set.
    pub fn read(section: &Section<'_>) -> Option<Self> {
        fn set<T>(
            section: &Section<'_>,
            name: &'static str,
            parse: impl FnOnce(Scalar<'_>) -> Result<T, String>,
        ) -> Option<Set<T>> {
            section.get(name, parse).map(|value| Set { value, key: section.key(name) })
        }
        let minute = TimeDelta::minutes(1);
        let windows = section.tables("window", read_window).into_iter().collect::<Option<Vec<_>>>();
        let windows = windows.filter(|_| section.has("window"));
        let windows = windows.map(|list| Set { value: Windows::from(list), key: section.key("window") });
        let rotate_before = set(section, "rotate_before_expiry", scalar::before);
        let min_slack = set(section, "min_slack", scalar::duration);
        let jitter = set(section, "jitter", scalar::duration);
        let unreadable = [
            ("rotate_before_expiry", rotate_before.is_some()),
            ("min_slack", min_slack.is_some()),
            ("jitter", jitter.is_some()),
            ("window", windows.is_some()),
        ]
        .into_iter()
        .any(|(name, is_read)| section.has(name) && !is_read);
        Some(Self {
            mode: set(section, "mode", scalar::word),
            rotate_before,
            max_age: set(section, "max_age", scalar::duration_in(YOUNGEST, LONGEST)),
            min_slack,
            windows,
            jitter,
            check: set(section, "check", scalar::cron),
            settle_for: set(section, "settle_for", scalar::duration_in(minute, TimeDelta::hours(1))),
            confirm_within: set(section, "confirm_within", scalar::duration_in(minute, LONGEST)),
            retire_after: set(section, "retire_after", scalar::duration),
            fence: set(section, "fence", scalar::word),
            bootstrap: set(section, "bootstrap", scalar::word),
            accept_supplied: set(section, "accept_supplied", scalar::truth),
            unreadable,
        })
    }

    /// This table, and `base` where it is silent.
    pub fn over(self, base: &Self) -> Self {
        fn or<T: Clone>(own: Option<T>, base: &Option<T>) -> Option<T> {
            own.or_else(|| base.clone())
        }
        Self {
            mode: or(self.mode, &base.mode),
            rotate_before: or(self.rotate_before, &base.rotate_before),
            max_age: or(self.max_age, &base.max_age),
            min_slack: or(self.min_slack, &base.min_slack),
            windows: or(self.windows, &base.windows),
            jitter: or(self.jitter, &base.jitter),
            check: or(self.check, &base.check),
            settle_for: or(self.settle_for, &base.settle_for),
            confirm_within: or(self.confirm_within, &base.confirm_within),
            retire_after: or(self.retire_after, &base.retire_after),
            fence: or(self.fence, &base.fence),
            bootstrap: or(self.bootstrap, &base.bootstrap),
            accept_supplied: or(self.accept_supplied, &base.accept_supplied),
            unreadable: self.unreadable || base.unreadable,
        }
    }

    /// The policy, with what is set nowhere at its default, and the cron that says when to look.
    pub fn finish(self, issuer: &Issuer, report: &Report<'_>) -> Option<(Policy, Cron)> {
        fn value<T>(set: Option<Set<T>>, default: T) -> T {
            set.map_or(default, |set| set.value)
        }
        let keys = [
            self.rotate_before.as_ref().map(|set| set.key.clone()),
            self.min_slack.as_ref().map(|set| set.key.clone()),
            self.jitter.as_ref().map(|set| set.key.clone()),
            self.windows.as_ref().map(|set| set.key.clone()),
        ];
        let check = self.check.map(|set| set.value).or_else(|| HOURLY.clone())?;
        let policy = Policy {
            mode: value(self.mode, Mode::Overlap),
            supplied: issuer.supplied,
            takes_effect: issuer.takes_effect,
            fence: value(self.fence, Fence::Auto),
            bootstrap: self.bootstrap.map(|set| set.value),
            accept_supplied: value(self.accept_supplied, false),
            rotate_before: value(self.rotate_before, Before::Time(TimeDelta::days(30))),
            max_age: self.max_age.map(|set| set.value),
            min_slack: value(self.min_slack, TimeDelta::days(7)),
            windows: value(self.windows, Windows::default()),
            jitter: value(self.jitter, TimeDelta::zero()),
            settle_for: value(self.settle_for, TimeDelta::minutes(10)),
            confirm_within: value(self.confirm_within, TimeDelta::hours(24)),
            retire_after: value(self.retire_after, TimeDelta::days(7)),
        };
        if let Some(objection) = room::objection(&policy, issuer.life).filter(|_| !self.unreadable) {
            let [before, slack, jitter, window] = keys;
            let blamed = match objection.blame {
                Blame::RotateBefore => None,
                Blame::MinSlack => slack.clone(),
                Blame::Jitter => jitter,
                Blame::Window => window,
            };
            // What a connection overrides is to blame before the defaults that it stumbles over; and by the life that it alone
            // assumes it stumbles alone.
            let by_life = objection.blame == Blame::RotateBefore || matches!(policy.rotate_before, Before::Share(_));
            let involved = [before, slack, blamed].into_iter().flatten().filter(|_| !by_life);
            let key = involved.max_by_key(Key::depth).unwrap_or_else(|| issuer.life_key.clone());
            report.problem(&key, objection.to_string());
            return None;
        }
        Some((policy, check))
    }
}

fn read_window(section: &Section<'_>) -> Option<Window> {
    let opens = section.need("cron", "cron = \"0 0 2 * * Sat\"", scalar::cron);
    let lasts = section.need("lasts", "lasts = \"4h\"", scalar::duration_in(TimeDelta::minutes(1), LONGEST));
    let zone = section.get("timezone", scalar::zone);
    let readable = zone.is_some() || !section.has("timezone");
    Some(Window { opens: opens?, lasts: lasts?, zone: zone.unwrap_or(chrono_tz::UTC) }).filter(|_| readable)
}

/// A time as the standard library has it. Times here are never negative.
pub(super) fn std(time: TimeDelta) -> Duration {
    time.to_std().unwrap_or_default()
}

//! Makes a failing plan small: leaves out whatever it fails without.

use chrono::TimeDelta;
use scim_rotator::domain::policy::Windows;

use super::accidents::begins;
use super::plan::Plan;
use super::play::{Failure, play};

/// So many plans are tried at most, unless `SIM_TRIES` says otherwise; a long life takes a second.
const TRIES: u64 = 60;

/// A plan that still fails, with as little in it as could be found, and how it fails.
pub fn shrink(mut plan: Plan, mut failure: Box<Failure>) -> (Plan, Box<Failure>) {
    let mut tries = 0;
    let most = super::number("SIM_TRIES").unwrap_or(TRIES);
    let mut attempt = |candidate: &Plan| {
        tries += 1;
        (tries <= most).then(|| play(candidate, false).err()).flatten()
    };
    let mut size = plan.accidents.len();
    while size > 0 {
        let mut from = 0;
        while from < plan.accidents.len() {
            let mut candidate = plan.clone();
            candidate.accidents.drain(from..(from + size).min(plan.accidents.len()));
            match attempt(&candidate) {
                Some(still) => (plan, failure) = (candidate, still),
                None => from += size,
            }
        }
        size /= 2;
    }
    for simpler in simplifications() {
        let mut candidate = plan.clone();
        simpler(&mut candidate);
        if let Some(still) = attempt(&candidate) {
            (plan, failure) = (candidate, still);
        }
    }
    let last = plan.accidents.iter().map(|accident| begins(accident.when)).max().unwrap_or_default();
    let mut candidate = plan.clone();
    candidate.eventful = plan.eventful.min(last + plan.settings.token_life);
    if let Some(still) = attempt(&candidate) {
        (plan, failure) = (candidate, still);
    }
    (plan, failure)
}

/// The settings, one by one, as they are by default.
fn simplifications() -> Vec<fn(&mut Plan)> {
    use crate::world::{AnswerShape, Delayed, PutReading, TagWrites, TakesEffect};
    vec![
        |plan| plan.settings.list_lag = TimeDelta::zero(),
        |plan| plan.settings.verification_delay = TimeDelta::zero(),
        |plan| plan.settings.delayed = Delayed::CheckAndCycles,
        |plan| plan.settings.put = PutReading::Merges,
        |plan| plan.settings.tag_writes = TagWrites::Replace,
        |plan| plan.settings.refuses_expiry = false,
        |plan| plan.settings.throttled = false,
        |plan| plan.settings.remove_current_waits = false,
        |plan| plan.settings.answer = AnswerShape::ExpiresAt,
        |plan| plan.settings.takes_effect = TakesEffect::OwnExpiry,
        |plan| plan.settings.cycle_length = TimeDelta::minutes(4),
        |plan| plan.settings.start_delay = TimeDelta::seconds(10),
        |plan| plan.settings.pause_ends_cycle = false,
        |plan| plan.settings.entry_level_errors = false,
        |plan| plan.settings.hidden.clear(),
        |plan| plan.policy.windows = Windows::default(),
        |plan| plan.policy.jitter = TimeDelta::zero(),
        |plan| plan.policy.max_age = None,
        |plan| plan.policy.accept_supplied = false,
        |plan| plan.skew = TimeDelta::zero(),
    ]
}

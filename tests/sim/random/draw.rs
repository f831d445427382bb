//! Draws a plan from a seed.

use chrono::TimeDelta;
use scim_rotator::domain::policy::{Before, Window};
use scim_rotator::domain::{Fence, Mode, Policy, TakesEffect as Pinned};

use super::accidents;
use super::dice::Dice;
use super::plan::{Level, Plan, What};
use crate::sim::drive;
use crate::world::{AnswerShape, Delayed, PutReading, Settings, TagWrites, TakesEffect};

/// What a far side that answers readably may answer.
const READABLE: [AnswerShape; 8] = [
    AnswerShape::Flat,
    AnswerShape::Nested,
    AnswerShape::ExpiresAt,
    AnswerShape::EpochMillis,
    AnswerShape::ExpiresIn,
    AnswerShape::Jwt,
    AnswerShape::PlainText,
    AnswerShape::JsonString,
];

/// The longest lag of a list under which two hosts are promised anything: twice as long, and a moment to act, is what a claim is
/// given to be believed (`decide::SETTLE`).
const LAG_OF_TWO: TimeDelta = TimeDelta::seconds(3);
/// How wrong a clock of theirs may be, and how far one step of it goes.
const APART: TimeDelta = TimeDelta::minutes(5);

impl Plan {
    /// The plan of this seed.
    pub fn draw(level: Level, seed: u64) -> Self {
        let dice = &mut Dice::new(seed);
        let mut settings = far_side(dice, seed);
        let policy = policy(dice, &settings);
        let lives = 2 + dice.small(3);
        let eventful = settings.token_life * i32::try_from(lives).unwrap_or(2);
        let mut skew = match dice.small(10) {
            0 => dice.span(-policy.min_slack / 4, policy.min_slack / 4),
            _ => TimeDelta::zero(),
        };
        let mut accidents = accidents::draw(dice, level, &settings, &policy, eventful);
        // Two hosts see each other in the vault's list only, by signs that bear the time of their own clocks.
        if accidents.iter().any(|accident| matches!(accident.what, What::Second { .. })) {
            settings.list_lag = settings.list_lag.min(LAG_OF_TWO);
            skew = skew.clamp(-APART, APART);
            for accident in &mut accidents {
                match &mut accident.what {
                    What::Lag(lag) => *lag = (*lag).min(LAG_OF_TWO),
                    What::Step(by) => *by = (*by).clamp(-APART, APART),
                    _ => (),
                }
            }
        }
        // Long enough for the bound of four issues a day to be over, and for a proof.
        let quiet = TimeDelta::days(3);
        Self { seed, level, settings, policy, skew, accidents, eventful, quiet }
    }
}

fn minutes(dice: &mut Dice, of: &[i64]) -> TimeDelta {
    TimeDelta::minutes(dice.pick(of))
}

fn far_side(dice: &mut Dice, seed: u64) -> Settings {
    // A short life asks for as many rotations as a long one, and takes less of ours.
    let days = match dice.small(40) {
        0 => 90,
        1 => 30,
        2..8 => 10,
        8..20 => 6,
        _ => 4,
    };
    let takes_effect = match dice.small(3) {
        0 => TakesEffect::FirstUse,
        1 => TakesEffect::Delay(minutes(dice, &[1, 2, 4, 8, 9, 15, 45])),
        _ => TakesEffect::OwnExpiry,
    };
    let put = dice.pick(&[
        PutReading::Merges,
        PutReading::Replaces,
        PutReading::DropsUnlessComplete,
        PutReading::IgnoresFirst,
    ]);
    // What cannot be read cannot be sent again: under any other reading it is lost, whoever writes.
    let hidden = match put {
        PutReading::Merges if dice.percent(20) => vec!["SkipOutOfScopeDeletions".to_owned()],
        _ => Vec::new(),
    };
    let interval = minutes(dice, &[20, 40, 40, 40, 120, 240]);
    // A cycle that outlives the longest wait for it (90 minutes) is a known limit.
    let length = minutes(dice, &[1, 4, 4, 15, 39, 80]).min(interval - TimeDelta::minutes(1));
    Settings {
        seed,
        token_life: TimeDelta::days(days),
        takes_effect,
        remove_current_waits: dice.percent(30),
        throttled: dice.percent(30),
        answer: dice.pick(&READABLE),
        tag_writes: dice.pick(&[TagWrites::Replace, TagWrites::Merge]),
        list_lag: TimeDelta::seconds(dice.pick(&[0, 0, 0, 5, 30, 120])),
        refuses_expiry: dice.percent(15),
        hidden,
        put,
        verification_delay: minutes(dice, &[0, 0, 3, 15]),
        delayed: dice.pick(&[Delayed::CheckAndCycles, Delayed::CheckOnly]),
        pause_ends_cycle: dice.percent(50),
        cycle_interval: interval,
        cycle_length: length,
        start_delay: TimeDelta::seconds(dice.pick(&[10, 10, 300])),
        entry_level_errors: dice.percent(10),
        ..Settings::default()
    }
}

fn policy(dice: &mut Dice, settings: &Settings) -> Policy {
    let life = settings.token_life;
    let mode = dice.pick(&[Mode::Overlap, Mode::Overlap, Mode::RemoveCurrent]);
    let fence = dice.pick(&[Fence::Auto, Fence::Auto, Fence::Auto, Fence::Always, Fence::Never]);
    let windows = match dice.small(5) {
        0 => vec![Window {
            opens: "0 0 2 * * *".parse().expect("a cron"),
            lasts: TimeDelta::hours(4),
            zone: chrono_tz::Europe::Berlin,
        }],
        _ => Vec::new(),
    };
    // Whoever pins a reading knows it.
    let pinned = match settings.takes_effect {
        _ if dice.percent(70) => Pinned::Unknown,
        TakesEffect::FirstUse => Pinned::FirstUse,
        TakesEffect::Delay(_) => Pinned::Delay,
        TakesEffect::OwnExpiry => Pinned::OwnExpiry,
    };
    Policy {
        takes_effect: pinned,
        accept_supplied: dice.percent(25),
        rotate_before: dice.pick(&[Before::Time(life / 3), Before::Time(life / 2), Before::Share(30)]),
        max_age: dice.percent(20).then_some(life * 2 / 5),
        min_slack: dice.pick(&[life / 6, life / 8]),
        windows: windows.into(),
        jitter: dice.pick(&[TimeDelta::zero(), TimeDelta::zero(), TimeDelta::hours(2)]),
        retire_after: dice.pick(&[TimeDelta::hours(12), TimeDelta::days(7)]),
        ..drive::policy(mode, fence)
    }
}

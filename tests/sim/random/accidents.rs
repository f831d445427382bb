//! Draws what happens in a plan.

use chrono::TimeDelta;
use scim_rotator::domain::Policy;

use super::asked::Asked;
use super::dice::Dice;
use super::people::{Deed, Edit, Pasted};
use super::plan::{Accident, Level, What, When, Whose};
use crate::world::{Fault, Op, Service, Settings};

/// What a rotation calls, in its order.
const OF_A_ROTATION: [Op; 9] = [
    Op::BearerMint,
    Op::VaultStore,
    Op::VaultLabel,
    Op::Pause,
    Op::Issue,
    Op::TestCandidate,
    Op::SettingsPut,
    Op::TestSaved,
    Op::Start,
];
const TAGS: [&str; 9] = ["stage", "seq", "rotation", "token", "intent", "pause", "retry", "proof", "started"];
const STAGES: [&str; 4] = ["pending", "current", "rejected", "placeholder"];

/// Everything that happens within `eventful`, in order.
pub fn draw(dice: &mut Dice, level: Level, settings: &Settings, policy: &Policy, eventful: TimeDelta) -> Vec<Accident> {
    let count = 1 + dice.below(8);
    let mut all: Vec<_> = (0..count).map(|_| accident(dice, level, settings, policy, eventful)).collect();
    // A harmless pause ends by the hand that made it.
    let pauses: Vec<_> = all.iter().filter(|a| a.what == What::Person(Deed::Pauses)).map(|a| begins(a.when)).collect();
    for pause in pauses {
        let end = (pause + dice.span(TimeDelta::minutes(3), TimeDelta::days(2))).min(eventful);
        all.push(Accident { when: When::At(end), what: What::Person(Deed::EndsHisPause) });
    }
    // Some hosts sleep.
    if dice.percent(20) {
        let are_two = all.iter().any(|accident| matches!(accident.what, What::Second { .. }));
        all.push(Accident { when: moment(dice, eventful), what: sleep(dice, policy, are_two) });
    }
    // And some operators are at their desk.
    if dice.percent(50) {
        let count = 1 + dice.below(4);
        all.extend((0..count).map(|_| Accident { when: moment(dice, eventful), what: operator(dice, level, policy) }));
    }
    all.sort_by_key(|accident| begins(accident.when));
    all
}

/// When it can happen at the earliest.
pub fn begins(when: When) -> TimeDelta {
    match when {
        When::At(moment) | When::Amid { after: moment, .. } => moment,
    }
}

fn accident(dice: &mut Dice, level: Level, settings: &Settings, policy: &Policy, eventful: TimeDelta) -> Accident {
    let when = moment(dice, eventful);
    let what = match (level, dice.small(100)) {
        (Level::Malice, 0..60) => What::Person(wild(dice)),
        (_, 0..30) => outage(dice, policy),
        (_, 30..45) => What::Calls { op: dice.pick(Op::ALL), count: 1 + dice.small(4), fault: fault(dice) },
        (_, 45..62) => What::Kill { away: away(dice, policy) },
        (_, 62..70) => What::Stop { away: away(dice, policy) },
        (_, 70..78) => step(dice, policy),
        (_, 78..82) => What::Lag(TimeDelta::seconds(dice.pick(&[0, 10, 60, 170]))),
        (_, 82..86) => What::Second { lasts: dice.span(TimeDelta::minutes(5), settings.token_life) },
        (_, 78..90) => What::Spoil,
        _ => What::Person(harmless(dice)),
    };
    Accident { when, what }
}

fn moment(dice: &mut Dice, eventful: TimeDelta) -> When {
    let after = dice.span(TimeDelta::hours(1), eventful);
    match dice.percent(60) {
        true => When::Amid { after, op: dice.pick(&OF_A_ROTATION), calls: dice.below(14) },
        false => When::At(after),
    }
}

fn sleep(dice: &mut Dice, policy: &Policy, are_two: bool) -> What {
    What::Sleep {
        whose: if are_two && dice.percent(40) { Whose::Second } else { Whose::First },
        lasts: length(dice, policy),
        deaf: TimeDelta::seconds(dice.pick(&[0, 0, 5, 60, 180])),
        fault: dice.pick(&[Fault::Down, Fault::Hang, Fault::LoseRequest, Fault::LoseAnswer]),
    }
}

fn operator(dice: &mut Dice, level: Level, policy: &Policy) -> What {
    match dice.percent(30) {
        true => What::Reload { retire_after: TimeDelta::hours(dice.pick(&[1, 12, 168])) },
        false => What::Asks(Asked::draw(dice, level, policy)),
    }
}

/// Many are short, some are long, and none is longer than what the policy says must be ridden out.
fn length(dice: &mut Dice, policy: &Policy) -> TimeDelta {
    let most = policy.min_slack.min(TimeDelta::days(3)) * 2 / 3;
    match dice.small(3) {
        0 => dice.span(TimeDelta::seconds(20), TimeDelta::minutes(10)),
        1 => dice.span(TimeDelta::minutes(10), TimeDelta::hours(4)),
        _ => dice.span(TimeDelta::hours(1), most),
    }
}

fn away(dice: &mut Dice, policy: &Policy) -> TimeDelta {
    match dice.percent(70) {
        true => TimeDelta::seconds(5),
        false => length(dice, policy),
    }
}

fn fault(dice: &mut Dice) -> Fault {
    dice.pick(&[
        Fault::Down,
        Fault::Status(429, None),
        Fault::Status(429, Some(90)),
        Fault::Status(500, None),
        Fault::Status(503, Some(20)),
        Fault::Hang,
        Fault::LoseRequest,
        Fault::LoseAnswer,
        Fault::Html,
        Fault::Truncated,
    ])
}

fn outage(dice: &mut Dice, policy: &Policy) -> What {
    let service = dice.pick(&[
        Service::Vault,
        Service::Graph,
        Service::Scim,
        Service::Hpe,
        Service::HpeAuth,
        Service::EntraLogin,
    ]);
    What::Outage { service, fault: fault(dice), lasts: length(dice, policy) }
}

/// A clock of ours that is further from Graph's is not gone by.
pub(super) const BELIEVED: TimeDelta = TimeDelta::days(1);

fn step(dice: &mut Dice, policy: &Policy) -> What {
    let most = (policy.min_slack / 4).min(TimeDelta::days(1));
    let by = match dice.small(4) {
        0 => dice.span(TimeDelta::seconds(1), TimeDelta::minutes(10)),
        1 => dice.span(TimeDelta::minutes(10), TimeDelta::hours(1)),
        // So far that Graph's is believed instead.
        2 => dice.span(BELIEVED, TimeDelta::days(100)),
        _ => dice.span(TimeDelta::hours(1), most),
    };
    What::Step(if dice.percent(50) { by } else { -by })
}

fn harmless(dice: &mut Dice) -> Deed {
    match dice.small(5) {
        0 | 1 => Deed::Pauses,
        2 => Deed::ChangesSetting,
        3 => Deed::StoresInVault(Pasted::Prose),
        _ => Deed::DisablesOlderThan(4),
    }
}

fn wild(dice: &mut Dice) -> Deed {
    let pasted = |dice: &mut Dice| match dice.small(5) {
        0 => Pasted::Garbage,
        1 => Pasted::Prose,
        n => Pasted::Made(usize::try_from(n - 2).unwrap_or_default()),
    };
    let version = |dice: &mut Dice| usize::try_from(dice.below(4)).unwrap_or_default();
    match dice.small(20) {
        0 => Deed::Pauses,
        1 => Deed::Starts,
        2 => Deed::ChangesSetting,
        3 | 4 => Deed::PastesInEntra(pasted(dice)),
        5 | 6 => Deed::StoresInVault(pasted(dice)),
        7 => Deed::RotatesElsewhere { remove_current: dice.percent(50), pastes: dice.percent(50) },
        8 => Deed::DeletesToken,
        9 => Deed::CreatesToken,
        10 => Deed::ChangesTenantUrl,
        11 => Deed::Disables(version(dice)),
        12 => Deed::DisablesOlderThan(version(dice)),
        13 => Deed::DeletesSecret,
        14 => Deed::RecoversSecret,
        15 => Deed::Repairs,
        _ => Deed::Edits(version(dice), edit(dice)),
    }
}

fn edit(dice: &mut Dice) -> Edit {
    match dice.small(9) {
        0 => Edit::Garbage(dice.pick(&TAGS)),
        1 => Edit::Removed(dice.pick(&TAGS)),
        2 => Edit::SameSeq,
        3 => Edit::OldDates,
        4 => Edit::UnknownScheme,
        5 => Edit::None,
        6 => Edit::Stage(dice.pick(&STAGES)),
        7 => Edit::LastSeq,
        _ => Edit::FarDates,
    }
}

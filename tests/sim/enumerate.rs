//! Every crash point, under every reading of what nobody knows about the far side.

use std::fmt::Write as _;

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode};

use super::drive::{Drive, policy};
use super::{Crash, Side, are_enough};
use crate::world::{Event, Fault, Op, PutReading, Schedule, Settings, TakesEffect, World};

const LIFE: TimeDelta = TimeDelta::days(100);
/// From shortly before the token is due until all has come to rest again.
const REST: TimeDelta = TimeDelta::hours(30);

/// When the rotation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// In the gap after a finished cycle, as it should be.
    InGap,
    /// In the midst of a long cycle, because slack has run out and no gap may be waited for.
    InCycle,
}

/// One reading of the far side, and how the daemon is set.
#[derive(Clone, Copy, Debug)]
struct Reading {
    begins: Begins,
    mode: Mode,
    fence: Fence,
    takes_effect: TakesEffect,
    put: PutReading,
    pause_ends_cycle: bool,
    verification_delay: TimeDelta,
}

fn readings() -> Vec<Reading> {
    use PutReading::{DropsUnlessComplete, IgnoresFirst, Merges, Replaces};
    let mut all = readings_of(Begins::InGap, &[Merges, Replaces, DropsUnlessComplete, IgnoresFirst], &[0, 3]);
    // What a PUT does has nothing to do with cycles; how long it takes to show has. It may take longer than the token.
    all.extend(readings_of(Begins::InCycle, &[Merges, IgnoresFirst], &[0, 15]));
    all
}

fn readings_of(begins: Begins, puts: &[PutReading], verification: &[i64]) -> Vec<Reading> {
    let mut all = Vec::new();
    for mode in [Mode::Overlap, Mode::RemoveCurrent] {
        for fence in [Fence::Auto, Fence::Never] {
            for takes_effect in
                [TakesEffect::FirstUse, TakesEffect::Delay(TimeDelta::minutes(4)), TakesEffect::OwnExpiry]
            {
                for put in puts.iter().copied() {
                    for pause_ends_cycle in [false, true] {
                        for verification_delay in verification.iter().copied().map(TimeDelta::minutes) {
                            all.push(Reading {
                                begins,
                                mode,
                                fence,
                                takes_effect,
                                put,
                                pause_ends_cycle,
                                verification_delay,
                            });
                        }
                    }
                }
            }
        }
    }
    all
}

/// A world in which token 1 was adopted long ago and comes due within the hour.
async fn about_to_rotate(reading: Reading) -> Drive {
    let mut rules = policy(reading.mode, reading.fence);
    let mut cycle_length = Settings::default().cycle_length;
    if reading.begins == Begins::InCycle {
        // Due is the last safe moment, and no gap is long enough to be one.
        rules.min_slack = TimeDelta::days(30);
        cycle_length = TimeDelta::minutes(39);
    }
    let settings = Settings {
        token_life: LIFE,
        cycle_length,
        takes_effect: reading.takes_effect,
        put: reading.put,
        pause_ends_cycle: reading.pause_ends_cycle,
        verification_delay: reading.verification_delay,
        ..Settings::default()
    };
    let start = settings.start;
    let drive = Drive::new(World::new(settings), rules);
    drive.live(&[], start + TimeDelta::days(70) - TimeDelta::minutes(47)).await;
    let issued = drive.world().ledger.issued;
    assert_eq!(issued, 0, "adopting issues nothing\n{}", drive.world().ledger.trace());
    drive
}

/// What must hold at the end of every schedule. `spare` is how many issues beyond the first the schedule excuses.
fn judge(drive: &Drive, reading: Reading, spare: u32) -> Result<(), String> {
    let world = drive.world();
    let ledger = &world.ledger;
    let mut wrong = String::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            let _ = writeln!(wrong, "* {what}");
        }
    };
    must(world.entra_holds_a_working_token(), "Entra holds a working token");
    must(world.saved_token().is_some_and(|token| token > 1), "Entra holds a new token");
    must((1..=1 + spare).contains(&ledger.issued), "no more tokens are issued than there are reasons for");
    must(
        ledger.started_while_active + ledger.started_a_persons_pause == 0,
        "start is never called on a running job nor against a person's pause",
    );
    must(world.settings_lost().is_empty(), "no sibling setting is lost");
    must(ledger.masks_sent == 0, "no mask is ever sent");
    must(world.jobs()[0].schedule == Schedule::Active, "the job is active");
    // Without the fence only a token that lives to its own end leaves no cycle exposed: under a delay the old token dies
    // at the very moment at which Entra can be given the new one.
    let harmless = reading.fence != Fence::Never
        || (reading.mode == Mode::Overlap && reading.takes_effect == TakesEffect::OwnExpiry);
    must(!harmless || ledger.cycles_failed == 0, "no provisioning cycle fails");
    must(!harmless || ledger.exposed.is_zero(), "at no moment would a cycle fail that began then");
    let outage = TimeDelta::minutes(30) + reading.verification_delay;
    must(ledger.outage < outage, &format!("a working token is back within minutes, not {}", ledger.outage));
    // A cycle may be waited for twice, and after a lost answer the pause stands for an hour.
    let paused = world.settings.cycle_length * 4 + TimeDelta::minutes(60);
    must(ledger.paused < paused, &format!("the job runs again in time, not after {}", ledger.paused));
    let latest = world.versions().last().is_some_and(|v| v.enabled && world.accepts(&v.value));
    must(latest, "whoever reads the latest version finds a token that works");
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("{wrong}{}", ledger.trace())),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

/// The bounds of the enumeration, so that a printed failure can be run alone (`SIM_READING=17`), or a few of them as a
/// sample (`SIM_READING=1,205`).
fn chosen(n: usize) -> bool {
    std::env::var("SIM_READING").ok().is_none_or(|only| only.split(',').any(|only| only.trim().parse() == Ok(n)))
}

#[test]
fn a_rotation_without_any_accident_is_right_under_every_reading() {
    runtime().block_on(async {
        for (n, reading) in readings().into_iter().enumerate().filter(|(n, _)| chosen(*n)) {
            let drive = about_to_rotate(reading).await;
            let until = drive.world().now() + REST;
            drive.live(&[], until).await;
            judge(&drive, reading, 0).unwrap_or_else(|why| panic!("reading {n}: {reading:?}\n{why}"));
        }
    });
}

/// How many calls a rotation makes that nothing disturbs, until Entra holds the new token, the job runs, and all is written down.
async fn calls_to_promotion(begin: &World, prepared: &Drive) -> usize {
    let fresh = || Drive::new(begin.clone(), prepared.policy.clone());
    let clean = fresh();
    clean.live(&[], begin.now() + REST).await;
    let saved = |event: &Event| matches!(event, Event::Saved { token: Some(token) } if *token > 1);
    let given = clean.world().ledger.events().find(|(_, event)| saved(event)).map(|(at, _)| *at).expect("a new token");
    // What Entra saves may take a while to show, and a PUT that is ignored is made again.
    let shown = given + prepared.world().settings.verification_delay + TimeDelta::minutes(5);
    fresh().live(&[], shown).await
}

/// Every call of the beginning and of the end, and a third of those between: most of them wait for a cycle to end.
fn crash_points(calls: usize) -> impl Iterator<Item = usize> {
    (1..=calls).filter(move |call| *call <= 40 || *call + 50 > calls || call % 3 == 0)
}

#[test]
fn a_crash_before_or_after_any_call_is_survived_under_every_reading() {
    let mut schedules = 0;
    let mut failures = Vec::new();
    runtime().block_on(async {
        for (n, reading) in readings().into_iter().enumerate().filter(|(n, _)| chosen(*n)) {
            let prepared = about_to_rotate(reading).await;
            let until = prepared.world().now() + REST;
            let begin = prepared.world().clone();
            for at_call in crash_points(calls_to_promotion(&begin, &prepared).await) {
                for side in [Side::Before, Side::After] {
                    let drive = Drive::new(begin.clone(), prepared.policy.clone());
                    drive.live(&[Crash { at_call, side }], until).await;
                    schedules += 1;
                    if let Err(why) = judge(&drive, reading, 1) {
                        failures.push(format!("reading {n}: {reading:?}\ncrash {side:?} call {at_call}\n{why}"));
                    }
                }
            }
        }
    });
    println!("{schedules} schedules with one crash, {} failures", failures.len());
    are_enough(schedules, 43_000);
    assert!(failures.is_empty(), "{} of {schedules} schedules fail; the first:\n{}", failures.len(), failures[0]);
}

/// So many pairs of crashes are played under each reading in every test run, spread over all; or as many as `SIM_PAIRS` says,
/// or `all` of them.
const PAIRS: usize = 60;
/// The second process is killed within so many calls.
const SECOND: usize = 40;

/// Two crashes, the second while the first is being made good.
fn pairs(calls: usize, reading: usize) -> impl Iterator<Item = [Crash; 2]> {
    let sides = [Side::Before, Side::After];
    let all = (1..=calls).flat_map(move |first| {
        (1..=SECOND).flat_map(move |second| {
            sides.into_iter().flat_map(move |a| {
                sides.map(|b| [Crash { at_call: first, side: a }, Crash { at_call: second, side: b }])
            })
        })
    });
    let asked = std::env::var("SIM_PAIRS").ok();
    let every = asked.as_deref() == Some("all");
    let pairs = asked.and_then(|pairs| pairs.parse().ok()).unwrap_or(PAIRS);
    let step = if every { 1 } else { (calls * SECOND * 4 / pairs).max(1) };
    // Another set of pairs under each reading: the step is coprime to the number of second calls and sides.
    let step = if every || step % 2 == 1 { step } else { step + 1 };
    all.skip(reading % step).step_by(step)
}

fn two_crashes(readings: impl Iterator<Item = (usize, Reading)>) {
    let mut schedules = 0;
    let mut failures = Vec::new();
    runtime().block_on(async {
        for (n, reading) in readings.filter(|(n, _)| chosen(*n)) {
            let prepared = about_to_rotate(reading).await;
            let until = prepared.world().now() + REST;
            let begin = prepared.world().clone();
            for crashes in pairs(calls_to_promotion(&begin, &prepared).await, n) {
                let drive = Drive::new(begin.clone(), prepared.policy.clone());
                drive.live(&crashes, until).await;
                schedules += 1;
                if let Err(why) = judge(&drive, reading, 2) {
                    failures.push(format!("reading {n}: {reading:?}\n{crashes:?}\n{why}"));
                }
            }
        }
    });
    println!("{schedules} schedules with two crashes, {} failures", failures.len());
    are_enough(schedules, 8_500);
    assert!(failures.is_empty(), "{} of {schedules} schedules fail; the first:\n{}", failures.len(), failures[0]);
}

#[test]
fn two_crashes_are_survived_under_every_even_reading() {
    two_crashes(readings().into_iter().enumerate().filter(|(n, _)| n % 2 == 0));
}

#[test]
fn two_crashes_are_survived_under_every_odd_reading() {
    two_crashes(readings().into_iter().enumerate().filter(|(n, _)| n % 2 == 1));
}

#[test]
fn a_lost_request_or_answer_of_any_call_is_survived_under_every_reading() {
    let mut schedules = 0;
    let mut failures = Vec::new();
    runtime().block_on(async {
        for (n, reading) in readings().into_iter().enumerate().filter(|(n, _)| chosen(*n)) {
            let prepared = about_to_rotate(reading).await;
            let until = prepared.world().now() + REST;
            let begin = prepared.world().clone();
            let clean = Drive::new(begin.clone(), prepared.policy.clone());
            clean.live(&[], until).await;
            // What is not called without any accident is not called until the accident either.
            let made = |op| clean.world().faults.calls(op) - begin.faults.calls(op);
            for op in Op::ALL.iter().copied().filter(|op| *op != Op::EntraScim) {
                for fault in [Fault::LoseRequest, Fault::LoseAnswer, Fault::Hang, Fault::Status(503, None)] {
                    for nth in 1..=made(op).min(2) {
                        let drive = Drive::new(begin.clone(), prepared.policy.clone());
                        drive.world().faults.at_call(op, nth, fault);
                        drive.live(&[], until).await;
                        schedules += 1;
                        let struck = |event: &Event| *event == Event::Fault { op, fault };
                        let strikes = drive.world().ledger.events().filter(|(_, event)| struck(event)).count();
                        assert_eq!(strikes, 1, "reading {n}: {reading:?}\n{fault:?} of {op:?} number {nth} occurs");
                        if let Err(why) = judge(&drive, reading, 1) {
                            failures.push(format!("reading {n}: {reading:?}\n{fault:?} of {op:?} number {nth}\n{why}"));
                        }
                    }
                }
            }
        }
    });
    println!("{schedules} schedules with one lost or failed call, {} failures", failures.len());
    are_enough(schedules, 25_000);
    assert!(failures.is_empty(), "{} of {schedules} schedules fail; the first:\n{}", failures.len(), failures[0]);
}

//! Years at random: whole lives of the daemon, drawn from seeds, with accidents and people, judged at every step.
//!
//! Nothing here depends on time or threads: a seed is a life. A failing one prints itself, shrinks to the few accidents
//! that it needs, and is replayed by `SIM_SEED=… cargo nextest run sim::random`.

mod accidents;
mod asked;
mod bounds;
mod dice;
mod draw;
mod host;
mod judge;
mod people;
mod plan;
mod play;
mod shrink;
mod summary;

use std::fmt::Write as _;
use std::ops::Range;

use chrono::TimeDelta;
use plan::{Level, Plan};
use play::play;
use summary::Tally;

/// So many lives of each kind are part of every test run, in so many tests side by side.
const LIVES: u64 = 3000;
/// The longest that Entra is ever without a working token, or the job paused by us, in a usual run, while all that it takes is
/// there and nobody is called: the promise of each life (`judge::patience`) grows with its cycles and waits.
const WORST: TimeDelta = TimeDelta::hours(3);
/// So many failures are shown of one run.
const SHOWN: usize = 3;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seeds to be played: `SIM_SEED=n`, `SIM_SEEDS=from..to`, or those of every run.
fn seeds(usual: Range<u64>) -> Range<u64> {
    if let Some(seed) = number("SIM_SEED") {
        return seed..seed + 1;
    }
    let bounds = std::env::var("SIM_SEEDS").ok();
    let bounds = bounds.as_deref().and_then(|text| text.split_once(".."));
    match bounds.map(|(from, to)| (from.parse(), to.parse())) {
        Some((Ok(from), Ok(to))) => {
            // Shared out among the tests that play the usual ones.
            let (from, to): (u64, u64) = (from, to);
            let share = (to - from).div_ceil(LIVES / (usual.end - usual.start));
            let begin = from + share * (usual.start / (usual.end - usual.start));
            begin.min(to)..(begin + share).min(to)
        }
        _ => usual,
    }
}

fn live(level: Level, usual: Range<u64>) {
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    let seeds = seeds(usual);
    let (from, to) = (seeds.start, seeds.end);
    for seed in seeds {
        let plan = Plan::draw(level, seed);
        match play(&plan, false) {
            Ok(life) => tally.add(&life),
            Err(failure) => {
                println!("seed {seed}: {}", failure.what);
                failures.push((plan, failure));
            }
        }
    }
    println!("{level:?}, seeds {from} to {to}: {tally}\n{} failing seeds", failures.len());
    let mut report = String::new();
    for (plan, failure) in &failures {
        let _ = writeln!(report, "seed {}: {}", plan.seed, failure.what);
    }
    for (plan, failure) in failures.iter().take(SHOWN) {
        let (small, failure) = shrink::shrink(plan.clone(), failure.clone());
        let failure = play(&small, true).err().unwrap_or(failure);
        let _ = writeln!(
            report,
            "\nSIM_SEED={} cargo nextest run sim::random\n{}\n{small}\n{}",
            plan.seed, failure.what, failure.story
        );
    }
    assert!(failures.is_empty(), "{report}");
    if super::is_usual_run() {
        assert!(tally.rotations >= 7_500, "{} rotations are too few to tell anything", tally.rotations);
        assert!(tally.obeyed >= 700, "{} orders are too few to tell anything", tally.obeyed);
        let worst = tally.worst_outage.max(tally.worst_pause);
        assert!(level == Level::Malice || worst < WORST, "{worst} without a working token, or paused");
    }
}

#[test]
fn accidents_of_many_lives_never_leave_entra_without_a_token_1() {
    live(Level::Accidents, 0..LIVES / 2);
}

#[test]
fn accidents_of_many_lives_never_leave_entra_without_a_token_2() {
    live(Level::Accidents, LIVES / 2..LIVES);
}

#[test]
fn whatever_people_do_nothing_panics_nothing_runs_wild_and_all_is_well_once_they_repair_it_1() {
    live(Level::Malice, 0..LIVES / 2);
}

#[test]
fn whatever_people_do_nothing_panics_nothing_runs_wild_and_all_is_well_once_they_repair_it_2() {
    live(Level::Malice, LIVES / 2..LIVES);
}

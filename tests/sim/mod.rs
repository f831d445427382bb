//! The engine against the world in virtual time. `face` is the world in memory, `drive` lets processes live and die.

mod accidents;
mod adopted;
mod aged;
mod apart;
mod bearer;
mod calendar;
mod claimed;
mod containers;
pub mod cost;
mod cutover;
mod doubtful;
pub mod drive;
mod edited;
mod enumerate;
mod face;
mod face_tests;
mod fenced;
mod fleet;
mod handed;
mod held;
mod interrupted;
mod issuing;
mod leaps;
mod left_out;
mod lost_then_away;
mod mended;
mod orders;
mod patience;
mod paused;
mod pressing;
mod quarantine;
mod random;
mod repeated;
mod rest;
mod resumed;
mod rivals;
mod scenes;
mod set_back;
mod shows_late;
mod slept;
mod tenants;
mod told;
mod turns;
mod undated;
mod unsaved;
mod waits;
mod written;

pub use face::{Crash, Face, FaceOptions, Side};

/// Whether nothing in the environment asks for a part of what is played in every run, or for more.
fn is_usual_run() -> bool {
    ["SIM_READING", "SIM_PAIRS", "SIM_SEED", "SIM_SEEDS"].iter().all(|name| std::env::var_os(name).is_none())
}

/// An enumeration that shrinks unseen proves nothing. The least of all that say so come to more than a hundred thousand.
fn are_enough(schedules: usize, least: usize) {
    assert!(schedules >= least || !is_usual_run(), "{schedules} schedules, where {least} are the least");
}

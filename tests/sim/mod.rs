//! The engine against the world in virtual time. `face` is the world in memory, `drive` lets processes live and die.

mod accidents;
mod adopted;
mod aged;
mod apart;
mod bearer;
mod claimed;
mod containers;
mod cutover;
pub mod drive;
mod edited;
mod enumerate;
mod face;
mod face_tests;
mod fenced;
mod fleet;
mod held;
mod interrupted;
mod issuing;
mod left_out;
mod orders;
mod patience;
mod paused;
mod quarantine;
mod random;
mod repeated;
mod resumed;
mod rivals;
mod set_back;
mod shows_late;
mod tenants;
mod told;
mod unsaved;
mod waits;
mod written;

pub use face::{Crash, Face, FaceOptions, Side};

//! The engine against the world in virtual time. `face` is the world in memory.

mod face;
#[cfg(test)]
mod face_tests;

pub use face::{Crash, Face, FaceOptions, Ports, Side};

//! Which faults of the doctor's walk make a rotation unsafe.

use crate::doctor::{Check, Outcome};

/// What is provisioned to whom, and how the last cycle went: a rotation neither needs nor harms it.
const HARMLESS: [&str; 3] = ["cycle", "mapping", "assigned"];

/// The faults that a rotation would run into, or that would blind those who watch it.
pub fn unsafe_faults(checks: &[Check]) -> Vec<&Check> {
    checks.iter().filter(|check| check.outcome == Outcome::Fault && !HARMLESS.contains(&check.hop)).collect()
}

//! The edges: what fills the ports with real services.
//!
//! Edges do not know each other; they share `http` (the one client), `login` (what a login to Entra offers),
//! `child` (how a program is run) and nothing else. None of them decides, and none repeats what is not idempotent.

pub mod azure;
mod child;
pub mod clock;
pub mod graph;
pub mod greenlake;
pub mod http;
pub mod keyvault;
pub mod login;
pub mod scim;
pub mod supplied;
pub mod way;
pub mod webhook;

#[cfg(test)]
mod testing;

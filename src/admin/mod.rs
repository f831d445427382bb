//! How the process shows itself to the machine it runs on, and takes commands from it.

pub mod control;
pub mod counts;
pub mod health;
pub mod lock;
pub mod looks;
pub mod outcome;
pub mod service_manager;
pub mod web;

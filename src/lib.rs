//! scim-rotator keeps the SCIM token of an Entra-provisioned application alive.
//!
//! The library behind the binary. `domain` decides, `engine` acts through `ports`, `edge` fills the ports.

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
pub mod domain;
pub mod edge;
pub mod engine;
pub mod first_contact;
pub mod init;
pub mod logging;
pub mod loud;
pub mod messages;
pub mod notify;
pub mod ports;
pub mod proxy;
pub mod runbook;
pub mod sane_clock;
pub mod secret_file;
mod stderr;
pub mod words;

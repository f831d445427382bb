//! The real binary against the sandbox, over TLS.

mod architecture;
mod bad_input;
mod canary;
mod identity;
mod commands;
mod control;
mod kill;
mod place;
mod refuse;
mod rotate;
mod signals;

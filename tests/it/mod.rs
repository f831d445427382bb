//! The real binary against the sandbox, over TLS.

mod architecture;
mod bad_input;
mod canary;
mod commands;
mod control;
mod identity;
mod kill;
mod place;
mod refuse;
mod reload;
mod rotate;
mod signals;

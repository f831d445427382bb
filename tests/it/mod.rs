//! The real binary against the sandbox, over TLS.

mod adversity;
mod architecture;
mod bad_input;
mod batch;
mod canary;
mod commands;
mod control;
mod identity;
mod kill;
mod once;
mod place;
mod refuse;
mod reload;
mod rotate;
mod runtime_dir;
mod signals;
mod sigterm;
mod stderr;
mod two;

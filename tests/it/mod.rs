//! The real binary against the sandbox, over TLS.

mod adversity;
mod architecture;
mod bad_input;
mod batch;
mod bearer;
mod canary;
mod commands;
mod control;
mod identity;
mod kill;
mod namespace;
mod network;
mod once;
mod place;
mod proxy;
mod refuse;
mod reload;
mod rotate;
mod runtime_dir;
mod signals;
mod sigterm;
mod stderr;
mod two;

//! The real binary against the sandbox, over TLS.

mod architecture;
mod canary;
mod kill;
mod place;
mod refuse;
mod rotate;
mod signals;

//! The real binary against the sandbox, over TLS.

mod canary;
mod kill;
mod place;
mod refuse;
mod rotate;
mod signals;

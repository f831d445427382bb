//! Everything that is tested through the world, its two faces, and the real binary.

mod contract;
mod it;
mod sandbox;
mod sim;
#[expect(dead_code, unused_imports, reason = "a model of the far side knows more than today's tests ask")]
mod world;

//! Everything that is tested through the world, its two faces, and the real binary.

mod it;
#[expect(dead_code, reason = "the sandbox serves the demo as well")]
mod sandbox;
mod sim;
#[expect(dead_code, unused_imports, reason = "a model of the far side knows more than today's tests ask")]
mod world;

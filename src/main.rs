//! The binary: in linkerd's order, and without logic.

fn main() {}

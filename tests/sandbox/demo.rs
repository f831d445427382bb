//! The sandbox and the story around it.

fn main() {}

//! Everything that is tested through the world, its two faces, and the real binary.

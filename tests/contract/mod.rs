//! The contract: what the daemon relies on at HPE, Key Vault and Entra, one test a row, each run against both faces.
//!
//! `memory` is the face that the simulation drives, `tls` the sandbox behind the daemon's real edges. The files under
//! `rows` are compiled once for each, so that a row cannot be written for one face alone. A row asks through the daemon's
//! ports and looks at the world; it must never know which face it speaks to.

mod far_side;
#[expect(clippy::duplicate_mod, reason = "each row is run against each face")]
mod memory;
#[expect(clippy::duplicate_mod, reason = "each row is run against each face")]
mod tls;

//! The binary. No logic: `cli::main` goes in linkerd's order, this installs what must be there before anything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    // One provider for every TLS connection of the process. Refused only if somebody has been quicker, which nobody can be.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    scim_rotator::cli::main(std::env::args_os()).into()
}

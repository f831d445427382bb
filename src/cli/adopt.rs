//! `adopt`: a token that was made by hand. It is read from its file here, and never shown.

use std::io::Write;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use crate::admin::control::Ask;
use crate::cli::args::AdoptArgs;
use crate::cli::exit::Exit;
use crate::cli::follow::Follow;
use crate::cli::order::{Show, carry_out};
use crate::config::Config;
use crate::domain::Token;
use crate::secret_file::SecretFile;

/// Has the token of the file tested and brought to Entra.
pub async fn run(config: &Config, args: &AdoptArgs, follow: Follow, out: &mut impl Write) -> anyhow::Result<Exit> {
    let file = SecretFile::new(args.token_file.clone());
    let token = Token::parse(file.read()?.expose_secret())
        .with_context(|| format!("secret file {} holds no token", file.path().display()))?;
    if let Some(warning) = file.warning() {
        tracing::warn!("{warning}");
    }
    carry_out(config, &args.name, Ask::Adopt { token, expires: args.expires }, Show::choose(args.json, follow), out)
        .await
}

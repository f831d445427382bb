//! `make bench`: what the release binary costs, as tables. Asserts nothing. `make bench PART=fleet` measures one part.

mod daemon;
mod far;
mod fleet;
mod one;
#[path = "../sandbox/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a measurement needs less of the sandbox than the tests do")]
mod sandbox;
mod script;
#[path = "../sim/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a measurement needs less of the simulation than the tests do")]
mod sim;
#[path = "../world/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a measurement needs less of the world than the tests do")]
mod world;
mod year;

use std::path::PathBuf;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let binary = PathBuf::from(arguments.next().context("usage: bench BINARY [PART [SIZE …]]")?);
    let binary = binary.canonicalize().with_context(|| format!("{}", binary.display()))?;
    let part = arguments.next().map(|part| part.to_string_lossy().into_owned());
    let sizes = arguments.map(|size| size.to_string_lossy().parse()).collect::<Result<Vec<usize>, _>>()?;
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok().context("TLS cannot be set up")?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name || part.is_empty());
        if wanted("one") {
            one::measure(&binary).await?;
        }
        if wanted("far") {
            script::measure(&far::measure(&binary).await?).await?;
        }
        if wanted("fleet") {
            fleet::measure(&binary, &sizes).await?;
        }
        if wanted("year") {
            year::measure().await?;
        }
        if wanted("cost") {
            year::cost().await;
        }
        Ok(())
    })
}

//! The same rotation by a straight script in Python, with Microsoft's own clients, on the same network.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::far::{Place, Rotation};
use crate::sandbox::fleet;

/// `make strangers` puts it there.
const PYTHON: &str = "target/strangers/bin/python";
const SCRIPT: &str = "tests/strangers/rotate.py";

/// Prints both, if Python is there.
pub async fn measure(daemon: &Rotation) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(PYTHON);
    if !python.exists() {
        println!(
            "\nNo {PYTHON}: `make strangers` installs it, and then the same rotation by a script is measured too."
        );
        return Ok(());
    }
    let place = Place::new("never", 1.0).await?;
    let ca = tempfile::NamedTempFile::new()?;
    std::fs::write(ca.path(), &place.sandbox.ca_pem)?;
    let mut command = Command::new(python);
    command.arg("-I").arg(root.join(SCRIPT)).env_clear().env("REQUESTS_CA_BUNDLE", ca.path());
    let settings = place.sandbox.world(0).settings.clone();
    for (name, value) in [
        ("PORT", place.sandbox.address.port().to_string()),
        ("VAULT", format!("https://{}.vault.azure.net", settings.vault)),
        ("SECRET", settings.secret),
        ("TENANT", settings.directory),
        ("CLIENT", settings.azure_client_id),
        ("CLIENT_SECRET", fleet::AZURE_SECRET.to_owned()),
        ("PRINCIPAL", settings.service_principal),
        ("JOB", settings.jobs[0].clone()),
        ("TENANT_URL", settings.tenant_url),
        ("HPE_TENANT", settings.tenant),
        ("HPE_CLIENT", settings.client_id),
        ("HPE_SECRET", fleet::CLIENT_SECRET.to_owned()),
    ] {
        command.env(name, value);
    }
    let asked = Instant::now();
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let whole = asked.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the script failed: {said}");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).context("the script tells its figures")?;
    let figure = |name: &str| told[name].as_f64().unwrap_or_default();
    let rotation = Duration::from_secs_f64(figure("rotation_ms") / 1000.0);
    let ratio = |script: f64, daemon: f64| format!("{:.1}", script / daemon);
    let (ours, theirs) = (daemon.took.as_secs_f64(), rotation.as_secs_f64());
    println!("\n| the same rotation, round trip 50 ms | daemon | script in Python | ratio |\n|---|---|---|---|");
    println!(
        "| wall time of the rotation | {} ms | {} ms | {} |",
        daemon.took.as_millis(),
        rotation.as_millis(),
        ratio(theirs, ours)
    );
    println!(
        "| wall time of the command | {} ms | {} ms, of which {:.0} ms to load | {} |",
        daemon.command.as_millis(),
        whole.as_millis(),
        figure("load_ms"),
        ratio(whole.as_secs_f64(), daemon.command.as_secs_f64())
    );
    println!(
        "| from the issue to the PUT | {} ms | {:.0} ms | {} |",
        daemon.exposed.as_millis(),
        figure("exposed_ms"),
        ratio(figure("exposed_ms") / 1000.0, daemon.exposed.as_secs_f64())
    );
    let peak = figure("peak_mb");
    println!("| peak memory | {:.1} MB | {peak:.1} MB | {} |", daemon.peak, ratio(peak, daemon.peak));
    Ok(())
}

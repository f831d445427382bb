//! `config check`: everything that is wrong with the configuration, or what it will do.
//!
//! Contacts nobody and reads no secret: of a secret's file only presence and permissions are looked at. The CA file is read.

use std::io::{self, Write};

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::json;
use crate::config::{
    Config, ConfigErrors, ConnectionConfig, Credential, Credentials, Issuing, Loaded, Refused, WhichIdentity,
};
use crate::domain::PrincipalId;
use crate::domain::policy::{Before, Policy, Window};
use crate::engine::chain;
use crate::words::span;

/// Says what a configuration that was read will do. One that cannot be read is refused before any subcommand.
pub fn run(loaded: &Loaded, json: bool, out: &mut impl Write) -> anyhow::Result<Exit> {
    if !json {
        return Ok(report(loaded, out)?);
    }
    let config = &loaded.config;
    let problem = crate::app::check_ca_file(config).err().map(|error| format!("http.{}", chain(error.as_ref())));
    let refused =
        config.refused.iter().map(|Refused { name, problems }| json!({ "name": name, "problems": told(problems) }));
    let usable = problem.is_none() && config.refused.is_empty();
    let answer = json!({
        "usable": usable,
        "problems": problem.into_iter().collect::<Vec<_>>(),
        "connections": config.connections.iter().map(connection).collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
        "warnings": warnings(loaded),
    });
    json::write(&answer, out)?;
    Ok(if usable { Exit::Done } else { Exit::Config })
}

/// The same of one that cannot be read.
pub fn refusal(problems: &ConfigErrors, out: &mut impl Write) -> anyhow::Result<()> {
    let none: [(); 0] = [];
    let problems = told(problems);
    json::write(
        &json!({ "usable": false, "problems": problems, "connections": none, "refused": none, "warnings": none }),
        out,
    )
}

fn told(problems: &ConfigErrors) -> Vec<String> {
    problems.problems().iter().map(ToString::to_string).collect()
}

fn connection(ConnectionConfig { name, issuer, vault, entra, policy, check }: &ConnectionConfig) -> Value {
    let issuer = match issuer {
        Issuing::GreenLake(issuer) => json!({ "url": issuer.url.as_str(), "mode": policy.mode.to_string() }),
        Issuing::Supplied { .. } => json!({ "supplied": true }),
    };
    let principal = match entra.principal {
        PrincipalId::Object(id) => json!({ "object_id": id.to_string() }),
        PrincipalId::Application(id) => json!({ "application_id": id.to_string() }),
    };
    let window = |window: &Window| json!({ "opens": window.opens.as_str(), "lasts": span(window.lasts), "zone": window.zone.name() });
    json!({
        "name": name.as_str(),
        "issuer": issuer,
        "vault": { "url": vault.url.as_str(), "secret": vault.secret },
        "service_principal": principal,
        "rotates": when(policy),
        "windows": policy.windows.iter().map(window).collect::<Vec<_>>(),
        "looks": check.as_str(),
    })
}

/// Writes it for people.
fn report(loaded: &Loaded, out: &mut impl Write) -> io::Result<Exit> {
    let config = &loaded.config;
    if let Err(error) = crate::app::check_ca_file(config) {
        writeln!(out, "The configuration cannot be used: http.{}", chain(error.as_ref()))?;
        return Ok(Exit::Config);
    }
    match config.refused.len() {
        0 => writeln!(out, "The configuration can be used.")?,
        some => writeln!(
            out,
            "{some} of {} connections cannot be used. A start tends the others; a reload takes nothing of this over.",
            some + config.connections.len()
        )?,
    }
    for Refused { name, problems } in &config.refused {
        writeln!(out, "\n{name}: {problems}")?;
    }
    if let Some(sandbox) = &config.sandbox {
        writeln!(out, "  SANDBOX: every host is {}, time runs {} times as fast", sandbox.address, sandbox.clock_speed)?;
    }
    let authority = config.azure.authority.host_str().unwrap_or_default();
    match &config.azure.credentials {
        Credentials::One(both) => writeln!(out, "  as {}, from {authority}", who(both))?,
        Credentials::Two { graph, vault } => {
            writeln!(out, "  to Graph as {}, to Key Vault as {}, from {authority}", who(graph), who(vault))?;
        }
    }
    writeln!(out, "  Graph is {}", config.azure.graph.host_str().unwrap_or_default())?;
    writeln!(out, "  {}{}", config.http.proxy, directly(config))?;
    for receiver in &config.receivers {
        let events: Vec<_> = receiver.events.iter().map(|event| event.name()).collect();
        writeln!(out, "  tells {} of {}", receiver.name, events.join(", "))?;
    }
    if let Some(heartbeat) = &config.heartbeat {
        writeln!(out, "  lets the heartbeat be heard every {}", humantime::format_duration(heartbeat.every))?;
    }
    for connection in &config.connections {
        describe(connection, out)?;
    }
    let warnings = warnings(loaded);
    if !warnings.is_empty() {
        writeln!(out, "\nTo look at ({}):", warnings.len())?;
        for warning in warnings {
            writeln!(out, "  * {warning}")?;
        }
    }
    Ok(if config.refused.is_empty() { Exit::Done } else { Exit::Config })
}

/// The hosts of this configuration that its proxy is not asked for.
fn directly(config: &Config) -> String {
    let Some(proxy) = config.http.proxy.proxy() else { return String::new() };
    let mut hosts: Vec<_> =
        config.urls().into_iter().filter(|url| !proxy.carries(url)).filter_map(url::Url::host_str).collect();
    hosts.sort_unstable();
    hosts.dedup();
    if hosts.is_empty() { "; every host".to_owned() } else { format!("; directly to {}", hosts.join(", ")) }
}

fn who(credential: &Credential) -> String {
    match credential {
        Credential::ManagedIdentity(WhichIdentity::System) => "the machine's managed identity".to_owned(),
        Credential::ManagedIdentity(WhichIdentity::Client(id)) => format!("the managed identity {id}"),
        Credential::ManagedIdentity(WhichIdentity::Object(id)) => format!("the managed identity of object id {id}"),
        Credential::ManagedIdentity(WhichIdentity::Resource(id)) => format!("the managed identity {id}"),
        Credential::AzureArc { .. } => "this machine of Azure Arc".to_owned(),
        Credential::WorkloadIdentity { application, .. } => format!("the workload identity {}", application.client_id),
        Credential::ClientSecret { application, .. } => format!("the app registration {}", application.client_id),
        Credential::ClientCertificate { application, .. } => {
            format!("the app registration {} with a certificate", application.client_id)
        }
        Credential::AzureCli { .. } => "whoever has logged in with the Azure CLI".to_owned(),
    }
}

fn describe(connection: &ConnectionConfig, out: &mut impl Write) -> io::Result<()> {
    let ConnectionConfig { name, issuer, vault, entra, policy, check } = connection;
    writeln!(out, "\n{name}")?;
    match issuer {
        Issuing::GreenLake(issuer) => writeln!(out, "  issuer  {} ({})", issuer.url, policy.mode)?,
        Issuing::Supplied { .. } => writeln!(out, "  issuer  none: people bring the tokens")?,
    }
    writeln!(out, "  vault   {} secret {}", vault.url.host_str().unwrap_or_default(), vault.secret)?;
    match entra.principal {
        PrincipalId::Object(id) => writeln!(out, "  entra   service principal {id}")?,
        PrincipalId::Application(id) => writeln!(out, "  entra   service principal of the application {id}")?,
    }
    writeln!(out, "  rotates {}", when(policy))?;
    for window in &*policy.windows {
        let (opens, lasts) = (window.opens.describe(), span(window.lasts));
        writeln!(out, "          within a window of {lasts}: {} ({})", opens.trim_end_matches('.'), window.zone)?;
    }
    writeln!(out, "  looks   {} (UTC)", check.describe().trim_end_matches('.'))
}

fn when(policy: &Policy) -> String {
    let before = match policy.rotate_before {
        Before::Time(time) => format!("{} before the token ends", span(time)),
        Before::Share(percent) => format!("when {percent}% of the token's life is left"),
    };
    let aged = policy.max_age.map(|age| format!(", or at the age of {}", span(age))).unwrap_or_default();
    // To the hour: of a share it is a fraction.
    let shortest = TimeDelta::hours((policy.shortest_life() + TimeDelta::minutes(59)).num_hours());
    format!(
        "{before}{aged}; at the latest {} before it ends. One that lives for less than {} is rotated by its own life",
        span(policy.min_slack),
        span(shortest)
    )
}

/// What the configuration said itself, and what can be seen of the files that it names.
fn warnings(loaded: &Loaded) -> Vec<String> {
    let said = loaded.warnings.iter().map(ToString::to_string);
    let secrets = loaded.config.secret_files().into_iter().filter_map(|(who, file)| match file.path().try_exists() {
        Ok(true) => file.warning().map(|warning| format!("{who}: {warning}")),
        Ok(false) => Some(format!(
            "{who}: the secret file {} is not there. It may come later; until then nothing can be done with it",
            file.path().display()
        )),
        Err(error) => Some(format!("{who}: the secret file {} cannot be looked at: {error}", file.path().display())),
    });
    said.chain(secrets).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;
    use crate::config::Environment;

    fn check(file: &Path) -> String {
        let mut out = Vec::new();
        let loaded = Config::load(file, &Environment::default()).unwrap();
        assert_eq!(report(&loaded, &mut out).unwrap(), Exit::Done);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_good_configuration_is_told_in_words_and_missing_secrets_are_no_mistake() {
        let out = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/scim-rotator.toml"));
        for words in [
            "greenlake-prod",
            "30d before the token ends, or at the age of 90d; at the latest 7d before it ends. One that lives for \
             less than 45d is rotated by its own life",
            "client-secret is not there",
        ] {
            assert!(out.contains(words), "{words} is not in {out}");
        }
    }

    #[test]
    fn the_promise_of_a_share_is_told_with_the_life_from_which_on_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/scim-rotator.toml");
        let text = std::fs::read_to_string(sample).unwrap();
        let text = text.replace("rotate_before_expiry = \"30d\"", "rotate_before_expiry = \"30%\"");
        let file = folder.path().join("c.toml");
        for (slack, shortest) in [("48h", "6d 16h"), ("5d", "16d 16h")] {
            let slack = format!("min_slack = \"{slack}\"");
            std::fs::write(&file, text.replace("min_slack = \"7d\"", &slack)).unwrap();
            let out = check(&file);
            let words = format!("before it ends. One that lives for less than {shortest} is rotated by its own life");
            assert!(out.contains("when 30% of the token's life is left") && out.contains(&words), "{out}");
        }
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_a_warning_that_names_the_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/scim-rotator.toml");
        let text = std::fs::read_to_string(sample).unwrap();
        let text = text.replace("/run/credentials/scim-rotator.service/hpe-client-secret", "./hpe");
        std::fs::write(folder.path().join("c.toml"), text).unwrap();
        let secret = folder.path().join("hpe");
        std::fs::write(&secret, "hunter2x").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
        let out = check(&folder.path().join("c.toml"));
        assert!(out.contains("To look at (1)") && out.contains("hpe") && !out.contains("hunter2x"), "{out}");
    }
}

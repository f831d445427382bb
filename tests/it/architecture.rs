//! What must not be, kept by the names that are imported.

use std::fs;
use std::path::{Path, PathBuf};

use scim_rotator::config::{Config, Environment};
use scim_rotator::domain::Reason;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, with its text but without its comments and without what is compiled for tests only.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let name = entry.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        if entry.is_dir() {
            found.extend(sources(&name));
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            let text = fs::read_to_string(&entry).expect("a file");
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.push((PathBuf::from(name), code.collect::<Vec<_>>().join("\n")));
        }
    }
    found
}

#[test]
fn the_domain_is_pure() {
    let banned = [
        "tokio",
        "reqwest",
        "tracing",
        "async ",
        ".await",
        "std::fs",
        "std::net",
        "std::env",
        "std::time",
        "std::process",
        "Utc::now",
        "Instant",
        "crate::engine",
        "crate::edge",
        "crate::ports",
        "crate::config",
        "println!",
    ];
    let files = sources("src/domain");
    assert!(files.len() > 7);
    for (file, code) in files {
        for word in banned {
            assert!(!code.contains(word), "{} must not know of {word}", file.display());
        }
    }
}

#[test]
fn every_reason_for_which_a_person_is_needed_has_a_remedy() {
    let mut found = 0;
    for (file, code) in sources("src/domain/decide") {
        let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
        let named = code.split("needs_human(Reason::").skip(1);
        let built = code.split("NeedsHuman {").skip(1).filter_map(|rest| {
            let (fields, _) = rest.split_once('}')?;
            fields.split_once("reason: Reason::").map(|(_, name)| name)
        });
        for rest in named.chain(built) {
            let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
            let reason = Reason::ALL.iter().find(|reason| reason.name() == name).expect("a reason");
            assert!(reason.remedy().is_some(), "{}: nothing says what a person can do about {name}", file.display());
            found += 1;
        }
    }
    assert!(found >= 7, "only {found} places were found");
}

#[test]
fn edges_do_not_know_each_other() {
    let edges = ["azure", "clock", "graph", "greenlake", "keyvault", "scim", "webhook"];
    for edge in edges {
        for (file, code) in sources("src/edge")
            .into_iter()
            .filter(|(f, _)| f.starts_with(format!("src/edge/{edge}")) || f.ends_with(format!("edge/{edge}.rs")))
        {
            for other in edges.into_iter().filter(|other| *other != edge) {
                assert!(!code.contains(&format!("edge::{other}")), "{} must not know of {other}", file.display());
            }
        }
    }
}

#[test]
fn the_engine_knows_its_ports_and_no_edge() {
    for (file, code) in sources("src/engine") {
        for word in ["crate::edge", "crate::config", "crate::cli", "reqwest", "azure_"] {
            assert!(!code.contains(word), "{} must not know of {word}", file.display());
        }
    }
}

#[test]
fn the_doctor_and_the_first_contact_know_no_edge_either_and_write_nothing_themselves() {
    for (file, code) in ["src/doctor", "src/first_contact"].into_iter().flat_map(sources) {
        for word in ["crate::edge", "crate::config", "crate::cli", "reqwest", "azure_", ".store(", ".label("] {
            assert!(!code.contains(word), "{} must not know of {word}", file.display());
        }
    }
}

#[test]
fn init_knows_no_edge_and_changes_nothing_far_away() {
    for (file, code) in sources("src/init") {
        for word in ["crate::edge", "crate::cli", "reqwest", "azure_", ".store(", ".label(", ".provision(", "std::fs"] {
            assert!(!code.contains(word), "{} must not know of {word}", file.display());
        }
    }
}

#[test]
fn whoever_tells_people_knows_no_edge_and_no_configuration() {
    let files = sources("src/notify");
    assert!(files.len() > 5);
    for (file, code) in files {
        for word in ["crate::edge", "crate::config", "crate::cli", "reqwest", "url::", "SecretString"] {
            assert!(!code.contains(word), "{} must not know of {word}", file.display());
        }
    }
}

#[test]
fn only_one_file_names_the_concrete_edges() {
    let names = [
        "GreenLake::new",
        "KeyVault::new",
        "Graph::new",
        "ScimProbe::new",
        "AzureLogin::new",
        "FileWebhook::new",
        "Http::build",
    ];
    for (file, code) in sources("src").into_iter().filter(|(f, _)| !f.starts_with("src/edge") && !f.ends_with("app.rs"))
    {
        for name in names {
            assert!(!code.contains(name), "{} must leave {name} to src/app.rs", file.display());
        }
    }
}

#[test]
fn every_file_of_config_can_be_used() {
    let mut files = 0;
    for entry in fs::read_dir(root().join("config")).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.extension().is_some_and(|extension| extension == "toml") {
            files += 1;
            let loaded = Config::load(&entry, &Environment::default());
            assert!(
                loaded.as_ref().is_ok_and(|loaded| loaded.config.refused.is_empty()),
                "{}:\n{}",
                entry.display(),
                loaded.err().map(|e| e.to_string()).unwrap_or_default()
            );
        }
    }
    assert_eq!(files, 2);
}

/// `# key = value`: an example that is not in force.
fn example(line: &str) -> Option<(&str, &str)> {
    let code = line.strip_prefix("# ")?;
    let (key, _) = code.split_once(" = ")?;
    key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_').then_some((key, code))
}

#[test]
fn every_example_of_the_configuration_works_where_it_stands_once_its_comment_is_taken_away() {
    let path = root().join("config/scim-rotator.toml");
    let text = fs::read_to_string(&path).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    let examples: Vec<_> = lines.iter().enumerate().filter_map(|(n, line)| Some((n, example(line)?))).collect();
    let keys: Vec<_> = examples.iter().map(|(_, (key, _))| *key).collect();
    for key in [
        "token_pointer",
        "expiry_pointer",
        "assumed_lifetime",
        "job_id",
        "bootstrap",
        "credential",
        "auth",
        "no_proxy",
        "connections_dir",
        "notify",
        "heartbeat",
    ] {
        assert!(keys.contains(&key), "no example of {key} among {keys:?}");
    }
    // Of these none means anything without the others.
    let of_proxy = |key: &str| key.contains("proxy");
    // And these two are one thing, named in two ways.
    let in_place_of = |key: &str| if key == "app_id" { "service_principal_id" } else { "" };
    for (at, (key, code)) in examples {
        // The example takes the place of a line of its table that sets the same key.
        let table = |n: usize| lines[..n].iter().rposition(|line| line.starts_with('['));
        let sets = |line: &str, key: &str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(" = "));
        let sets_it = |line: &str| sets(line, key) || sets(line, in_place_of(key));
        let changed = lines.iter().enumerate().filter_map(|(n, line)| match n {
            n if n == at => Some(code),
            _ if of_proxy(key) && example(line).is_some_and(|(other, _)| of_proxy(other)) => {
                example(line).map(|(_, code)| code)
            }
            n if table(n) == table(at) && sets_it(line) => None,
            _ => Some(*line),
        });
        let changed = changed.collect::<Vec<_>>().join("\n");
        let errors = match Config::parse(&path, &changed, &Environment::default()) {
            Ok(loaded) => loaded.config.refused.into_iter().map(|refused| refused.problems).collect(),
            Err(errors) => vec![errors],
        };
        assert!(errors.is_empty(), "{code}\n{}", errors[0]);
    }
}

#[test]
fn the_binary_holds_nothing_of_the_sandbox() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let normal = manifest.split("[dev-dependencies]").next().unwrap_or_default();
    for name in ["\naxum", "\nrcgen", "\ntokio-rustls", "\ntempfile"] {
        assert!(manifest.contains(name) && !normal.contains(name), "{name} serves the tests only");
    }
    let binary = fs::read(super::place::BINARY).expect("the binary");
    for word in ["sandbox.test", "hpe-tenant-1", "throw-away"] {
        assert!(!binary.windows(word.len()).any(|window| window == word.as_bytes()), "the binary holds {word:?}");
    }
}

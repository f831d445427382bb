//! The daemon as whoever has logged in with the Azure CLI, which a script stands in for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::place::OVERLAP;
use super::somebody::{Somebody, TENANT};

/// Somebody at a desk, with an `az` on the PATH that does as `script` says.
async fn desk(script: &str) -> Somebody {
    let credential = format!("{{ kind = \"azure-cli\", tenant_id = \"{TENANT}\", subscription = \"s-1\" }}");
    let mut desk = Somebody::new(&credential, |_| ()).await;
    let folder = desk.place.setup.folder.join("bin");
    fs::create_dir(&folder).expect("a folder");
    let script = script.replace("{folder}", &folder.display().to_string());
    fs::write(folder.join("az"), format!("#!/bin/sh\necho \"$*\" >> {}/said\n{script}\n", folder.display()))
        .expect("ours");
    fs::set_permissions(folder.join("az"), fs::Permissions::from_mode(0o700)).expect("ours");
    for (name, audience) in [("vault", "https://vault.sandbox.test".to_owned()), ("graph", graph(&desk))] {
        let token = desk.place.sandbox.world(OVERLAP).identity_token("a-person", &audience).token;
        desk.guard(&token);
        let answer = json!({ "accessToken": token, "expires_on": 4_000_000_000_i64, "tokenType": "Bearer" });
        fs::write(folder.join(name), answer.to_string()).expect("written");
    }
    desk.set("PATH", &format!("{}:/usr/bin:/bin", folder.display()));
    desk
}

fn graph(desk: &Somebody) -> String {
    format!("https://graph.sandbox.test:{}", desk.place.sandbox.address.port())
}

const ANSWERS: &str = "case \"$*\" in *vault.*) cat {folder}/vault;; *) cat {folder}/graph;; esac";

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_has_logged_in_makes_the_first_contact_and_az_is_run_once_for_each_service() {
    let desk = desk(ANSWERS).await;
    desk.succeeds().await;
    let said = fs::read_to_string(desk.place.setup.folder.join("bin/said")).expect("it was run");
    let mut said: Vec<_> = said.lines().collect();
    said.sort_unstable();
    let common = "account get-access-token -o json --scope ";
    let rest = format!("/.default --tenant {TENANT} --subscription s-1");
    let expected = [graph(&desk), "https://vault.sandbox.test".to_owned()];
    assert_eq!(said, expected.map(|service| format!("{common}{service}{rest}")));
}

/// What `az` does → what is said.
#[tokio::test(flavor = "multi_thread")]
async fn an_az_that_gives_no_token_is_told_with_what_to_do() {
    let table: [(&str, &[&str]); 5] = [
        (
            "echo \"WARNING: new version\nERROR: Please run 'az login' to setup account.\" >&2; exit 1",
            &["exited with 1", "Please run 'az login' to setup account", "log in as the user"],
        ),
        (
            "echo \"ERROR: AADSTS700082: The refresh token has expired due to inactivity.\" >&2; exit 1",
            &["AADSTS700082", "az login"],
        ),
        ("cat {folder}/vault >&2; exit 3", &["exited with 3", "try the command itself"]),
        (
            "echo '{\"accessToken\":\"Xy12-old.cli_answer.Zz98\",\"expiresOn\":\"soon\",\"tokenType\":\"Bearer\"}'",
            &["cannot be read", "2.54"],
        ),
        ("kill -9 $$", &["exited with 137", "try the command itself"]),
    ];
    for (script, words) in table {
        let mut desk = desk(script).await;
        desk.guard("Xy12-old.cli_answer.Zz98");
        desk.fails_with(&[&["Entra login", "az account get-access-token"], words].concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_az_that_is_not_installed_is_told() {
    let mut desk = desk(ANSWERS).await;
    desk.set("PATH", "/nowhere");
    desk.fails_with(&["Entra login", "exited with 127", "is not installed, or not on the PATH"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_the_azure_cli_can_be_used_and_is_warned_of() {
    let desk = desk(ANSWERS).await;
    let output = desk.place.run_with(&["config", "check"], &[]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("for a first try by hand"), "{text}");
}

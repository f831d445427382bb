//! `doctor`, through the real binary: what it says of a connection that is well, and of each thing that can be wrong.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use chrono::TimeDelta;
use scim_rotator::domain::settings::BASE_ADDRESS;
use serde_json::Value;

use super::canary::{leak, secrets};
use super::namespace::{Network, within};
use super::place::{OVERLAP, Place, about_to_be_due, only};
use crate::sandbox::real_now;
use crate::world::{Op, World};

/// Real time, so that clocks can be compared.
const SPEED: f64 = 1.0;

/// A connection whose token has been issued, stored and confirmed by the engine itself.
async fn well(change: impl FnOnce(String) -> String) -> Place {
    Place::new(about_to_be_due(|_| ()).await, SPEED, |text| {
        change(only(OVERLAP, &text).replace("clock_speed = 3600", "clock_speed = 1"))
    })
    .await
}

/// One check: outcome, evidence, fix.
#[derive(Debug)]
struct Seen {
    outcome: String,
    evidence: String,
    fix: String,
}

/// What it said as data, by `hop` or `hop of`.
struct Said {
    code: Option<i32>,
    checks: HashMap<String, Seen>,
    text: String,
}

impl Said {
    fn of(output: &std::process::Output) -> Self {
        let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let text = format!("{out}\n{err}");
        let json: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let list = json["connections"][0]["checks"].as_array().unwrap_or_else(|| panic!("{text}")).clone();
        let word = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
        let checks = list.iter().map(|check| {
            let name = format!("{} {}", word(check, "hop"), word(check, "of"));
            let [outcome, evidence, fix] = ["outcome", "evidence", "fix"].map(|name| word(check, name));
            (name.trim_end().to_owned(), Seen { outcome, evidence, fix })
        });
        Self { code: output.status.code(), checks: checks.collect(), text }
    }

    #[track_caller]
    fn check(&self, name: &str) -> &Seen {
        let found = self.checks.iter().find(|(key, _)| *key == name || key.starts_with(&format!("{name}:")));
        found.unwrap_or_else(|| panic!("nothing is said of {name}\n{}", self.text)).1
    }

    fn with(&self, outcome: &str) -> Vec<&str> {
        let mut names: Vec<_> =
            self.checks.iter().filter(|(_, seen)| seen.outcome == outcome).map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// This hop is a fault, with these words in evidence and fix, and these depend on it and nothing else does.
    #[track_caller]
    fn fault(&self, name: &str, evidence: &str, fix: &str, skipped: &[&str]) {
        let seen = self.check(name);
        assert_eq!((self.code, seen.outcome.as_str()), (Some(1), "fault"), "{name}: {}", self.text);
        assert!(seen.evidence.contains(evidence), "{name}: {evidence:?} is not in {seen:?}");
        assert!(seen.fix.contains(fix), "{name}: {fix:?} is not in {seen:?}");
        assert_eq!(self.with("skipped"), skipped, "{name}: {}", self.text);
    }
}

async fn examine(place: &Place) -> Said {
    examine_with(place, &[]).await
}

async fn examine_with(place: &Place, environment: &[(&str, &str)]) -> Said {
    Said::of(&place.run_with(&["doctor", "overlap", "--json"], environment).await)
}

/// A connection in which something has been bent after it was well.
async fn bent(bend: impl FnOnce(&mut World)) -> Said {
    let place = well(|text| text).await;
    bend(&mut place.sandbox.world(OVERLAP));
    examine(&place).await
}

const ENTRA: [&str; 6] = ["assigned", "cycle", "job", "mapping", "owner", "settings"];

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_beside_a_running_daemon_and_nothing_is_changed() {
    let place = well(|text| text).await;
    let daemon = place.daemon(&[]);
    daemon.says("\"ready\"").await;
    let trace = place.sandbox.world(OVERLAP).ledger.trace();
    let said = examine(&place).await;
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert_eq!(said.with("untried"), ["role HPE", "vault-write"], "{}", said.text);
    for outcome in ["fault", "warning", "skipped"] {
        assert!(said.with(outcome).is_empty(), "{}", said.text);
    }
    for (name, words) in [
        ("token Microsoft Graph", "roles: Application.ReadWrite.OwnedBy"),
        ("role Microsoft Graph", "for what it owns"),
        ("token HPE", "tenant tenant-a"),
        ("role HPE", "cannot be tried without rotating"),
        ("service-principal", "HPE GreenLake"),
        ("owner", "one of 2 owners"),
        ("cycle", "succeeded"),
        ("mapping", "Add, Delete, and without Update"),
        ("assigned", "1 groups"),
        ("scim", "accepts the current token"),
    ] {
        assert!(said.check(name).evidence.contains(words), "{name}: {:?}", said.check(name));
    }
    assert!(said.check("role HPE").fix.contains("User Management"), "{}", said.text);
    for command in ["az role assignment list --assignee 5c2f1ab0-", "az role assignment create"] {
        assert!(said.check("vault-write").fix.contains(command), "{}", said.text);
    }
    for host in [
        "login.sandbox.test",
        "graph.sandbox.test",
        "overlap.vault.sandbox.test",
        "iam.sandbox.test",
        "sps.sandbox.test",
    ] {
        for hop in ["dns", "tcp", "tls", "clock"] {
            assert_eq!(said.check(&format!("{hop} {host}")).outcome, "ok");
        }
    }
    let written: Vec<_> = place.sandbox.calls().into_iter().filter(|call| call.op.is_some_and(Op::is_write)).collect();
    assert_eq!(written, []);
    assert_eq!(place.sandbox.world(OVERLAP).ledger.trace(), trace);
    let people = place.run(&["doctor"]).await;
    let people = String::from_utf8_lossy(&people.stdout).into_owned();
    assert!(
        people.contains("  ok       scim: ") && people.contains("0 faults, 0 warnings, 2 untried, 0 skipped"),
        "{people}"
    );
    let wrong = place.run(&["doctor", "nobody"]).await;
    assert!(
        wrong.status.code() == Some(64) && String::from_utf8_lossy(&wrong.stderr).contains("configuration has overlap")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_skips_what_goes_through_it_and_nothing_else() {
    // Bound and not listening: nobody else gets this port, and nobody is let in.
    let closed = tokio::net::TcpSocket::new_v4().expect("a socket");
    closed.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
    let port = closed.local_addr().expect("an address").port();
    let place = well(|text| text).await;
    let own = place.sandbox.address.port();
    let text = std::fs::read_to_string(&place.setup.config).expect("the configuration");
    let host = "https://overlap.vault.sandbox.test";
    std::fs::write(&place.setup.config, text.replace(&format!("{host}:{own}"), &format!("{host}:{port}")))
        .expect("written");
    let said = examine(&place).await;
    let name = format!("tcp overlap.vault.sandbox.test:{port}");
    let skipped = [
        format!("clock overlap.vault.sandbox.test:{port}"),
        "scim".to_owned(),
        format!("tls overlap.vault.sandbox.test:{port}"),
        "vault-list".to_owned(),
        "vault-read".to_owned(),
        "vault-write".to_owned(),
    ];
    said.fault(
        &name,
        "refused",
        &format!("/dev/tcp/overlap.vault.sandbox.test/{port}"),
        &skipped.each_ref().map(String::as_str),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_foreign_ca_is_a_fault_of_tls_on_every_host() {
    let (place, other) = (well(|text| text).await, well(|text| text).await);
    std::fs::write(place.setup.folder.join("sandbox/ca.pem"), &other.sandbox.ca_pem).expect("written");
    let said = examine(&place).await;
    let seen = said.check("tls graph.sandbox.test");
    assert_eq!((said.code, seen.outcome.as_str()), (Some(1), "fault"), "{}", said.text);
    assert!(seen.evidence.contains("certificate is not accepted"), "{seen:?}");
    assert!(
        seen.fix.contains("http.ca_file") && seen.fix.contains("openssl s_client -connect graph.sandbox.test:"),
        "{seen:?}"
    );
    assert_eq!(said.with("fault").len(), 5, "nothing but TLS, on five hosts: {}", said.text);
    assert_eq!(said.check("tcp graph.sandbox.test").outcome, "ok");
    assert!(said.check("job").evidence.contains("depends on the way to graph.sandbox.test"), "{}", said.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_every_hosts_certificate_it_is_shown_whom_it_names_who_signed_it_and_when_it_ends() {
    let place = well(|text| text).await;
    let said = examine(&place).await;
    for host in ["login", "graph", "overlap.vault", "iam", "sps"] {
        let seen = said.check(&format!("tls {host}.sandbox.test"));
        assert_eq!(seen.outcome, "ok", "{seen:?}");
        for words in [
            "TLS 1.3, and the certificate is trusted",
            "Shown was CN=sandbox.test for ",
            " more, good from 1975-01-01 00:00Z until 4096-01-01 00:00Z",
            "signed by CN=sandbox TLS issuing CA, that by CN=scim-rotator sandbox (http.ca_file has a CA of that name)",
        ] {
            assert!(seen.evidence.contains(words), "{words:?} is not in {seen:?}");
        }
    }
    // One that nobody trusts is shown all the more.
    let other = well(|text| text).await;
    std::fs::write(place.setup.folder.join("sandbox/ca.pem"), &other.sandbox.ca_pem).expect("written");
    let said = examine(&place).await;
    let seen = said.check("tls graph.sandbox.test");
    assert!(
        seen.evidence.contains("invalid peer certificate: BadSignature. Shown was CN=sandbox.test for "),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_soon_is_a_warning_with_its_end() {
    let worlds = about_to_be_due(|settings| settings.certificate_left = Some(TimeDelta::hours(60))).await;
    let place =
        Place::new(worlds, SPEED, |text| only(OVERLAP, &text).replace("clock_speed = 3600", "clock_speed = 1")).await;
    let said = examine(&place).await;
    let seen = said.check("tls graph.sandbox.test");
    assert_eq!((said.code, seen.outcome.as_str()), (Some(0), "warning"), "{}", said.text);
    assert!(seen.evidence.starts_with("the certificate ends in 2d 11h 59m"), "{seen:?}");
    assert!(seen.fix.contains("has to renew its certificate") && seen.fix.contains("openssl s_client"), "{seen:?}");
    assert_eq!(said.with("warning").len(), 5, "{}", said.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_told_against_each_server() {
    let place = well(|text| text).await;
    // Twice as fast from ten minutes ago on: ten minutes ahead by now.
    let anchor = (real_now() - TimeDelta::minutes(10)).to_rfc3339();
    let environment =
        [("SCIM_ROTATOR__SANDBOX__CLOCK_ANCHOR", anchor.as_str()), ("SCIM_ROTATOR__SANDBOX__CLOCK_SPEED", "2")];
    let said = examine_with(&place, &environment).await;
    for host in ["login", "graph", "overlap.vault", "iam", "sps"] {
        said.fault(&format!("clock {host}.sandbox.test"), "ahead of the server's", "timedatectl set-ntp true", &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_role_is_told_with_the_command_that_gives_it() {
    let said = bent(|world| world.settings.graph_roles = vec!["User.Read.All".to_owned()]).await;
    said.fault("role Microsoft Graph", "User.Read.All only, and neither", "appRoleAssignments", &["cycle", "mapping"]);
    let fix = &said.check("role Microsoft Graph").fix;
    assert!(
        fix.contains("Application.ReadWrite.OwnedBy") && fix.contains("5c2f1ab0-0000-4000-8000-000000000005"),
        "{fix}"
    );
    assert_eq!(said.check("job").outcome, "fault");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_forbids_is_told_with_the_role_that_is_missing() {
    let said = bent(|world| world.settings.vault_forbidden = true).await;
    let fix = "az role assignment create --role \"Key Vault Secrets Officer\" --assignee-object-id 5c2f1ab0-0000-4000-8000-000000000005";
    said.fault("vault-list", "403", fix, &["scim", "vault-read", "vault-write"]);
    assert!(said.check("vault-list").fix.contains("--name overlap --query id -o tsv)/secrets/greenlake-scim-token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_principal_that_is_another_or_an_application_id_is_told_with_the_right_one() {
    let configured = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
    // The id of the application, where its object id belongs.
    let said = bent(|world| {
        world.settings.service_principal = "cccccccc-cccc-4ccc-8ccc-cccccccccccc".to_owned();
        world.settings.app_id = configured.to_owned();
    })
    .await;
    let right = "service_principal_id = \"cccccccc-cccc-4ccc-8ccc-cccccccccccc\"";
    said.fault("service-principal", "is the application id of \"HPE GreenLake\"", right, &ENTRA);
    // Of nothing at all.
    let said = bent(|world| world.settings.service_principal = "cccccccc-cccc-4ccc-8ccc-cccccccccccc".to_owned()).await;
    said.fault("service-principal", "404", "az ad sp list --display-name", &ENTRA);
    // The daemon's own.
    let said = bent(|world| world.settings.app_id = world.settings.azure_client_id.clone()).await;
    let seen = said.check("service-principal");
    assert_eq!((said.code, seen.outcome.as_str()), (Some(0), "warning"), "{}", said.text);
    assert!(seen.evidence.contains("the daemon's own application"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_owns_no_service_principal_is_told_so_unless_its_role_is_for_all() {
    let said = bent(|world| world.settings.owns_service_principal = false).await;
    let fix = "servicePrincipals/aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa/owners/$ref";
    said.fault("owner", "is no owner of the service principal; 1 others are", fix, &["cycle", "mapping"]);
    assert!(said.check("owner").fix.contains("directoryObjects/5c2f1ab0-0000-4000-8000-000000000005"), "{}", said.text);
    let said = bent(|world| world.settings.graph_roles = vec!["Synchronization.ReadWrite.All".to_owned()]).await;
    assert!(said.code == Some(0) && said.check("owner").evidence.contains("not needed"), "{}", said.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_jobs_one_must_be_named() {
    let said = bent(|world| world.person_adds_job("scim.second.job")).await;
    said.fault(
        "job",
        "several provisioning jobs: scim.overlap.job (scim, Active), scim.second.job (scim, NotRun)",
        "job_id",
        &["cycle", "mapping"],
    );
    assert!(said.check("job").fix.contains("az rest --url"), "{}", said.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_entra_provisions_elsewhere_no_token_is_sent_to_anybody() {
    let place = well(|text| text).await;
    place.sandbox.world(OVERLAP).person_sets(BASE_ADDRESS, "https://elsewhere.example/scim");
    let said = examine(&place).await;
    said.fault("settings", "elsewhere.example", "entra.tenant_url", &["scim"]);
    let probes = place.sandbox.calls().into_iter().filter(|call| call.op == Some(Op::Probe)).count();
    assert_eq!(probes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_that_cannot_be_sent_again_is_told() {
    let said = bent(|world| {
        world.person_sets("ClientSecret", "of another kind");
        world.settings.masked.push("ClientSecret".to_owned());
    })
    .await;
    said.fault("settings", "ClientSecret", "Admin Credentials", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_updates_users_is_told_with_the_menu() {
    let said = bent(|world| world.settings.user_flows = "Add, Update, Delete".to_owned()).await;
    said.fault("mapping", "Add, Update, Delete", "Target Object Actions: untick Update", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_assigned_is_a_fault_unless_everybody_is_provisioned() {
    let said = bent(|world| world.settings.groups_assigned = 0).await;
    said.fault("assigned", "nobody is provisioned", "appRoleAssignedTo", &[]);
    let said = bent(|world| {
        world.settings.groups_assigned = 0;
        world.person_sets("SyncAll", "true");
    })
    .await;
    assert_eq!((said.code, said.check("assigned").outcome.as_str()), (Some(0), "ok"), "{}", said.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_endpoint_refuses_is_told_with_the_order_that_replaces_it() {
    let said = bent(|world| world.person_deletes_tokens()).await;
    said.fault("scim", "refuses the current token", "scim-rotator rotate overlap", &[]);
}

#[test]
fn a_name_that_cannot_be_resolved_is_told_as_that_and_skips_what_is_behind_it() {
    // In a network of its own: a sandbox resolves every name.
    let hosts = "10.9.0.1 login.microsoftonline.com graph.microsoft.com contoso.vault.azure.net\n\
                 10.9.0.1 sps.us1.greenlake-hpe.com\n";
    let network = Network { addresses: &["10.9.0.1/32"], hosts, name_server: "127.0.0.1" };
    within(
        "it::doctor::a_name_that_cannot_be_resolved_is_told_as_that_and_skips_what_is_behind_it",
        &network,
        || async {
            let production =
                super::network::Production::at("", &[SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1)), 443)])
                    .await;
            let output = production.output(&["doctor", "--json"]).await;
            let said = Said::of(&output);
            let host = "iam.us1.greenlake-hpe.com";
            let skipped = [
                format!("clock {host}"),
                "role HPE".to_owned(),
                format!("tcp {host}"),
                format!("tls {host}"),
                "token HPE".to_owned(),
            ];
            said.fault(
                &format!("dns {host}"),
                "cannot be resolved",
                &format!("getent ahosts {host}"),
                &skipped.each_ref().map(String::as_str),
            );
        },
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_piece_of_a_secret_shows_in_either_form_at_any_level() {
    let place = well(|text| text).await;
    let mut texts = Vec::new();
    for dead in [false, true] {
        if dead {
            place.sandbox.world(OVERLAP).person_deletes_tokens();
            place.sandbox.world(OVERLAP).settings.vault_forbidden = true;
            place.sandbox.world(OVERLAP).settings.owns_service_principal = false;
        }
        for form in [["doctor", "overlap"].as_slice(), &["doctor", "overlap", "--json"]] {
            for level in ["-q", "-v", "-vv", "-vvv"] {
                let output = place.run(&[form, &[level]].concat()).await;
                texts.extend([output.stdout, output.stderr]);
            }
        }
    }
    let secrets = secrets(&place);
    let spoken: usize = texts.iter().map(Vec::len).sum();
    assert!(secrets.len() > 500 && spoken > 50_000, "there is something to look for, in {spoken} bytes");
    for text in &texts {
        assert!(leak(text, &secrets).is_none(), "{:?}", leak(text, &secrets));
    }
}

//! What is kept of a configuration is all of it, and of what many have in common one copy.

use super::*;

const OTHERS: &str = r#"
[[connections]]
name = "supplied"
vault = { url = "https://contoso.vault.azure.net", secret = "brought" }
entra = { app_id = "8f14e45f-ceea-467f-9c3b-0000000000a1", job_id = "scim.1", tenant_url = "https://sps.example.com/v1/scimproxy" }
[connections.issuer]
kind = "supplied"

[[connections]]
name = "legacy"
vault = { url = "https://fabrikam.vault.azure.net", secret = "old" }
entra = { service_principal_id = "8f14e45f-ceea-467f-9c3b-0000000000a2", tenant_url = "https://sps.example.com/v1/other?aadOptscim062020" }
[connections.issuer]
kind = "greenlake"
url = "https://sps.example.com/v2"
auth = { kind = "glcs-legacy", tenant_id = "t9", issuer = "https://client.example.com/api", client_id = "id9", client_secret_file = "/run/s9" }

[[connections]]
name = "pasted"
vault = { url = "https://contoso.vault.azure.net", secret = "pasted" }
entra = { service_principal_id = "8f14e45f-ceea-467f-9c3b-0000000000a3", tenant_url = "https://sps.example.com/v1/third" }
[connections.issuer]
kind = "greenlake"
url = "https://sps.example.com/v3"
auth = { kind = "file", bearer_file = "/run/bearer" }
"#;

#[test]
fn those_that_differ_in_one_key_alone_come_out_as_they_differ() {
    let policy = |text: &str| format!("[connections.policy]\n{text}\n[connections.issuer]");
    let plain = plain();
    let changes = [
        ("[connections.issuer]", policy("mode = \"remove-current\"")),
        ("[connections.issuer]", policy("check = \"0 30 * * * *\"")),
        (
            "[connections.issuer]",
            policy("window = { cron = \"0 0 2 * * Sat\", lasts = \"4h\", timezone = \"Europe/Berlin\" }"),
        ),
        ("/v1/scimproxy", "/v2/scimproxy".to_owned()),
        ("contoso.vault", "fabrikam.vault".to_owned()),
        ("url = \"https://sps.example.com/v1\"", "url = \"https://sps.example.com/v2\"".to_owned()),
        ("kind = \"glcs\"", "kind = \"glp\"".to_owned()),
        ("oauth2/t1", "oauth2/t2".to_owned()),
        ("client_id = \"id1\"", "client_id = \"id2\"".to_owned()),
        ("/run/s1", "/run/s2".to_owned()),
        ("secret = \"s1\"", "secret = \"s2\"".to_owned()),
        ("00000000001\"", "00000000002\"".to_owned()),
        ("service_principal_id", "app_id".to_owned()),
    ];
    let mut common = Common::default();
    let texts = changes.iter().map(|(from, to)| plain.replacen(from, to, 1)).chain([plain.clone()]);
    let all: Vec<_> = texts.map(|text| config(&text).connections.remove(0)).collect();
    let kept: Vec<_> = all.iter().map(|one| common.keep(one.clone())).collect();
    let told: std::collections::BTreeSet<_> = all.iter().map(|one| format!("{one:?}")).collect();
    assert_eq!(told.len(), changes.len() + 1, "each makes a difference");
    for (kept, one) in kept.iter().zip(&all) {
        assert_eq!(format!("{:?}", kept.config()), format!("{one:?}"));
    }
}

#[test]
fn a_configuration_comes_out_as_it_was_kept_and_what_many_have_in_common_is_kept_once() {
    let config = config(&(plain() + &connection(2) + &connection(3) + OTHERS));
    let mut common = Common::default();
    let kept: Vec<_> = config.connections.iter().map(|one| common.keep(one.clone())).collect();
    for (kept, one) in kept.iter().zip(&config.connections) {
        assert_eq!(format!("{:?}", kept.config()), format!("{one:?}"));
    }
    assert_eq!((kept.len(), common.kinds()), (6, 4));
}

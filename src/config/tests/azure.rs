//! Clouds, their hosts, and every kind of credential.

use super::*;

/// `[azure]` with these lines, and one connection whose vault ends in `suffix`.
fn azure(lines: &str, suffix: &str) -> String {
    format!("[azure]\n{lines}\n{}", connection(1).replace("vault.azure.net", suffix))
}

#[test]
fn each_cloud_has_hosts_of_its_own_and_each_can_be_overridden() {
    let clouds = [
        ("public", "login.microsoftonline.com", "graph.microsoft.com", "vault.azure.net"),
        ("us-gov", "login.microsoftonline.us", "graph.microsoft.us", "vault.usgovcloudapi.net"),
        ("us-dod", "login.microsoftonline.us", "dod-graph.microsoft.us", "vault.usgovcloudapi.net"),
        ("china", "login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn", "vault.azure.cn"),
    ];
    for (cloud, authority, graph, vault) in clouds {
        let lines = format!("cloud = \"{cloud}\"\ncredential = {{ kind = \"managed-identity\" }}");
        let azure_of = |text: &str| config(text).azure;
        let own = azure_of(&azure(&lines, vault));
        assert_eq!(
            (own.authority.as_str(), own.graph.as_str()),
            (format!("https://{authority}/").as_str(), format!("https://{graph}/").as_str())
        );
        assert_eq!(own.graph_scope, None);
        let (key, shown) = problem(&azure(&lines, "vault.example.com"), &[]);
        assert_eq!(key, "connections[0].vault.url");
        assert!(shown.contains(vault), "{shown}");
        let over = "authority = \"https://login.example.com\"\ngraph = \"https://graph.example.com\"\nvault_suffix = \
                    \"vault.example.com\"\ngraph_scope = \"https://graph.example.com/.default\"";
        let over = azure_of(&azure(&format!("{lines}\n{over}"), "vault.example.com"));
        assert_eq!(
            (over.authority.as_str(), over.graph.as_str()),
            ("https://login.example.com/", "https://graph.example.com/")
        );
    }
    let managed = "credential = { kind = \"managed-identity\" }";
    for (line, key) in [
        ("graph_scope = \"https://graph.microsoft.com\"", "azure.graph_scope"),
        ("graph_scope = \"http://graph.microsoft.com/.default\"", "azure.graph_scope"),
        ("vault_suffix = \".vault.azure.net\"", "azure.vault_suffix"),
        ("vault_suffix = \"vault\"", "azure.vault_suffix"),
        ("authority = \"https://login.microsoftonline.com/tenant\"", "azure.authority"),
    ] {
        assert_eq!(problem(&azure(&format!("{managed}\n{line}"), "vault.azure.net"), &[]).0, key, "{line}");
    }
}

/// Of a credential: what is wrong with it.
fn credential_problem(credential: &str) -> (String, String) {
    problem(&azure(&format!("credential = {credential}"), "vault.azure.net"), &[])
}

#[test]
fn every_kind_of_credential_is_read_and_each_of_its_keys_is_checked() {
    const IDS: &str = "tenant_id = \"8f14e45f-ceea-467f-9c3b-000000000001\", client_id = \
                       \"8f14e45f-ceea-467f-9c3b-000000000002\"";
    let good = [
        "{ kind = \"managed-identity\" }".to_owned(),
        "{ kind = \"managed-identity\", object_id = \"8f14e45f-ceea-467f-9c3b-000000000001\" }".to_owned(),
        "{ kind = \"azure-arc\" }".to_owned(),
        "{ kind = \"azure-arc\", endpoint = \"http://localhost:1/x\", key_folder = \"/k\" }".to_owned(),
        format!("{{ kind = \"workload-identity\", {IDS}, token_file = \"/t\" }}"),
        format!("{{ kind = \"client-secret\", {IDS}, secret_file = \"/s\" }}"),
        format!("{{ kind = \"client-certificate\", {IDS}, certificate_file = \"/c\" }}"),
        format!(
            "{{ kind = \"client-certificate\", {IDS}, certificate_file = \"/c\", key_file = \"/k\", password_file = \"/p\" }}"
        ),
        "{ kind = \"azure-cli\", subscription = \"s\" }".to_owned(),
    ];
    for credential in good {
        config(&azure(&format!("credential = {credential}"), "vault.azure.net"));
    }
    let bad = [
        ("{ kind = \"default\" }".to_owned(), "kind", "\"workload-identity\""),
        ("{ kind = \"managed-identity\", client_id = \"me\" }".to_owned(), "client_id", "is no UUID"),
        ("{ kind = \"managed-identity\", resource_id = \"/x\" }".to_owned(), "resource_id", "userAssignedIdentities"),
        (
            format!(
                "{{ kind = \"managed-identity\", object_id = \"8f14e45f-ceea-467f-9c3b-000000000001\", {} }}",
                &IDS[51..]
            ),
            "object_id",
            "named twice",
        ),
        ("{ kind = \"azure-arc\", endpoint = \"http://10.0.0.1/x\" }".to_owned(), "endpoint", "of this machine"),
        ("{ kind = \"azure-arc\", endpoint = \"https://localhost/x\" }".to_owned(), "endpoint", "plain http"),
        ("{ kind = \"azure-arc\", key_folder = \"tokens\" }".to_owned(), "key_folder", "absolute"),
        (format!("{{ kind = \"workload-identity\", {IDS} }}"), "token_file", "AZURE_FEDERATED_TOKEN_FILE"),
        (format!("{{ kind = \"client-certificate\", {IDS} }}"), "certificate_file", "PEM or PFX"),
        (
            format!("{{ kind = \"client-certificate\", {IDS}, certificate_file = \"/c\", password = \"hunter2x\" }}"),
            "password",
            "never stands",
        ),
        (
            format!("{{ kind = \"client-secret\", {IDS}, secret_file = \"/s\", certificate_file = \"/c\" }}"),
            "certificate_file",
            "unknown here",
        ),
        ("{ kind = \"azure-cli\", tenant_id = \"contoso\" }".to_owned(), "tenant_id", "is no UUID"),
    ];
    for (credential, key, word) in bad {
        let (at, shown) = credential_problem(&credential);
        assert_eq!(at, format!("azure.credential.{key}"), "{shown}");
        assert!(shown.contains(word) && !shown.contains("hunter2x"), "{shown}");
    }
}

#[test]
fn graph_and_vault_may_have_a_credential_each_and_none_is_left_over() {
    let (one, two) = ("{ kind = \"managed-identity\" }", "{ kind = \"azure-arc\" }");
    let kinds = |lines: String| match config(&azure(&lines, "vault.azure.net")).azure.credentials {
        Credentials::One(_) => "one",
        Credentials::Two { graph: Credential::AzureArc { .. }, vault: Credential::ManagedIdentity(_) } => {
            "arc for graph"
        }
        Credentials::Two { vault: Credential::AzureArc { .. }, graph: Credential::ManagedIdentity(_) } => {
            "arc for vault"
        }
        Credentials::Two { .. } => "others",
    };
    assert_eq!(kinds(format!("credential = {one}")), "one");
    assert_eq!(kinds(format!("credential = {one}\ngraph_credential = {two}")), "arc for graph");
    assert_eq!(kinds(format!("credential = {one}\nvault_credential = {two}")), "arc for vault");
    assert_eq!(kinds(format!("graph_credential = {one}\nvault_credential = {two}")), "arc for vault");
    let (key, _) = problem(
        &azure(&format!("credential = {one}\ngraph_credential = {one}\nvault_credential = {two}"), "vault.azure.net"),
        &[],
    );
    assert_eq!(key, "azure.credential");
    let (key, _) = problem(&azure(&format!("vault_credential = {two}"), "vault.azure.net"), &[]);
    assert_eq!(key, "azure.credential");
}

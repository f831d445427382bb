use std::path::Path;

use super::*;
use crate::config::{Config, ConfigErrors, Loaded};

const REST: &str = r#"
[azure]
credential = { kind = "managed-identity" }
[[connections]]
name = "c"
vault = { url = "https://contoso.vault.azure.net", secret = "s" }
entra = { service_principal_id = "8f14e45f-ceea-467f-9c3b-000000000001", tenant_url = "https://sps.example.com/v1/scimproxy" }
issuer = { kind = "supplied", assumed_lifetime = "90d" }
"#;

fn parse(http: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    let text = format!("[http]\n{http}\n{REST}");
    Config::parse(Path::new("/etc/x/test.toml"), &text, &variables.iter().copied().collect())
}

fn choice(http: &str, variables: &[(&str, &str)]) -> ProxyChoice {
    parse(http, variables).unwrap_or_else(|errors| panic!("{errors}")).config.http.proxy
}

/// The problems, as shown.
fn refusal(http: &str, variables: &[(&str, &str)]) -> String {
    parse(http, variables).map(|_| ()).expect_err("it was accepted").to_string()
}

fn carries(choice: &ProxyChoice, host: &str) -> bool {
    choice.proxy().is_some_and(|proxy| proxy.carries(&format!("https://{host}/").parse().unwrap()))
}

#[test]
fn the_configuration_names_a_proxy_whom_it_is_used_as_and_who_is_reached_without_it() {
    let http = "proxy = \"http://proxy.corp:3128\"\nproxy_user = \"svc\"\nproxy_password_file = \"./pw\"\n\
                no_proxy = [\"vault.azure.net\", \"10.0.0.0/8\"]";
    let choice = choice(http, &[("HTTPS_PROXY", "http://other:1"), ("NO_PROXY", "graph.microsoft.com")]);
    let ProxyChoice::Configured(proxy) = &choice else { panic!("{choice:?}") };
    assert_eq!((proxy.shown(), proxy.login.as_ref().unwrap().user.as_str()), ("http://proxy.corp:3128".into(), "svc"));
    assert_eq!(proxy.login.as_ref().unwrap().password.path(), Path::new("/etc/x/./pw"));
    // The environment's list goes with the environment's proxy.
    assert!(carries(&choice, "graph.microsoft.com") && !carries(&choice, "contoso.vault.azure.net"));
}

#[test]
fn a_list_can_come_from_a_variable_with_commas() {
    let variables = [("SCIM_ROTATOR__HTTP__PROXY", "http://p:1"), ("SCIM_ROTATOR__HTTP__NO_PROXY", "a.test, 10.0.0.1")];
    let choice = choice("", &variables);
    assert!(!carries(&choice, "a.test") && !carries(&choice, "10.0.0.1") && carries(&choice, "b.test"));
}

#[test]
fn the_environment_names_a_proxy_unless_the_configuration_speaks_of_it() {
    let variables = [("HTTPS_PROXY", "http://upper:1"), ("NO_PROXY", "a.test,*.b.test")];
    let found = choice("", &variables);
    assert!(matches!(&found, ProxyChoice::OfEnvironment("HTTPS_PROXY", proxy) if proxy.shown() == "http://upper:1"));
    assert!(!carries(&found, "x.b.test") && carries(&found, "c.test"));
    assert_eq!(choice("proxy = \"none\"", &variables), ProxyChoice::None);
    let small = [("https_proxy", "small:2"), ("HTTPS_PROXY", "http://upper:1")];
    assert!(
        matches!(choice("", &small), ProxyChoice::OfEnvironment("https_proxy", p) if p.shown() == "http://small:2")
    );
    // Nothing is sent by plain http, and no other variable is looked at.
    assert_eq!(choice("", &[("HTTP_PROXY", "http://x:1"), ("ALL_PROXY", "socks5://x:1")]), ProxyChoice::Unset);
    assert_eq!(choice("", &[]), ProxyChoice::Unset);
}

#[test]
fn an_entry_of_the_environments_list_that_cannot_be_read_is_a_warning() {
    let loaded = parse("", &[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "a.test,b:80")]).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    let said = loaded.warnings[0].to_string();
    assert!(said.contains("NO_PROXY") && said.contains("entry 2") && said.contains("port"), "{said}");
}

#[test]
fn credentials_never_stand_in_a_url_and_are_not_repeated() {
    for (http, variables) in [
        ("proxy = \"http://svc:hunter2x@proxy:3128\"", vec![]),
        ("", vec![("HTTPS_PROXY", "http://svc:hunter2x@proxy:3128")]),
        ("", vec![("https_proxy", "svc:hunter2x@proxy:3128")]),
        ("proxy = \"svc:hunter2x@proxy:3128\"", vec![]),
        ("proxy = \"http:svc:hunter2x@proxy:3128\"", vec![]),
        ("proxy = \"http://svc:12/hunter2x@proxy:3128\"", vec![]),
        ("proxy = \"http://svc:hunter2x, 1@proxy:3128\"", vec![]),
    ] {
        let said = refusal(http, &variables);
        assert!(said.contains("proxy_password_file") && said.contains("leaked"), "{said}");
        assert!(!said.contains("hunter2x"), "{said}");
    }
    let said = refusal("proxy = \"http://p:1\"\nproxy_user = \"u\"\nproxy_password = \"hunter2x\"", &[]);
    assert!(said.contains("proxy_password_file") && said.contains("leaked") && !said.contains("hunter2x"), "{said}");
}

#[test]
fn what_cannot_be_a_proxy_is_refused_with_a_reason() {
    let table = [
        ("proxy = \"socks5://p:1\"", "`socks5` is not spoken"),
        ("proxy = \"http://p:1/path\"", "scheme, host and port only"),
        ("proxy = \"p\"", "is no URL"),
        ("proxy = \"\"", "is empty"),
        ("proxy = \"http://p:1\"\nproxy_user = \"u\"", "`proxy_password_file`"),
        ("proxy = \"http://p:1\"\nproxy_password_file = \"/f\"", "`proxy_user`"),
        ("proxy = \"http://p:1\"\nproxy_user = \"a:b\"\nproxy_password_file = \"/f\"", "colon"),
        ("proxy = \"none\"\nno_proxy = [\"a\"]", "`proxy` names none"),
        ("no_proxy = [\"a\"]", "`proxy` names none"),
        ("proxy = \"http://p:1\"\nno_proxy = [\"a:1\"]", "http.no_proxy[0]"),
        ("proxy = \"http://p:1\"\nno_proxy = [1]", "in quotes"),
        ("proxy = \"http://p:1\"\nno_proxy = true", "list of strings"),
    ];
    for (http, words) in table {
        let said = refusal(http, &[]);
        assert!(said.contains(words), "{http}: {said}");
    }
}

#[test]
fn a_sandbox_takes_no_proxy_from_the_environment_and_only_one_of_this_machine() {
    let sandbox = "[sandbox]\npurpose = \"this is not production\"\naddress = \"127.0.0.1\"\n[http]\n";
    let parse = |http: &str| {
        let rest = REST.replace("contoso.vault.azure.net", "c.vault.sandbox.test");
        let variables = [("HTTPS_PROXY", "http://p:1")].into_iter().collect();
        Config::parse(Path::new("/etc/x/test.toml"), &format!("{sandbox}{http}\n{rest}"), &variables)
    };
    assert_eq!(parse("").unwrap().config.http.proxy, ProxyChoice::Unset);
    assert!(parse("proxy = \"http://127.0.0.1:3128\"").is_ok() && parse("proxy = \"http://p.test:3128\"").is_ok());
    assert!(parse("proxy = \"http://192.0.2.1:3128\"").unwrap_err().to_string().contains("this machine"));
}

#[test]
fn limits_within_the_limit_of_the_whole_are_checked_and_have_defaults() {
    let of = |http: &str| parse(http, &[]).unwrap().config.http;
    let seconds = |http: &str| {
        [of(http).dns_timeout, of(http).connect_timeout, of(http).timeout, of(http).idle_timeout].map(|d| d.as_millis())
    };
    assert_eq!(seconds(""), [10_000, 5000, 30_000, 15_000]);
    assert_eq!(seconds("timeout = \"8s\"\nidle_timeout = \"0s\""), [4000, 5000, 8000, 0]);
    assert!(refusal("timeout = \"61s\"", &[]).contains("is longer than 1m"));
    for key in ["dns_timeout", "connect_timeout"] {
        let said = refusal(&format!("{key} = \"31s\""), &[]);
        assert!(said.contains("longer than `timeout`"), "{said}");
    }
}

mod apart;
mod azure;
mod folder;
mod kept;
mod notify;

use std::path::Path;

use chrono::TimeDelta;

use super::*;
use crate::domain::PrincipalId;
use crate::domain::policy::{Before, Fence, Mode, TakesEffect};

const FILE: &str = "/etc/x/test.toml";

/// One connection, nothing special. `{N}` tells connections apart.
const CONNECTION: &str = r#"
[[connections]]
name = "c{N}"
vault = { url = "https://contoso.vault.azure.net", secret = "s{N}" }
entra = { service_principal_id = "8f14e45f-ceea-467f-9c3b-00000000000{N}", tenant_url = "https://sps.example.com/v1/scimproxy" }
[connections.issuer]
kind = "greenlake"
url = "https://sps.example.com/v1"
auth = { kind = "glcs", issuer = "https://iam.example.com/oauth2/t{N}", client_id = "id{N}", client_secret_file = "/run/s{N}" }
"#;

fn connection(n: u8) -> String {
    CONNECTION.replace("{N}", &n.to_string())
}

fn plain() -> String {
    format!("[azure]\ncredential = {{ kind = \"managed-identity\" }}\n{}", connection(1))
}

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    Config::parse(Path::new(FILE), text, &variables.iter().copied().collect())
}

fn config(text: &str) -> Config {
    let config = parse(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).config;
    assert!(config.refused.is_empty(), "{:?}", config.refused);
    config
}

/// What is wrong with it all, or with one of its connections.
fn errors(text: &str, variables: &[(&str, &str)]) -> ConfigErrors {
    match parse(text, variables) {
        Err(errors) => errors,
        Ok(loaded) => {
            let problems = loaded.config.refused.into_iter().flat_map(|refused| refused.problems.into_problems());
            let problems: Vec<_> = problems.collect();
            assert!(!problems.is_empty(), "it was accepted");
            ConfigErrors::new(problems)
        }
    }
}

/// Keys and texts of all problems.
fn problems(text: &str) -> Vec<(String, String)> {
    let errors = errors(text, &[]);
    errors.problems().iter().map(|p| (p.key.clone().unwrap_or_default(), p.what.clone())).collect()
}

/// The only problem: its key, and the whole list as shown.
fn problem(text: &str, variables: &[(&str, &str)]) -> (String, String) {
    let errors = errors(text, variables);
    assert_eq!(errors.problems().len(), 1, "{errors}");
    (errors.problems()[0].key.clone().unwrap_or_default(), errors.to_string())
}

#[test]
fn every_file_in_the_config_folder_is_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let loaded = Config::load(&path, &Environment::default()).unwrap_or_else(|errors| panic!("{errors}"));
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
            seen += 1;
        }
    }
    assert!(seen >= 2);
}

#[test]
fn the_annotated_file_says_what_the_defaults_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let text = std::fs::read_to_string(folder.join("scim-rotator.toml")).unwrap();
    let (shown, bare) = (config(&text), config(&plain()));
    let [shown_policy, policy] = [&shown, &bare].map(|config| &config.connections[0].policy);
    assert_eq!(shown_policy.rotate_before, policy.rotate_before);
    assert_eq!(shown_policy.min_slack, policy.min_slack);
    assert_eq!(shown_policy.settle_for, policy.settle_for);
    assert_eq!(shown_policy.confirm_within, policy.confirm_within);
    assert_eq!(shown_policy.retire_after, policy.retire_after);
    assert_eq!((shown_policy.mode, shown_policy.fence), (policy.mode, policy.fence));
    assert_eq!(shown.connections[0].check.as_str(), bare.connections[0].check.as_str());
    assert_eq!(shown.log.filter, bare.log.filter);
    let limits = |http: &Http| [http.dns_timeout, http.connect_timeout, http.timeout, http.idle_timeout];
    assert_eq!(limits(&shown.http), limits(&bare.http));
}

#[test]
fn five_mistakes_are_five_problems_each_with_its_key() {
    let text = r#"
[azure]
cloud = "moon"
credential = { kind = "managed-identity" }
[policy]
jitter = 30
colour = "red"
[[connections]]
name = "Has Space"
issuer = { kind = "greenlake", url = "http://sps.example.com/v1", auth = { kind = "glcs", issuer = "https://iam.example.com/o", client_id = "x", client_secret_file = "/run/s" } }
vault = { url = "https://contoso.vault.azure.net", secret = "s" }
entra = { service_principal_id = "8f14e45f-ceea-467f-9c3b-1d2f3a4b5c6d", tenant_url = "https://sps.example.com/v1/scimproxy" }
"#;
    let keys: Vec<String> = problems(text).into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        ["azure.cloud", "policy.jitter", "policy.colour", "connections[0].name", "connections[0].issuer.url"]
    );
    let shown = parse(text, &[]).map(|_| ()).unwrap_err().to_string();
    assert!(
        shown.starts_with("the configuration has 5 problems:\n  1. /etc/x/test.toml:3:9: azure.cloud: "),
        "{shown}"
    );
}

#[test]
fn a_problem_shows_its_line_with_a_caret() {
    let (_, shown) = problem(&format!("[policy]\njitter  = 30 # soon\n{}", plain()), &[]);
    assert!(shown.contains("test.toml:2:11: policy.jitter: a number without a unit"), "{shown}");
    assert!(shown.ends_with("       |\n     2 | jitter  = 30 # soon\n       |           ^^"), "{shown}");
}

#[test]
fn broken_toml_is_shown_where_it_breaks_and_a_secret_on_that_line_is_not() {
    let (key, shown) = problem("[azure]\ncloud = public\n", &[]);
    assert_eq!(key, "");
    assert!(shown.contains("test.toml:2:9: this is no TOML") && shown.contains("2 | cloud = public"), "{shown}");
    for broken in
        ["client_secret = hunter2x", "client_secret = \"hunter2x", "auth = { client_secret = \"hunter2x\" b }"]
    {
        let shown = parse(&format!("[azure]\n{broken}\n"), &[]).map(|_| ()).unwrap_err().to_string();
        assert!(shown.contains(":2:") && shown.contains("client_secret = …") && !shown.contains("hunter2x"), "{shown}");
    }
}

#[test]
fn an_inline_secret_is_refused_and_never_echoed() {
    let inline = plain().replace("client_secret_file = \"/run/s1\"", "client_secret = \"hunter2x\"");
    let shown = parse(&inline, &[]).map(|_| ()).unwrap_err().to_string();
    assert!(
        shown.contains("connections[0].issuer.auth.client_secret: a secret never stands in the configuration"),
        "{shown}"
    );
    assert!(shown.contains("with `client_secret_file`") && !shown.contains("hunter2x"), "{shown}");

    let bare_word = plain().replace("\"/run/s1\"", "\"hunter2x\"");
    let (key, shown) = problem(&bare_word, &[]);
    assert_eq!(key, "connections[0].issuer.auth.client_secret_file");
    assert!(!shown.contains("hunter2x"), "{shown}");

    let variable = ("SCIM_ROTATOR__AZURE__CREDENTIAL__CLIENT_SECRET", "hunter2x");
    let (key, shown) = problem(&plain(), &[variable]);
    assert_eq!(key, "azure.credential.client_secret");
    assert!(shown.contains(variable.0) && !shown.contains("hunter2x"), "{shown}");

    let table = plain().replace("auth = { kind", "auth = \"hunter2x\" # { kind");
    assert!(!parse(&table, &[]).map(|_| ()).unwrap_err().to_string().contains("hunter2x"));
}

#[test]
fn debug_of_a_configuration_holds_paths_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "hunter2x").unwrap();
    let text = plain().replace("/run/s1", "./secret");
    std::fs::write(folder.path().join("c.toml"), text).unwrap();
    let loaded = Config::load(&folder.path().join("c.toml"), &Environment::default()).unwrap();
    assert!(!format!("{loaded:?}").contains("hunter2x"));
    assert_eq!(loaded.config.secret_files()[0].1.path(), folder.path().join("./secret"));
}

#[test]
fn an_unknown_key_is_refused_wherever_it_stands_and_the_known_ones_are_named() {
    let (key, shown) = problem(&plain().replace("kind = \"greenlake\"", "kind = \"greenlake\"\nregion = 1"), &[]);
    assert_eq!(key, "connections[0].issuer.region");
    assert!(shown.contains("takes_effect"), "{shown}");
    assert_eq!(problem(&format!("[metrics]\n{}", plain()), &[]).0, "metrics");
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = format!("[log]\nformat = \"text\"\n[policy]\nmin_slack = \"3d\"\n{}", plain());
    let variables = [
        ("SCIM_ROTATOR__LOG__FORMAT", "json"),
        ("SCIM_ROTATOR__POLICY__WINDOW__CRON", "0 0 2 * * *"),
        ("SCIM_ROTATOR__POLICY__WINDOW__LASTS", "4h"),
        ("SCIM_ROTATOR__POLICY__ACCEPT_SUPPLIED", "true"),
        ("SCIM_ROTATOR_CONFIG", "/elsewhere"),
        ("PATH", "/bin"),
    ];
    let config = parse(&text, &variables).unwrap().config;
    assert_eq!(config.log.format, LogFormat::Json);
    let policy = &config.connections[0].policy;
    assert_eq!((policy.min_slack, policy.windows.len()), (TimeDelta::days(3), 1));
    assert!(policy.accept_supplied);
}

#[test]
fn a_number_is_read_from_the_environment_and_a_bare_one_is_no_time_there_either() {
    let sandbox = "[sandbox]\npurpose = \"this is not production\"\naddress = \"127.0.0.1\"\n";
    let text = format!("{sandbox}{}", plain());
    let config = parse(&text, &[("SCIM_ROTATOR__SANDBOX__CLOCK_SPEED", "60")]).unwrap().config;
    assert_eq!(config.sandbox.unwrap().clock_speed, 60);
    let (key, shown) = problem(&plain(), &[("SCIM_ROTATOR__POLICY__JITTER", "30")]);
    assert_eq!(key, "policy.jitter");
    assert!(shown.contains("environment variable SCIM_ROTATOR__POLICY__JITTER: policy.jitter: a number"), "{shown}");
}

#[test]
fn a_variable_may_hold_a_text_of_digits_only() {
    let text = plain().replace("[azure]", "[azure]\ngraph_scope = \"x\"");
    let (_, shown) = problem(&text, &[("SCIM_ROTATOR__AZURE__GRAPH_SCOPE", "123")]);
    assert!(shown.contains("is no scope"), "{shown}");
    let (_, shown) = problem(&plain(), &[("SCIM_ROTATOR__AZURE__CREDENTIAL__CLIENT_ID", "123")]);
    assert!(shown.contains("is no UUID") && !shown.contains("put it in quotes"), "{shown}");
}

#[test]
fn a_misspelt_key_is_told_by_the_one_that_was_meant_and_not_as_a_leak() {
    let misspelt = |key: &str, line: &str| problem(&plain().replace(key, line), &[]).1;
    let shown = misspelt("kind = \"greenlake\"", "kind = \"greenlake\"\ntoken_pointr = \"/token\"");
    assert!(shown.contains("`token_pointer` was meant") && !shown.contains("never stands"), "{shown}");
    let shown = misspelt("[azure]", "[azure]\nclod = \"public\"");
    assert!(shown.contains("`cloud` was meant"), "{shown}");
}

#[test]
fn a_credential_that_is_a_word_is_told_with_how_it_is_written() {
    let line = plain().lines().find(|line| line.starts_with("credential = ")).unwrap().to_owned();
    let shown = problem(&plain().replace(&line, "credential = \"managed-identity\""), &[]).1;
    assert!(shown.contains("expected a table: write credential = { kind = \"managed-identity\" }"), "{shown}");
}

#[test]
fn a_vault_by_the_name_of_its_private_endpoint_is_told_its_own_name() {
    let shown = problem(&plain().replace("contoso.vault.azure.net", "contoso.privatelink.vaultcore.azure.net"), &[]).1;
    assert!(shown.contains("write https://contoso.vault.azure.net"), "{shown}");
}

#[test]
fn a_connection_cannot_be_set_from_the_environment_and_an_unknown_variable_is_named() {
    let (_, shown) = problem(&plain(), &[("SCIM_ROTATOR__CONNECTIONS__0__NAME", "x")]);
    assert!(shown.contains("SCIM_ROTATOR__CONNECTIONS__0__NAME"), "{shown}");
    let (key, shown) = problem(&plain(), &[("SCIM_ROTATOR__METRICS__PORT", "9")]);
    assert_eq!(key, "metrics");
    assert!(shown.contains("environment variable SCIM_ROTATOR__METRICS__PORT"), "{shown}");
}

#[test]
fn what_is_missing_is_asked_for_with_an_example() {
    let shown = parse("[azure]\n[[connections]]\nname = \"a\"\n", &[]).map(|_| ()).unwrap_err().to_string();
    for line in [
        "test.toml:1:1: azure.credential: is missing: write credential = { kind = ",
        "test.toml:2:1: connections[0].issuer: is missing: write issuer = ",
        "connections[0].vault: is missing",
        "connections[0].entra: is missing",
    ] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }
    assert_eq!(
        problems("").iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(),
        ["azure.credential", "connections"]
    );
}

#[test]
fn only_https_to_another_machine_is_spoken_outside_a_sandbox() {
    let with = |url: &str| plain().replace("url = \"https://sps.example.com/v1\"", &format!("url = \"{url}\""));
    for url in [
        "http://sps.example.com/v1",
        "https://localhost/v1",
        "https://a.localhost/v1",
        "https://127.0.0.1/v1",
        "https://127.1/v1",
        "https://[::1]/v1",
        "https://[::ffff:127.0.0.1]/v1",
        "https://0.0.0.0/v1",
        "https://u@sps.example.com/v1",
        "https://sps.example.com/v1?x=1",
        "sps.example.com",
    ] {
        assert_eq!(problem(&with(url), &[]).0, "connections[0].issuer.url", "{url}");
    }
    let sandbox = "[sandbox]\npurpose = \"this is not production\"\naddress = \"127.0.0.1\"\n";
    for (url, fine) in [
        ("http://127.0.0.1/v1", false),
        ("https://192.0.2.1/v1", false),
        ("https://127.0.0.1:9/v1", true),
        ("https://localhost:9/v1", true),
    ] {
        assert_eq!(parse(&format!("{sandbox}{}", with(url)), &[]).is_ok(), fine, "{url}");
    }
}

#[test]
fn a_sandbox_must_be_spelled_out_and_stay_on_this_machine() {
    let with = |purpose: &str, address: &str| {
        format!("[sandbox]\npurpose = \"{purpose}\"\naddress = \"{address}\"\n{}", plain())
    };
    assert_eq!(problem(&with("not production", "127.0.0.1"), &[]).0, "sandbox.purpose");
    assert_eq!(problem(&with(SANDBOX_PURPOSE, "192.0.2.1"), &[]).0, "sandbox.address");
    let sandbox = config(&with(SANDBOX_PURPOSE, "::1")).sandbox.unwrap();
    assert_eq!((sandbox.clock_speed, sandbox.clock_anchor), (1, None));
}

#[test]
fn a_vault_must_be_of_the_chosen_cloud() {
    assert_eq!(problem(&plain().replace("vault.azure.net", "vault.azure.com"), &[]).0, "connections[0].vault.url");
    let china = plain().replace("[azure]", "[azure]\ncloud = \"china\"").replace("vault.azure.net", "vault.azure.cn");
    let azure = config(&china).azure;
    assert_eq!(azure.graph.as_str(), "https://microsoftgraph.chinacloudapi.cn/");
    assert_eq!(azure.authority.as_str(), "https://login.partner.microsoftonline.cn/");
}

#[test]
fn a_secret_name_cannot_leave_its_path() {
    for name in ["../x", "a/b", "a_b", ""] {
        let text = plain().replace("secret = \"s1\"", &format!("secret = \"{name}\""));
        assert_eq!(problem(&text, &[]).0, "connections[0].vault.secret");
    }
}

#[test]
fn two_connections_must_not_be_one() {
    let two = |from: &str, to: &str| format!("{}{}", plain(), connection(2).replace(from, to));
    assert!(parse(&two("", ""), &[]).is_ok());
    for (from, to, key, why) in [
        ("\"c2\"", "\"c1\"", "connections[1].name", "logs, status"),
        ("\"s2\"", "\"S1\"", "connections[1].vault.secret", "its own secret"),
        ("oauth2/t2", "oauth2/t1/", "connections[1].issuer.auth", "one HPE tenant"),
        ("\"id2\"", "\"id1\"", "connections[1].issuer.auth", "one HPE tenant"),
        ("000000000002", "000000000001", "connections[1].entra.service_principal_id", "one token for it"),
    ] {
        let (at, shown) = problem(&two(from, to), &[]);
        assert_eq!(at, key);
        assert!(shown.contains(why) && shown.contains("`c1`"), "{shown}");
    }
}

#[test]
fn the_application_is_named_by_either_of_its_ids_and_no_two_connections_share_it() {
    let by_app = |text: &str| text.replace("service_principal_id", "app_id");
    let id = uuid::Uuid::try_parse("8f14e45f-ceea-467f-9c3b-000000000001").unwrap();
    assert_eq!(config(&plain()).connections[0].entra.principal, PrincipalId::Object(id));
    assert_eq!(config(&by_app(&plain())).connections[0].entra.principal, PrincipalId::Application(id));
    let twice = plain().replace("entra = { ", "entra = { app_id = \"8f14e45f-ceea-467f-9c3b-000000000002\", ");
    let (at, shown) = problem(&twice, &[]);
    assert!(at == "connections[0].entra.app_id" && shown.contains("keep service_principal_id or app_id"), "{shown}");
    let second = connection(2).replace("000000000002", "000000000001");
    let (at, shown) = problem(&by_app(&format!("{}{second}", plain())), &[]);
    assert!(at == "connections[1].entra.app_id" && shown.contains("one token for it"), "{shown}");
}

#[test]
fn a_connection_overrides_the_policy_key_by_key() {
    let text = format!("[policy]\nmin_slack = \"3d\"\nfence = \"always\"\n{}", plain());
    let text =
        text.replace("name = \"c1\"", "name = \"c1\"\npolicy = { fence = \"never\", rotate_before_expiry = \"33%\" }");
    let text = text.replace("kind = \"greenlake\"", "kind = \"greenlake\"\ntakes_effect = \"own-expiry\"");
    let policy = &config(&text).connections[0].policy;
    assert_eq!((policy.fence, policy.min_slack), (Fence::Never, TimeDelta::days(3)));
    assert_eq!((policy.mode, policy.takes_effect), (Mode::Overlap, TakesEffect::OwnExpiry));
    assert_eq!(policy.rotate_before, Before::Share(33));
}

#[test]
fn a_policy_that_cannot_be_met_is_refused_with_the_arithmetic_at_the_key_to_change() {
    let policy = |lines: &str| format!("[policy]\n{lines}\n{}", plain());
    for (lines, key, sums) in [
        ("rotate_before_expiry = \"5d\"", "policy.rotate_before_expiry", "min_slack (7d) is not shorter"),
        ("min_slack = \"30d\"", "policy.min_slack", "rotate_before_expiry (30d)"),
        ("jitter = \"24d\"", "policy.jitter", "there are 23d"),
        ("jitter = \"23d\"", "policy.jitter", "− 23d of jitter − the outage = 0s"),
        ("rotate_before_expiry = \"169h\"", "policy.rotate_before_expiry", "(7d 1h) − the outage = 1h"),
        ("max_age = \"12h\"", "policy.max_age", "shorter than 1d"),
        ("rotate_before_expiry = \"91%\"", "policy.rotate_before_expiry", "1% to 90%"),
        ("check = \"0 * * * *\"", "policy.check", "this one has five"),
        ("check = \"0 0 0 30 2 *\"", "policy.check", "never occurs"),
        ("window = { cron = \"0 0 2 1 * *\", lasts = \"4h\" }", "policy.window", "there are 23d"),
        ("window = [{ cron = \"0 0 2 * * *\", lasts = 4 }]", "policy.window[0].lasts", "without a unit"),
        (
            "window = { cron = \"0 0 2 * * *\", lasts = \"4h\", timezone = \"Berlin\" }",
            "policy.window.timezone",
            "IANA",
        ),
    ] {
        let (at, shown) = problem(&policy(lines), &[]);
        assert_eq!(at, key, "{shown}");
        assert!(shown.contains(sums), "{shown}");
    }
    let lives = |life: &str| {
        plain().replace("kind = \"greenlake\"", &format!("kind = \"greenlake\"\nassumed_lifetime = \"{life}\""))
    };
    assert!(parse(&lives("90d"), &[]).is_ok());
    let (at, shown) = problem(&lives("20d"), &[]);
    assert_eq!(at, "connections[0].issuer.assumed_lifetime");
    assert!(shown.contains("rotate_before_expiry (30d)") && shown.contains("20d)"), "{shown}");
    for (life, sums) in
        [("31d", "leaves only 1d of the token's life (assumed_lifetime, 31d)"), ("12h", "does not live for 1d 1h 55m")]
    {
        let (at, shown) = problem(&lives(life), &[]);
        assert_eq!(at, "connections[0].issuer.assumed_lifetime");
        assert!(shown.contains(sums), "{shown}");
    }
}

#[test]
fn tokens_that_are_assumed_to_live_too_short_for_what_all_have_in_common_refuse_their_own_connection_and_no_other() {
    for (before, words) in [("60d", "(60d)"), ("10%", "min_slack (7d) is not shorter than rotate_before_expiry (3d)")] {
        let short = connection(2).replace("kind = \"greenlake\"", "kind = \"greenlake\"\nassumed_lifetime = \"30d\"");
        let text = format!("[policy]\nrotate_before_expiry = \"{before}\"\n{}{short}", plain());
        let config = parse(&text, &[]).unwrap().config;
        let names = |config: &Config| config.connections.iter().map(|one| one.name.to_string()).collect::<Vec<_>>();
        assert_eq!((names(&config), config.refused.len()), (vec!["c1".to_owned()], 1));
        let problem = &config.refused[0].problems.problems()[0];
        let (at, shown) = (problem.key.as_deref(), &problem.what);
        assert!(at == Some("connections[1].issuer.assumed_lifetime") && shown.contains(words), "{shown}");
    }
}

#[test]
fn a_bad_default_is_reported_once_however_many_connections_use_it() {
    problem(&format!("[policy]\nmin_slack = \"30d\"\n{}{}", plain(), connection(2)), &[]);
}

#[test]
fn a_tenant_url_at_another_host_is_a_warning() {
    let text = plain().replace("https://sps.example.com/v1/scimproxy", "https://other.example.com/scimproxy/");
    let loaded = parse(&text, &[]).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].what.contains("`other.example.com`"));
    assert_eq!(loaded.config.connections[0].entra.tenant_url.as_str(), "https://other.example.com/scimproxy");
}

#[test]
fn a_tenant_url_may_hold_entras_feature_flags_and_no_other_url_a_query() {
    let url = "https://sps.example.com/v1/scimproxy?aadOptscim062020";
    let flagged = |text: String| text.replace("/scimproxy", "/scimproxy?aadOptscim062020");
    let loaded = parse(&flagged(plain()), &[]).unwrap();
    assert_eq!(loaded.config.connections[0].entra.tenant_url.as_str(), url);
    let (at, shown) = problem(
        &plain().replace("url = \"https://sps.example.com/v1\"", "url = \"https://sps.example.com/v1?x\""),
        &[],
    );
    assert_eq!(at, "connections[0].issuer.url");
    assert!(shown.contains("holds a query"), "{shown}");
}

#[test]
fn a_time_that_cannot_be_read_is_one_problem_and_blames_no_other() {
    let times = [
        ("min_slack", "min_slack = 12\nrotate_before_expiry = \"36h\""),
        ("rotate_before_expiry", "rotate_before_expiry = \"soon\"\nmin_slack = \"40d\""),
        ("jitter", "jitter = \"some\"\nmin_slack = \"29d\""),
    ];
    for (key, lines) in times {
        let (at, shown) = problem(&format!("[policy]\n{lines}\n{}", plain()), &[]);
        assert_eq!(at, format!("policy.{key}"), "{shown}");
    }
}

#[test]
fn the_runtime_folder_is_that_of_the_unit_unless_it_is_set() {
    let folder = |text: &str, variables: &[(&str, &str)]| parse(text, variables).unwrap().config.runtime_dir;
    let (unit, session) = (("RUNTIME_DIRECTORY", "/run/x:/run/y"), ("XDG_RUNTIME_DIR", "/run/user/1"));
    assert_eq!(folder(&plain(), &[unit, session]), Path::new("/run/x"));
    assert_eq!(folder(&format!("runtime_dir = \"here\"\n{}", plain()), &[unit]), Path::new("/etc/x/here"));
}

#[test]
fn a_file_that_is_not_there_or_no_text_is_a_problem_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let load = || Config::load(&path, &Environment::default()).map(|_| ()).unwrap_err().to_string();
    assert!(load().contains("--config"));
    std::fs::write(&path, b"a = \"\xff\"").unwrap();
    assert!(load().contains("from byte 5 on"));
}

#[test]
fn a_file_cut_off_anywhere_is_a_problem_and_never_a_panic() {
    let text = plain().replace("name = \"c1\"", "name = \"c1\" # — schöner Name, client_secret = \"hunter2x\"");
    for end in (0..text.len() - 1).filter(|end| text.is_char_boundary(*end)) {
        if let Err(errors) = parse(&text[..end], &[]) {
            assert!(!errors.to_string().contains("hunter2x"), "{errors}");
        }
    }
}

#[test]
fn rotations_are_bounded_overall_and_half_as_many_at_one_host_unless_it_is_said_otherwise() {
    let with = |lines: &str| format!("[rotations]\n{lines}\n{}", plain());
    let bounds = |lines: &str| {
        let rotations = config(&with(lines)).rotations;
        (rotations.at_once, rotations.at_once_per_host)
    };
    assert_eq!(bounds(""), (64, 32));
    assert_eq!([bounds("at_once = 1"), bounds("at_once = 5\nat_once_per_host = 5")], [(1, 1), (5, 5)]);
    for (lines, key, why) in [
        ("at_once = 0", "rotations.at_once", "from 1 to 10000"),
        ("at_once = 4\nat_once_per_host = 5", "rotations.at_once_per_host", "is more than at_once (4)"),
    ] {
        let (at, shown) = problem(&with(lines), &[]);
        assert!(at == key && shown.contains(why), "{at} {shown}");
    }
}

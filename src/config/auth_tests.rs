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
issuer = { kind = "greenlake", url = "https://sps.example.com/v1", auth = { AUTH } }
"#;

fn parse(auth: &str) -> Result<Loaded, ConfigErrors> {
    Config::parse(Path::new("/etc/x/test.toml"), &REST.replace("AUTH", auth), &Default::default())
}

fn auth(text: &str) -> HpeAuth {
    let config = parse(text).unwrap_or_else(|errors| panic!("{errors}")).config;
    config.connections[0].issuer.greenlake().unwrap().auth.clone()
}

const CLIENT: &str = "issuer = \"https://iam.test/o/t/\", client_id = \"id\", client_secret_file = \"/s\"";

#[test]
fn each_kind_of_api_client_has_its_service() {
    let table = [
        ("kind = \"glcs\"", TokenService::Glcs),
        ("kind = \"glcs-legacy\", tenant_id = \"t-1\"", TokenService::GlcsLegacy { tenant_id: "t-1".into() }),
        ("kind = \"glp\"", TokenService::Glp),
    ];
    for (kind, service) in table {
        let auth = auth(&format!("{kind}, {CLIENT}"));
        let client = auth.client().unwrap();
        assert_eq!((client.service.clone(), client.issuer.as_str()), (service, "https://iam.test/o/t"));
    }
}

#[test]
fn a_bearer_may_come_from_a_file_or_a_command() {
    let HpeAuth::File(file) = auth("kind = \"file\", bearer_file = \"./bearer\"") else { panic!("no file") };
    assert_eq!(file.path(), Path::new("/etc/x/./bearer"));
    let HpeAuth::Command(command) =
        auth("kind = \"command\", command = [\"/bin/b\", \"a b\", \"\"], time_limit = \"5s\"")
    else {
        panic!("no command")
    };
    assert_eq!((command.program.to_str(), command.arguments), (Some("/bin/b"), vec!["a b".to_owned(), String::new()]));
    assert_eq!(command.time_limit, Duration::from_secs(5));
}

#[test]
fn what_is_missing_too_much_or_wrong_is_told() {
    let table = [
        ("kind = \"glcs-legacy\", CLIENT", "issuer.auth.tenant_id: is missing"),
        ("kind = \"glcs\", tenant_id = \"t\", CLIENT", "issuer.auth.tenant_id: is unknown here"),
        ("kind = \"glp\", client_id = \"id\", client_secret_file = \"/s\"", "<workspace>/token"),
        ("kind = \"file\"", "bearer_file = \"/…\""),
        ("kind = \"file\", bearer_file = \"eyJhbGci\"", "the path of a file"),
        ("kind = \"file\", bearer = \"hunter2x\"", "Treat what was written here as leaked"),
        ("kind = \"file\", bearer_file = \"/b\", client_id = \"x\"", "client_id: is unknown here"),
        ("kind = \"command\"", "command = ["),
        ("kind = \"command\", command = []", "is empty"),
        ("kind = \"command\", command = \"/bin/b --x\"", "expected a list of strings"),
        ("kind = \"command\", command = [\"b\"]", "absolute path"),
        ("kind = \"command\", command = [\"/bin/b\", 1]", "in quotes"),
        ("kind = \"command\", command = [\"/bin/b\"], time_limit = \"2m\"", "longer than"),
        ("kind = \"oauth\"", "\"glcs-legacy\""),
    ];
    for (text, words) in table {
        let said = parse(&text.replace("CLIENT", CLIENT)).map(|_| ()).expect_err(text).to_string();
        assert!(said.contains(words) && !said.contains("hunter2x"), "{text}: {said}");
    }
}

#[test]
fn two_connections_of_one_origin_of_bearers_are_refused() {
    for auth in ["kind = \"file\", bearer_file = \"/b\"", "kind = \"command\", command = [\"/bin/b\", \"x\"]"] {
        let text = REST.replace("AUTH", auth);
        let (head, connection) = text.split_once("[[connections]]").unwrap();
        let second = connection.replace("\"c\"", "\"d\"").replace("\"s\"", "\"s2\"").replace("000001", "000002");
        let text = format!("{head}[[connections]]{connection}[[connections]]{second}");
        let loaded = Config::parse(Path::new("/x.toml"), &text, &Default::default()).unwrap();
        let [refused] = loaded.config.refused.as_slice() else { panic!("the second one is refused") };
        assert_eq!(refused.name, "d");
        let said = refused.problems.to_string();
        assert!(said.contains("origin of bearers") && said.contains("one HPE tenant"), "{said}");
    }
}

//! The real services' own names, in a network of the test's own: private endpoints, IPv6, slow name servers, a proxy of the
//! environment. Nothing of the sandbox's walls: no `[sandbox]`, real time, port 443, the vault's challenge checked.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::namespace::{Network, within};
use super::place::{BINARY, PATIENCE};
use crate::sandbox::proxy::{ForwardProxy, Leads, Manner};
use crate::sandbox::{Sandbox, SandboxOptions, real_now};
use crate::world::{Begin, Settings, TakesEffect, World};

const VAULT: &str = "contoso.vault.azure.net";
/// Where the public services are.
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1));
/// Private endpoints of the vault.
const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 20, 30, 40));
const PRIVATE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x40));
const NAME_SERVER: &str = "10.53.53.53";

const ADDRESSES: [&str; 6] =
    ["10.9.0.1/32", "10.9.0.3/32", "10.20.30.40/32", "10.53.53.53/32", "fd00::40/128", "fd00::3/128"];
const SERVICES: &str = "10.9.0.1 login.microsoftonline.com graph.microsoft.com\n\
                        10.9.0.1 sps.us1.greenlake-hpe.com iam.us1.greenlake-hpe.com\n\
                        10.9.0.3 proxy.corp.example";

fn network<'a>(hosts: &'a str) -> Network<'a> {
    Network { addresses: &ADDRESSES, hosts, name_server: NAME_SERVER }
}

fn hosts(vault: &str) -> String {
    format!("{SERVICES}\n{vault}\n")
}

/// The far side under its real names, and a configuration as for production.
pub struct Production {
    sandbox: Sandbox,
    folder: tempfile::TempDir,
}

impl Production {
    async fn new(http: &str) -> Self {
        Self::at(http, &[PUBLIC, PRIVATE, PRIVATE_V6].map(|ip| SocketAddr::new(ip, 443))).await
    }

    /// The same at these addresses alone.
    pub async fn at(http: &str, addresses: &[SocketAddr]) -> Self {
        let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let settings = Settings {
            start: real_now(),
            begin: Begin::AtEntra,
            takes_effect: TakesEffect::OwnExpiry,
            vault: "contoso".to_owned(),
            tenant_url: "https://sps.us1.greenlake-hpe.com/v1alpha1/scimproxy".to_owned(),
            ..Settings::default()
        };
        let world = Arc::new(Mutex::new(World::new(settings.clone())));
        let options = SandboxOptions::default();
        let sandbox = Sandbox::start_at(vec![world], options, addresses).await.expect("a sandbox on port 443");
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        write("ca.pem", &sandbox.ca_pem);
        write("azure", &settings.azure_client_secret);
        write("hpe", &settings.client_secret);
        let Settings { directory, azure_client_id, client_id, tenant, service_principal, secret, .. } = settings;
        let text = format!(
            r#"
runtime_dir = "./run"
[azure]
credential = {{ kind = "client-secret", tenant_id = "{directory}", client_id = "{azure_client_id}", secret_file = "./azure" }}
[http]
ca_file = "./ca.pem"
{http}
[policy]
bootstrap = "rotate"
[[connections]]
name = "prod"
vault = {{ url = "https://{VAULT}", secret = "{secret}" }}
entra = {{ service_principal_id = "{service_principal}", tenant_url = "https://sps.us1.greenlake-hpe.com/v1alpha1/scimproxy" }}
[connections.issuer]
kind = "greenlake"
url = "https://sps.us1.greenlake-hpe.com/v1alpha1"
takes_effect = "own-expiry"
auth = {{ kind = "glcs", issuer = "https://iam.us1.greenlake-hpe.com/oauth2/{tenant}/aus1", client_id = "{client_id}", client_secret_file = "./hpe" }}
"#
        );
        write("c.toml", &text);
        Self { sandbox, folder }
    }

    async fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut command = tokio::process::Command::new(BINARY);
        command.args(arguments).arg("--config").arg(self.folder.path().join("c.toml")).env_clear();
        command.envs(environment.iter().copied()).kill_on_drop(true);
        let Output { status, stdout, stderr } =
            tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
        (status.code(), [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat())
    }

    /// A command in an empty environment.
    pub async fn output(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(BINARY);
        command.args(arguments).arg("--config").arg(self.folder.path().join("c.toml")).env_clear().kill_on_drop(true);
        tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts")
    }

    /// A whole first contact, with a rotation.
    async fn rotates(&self, environment: &[(&str, &str)]) -> String {
        let (code, text) = self.run(&["once", "-v"], environment).await;
        let world = self.sandbox.world(0);
        assert_eq!(
            (code, world.ledger.issued, world.saved_token()),
            (Some(0), 1, Some(2)),
            "{text}\n{}",
            world.ledger.trace()
        );
        text
    }

    /// A look at vault and Entra that fails with these words.
    async fn looks_in_vain(&self, words: &[&str]) {
        let (code, text) = self.run(&["check", "-v"], &[]).await;
        assert_eq!(code, Some(1), "{text}");
        for word in words {
            assert!(text.contains(word), "{word:?} is not in\n{text}");
        }
    }

    /// Where the vault was greeted, and by this name alone.
    fn vault_greeted_at(&self) -> Vec<IpAddr> {
        let vault = self.sandbox.hellos().into_iter().filter(|(name, _)| name == VAULT);
        vault.map(|(_, address)| address.ip()).collect()
    }

    /// The names that were said hello to at a private endpoint.
    fn said_at(&self, at: IpAddr) -> Vec<String> {
        self.sandbox.hellos().into_iter().filter(|(_, address)| address.ip() == at).map(|(name, _)| name).collect()
    }
}

#[test]
fn a_private_endpoint_is_reached_at_its_private_address_under_the_vaults_public_name() {
    let hosts = hosts(&format!("10.20.30.40 {VAULT}"));
    within(
        "it::network::a_private_endpoint_is_reached_at_its_private_address_under_the_vaults_public_name",
        &network(&hosts),
        || async {
            let production = Production::new("").await;
            production.rotates(&[]).await;
            assert_eq!(
                (production.vault_greeted_at(), production.said_at(PRIVATE)),
                (vec![PRIVATE], vec![VAULT.to_owned()])
            );
        },
    );
}

#[test]
fn a_vault_that_has_an_ipv6_address_only_is_reached_by_it() {
    let hosts = hosts(&format!("fd00::40 {VAULT}"));
    within("it::network::a_vault_that_has_an_ipv6_address_only_is_reached_by_it", &network(&hosts), || async {
        let production = Production::new("").await;
        production.rotates(&[]).await;
        assert_eq!(production.vault_greeted_at(), [PRIVATE_V6]);
    });
}

#[test]
fn where_one_of_two_addresses_is_dead_the_other_one_is_taken() {
    // Nobody listens at the one, and no way leads to the other.
    let hosts = hosts(&format!("fd00::3 {VAULT}\nfd00::dead {VAULT}\n10.20.30.40 {VAULT}"));
    within("it::network::where_one_of_two_addresses_is_dead_the_other_one_is_taken", &network(&hosts), || async {
        let production = Production::new("").await;
        let (code, text) = production.run(&["check"], &[]).await;
        assert_eq!((code, production.vault_greeted_at()), (Some(10), vec![PRIVATE]), "{text}");
    });
}

#[test]
fn a_name_server_that_is_silent_is_called_one_within_the_limit_and_keeps_nobody_from_ending() {
    let hosts = hosts("");
    within(
        "it::network::a_name_server_that_is_silent_is_called_one_within_the_limit_and_keeps_nobody_from_ending",
        &network(&hosts),
        || async {
            // It takes the questions, and that is all: five times three seconds of the system's own patience.
            let _silent = tokio::net::UdpSocket::bind((NAME_SERVER, 53)).await.expect("port 53");
            let production = Production::new("dns_timeout = \"1s\"").await;
            let began = Instant::now();
            production
                .looks_in_vain(&[
                    "the host name could not be resolved in time",
                    "no name server answered within 1s",
                    "http.dns_timeout",
                    VAULT,
                ])
                .await;
            assert!(began.elapsed() < Duration::from_secs(12), "the system's own patience was not waited for");
        },
    );
}

#[test]
fn a_name_that_cannot_be_resolved_is_told_as_such() {
    let hosts = hosts("");
    within("it::network::a_name_that_cannot_be_resolved_is_told_as_such", &network(&hosts), || async {
        let production = Production::new("").await;
        production.looks_in_vain(&["the host name cannot be resolved", "check the name in the configuration"]).await;
    });
}

#[test]
fn a_private_name_that_leads_to_somebody_else_is_a_matter_of_the_certificate() {
    let hosts = hosts(&format!("10.20.30.40 {VAULT}")).replace("sps.us1.greenlake-hpe.com", "unused.example");
    within(
        "it::network::a_private_name_that_leads_to_somebody_else_is_a_matter_of_the_certificate",
        &network(&hosts),
        || async {
            let production = Production::new("").await;
            let other = Production::other_ca();
            fs::write(production.folder.path().join("ca.pem"), other).expect("written");
            production.looks_in_vain(&["the server's certificate is not accepted", "http.ca_file"]).await;
        },
    );
}

impl Production {
    /// A CA that has signed nothing here.
    fn other_ca() -> String {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "another CA");
        let key = rcgen::KeyPair::generate().expect("a key");
        rcgen::CertifiedIssuer::self_signed(params, key).expect("a CA").pem()
    }
}

#[test]
fn the_environments_proxy_is_used_and_told_and_its_list_is_honoured() {
    let hosts = hosts(&format!("10.20.30.40 {VAULT}"));
    within(
        "it::network::the_environments_proxy_is_used_and_told_and_its_list_is_honoured",
        &network(&hosts),
        || async {
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 9, 0, 3)), 3128);
            let proxy = ForwardProxy::start(address, Leads::ByName, Manner::Open).await.expect("a proxy");
            let production = Production::new("").await;
            let environment = [
                ("HTTPS_PROXY", "http://proxy.corp.example:3128"),
                ("NO_PROXY", "localhost,.vault.azure.net,10.0.0.0/8"),
            ];
            let text = production.rotates(&environment).await;
            let told = "by way of the proxy http://proxy.corp.example:3128 (named by HTTPS_PROXY in the environment";
            assert!(text.contains(told), "{text}");
            let asked = [
                "graph.microsoft.com",
                "iam.us1.greenlake-hpe.com",
                "login.microsoftonline.com",
                "sps.us1.greenlake-hpe.com",
            ];
            assert_eq!(proxy.asked(), asked);
            let (code, text) = production.run(&["config", "check"], &environment).await;
            assert!(code == Some(0) && text.contains("directly to contoso.vault.azure.net"), "{text}");
        },
    );
}

#[test]
fn a_proxy_may_have_an_ipv6_address_and_the_configuration_beats_the_environment() {
    let hosts = hosts(&format!("10.20.30.40 {VAULT}"));
    within(
        "it::network::a_proxy_may_have_an_ipv6_address_and_the_configuration_beats_the_environment",
        &network(&hosts),
        || async {
            let proxy = ForwardProxy::start("[fd00::3]:3128".parse().expect("one"), Leads::ByName, Manner::Open)
                .await
                .expect("a proxy");
            let production = Production::new("proxy = \"http://[fd00::3]:3128\"").await;
            production.rotates(&[("HTTPS_PROXY", "http://nowhere.example:1"), ("NO_PROXY", "*")]).await;
            assert_eq!(proxy.asked().len(), 5, "{:?}", proxy.asked());
        },
    );
}

#[test]
fn a_proxy_whose_name_cannot_be_resolved_is_told_by_that_name() {
    let hosts = hosts(&format!("10.20.30.40 {VAULT}"));
    within("it::network::a_proxy_whose_name_cannot_be_resolved_is_told_by_that_name", &network(&hosts), || async {
        let production = Production::new("proxy = \"http://gone.corp.example:3128\"").await;
        production.looks_in_vain(&["the proxy's name gone.corp.example cannot be resolved"]).await;
    });
}

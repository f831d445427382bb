//! Microsoft's own clients for Python against the sandbox: strangers, who know Azure and nothing of this project. They call
//! the real services' names, with every check of theirs on, and must not notice that it is not Azure that answers.
//!
//! Whatever they notice is a mistake of the sandbox, and so perhaps of what the daemon was built on.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

use super::namespace::{Network, within};
use crate::sandbox::assertion::Cluster;
use crate::sandbox::identity::{Dialect, IdentityEndpoint, Machine};
use crate::sandbox::{Sandbox, SandboxOptions, real_now};
use crate::world::{Begin, Federated, Settings, World};

const VAULT: &str = "https://contoso.vault.azure.net";
/// A container's, not a virtual machine's.
const HEADER: &str = "7d1f5c0e-3b54-4a49-9d0e-2f6b8a1c4e90";
/// Where every virtual machine of Azure finds its identity.
const METADATA: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);
const AZURE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1)), 443);
const HOSTS: &str = "10.9.0.1 login.microsoftonline.com graph.microsoft.com contoso.vault.azure.net";
/// The far side has been there for so long.
const RUN_IN: TimeDelta = TimeDelta::minutes(12);
/// Far more than a visit takes. It starts a Python and loads some ten thousand lines of clients.
const PATIENCE: Duration = Duration::from_secs(120);

/// The far side under its real names, and everything that a stranger is told of it.
struct Azure {
    sandbox: Sandbox,
    _container: IdentityEndpoint,
    _machine: IdentityEndpoint,
    folder: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Azure {
    async fn new() -> Self {
        let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (key, certificate) = certificate();
        let cluster = Cluster::new();
        let (issuer, subject) = ("https://cluster.example".into(), "system:serviceaccount:a:b".into());
        let pod = Federated { key: cluster.public_key(), issuer, subject };
        let settings = Settings {
            start: real_now() - RUN_IN,
            begin: Begin::AtEntraAndVault,
            vault: "contoso".to_owned(),
            azure_certificates: vec![certificate.der().to_vec()],
            federated: Some(pod),
            ..Settings::default()
        };
        let mut world = World::new(settings.clone());
        // A cycle has been run by now, so that there is something to be read.
        world.advance(RUN_IN);
        let world = Arc::new(Mutex::new(world));
        let options = SandboxOptions::default();
        let sandbox = Sandbox::start_at(vec![world], options, &[AZURE]).await.expect("a sandbox on port 443");
        let endpoint =
            |dialect, address| sandbox.identity_endpoint_at(Machine { user_assigned: None, dialect }, address);
        let container = endpoint(Dialect::AppService(HEADER.into()), (Ipv4Addr::LOCALHOST, 0).into()).await;
        let machine = endpoint(Dialect::Metadata, METADATA).await;
        let (container, machine) = (container.expect("an endpoint"), machine.expect("an endpoint on port 80"));
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let ca = file("ca.pem", &sandbox.ca_pem);
        let pod_token = cluster.token(&sandbox.world(0).service_account(TimeDelta::hours(1)));
        let token = sandbox.world(0).token_values().next().expect("a token").to_owned();
        let environment = vec![
            ("REQUESTS_CA_BUNDLE", ca.clone()),
            ("SSL_CERT_FILE", ca),
            ("VAULT", VAULT.to_owned()),
            ("SECRET", settings.secret),
            ("TENANT", settings.directory),
            ("CLIENT", settings.azure_client_id),
            ("CLIENT_SECRET", settings.azure_client_secret),
            ("CERTIFICATE", file("certificate.pem", &format!("{}{}", key.serialize_pem(), certificate.pem()))),
            ("POD_TOKEN", file("pod-token", &pod_token)),
            ("CONTAINER_ENDPOINT", container.url.clone()),
            ("CONTAINER_HEADER", HEADER.to_owned()),
            ("PRINCIPAL", settings.service_principal),
            ("JOB", settings.jobs[0].clone()),
            ("TENANT_URL", settings.tenant_url),
            ("TOKEN", token),
        ];
        Self { sandbox, _container: container, _machine: machine, folder, environment }
    }

    /// Lets a stranger in, who says at the end of each of his visits that he has noticed nothing.
    async fn receives(&self, stranger: &str, visits: usize) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/strangers/bin/python");
        let mut command = tokio::process::Command::new(&python);
        command.arg("-I").arg(root.join("tests/strangers").join(stranger)).env_clear().kill_on_drop(true);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).current_dir(self.folder.path());
        let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("he ends");
        let output = output.unwrap_or_else(|error| {
            panic!("{} cannot be run ({error}): `make strangers` installs it", python.display());
        });
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        let seen = || format!("{said}\n{:#?}\n{}", self.sandbox.calls(), self.sandbox.world(0).ledger.trace());
        assert!(output.status.success(), "he has noticed something:\n{}", seen());
        assert_eq!(said.matches("done: ").count(), visits, "he has been everywhere:\n{}", seen());
    }
}

/// An application's own.
fn certificate() -> (KeyPair, rcgen::Certificate) {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, "a stranger");
    let certificate = params.self_signed(&key).expect("a certificate");
    (key, certificate)
}

fn in_azure(test: &str, stranger: &str, visits: usize) {
    let addresses = ["10.9.0.1/32", "169.254.169.254/32"];
    let network = Network { addresses: &addresses, hosts: HOSTS, name_server: "127.0.0.1" };
    within(&format!("it::strangers::{test}"), &network, || async {
        Azure::new().await.receives(stranger, visits).await;
    });
}

#[test]
fn microsofts_own_logins_find_entra_and_the_identity_endpoints() {
    in_azure("microsofts_own_logins_find_entra_and_the_identity_endpoints", "login.py", 6);
}

#[test]
fn microsofts_own_client_of_key_vault_finds_a_key_vault() {
    in_azure("microsofts_own_client_of_key_vault_finds_a_key_vault", "vault.py", 7);
}

#[test]
fn microsofts_own_client_of_graph_finds_a_provisioning_job() {
    in_azure("microsofts_own_client_of_graph_finds_a_provisioning_job", "graph.py", 4);
}

//! The rows against the sandbox, asked by the daemon's real edges over TLS on loopback, in real time.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DurationRound as _, TimeDelta};
use scim_rotator::domain::{PrincipalId, Timestamp};
use scim_rotator::edge::azure::{Application, AzureCredential, AzureLogin, AzureOptions};
use scim_rotator::edge::clock::SystemClock;
use scim_rotator::edge::graph::{Graph, GraphOptions};
use scim_rotator::edge::greenlake::{Auth, ClientCredentials, Flavour, GreenLake, GreenLakeOptions, Reading};
use scim_rotator::edge::http::{Http, HttpOptions};
use scim_rotator::edge::keyvault::{Clients, KeyVault, KeyVaultOptions};
use scim_rotator::edge::login::Login;
use scim_rotator::edge::scim::{ScimOptions, ScimProbe};
use scim_rotator::ports::Clock;
use scim_rotator::secret_file::SecretFile;
use url::Url;

use super::far_side::{self, FarSide, Terms};
use crate::sandbox::{Sandbox, SandboxOptions, real_now};
use crate::world::{LoginKind, Settings, World};

#[path = "rows/answer.rs"]
mod answer;
#[path = "rows/issuer.rs"]
mod issuer;
#[path = "rows/job.rs"]
mod job;
#[path = "rows/probe.rs"]
mod probe;
#[path = "rows/saved.rs"]
mod saved;
#[path = "rows/vault.rs"]
mod vault;

/// A far side that begins with `settings`, but now: its certificates live in real time.
async fn begin(settings: Settings, terms: Terms) -> FarSide {
    // The binary installs this for itself.
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let start = real_now().duration_trunc(TimeDelta::seconds(1)).expect("seconds are whole");
    let world = Arc::new(Mutex::new(World::new(Settings { start, ..settings.clone() })));
    let sandbox = Sandbox::start(vec![Arc::clone(&world)], SandboxOptions { speed: 0.0, ..SandboxOptions::default() })
        .await
        .expect("a sandbox");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let url = |rest: &str| -> Url {
        let url = rest.replacen(".test", &format!(".test:{}", sandbox.address.port()), 1);
        format!("https://{url}").parse().expect("a URL")
    };
    let http = Http::build(&HttpOptions {
        ca_file: Some(file("ca.pem", &sandbox.ca_pem)),
        timeout: terms.patience.unwrap_or(Duration::from_secs(20)),
        sandbox: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ..HttpOptions::default()
    })
    .expect("a client");
    let clock: Arc<dyn Clock> = Arc::new(WorldClock(Arc::clone(&world)));
    let (tenant_id, client_id) = (settings.directory.clone(), settings.azure_client_id.clone());
    let credential = AzureCredential::ClientSecret {
        application: Application { tenant_id, client_id },
        secret: SecretFile::new(file("azure", &settings.azure_client_secret)),
    };
    let login = AzureOptions { authority: url("login.sandbox.test"), credential, metadata: None };
    let login = AzureLogin::new(login, &http, Arc::clone(&clock), Arc::new(SystemClock)).expect("a login");
    let login: Arc<dyn Login> = Arc::new(login);
    let greenlake = GreenLakeOptions {
        url: url("sps.sandbox.test/v1alpha1"),
        auth: Auth::Client(ClientCredentials {
            flavour: match settings.login {
                LoginKind::Glcs => Flavour::Glcs,
                LoginKind::GlcsLegacy => Flavour::GlcsLegacy { tenant_id: settings.tenant.clone() },
                LoginKind::Glp => Flavour::Glp,
            },
            issuer: url(&match settings.login {
                LoginKind::Glcs => format!("iam.sandbox.test/oauth2/{}/aus1", settings.tenant),
                LoginKind::GlcsLegacy => "iam.sandbox.test/api/iam/identity".to_owned(),
                LoginKind::Glp => format!("iam.sandbox.test/authorization/v2/oauth2/{}/token", settings.tenant),
            }),
            client_id: settings.client_id.clone(),
            client_secret: SecretFile::new(file("hpe", &settings.client_secret)),
        }),
        reading: Reading { assumed_lifetime: terms.assumed_lifetime, ..Reading::default() },
    };
    let keyvault = KeyVaultOptions {
        url: url(&format!("{}.vault.sandbox.test", settings.vault)),
        secret: settings.secret.clone(),
    };
    let graph = GraphOptions {
        url: url("graph.sandbox.test"),
        scope: None,
        principal: match terms.by_app_id {
            true => PrincipalId::Application(settings.app_id.parse().expect("a UUID")),
            false => PrincipalId::Object(settings.service_principal.parse().expect("a UUID")),
        },
        job_id: terms.job_id,
        tenant_url: settings.tenant_url.clone(),
    };
    let scim = ScimOptions { tenant_url: url("sps.sandbox.test/v1alpha1/scimproxy") };
    FarSide {
        issuer: Arc::new(GreenLake::new(greenlake, http.clone(), Arc::clone(&clock)).expect("an issuer")),
        vault: Arc::new(
            KeyVault::new(keyvault, Arc::new(Clients::new(http.clone(), Arc::clone(&login)))).expect("a vault"),
        ),
        provisioner: Arc::new(Graph::new(graph, http.clone(), login, clock).expect("a provisioner")),
        probe: Arc::new(ScimProbe::new(scim, http)),
        behind: world,
        held: Box::new((sandbox, folder)),
    }
}

/// The daemon's clock, which goes with the world's.
struct WorldClock(Arc<Mutex<World>>);

#[async_trait]
impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now()
    }

    fn elapsed(&self) -> TimeDelta {
        self.now() - Timestamp::UNIX_EPOCH
    }

    async fn sleep(&self, duration: Duration) {
        panic!("an edge waits for {duration:?}: only the engine may")
    }
}

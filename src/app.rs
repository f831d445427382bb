//! Puts the parts together: the only file that names every concrete edge.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config::{
    self, ApiClient, Common, Config, ConnectionConfig, Credential, Credentials, HpeAuth, Issuing, TokenService,
};
use crate::doctor::{Bearer, Questions, Subject};
use crate::domain::Bootstrap;
use crate::edge::azure::{Application, AzureCredential, AzureLogin, AzureOptions, CertificateFiles, WhichIdentity};
use crate::edge::clock::{SandboxClock, SystemClock};
use crate::edge::graph::{Graph, GraphOptions, ObjectId};
use crate::edge::greenlake::{Auth, BearerCommand, ClientCredentials, Flavour, GreenLake, GreenLakeOptions, Reading};
use crate::edge::http::{Http, HttpOptions, Tally};
use crate::edge::keyvault::{Clients, KeyVault, KeyVaultOptions};
use crate::edge::login::{Login, LoginBearer};
use crate::edge::scim::{ScimOptions, ScimProbe};
use crate::edge::supplied::Supplied;
use crate::edge::way::HttpWays;
use crate::edge::webhook::FileWebhook;
use crate::engine::fleet::{Identity, Make};
use crate::engine::{Claims, Connection, Limits, Means, Ports, Spec, Tenants, Turns};
use crate::first_contact;
use crate::init::Lookup;
use crate::notify::{Audience, Heartbeat, Receiver, Webhook};
use crate::ports::{Clock, Issuer, Vault};
use crate::sane_clock::SaneClock;
use crate::secret_file::SecretFile;

/// What outlives a reload: what connections know of each other, and what is counted.
#[derive(Clone)]
pub struct Shared {
    /// Who speaks for which tenant of the issuer.
    pub tenants: Arc<Tenants>,
    /// Who may rotate at the same time.
    pub turns: Arc<Turns>,
    /// How the requests to each service have ended.
    pub calls: Calls,
    /// What is learned of it by one is known to all.
    pub clock: Arc<dyn Clock>,
}

impl Shared {
    /// Of a process that begins with this configuration.
    pub fn of(config: &Config) -> Self {
        Self { tenants: Arc::default(), turns: Arc::default(), calls: Calls::default(), clock: clock(config) }
    }
}

/// A tally of each service, called as its errors call it.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    hpe: Arc<Tally>,
    vault: Arc<Tally>,
    graph: Arc<Tally>,
    login: Arc<Tally>,
    scim: Arc<Tally>,
}

impl Calls {
    /// Every service.
    pub fn services(&self) -> [(&'static str, &Tally); 5] {
        [
            ("HPE", &self.hpe),
            ("Key Vault", &self.vault),
            ("Microsoft Graph", &self.graph),
            ("Entra login", &self.login),
            ("SCIM endpoint", &self.scim),
        ]
    }
}

/// What all connections of a process are made of.
pub struct App {
    http: Http,
    graph_login: Arc<dyn Login>,
    vault_login: Arc<dyn Login>,
    vaults: Arc<Clients>,
    graph: Url,
    graph_scope: Option<String>,
    clock: Arc<dyn Clock>,
    shared: Shared,
    limits: Limits,
    holder: String,
    /// What of the configuration is common to all, with a digest of the CA file's content: a change of it changes every
    /// connection.
    common: String,
}

impl App {
    /// Builds the one HTTP client and the login. Reads the CA file; sends nothing.
    pub fn build(config: &Config, shared: Shared) -> anyhow::Result<Self> {
        let clock = Arc::clone(&shared.clock);
        // Read before the client reads it: a change in between shows at the next reload.
        let ca = config
            .http
            .ca_file
            .as_ref()
            .filter(|file| file.is_file())
            .map(|file| digest(32, &[&std::fs::read(file).unwrap_or_default()]));
        let http = Http::build(&HttpOptions {
            proxy: config.http.proxy.proxy().cloned(),
            ca_file: config.http.ca_file.clone(),
            dns_timeout: config.http.dns_timeout,
            connect_timeout: config.http.connect_timeout,
            timeout: config.http.timeout,
            idle_timeout: config.http.idle_timeout,
            sandbox: config.sandbox.as_ref().map(|sandbox| sandbox.address),
        })
        .context("the HTTP client cannot be built")?;
        tracing::info!("requests go {}", config.http.proxy);
        let log_in = |credential: &Credential| {
            let options = AzureOptions {
                authority: config.azure.authority.clone(),
                credential: azure_credential(credential),
                metadata: config.sandbox.as_ref().and_then(|sandbox| sandbox.metadata),
            };
            AzureLogin::new(options, &http.counted_by(&shared.calls.login), Arc::clone(&clock), Arc::new(SystemClock))
                .map(|login| Arc::new(login) as Arc<dyn Login>)
                .context("[azure] cannot be used")
        };
        let (graph_login, vault_login) = match &config.azure.credentials {
            Credentials::One(both) => log_in(both).map(|login| (Arc::clone(&login), login))?,
            Credentials::Two { graph, vault } => (log_in(graph)?, log_in(vault)?),
        };
        Ok(Self {
            vaults: Arc::new(Clients::new(http.counted_by(&shared.calls.vault), Arc::clone(&vault_login))),
            http,
            graph_login,
            vault_login,
            graph: config.azure.graph.clone(),
            graph_scope: config.azure.graph_scope.clone(),
            clock,
            shared,
            limits: Limits {
                at_once: config.rotations.at_once as usize,
                at_once_per_host: config.rotations.at_once_per_host as usize,
            },
            holder: holder(&config.runtime_dir),
            common: format!("{:?}{:?}{:?}{ca:?}", config.azure, config.http, config.sandbox),
        })
    }

    /// Everybody who is told of what happens.
    pub fn audience(&self, config: &Config) -> Audience {
        let webhook = |url: &SecretFile| Arc::new(FileWebhook::new(url.clone(), self.http.clone())) as Arc<dyn Webhook>;
        let receiver = |it: &config::Receiver| Receiver::new(&it.name, it.form, &it.events, webhook(&it.url));
        let heartbeat = config.heartbeat.as_ref();
        let heartbeat = heartbeat.map(|beat| Heartbeat { webhook: webhook(&beat.url), every: beat.every });
        Audience { receivers: config.receivers.iter().map(receiver).collect(), heartbeat }
    }

    /// What tells one state of a connection's configuration from another.
    pub fn identity(&self, config: &ConnectionConfig) -> Identity {
        Sha256::new().chain_update(&self.common).chain_update(format!("{config:?}")).finalize().into()
    }

    /// What a connection has for itself.
    pub fn claims(config: &ConnectionConfig) -> Claims {
        let ConnectionConfig { vault, entra, .. } = config;
        let secret = format!("{}{}", vault.url, vault.secret.to_ascii_lowercase());
        let ward = format!("{secret} {:?} {:?}", entra.principal, entra.job_id);
        let all = config::claims(config).map(|claim| number(&claim)).collect();
        Claims { ward: number(&ward), secret: number(&secret), all }
    }

    /// From now on no more rotations are made at the same time than the configuration says.
    pub fn limit_rotations(&self) {
        self.shared.turns.limit(self.limits);
    }

    /// What makes the connection, now and whenever its loop has to begin anew, and its edges at every look.
    pub fn maker(self: &Arc<Self>, config: ConnectionConfig, common: &mut Common) -> anyhow::Result<Make> {
        let name = config.name.clone();
        let told = format!("{config:?}");
        let (app, object_id, kept) = (Arc::clone(self), ObjectId::default(), common.keep(config));
        anyhow::ensure!(
            format!("{:?}", kept.config()) == told,
            "connection {name}: it was not kept as it is configured"
        );
        let made = move || {
            let config = kept.config();
            let ports = app.ports_knowing(&config, &object_id)?;
            anyhow::Ok((Arc::new(app.spec(&config)), ports))
        };
        // What is wrong with a configuration shows whenever anything is made of it.
        made().with_context(|| format!("connection {name}"))?;
        let means: Means =
            Arc::new(move || made().unwrap_or_else(|error| panic!("it was made of the same before: {error:#}")));
        Ok(Arc::new(move |shutdown| Connection::made_by(Arc::clone(&means), shutdown)))
    }

    /// A connection outside the fleet: for one look.
    pub fn connection(&self, config: &ConnectionConfig, shutdown: &CancellationToken) -> anyhow::Result<Connection> {
        let ports = self.ports(config).with_context(|| format!("connection {}", config.name))?;
        Ok(Connection::new(self.spec(config), ports, shutdown.clone()))
    }

    fn spec(&self, config: &ConnectionConfig) -> Spec {
        Spec {
            name: config.name.to_string(),
            policy: config.policy.clone(),
            tenant_url: config.entra.tenant_url.to_string(),
            holder: self.holder.clone(),
            issuer_host: Arc::from(config.issuer.greenlake().and_then(|hpe| hpe.url.host_str()).unwrap_or_default()),
        }
    }

    fn ports(&self, config: &ConnectionConfig) -> anyhow::Result<Ports> {
        self.ports_knowing(config, &ObjectId::default())
    }

    fn ports_knowing(&self, config: &ConnectionConfig, object_id: &ObjectId) -> anyhow::Result<Ports> {
        let ConnectionConfig { issuer, entra, .. } = config;
        let (http, clock, calls) = (&self.http, &self.clock, &self.shared.calls);
        Ok(Ports {
            issuer: self.issuer(issuer)?,
            vault: self.vault(config)?,
            provisioner: Arc::new(self.graph(entra)?.knowing(Arc::clone(object_id))),
            probe: Arc::new(ScimProbe::new(
                ScimOptions { tenant_url: entra.tenant_url.clone() },
                http.counted_by(&calls.scim),
            )),
            clock: Arc::clone(clock),
            tenants: Arc::clone(&self.shared.tenants),
            turns: Arc::clone(&self.shared.turns),
        })
    }

    /// The vault alone: for who only looks back.
    pub fn vault(&self, config: &ConnectionConfig) -> anyhow::Result<Arc<dyn Vault>> {
        let options = KeyVaultOptions { url: config.vault.url.clone(), secret: config.vault.secret.clone() };
        Ok(Arc::new(KeyVault::new(options, Arc::clone(&self.vaults))?))
    }

    /// What `init` looks up; the application of the connection is of no account.
    pub fn lookup(&self, config: &ConnectionConfig) -> anyhow::Result<Arc<dyn Lookup>> {
        Ok(Arc::new(self.graph(&config.entra)?))
    }

    /// What a first contact is made with; none where nobody can be asked for a token.
    pub fn first_contact(&self, config: &ConnectionConfig) -> anyhow::Result<Option<first_contact::Parts>> {
        let Some(hpe) = config.issuer.greenlake() else { return Ok(None) };
        let hpe = Arc::new(self.greenlake(hpe)?);
        let ports = Ports { issuer: Arc::<GreenLake>::clone(&hpe), ..self.ports(config)? };
        let validation = Arc::new(self.graph(&config.entra)?);
        Ok(Some(first_contact::Parts { spec: self.spec(config), ports, answered: hpe, validation }))
    }

    /// What the doctor knows of a connection, and whom it asks.
    pub fn doctor(&self, azure: &config::Azure, config: &ConnectionConfig) -> anyhow::Result<(Subject, Questions)> {
        let ConnectionConfig { name, issuer, vault, entra, policy, .. } = config;
        let Ports { vault: keyvault, provisioner, probe, clock, .. } = self.ports(config)?;
        let hpe = issuer.greenlake();
        let (graph_login, vault_login) = match &azure.credentials {
            Credentials::One(both) => (both, both),
            Credentials::Two { graph, vault } => (graph, vault),
        };
        let login = |credential: &Credential| credential.asks_authority().then(|| azure.authority.clone());
        let graph_scope = self.graph_scope.clone();
        let graph_scope = graph_scope.unwrap_or_else(|| scope(&self.graph.origin().ascii_serialization()));
        // What is common to the names of all vaults of a cloud is what their tokens are made out to.
        let vaults = vault.url.host_str().and_then(|host| host.split_once('.')).unwrap_or_default().1;
        let bearer = |login, scope| Arc::new(LoginBearer { login: Arc::clone(login), scope });
        let hpe_bearer = hpe.map(|hpe| self.greenlake(hpe).map(|hpe| Arc::new(hpe) as Arc<dyn Bearer>)).transpose()?;
        let questions = Questions {
            ways: Arc::new(HttpWays::new(self.http.clone(), Arc::clone(&self.clock))),
            graph_bearer: bearer(&self.graph_login, graph_scope),
            vault_bearer: bearer(&self.vault_login, scope(&format!("https://{vaults}"))),
            hpe_bearer,
            vault: keyvault,
            provisioner,
            directory: Arc::new(self.graph(entra)?),
            probe,
            clock,
        };
        let subject = Subject {
            name: name.to_string(),
            graph_login: login(graph_login),
            vault_login: login(vault_login),
            graph: self.graph.clone(),
            vault: vault.url.clone(),
            secret: vault.secret.clone(),
            hpe: hpe.map(|hpe| hpe.url.clone()),
            hpe_login: hpe.and_then(|hpe| match &hpe.auth {
                HpeAuth::Client(client) => Some(client.issuer.clone()),
                HpeAuth::File(_) | HpeAuth::Command(_) => None,
            }),
            tenant_url: entra.tenant_url.clone(),
            service_principal_id: entra.principal,
            tries_foreign: policy.accept_supplied || policy.bootstrap == Some(Bootstrap::Adopt),
        };
        Ok((subject, questions))
    }

    fn graph(&self, entra: &config::EntraApp) -> anyhow::Result<Graph> {
        let options = GraphOptions {
            url: self.graph.clone(),
            scope: self.graph_scope.clone(),
            principal: entra.principal,
            job_id: entra.job_id.clone(),
            tenant_url: entra.tenant_url.to_string(),
        };
        let (login, clock) = (Arc::clone(&self.graph_login), Arc::clone(&self.clock));
        Ok(Graph::new(options, self.http.counted_by(&self.shared.calls.graph), login, clock)?)
    }

    fn issuer(&self, issuer: &Issuing) -> anyhow::Result<Arc<dyn Issuer>> {
        Ok(match issuer {
            Issuing::Supplied { assumed_lifetime } => Arc::new(Supplied { assumed_lifetime: *assumed_lifetime }),
            Issuing::GreenLake(issuer) => Arc::new(self.greenlake(issuer)?),
        })
    }

    fn greenlake(&self, issuer: &config::GreenLake) -> anyhow::Result<GreenLake> {
        let options = GreenLakeOptions {
            url: issuer.url.clone(),
            auth: auth(&issuer.auth),
            reading: Reading {
                token_pointer: issuer.token_pointer.clone(),
                expiry_pointer: issuer.expiry_pointer.clone(),
                assumed_lifetime: issuer.assumed_lifetime,
            },
        };
        Ok(GreenLake::new(options, self.http.counted_by(&self.shared.calls.hpe), Arc::clone(&self.clock))?)
    }
}

/// Whether the CA file, where one is named, can be read and holds certificates.
pub fn check_ca_file(config: &Config) -> anyhow::Result<()> {
    Ok(config.http.ca_file.as_deref().map_or(Ok(()), crate::edge::http::check_ca_file)?)
}

/// The same for the same text, and hardly ever for another.
fn number(text: &str) -> u64 {
    Sha256::digest(text).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// What a token for this resource is asked for.
fn scope(resource: &str) -> String {
    format!("{resource}/.default")
}

/// Whence the bearer for HPE comes.
fn auth(auth: &HpeAuth) -> Auth {
    match auth.clone() {
        HpeAuth::File(file) => Auth::File(file),
        HpeAuth::Command(config::BearerCommand { program, arguments, time_limit }) => {
            Auth::Command(BearerCommand { program, arguments, time_limit })
        }
        HpeAuth::Client(ApiClient { service, issuer, client_id, client_secret }) => {
            let flavour = match service {
                TokenService::Glcs => Flavour::Glcs,
                TokenService::GlcsLegacy { tenant_id } => Flavour::GlcsLegacy { tenant_id },
                TokenService::Glp => Flavour::Glp,
            };
            Auth::Client(ClientCredentials { flavour, issuer, client_id, client_secret })
        }
    }
}

fn azure_credential(credential: &Credential) -> AzureCredential {
    let of = |application: &config::Application| Application {
        tenant_id: application.tenant_id.to_string(),
        client_id: application.client_id.to_string(),
    };
    match credential {
        Credential::ManagedIdentity(which) => AzureCredential::ManagedIdentity(match which {
            config::WhichIdentity::System => WhichIdentity::System,
            config::WhichIdentity::Client(id) => WhichIdentity::Client(id.to_string()),
            config::WhichIdentity::Object(id) => WhichIdentity::Object(id.to_string()),
            config::WhichIdentity::Resource(id) => WhichIdentity::Resource(id.clone()),
        }),
        Credential::AzureArc { endpoint, key_folder } => {
            AzureCredential::Arc { endpoint: endpoint.clone(), key_folder: key_folder.clone() }
        }
        Credential::WorkloadIdentity { application, token } => {
            AzureCredential::WorkloadIdentity { application: of(application), token: token.clone() }
        }
        Credential::ClientSecret { application, secret } => {
            AzureCredential::ClientSecret { application: of(application), secret: secret.clone() }
        }
        Credential::ClientCertificate { application, certificate, key, password } => {
            let files =
                CertificateFiles { certificate: certificate.clone(), key: key.clone(), password: password.clone() };
            AzureCredential::ClientCertificate { application: of(application), files }
        }
        Credential::AzureCli { tenant_id, subscription } => {
            AzureCredential::Cli { tenant_id: tenant_id.map(|id| id.to_string()), subscription: subscription.clone() }
        }
    }
}

/// The clock that everything goes by.
pub fn clock(config: &Config) -> Arc<dyn Clock> {
    Arc::new(SaneClock::over(match &config.sandbox {
        None => Arc::new(SystemClock),
        Some(sandbox) => {
            let anchor = sandbox.clock_anchor.unwrap_or_else(|| SystemClock.now());
            Arc::new(SandboxClock { anchor, speed: sandbox.clock_speed })
        }
    }))
}

/// Which process, where. The same after a restart on the same host, so that a process takes up its own rotation at once;
/// the lock in the runtime directory keeps two from bearing one name.
pub fn holder(runtime_dir: &Path) -> String {
    let name = rustix::system::uname();
    let host = host(&name.nodename().to_string_lossy(), Path::new("/etc/machine-id"));
    format!("{host}/{}", digest(3, &[runtime_dir.as_os_str().as_encoded_bytes()]))
}

/// The host's name, as the kernel says it (a sandbox may hide what stands in `/proc`); for one without a name of its own, a
/// name drawn from the id of its installation. That id is not to be shown to anybody, so it is hashed together with ours.
fn host(name: &str, machine_id: &Path) -> String {
    let name: String = name.chars().filter(char::is_ascii_graphic).take(48).collect();
    if !["", "(none)", "localhost"].contains(&name.as_str()) {
        return name;
    }
    match std::fs::read_to_string(machine_id).unwrap_or_default().trim() {
        "" | "uninitialized" => "unnamed-host".to_owned(),
        id => format!("machine-{}", digest(6, &[b"scim-rotator holder\0", id.as_bytes()])),
    }
}

/// The first `bytes` of a SHA-256, in hex.
fn digest(bytes: usize, parts: &[&[u8]]) -> String {
    let digest = parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part)).finalize();
    digest.iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_a_name_is_called_by_a_hash_of_its_machine_id_and_never_by_the_id() {
        const ID: &str = "0123456789abcdef0123456789abcdef";
        let folder = tempfile::tempdir().unwrap();
        let host = |name: &str, id: Option<&str>| {
            let machine_id = folder.path().join("machine-id");
            let _absent = std::fs::remove_file(&machine_id);
            id.iter().for_each(|id| std::fs::write(&machine_id, id).unwrap());
            super::host(name, &machine_id)
        };
        assert_eq!(host("prod-7", Some(ID)), "prod-7");
        let drawn = host("", Some(ID));
        assert!(drawn.starts_with("machine-") && drawn.len() == 20, "{drawn}");
        for nameless in ["", "(none)", "localhost"] {
            assert_eq!(host(nameless, Some(&format!("{ID}\n"))), drawn);
        }
        let other = host("", Some("fedcba9876543210fedcba9876543210"));
        assert_ne!(other, drawn);
        assert!(!ID.as_bytes().windows(8).any(|piece| drawn.as_bytes().windows(8).any(|p| p == piece)));
        for absent in [None, Some(""), Some("uninitialized\n")] {
            assert_eq!(host("", absent), "unnamed-host");
        }
    }

    #[test]
    fn two_processes_of_one_host_are_told_apart_by_their_runtime_folders() {
        let [one, same, other] = ["/run/a", "/run/a", "/run/b"].map(|folder| holder(Path::new(folder)));
        assert_eq!(one, same);
        assert_ne!(one, other);
    }
}

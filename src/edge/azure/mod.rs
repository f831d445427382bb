//! The login to Entra, for vault and Graph alike: every way to be somebody in Azure, one file each where it is ours.
//!
//! `azure_identity` makes the requests where it can. Its caches keep a revoked bearer until it expires, and refuse one
//! that still lives while Entra is away, so each login here is made anew, from the files as they are now, and what it gave
//! is kept by our own `cache`. Nothing is ever tried in turn: who this is stands in the configuration.

mod arc;
mod assertion;
mod cache;
mod certificate;
mod cli;
mod der;
mod encryption;
mod errors;
mod federated;
mod pfx;
mod refused;
mod transport;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use self::arc::ArcLogin;
use self::assertion::SignedAssertion;
use self::cache::Cache;
pub use self::certificate::{BadCertificate, CertificateFiles};
use self::federated::FederatedToken;
pub use self::refused::Refused;
use self::transport::LoginTransport;
use super::http::{BuildError, Http, Reach, SdkTransport, shown};
use super::login::{Login, LoginFailed, failed_login};
use crate::ports::{CallError, Clock};
use crate::secret_file::SecretFile;

/// The time that a whole login may take, where the limit of one request is not longer: a silent metadata service is waited
/// for without end otherwise, and the Azure CLI is slow.
const LEAST_LIMIT: Duration = Duration::from_secs(30);
const SERVICE: &str = "Entra login";

/// How to log in.
#[derive(Clone, Debug)]
pub struct AzureOptions {
    /// The cloud's login host, https (`https://login.microsoftonline.com`).
    pub authority: Url,
    /// As whom.
    pub credential: AzureCredential,
    /// What stands in for 169.254.169.254, in a sandbox alone.
    pub metadata: Option<SocketAddr>,
}

/// An app registration, or a managed identity that trusts somebody else's tokens.
#[derive(Clone, Debug)]
pub struct Application {
    /// The tenant (directory) id.
    pub tenant_id: String,
    /// The application (client) id.
    pub client_id: String,
}

/// Which of a machine's managed identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhichIdentity {
    /// The machine's own.
    System,
    /// The user-assigned one with this client id.
    Client(String),
    /// The user-assigned one with this object (principal) id.
    Object(String),
    /// The user-assigned one with this Azure resource id. App Service does not take it.
    Resource(String),
}

/// As whom to log in.
#[derive(Clone, Debug)]
pub enum AzureCredential {
    /// The identity of an Azure machine (IMDS), or of an App Service or Container App (`IDENTITY_ENDPOINT` and
    /// `IDENTITY_HEADER`, as the platform sets them).
    ManagedIdentity(WhichIdentity),
    /// The identity of a machine elsewhere that Azure Arc has taken in.
    Arc {
        /// The agent's endpoint, on this machine.
        endpoint: Url,
        /// The one folder in which the agent's key files are.
        key_folder: PathBuf,
    },
    /// A pod: Kubernetes vouches for it by a token in a file.
    WorkloadIdentity {
        /// Whom the token stands for.
        application: Application,
        /// The projected service account token; read anew at every login.
        token: SecretFile,
    },
    /// An app registration with a client secret.
    ClientSecret {
        /// Which.
        application: Application,
        /// The secret's value; read anew at every login.
        secret: SecretFile,
    },
    /// An app registration with a certificate.
    ClientCertificate {
        /// Which.
        application: Application,
        /// Certificate and private key; read anew at every login.
        files: CertificateFiles,
    },
    /// Whoever has logged in with the Azure CLI.
    Cli {
        /// The tenant; none means the one that the CLI is in.
        tenant_id: Option<String>,
        /// The subscription; none means the one that the CLI is in.
        subscription: Option<String>,
    },
}

impl AzureCredential {
    /// The application that this process itself logs in as.
    fn application(&self) -> Option<&Application> {
        match self {
            Self::WorkloadIdentity { application, .. }
            | Self::ClientSecret { application, .. }
            | Self::ClientCertificate { application, .. } => Some(application),
            Self::ManagedIdentity(_) | Self::Arc { .. } | Self::Cli { .. } => None,
        }
    }
}

/// Why there is no login.
#[derive(Debug, thiserror::Error)]
pub enum AzureError {
    /// A secret would go out in the clear.
    #[error("the authority {0} must begin with https://")]
    NotHttps(String),
    /// The client for the machine's identity endpoint cannot be built.
    #[error(transparent)]
    Http(#[from] BuildError),
}

/// A login. Who shares one shares its bearers, and one `renew` is seen by all.
pub struct AzureLogin {
    options: AzureOptions,
    transport: Arc<LoginTransport>,
    cache: Cache,
    /// The far side's time: what an assertion is dated by, and a certificate judged.
    clock: Arc<dyn Clock>,
    /// The machine's own time, by which the SDK counts the life of its tokens even in a sandbox.
    machine: Arc<dyn Clock>,
}

impl fmt::Debug for AzureLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureLogin").field("options", &self.options).finish_non_exhaustive()
    }
}

impl AzureLogin {
    /// Prepares the login. Nothing is read and nothing is sent yet. `machine` is the machine's own clock, whatever
    /// `clock` is.
    pub fn new(
        options: AzureOptions,
        http: &Http,
        clock: Arc<dyn Clock>,
        machine: Arc<dyn Clock>,
    ) -> Result<Self, AzureError> {
        if options.authority.scheme() != "https" {
            return Err(AzureError::NotHttps(options.authority.to_string()));
        }
        let transport = match &options.credential {
            AzureCredential::ManagedIdentity(_) | AzureCredential::Arc { .. } => {
                SdkTransport::new(http.local()?, Reach::ThisMachine)
            }
            _ => SdkTransport::new(http.clone(), Reach::Origin(options.authority.origin())),
        };
        let transport = Arc::new(LoginTransport::new(transport, &options.credential, options.metadata));
        let cache = Cache::new(Arc::clone(&machine), whole(http.options().timeout));
        Ok(Self { options, transport, cache, clock, machine })
    }

    async fn token(&self, scopes: &[&str]) -> Result<AccessToken, CallError> {
        let scope = scopes.join(" ");
        self.cache.get(&scope, || self.log_in(scopes), || errors::overdue(&self.place(), self.who())).await
    }

    /// One login, with everything as it is now.
    async fn log_in(&self, scopes: &[&str]) -> Result<AccessToken, CallError> {
        let credential: Arc<dyn TokenCredential> = match &self.options.credential {
            AzureCredential::Arc { endpoint, key_folder } => {
                let arc = ArcLogin { endpoint, key_folder, transport: &self.transport, machine: &*self.machine };
                return arc.log_in(scopes).await;
            }
            AzureCredential::Cli { tenant_id, subscription } => {
                return cli::log_in(scopes, tenant_id.clone(), subscription.clone()).await;
            }
            AzureCredential::ManagedIdentity(which) => {
                let user_assigned_id = match which.clone() {
                    WhichIdentity::System => None,
                    WhichIdentity::Client(id) => Some(UserAssignedId::ClientId(id)),
                    WhichIdentity::Object(id) => Some(UserAssignedId::ObjectId(id)),
                    WhichIdentity::Resource(id) => Some(UserAssignedId::ResourceId(id)),
                };
                let options =
                    ManagedIdentityCredentialOptions { user_assigned_id, client_options: self.client_options() };
                ManagedIdentityCredential::new(Some(options)).map_err(|error| errors::unusable(&error))?
            }
            AzureCredential::ClientSecret { application, secret } => {
                let secret = secret.read().map_err(errors::unreadable)?;
                let secret = Secret::new(secret.expose_secret().to_owned());
                let options = ClientSecretCredentialOptions { client_options: self.client_options() };
                let Application { tenant_id, client_id } = application;
                ClientSecretCredential::new(tenant_id, client_id.clone(), secret, Some(options))
                    .map_err(|error| errors::unusable(&error))?
            }
            AzureCredential::WorkloadIdentity { application, token } => {
                self.by_assertion(application, FederatedToken(token.clone()))?
            }
            AzureCredential::ClientCertificate { application, files } => {
                let audience = self.token_url(application);
                let assertion = SignedAssertion {
                    files: files.clone(),
                    client_id: application.client_id.clone(),
                    audience,
                    clock: Arc::clone(&self.clock),
                };
                self.by_assertion(application, assertion)?
            }
        };
        let unexplained = |error: &azure_core::Error| errors::unexplained(&self.place(), self.who(), error);
        credential.get_token(scopes, None).await.map_err(|e| failed_login(&e).unwrap_or_else(|| unexplained(&e)))
    }

    fn by_assertion(
        &self,
        application: &Application,
        assertion: impl ClientAssertion + 'static,
    ) -> Result<Arc<dyn TokenCredential>, CallError> {
        let options = ClientAssertionCredentialOptions { client_options: self.client_options() };
        let Application { tenant_id, client_id } = application.clone();
        match ClientAssertionCredential::new(tenant_id, client_id, assertion, Some(options)) {
            Ok(credential) => Ok(credential),
            Err(error) => Err(errors::unusable(&error)),
        }
    }

    fn client_options(&self) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.options.authority.to_string();
        ClientOptions {
            transport: Some(Transport::new(self.transport.clone())),
            retry: RetryOptions::none(),
            cloud: Some(Arc::new(cloud.into())),
            ..ClientOptions::default()
        }
    }

    /// Where Entra gives tokens to an application, which is also whom an assertion is made out to.
    fn token_url(&self, application: &Application) -> String {
        format!("{}{}/oauth2/v2.0/token", shown(&self.options.authority), application.tenant_id)
    }

    fn who(&self) -> errors::Who {
        errors::Who::of(&self.options.credential)
    }

    /// What is asked, for messages.
    fn place(&self) -> String {
        match &self.options.credential {
            AzureCredential::ClientSecret { application, .. }
            | AzureCredential::ClientCertificate { application, .. }
            | AzureCredential::WorkloadIdentity { application, .. } => {
                format!("POST {}", self.token_url(application))
            }
            AzureCredential::ManagedIdentity(_) => "GET the machine's identity endpoint".to_owned(),
            AzureCredential::Arc { endpoint, .. } => format!("GET {}", shown(endpoint)),
            AzureCredential::Cli { .. } => cli::COMMAND.to_owned(),
        }
    }
}

#[async_trait]
impl TokenCredential for AzureLogin {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let failed = |call| azure_core::Error::new(ErrorKind::Credential, LoginFailed(call));
        self.token(scopes).await.map_err(failed)
    }
}

#[async_trait]
impl Login for AzureLogin {
    async fn bearer(&self, scope: &str) -> Result<SecretString, CallError> {
        Ok(SecretString::from(self.token(&[scope]).await?.token.secret().to_owned()))
    }

    fn renew(&self) {
        self.cache.forget();
    }
}

/// The time for a whole login, of whose requests each may take `one`.
fn whole(one: Duration) -> Duration {
    one.max(LEAST_LIMIT)
}

#[cfg(test)]
mod tests;

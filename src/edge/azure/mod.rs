//! The login to Entra, for vault and Graph alike: `azure_identity` over our own client.
//!
//! The SDK keeps a revoked bearer until it expires, waits for minutes on a silent metadata service, and loses the code
//! of a refusal. So every login has a time limit, can be built anew, and reads refusals itself.

mod errors;
mod transport;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_identity::{
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use self::transport::LoginTransport;
use super::http::{BuildError, Http, Reach, SdkTransport};
use super::login::{Login, LoginFailed};
use crate::ports::{CallError, Class};
use crate::secret_file::SecretFile;

/// A silent metadata service is tried for 100 seconds, whatever the retry options say.
const LIMIT: Duration = Duration::from_secs(30);
const SERVICE: &str = "Entra login";

/// How to log in.
#[derive(Clone, Debug)]
pub struct AzureOptions {
    /// The cloud's login host, https (`https://login.microsoftonline.com`).
    pub authority: Url,
    /// As whom.
    pub credential: AzureCredential,
}

/// As whom to log in.
#[derive(Clone, Debug)]
pub enum AzureCredential {
    /// An app registration with a client secret.
    ClientSecret {
        /// The tenant (directory) id.
        tenant_id: String,
        /// The application (client) id.
        client_id: String,
        /// The secret's value; read anew with every new credential.
        secret: SecretFile,
    },
    /// The identity of the machine or container.
    ManagedIdentity {
        /// Which one, where there are several.
        client_id: Option<String>,
    },
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

/// The login. One for all edges, so that one `renew` is seen by all.
pub struct AzureLogin {
    options: AzureOptions,
    transport: Arc<LoginTransport>,
    credential: Mutex<Option<Arc<dyn TokenCredential>>>,
}

impl fmt::Debug for AzureLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureLogin").field("options", &self.options).finish_non_exhaustive()
    }
}

impl AzureLogin {
    /// Prepares the login. Nothing is read and nothing is sent yet.
    pub fn new(options: AzureOptions, http: &Http) -> Result<Self, AzureError> {
        if options.authority.scheme() != "https" {
            return Err(AzureError::NotHttps(options.authority.to_string()));
        }
        let transport = match &options.credential {
            AzureCredential::ClientSecret { .. } => {
                SdkTransport::new(http.clone(), Reach::Origin(options.authority.origin()))
            }
            AzureCredential::ManagedIdentity { .. } => SdkTransport::new(http.local()?, Reach::ThisMachine),
        };
        let transport = Arc::new(LoginTransport::new(transport));
        Ok(Self { options, transport, credential: Mutex::new(None) })
    }

    /// The credential, and whether it has just been built (from the secret as the file holds it now).
    fn credential(&self) -> Result<(Arc<dyn TokenCredential>, bool), CallError> {
        let mut slot = self.credential.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = &*slot {
            return Ok((credential.clone(), false));
        }
        let credential = self.build()?;
        *slot = Some(credential.clone());
        Ok((credential, true))
    }

    fn build(&self) -> Result<Arc<dyn TokenCredential>, CallError> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.options.authority.to_string();
        let client_options = ClientOptions {
            transport: Some(Transport::new(self.transport.clone())),
            retry: RetryOptions::none(),
            cloud: Some(Arc::new(cloud.into())),
            ..ClientOptions::default()
        };
        let built: azure_core::Result<Arc<dyn TokenCredential>> = match &self.options.credential {
            AzureCredential::ClientSecret { tenant_id, client_id, secret } => {
                let secret = secret.read().map_err(errors::no_secret)?;
                let secret = Secret::new(secret.expose_secret().to_owned());
                let options = ClientSecretCredentialOptions { client_options };
                ClientSecretCredential::new(tenant_id, client_id.clone(), secret, Some(options)).map(|it| it as _)
            }
            AzureCredential::ManagedIdentity { client_id } => {
                let user_assigned_id = client_id.clone().map(UserAssignedId::ClientId);
                let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
                ManagedIdentityCredential::new(Some(options)).map(|it| it as _)
            }
        };
        built.map_err(|error| errors::unusable(&error))
    }

    async fn log_in(&self, scope: &[&str]) -> Result<AccessToken, CallError> {
        loop {
            let (credential, is_new) = self.credential()?;
            self.transport.forget();
            let error = match tokio::time::timeout(LIMIT, credential.get_token(scope, None)).await {
                Ok(Ok(token)) => return Ok(token),
                Ok(Err(error)) => errors::sort(&self.options, self.transport.refusal(), &error),
                Err(_) => errors::overdue(&self.options),
            };
            // A refused secret may have been replaced in its file since this credential was built: read it once more.
            if error.class != Class::Human {
                return Err(error);
            }
            self.renew();
            if is_new {
                return Err(error);
            }
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
        self.log_in(scopes).await.map_err(failed)
    }
}

#[async_trait]
impl Login for AzureLogin {
    async fn bearer(&self, scope: &str) -> Result<SecretString, CallError> {
        Ok(SecretString::from(self.log_in(&[scope]).await?.token.secret().to_owned()))
    }

    fn renew(&self) {
        *self.credential.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests;

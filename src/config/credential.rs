//! Who the daemon is in Azure: `{ kind = "…" }`. Spelled out, and never guessed by trying one after the other.

use std::path::{Path, PathBuf};

use url::{Host, Url};
use uuid::Uuid;

use super::raw::{Scalar, Section};
use super::{Environment, Folder, scalar};
use crate::secret_file::SecretFile;

/// Who this daemon is towards Entra.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The identity of the Azure machine or container it runs in.
    ManagedIdentity(WhichIdentity),
    /// The identity of a machine that Azure Arc has taken in.
    AzureArc {
        /// The agent's endpoint, on this machine.
        endpoint: Url,
        /// The one folder that key files are read from.
        key_folder: PathBuf,
    },
    /// A pod that Kubernetes vouches for.
    WorkloadIdentity {
        /// Whom it stands for.
        application: Application,
        /// The file with the token of its service account.
        token: SecretFile,
    },
    /// An app registration with a client secret.
    ClientSecret {
        /// Which.
        application: Application,
        /// The file that holds the client secret.
        secret: SecretFile,
    },
    /// An app registration with a certificate.
    ClientCertificate {
        /// Which.
        application: Application,
        /// PEM or PFX: the certificate, and the private key unless it has a file of its own.
        certificate: SecretFile,
        /// PEM: the private key.
        key: Option<SecretFile>,
        /// The password of the PFX, or of the key.
        password: Option<SecretFile>,
    },
    /// Whoever has logged in with the Azure CLI.
    AzureCli {
        /// In which tenant, unless it is the CLI's own.
        tenant_id: Option<Uuid>,
        /// With which subscription, unless it is the CLI's own.
        subscription: Option<String>,
    },
}

/// Which of a machine's identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhichIdentity {
    /// The system-assigned one.
    System,
    /// A user-assigned one, by client id.
    Client(Uuid),
    /// A user-assigned one, by object id.
    Object(Uuid),
    /// A user-assigned one, by its id as an Azure resource.
    Resource(String),
}

/// An application of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The Entra tenant.
    pub tenant_id: Uuid,
    /// The app registration, or the managed identity.
    pub client_id: Uuid,
}

impl Credential {
    /// Whether this process itself asks Entra's login; for the others the machine's own endpoint or the CLI does.
    pub fn asks_authority(&self) -> bool {
        match self {
            Self::WorkloadIdentity { .. } | Self::ClientSecret { .. } | Self::ClientCertificate { .. } => true,
            Self::ManagedIdentity(_) | Self::AzureArc { .. } | Self::AzureCli { .. } => false,
        }
    }

    /// Every file that holds a secret of it, and whose permissions are the business of whoever configures it. Kubernetes
    /// writes a pod's token for all in the pod, and a certificate without its key is public.
    pub fn secret_files(&self) -> Vec<&SecretFile> {
        match self {
            Self::ManagedIdentity(_)
            | Self::AzureArc { .. }
            | Self::WorkloadIdentity { .. }
            | Self::AzureCli { .. } => Vec::new(),
            Self::ClientSecret { secret, .. } => vec![secret],
            Self::ClientCertificate { certificate, key, password, .. } => {
                [Some(key.as_ref().unwrap_or(certificate)), password.as_ref()].into_iter().flatten().collect()
            }
        }
    }
}

const KINDS: &str = "\"managed-identity\", \"azure-arc\", \"workload-identity\", \"client-certificate\", \"client-secret\" or \
                     \"azure-cli\"";
/// Where the Azure Connected Machine agent listens, and where it writes its key files.
const ARC_ENDPOINT: &str = "http://127.0.0.1:40342/metadata/identity/oauth2/token";
const ARC_KEYS: &str = "/var/opt/azcmagent/tokens";

#[derive(Clone, Copy)]
enum Kind {
    Managed,
    Arc,
    Workload,
    Certificate,
    Secret,
    Cli,
}

pub(super) fn read(section: &Section<'_>, folder: &Folder<'_>, environment: &Environment) -> Option<Credential> {
    let kind = section.need("kind", &format!("kind = one of {KINDS}"), |value| match scalar::text(value)? {
        "managed-identity" => Ok(Kind::Managed),
        "azure-arc" => Ok(Kind::Arc),
        "workload-identity" => Ok(Kind::Workload),
        "client-certificate" => Ok(Kind::Certificate),
        "client-secret" => Ok(Kind::Secret),
        "azure-cli" => Ok(Kind::Cli),
        _ => Err(format!("is unknown: use {KINDS}")),
    });
    match kind {
        Some(Kind::Managed) => read_identity(section).map(Credential::ManagedIdentity),
        Some(Kind::Arc) => read_arc(section, environment),
        Some(Kind::Workload) => read_workload(section, folder.path, environment),
        Some(Kind::Certificate) => read_certificate(section, folder.path),
        Some(Kind::Secret) => {
            let application = read_application(section);
            let example = "secret_file = \"/…\", the path of a file that holds the client secret";
            let secret = section.need("secret_file", example, scalar::secret_file(folder.path));
            Some(Credential::ClientSecret { application: application?, secret: secret? })
        }
        Some(Kind::Cli) => {
            let what = "the Azure CLI is for a first try by hand: its login ends, and whoever it is may do more than this \
                        daemon should. For the service use one of the others";
            section.report().warning(&section.key("kind"), what);
            let tenant_id = section.get("tenant_id", scalar::uuid);
            let subscription = section.get("subscription", scalar::id(64, "-"));
            let readable = tenant_id.is_some() == section.has("tenant_id");
            let readable = readable && subscription.is_some() == section.has("subscription");
            readable.then_some(Credential::AzureCli { tenant_id, subscription })
        }
        None => {
            section.tolerate_the_rest();
            None
        }
    }
}

fn read_identity(section: &Section<'_>) -> Option<WhichIdentity> {
    const NAMES: [&str; 3] = ["client_id", "object_id", "resource_id"];
    let named = NAMES.map(|name| section.has(name));
    let client = section.get("client_id", scalar::uuid).map(WhichIdentity::Client);
    let object = section.get("object_id", scalar::uuid).map(WhichIdentity::Object);
    let resource = section.get("resource_id", resource_id).map(WhichIdentity::Resource);
    match named.iter().filter(|named| **named).count() {
        0 => Some(WhichIdentity::System),
        1 => client.or(object).or(resource),
        _ => {
            let second = NAMES.iter().zip(named).filter(|(_, named)| *named).nth(1).map_or(NAMES[0], |(name, _)| name);
            section.report().problem(&section.key(second), "the identity is named twice: keep one of the two");
            None
        }
    }
}

fn resource_id(value: Scalar<'_>) -> Result<String, String> {
    let text = scalar::text(value)?;
    let lower = text.to_ascii_lowercase();
    match lower.starts_with("/subscriptions/") && lower.contains("/userassignedidentities/") {
        true => Ok(text.to_owned()),
        false => Err("is no user-assigned identity: it looks like \"/subscriptions/…/resourceGroups/…/providers/\
                      Microsoft.ManagedIdentity/userAssignedIdentities/NAME\""
            .into()),
    }
}

fn read_arc(section: &Section<'_>, environment: &Environment) -> Option<Credential> {
    let endpoint = match (section.has("endpoint"), environment.get("IDENTITY_ENDPOINT")) {
        (true, _) => section.get("endpoint", this_machine),
        // The agent sets it for the whole machine.
        (false, Some(set)) => from_variable(section, "endpoint", "IDENTITY_ENDPOINT", this_machine(Scalar::Text(set))),
        (false, None) => Url::parse(ARC_ENDPOINT).ok(),
    };
    let key_folder = match section.has("key_folder") {
        true => section.get("key_folder", absolute),
        false => Some(PathBuf::from(ARC_KEYS)),
    };
    Some(Credential::AzureArc { endpoint: endpoint?, key_folder: key_folder? })
}

/// An http URL that does not leave this machine.
fn this_machine(value: Scalar<'_>) -> Result<Url, String> {
    const EXAMPLE: &str = "write for example \"http://127.0.0.1:40342/metadata/identity/oauth2/token\"";
    let url = Url::parse(scalar::text(value)?).map_err(|error| format!("is no URL ({error}): {EXAMPLE}"))?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    match url.scheme() == "http" && is_here && is_plain && url.fragment().is_none() {
        true => Ok(url),
        false => Err(format!("is no plain http URL of this machine: {EXAMPLE}")),
    }
}

fn absolute(value: Scalar<'_>) -> Result<PathBuf, String> {
    match PathBuf::from(scalar::text(value)?) {
        path if path.is_absolute() => Ok(path),
        _ => Err(format!("is no absolute path: write for example \"{ARC_KEYS}\"")),
    }
}

/// What is not configured, AKS's own webhook tells the pod.
fn read_workload(section: &Section<'_>, folder: &Path, environment: &Environment) -> Option<Credential> {
    let id = |name, variable, what: &str| match (section.has(name), environment.get(variable)) {
        (false, Some(set)) => from_variable(section, name, variable, scalar::uuid(Scalar::Text(set))),
        _ => section.need(name, &format!("{name} = \"…\", the UUID of {what}, {OR_AKS} {variable}"), scalar::uuid),
    };
    let tenant_id = id("tenant_id", "AZURE_TENANT_ID", "your Entra tenant");
    let client_id = id("client_id", "AZURE_CLIENT_ID", "the managed identity or app registration");
    let (name, variable) = ("token_file", "AZURE_FEDERATED_TOKEN_FILE");
    let token = match (section.has(name), environment.get(variable)) {
        (false, Some(set)) => from_variable(section, name, variable, scalar::secret_file(folder)(Scalar::Text(set))),
        _ => {
            let example =
                format!("token_file = \"/var/run/secrets/azure/tokens/azure-identity-token\", {OR_AKS} {variable}");
            section.need(name, &example, scalar::secret_file(folder))
        }
    };
    let application = Application { tenant_id: tenant_id?, client_id: client_id? };
    Some(Credential::WorkloadIdentity { application, token: token? })
}

const OR_AKS: &str = "or label the pod azure.workload.identity/use: \"true\", so that AKS sets";

fn from_variable<T>(section: &Section<'_>, name: &'static str, variable: &str, parsed: Result<T, String>) -> Option<T> {
    parsed
        .map_err(|what| {
            let what = format!("the environment variable {variable}, which stands in for it, {what}");
            section.report().problem(&section.key(name), what);
        })
        .ok()
}

fn read_certificate(section: &Section<'_>, folder: &Path) -> Option<Credential> {
    let application = read_application(section);
    let example = "certificate_file = \"/…\", the path of a PEM or PFX file that holds certificate and private key";
    let certificate = section.need("certificate_file", example, scalar::secret_file(folder));
    let [key, password] = ["key_file", "password_file"].map(|name| section.get(name, scalar::secret_file(folder)));
    let readable = key.is_some() == section.has("key_file") && password.is_some() == section.has("password_file");
    let (application, certificate) = (application?, certificate?);
    readable.then_some(Credential::ClientCertificate { application, certificate, key, password })
}

fn read_application(section: &Section<'_>) -> Option<Application> {
    let tenant_id = section.need("tenant_id", "tenant_id = \"…\", the UUID of your Entra tenant", scalar::uuid);
    let client_id = section.need("client_id", "client_id = \"…\", the UUID of the app registration", scalar::uuid);
    Some(Application { tenant_id: tenant_id?, client_id: client_id? })
}

//! `[azure]`: which cloud, and who this daemon is there.

use url::Url;
use uuid::Uuid;

use super::Folder;
use super::raw::Section;
use super::scalar;
use crate::secret_file::SecretFile;

/// Which Azure, with whose credentials.
#[derive(Clone, Debug)]
pub struct Azure {
    /// The cloud.
    pub cloud: Cloud,
    /// Who asks.
    pub credential: Credential,
    /// Where tokens for Graph and Key Vault are asked for: scheme and host. The cloud's own unless overridden.
    pub authority: Url,
    /// Microsoft Graph: scheme and host, without a version. The cloud's own unless overridden.
    pub graph: Url,
}

/// One of Microsoft's clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// The one for everybody.
    #[default]
    Public,
    /// US government, GCC High.
    UsGov,
    /// US department of defense.
    UsDod,
    /// Operated by 21Vianet.
    China,
}

impl Cloud {
    /// The host of Microsoft Graph.
    pub fn graph_host(self) -> &'static str {
        match self {
            Self::Public => "graph.microsoft.com",
            Self::UsGov => "graph.microsoft.us",
            Self::UsDod => "dod-graph.microsoft.us",
            Self::China => "microsoftgraph.chinacloudapi.cn",
        }
    }

    /// The host that tokens are asked from.
    pub fn authority_host(self) -> &'static str {
        match self {
            Self::Public => "login.microsoftonline.com",
            Self::UsGov | Self::UsDod => "login.microsoftonline.us",
            Self::China => "login.partner.microsoftonline.cn",
        }
    }

    /// What the host of every Key Vault ends in.
    pub fn vault_suffix(self) -> &'static str {
        match self {
            Self::Public => "vault.azure.net",
            Self::UsGov | Self::UsDod => "vault.usgovcloudapi.net",
            Self::China => "vault.azure.cn",
        }
    }
}

/// Who this daemon is towards Entra.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The identity of the machine it runs on.
    ManagedIdentity {
        /// Of a user-assigned identity; none means the system-assigned one.
        client_id: Option<Uuid>,
    },
    /// An app registration with a client secret.
    ClientSecret {
        /// The Entra tenant.
        tenant_id: Uuid,
        /// The app registration.
        client_id: Uuid,
        /// The file that holds the client secret.
        secret: SecretFile,
    },
}

/// The cloud comes apart as well: the vaults of the connections are judged by it, whatever else is wrong here.
pub(super) fn read(section: &Section<'_>, folder: &Folder<'_>) -> Option<(Option<Cloud>, Option<Azure>)> {
    let chosen = if section.has("cloud") { section.get("cloud", scalar::word) } else { Some(Cloud::Public) };
    let cloud = chosen.unwrap_or_default();
    let example = "credential = { kind = \"managed-identity\" }, or { kind = \"client-secret\", tenant_id = \"…\", client_id = \
                   \"…\", secret_file = \"/…\" }";
    let credential = section.need_table("credential", example, |section| read_credential(section, folder));
    let host = |name, default: &str| match section.has(name) {
        true => section.get(name, scalar::origin(folder.sandboxed)),
        false => Url::parse(&format!("https://{default}")).ok(),
    };
    let authority = host("authority", cloud.authority_host());
    let graph = host("graph", cloud.graph_host());
    let whole = credential.zip(authority).zip(graph);
    Some((chosen, whole.map(|((credential, authority), graph)| Azure { cloud, credential, authority, graph })))
}

fn read_credential(section: &Section<'_>, folder: &Folder<'_>) -> Option<Credential> {
    let kind = section.need("kind", "kind = \"managed-identity\" or kind = \"client-secret\"", |value| {
        match scalar::text(value)? {
            "managed-identity" => Ok("managed-identity"),
            "client-secret" => Ok("client-secret"),
            "workload-identity" | "client-certificate" | "azure-cli" => {
                Err("is not supported yet: use \"managed-identity\" or \"client-secret\"".into())
            }
            _ => Err("is unknown: use \"managed-identity\" or \"client-secret\"".to_owned()),
        }
    });
    match kind {
        Some("managed-identity") => {
            let client_id = section.get("client_id", scalar::uuid);
            let readable = client_id.is_some() || !section.has("client_id");
            readable.then_some(Credential::ManagedIdentity { client_id })
        }
        Some(_) => {
            let tenant_id = section.need("tenant_id", "tenant_id = \"…\", the UUID of your Entra tenant", scalar::uuid);
            let client_id =
                section.need("client_id", "client_id = \"…\", the UUID of the app registration", scalar::uuid);
            let example = "secret_file = \"/…\", the path of a file that holds the client secret";
            let secret = section.need("secret_file", example, scalar::secret_file(folder.path));
            Some(Credential::ClientSecret { tenant_id: tenant_id?, client_id: client_id?, secret: secret? })
        }
        None => {
            section.tolerate_the_rest();
            None
        }
    }
}

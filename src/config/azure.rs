//! `[azure]`: which cloud, and who this daemon is there.

use url::Url;

use super::credential::{self, Credential};
use super::raw::{Scalar, Section};
use super::{Environment, Folder, scalar};

/// Which Azure, with whose credentials.
#[derive(Clone, Debug)]
pub struct Azure {
    /// The cloud.
    pub cloud: Cloud,
    /// Who asks.
    pub credentials: Credentials,
    /// Where tokens for Graph and Key Vault are asked for: scheme and host. The cloud's own unless overridden.
    pub authority: Url,
    /// Microsoft Graph: scheme and host, without a version. The cloud's own unless overridden.
    pub graph: Url,
    /// What tokens for Graph are asked for, unless it is Graph's own URL.
    pub graph_scope: Option<String>,
}

/// Who asks Graph, and who asks the vault.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// One for both, and one login.
    One(Credential),
    /// One each.
    Two {
        /// For Microsoft Graph.
        graph: Credential,
        /// For Key Vault.
        vault: Credential,
    },
}

impl Credentials {
    /// Each, with the key that sets it.
    pub fn all(&self) -> Vec<(&'static str, &Credential)> {
        match self {
            Self::One(both) => vec![("azure.credential", both)],
            Self::Two { graph, vault } => {
                vec![("azure credential for Graph", graph), ("azure credential for Key Vault", vault)]
            }
        }
    }
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

/// What of `[azure]` could be read: what vaults are judged by, and the whole.
pub(super) type Read = (Option<String>, Option<Azure>);

/// What the host of a vault must end in comes apart as well: the vaults of the connections are judged by it, whatever else
/// is wrong here. A sandbox has vaults of any name, unless it says otherwise.
pub(super) fn read(section: &Section<'_>, folder: &Folder<'_>, environment: &Environment) -> Option<Read> {
    let chosen = if section.has("cloud") { section.get("cloud", scalar::word) } else { Some(Cloud::Public) };
    let cloud = chosen.unwrap_or_default();
    let credentials = read_credentials(section, folder, environment);
    let host = |name, default: &str| match section.has(name) {
        true => section.get(name, scalar::origin(folder.sandboxed)),
        false => Url::parse(&format!("https://{default}")).ok(),
    };
    let authority = host("authority", cloud.authority_host());
    let graph = host("graph", cloud.graph_host());
    let graph_scope = section.get("graph_scope", scope);
    let of_cloud = || chosen.filter(|_| !folder.sandboxed).map(|cloud| cloud.vault_suffix().to_owned());
    let suffix = if section.has("vault_suffix") { section.get("vault_suffix", vault_suffix) } else { of_cloud() };
    let whole = credentials.zip(authority).zip(graph);
    let whole =
        whole.map(|((credentials, authority), graph)| Azure { cloud, credentials, authority, graph, graph_scope });
    Some((suffix, whole))
}

fn read_credentials(section: &Section<'_>, folder: &Folder<'_>, environment: &Environment) -> Option<Credentials> {
    let read = |section: &Section<'_>| credential::read(section, folder, environment);
    let (for_graph, for_vault) = (section.has("graph_credential"), section.has("vault_credential"));
    let graph = section.table_if_set("graph_credential", read);
    let vault = section.table_if_set("vault_credential", read);
    if for_graph && for_vault {
        if section.has("credential") {
            let what = "nobody uses it, since Graph and vault have one each: remove it";
            section.report().problem(&section.key("credential"), what);
            section.table("credential", read);
        }
        return Some(Credentials::Two { graph: graph?, vault: vault? });
    }
    let both = section.need_table("credential", EXAMPLE, read);
    match (for_graph, for_vault) {
        (true, _) => Some(Credentials::Two { graph: graph?, vault: both? }),
        (_, true) => Some(Credentials::Two { vault: vault?, graph: both? }),
        _ => both.map(Credentials::One),
    }
}

const EXAMPLE: &str = "credential = { kind = \"managed-identity\" }, or { kind = \"client-secret\", tenant_id = \"…\", client_id = \
                       \"…\", secret_file = \"/…\" }";

/// A scope as Entra's v2.0 endpoint takes it of an application.
fn scope(value: Scalar<'_>) -> Result<String, String> {
    let text = scalar::text(value)?;
    let of_service = text.strip_suffix("/.default").and_then(|service| Url::parse(service).ok());
    match of_service.is_some_and(|url| url.scheme() == "https" && url.query().is_none()) {
        true => Ok(text.to_owned()),
        false => Err("is no scope: write for example \"https://graph.microsoft.com/.default\"".into()),
    }
}

/// A domain: two labels at least, and no dot in front.
fn vault_suffix(value: Scalar<'_>) -> Result<String, String> {
    let text = scalar::text(value)?.to_ascii_lowercase();
    let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    match text.contains('.') && text.split('.').all(label) {
        true => Ok(text),
        false => Err("is no domain: write what follows the vault's name, such as \"vault.azure.net\"".into()),
    }
}

//! `[[connections]]`: an issuer, a vault secret, a provisioning job and a policy, each checked on its own.
//!
//! What two connections must not share is the concern of `cross.rs`.

use std::fmt;

use chrono::TimeDelta;
use url::Url;

use super::auth::{self, HpeAuth};
use super::policy::{self, Issuer};
use super::raw::{Scalar, Section};
use super::source::Key;
use super::{Folder, scalar};
use crate::domain::cron::Cron;
use crate::domain::{Policy, PrincipalId, TakesEffect};

/// One rotated token.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// How people, logs and metrics call it. Unique.
    pub name: ConnectionName,
    /// Who makes its tokens.
    pub issuer: Issuing,
    /// Where they are kept.
    pub vault: VaultSecret,
    /// Who uses them.
    pub entra: EntraApp,
    /// When and how they are rotated.
    pub policy: Policy,
    /// When to look. Six fields, UTC.
    pub check: Cron,
}

/// `^[a-z0-9][a-z0-9-]{0,62}$`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionName(pub(super) String);

impl ConnectionName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(value: Scalar<'_>) -> Result<Self, String> {
        let text = scalar::text(value)?;
        let fits = text.len() <= 63
            && !text.starts_with('-')
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err("expected at most 63 small letters, digits and hyphens, no hyphen in front".into()),
        }
    }
}

impl fmt::Display for ConnectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who makes the tokens of a connection.
#[derive(Clone, Debug)]
pub enum Issuing {
    /// HPE GreenLake.
    GreenLake(Box<GreenLake>),
    /// Nobody that could be asked: people bring them.
    Supplied {
        /// How long a token is taken to live when nothing else says so.
        assumed_lifetime: Option<TimeDelta>,
    },
}

impl Issuing {
    /// GreenLake's part, if it is the issuer.
    pub fn greenlake(&self) -> Option<&GreenLake> {
        match self {
            Self::GreenLake(greenlake) => Some(greenlake),
            Self::Supplied { .. } => None,
        }
    }
}

/// HPE GreenLake as the issuer.
#[derive(Clone, Debug)]
pub struct GreenLake {
    /// The base of the proxy-token API, such as `https://sps.us1.greenlake-hpe.com/v1alpha1`, without a slash at the end.
    pub url: Url,
    /// Where its bearer comes from.
    pub auth: HpeAuth,
    /// A JSON pointer to the token in the answer; none means: find it.
    pub token_pointer: Option<String>,
    /// A JSON pointer to the expiry in the answer; none means: find it.
    pub expiry_pointer: Option<String>,
    /// How long a token is taken to live when nothing else says so.
    pub assumed_lifetime: Option<TimeDelta>,
}

/// One secret of one Key Vault.
#[derive(Clone, Debug)]
pub struct VaultSecret {
    /// The vault: scheme and host.
    pub url: Url,
    /// The secret's name, `^[0-9A-Za-z-]{1,127}$`: the SDK pastes it into a path as it is.
    pub secret: String,
}

/// The application that Entra provisions to.
#[derive(Clone, Debug)]
pub struct EntraApp {
    /// The service principal, by either of its ids.
    pub principal: PrincipalId,
    /// The provisioning job; none means the only one.
    pub job_id: Option<String>,
    /// Entra's *Tenant URL*, without a slash at the end of its path; its query holds Entra's own feature flags.
    pub tenant_url: Url,
}

/// A connection as far as it can be read.
#[derive(Default)]
pub(super) struct Draft {
    pub name: Option<ConnectionName>,
    /// None, if anything is wrong with it.
    pub config: Option<ConnectionConfig>,
}

/// Reads one table. `called` is its name where it has none of its own.
pub(super) fn read(
    section: &Section<'_>,
    folder: &Folder<'_>,
    suffix: Option<&str>,
    base: &policy::Draft,
    called: Option<&str>,
) -> Draft {
    let name = match called.filter(|_| !section.has("name")) {
        Some(called) => section.named("name", called, ConnectionName::parse),
        None => section.need("name", "name = \"greenlake-prod\"", ConnectionName::parse),
    };
    Draft { config: read_rest(section, folder, suffix, base, name.clone()), name }
}

fn read_rest(
    section: &Section<'_>,
    folder: &Folder<'_>,
    suffix: Option<&str>,
    base: &policy::Draft,
    name: Option<ConnectionName>,
) -> Option<ConnectionConfig> {
    let example = "issuer = { kind = \"greenlake\", url = \"https://…\", auth = { … } }";
    let issuer = section.need_table("issuer", example, |section| read_issuer(section, folder));
    let example = "vault = { url = \"https://….vault.azure.net\", secret = \"…\" }";
    let vault = section.need_table("vault", example, |section| read_vault(section, folder, suffix));
    let example = "entra = { service_principal_id = \"…\", tenant_url = \"https://…/scimproxy\" }";
    let entra = section.need_table("entra", example, |section| read_entra(section, folder));
    let draft = section.table("policy", policy::Draft::read)?.over(base);
    let (issuer, rules) = issuer.unzip();
    let rules = rules.unwrap_or_else(|| Issuer::unknown(section.key("issuer")));
    let (policy, check) = draft.finish(&rules, section.report())?;
    Some(ConnectionConfig { name: name?, issuer: issuer?, vault: vault?, entra: entra?, policy, check })
}

fn read_issuer(section: &Section<'_>, folder: &Folder<'_>) -> Option<(Issuing, Issuer)> {
    let kind = section.need("kind", "kind = \"greenlake\"", |value| match scalar::text(value)? {
        kind @ ("greenlake" | "supplied") => Ok(kind == "supplied"),
        _ => Err("is unknown: an issuer is \"greenlake\", or \"supplied\" where people bring the tokens".to_owned()),
    });
    match kind {
        Some(false) => read_greenlake(section, folder),
        Some(true) => {
            let (assumed_lifetime, life_key) = read_lifetime(section);
            let rules =
                Issuer { supplied: true, takes_effect: TakesEffect::OwnExpiry, life: assumed_lifetime, life_key };
            Some((Issuing::Supplied { assumed_lifetime }, rules))
        }
        None => {
            section.tolerate_the_rest();
            None
        }
    }
}

fn read_lifetime(section: &Section<'_>) -> (Option<TimeDelta>, Key) {
    let lifetime = scalar::duration_in(TimeDelta::hours(1), TimeDelta::days(3652));
    (section.get("assumed_lifetime", lifetime), section.key("assumed_lifetime"))
}

fn read_greenlake(section: &Section<'_>, folder: &Folder<'_>) -> Option<(Issuing, Issuer)> {
    let https = scalar::https(folder.sandboxed);
    let url = section.need("url", "url = \"https://sps.us1.greenlake-hpe.com/v1alpha1\"", &https).map(scalar::bare);
    let takes_effect = section.get("takes_effect", scalar::word).unwrap_or_default();
    let example = "auth = { kind = \"glcs\", issuer = \"https://…\", client_id = \"…\", client_secret_file = \"/…\" }";
    let auth = section.need_table("auth", example, |section| auth::read(section, folder));
    let token_pointer = section.get("token_pointer", scalar::pointer);
    let expiry_pointer = section.get("expiry_pointer", scalar::pointer);
    let (assumed_lifetime, life_key) = read_lifetime(section);
    let rules = Issuer { supplied: false, takes_effect, life: assumed_lifetime, life_key };
    let greenlake = GreenLake { url: url?, auth: auth?, token_pointer, expiry_pointer, assumed_lifetime };
    Some((Issuing::GreenLake(Box::new(greenlake)), rules))
}

fn read_vault(section: &Section<'_>, folder: &Folder<'_>, suffix: Option<&str>) -> Option<VaultSecret> {
    let url = section.need("url", "url = \"https://….vault.azure.net\"", scalar::origin(folder.sandboxed));
    if let (Some(url), Some(suffix)) = (&url, suffix)
        && !url.host_str().is_some_and(|host| host.ends_with(&format!(".{suffix}")))
    {
        let host = url.host_str().unwrap_or_default();
        let name = host.split('.').next().unwrap_or_default();
        let private = format!(
            "is the name of the vault's private endpoint, for which it has no certificate: write https://{name}.{suffix}, which \
             leads to the private endpoint by itself (getent hosts {name}.{suffix})"
        );
        let public = format!(
            "is no Key Vault of this cloud: its host ends in `.{suffix}` (azure.cloud chooses the cloud, \
             azure.vault_suffix overrides it)"
        );
        let what = if host.contains(".privatelink.") { private } else { public };
        section.report().problem(&section.key("url"), what);
    }
    let secret = section.need("secret", "secret = \"greenlake-scim-token\", its name", scalar::id(127, "-"));
    Some(VaultSecret { url: url?, secret: secret? })
}

fn read_principal(section: &Section<'_>) -> Option<PrincipalId> {
    let by_object = section.get("service_principal_id", scalar::uuid).map(PrincipalId::Object);
    let by_app = section.get("app_id", scalar::uuid).map(PrincipalId::Application);
    match (section.has("service_principal_id"), section.has("app_id")) {
        (true, false) => by_object,
        (false, true) => by_app,
        (true, true) => {
            let what = "the enterprise application is named twice: keep service_principal_id or app_id";
            section.report().problem(&section.key("app_id"), what);
            None
        }
        (false, false) => {
            let example = "service_principal_id = \"…\", the object id of the enterprise application, or app_id = \"…\", its \
                           application id";
            section.need("service_principal_id", example, scalar::uuid).map(PrincipalId::Object)
        }
    }
}

fn read_entra(section: &Section<'_>, folder: &Folder<'_>) -> Option<EntraApp> {
    let principal = read_principal(section);
    let job_id = section.get("job_id", scalar::id(256, "-_."));
    let example = "tenant_url = \"https://…/scimproxy\", as it stands in the application's provisioning";
    // Entra takes feature flags as its query (`?aadOptscim062020`).
    let tenant_url = section.need("tenant_url", example, scalar::https_with_query(folder.sandboxed)).map(scalar::bare);
    Some(EntraApp { principal: principal?, job_id, tenant_url: tenant_url? })
}

//! What two connections must not share, and what looks odd within one.
//!
//! A rotation acts on the one token of an HPE tenant, so two connections of one tenant would kill each other's tokens for
//! ever. The bearer's `tenantId` tells for certain, at run time; here is refused what the configuration shows already.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::connection::ConnectionConfig;
use super::gather::Candidate;
use super::raw::Report;
use crate::domain::PrincipalId;

/// What makes two connections one, as it shows in the configuration.
struct Shared {
    /// The key below the connection that a problem is reported at.
    at: [&'static str; 2],
    /// The same for two connections that share it; none where it does not apply.
    identity: fn(&ConnectionConfig) -> Option<String>,
    /// Why that cannot be.
    why: &'static str,
}

const SAME_PRINCIPAL: &str =
    "this service principal: Entra keeps one token for it, whatever the job, and each would overwrite the other's";

const SHARED: [Shared; 6] = [
    Shared {
        at: ["name", ""],
        identity: |connection| Some(connection.name.to_string()),
        why: "this name: logs, status and metrics tell connections apart by it. Choose another",
    },
    Shared {
        at: ["vault", "secret"],
        // Key Vault's names know no case.
        identity: |connection| {
            Some(format!("{}{}", connection.vault.url, connection.vault.secret.to_ascii_lowercase()))
        },
        why: "this secret of this vault: each would take the other's versions for its own. Give each its own secret",
    },
    Shared {
        at: ["issuer", "auth"],
        identity: |connection| Some(connection.issuer.greenlake()?.auth.origin()),
        why: "this origin of bearers (issuer.auth), which belongs to one HPE tenant: a tenant has one token, and each rotation would kill the \
              other's for ever. Use one connection for a tenant",
    },
    Shared {
        at: ["issuer", "auth"],
        identity: |connection| {
            let greenlake = connection.issuer.greenlake()?;
            Some(format!("{} {}", greenlake.url, greenlake.auth.client()?.client_id))
        },
        why: "this API client at the same issuer, so they are of one HPE tenant: a tenant has one token, and each rotation \
              would kill the other's for ever. Use one connection for a tenant",
    },
    Shared {
        at: ["entra", "service_principal_id"],
        identity: |connection| match connection.entra.principal {
            PrincipalId::Object(id) => Some(id.to_string()),
            PrincipalId::Application(_) => None,
        },
        why: SAME_PRINCIPAL,
    },
    Shared {
        at: ["entra", "app_id"],
        identity: |connection| match connection.entra.principal {
            PrincipalId::Object(_) => None,
            PrincipalId::Application(id) => Some(id.to_string()),
        },
        why: SAME_PRINCIPAL,
    },
];

/// All that no other connection may have: the same text for two that share any of it.
pub fn claims(connection: &ConnectionConfig) -> impl Iterator<Item = String> {
    SHARED
        .iter()
        .enumerate()
        .filter_map(|(number, shared)| Some(format!("{number} {}", (shared.identity)(connection)?)))
}

/// Checks connections against each other and in themselves; `report_of` is where a connection's problems go. One that could
/// not be read is left out. Of two that share something the later one is told.
pub(super) fn check<'a>(candidates: &'a [Candidate], report_of: impl Fn(&Candidate) -> &'a Report<'a>) {
    let mut first = SHARED.map(|_| BTreeMap::new());
    for (candidate, connection) in candidates.iter().filter_map(|read| Some((read, read.config.as_ref()?))) {
        let (key, report) = (&candidate.key, report_of(candidate));
        let mut told = None;
        for (Shared { at, identity, why }, first) in SHARED.iter().zip(&mut first) {
            let Some(identity) = identity(connection) else { continue };
            let twin = match first.entry(identity) {
                Entry::Vacant(vacant) => {
                    vacant.insert(&connection.name);
                    continue;
                }
                Entry::Occupied(twin) => *twin.get(),
            };
            if told != Some(at) {
                let place = at.iter().filter(|part| !part.is_empty()).fold(key.clone(), |key, part| key.child(part));
                report.problem(&place, format!("connection `{twin}` has {why}"));
                told = Some(at);
            }
        }
        let tenant_url = &connection.entra.tenant_url;
        if let Some(issuer) = connection.issuer.greenlake().map(|greenlake| &greenlake.url)
            && issuer.host() != tenant_url.host()
        {
            let what = format!(
                "Entra would send the token to `{}`, but it is made by `{}`: that is rarely meant",
                tenant_url.host_str().unwrap_or_default(),
                issuer.host_str().unwrap_or_default()
            );
            report.warning(&key.child("entra").child("tenant_url"), what);
        }
    }
}

//! A bearer for each audience, and what it says of its rights.

use url::Url;

use super::questions::minute;
use super::way::Reached;
use super::{Bearer, Check, Questions, Subject, fixes};
use crate::domain::claims::Claims;

/// Lets a caller manage the provisioning of any application.
const ANY: [&str; 1] = ["Synchronization.ReadWrite.All"];
/// Lets it manage those that it owns.
const OWNED: [&str; 1] = ["Application.ReadWrite.OwnedBy"];

const GRAPH: &str = "Microsoft Graph";
const VAULT: &str = "Key Vault";
const HPE: &str = "HPE";

/// What came of the bearers that later hops need.
#[derive(Debug, Default)]
pub(super) struct Bearers {
    /// That for Graph.
    pub graph: Option<Claims>,
    /// Why Graph cannot be asked.
    pub no_graph: Option<String>,
    /// That for the vault.
    pub vault: Option<Claims>,
    /// Why the vault cannot be asked.
    pub no_vault: Option<String>,
}

impl Bearers {
    /// Whether ownership is of no account.
    pub fn may_manage_any(&self) -> bool {
        self.graph.as_ref().is_some_and(|claims| claims.has_role(&ANY))
    }
}

pub(super) async fn all(subject: &Subject, ask: &Questions, reached: &Reached, checks: &mut Vec<Check>) -> Bearers {
    let no_login = |login: Option<&Url>| login.and_then(|login| reached.failed(login));
    let no_graph = no_login(subject.graph_login.as_ref());
    let (graph, no_graph) = bearer(GRAPH, ask.graph_bearer.as_ref(), no_graph.as_deref(), checks).await;
    checks.push(graph_role(subject, graph.as_ref(), no_graph.as_deref()));
    let no_vault = no_login(subject.vault_login.as_ref());
    let (vault, no_vault) = bearer(VAULT, ask.vault_bearer.as_ref(), no_vault.as_deref(), checks).await;
    if let Some(hpe) = &ask.hpe_bearer {
        let no_hpe = no_login(subject.hpe_login.as_ref());
        let (_, failed) = bearer(HPE, hpe.as_ref(), no_hpe.as_deref(), checks).await;
        checks.push(hpe_role(failed.as_deref()));
    }
    Bearers {
        graph,
        no_graph: reached.failed(&subject.graph).or(no_graph),
        vault,
        no_vault: reached.failed(&subject.vault).or(no_vault),
    }
}

/// The claims, if they can be read; and what failed, if there is no bearer.
async fn bearer(
    of: &str,
    bearer: &dyn Bearer,
    no_login: Option<&str>,
    checks: &mut Vec<Check>,
) -> (Option<Claims>, Option<String>) {
    if let Some(cause) = no_login {
        checks.push(Check::skipped("token", cause).of(of));
        return (None, Some(cause.to_owned()));
    }
    let (check, claims, failed) = match bearer.claims().await {
        Err(call) => (Check::failed("token", super::Outcome::Fault, &call), None, Some(format!("the token for {of}"))),
        Ok(None) => (Check::ok("token", "a bearer can be had; it is no JWT, so it says nothing of itself"), None, None),
        Ok(Some(claims)) => (Check::ok("token", said(&claims)), Some(claims), None),
    };
    checks.push(check.of(of));
    (claims, failed)
}

fn said(claims: &Claims) -> String {
    let list = |names: &[String]| names.join(", ");
    let parts = [
        claims.app_id.map(|id| format!("application {id}")),
        claims.object_id.map(|id| format!("object id {id}")),
        claims.tenant.as_ref().map(|tenant| format!("tenant {tenant}")),
        (!claims.roles.is_empty()).then(|| format!("roles: {}", list(&claims.roles))),
        (!claims.scopes.is_empty()).then(|| format!("scopes: {}", list(&claims.scopes))),
        claims.expires.map(|at| format!("good until {}", minute(at))),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "a bearer can be had; it says nothing of itself".to_owned() } else { parts.join("; ") }
}

fn graph_role(subject: &Subject, claims: Option<&Claims>, failed: Option<&str>) -> Check {
    if let Some(cause) = failed {
        return Check::skipped("role", cause).of(GRAPH);
    }
    let fix = |check: Check| check.fix(fixes::graph_role(&subject.graph, claims.and_then(|claims| claims.object_id)));
    let check = match claims {
        None => Check::warning("role", "the bearer tells no roles: the hops below show what it may do"),
        Some(claims) if claims.has_role(&ANY) => Check::ok("role", format!("{}, for every application", ANY[0])),
        Some(claims) if claims.has_role(&OWNED) => Check::ok("role", format!("{}, for what it owns", OWNED[0])),
        Some(claims) if claims.is_delegated() => Check::warning(
            "role",
            "the bearer speaks for a person, whose rights stand nowhere in it: for a first try only; the hops below show what it \
             may do",
        ),
        Some(claims) => {
            let others = match claims.roles.as_slice() {
                [] => "no role at all".to_owned(),
                roles => format!("{} only", roles.join(", ")),
            };
            fix(Check::fault("role", format!("the token has {others}, and neither {} nor {}", OWNED[0], ANY[0])))
        }
    };
    check.of(GRAPH)
}

fn hpe_role(failed: Option<&str>) -> Check {
    let check = match failed {
        Some(cause) => Check::skipped("role", cause),
        None => Check::untried(
            "role",
            "the role \"SCIM Proxy Token Contributor\" cannot be tried without rotating: no question is known that \
             proves it and changes nothing. Without it the first rotation is answered 403, and the token in use stays as it is",
        )
        .fix(fixes::CLIENT_ROLE),
    };
    check.of(HPE)
}

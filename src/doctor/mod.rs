//! The doctor: walks every hop of a connection in order, and says of each whether it is well, by what that can be seen, and
//! what mends it.
//!
//! Changes nothing anywhere, takes no lock, and rotates nothing; what cannot be tried without changing something is said to be
//! so, never guessed. A hop that fails skips only what depends on it.

mod bearers;
mod chain;
mod entra;
mod fixes;
mod questions;
mod scim;
mod vault;
mod way;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use url::Url;

pub use questions::{Assigned, Bearer, Directory, Greeting, Mapping, Owners, Principal, Shown, Snag, Way, Ways};

use crate::domain::PrincipalId;
use crate::ports::{CallError, Clock, Probe, Provisioner, Vault};

/// How a hop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is as it should be.
    Ok,
    /// It works, or may work, and should be looked at.
    Warning,
    /// It does not work: rotations or provisioning fail by it.
    Fault,
    /// Nothing proves it but a change, which is not made here.
    Untried,
    /// What it depends on failed.
    Skipped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "FAULT",
            Self::Untried => "untried",
            Self::Skipped => "skipped",
        })
    }
}

/// One hop, looked at. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which hop; stable, for machines.
    pub hop: &'static str,
    /// Of what, where a connection has several of the kind: a host, or a service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How it stands.
    pub outcome: Outcome,
    /// By what that is seen.
    pub evidence: String,
    /// What mends it: commands to paste, or where to click.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Check {
    fn new(hop: &'static str, outcome: Outcome, evidence: impl Into<String>) -> Self {
        Self { hop, of: None, outcome, evidence: evidence.into(), fix: None }
    }

    fn ok(hop: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(hop, Outcome::Ok, evidence)
    }

    fn warning(hop: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(hop, Outcome::Warning, evidence)
    }

    fn fault(hop: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(hop, Outcome::Fault, evidence)
    }

    fn untried(hop: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(hop, Outcome::Untried, evidence)
    }

    /// Not looked at: `cause` failed.
    fn skipped(hop: &'static str, cause: &str) -> Self {
        Self::new(hop, Outcome::Skipped, format!("depends on {cause}, which failed"))
    }

    /// A failed call: its own words, and its own advice unless there is a better fix.
    fn failed(hop: &'static str, outcome: Outcome, call: &CallError) -> Self {
        let cause = call.source.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
        let request = call.request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default();
        let check = Self::new(hop, outcome, format!("{}: {}{request}{cause}", call.service, call.what));
        Self { fix: call.advice.clone(), ..check }
    }

    fn of(self, of: impl Into<String>) -> Self {
        Self { of: Some(of.into()), ..self }
    }

    fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// What the configuration says of a connection, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The connection's name.
    pub name: String,
    /// Entra's login for Graph, unless its bearer comes from elsewhere (a machine's own identity endpoint, the Azure CLI).
    pub graph_login: Option<Url>,
    /// The same for the vault.
    pub vault_login: Option<Url>,
    /// Graph: scheme and host.
    pub graph: Url,
    /// The vault: scheme and host.
    pub vault: Url,
    /// The secret's name.
    pub secret: String,
    /// HPE's proxy-token service, unless people bring the tokens.
    pub hpe: Option<Url>,
    /// HPE's login, where bearers come from it.
    pub hpe_login: Option<Url>,
    /// The SCIM endpoint that Entra provisions to.
    pub tenant_url: Url,
    /// The service principal.
    pub service_principal_id: PrincipalId,
    /// Whether a token that nobody of us has stored may be tried: only where the configuration takes such tokens over.
    pub tries_foreign: bool,
}

/// Whom the doctor asks.
#[derive(Clone)]
pub struct Questions {
    /// The way to a host.
    pub ways: Arc<dyn Ways>,
    /// The bearer for Graph.
    pub graph_bearer: Arc<dyn Bearer>,
    /// The bearer for the vault.
    pub vault_bearer: Arc<dyn Bearer>,
    /// The bearer for HPE, unless people bring the tokens.
    pub hpe_bearer: Option<Arc<dyn Bearer>>,
    /// The vault.
    pub vault: Arc<dyn Vault>,
    /// The provisioning job.
    pub provisioner: Arc<dyn Provisioner>,
    /// What surrounds the job.
    pub directory: Arc<dyn Directory>,
    /// The SCIM endpoint.
    pub probe: Arc<dyn Probe>,
    /// This machine's clock.
    pub clock: Arc<dyn Clock>,
}

/// Walks the whole connection. The checks stand in the order of the hops.
pub async fn examine(subject: &Subject, ask: &Questions) -> Vec<Check> {
    let mut checks = Vec::new();
    let reached = way::all(subject, ask, &mut checks).await;
    let bearers = bearers::all(subject, ask, &reached, &mut checks).await;
    let token = vault::all(subject, ask, &bearers, &mut checks).await;
    let ours = entra::all(subject, ask, &bearers, &mut checks).await;
    checks.push(scim::check(subject, ask, &reached, token, ours).await);
    checks
}

//! What `init` looks up instead of asking for it. Reads only.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::draft::Draft;
use crate::doctor::Principal;
use crate::domain::PrincipalId;
use crate::ports::{CallError, Vault};

/// A provisioning job, as far as it helps to choose one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSeen {
    /// Its id.
    pub id: String,
    /// The template that it was made of, cleaned.
    pub template: String,
    /// How it stands, in Graph's words, cleaned.
    pub state: String,
}

/// Entra's applications that provision.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The enterprise applications that are called so, in Graph's order: a hundred at most.
    async fn named(&self, name: &str) -> Result<Vec<Principal>, CallError>;
    /// The one that has this id.
    async fn found(&self, id: PrincipalId) -> Result<Principal, CallError>;
    /// Its provisioning jobs.
    async fn jobs(&self, id: Uuid) -> Result<Vec<JobSeen>, CallError>;
    /// The *Tenant URL* that it has saved; none where nothing is saved.
    async fn tenant_url(&self, id: Uuid) -> Result<Option<String>, CallError>;
}

/// Whom to ask, as soon as the draft says how.
pub trait Far {
    /// Entra, by the credential of the draft.
    fn lookup(&self, draft: &Draft<'_>) -> anyhow::Result<Arc<dyn Lookup>>;
    /// The vault and secret of the draft.
    fn vault(&self, draft: &Draft<'_>) -> anyhow::Result<Arc<dyn Vault>>;
}

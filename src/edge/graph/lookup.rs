//! What `init` looks up: applications by their names and ids, their jobs, their saved tenant URL. Reads only, and of no
//! application in particular.

use async_trait::async_trait;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::directory::principal;
use super::refused::Asked;
use super::{Call, Graph, errors, wire};
use crate::doctor::Principal;
use crate::domain::PrincipalId;
use crate::domain::settings::BASE_ADDRESS;
use crate::edge::http::{Redactor, join};
use crate::init::{JobSeen, Lookup};
use crate::ports::CallError;

const FIELDS: (&str, &str) = ("$select", "id,appId,displayName");

impl Graph {
    /// All entries of a list, each of which can be read.
    async fn read_all<T>(&self, url: Url, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, CallError> {
        let answer = self.send(&Call::read(url)).await?;
        let list = answer.json().as_ref().and_then(|json: &Value| json["value"].as_array().cloned());
        let read = list.and_then(|list| list.iter().map(read).collect());
        read.ok_or_else(|| errors::unreadable(&answer, "is no list of what was asked for"))
    }

    fn below(&self, id: Uuid, path: &[&str]) -> Url {
        join(&self.base(PrincipalId::Object(id)), path.iter().copied())
    }
}

#[async_trait]
impl Lookup for Graph {
    async fn named(&self, name: &str) -> Result<Vec<Principal>, CallError> {
        let mut url = join(&self.options.url, ["v1.0", "servicePrincipals"]);
        // Application.ReadWrite.OwnedBy may list all. A quote within OData's quotes is written twice.
        let filter = format!("displayName eq '{}'", name.replace('\'', "''"));
        url.query_pairs_mut().append_pair("$filter", &filter).append_pair(FIELDS.0, FIELDS.1);
        self.read_all(url, principal).await
    }

    async fn found(&self, id: PrincipalId) -> Result<Principal, CallError> {
        let mut url = self.base(id);
        url.query_pairs_mut().append_pair(FIELDS.0, FIELDS.1);
        let asked = if matches!(id, PrincipalId::Application(_)) { Asked::Lookup } else { Asked::Other };
        let answer = self.send(&Call { asked, ..Call::read(url) }).await?;
        let found = answer.json().as_ref().and_then(principal);
        found.ok_or_else(|| errors::unreadable(&answer, "is no service principal"))
    }

    async fn jobs(&self, id: Uuid) -> Result<Vec<JobSeen>, CallError> {
        let clean = |value: &Value| Redactor::default().clean(value.as_str().unwrap_or("?"));
        let job = |job: &Value| {
            let (template, state) = (clean(&job["templateId"]), clean(&job["status"]["code"]));
            Some(JobSeen { id: job["id"].as_str()?.to_owned(), template, state })
        };
        self.read_all(self.below(id, &["synchronization", "jobs"]), job).await
    }

    async fn tenant_url(&self, id: Uuid) -> Result<Option<String>, CallError> {
        let answer = self.send(&Call::read(self.below(id, &["synchronization", "secrets"]))).await?;
        let settings = answer.json().as_ref().and_then(wire::settings);
        let settings = settings.ok_or_else(|| errors::unreadable(&answer, "is no list of settings"))?;
        Ok(settings.get(BASE_ADDRESS).filter(|url| !url.trim().is_empty()).map(str::to_owned))
    }
}

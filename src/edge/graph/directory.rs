//! What surrounds the job, for the doctor: the service principal, its owners, its mappings, its people. Reads only.

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use super::refused::Asked;
use super::{Below, Call, Graph, errors};
use crate::doctor::{Assigned, Directory, Mapping, Owners, Principal};
use crate::domain::PrincipalId;
use crate::edge::http::{Answer, Redactor};
use crate::ports::CallError;

/// What a mapping does that does not say what (Microsoft's own default).
const ALL_FLOWS: &str = "Add,Update,Delete";
/// A page of Graph's directory, at most. A dollar and a comma may stand in a query as they are, and so Graph's own
/// documents write them.
const OWNERS: &str = "$select=id&$top=999";
const ASSIGNED: &str = "$top=999";

impl Graph {
    async fn read_principal(&self, id: PrincipalId) -> Result<Principal, CallError> {
        let mut url = self.base(id);
        url.set_query(Some("$select=id,appId,displayName"));
        let asked = if matches!(id, PrincipalId::Application(_)) { Asked::Lookup } else { Asked::Other };
        let answer = self.send(&Call { asked, ..Call::read(url) }).await?;
        let seen = answer.json().as_ref().and_then(principal);
        seen.ok_or_else(|| errors::unreadable(&answer, "is no service principal"))
    }

    async fn read_json(&self, path: &[&str], query: Option<&str>) -> Result<(Value, Answer), CallError> {
        let answer = self.call(Below { query, ..Below::read(path) }).await?;
        match answer.json() {
            Some(json) => Ok((json, answer)),
            None => Err(errors::unreadable(&answer, "is no JSON")),
        }
    }

    async fn read_list(&self, name: &str, query: &str) -> Result<(Vec<Value>, bool), CallError> {
        let (json, answer) = self.read_json(&[name], Some(query)).await?;
        let more = !json["@odata.nextLink"].is_null();
        match json["value"].as_array() {
            Some(list) => Ok((list.clone(), more)),
            None => Err(errors::unreadable(&answer, "is no list")),
        }
    }
}

#[async_trait]
impl Directory for Graph {
    async fn principal(&self) -> Result<Principal, CallError> {
        self.read_principal(self.options.principal).await
    }

    async fn principal_mixed_up(&self) -> Result<Principal, CallError> {
        self.read_principal(self.options.principal.mixed_up()).await
    }

    async fn owners(&self) -> Result<Owners, CallError> {
        let (list, more) = self.read_list("owners", OWNERS).await?;
        Ok(Owners { ids: list.iter().filter_map(|owner| id(&owner["id"])).collect(), more })
    }

    async fn mappings(&self, job: &str) -> Result<Vec<Mapping>, CallError> {
        let (json, answer) = self.read_json(&["synchronization", "jobs", job, "schema"], None).await?;
        mappings(&json).ok_or_else(|| errors::unreadable(&answer, "is no schema of a job"))
    }

    async fn assigned(&self) -> Result<Assigned, CallError> {
        let (list, more) = self.read_list("appRoleAssignedTo", ASSIGNED).await?;
        let count = |kind: &str| list.iter().filter(|assigned| assigned["principalType"] == kind).count();
        Ok(Assigned { people: count("User"), groups: count("Group"), more })
    }
}

fn id(value: &Value) -> Option<Uuid> {
    Uuid::try_parse(value.as_str()?).ok()
}

pub(super) fn principal(json: &Value) -> Option<Principal> {
    let name = Redactor::default().clean(json["displayName"].as_str().unwrap_or_default());
    Some(Principal { id: id(&json["id"])?, app_id: id(&json["appId"]), name })
}

/// The object mappings of all rules.
fn mappings(json: &Value) -> Option<Vec<Mapping>> {
    let rules = json["synchronizationRules"].as_array()?;
    let lists = rules.iter().filter_map(|rule| rule["objectMappings"].as_array());
    let clean = |text: &str| Redactor::default().clean(text);
    let mapping = |mapping: &Value| Mapping {
        source: clean(mapping["sourceObjectName"].as_str().unwrap_or_default()),
        enabled: mapping["enabled"] != false,
        flows: mapping["flowTypes"].as_str().unwrap_or(ALL_FLOWS).split(',').map(|flow| clean(flow.trim())).collect(),
    };
    Some(lists.flatten().map(mapping).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mapping_that_names_no_flow_types_updates_as_well() {
        let schema = json!({"synchronizationRules": [
            {"objectMappings": [{"sourceObjectName": "User", "flowTypes": "Add, Delete"}, {"sourceObjectName": "Group", "enabled": false}]},
            {"name": "without any"},
        ]});
        let seen = mappings(&schema).unwrap();
        assert_eq!((seen[0].flows.join(" "), seen[0].enabled), ("Add Delete".to_owned(), true));
        assert_eq!((seen[1].flows.join(" "), seen[1].enabled), ("Add Update Delete".to_owned(), false));
        assert_eq!(mappings(&json!({"error": {}})), None);
    }
}

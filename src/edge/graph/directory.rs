//! What surrounds the job, for the doctor: the service principal, its owners, its mappings, its people. Reads only.

use async_trait::async_trait;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::{Graph, Twice, errors};
use crate::doctor::{Assigned, Directory, Mapping, Owners, Principal};
use crate::edge::http::{Answer, Method, Redactor, join};
use crate::ports::CallError;

/// What a mapping does that does not say what (Microsoft's own default).
const ALL_FLOWS: &str = "Add,Update,Delete";
/// A page of Graph's directory, at most.
const PAGE: &str = "999";

impl Graph {
    fn of_principal(&self, rest: &[&str], query: &[(&str, &str)]) -> Url {
        let path = ["v1.0", "servicePrincipals", &self.options.service_principal_id];
        with_query(join(&self.options.url, path.into_iter().chain(rest.iter().copied())), query)
    }

    async fn read_json(&self, url: Url) -> Result<(Value, Answer), CallError> {
        let answer = self.call(Method::GET, url, None, Twice::Same, &[]).await?;
        match answer.json() {
            Some(json) => Ok((json, answer)),
            None => Err(errors::unreadable(&answer, "is no JSON")),
        }
    }

    async fn read_principal(&self, url: Url) -> Result<Principal, CallError> {
        let (json, answer) = self.read_json(url).await?;
        principal(&json).ok_or_else(|| errors::unreadable(&answer, "is no service principal"))
    }

    async fn read_list(&self, url: Url) -> Result<(Vec<Value>, bool), CallError> {
        let (json, answer) = self.read_json(url).await?;
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
        self.read_principal(self.of_principal(&[], &[("$select", "id,appId,displayName")])).await
    }

    async fn principal_of_application(&self) -> Result<Principal, CallError> {
        let by_app = format!("servicePrincipals(appId='{}')", self.options.service_principal_id);
        let url = join(&self.options.url, ["v1.0", by_app.as_str()]);
        self.read_principal(with_query(url, &[("$select", "id,appId,displayName")])).await
    }

    async fn owners(&self) -> Result<Owners, CallError> {
        let (list, more) = self.read_list(self.of_principal(&["owners"], &[("$select", "id"), ("$top", PAGE)])).await?;
        Ok(Owners { ids: list.iter().filter_map(|owner| id(&owner["id"])).collect(), more })
    }

    async fn mappings(&self, job: &str) -> Result<Vec<Mapping>, CallError> {
        let (json, answer) =
            self.read_json(self.of_principal(&["synchronization", "jobs", job, "schema"], &[])).await?;
        mappings(&json).ok_or_else(|| errors::unreadable(&answer, "is no schema of a job"))
    }

    async fn assigned(&self) -> Result<Assigned, CallError> {
        let (list, more) = self.read_list(self.of_principal(&["appRoleAssignedTo"], &[("$top", PAGE)])).await?;
        let count = |kind: &str| list.iter().filter(|assigned| assigned["principalType"] == kind).count();
        Ok(Assigned { people: count("User"), groups: count("Group"), more })
    }
}

fn with_query(mut url: Url, query: &[(&str, &str)]) -> Url {
    if !query.is_empty() {
        // A dollar and a comma may stand in a query as they are, and so Graph's own documents write them.
        let text: Vec<_> = query.iter().map(|(key, value)| format!("{key}={value}")).collect();
        url.set_query(Some(&text.join("&")));
    }
    url
}

fn id(value: &Value) -> Option<Uuid> {
    Uuid::try_parse(value.as_str()?).ok()
}

fn principal(json: &Value) -> Option<Principal> {
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

//! Microsoft Graph over HTTP: `graph.sandbox.test/v1.0/servicePrincipals…`.

use serde_json::{Value, json};

use super::State;
use super::flow::REQUEST_ID;
use super::graph_job::job_json;
use super::http::{Call, Reply, Routed, refuse};
use crate::world::{Op, Refusal, World};

/// Everything below `/v1.0`.
pub fn route(state: &State, call: &Call) -> Routed {
    let (method, path) = call.parts();
    let Some((&"v1.0", path)) = path.split_first() else {
        return Routed::Answer(no(400, "BadRequest", "Invalid version"));
    };
    if let ("GET", ["servicePrincipals"]) = (method, path) {
        return list(state, call);
    }
    let Some((world, rest)) = principal(state, path) else {
        return Routed::Answer(no(404, "Request_ResourceNotFound", "Resource does not exist."));
    };
    if !knows(state, world, call) {
        return Routed::Answer(no(401, "InvalidAuthenticationToken", "Access token is missing or not valid."));
    }
    let body = call.json();
    match (method, rest) {
        ("GET", []) => Routed::deed(world, Op::PrincipalRead, |world| Reply::json(200, &principal_json(world))),
        ("GET", ["owners"]) => Routed::deed(world, Op::PrincipalRead, |world| {
            let kind = "#microsoft.graph.directoryObject";
            let owners: Vec<_> = world.owners().iter().map(|id| json!({ "@odata.type": kind, "id": id })).collect();
            Reply::json(200, &json!({ "value": owners }))
        }),
        ("GET", ["appRoleAssignedTo"]) => Routed::deed(world, Op::PrincipalRead, |world| {
            let assigned = |number| {
                json!({
                    "id": format!("assignment-{number}"), "principalDisplayName": format!("group {number}"),
                    "principalType": "Group", "resourceId": world.settings.service_principal,
                })
            };
            let application = json!({ "id": "assignment-x", "principalType": "ServicePrincipal" });
            let groups = (0..world.settings.groups_assigned).map(assigned);
            Reply::json(200, &json!({ "value": groups.chain([application]).collect::<Vec<_>>() }))
        }),
        ("GET", ["synchronization", "jobs", id, "schema"]) => {
            let id = (*id).to_owned();
            deed(world, Op::JobRead, move |world| {
                world.job(&id).ok_or_else(|| gone(&id))?;
                Ok(Reply::json(200, &schema(&world.settings.user_flows)))
            })
        }
        ("GET", ["synchronization", "jobs"]) => deed(world, Op::JobRead, |world| {
            let jobs: Vec<_> = world.jobs().iter().map(|job| job_json(world, job)).collect();
            Ok(Reply::json(200, &json!({ "value": jobs })))
        }),
        ("GET", ["synchronization", "jobs", id]) => {
            let id = (*id).to_owned();
            deed(world, Op::JobRead, move |world| {
                let job = world.job(&id).ok_or_else(|| gone(&id))?;
                Ok(Reply::json(200, &job_json(world, job)))
            })
        }
        ("GET", ["synchronization", "secrets"]) => deed(world, Op::SettingsRead, |world| {
            let pairs = world.graph_settings();
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
            Ok(Reply::json(200, &json!({ "value": pairs })))
        }),
        ("PUT", ["synchronization", "secrets"]) => deed(world, Op::SettingsPut, move |world| {
            world.put_settings(&pairs(&body["value"])?);
            Ok(Reply::empty(204))
        }),
        ("POST", ["synchronization", "jobs", id, verb]) => post(world, id, verb, body),
        _ => Routed::Answer(no(404, "ResourceNotFound", "no such resource")),
    }
}

/// Whether the call's bearer is one of this world, made out to Graph: that is its own URL, and a port is of no account.
fn knows(state: &State, world: usize, call: &Call) -> bool {
    let audience = call.bearer().and_then(|token| state.world(world).audience(token));
    audience.is_some_and(|audience| without_port(&audience) == format!("https://{}", call.host))
}

fn principal_json(world: &World) -> Value {
    let settings = &world.settings;
    json!({ "id": settings.service_principal, "appId": settings.app_id, "displayName": settings.application })
}

/// All service principals of one name, which whoever is known may list.
fn list(state: &State, call: &Call) -> Routed {
    let Some(known) = (0..state.worlds.len()).find(|world| knows(state, *world, call)) else {
        return Routed::Answer(no(401, "InvalidAuthenticationToken", "Access token is missing or not valid."));
    };
    let filter = call.query.get("$filter").map(String::as_str).unwrap_or_default();
    let name = filter.strip_prefix("displayName eq '").and_then(|rest| rest.strip_suffix('\''));
    // A quote within is written twice.
    let Some(name) = name.filter(|name| !name.replace("''", "").contains('\'')) else {
        return Routed::Answer(no(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause."));
    };
    let name = name.replace("''", "'");
    let all = (0..state.worlds.len()).map(|world| principal_json(&state.world(world)));
    let all: Vec<_> = all.filter(|one| one["displayName"] == name.as_str()).collect();
    Routed::deed(known, Op::PrincipalRead, move |_| Reply::json(200, &json!({ "value": all })))
}

/// A job's schema: its mappings, and what is said of both directories, which is long.
fn schema(user_flows: &str) -> Value {
    let attribute =
        |number| json!({ "name": format!("attribute{number}"), "type": "String", "flowBehavior": "FlowWhenChanged" });
    let attributes: Vec<_> = (0..4000).map(attribute).collect();
    let mapping = |name: &str, source: &str, flows: &str| json!({ "enabled": true, "flowTypes": flows, "name": name, "sourceObjectName": source, "targetObjectName": source });
    json!({
        "id": "schema", "version": "v1.0",
        "synchronizationRules": [{
            "name": "USER_INBOUND_USER", "sourceDirectoryName": "Azure Active Directory",
            "objectMappings": [
                mapping("Provision Microsoft Entra ID Groups", "Group", "Add, Update, Delete"),
                mapping("Provision Microsoft Entra ID Users", "User", user_flows),
            ],
        }],
        "directories": [{ "name": "Azure Active Directory", "objects": [{ "name": "User", "attributes": attributes }] }],
    })
}

fn post(world: usize, id: &str, verb: &str, body: Value) -> Routed {
    let id = id.to_owned();
    match verb {
        "pause" => {
            deed(world, Op::Pause, move |world| if world.pause(&id) { Ok(Reply::empty(204)) } else { Err(gone(&id)) })
        }
        "start" => {
            deed(world, Op::Start, move |world| if world.start(&id) { Ok(Reply::empty(204)) } else { Err(gone(&id)) })
        }
        "validateCredentials" if body["useSavedCredentials"] == true => deed(world, Op::TestSaved, move |world| {
            world.job(&id).ok_or_else(|| gone(&id))?;
            if world.test_saved() { Ok(Reply::empty(204)) } else { Err(unavailable()) }
        }),
        "validateCredentials" => deed(world, Op::TestCandidate, move |world| {
            world.job(&id).ok_or_else(|| gone(&id))?;
            let pairs = pairs(&body["credentials"])?;
            for needed in ["BaseAddress", "SecretToken"] {
                if pairs.iter().any(|(key, _)| key.eq_ignore_ascii_case(needed) && key != needed) {
                    return Err(refusal(500, "InternalServerError", "An error has occurred."));
                }
            }
            if world.test_candidate(&pairs) { Ok(Reply::empty(204)) } else { Err(unavailable()) }
        }),
        _ => Routed::Answer(no(404, "ResourceNotFound", "no such action")),
    }
}

fn deed(world: usize, op: Op, deed: impl FnOnce(&mut World) -> Result<Reply, Refusal> + Send + 'static) -> Routed {
    Routed::deed(world, op, move |world| {
        let answer = world.graph_access().and_then(|()| deed(world));
        answer.unwrap_or_else(|refusal| refuse(&refusal, error))
    })
}

/// The world whose service principal a path begins with, by object id or by app id, and the rest of the path.
fn principal<'a>(state: &State, path: &'a [&'a str]) -> Option<(usize, &'a [&'a str])> {
    match path {
        ["servicePrincipals", id, rest @ ..] => {
            Some((state.find(id, |world| world.settings.service_principal == *id)?, rest))
        }
        [one, rest @ ..] => {
            let app = one.strip_prefix("servicePrincipals(appId='")?.strip_suffix("')")?;
            Some((state.find(app, |world| world.settings.app_id == app)?, rest))
        }
        [] => None,
    }
}

fn pairs(value: &Value) -> Result<Vec<(String, String)>, Refusal> {
    let missing = || refusal(400, "RequestMissingRequiredParameter", "A required parameter is missing.");
    let list = value.as_array().ok_or_else(missing)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    list.iter()
        .map(|pair| Some((text(&pair["key"])?, text(&pair["value"])?)))
        .collect::<Option<_>>()
        .ok_or_else(missing)
}

/// Refused, or the endpoint is down: Entra says the same. Its message is JSON within JSON.
fn unavailable() -> Refusal {
    let code = "CredentialValidationUnavailable";
    let inner = json!({ "code": code, "details": [], "message": "We received an unexpected response.\r\nTry again." });
    Refusal { message: inner.to_string(), ..refusal(400, code, "") }
}

fn gone(id: &str) -> Refusal {
    Refusal { message: format!("The job {id} does not exist."), ..refusal(404, "ResourceNotFound", "") }
}

fn refusal(status: u16, code: &'static str, message: &str) -> Refusal {
    Refusal { status, code, message: message.to_owned(), retry_after: None }
}

/// Graph's shape.
pub fn error(refusal: &Refusal) -> Reply {
    let inner = json!({ "date": "2026-01-05T00:00:00", "request-id": REQUEST_ID, "client-request-id": REQUEST_ID });
    let body = json!({ "error": { "code": refusal.code, "message": refusal.message, "innerError": inner } });
    Reply::json(refusal.status, &body)
}

fn no(status: u16, code: &'static str, message: &str) -> Reply {
    error(&refusal(status, code, message))
}

fn without_port(url: &str) -> &str {
    match url.rsplit_once(':') {
        Some((rest, port)) if port.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => url,
    }
}

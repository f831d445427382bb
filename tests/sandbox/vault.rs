//! Key Vault over HTTP: `NAME.vault.sandbox.test`.

use chrono::DateTime;
use scim_rotator::domain::journal::Tags;
use serde_json::{Value, json};

use super::http::{Call, Reply, Routed, refuse};
use super::{State, clouds};
use crate::world::{NewSecret, Op, Patch, Refusal, Stored, Timestamp};

/// Key Vault's page of versions.
const PAGE: usize = 25;

/// The secrets of the vault that the host names.
pub fn route(state: &State, call: &Call) -> Routed {
    let name = call.host.split('.').next().unwrap_or_default();
    let Some(number) = state.find(|world| world.settings.vault == name) else {
        return Routed::Answer(no(404, "VaultNotFound", "there is no such vault"));
    };
    let audience = call.bearer().and_then(|token| state.world(number).audience(token));
    if audience != Some(format!("https://{}", clouds::of_vault(&call.host).vault)) {
        return Routed::Answer(challenge(state, call, number));
    }
    if call.query.get("api-version").is_none_or(String::is_empty) {
        return Routed::Answer(no(400, "BadParameter", "api-version must be specified"));
    }
    let authority = call.authority.clone();
    match call.parts() {
        ("GET", path) if matches!(path[..], ["secrets", _, "versions"]) => list(number, call, authority),
        ("GET", path) if matches!(path[..], ["secrets", _] | ["secrets", _, _]) => {
            let (name, version) = (path[1].to_owned(), path.get(2).map(|v| (*v).to_owned()));
            Routed::deed(number, Op::VaultRead, move |world| match world.vault_get(&name, version.as_deref()) {
                Ok(stored) => Reply::json(200, &bundle(&authority, &name, stored, true)),
                Err(refusal) => refuse(&refusal, error),
            })
        }
        ("PUT", path) if matches!(path[..], ["secrets", _]) => store(number, call, authority),
        ("PATCH", path) if matches!(path[..], ["secrets", _, _]) => patch(number, call, authority),
        _ => Routed::Answer(no(404, "NotFound", "no such operation")),
    }
}

fn challenge(state: &State, call: &Call, number: usize) -> Reply {
    let port = call.authority.rsplit_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default();
    let directory = state.world(number).settings.directory.clone();
    let cloud = clouds::of_vault(&call.host);
    let own = || format!("https://{}", cloud.vault);
    let resource = state.world(number).settings.challenge_resource.clone().unwrap_or_else(own);
    let header = format!(r#"Bearer authorization="https://{}{port}/{directory}", resource="{resource}""#, cloud.login);
    no(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.").with("www-authenticate", header)
}

fn list(number: usize, call: &Call, authority: String) -> Routed {
    let name = call.path[1].clone();
    let skip: usize = call.query.get("$skiptoken").and_then(|skip| skip.parse().ok()).unwrap_or(0);
    let version = call.query["api-version"].clone();
    Routed::deed(number, Op::VaultList, move |world| match world.vault_list(&name) {
        Err(refusal) => refuse(&refusal, error),
        Ok(versions) => {
            // The order is nobody's promise: by id, which is as good as random.
            let mut versions: Vec<_> = versions.iter().collect();
            versions.sort_by(|a, b| a.id.cmp(&b.id));
            let page = versions.iter().skip(skip).take(PAGE).map(|v| bundle(&authority, &name, v, false));
            let next = (skip + PAGE < versions.len()).then(|| {
                let skip = skip + PAGE;
                format!("https://{authority}/secrets/{name}/versions?api-version={version}&$skiptoken={skip}")
            });
            Reply::json(200, &json!({ "value": page.collect::<Vec<_>>(), "nextLink": next }))
        }
    })
}

fn store(number: usize, call: &Call, authority: String) -> Routed {
    let (name, body) = (call.path[1].clone(), call.json());
    Routed::deed(number, Op::VaultStore, move |world| {
        let Some(value) = body["value"].as_str() else {
            return no(400, "BadParameter", "The request body is missing the value.");
        };
        let new = NewSecret {
            value: value.to_owned(),
            tags: tags(&body).unwrap_or_default(),
            expires: expires(&body),
            enabled: body["attributes"]["enabled"].as_bool().unwrap_or(true),
            content_type: body["contentType"].as_str().map(str::to_owned),
        };
        match world.vault_set(&name, new) {
            Ok(stored) => Reply::json(200, &bundle(&authority, &name, &stored, true)),
            Err(refusal) => refuse(&refusal, error),
        }
    })
}

fn patch(number: usize, call: &Call, authority: String) -> Routed {
    let (name, version, body) = (call.path[1].clone(), call.path[2].clone(), call.json());
    Routed::deed(number, Op::VaultLabel, move |world| {
        let enabled = body["attributes"]["enabled"].as_bool();
        let patch = Patch { tags: tags(&body), enabled, expires: expires(&body) };
        match world.vault_patch(&name, &version, patch) {
            Ok(stored) => Reply::json(200, &bundle(&authority, &name, &stored, false)),
            Err(refusal) => refuse(&refusal, error),
        }
    })
}

fn tags(body: &Value) -> Option<Tags> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(body["tags"].as_object()?.iter().map(|(key, value)| (key.clone(), text(value))).collect())
}

fn expires(body: &Value) -> Option<Timestamp> {
    DateTime::from_timestamp(body["attributes"]["exp"].as_i64()?, 0)
}

fn bundle(authority: &str, name: &str, stored: &Stored, with_value: bool) -> Value {
    let mut attributes = json!({
        "enabled": stored.enabled, "created": stored.created.timestamp(), "updated": stored.updated.timestamp(),
        "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
    });
    if let Some(expires) = stored.expires {
        attributes["exp"] = expires.timestamp().into();
    }
    let id = format!("https://{authority}/secrets/{name}/{}", stored.id);
    let mut bundle = json!({ "id": id, "attributes": attributes, "tags": stored.tags });
    if let Some(kind) = &stored.content_type {
        bundle["contentType"] = kind.as_str().into();
    }
    if with_value {
        bundle["value"] = stored.value.as_str().into();
    }
    bundle
}

/// Key Vault's shape. A disabled version is a 403 of the outer code `Forbidden`.
pub fn error(refusal: &Refusal) -> Reply {
    let (outer, inner) = match refusal.code {
        "SecretDisabled" => ("Forbidden", Some("SecretDisabled")),
        "ForbiddenByPolicy" => ("BadParameter", Some("ForbiddenByPolicy")),
        code => (code, None),
    };
    let mut body = json!({ "error": { "code": outer, "message": refusal.message } });
    if let Some(inner) = inner {
        body["error"]["innererror"] = json!({ "code": inner });
    }
    Reply::json(refusal.status, &body)
}

fn no(status: u16, code: &'static str, message: &str) -> Reply {
    error(&Refusal { status, code, message: message.to_owned(), retry_after: None })
}

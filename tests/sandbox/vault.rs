//! Key Vault over HTTP: `NAME.vault.sandbox.test`.

use chrono::{DateTime, TimeDelta};
use scim_rotator::domain::journal::Tags;
use serde_json::{Value, json};

use super::http::{Call, Reply, Routed, refuse};
use super::{State, clouds, register};
use crate::world::{Listed, NewSecret, Op, Patch, Refusal, Stored, Timestamp, World};

/// Key Vault's page of versions, and of secrets.
const PAGE: usize = 25;
/// So long a deleted secret can be recovered.
const RECOVERABLE_DAYS: i64 = 90;

/// The secrets of the vault that the host names.
pub fn route(state: &State, call: &Call) -> Routed {
    let name = call.host.split('.').next().unwrap_or_default();
    // Of several connections that share a vault, each has a secret of its own.
    let secret = call.path.get(1).map_or("", String::as_str);
    let of_secret = |world: &World| world.settings.vault == name && world.settings.secret == secret;
    let found = state.find(&register::secret(name, secret), of_secret);
    let Some(number) = found.or_else(|| state.find(name, |world| world.settings.vault == name)) else {
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
        ("GET", path) if matches!(path[..], ["secrets"] | ["deletedsecrets"]) => list_all(number, call, authority),
        (_, path) if matches!(path[..], ["deletedsecrets", _] | ["deletedsecrets", _, "recover"]) => {
            deleted(number, call, authority)
        }
        ("DELETE", path) if matches!(path[..], ["secrets", _]) => delete(number, call, authority),
        ("GET", path) if matches!(path[..], ["secrets", _, "versions"]) => list(number, call, authority),
        ("GET", path) if matches!(path[..], ["secrets", _] | ["secrets", _, _]) => {
            let (name, version) = (path[1].to_owned(), path.get(2).map(|v| (*v).to_owned()));
            Routed::deed(number, Op::VaultRead, move |world| match world.vault_get(&name, version.as_deref()) {
                Ok(stored) => Reply::json(200, &bundle(&authority, &name, stored, true)),
                Err(refusal) => refuse(&refusal, error),
            })
        }
        ("PUT", path) if matches!(path[..], ["secrets", _]) => store(number, call, authority),
        ("PATCH", path) if matches!(path[..], ["secrets", _] | ["secrets", _, _]) => patch(number, call, authority),
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
    let page = Page::asked(call);
    Routed::deed(number, Op::VaultList, move |world| match world.vault_list(&name) {
        Err(refusal) => refuse(&refusal, error),
        Ok(versions) => {
            // The order is nobody's promise: by id, which is as good as random.
            let mut versions: Vec<_> = versions.iter().collect();
            versions.sort_by(|a, b| a.id.cmp(&b.id));
            let at = world.settings.next_page_at.as_ref().unwrap_or(&authority);
            page.of(versions.into_iter().map(|v| bundle(&authority, &name, v, false)), at)
        }
    })
}

/// The secrets, or the deleted ones.
fn list_all(number: usize, call: &Call, authority: String) -> Routed {
    let page = Page::asked(call);
    let is_of_deleted = call.path[0] == "deletedsecrets";
    Routed::deed(number, Op::VaultList, move |world| {
        let listed: Result<Vec<_>, _> = if is_of_deleted {
            let all = world.vault_deleted(None);
            all.map(|all| all.into_iter().map(|found| of_deleted(&authority, found)).collect())
        } else {
            let all = world.vault_secrets();
            all.map(|all| all.into_iter().map(|(name, v)| versionless(bundle(&authority, name, v, false))).collect())
        };
        match listed {
            Ok(listed) => page.of(listed.into_iter(), &authority),
            Err(refusal) => refuse(&refusal, error),
        }
    })
}

fn delete(number: usize, call: &Call, authority: String) -> Routed {
    let name = call.path[1].clone();
    Routed::deed(number, Op::VaultLabel, move |world| {
        let gone = world.vault_delete(&name);
        let shown = gone.and_then(|()| Ok(of_deleted(&authority, world.vault_deleted(Some(&name))?[0])));
        shown.map_or_else(|refusal| refuse(&refusal, error), |shown| Reply::json(200, &shown))
    })
}

/// What can be done with a deleted secret: a look, the way back, and the end.
fn deleted(number: usize, call: &Call, authority: String) -> Routed {
    let name = call.path[1].clone();
    match (call.method.as_str(), call.path.len()) {
        ("GET", 2) => Routed::deed(number, Op::VaultRead, move |world| match world.vault_deleted(Some(&name)) {
            Ok(found) => Reply::json(200, &of_deleted(&authority, found[0])),
            Err(refusal) => refuse(&refusal, error),
        }),
        ("POST", 3) => Routed::deed(number, Op::VaultLabel, move |world| {
            let back = world.vault_recover(&name).and_then(|()| world.vault_list(&name));
            match back.map(|versions| versions.last().map(|v| bundle(&authority, &name, v, false))) {
                Ok(shown) => Reply::json(200, &shown.unwrap_or_default()),
                Err(refusal) => refuse(&refusal, error),
            }
        }),
        ("DELETE", 2) => Routed::deed(number, Op::VaultLabel, move |world| match world.vault_purge(&name) {
            Ok(()) => Reply::empty(204),
            Err(refusal) => refuse(&refusal, error),
        }),
        _ => Routed::Answer(no(404, "NotFound", "no such operation")),
    }
}

/// A deleted secret, with what the way back is and when there will be none.
fn of_deleted(authority: &str, (since, (name, latest)): (Timestamp, Listed<'_>)) -> Value {
    let mut shown = versionless(bundle(authority, name, latest, false));
    shown["recoveryId"] = format!("https://{authority}/deletedsecrets/{name}").into();
    shown["deletedDate"] = since.timestamp().into();
    shown["scheduledPurgeDate"] = (since + TimeDelta::days(RECOVERABLE_DAYS)).timestamp().into();
    shown
}

/// In lists of secrets an id names no version.
fn versionless(mut bundle: Value) -> Value {
    let id = bundle["id"].as_str().and_then(|id| id.rsplit_once('/')).map(|(id, _)| id.to_owned());
    bundle["id"] = id.into();
    bundle
}

/// Which part of a list is asked for.
struct Page {
    path: String,
    version: String,
    skip: usize,
    most: usize,
}

impl Page {
    fn asked(call: &Call) -> Self {
        let number = |name: &str| call.query.get(name).and_then(|text| text.parse::<usize>().ok());
        let most = number("maxresults").map_or(PAGE, |most| most.clamp(1, PAGE));
        let (path, version) = (call.path.join("/"), call.query["api-version"].clone());
        Self { path, version, skip: number("$skiptoken").unwrap_or(0), most }
    }

    fn of(&self, all: impl ExactSizeIterator<Item = Value>, authority: &str) -> Reply {
        let Self { path, version, skip, most } = self;
        let next = (skip + most < all.len()).then(|| {
            let (skip, most) = (skip + most, *most);
            format!("https://{authority}/{path}?api-version={version}&$skiptoken={skip}&maxresults={most}")
        });
        Reply::json(200, &json!({ "value": all.skip(*skip).take(*most).collect::<Vec<_>>(), "nextLink": next }))
    }
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
            expires: moment(&body, "exp"),
            not_before: moment(&body, "nbf"),
            enabled: body["attributes"]["enabled"].as_bool().unwrap_or(true),
            content_type: body["contentType"].as_str().map(str::to_owned),
        };
        match world.vault_set(&name, new) {
            Ok(stored) => Reply::json(200, &bundle(&authority, &name, &stored, true)),
            Err(refusal) => refuse(&refusal, error),
        }
    })
}

/// Of the version that is named, or of the latest.
fn patch(number: usize, call: &Call, authority: String) -> Routed {
    let (name, version, body) = (call.path[1].clone(), call.path.get(2).cloned(), call.json());
    Routed::deed(number, Op::VaultLabel, move |world| {
        let patch = Patch {
            tags: tags(&body),
            enabled: body["attributes"]["enabled"].as_bool(),
            expires: moment(&body, "exp"),
            not_before: moment(&body, "nbf"),
            content_type: body["contentType"].as_str().map(str::to_owned),
        };
        let latest =
            || world.vault_list(&name).map(|versions| versions.last().map(|v| v.id.clone()).unwrap_or_default());
        let patched = version.map_or_else(latest, Ok).and_then(|id| world.vault_patch(&name, &id, patch));
        match patched {
            Ok(stored) => Reply::json(200, &bundle(&authority, &name, &stored, false)),
            Err(refusal) => refuse(&refusal, error),
        }
    })
}

fn tags(body: &Value) -> Option<Tags> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(body["tags"].as_object()?.iter().map(|(key, value)| (key.clone(), text(value))).collect())
}

fn moment(body: &Value, attribute: &str) -> Option<Timestamp> {
    DateTime::from_timestamp(body["attributes"][attribute].as_i64()?, 0)
}

fn bundle(authority: &str, name: &str, stored: &Stored, with_value: bool) -> Value {
    let mut attributes = json!({
        "enabled": stored.enabled, "created": stored.created.timestamp(), "updated": stored.updated.timestamp(),
        "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": RECOVERABLE_DAYS,
    });
    for (attribute, moment) in [("exp", stored.expires), ("nbf", stored.not_before)] {
        if let Some(moment) = moment {
            attributes[attribute] = moment.timestamp().into();
        }
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

/// Key Vault's shape: what tells one refusal from another of the same status stands inside.
pub fn error(refusal: &Refusal) -> Reply {
    let (outer, inner) = match refusal.code {
        code if refusal.status == 400 && code.starts_with("Forbidden") => ("BadParameter", Some(code)),
        code if refusal.status == 403 => ("Forbidden", Some(code)),
        code if refusal.status == 409 => ("Conflict", Some(code)),
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

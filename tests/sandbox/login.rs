//! Entra's login over HTTP: `login.sandbox.test`.

use std::sync::PoisonError;

use serde_json::json;

use super::assertion::Judge;
use super::http::{Call, Reply, Routed, refuse};
use super::{State, clouds};
use crate::world::{Op, Refusal};

/// `POST /{directory}/oauth2/v2.0/token`, and what a client looks up before it asks.
pub fn route(state: &State, call: &Call) -> Routed {
    let (method, path) = call.parts();
    match (method, path.as_slice()) {
        ("GET", ["common", "discovery", "instance"]) => return Routed::Answer(instances(call)),
        ("GET", [directory, "v2.0", ".well-known", "openid-configuration"]) => {
            return Routed::Answer(configuration(state, call, directory));
        }
        _ => {}
    }
    let ("POST", [directory, "oauth2", "v2.0", "token"]) = (method, path.as_slice()) else {
        return Routed::Answer(Reply::empty(404));
    };
    let form = call.form();
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let (grant, id, secret, scope) = (field("grant_type"), field("client_id"), field("client_secret"), field("scope"));
    let assertion = assertion_of(state, call);
    let (directory, speed) = ((*directory).to_owned(), state.clock.speed);
    let world = state.find(&id, |world| world.settings.azure_client_id == id).unwrap_or(0);
    let op = if scope.contains("vault.") { Op::VaultToken } else { Op::GraphToken };
    let is_known = clouds::knows(&call.host, &scope);
    Routed::deed(world, op, move |world| {
        if grant != "client_credentials" {
            let message = "AADSTS70003: The app requested an unsupported grant type.".to_owned();
            return error(&Refusal { status: 400, code: "unsupported_grant_type", message, retry_after: None });
        }
        let access = match &assertion {
            Some((assertion, judge)) => {
                world.entra_login_by(&directory, &id, &scope, |world| judge.check(world, assertion))
            }
            None => world.entra_login(&directory, &id, &secret, &scope),
        };
        match access {
            Err(refusal) => refuse(&refusal, error),
            Ok(_) if !is_known => {
                let message =
                    format!("AADSTS500011: The resource principal named {scope} was not found in the tenant.");
                error(&Refusal { status: 400, code: "invalid_resource", message, retry_after: None })
            }
            Ok(access) => {
                let life = real_life(access.expires_in, speed);
                let body = json!({
                    "token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": access.token,
                });
                Reply::json(200, &body)
            }
        }
    })
}

/// Under which names this login is known: a client that trusts no other place to tell it asks here, whatever it was told.
fn instances(call: &Call) -> Reply {
    let tenant = "{tenant}"; // To be filled in by the client.
    let discovery = format!("https://{}/{tenant}/v2.0/.well-known/openid-configuration", call.authority);
    let known = json!({ "preferred_network": call.host, "preferred_cache": call.host, "aliases": [call.host] });
    let body = json!({ "tenant_discovery_endpoint": discovery, "api-version": "1.1", "metadata": [known] });
    Reply::json(200, &body)
}

/// Where a directory gives its tokens.
fn configuration(state: &State, call: &Call, directory: &str) -> Reply {
    if state.find(directory, |world| world.settings.directory == directory).is_none() {
        let message = format!("AADSTS90002: Tenant '{directory}' not found.");
        return error(&Refusal { status: 400, code: "invalid_tenant", message, retry_after: None });
    }
    let base = format!("https://{}/{directory}", call.authority);
    let body = json!({
        "issuer": format!("{base}/v2.0"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "subject_types_supported": ["pairwise"],
        "tenant_region_scope": "EU", "cloud_instance_name": "microsoftonline.com",
    });
    Reply::json(200, &body)
}

/// The assertion that stands in for a secret, and what to judge it by. Whoever sees one can log in with it, once.
fn assertion_of(state: &State, call: &Call) -> Option<(String, Judge)> {
    const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let form = call.form();
    let assertion = form.get("client_assertion").filter(|_| form["client_assertion_type"] == KIND)?;
    let mut secrets = state.bearers.lock().unwrap_or_else(PoisonError::into_inner);
    let judge = Judge {
        endpoint: format!("https://{}/{}", call.authority, call.path.join("/")),
        client_id: form.get("client_id").cloned().unwrap_or_default(),
        is_used: !secrets.insert(assertion.clone()),
        // A minute of real time, however slow the machine is.
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        leeway: (60.0 * state.clock.speed) as i64,
    };
    Some((assertion.clone(), judge))
}

/// The life of an access token in real seconds, by which the SDK counts whatever the sandbox's speed. Where the world
/// stands still, the SDK is told of its end by a 401 alone.
pub fn real_life(seconds: i64, speed: f64) -> i64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a few thousand")]
    let real = (seconds as f64 / speed) as i64;
    if speed > 0.0 { real.max(1) } else { seconds }
}

/// Entra's shape, with the line breaks that have cost more than one client its error code.
pub fn error(refusal: &Refusal) -> Reply {
    let digits = refusal.message.strip_prefix("AADSTS").unwrap_or_default();
    let number: u32 = digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(50_000);
    let trace = "00000000-0000-4000-8000-00000000abcd";
    let description =
        format!("{} Trace ID: {trace}\r\nCorrelation ID: {trace}\r\nTimestamp: 2026-01-05 00:00:00Z", refusal.message);
    let body = json!({
        "error": refusal.code, "error_description": description, "error_codes": [number],
        "timestamp": "2026-01-05 00:00:00Z", "trace_id": trace, "correlation_id": trace,
    });
    Reply::json(refusal.status, &body)
}

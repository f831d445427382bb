//! HPE over HTTP: its login, the proxy-token API, and the SCIM endpoint.

use serde_json::json;

use super::State;
use super::http::{Call, Reply, Routed, refuse};
use crate::world::{Op, Refusal};

/// `iam.sandbox.test`.
pub fn login(state: &State, call: &Call) -> Routed {
    let (method, path) = call.parts();
    let ("POST", ["oauth2", tenant, _, "v1", "token"]) = (method, path.as_slice()) else {
        return Routed::Answer(Reply::empty(404));
    };
    let Some(world) = state.find(|world| world.settings.tenant == *tenant) else {
        return Routed::Answer(login_error(&no(404, "not_found", "no such issuer")));
    };
    let form = call.form();
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let (grant, id, secret, scope) = (field("grant_type"), field("client_id"), field("client_secret"), field("scope"));
    Routed::deed(world, Op::BearerMint, move |world| {
        if grant != "client_credentials" {
            return login_error(&no(400, "unsupported_grant_type", "the grant type is not supported"));
        }
        match world.mint_bearer(&id, &secret, &scope) {
            Err(refusal) => refuse(&refusal, login_error),
            Ok(access) => Reply::json(
                200,
                &json!({
                    "token_type": "Bearer", "expires_in": access.expires_in,
                    "access_token": access.token, "scope": scope,
                }),
            ),
        }
    })
}

/// `sps.sandbox.test`.
pub fn api(state: &State, call: &Call) -> Routed {
    match call.parts() {
        ("POST", path) if path == ["v1alpha1", "proxytoken"] => issue(state, call, None),
        ("POST", path) if path == ["v1alpha1", "proxytoken", "rotate"] => match call.query.get("remove-current") {
            Some(flag) if flag == "true" || flag == "false" => issue(state, call, Some(flag == "true")),
            _ => Routed::Answer(api_error(&no(400, "HPE_GL_SPS_BAD_REQUEST", "remove-current is missing"))),
        },
        ("GET", path) if path == ["v1alpha1", "scimproxy", "Users"] => users(state, call),
        _ => Routed::Answer(api_error(&no(404, "HPE_GL_SPS_NOT_FOUND", "no such resource"))),
    }
}

fn issue(state: &State, call: &Call, remove_current: Option<bool>) -> Routed {
    if call.header("content-length") != Some("0") {
        return Routed::Answer(api_error(&no(411, "HPE_GL_SPS_LENGTH_REQUIRED", "Content-Length: 0 is missing")));
    }
    let bearer = call.bearer().unwrap_or_default().to_owned();
    let world = state.find(|world| world.is_of_tenant(&bearer)).unwrap_or(0);
    Routed::deed(world, Op::Issue, move |world| {
        let minted = match remove_current {
            None => world.create_token(&bearer),
            Some(remove) => world.rotate_token(&bearer, remove),
        };
        match minted {
            Err(refusal) => refuse(&refusal, api_error),
            Ok(minted) => {
                let answer = world.settings.answer.render(&minted, world.now());
                match answer.content_type {
                    Some(kind) => Reply::text(answer.status, kind, answer.body),
                    None => Reply::empty(answer.status),
                }
            }
        }
    })
}

fn users(state: &State, call: &Call) -> Routed {
    let token = call.bearer().unwrap_or_default().to_owned();
    let world = state.find(|world| world.token_number(&token).is_some()).unwrap_or(0);
    let filtered = call.query.contains_key("filter");
    Routed::deed(world, Op::Probe, move |world| match world.scim(&token) {
        200 if filtered => scim(
            200,
            &json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": [],
            }),
        ),
        // Nothing says that a list of everybody is allowed.
        200 => scim_error(&no(400, "invalidFilter", "a filter is needed")),
        status => scim_error(&no(status, "unauthorized", "the token is not valid")),
    })
}

/// OAuth's shape.
pub fn login_error(refusal: &Refusal) -> Reply {
    Reply::json(refusal.status, &json!({ "error": refusal.code, "error_description": refusal.message }))
}

/// The likeliest of the shapes of HPE's siblings.
pub fn api_error(refusal: &Refusal) -> Reply {
    let body = json!({
        "message": refusal.message, "details": "sandbox", "errorCode": refusal.code,
        "recommendedActions": ["Assign the role SCIM Proxy Token Contributor if it is missing."],
    });
    Reply::json(refusal.status, &body)
}

/// SCIM's own shape.
pub fn scim_error(refusal: &Refusal) -> Reply {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": refusal.status.to_string(), "scimType": refusal.code, "detail": refusal.message,
    });
    scim(refusal.status, &body)
}

fn scim(status: u16, body: &serde_json::Value) -> Reply {
    Reply::text(status, "application/scim+json", body.to_string())
}

fn no(status: u16, code: &'static str, message: &str) -> Refusal {
    Refusal { status, code, message: message.to_owned(), retry_after: None }
}

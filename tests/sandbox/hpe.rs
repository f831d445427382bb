//! HPE over HTTP: its login, the proxy-token API, and the SCIM endpoint.

use serde_json::json;

use super::State;
use super::http::{Call, ErrorShape, Reply, Routed, refuse};
use crate::world::{ErrorFamily, Grant, LoginKind, Op, Refusal, ThrottleTold, World};

/// HPE's number of a refused request.
pub const DEBUG_ID: &str = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";

/// `iam.sandbox.test`: all three services, told apart by path.
pub fn login(state: &State, call: &Call) -> Routed {
    let (method, path) = call.parts();
    let (form, json) = (call.form(), call.json());
    let of_form = |name: &str| form.get(name).cloned();
    let of_json = |name: &str| json[name].as_str().map(str::to_owned);
    let (kind, tenant) = match (method, path.as_slice()) {
        ("POST", ["oauth2", tenant, _, "v1", "token"]) => (LoginKind::Glcs, Some((*tenant).to_owned())),
        ("POST", ["authorization", "v2", "oauth2", workspace, "token"]) => {
            (LoginKind::Glp, Some((*workspace).to_owned()))
        }
        ("POST", ["api", "iam", "identity", "v1", "token"]) => (LoginKind::GlcsLegacy, of_json("tenant_id")),
        _ => return Routed::Answer(Reply::empty(404)),
    };
    let known = tenant.as_deref().and_then(|tenant| state.find(tenant, |world| world.settings.tenant == tenant));
    let Some(world) = known else {
        return Routed::Answer(login_error(&no(404, "not_found", "no such issuer")));
    };
    let field = |name: &str| if kind == LoginKind::GlcsLegacy { of_json(name) } else { of_form(name) };
    let grant_type = field("grant_type").unwrap_or_default();
    let (client_id, secret) = (field("client_id").unwrap_or_default(), field("client_secret").unwrap_or_default());
    let grant = Grant { kind, client_id, secret, scope: field("scope"), tenant };
    Routed::deed(world, Op::BearerMint, move |world| {
        if grant_type != "client_credentials" {
            return login_error(&no(400, "unsupported_grant_type", "the grant type is not supported"));
        }
        match world.mint_bearer(&grant) {
            Err(refusal) => refuse(&refusal, login_error),
            Ok(access) => Reply::json(
                200,
                &json!({
                    "token_type": "Bearer", "expires_in": access.expires_in,
                    "access_token": access.token, "scope": grant.scope,
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
    let world = World::tenant_of(&bearer)
        .and_then(|tenant| state.find(&tenant, |world| world.settings.tenant == tenant))
        .unwrap_or(0);
    Routed::deed(world, Op::Issue, move |world| {
        let minted = match remove_current {
            None => world.create_token(&bearer),
            Some(remove) => world.rotate_token(&bearer, remove),
        };
        match minted {
            Err(refusal) => refuse_issue(&refusal, world),
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

/// A refusal in the family of this world, which says in its manner when to come again.
fn refuse_issue(refusal: &Refusal, world: &World) -> Reply {
    let shape: ErrorShape = match world.settings.errors {
        ErrorFamily::Actions => api_error,
        ErrorFamily::DebugId => debug_id_error,
        ErrorFamily::Scim => scim_error,
        ErrorFamily::OAuth => login_error,
        ErrorFamily::Summary => summary_error,
        ErrorFamily::Page => page,
    };
    let Some(seconds) = refusal.retry_after else { return shape(refusal) };
    let reset = match world.settings.throttle_told {
        ThrottleTold::RetryAfter | ThrottleTold::Nowhere => return refuse(refusal, shape),
        ThrottleTold::ResetIn => i64::from(seconds),
        ThrottleTold::ResetAt => world.now().timestamp() + i64::from(seconds),
    };
    shape(refusal).with("x-ratelimit-reset", reset.to_string())
}

fn users(state: &State, call: &Call) -> Routed {
    let token = call.bearer().unwrap_or_default().to_owned();
    let world = state.find(&token, |world| world.token_number(&token).is_some()).unwrap_or(0);
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

/// That of HPE's platform services.
fn debug_id_error(refusal: &Refusal) -> Reply {
    let body = json!({
        "httpStatusCode": refusal.status, "errorCode": refusal.code, "message": refusal.message, "debugId": DEBUG_ID,
    });
    Reply::json(refusal.status, &body)
}

/// The other one of OAuth's servers.
fn summary_error(refusal: &Refusal) -> Reply {
    let body = json!({ "errorCode": refusal.code, "errorSummary": refusal.message, "errorId": DEBUG_ID });
    Reply::json(refusal.status, &body)
}

/// What something in between says.
fn page(refusal: &Refusal) -> Reply {
    Reply::text(refusal.status, "text/html", "<html><body>You shall not pass</body></html>")
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

//! Entra's login over HTTP: `login.sandbox.test`.

use serde_json::json;

use super::State;
use super::http::{Call, Reply, Routed, refuse};
use crate::world::{Op, Refusal};

/// `POST /{directory}/oauth2/v2.0/token`.
pub fn route(state: &State, call: &Call) -> Routed {
    let (method, path) = call.parts();
    let ("POST", [directory, "oauth2", "v2.0", "token"]) = (method, path.as_slice()) else {
        return Routed::Answer(Reply::empty(404));
    };
    let form = call.form();
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let (grant, id, secret, scope) = (field("grant_type"), field("client_id"), field("client_secret"), field("scope"));
    let (directory, speed) = ((*directory).to_owned(), state.clock.speed);
    let world = state.find(|world| world.settings.azure_client_id == id).unwrap_or(0);
    let op = if scope.contains("vault.") { Op::VaultToken } else { Op::GraphToken };
    Routed::deed(world, op, move |world| {
        if grant != "client_credentials" {
            let message = "AADSTS70003: The app requested an unsupported grant type.".to_owned();
            return error(&Refusal { status: 400, code: "unsupported_grant_type", message, retry_after: None });
        }
        match world.entra_login(&directory, &id, &secret, &scope) {
            Err(refusal) => refuse(&refusal, error),
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

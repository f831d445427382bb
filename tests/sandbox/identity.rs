//! A cloud machine's own identity endpoint, as App Service and Container Apps have it: plain http on loopback, for whoever
//! knows the header that the platform hands to the machine's processes.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Sandbox, State, login, real_now};
use crate::world::{Fault, Op};

const API_VERSION: &str = "2019-08-01";

/// Who this machine is to Entra, and how its processes show that they run on it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The client id of the only identity, if it is a user-assigned one: it has to be asked for by name.
    pub user_assigned: Option<String>,
    /// The value of `X-IDENTITY-HEADER`.
    pub header: String,
}

/// The endpoint, until it is dropped.
pub struct IdentityEndpoint {
    /// `IDENTITY_ENDPOINT`.
    pub url: String,
    serving: JoinHandle<()>,
}

impl Drop for IdentityEndpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Sandbox {
    /// Puts `machine` into the first world. Faults of Entra's login strike here as well.
    pub async fn identity_endpoint(&self, machine: Machine) -> io::Result<IdentityEndpoint> {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/msi/token", tcp.local_addr()?);
        let app = axum::Router::new().route("/msi/token", get(token)).with_state((Arc::clone(&self.state), machine));
        let serving = tokio::spawn(async move {
            // It returns only with the runtime.
            let _ended = axum::serve(tcp, app).await;
        });
        Ok(IdentityEndpoint { url, serving })
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "api-version", default)]
    api_version: String,
    #[serde(default)]
    resource: String,
    client_id: Option<String>,
}

async fn token(
    Shared((state, machine)): Shared<(Arc<State>, Machine)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let shown = headers.get("x-identity-header").and_then(|header| header.to_str().ok()).unwrap_or_default();
    let op = if asked.resource.contains("vault.") { Op::VaultToken } else { Op::GraphToken };
    let (status, body) = answer(&state, &machine, &asked, op, shown);
    state.record(state.clock.now(), Some(op), Some(status));
    (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response()
}

fn answer(state: &State, machine: &Machine, asked: &Asked, op: Op, shown: &str) -> (u16, Value) {
    let mut world = state.world(0);
    if let Some(Fault::Status(status, _)) = world.fault(op) {
        return refusal(status, &format!("The identity service is out of order for {shown}."));
    }
    if shown != machine.header {
        return refusal(401, &format!("The header {shown} is not the one of this machine."));
    }
    if asked.api_version != API_VERSION || asked.resource.is_empty() {
        return refusal(400, "The api-version or the resource is missing.");
    }
    if asked.client_id != machine.user_assigned {
        return refusal(400, "No managed identity was found for the specified ClientId/ResourceId/PrincipalId.");
    }
    let id = asked.client_id.as_deref().unwrap_or("the-system-assigned-one");
    let access = world.identity_token(id, &asked.resource);
    let ends = real_now().timestamp() + login::real_life(access.expires_in, state.clock.speed);
    let body = json!({
        "access_token": access.token, "expires_on": ends.to_string(), "resource": asked.resource,
        "token_type": "Bearer", "client_id": id,
    });
    (200, body)
}

/// App Service's shape. It repeats what it was shown, as talkative services do.
fn refusal(status: u16, message: &str) -> (u16, Value) {
    let id = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
    (status, json!({ "statusCode": status, "message": message, "correlationId": id }))
}

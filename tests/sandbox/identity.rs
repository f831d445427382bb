//! A machine's own identity endpoint, plain http on loopback, in its three dialects: that of App Service and Container Apps
//! (for whoever knows the header that the platform hands to the machine's processes), that of Azure's virtual machines
//! (IMDS, for whoever is there), and that of Azure Arc (for whoever can read a file that its agent has just written).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Recorded, Sandbox, State, login, real_now};
use crate::world::{Fault, Op};

/// How this machine's processes show that they run on it.
#[derive(Clone, Debug)]
pub enum Dialect {
    /// App Service, Container Apps: by the value of `X-IDENTITY-HEADER`.
    AppService(String),
    /// A virtual machine: by being there. The header `Metadata: true` keeps out what a page or a proxy sends.
    Metadata,
    /// Azure Arc: by the content of a file, which may be handed out in odd ways.
    Arc {
        /// Where the agent writes its files.
        folder: PathBuf,
        /// What is odd about this one.
        oddity: Oddity,
    },
}

/// What an Arc agent does, or whoever pretends to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// As the agent does.
    None,
    /// Names this file of its own folder or of another, which is there and holds a key.
    Names(&'static str),
    /// Challenges with these words instead.
    Challenges(&'static str),
    /// Gives a token to whoever asks.
    GivesAtOnce,
    /// Writes so many bytes.
    Writes(usize),
    /// Writes nothing at all.
    WritesNoFile,
    /// Writes a link to the key.
    Links,
    /// Takes no key.
    TakesNoKey,
}

/// Who this machine is to Entra.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Parameter and value by which the only identity has to be asked for, if it is a user-assigned one.
    pub user_assigned: Option<(&'static str, String)>,
    /// How it is asked.
    pub dialect: Dialect,
}

/// The endpoint, until it is dropped.
pub struct IdentityEndpoint {
    /// `IDENTITY_ENDPOINT`.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    keys: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl IdentityEndpoint {
    /// Every key that was written into a file.
    pub fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for IdentityEndpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Clone)]
struct Endpoint {
    state: Arc<State>,
    machine: Machine,
    keys: Arc<Mutex<Vec<String>>>,
}

impl Sandbox {
    /// Puts `machine` into the first world. Faults of Entra's login strike here as well.
    pub async fn identity_endpoint(&self, machine: Machine) -> io::Result<IdentityEndpoint> {
        self.identity_endpoint_at(machine, (Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// The same at an address of one's choice.
    pub async fn identity_endpoint_at(&self, machine: Machine, address: SocketAddr) -> io::Result<IdentityEndpoint> {
        let tcp = TcpListener::bind(address).await?;
        let address = tcp.local_addr()?;
        let path = match machine.dialect {
            Dialect::AppService(_) => "/msi/token",
            Dialect::Metadata | Dialect::Arc { .. } => "/metadata/identity/oauth2/token",
        };
        let keys = Arc::<Mutex<Vec<String>>>::default();
        let endpoint = Endpoint { state: Arc::clone(&self.state), machine, keys: Arc::clone(&keys) };
        let app = axum::Router::new().route(path, get(token)).with_state(endpoint);
        let serving = tokio::spawn(async move {
            // It returns only with the runtime.
            let _ended = axum::serve(tcp, app).await;
        });
        Ok(IdentityEndpoint { url: format!("http://{address}{path}"), address, keys, serving })
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "api-version", default)]
    api_version: String,
    #[serde(default)]
    resource: String,
    client_id: Option<String>,
    object_id: Option<String>,
    msi_res_id: Option<String>,
}

impl Asked {
    /// The identity that is asked for by name, as parameter and value.
    fn identity(&self) -> Option<(&'static str, String)> {
        let named = [("client_id", &self.client_id), ("object_id", &self.object_id), ("msi_res_id", &self.msi_res_id)];
        named.into_iter().find_map(|(name, value)| Some((name, value.clone()?)))
    }
}

async fn token(Shared(endpoint): Shared<Endpoint>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let op = if asked.resource.contains("vault.") { Op::VaultToken } else { Op::GraphToken };
    let header = |name: &str| headers.get(name).and_then(|header| header.to_str().ok()).unwrap_or_default();
    if let Dialect::Arc { folder, oddity } = &endpoint.machine.dialect
        && header("authorization").is_empty()
        && *oddity != Oddity::GivesAtOnce
    {
        return match header("metadata") {
            "true" => endpoint.challenge(folder, *oddity).expect("a key file"),
            _ => StatusCode::BAD_REQUEST.into_response(),
        };
    }
    let shown = match endpoint.machine.dialect {
        Dialect::AppService(_) => header("x-identity-header"),
        Dialect::Metadata => header("metadata"),
        Dialect::Arc { .. } => header("authorization"),
    };
    let (status, body) = endpoint.answer(&asked, op, shown);
    let at = endpoint.state.clock.now();
    endpoint.state.record(Recorded { at, world: None, service: None, op: Some(op), status: Some(status) });
    let status = StatusCode::from_u16(status).unwrap_or_default();
    match body {
        Value::String(page) => (status, [("content-type", "text/html")], page).into_response(),
        body => (status, Json(body)).into_response(),
    }
}

impl Endpoint {
    fn answer(&self, asked: &Asked, op: Op, shown: &str) -> (u16, Value) {
        let mut world = self.state.world(0);
        match world.fault(op) {
            Some(Fault::Status(status, _)) => {
                return self.refusal(status, &format!("The identity service is out of order for {shown}."));
            }
            // Text stands for a page: no answer of the service's own is a mere string.
            Some(Fault::Html) => return (200, Value::String("<html><body>Sign in</body></html>".to_owned())),
            _ => {}
        }
        let (is_known, api_versions): (_, &[_]) = match &self.machine.dialect {
            Dialect::AppService(header) => (shown == header, &["2019-08-01"]),
            Dialect::Metadata => (shown == "true", &["2018-02-01", "2019-08-01"]),
            Dialect::Arc { oddity, .. } => (self.is_key(shown, *oddity), &["2020-06-01"]),
        };
        if !is_known {
            return self.refusal(401, &format!("The header {shown} is not the one of this machine."));
        }
        if !api_versions.contains(&asked.api_version.as_str()) || asked.resource.is_empty() {
            return self.refusal(400, "The api-version or the resource is missing.");
        }
        if asked.identity() != self.machine.user_assigned {
            return self
                .refusal(400, "No managed identity was found for the specified ClientId/ResourceId/PrincipalId.");
        }
        let id = asked.identity().map_or("the-system-assigned-one".to_owned(), |(_, id)| id);
        let access = world.identity_token(&id, &asked.resource);
        let life = login::real_life(access.expires_in, self.state.clock.speed);
        let ends = real_now().timestamp() + life;
        let body = json!({
            "access_token": access.token, "expires_on": ends.to_string(), "expires_in": life.to_string(),
            "resource": asked.resource, "token_type": "Bearer", "client_id": id,
        });
        (200, body)
    }

    /// A key opens once.
    fn is_key(&self, shown: &str, oddity: Oddity) -> bool {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(oddity, Oddity::GivesAtOnce | Oddity::TakesNoKey) {
            return oddity == Oddity::GivesAtOnce;
        }
        shown.strip_prefix("Basic ").is_some_and(|shown| keys.last().is_some_and(|k| k == shown))
    }

    /// Writes a key into a new file, and says where.
    fn challenge(&self, folder: &std::path::Path, oddity: Oddity) -> io::Result<Response> {
        let mut key = uuid::Uuid::new_v4().to_string();
        if let Oddity::Writes(bytes) = oddity {
            key = key.repeat(bytes / key.len() + 1)[..bytes].to_owned();
        }
        let mut file = match oddity {
            Oddity::Names(name) => folder.join(name),
            _ => folder.join(format!("{}.key", uuid::Uuid::new_v4())),
        };
        match oddity {
            Oddity::WritesNoFile => {}
            Oddity::Links => {
                std::fs::write(file.with_extension("elsewhere"), &key)?;
                std::os::unix::fs::symlink(file.with_extension("elsewhere"), &file)?;
            }
            _ => std::fs::write(&file, &key)?,
        }
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        let challenge = match oddity {
            Oddity::Challenges(words) => words.to_owned(),
            _ => format!("Basic realm={}", std::mem::take(&mut file).display()),
        };
        Ok((StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)], "").into_response())
    }

    /// App Service's shape, or that of the others. It repeats what it was shown, as talkative services do.
    fn refusal(&self, status: u16, message: &str) -> (u16, Value) {
        let id = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
        let body = match self.machine.dialect {
            Dialect::AppService(_) => json!({ "statusCode": status, "message": message, "correlationId": id }),
            _ => json!({ "error": "invalid_request", "error_description": message }),
        };
        (status, body)
    }
}

//! The way of every request: read, routed, perhaps held, struck by a fault, done, answered, recorded.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::response::Response;
use futures::stream::{self, StreamExt};

use super::gate::{Onward, Side};
use super::http::{Call, Deed, Reply, Routed, refuse};
use super::wire::Caller;
use super::{Recorded, State, graph, hooks, hpe, login, service_of, vault};
use crate::world::{Fault, Op, Refusal, Service, Timestamp};

/// How long a slow answer takes, in real time.
const SLOW: Duration = Duration::from_millis(200);

/// What Graph and Key Vault call every request.
pub const REQUEST_ID: &str = "00000000-0000-4000-8000-00000000feed";

/// What is done to the answer.
enum Sent {
    Whole(Reply),
    /// The body breaks off.
    Half(Reply),
    /// The connection breaks.
    Nothing,
}

/// The one handler.
pub async fn handle(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Caller(line)): ConnectInfo<Caller>,
    request: Request,
) -> Response {
    let Some(call) = read(request).await else {
        line.cut();
        return Response::default();
    };
    if let Some(bearer) = call.bearer() {
        state.bearers.lock().unwrap_or_else(PoisonError::into_inner).insert(bearer.to_owned());
    }
    if call.host == hooks::HOST {
        let now = state.clock.now();
        let reply = state.hooks.answer(&call, now).await;
        return response(reply, now, None, false);
    }
    let request_id = call.header("client-request-id").map(str::to_owned);
    let service = service_of(&call.host);
    let routed = match service {
        Some(Service::EntraLogin) => login::route(&state, &call),
        Some(Service::HpeAuth) => hpe::login(&state, &call),
        Some(Service::Hpe) => hpe::api(&state, &call),
        Some(Service::Graph) => graph::route(&state, &call),
        Some(Service::Vault) => vault::route(&state, &call),
        _ => Routed::Answer(Reply::empty(421)),
    };
    let (world, op, sent, at) = match routed {
        Routed::Answer(reply) => (None, None, Sent::Whole(reply), state.clock.now()),
        Routed::Deed(world, op, deed) => {
            let (sent, at) = carry_out(&state, world, op, deed).await;
            (Some(world), Some(op), sent, at)
        }
    };
    let status = match &sent {
        Sent::Whole(reply) | Sent::Half(reply) => Some(reply.status),
        Sent::Nothing => None,
    };
    state.record(Recorded { at, world, service, op, status });
    match sent {
        Sent::Whole(reply) => response(reply, at, request_id, false),
        Sent::Half(reply) if reply.body.is_some() => response(reply, at, request_id, true),
        _ => {
            // The answer below is never seen: nothing can be written to a line that is cut.
            line.cut();
            Response::default()
        }
    }
}

/// The deed, between its two gates and whatever fault strikes it; and when it was done, by which the answer is dated.
async fn carry_out(state: &State, number: usize, op: Op, deed: Deed) -> (Sent, Timestamp) {
    let place = state.next_place();
    if state.gate.pass(place, op, Side::Before).await == Onward::Cut {
        return (Sent::Nothing, state.clock.now());
    }
    let (fault, reply, at) = {
        let mut world = state.world(number);
        let fault = world.fault(op);
        let applies = fault.is_none_or(Fault::applies);
        let reply = applies.then(|| deed(&mut world));
        // A test may have let more time pass in this world than the clock shows.
        (fault, reply, world.now())
    };
    let sent = match (fault, reply) {
        (None, Some(reply)) => Sent::Whole(reply),
        (Some(Fault::Truncated), Some(reply)) => Sent::Half(reply),
        (Some(Fault::Slow), Some(reply)) => {
            tokio::time::sleep(SLOW).await;
            Sent::Whole(reply)
        }
        (Some(Fault::Status(status, retry_after)), _) => Sent::Whole(out_of_order(op, status, retry_after)),
        (Some(Fault::Html), _) => Sent::Whole(Reply::text(200, "text/html", "<html><body>Sign in</body></html>")),
        (Some(Fault::Hang), _) => {
            let (at, service) = (state.clock.now(), Some(op.service()));
            state.record(Recorded { at, world: Some(number), service, op: Some(op), status: None });
            // The caller gives up, and its connection takes this with it.
            std::future::pending().await
        }
        _ => Sent::Nothing,
    };
    match state.gate.pass(place, op, Side::After).await {
        Onward::Cut => (Sent::Nothing, at),
        Onward::Go => (sent, at),
    }
}

/// A status in the words of the service.
fn out_of_order(op: Op, status: u16, retry_after: Option<u32>) -> Reply {
    let refusal = Refusal { status, code: "sandboxFault", message: "out of\r\norder".to_owned(), retry_after };
    let shape = match op.service() {
        Service::Hpe => hpe::api_error,
        Service::HpeAuth => hpe::login_error,
        Service::Scim => hpe::scim_error,
        Service::Vault => vault::error,
        Service::Graph => graph::error,
        Service::EntraLogin => login::error,
    };
    refuse(&refusal, shape)
}

async fn read(request: Request) -> Option<Call> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.ok()?;
    let authority = head.headers.get("host")?.to_str().ok()?.to_owned();
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host).to_ascii_lowercase();
    let url = url::Url::parse(&format!("https://{authority}{}", head.uri)).ok()?;
    let path = url.path_segments()?.filter(|segment| !segment.is_empty()).map(decode).collect();
    let query = url.query_pairs().into_owned().collect();
    Some(Call { method: head.method.to_string(), host, authority, path, query, headers: head.headers, body })
}

/// Percent-decodes one segment: a form would, but for the plus sign.
fn decode(segment: &str) -> String {
    let pair = format!("x={}", segment.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn response(reply: Reply, now: Timestamp, request_id: Option<String>, half: bool) -> Response {
    let mut builder = Response::builder()
        .status(reply.status)
        // Every service dates its answers, and here it is the world's time.
        .header("date", now.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .header("request-id", REQUEST_ID)
        .header("x-ms-request-id", REQUEST_ID)
        .header("client-request-id", request_id.unwrap_or_default());
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    let body = match reply.body {
        None => Body::empty(),
        Some((kind, text)) => {
            builder = builder.header("content-type", kind).header("content-length", text.len());
            if half { broken(&text) } else { Body::from(text) }
        }
    };
    builder.body(body).expect("the sandbox writes valid headers")
}

/// The first half of a text, and then an end that is none.
fn broken(text: &str) -> Body {
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let end = async {
        // The server sends what it has only while the body makes it wait.
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    };
    Body::from_stream(stream::iter([Ok(half)]).chain(stream::once(end)))
}

//! Which path answers what, and the headers that every answer has.

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use url::{Host as Name, Url};

use super::{Host, metrics, page};
use crate::admin::health::Health;
use crate::runbook;

type Answer = Response<Full<Bytes>>;

const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// A page loads its own style and script and nothing else, sends nothing anywhere, and is shown in no frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// One answer. Never fails: what goes wrong is an answer too.
pub async fn answer(host: &Host, request: Request<Incoming>, is_loopback: bool) -> Result<Answer, Infallible> {
    let mut answer = match *request.method() {
        _ if is_loopback && !is_of_this_machine(&request) => plain(
            StatusCode::MISDIRECTED_REQUEST,
            "on loopback only localhost and addresses are answered: a proxy in front has to send one of them as Host\n",
        ),
        Method::GET | Method::HEAD => route(host, &request).await,
        _ => {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "nothing can be changed here: GET and HEAD only\n");
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            refused
        }
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(answer)
}

/// Whether the caller knows this machine by an address or as localhost. A name of any other kind may be one that a page in a
/// person's browser has made lead here, to read what stands here.
fn is_of_this_machine(request: &Request<Incoming>) -> bool {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Ok(url) = Url::parse(&format!("http://{}", named.unwrap_or("localhost"))) else { return false };
    match url.host() {
        Some(Name::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Name::Ipv4(_) | Name::Ipv6(_)) => true,
        None => false,
    }
}

async fn route(host: &Host, request: &Request<Incoming>) -> Answer {
    let path = request.uri().path();
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    match parts.as_slice() {
        [""] => html(StatusCode::OK, page::overview(host, request.uri().query().unwrap_or_default()).await),
        ["connections", name] => match page::connection(host, name) {
            Some(page) => html(StatusCode::OK, page),
            None => missing(host, "There is no connection of this name."),
        },
        ["runbook"] => text(runbook::INDEX, host),
        ["runbook", name] => text(name, host),
        ["style.css"] => body(StatusCode::OK, "text/css; charset=utf-8", page::STYLE),
        ["page.js"] => body(StatusCode::OK, "text/javascript; charset=utf-8", page::SCRIPT),
        ["livez"] => match host.manager.is_alive() {
            true => plain(StatusCode::OK, "live\n"),
            false => plain(StatusCode::SERVICE_UNAVAILABLE, "the loop of a connection no longer turns\n"),
        },
        ["readyz"] => readiness(host).await,
        ["metrics"] => {
            let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
            let format = metrics::Format::of(accept);
            match metrics::render(host, format).await {
                Ok(text) => body(StatusCode::OK, format.media_type(), text),
                Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
            }
        }
        _ => missing(host, "There is nothing of this kind here."),
    }
}

async fn readiness(host: &Host) -> Answer {
    let health = Health::of(&host.looks, host.manager.is_alive(), host.clock.now()).await;
    let status = if health.ready && health.live { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    body(status, "application/json", serde_json::to_vec(&health).unwrap_or_default())
}

fn text(name: &str, host: &Host) -> Answer {
    match runbook::page(name) {
        Some(text) => html(StatusCode::OK, page::runbook(host, name, text)),
        None => missing(host, "The runbook has no page of this name."),
    }
}

fn missing(host: &Host, what: &str) -> Answer {
    html(StatusCode::NOT_FOUND, page::missing(host, what))
}

fn html(status: StatusCode, page: maud::Markup) -> Answer {
    body(status, HTML, page.into_string())
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    body(status, PLAIN, text)
}

fn body(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(bytes.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

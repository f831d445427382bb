//! A request taken apart, a reply not yet sent, and what a service makes of the one to give the other.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::Value;

use crate::world::{Op, Refusal, World};

/// A request, read to its end.
pub struct Call {
    /// The method, in capitals.
    pub method: String,
    /// The host without its port.
    pub host: String,
    /// Host and port, as the client wrote them.
    pub authority: String,
    /// The path's segments, percent-decoded; a trailing slash is no segment.
    pub path: Vec<String>,
    /// The query, decoded.
    pub query: HashMap<String, String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// Method and path, to be matched on.
    pub fn parts(&self) -> (&str, Vec<&str>) {
        (&self.method, self.path.iter().map(String::as_str).collect())
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token after `Bearer`, whatever the case of that word.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }

    /// The body as a form; empty unless it is sent as one.
    pub fn form(&self) -> HashMap<String, String> {
        let is_form = self.header("content-type").is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
        if is_form { url::form_urlencoded::parse(&self.body).into_owned().collect() } else { HashMap::new() }
    }

    /// The body as JSON; null unless it is sent as such.
    pub fn json(&self) -> Value {
        let is_json = self.header("content-type").is_some_and(|t| t.starts_with("application/json"));
        if is_json { serde_json::from_slice(&self.body).unwrap_or_default() } else { Value::Null }
    }
}

/// What is to be sent.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers beside the content's own.
    pub headers: Vec<(&'static str, String)>,
    /// Content type and body; none without one.
    pub body: Option<(String, String)>,
}

impl Reply {
    /// A status alone.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// JSON.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::text(status, "application/json; charset=utf-8", value.to_string())
    }

    /// Any text.
    pub fn text(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        Self { body: Some((content_type.to_owned(), body.into())), ..Self::empty(status) }
    }

    /// One more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What a service does when the call reaches it.
pub type Deed = Box<dyn FnOnce(&mut World) -> Reply + Send>;

/// What a service makes of a call.
pub enum Routed {
    /// An answer without a deed: not found, not authenticated, not understood. No fault strikes here.
    Answer(Reply),
    /// A call of the world with this number.
    Deed(usize, Op, Deed),
}

impl Routed {
    /// A deed in the world with this number.
    pub fn deed(world: usize, op: Op, deed: impl FnOnce(&mut World) -> Reply + Send + 'static) -> Self {
        Self::Deed(world, op, Box::new(deed))
    }
}

/// How a service words its refusals.
pub type ErrorShape = fn(&Refusal) -> Reply;

/// The reply to a refusal, with its `Retry-After`.
pub fn refuse(refusal: &Refusal, shape: ErrorShape) -> Reply {
    let reply = shape(refusal);
    match refusal.retry_after {
        Some(seconds) => reply.with("retry-after", seconds.to_string()),
        None => reply,
    }
}

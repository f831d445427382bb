//! The transport of a login. What is no success becomes an error here and at once: the SDK would repeat it for minutes
//! (IMDS), and loses the code of a refusal whose JSON holds an escape (Entra's always does).

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::HeaderName;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Method, Request};
use serde::Deserialize;

use super::AzureCredential;
use super::errors::{self, Who};
use crate::edge::http::{Redactor, SdkTransport, retry_after_of, shown};
use crate::edge::login::LoginFailed;
use crate::ports::CallError;

/// Where every Azure machine finds its own metadata service; the SDK knows no other place.
const METADATA: &str = "169.254.169.254";

/// How a login was refused. Holds no body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    /// `AADSTS…`, or what stands in `error`.
    pub code: Option<String>,
    pub words: Option<String>,
    pub trace_id: Option<String>,
    pub retry_after: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct LoginTransport {
    inner: SdkTransport,
    who: Who,
    /// For messages.
    client_id: Option<String>,
    metadata: Option<SocketAddr>,
}

impl LoginTransport {
    pub fn new(inner: SdkTransport, credential: &AzureCredential, metadata: Option<SocketAddr>) -> Self {
        let client_id = credential.application().map(|application| application.client_id.clone());
        Self { inner, who: Who::of(credential), client_id, metadata }
    }

    /// Whatever is answered; a request that was not answered, sorted.
    pub async fn exchange(&self, request: &Request) -> Result<AsyncRawResponse, CallError> {
        let unreached = |error| errors::unreached(&place(request, self.who), self.who, &error);
        let answer = match self.metadata.filter(|_| request.url().host_str() == Some(METADATA)) {
            None => self.inner.execute_request(request).await,
            Some(address) => self.inner.execute_request(&led_to(request, address)).await,
        };
        // The body is here already, in full: the transport below reads it, up to its limit.
        answer.map_err(unreached)
    }

    /// An answer that refuses, as an error.
    pub fn refused(&self, request: &Request, status: u16, body: &[u8], retry_after: Option<Duration>) -> CallError {
        let secrets = secrets_of(request);
        let redactor = Redactor::new(secrets.iter().map(String::as_str));
        let refusal = Refusal::read(status, body, retry_after, &redactor);
        let mut call = errors::refused(&place(request, self.who), self.who, refusal);
        if let (Some(advice), Some(id)) = (&mut call.advice, &self.client_id) {
            *advice = advice.replace("CLIENT_ID", id);
        }
        call
    }
}

#[async_trait]
impl HttpClient for LoginTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        // No kind of error that the SDK would repeat.
        let failed = |call| azure_core::Error::new(ErrorKind::Credential, LoginFailed(call));
        let answer = self.exchange(request).await.map_err(failed)?.try_into_raw_response().await?;
        let (status, headers, body) = answer.deconstruct();
        if !status.is_success() {
            return Err(failed(self.refused(request, status.into(), &body, retry_after_of(&headers))));
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// The request for messages: without query, which names the identity.
fn place(request: &Request, who: Who) -> String {
    let method = if request.method() == Method::Post { "POST" } else { "GET" };
    let note = if who == Who::Machine { " (the machine's identity endpoint)" } else { "" };
    format!("{method} {}{note}", shown(request.url()))
}

/// Whatever in a request an answer must not give away by repeating it. A machine's header is a UUID, which is no secret by
/// its looks.
fn secrets_of(request: &Request) -> Vec<String> {
    let header = |name| request.headers().get_optional_str(&HeaderName::from_static(name));
    let headers = [header("x-identity-header"), header("authorization")].into_iter().flatten();
    let headers = headers.map(|value| value.trim_start_matches("Basic ").to_owned());
    let form = match request.body() {
        Body::Bytes(bytes) => url::form_urlencoded::parse(bytes).into_owned().collect(),
        _ => Vec::new(),
    };
    let form = form.into_iter().filter(|(name, _)| ["client_secret", "client_assertion"].contains(&name.as_str()));
    headers.chain(form.map(|(_, value)| value)).collect()
}

/// The same request to the sandbox's metadata service, which cannot listen at the true address.
fn led_to(request: &Request, address: SocketAddr) -> Request {
    let mut request = request.clone();
    let url = request.url_mut();
    // Both fail only for URLs that have no host.
    let _ = url.set_ip_host(address.ip());
    let _ = url.set_port(Some(address.port()));
    request
}

impl Refusal {
    /// Reads Entra's answer, or that of a machine's identity endpoint: of the same shape, or App Service's own.
    pub fn read(status: u16, body: &[u8], retry_after: Option<Duration>, redactor: &Redactor<'_>) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Wire {
            error: Option<String>,
            #[serde(alias = "message")]
            error_description: Option<String>,
            #[serde(alias = "correlationId")]
            trace_id: Option<String>,
        }
        let wire: Wire = serde_json::from_slice(body).unwrap_or_default();
        let words = wire.error_description.as_deref().and_then(|text| text.lines().next());
        let code = words.and_then(aadsts).or_else(|| wire.error.as_deref().map(|code| redactor.clean(code)));
        Self {
            status,
            code,
            words: words.map(|words| redactor.clean(words)),
            trace_id: wire.trace_id.map(|id| redactor.clean(&id)),
            retry_after,
        }
    }
}

/// The first `AADSTS` code in a text.
pub(super) fn aadsts(text: &str) -> Option<String> {
    let code = &text[text.find("AADSTS")?..];
    let digits = code["AADSTS".len()..].bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| code["AADSTS".len()..][..digits].to_owned()).map(|digits| format!("AADSTS{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_survives_the_escapes_that_the_sdk_stumbles_over() {
        let body = br#"{"error":"invalid_client","trace_id":"3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: x"}"#;
        let refusal = Refusal::read(401, body, None, &Redactor::default());
        assert_eq!(refusal.code.as_deref(), Some("AADSTS7000215"));
        assert_eq!(refusal.words.as_deref(), Some("AADSTS7000215: Invalid client secret provided."));
        assert_eq!(refusal.trace_id.as_deref(), Some("3f2504e0-4f89-11d3-9a0c-0305e82c3301"));
    }

    #[test]
    fn an_answer_that_is_no_json_leaves_the_status() {
        let refusal = Refusal::read(502, b"<html>", None, &Redactor::default());
        assert_eq!((refusal.status, refusal.code, refusal.words), (502, None, None));
        assert_eq!(aadsts("AADSTS is a prefix"), None);
    }
}

//! The transport of a login: remembers how the last one was refused, which the SDK loses when the answer's JSON holds
//! an escape (Entra's always does).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use serde::Deserialize;

use crate::edge::http::{Redactor, SdkTransport, retry_after_of};

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
    last: Mutex<Option<Refusal>>,
}

impl LoginTransport {
    pub fn new(inner: SdkTransport) -> Self {
        Self { inner, last: Mutex::new(None) }
    }

    pub fn forget(&self) {
        self.set(None);
    }

    /// How the last answer refused; none if there was none, or it did not refuse.
    pub fn refusal(&self) -> Option<Refusal> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, refusal: Option<Refusal>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }
}

#[async_trait]
impl HttpClient for LoginTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let answer = self.inner.execute_request(request).await?.try_into_raw_response().await?;
        let (status, headers, body) = answer.deconstruct();
        let refusal = (!status.is_success()).then(|| Refusal::read(status.into(), &body, retry_after_of(&headers)));
        self.set(refusal);
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

impl Refusal {
    /// Reads Entra's answer, or that of a machine's identity endpoint: of the same shape, or App Service's own.
    pub fn read(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
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
        let redactor = Redactor::default();
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
fn aadsts(text: &str) -> Option<String> {
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
        let refusal = Refusal::read(401, body, None);
        assert_eq!(refusal.code.as_deref(), Some("AADSTS7000215"));
        assert_eq!(refusal.words.as_deref(), Some("AADSTS7000215: Invalid client secret provided."));
        assert_eq!(refusal.trace_id.as_deref(), Some("3f2504e0-4f89-11d3-9a0c-0305e82c3301"));
    }

    #[test]
    fn an_answer_that_is_no_json_leaves_the_status() {
        let refusal = Refusal::read(502, b"<html>", None);
        assert_eq!((refusal.status, refusal.code, refusal.words), (502, None, None));
        assert_eq!(aadsts("AADSTS is a prefix"), None);
    }
}

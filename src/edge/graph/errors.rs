//! What Graph's refusals mean, and what to do about them. Pure.

use serde::Deserialize;

use super::SERVICE;
use crate::edge::http::{Answer, Redactor};
use crate::ports::{CallError, Class};

const NO_RIGHT: &str = "grant this identity the application permission Application.ReadWrite.OwnedBy and make it an \
                        owner of the enterprise application (the service principal), or grant Synchronization.ReadWrite.All";
const NO_OWNER: &str = "this identity seems to own the app registration only: make it an owner of the enterprise \
                        application (the service principal), with the application permission Application.ReadWrite.OwnedBy, or grant \
                        Synchronization.ReadWrite.All";
const NOT_FOUND: &str =
    "check service_principal_id (the object id of the enterprise application, not the application id), and job_id";

/// An answer that makes no sense, to a call that only reads.
pub(super) fn unreadable(answer: &Answer, why: &str) -> CallError {
    senseless(answer, why, Class::Retry { after: None })
}

/// A web page from something in between: nobody knows whether Graph has seen the call.
pub(super) fn web_page(answer: &Answer, maybe: Class) -> CallError {
    let mut call = senseless(answer, "is a web page", maybe);
    call.advice = Some("check Graph's URL, and the proxy (HTTPS_PROXY)".to_owned());
    call
}

fn senseless(answer: &Answer, why: &str, class: Class) -> CallError {
    let mut call = CallError::new(SERVICE, class, format!("{}: the answer {why}", answer.target));
    call.status = Some(answer.status);
    call.request_id = answer.header("request-id").map(str::to_owned);
    call
}

/// Sorts a refusal. `maybe` is the fate of a call that may have been carried out.
pub(super) fn sort(answer: &Answer, maybe: Class, redactor: &Redactor<'_>) -> CallError {
    let refusal = Refusal::read(answer.body());
    let clean = |text: String| redactor.clean(&text);
    let code = refusal.code.map(clean).filter(|code| !code.is_empty());
    let message = refusal.message.map(clean).filter(|message| !message.is_empty());
    let retry = Class::Retry { after: answer.retry_after() };
    let (class, advice) = match answer.status {
        401 if message.is_none() => (Class::Human, Some(NO_OWNER)),
        401 | 403 => (Class::Human, Some(NO_RIGHT)),
        404 => (Class::Human, Some(NOT_FOUND)),
        300..=399 => (Class::Human, Some("check Graph's URL: it must not redirect")),
        // Turned away at the door: nothing was done.
        409 | 429 => (retry, None),
        // Whatever stands before Graph may have passed the request on.
        408 | 500.. if maybe == Class::Ambiguous => (maybe, None),
        408 | 500.. => (retry, None),
        _ => (Class::Human, None),
    };
    let words: String = [&code, &message].into_iter().flatten().map(|words| format!(" {words}")).collect();
    let mut call = CallError::new(SERVICE, class, format!("{}: {}{words}", answer.target, answer.status));
    call.advice = advice.map(str::to_owned);
    call.status = Some(answer.status);
    call.code = code;
    call.request_id = answer.header("request-id").map(str::to_owned).or(refusal.request_id).map(clean);
    call
}

/// Whether Entra says of credentials that it could not use them. It says so too when the endpoint is down.
pub(super) fn is_about_credentials(error: &CallError) -> bool {
    error.status == Some(400)
        && error.code.as_ref().is_some_and(|code| code.to_ascii_lowercase().contains("credential"))
}

/// Graph's error body, unwrapped.
#[derive(Debug, Default, PartialEq)]
struct Refusal {
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl Refusal {
    /// Reads the body. The message may itself be such a body again, whose code is then the one that tells.
    fn read(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            error: Detail,
        }
        #[derive(Deserialize)]
        struct Detail {
            code: Option<String>,
            message: Option<String>,
            #[serde(rename = "innerError", alias = "innererror")]
            inner: Option<Inner>,
        }
        #[derive(Deserialize)]
        struct Inner {
            #[serde(rename = "request-id")]
            request_id: Option<String>,
        }
        let mut seen = Self::default();
        let mut text = body.to_vec();
        // The bound is against a message made to nest for ever.
        for _ in 0..4 {
            let Ok(Body { error }) = serde_json::from_slice::<Body>(&text) else { break };
            seen.code = error.code.filter(|code| !code.is_empty()).or(seen.code);
            seen.request_id = seen.request_id.or(error.inner.and_then(|inner| inner.request_id));
            text = error.message.clone().unwrap_or_default().into_bytes();
            seen.message = error.message;
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_that_is_an_error_again_is_unwrapped() {
        let inner = json!({"error": {"code": "CredentialValidationUnavailable", "message": "could not be reached"}})
            .to_string();
        let body =
            json!({"error": {"code": "BadRequest", "message": inner, "innerError": {"request-id": "r"}}}).to_string();
        let expected = Refusal {
            code: Some("CredentialValidationUnavailable".into()),
            message: Some("could not be reached".into()),
            request_id: Some("r".into()),
        };
        assert_eq!(Refusal::read(body.as_bytes()), expected);
    }

    #[test]
    fn what_is_no_error_body_has_no_words() {
        for body in ["", "<html>", "{}", r#"{"error":"text"}"#] {
            assert_eq!(Refusal::read(body.as_bytes()), Refusal::default(), "{body}");
        }
    }
}

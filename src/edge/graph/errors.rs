//! A failed call as the engine and an operator want to have it: its fate, its code, and what to do about it. Pure.

use serde_json::Value;

use super::SERVICE;
use super::refused::{Asked, Refused};
use crate::edge::http::{Answer, Redactor};
use crate::ports::{CallError, Class};

/// An answer that makes no sense, to a call that only reads.
pub(super) fn unreadable(answer: &Answer, why: &str) -> CallError {
    senseless(answer, why, Class::Retry { after: None })
}

/// A web page from something in between: nobody knows whether Graph has seen the call.
pub(super) fn web_page(answer: &Answer, maybe: Class) -> CallError {
    let mut call = senseless(answer, "is a web page", Refused::WebPage.class(Asked::Other, maybe, None));
    call.advice = Refused::WebPage.advice();
    call
}

fn senseless(answer: &Answer, why: &str, class: Class) -> CallError {
    let mut call = CallError::new(SERVICE, class, format!("{}: the answer {why}", answer.target));
    call.status = Some(answer.status);
    call.request_id = answer.header("request-id").map(str::to_owned);
    call
}

/// Sorts a refusal. `maybe` is the fate of a call that may have been carried out.
pub(super) fn sort(answer: &Answer, asked: Asked, maybe: Class, redactor: &Redactor<'_>) -> CallError {
    let said = Said::read(answer.body());
    let clean = |text: &str| redactor.clean(text);
    let code = said.code().map(clean).filter(|code| !code.is_empty());
    let message = said.message.as_deref().map(clean).filter(|message| !message.is_empty());
    let refused = Refused::of(asked, answer.status, code.as_deref(), message.is_some());
    let class = refused.class(asked, maybe, answer.retry_after());
    let words: String = [&code, &message].into_iter().flatten().map(|words| format!(" {words}")).collect();
    let mut call = CallError::new(SERVICE, class, format!("{}: {}{words}", answer.target, answer.status));
    call.advice = refused.advice();
    call.status = Some(answer.status);
    call.code = code;
    call.request_id = answer.header("request-id").or(said.request_id.as_deref()).map(clean);
    call
}

/// Whether Entra says of credentials that it could not use them. It says so too when the endpoint is down.
pub(super) fn is_about_credentials(error: &CallError) -> bool {
    error.status == Some(400) && error.code.as_deref().is_some_and(names_credentials)
}

fn names_credentials(code: &str) -> bool {
    code.to_ascii_lowercase().contains("credential")
}

/// Graph's error body, unwrapped.
#[derive(Debug, Default, PartialEq)]
struct Said {
    /// From the outermost to the innermost.
    codes: Vec<String>,
    /// The innermost.
    message: Option<String>,
    request_id: Option<String>,
}

impl Said {
    /// Reads the body: `{"error": {code, message, innerError}}`. An inner error has a code of its own, and perhaps one more
    /// within; a message may itself be such a body again, with or without its `error`.
    fn read(body: &[u8]) -> Self {
        let mut seen = Self::default();
        let Ok(whole) = serde_json::from_slice::<Value>(body) else { return seen };
        seen.take(&whole["error"]);
        // The bound is against a message made to nest for ever.
        for _ in 0..4 {
            let within = seen.message.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
            let Some(within) = within.filter(Value::is_object) else { break };
            let error = if within["error"].is_object() { &within["error"] } else { &within };
            if error["code"].is_null() && error["message"].is_null() {
                break;
            }
            seen.message = None;
            seen.take(error);
        }
        seen
    }

    fn take(&mut self, error: &Value) {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        self.codes.extend(text(&error["code"]));
        self.message = text(&error["message"]);
        let mut inner = error;
        for _ in 0..4 {
            inner = ["innerError", "innererror"]
                .iter()
                .map(|name| &inner[*name])
                .find(|it| it.is_object())
                .unwrap_or(&Value::Null);
            self.codes.extend(text(&inner["code"]));
            self.request_id = self.request_id.take().or_else(|| text(&inner["request-id"]));
            if self.message.is_none() {
                self.message = text(&inner["message"]);
            }
        }
    }

    /// The code that tells most: the innermost, unless only one around it says that this is about credentials.
    fn code(&self) -> Option<&str> {
        let innermost_first = || self.codes.iter().rev().map(String::as_str);
        innermost_first().find(|code| names_credentials(code)).or_else(|| innermost_first().next())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_that_is_an_error_again_is_unwrapped_with_or_without_its_frame() {
        let bare = json!({"code": "CredentialValidationUnavailable", "message": "could not be reached"});
        for inner in [json!({"error": bare}), bare.clone()] {
            let inner = inner.to_string();
            let body = json!({"error": {"code": "BadRequest", "message": inner, "innerError": {"request-id": "r"}}});
            let said = Said::read(body.to_string().as_bytes());
            assert_eq!(said.code(), Some("CredentialValidationUnavailable"));
            assert_eq!(
                (said.message.as_deref(), said.request_id.as_deref()),
                (Some("could not be reached"), Some("r"))
            );
        }
    }

    #[test]
    fn an_inner_error_tells_more_than_the_one_around_it() {
        let inner =
            json!({"code": "Directory_ConcurrencyViolation", "request-id": "r", "innererror": {"code": "Deepest"}});
        let body = json!({"error": {"code": "Conflict", "message": "no", "innerError": inner}});
        let said = Said::read(body.to_string().as_bytes());
        assert_eq!((said.code(), said.request_id.as_deref()), (Some("Deepest"), Some("r")));
        let inner = json!({"code": "RemoteServiceFailed"});
        let body = json!({"error": {"code": "InvalidCredentials", "message": "no", "innerError": inner}});
        assert_eq!(Said::read(body.to_string().as_bytes()).code(), Some("InvalidCredentials"));
    }

    #[test]
    fn what_is_no_error_body_has_no_words_and_plain_words_that_look_like_json_stay() {
        for body in ["", "<html>", "{}", r#"{"error":"text"}"#] {
            assert_eq!(Said::read(body.as_bytes()), Said::default(), "{body}");
        }
        let body = json!({"error": {"code": "BadRequest", "message": r#"{"value":[]}"#}}).to_string();
        assert_eq!(Said::read(body.as_bytes()).message.as_deref(), Some(r#"{"value":[]}"#));
    }
}

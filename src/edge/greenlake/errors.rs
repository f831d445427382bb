//! Reading HPE's refusals, which come in four families, and saying what they mean. Pure.

use serde_json::Value;

use super::SERVICE;
use super::refused::Refused;
use crate::edge::http::{Answer, Redactor};
use crate::ports::{CallError, Class, IssueHow, IssuerError};

/// What a refusal says, cleaned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Problem {
    pub code: Option<String>,
    pub message: Option<String>,
    pub debug_id: Option<String>,
    pub actions: Vec<String>,
}

impl Problem {
    /// Reads any of the families: `{message, details, recommendedActions, errorCode}`, `{httpStatusCode, errorCode,
    /// message, debugId}`, a SCIM error, OAuth's two.
    pub fn read(body: &[u8], redactor: &Redactor<'_>) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |names: &[&str]| {
            let values = names.iter().map(|name| &json[*name]);
            let mut texts = values.filter_map(|value| match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
            texts.find(|text| !text.trim().is_empty()).map(|text| redactor.clean(&text))
        };
        let message = text(&["message", "detail", "error_description", "errorSummary"]);
        let details = text(&["details"]).filter(|details| message.as_ref() != Some(details));
        let actions = json["recommendedActions"].as_array().into_iter().flatten().filter_map(Value::as_str).take(3);
        Self {
            code: text(&["errorCode", "error", "scimType", "code"]),
            message: match (message, details) {
                (Some(message), Some(details)) => Some(format!("{message} ({details})")),
                (message, details) => message.or(details),
            },
            debug_id: text(&["debugId", "debug_id", "errorId"]),
            actions: actions.map(|action| redactor.clean(action)).collect(),
        }
    }

    /// As words behind a status: with a space before each, or nothing at all.
    pub fn words(&self) -> String {
        [&self.code, &self.message].into_iter().flatten().map(|words| format!(" {words}")).collect()
    }

    /// As an error. `advice` is ours and comes first; what HPE recommends follows.
    pub fn into_call(self, answer: &Answer, class: Class, advice: Option<&str>) -> CallError {
        let what = format!("{}: {}{}", answer.target, answer.status, self.words());
        let advice: Vec<_> = advice.into_iter().map(str::to_owned).chain(self.actions).collect();
        let mut call = CallError::new(SERVICE, class, what);
        call.advice = (!advice.is_empty()).then(|| advice.join("; "));
        call.status = Some(answer.status);
        call.code = self.code;
        call.request_id = self.debug_id;
        call
    }
}

/// What the refusal of a proxy token means.
pub(super) fn sort(how: IssueHow, answer: &Answer, if_refused: &str, redactor: &Redactor<'_>) -> IssuerError {
    let problem = Problem::read(answer.body(), redactor);
    let retry = Class::Retry { after: answer.retry_after().or_else(|| answer.rate_limit_reset()) };
    let not_issued = |problem: Problem, class, advice| IssuerError::NotIssued(problem.into_call(answer, class, advice));
    match answer.status {
        // A gateway that gave up waiting may have passed the request on.
        408 | 500.. => {
            let advice = Refused::AnswerLost.message().advice();
            IssuerError::Ambiguous(problem.into_call(answer, Class::Ambiguous, Some(&advice)))
        }
        404 if matches!(how, IssueHow::Rotate { .. }) => {
            let advice = Refused::NoToken.message().advice();
            IssuerError::NothingToRotate(problem.into_call(answer, Class::Human, Some(&advice)))
        }
        404 => not_issued(problem, Class::Human, Some(Refused::WrongUrl.message().remedy)),
        401 => not_issued(problem, Class::Human, Some(if_refused)),
        403 => not_issued(problem, Class::Human, Some(Refused::NoRole.message().remedy)),
        409 | 425 | 429 => not_issued(problem, retry, Some(&Refused::Busy.message().advice())),
        300..=399 => not_issued(problem, Class::Human, Some(Refused::Redirect.message().remedy)),
        _ => not_issued(problem, Class::Human, Some(Refused::Other.message().remedy)),
    }
}

/// What the refusal of a bearer means. `place` says what the issuer's URL looks like.
pub(super) fn sort_login(answer: &Answer, secret_path: &str, place: &str, redactor: &Redactor<'_>) -> CallError {
    let problem = Problem::read(answer.body(), redactor);
    let retry = Class::Retry { after: answer.retry_after().or_else(|| answer.rate_limit_reset()) };
    let credentials = Refused::Client.message().advice().replace("SECRET_FILE", secret_path);
    let (other, busy) = (Refused::LoginOther.message().remedy, Refused::LoginBusy.message().advice());
    let (class, advice) = match answer.status {
        400 | 401 | 403 => (Class::Human, Some(credentials.as_str())),
        404 | 300..=399 => (Class::Human, Some(place)),
        408 | 425 | 429 | 500.. => (retry, Some(busy.as_str())),
        _ => (Class::Human, Some(other)),
    };
    problem.into_call(answer, class, advice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_family_of_errors_is_read() {
        let table = [
            (
                json!({
                    "message": "No access", "details": "role missing", "recommendedActions": ["Ask", "Wait"], "errorCode": "HPE-403"
                }),
                (Some("HPE-403"), Some("No access (role missing)"), None, vec!["Ask", "Wait"]),
            ),
            (
                json!({"httpStatusCode": 429, "errorCode": "HPE_GL_ERROR_TOO_MANY", "message": "Slow down", "debugId": "d-1"}),
                (Some("HPE_GL_ERROR_TOO_MANY"), Some("Slow down"), Some("d-1"), vec![]),
            ),
            (
                json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                       "status": "404", "detail": "Gone", "scimType": "noTarget"}),
                (Some("noTarget"), Some("Gone"), None, vec![]),
            ),
            (
                json!({"error": "invalid_client", "error_description": "Bad secret"}),
                (Some("invalid_client"), Some("Bad secret"), None, vec![]),
            ),
            (
                json!({"errorCode": "E0000004", "errorSummary": "Failed"}),
                (Some("E0000004"), Some("Failed"), None, vec![]),
            ),
            (json!({"message": null, "errorCode": 7, "recommendedActions": "none"}), (Some("7"), None, None, vec![])),
            (json!("text"), (None, None, None, vec![])),
        ];
        for (body, (code, message, debug_id, actions)) in table {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let expected = Problem {
                code: text(code),
                message: text(message),
                debug_id: text(debug_id),
                actions: actions.into_iter().map(str::to_owned).collect(),
            };
            assert_eq!(Problem::read(body.to_string().as_bytes(), &Redactor::default()), expected, "{body}");
        }
        assert_eq!(Problem::read(b"<html>", &Redactor::default()), Problem::default());
    }

    #[test]
    fn what_looks_like_a_token_and_the_bearer_itself_are_taken_out_and_long_words_are_cut() {
        let long = "long ".repeat(200);
        let body = json!({"message": format!("bearer my-own-bearer-x refused, eyJhbGciOiJSUzI1NiJ9.eyJpc3Mi {long}")});
        let message = Problem::read(body.to_string().as_bytes(), &Redactor::new(["my-own-bearer-x"])).message.unwrap();
        assert!(message.starts_with("bearer [redacted] refused, [redacted] long"), "{message}");
        assert!(message.chars().count() <= 701);
    }
}

//! The provisioner against a throwaway Graph.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use chrono::TimeZone as _;
use serde_json::json;

use super::*;
use crate::edge::clock::SystemClock;
use crate::edge::testing::{FakeLogin, serve};

const TOKEN: &str = "canary-token-value-1234";

/// What the fake Graph answers: `METHOD path`, bearer, body, how many came before.
type Handler = fn(&str, &str, &Value, u32) -> (u16, Value);

const SP: &str = "5c2f1ab0-0000-4000-8000-000000000003";

async fn graph_with(job_id: Option<&str>, handler: Handler) -> Graph {
    graph_of(PrincipalId::Object(Uuid::try_parse(SP).unwrap()), job_id, handler).await
}

async fn graph_of(principal: PrincipalId, job_id: Option<&str>, handler: Handler) -> Graph {
    let count = Arc::new(AtomicU32::new(0));
    let app = Router::new().fallback(move |request: Request| {
        let count = count.clone();
        async move {
            let (parts, body) = request.into_parts();
            let header =
                |name: &str| parts.headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
            assert!(uuid::Uuid::try_parse(&header("client-request-id")).is_ok());
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let call = format!("{} {}", parts.method, parts.uri.path()).replace(SP, "sp");
            let n = count.fetch_add(1, Ordering::SeqCst);
            let (status, body) = handler(&call, &header("authorization"), &body, n);
            let headers = [("request-id", "rid-1"), ("date", "Sun, 15 Nov 2026 08:00:00 GMT"), ("retry-after", "3")];
            (StatusCode::from_u16(status).unwrap(), headers, axum::Json(body)).into_response()
        }
    });
    let (http, url) = serve(app).await;
    let options = GraphOptions {
        url,
        scope: None,
        principal,
        job_id: job_id.map(str::to_owned),
        tenant_url: "https://sps.fake.test/scimproxy".into(),
    };
    Graph::new(options, http, Arc::new(FakeLogin::default()), Arc::new(SystemClock)).unwrap()
}

async fn graph(handler: Handler) -> Graph {
    graph_with(Some("job"), handler).await
}

fn refuse(status: u16, code: &str, message: &str) -> (u16, Value) {
    (status, json!({"error": {"code": code, "message": message}}))
}

fn token() -> Token {
    Token::parse(TOKEN).unwrap()
}

#[tokio::test]
async fn settings_and_token_are_put_as_strings_and_the_answer_is_dated_by_graph() {
    let graph = graph(|call, bearer, body, _| {
        assert_eq!(
            (call, bearer),
            ("PUT /v1.0/servicePrincipals/sp/synchronization/secrets", "Bearer bearer-canary-0")
        );
        let pairs = json!([{"key": "SyncAll", "value": "false"}, {"key": "SecretToken", "value": TOKEN}]);
        assert_eq!(*body, json!({"value": pairs}));
        (204, json!(null))
    })
    .await;
    let update = SecretsUpdate { pairs: vec![("SyncAll".into(), "false".into())], token: token() };
    let expected = chrono::Utc.with_ymd_and_hms(2026, 11, 15, 8, 0, 0).unwrap();
    assert_eq!(graph.provision(&update).await.unwrap(), expected);
}

#[tokio::test]
async fn a_candidate_is_judged_by_code_and_any_other_400_is_an_error() {
    let verdict = async |handler| graph(handler).await.test_candidate(&token()).await;
    let accepted = verdict(|call, _, body, _| {
        assert_eq!(call, "POST /v1.0/servicePrincipals/sp/synchronization/jobs/job/validateCredentials");
        assert_eq!(body["credentials"][0], json!({"key": "BaseAddress", "value": "https://sps.fake.test/scimproxy"}));
        assert_eq!(body["credentials"][1], json!({"key": "SecretToken", "value": TOKEN}));
        (204, json!(null))
    });
    assert_eq!(accepted.await.unwrap(), Verdict::Accepted);
    let down = verdict(|_, _, _, _| refuse(400, "CredentialValidationUnavailable", "no"));
    assert_eq!(down.await.unwrap(), Verdict::NotAccepted);
    let wrong = verdict(|_, _, _, _| refuse(400, "RequestMissingRequiredParameter", &format!("not {TOKEN}")));
    let error = wrong.await.unwrap_err();
    assert_eq!(error.class, Class::Human);
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    let cased = verdict(|_, _, _, _| refuse(500, "InternalServerError", ""));
    assert_eq!(cased.await.unwrap_err().class, Class::Retry { after: Some(std::time::Duration::from_secs(3)) });
}

#[tokio::test]
async fn the_saved_token_is_tested_without_sending_any() {
    let graph = graph(|_, _, body, _| {
        assert_eq!(*body, json!({"useSavedCredentials": true}));
        (204, json!(null))
    })
    .await;
    assert_eq!(graph.test_saved().await.unwrap(), Verdict::Accepted);
}

#[tokio::test]
async fn a_403_is_asked_once_more_with_a_new_bearer() {
    let fresh = graph(|_, bearer, _, _| match bearer {
        "Bearer bearer-canary-0" => refuse(403, "Forbidden", "Insufficient privileges"),
        _ => (200, json!({"value": []})),
    })
    .await;
    assert_eq!(fresh.settings().await.unwrap(), Settings::default());
    let never = graph(|_, _, _, n| {
        assert!(n < 2, "asked more than twice");
        refuse(401, "UnknownError", "")
    })
    .await;
    let error = never.settings().await.unwrap_err();
    assert_eq!(
        (error.class, error.code.as_deref(), error.request_id.as_deref()),
        (Class::Human, Some("UnknownError"), Some("rid-1"))
    );
    assert!(error.to_string().contains("owner of the enterprise application"), "{error}");
}

#[tokio::test]
async fn the_only_job_is_found_and_used_for_its_verbs() {
    let graph = graph_with(None, |call, _, _, _| match call {
        "GET /v1.0/servicePrincipals/sp/synchronization/jobs" => {
            (200, json!({"value": [{"id": "the/one", "status": {"code": "Active"}}]}))
        }
        "POST /v1.0/servicePrincipals/sp/synchronization/jobs/the%2Fone/pause" => (204, json!(null)),
        other => panic!("{other}"),
    })
    .await;
    assert_eq!(graph.job().await.unwrap().id, "the/one");
    graph.pause().await.unwrap();
}

#[tokio::test]
async fn several_jobs_are_listed_and_none_is_said_so() {
    let several = graph_with(None, |_, _, _, _| (200, json!({"value": [{"id": "a"}, {"id": "b"}]}))).await;
    let error = several.job().await.unwrap_err();
    assert_eq!(error.class, Class::Human);
    assert!(error.to_string().contains("a (?, ?), b (?, ?)") && error.to_string().contains("job_id"), "{error}");
    let none = graph_with(None, |_, _, _, _| (200, json!({"value": []}))).await;
    assert!(none.start().await.unwrap_err().to_string().contains("no provisioning job"));
}

#[tokio::test]
async fn a_job_that_is_not_there_is_for_a_person_to_mend() {
    let error = graph(|_, _, _, _| refuse(404, "ResourceNotFound", "no")).await.job().await.unwrap_err();
    assert_eq!(error.class, Class::Human);
    assert!(error.to_string().contains("jobs/job: 404") && error.to_string().contains("job_id"), "{error}");
}

const APP: &str = "5c2f1ab0-0000-4000-8000-000000000004";
const OTHER: &str = "5c2f1ab0-0000-4000-8000-000000000009";

fn by_app_id() -> PrincipalId {
    PrincipalId::Application(Uuid::try_parse(APP).unwrap())
}

fn settings_of(call: &str, principal: &str) -> bool {
    call == format!("GET /v1.0/servicePrincipals/{principal}/synchronization/secrets")
}

fn look_up(call: &str) -> bool {
    call == format!("GET /v1.0/servicePrincipals(appId='{APP}')")
}

#[tokio::test]
async fn an_application_id_is_looked_up_once_and_again_when_what_it_led_to_is_gone() {
    // The third call: the settings of the one that was looked up, which has been made anew meanwhile.
    let graph = graph_of(by_app_id(), None, |call, _, _, n| match n {
        0 if look_up(call) => (200, json!({"id": SP})),
        1 if settings_of(call, "sp") => (200, json!({"value": []})),
        2 if settings_of(call, "sp") => refuse(404, "Request_ResourceNotFound", "no"),
        3 if look_up(call) => (200, json!({"id": OTHER})),
        4 | 5 if settings_of(call, OTHER) => (200, json!({"value": []})),
        _ => panic!("{n}: {call}"),
    })
    .await;
    for _ in 0..3 {
        assert_eq!(graph.settings().await.unwrap(), Settings::default());
    }
}

#[tokio::test]
async fn no_token_goes_to_an_application_that_was_made_anew_before_its_settings_have_been_read() {
    let graph = graph_of(by_app_id(), None, |call, _, _, n| match n {
        0 if look_up(call) => (200, json!({"id": SP})),
        1 if call.starts_with("PUT ") && call.contains("/sp/") => refuse(404, "Request_ResourceNotFound", "no"),
        2 if look_up(call) => (200, json!({"id": OTHER})),
        3 if settings_of(call, OTHER) => (200, json!({"value": []})),
        _ => panic!("{n}: {call}"),
    })
    .await;
    let error = graph.provision(&SecretsUpdate { pairs: Vec::new(), token: token() }).await.unwrap_err();
    assert!(matches!(error.class, Class::Retry { .. }), "it is tried again, from the settings on: {error}");
    assert_eq!(graph.settings().await.unwrap(), Settings::default());
}

#[tokio::test]
async fn an_application_id_that_leads_nowhere_or_may_not_be_looked_up_is_told_as_such() {
    let unknown = graph_of(by_app_id(), None, |_, _, _, _| refuse(404, "Request_ResourceNotFound", "no")).await;
    let error = unknown.job().await.unwrap_err();
    assert!(error.class == Class::Human && error.to_string().contains("check app_id"), "{error}");
    let forbidden = graph_of(by_app_id(), None, |_, _, _, _| refuse(403, "Authorization_RequestDenied", "no")).await;
    let error = forbidden.job().await.unwrap_err();
    assert!(error.class == Class::Human && error.to_string().contains("Application.Read.All"), "{error}");
}

#[tokio::test]
async fn of_several_jobs_the_only_one_for_scim_is_taken() {
    let graph = graph_with(None, |_, _, _, _| {
        let job = |id, template| json!({"id": id, "templateId": template, "status": {"code": "Active"}});
        (200, json!({"value": [job("one", "gsuite"), job("two", "scim"), job("three", "Azure2Azure")]}))
    })
    .await;
    assert_eq!(graph.job().await.unwrap().id, "two");
}

#[tokio::test]
async fn a_request_without_an_answer_is_named_by_our_own_id() {
    let (http, _url) = serve(Router::new()).await;
    let options = GraphOptions {
        url: "https://kv.fake.test:1/".parse().unwrap(),
        scope: None,
        principal: by_app_id(),
        job_id: None,
        tenant_url: "https://sps.fake.test/scimproxy".into(),
    };
    let graph = Graph::new(options, http, Arc::new(FakeLogin::default()), Arc::new(SystemClock)).unwrap();
    let error = graph.job().await.unwrap_err();
    assert!(error.status.is_none() && Uuid::try_parse(error.request_id.as_deref().unwrap()).is_ok(), "{error}");
}

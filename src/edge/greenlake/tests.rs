//! The issuer against a throwaway HPE.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::extract::{Form, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::*;
use crate::edge::clock::SystemClock;
use crate::edge::testing::serve;
use crate::secret_file::SecretFile;

const TOKEN: &str = "canary-token-value-1234";
const SECRET: &str = "canary client&s3cret";
const ROTATE: IssueHow = IssueHow::Rotate { remove_current: false };

/// What the fake HPE answers to one call with a bearer: how many bearers it has given, path and query.
type Handler = fn(u32, &str) -> Response;

#[derive(Clone)]
struct Hpe {
    handler: Handler,
    bearers: Arc<Mutex<u32>>,
    calls: Arc<Mutex<u32>>,
}

async fn token(State(hpe): State<Hpe>, Form(form): Form<HashMap<String, String>>) -> Response {
    let expected = [
        ("grant_type", "client_credentials"),
        ("client_id", "client"),
        ("client_secret", SECRET),
        ("scope", "hpe-tenant"),
    ];
    assert_eq!(form, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    let mut bearers = hpe.bearers.lock().unwrap();
    *bearers += 1;
    Json(json!({"access_token": format!("canary-bearer-{bearers}"), "expires_in": 900})).into_response()
}

async fn proxytoken(State(hpe): State<Hpe>, request: Request) -> Response {
    *hpe.calls.lock().unwrap() += 1;
    let bearers = *hpe.bearers.lock().unwrap();
    let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header("authorization"), header("content-length")),
        (format!("bearer canary-bearer-{bearers}"), "0".into())
    );
    (hpe.handler)(bearers, request.uri().path_and_query().unwrap().as_str())
}

async fn greenlake(handler: Handler) -> (tempfile::TempDir, GreenLake, Hpe) {
    greenlake_by(handler, |_| Arc::new(SystemClock)).await
}

async fn greenlake_by(
    handler: Handler,
    clock: impl FnOnce(&Hpe) -> Arc<dyn Clock>,
) -> (tempfile::TempDir, GreenLake, Hpe) {
    let hpe = Hpe { handler, bearers: Arc::default(), calls: Arc::default() };
    let app = Router::new()
        .route("/oauth2/t/aus/v1/token", post(token))
        .route("/v1alpha1/{*rest}", post(proxytoken))
        .with_state(hpe.clone());
    let (http, url) = serve(app).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    let auth = Auth::Client(ClientCredentials {
        flavour: Flavour::Glcs,
        issuer: url.join("oauth2/t/aus/").unwrap(),
        client_id: "client".into(),
        client_secret: SecretFile::new(path),
    });
    let options = GreenLakeOptions { url: url.join("v1alpha1").unwrap(), auth, reading: Reading::default() };
    let clock = clock(&hpe);
    (dir, GreenLake::new(options, http, clock).unwrap(), hpe)
}

fn answer(status: u16, body: Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

/// The error of one rotation, checked to show no secret, and how often HPE was called.
async fn refusal(handler: Handler, how: IssueHow) -> (IssuerError, u32) {
    let (_dir, issuer, hpe) = greenlake(handler).await;
    let error = issuer.issue(how).await.unwrap_err();
    let shown = format!("{error} {error:?} {issuer:?}");
    assert!(!shown.contains("canary"), "{shown}");
    let calls = *hpe.calls.lock().unwrap();
    (error, calls)
}

#[tokio::test]
async fn a_rotation_spells_out_its_mode_and_a_creation_has_its_own_path() {
    let (_dir, issuer, _) =
        greenlake(|_, path| answer(201, json!({"token": format!("{TOKEN}{}", path.replace(['/', '?'], "."))}))).await;
    let path = async |how| issuer.issue(how).await.unwrap().token.expose()[TOKEN.len()..].to_owned();
    assert_eq!(path(ROTATE).await, ".v1alpha1.proxytoken.rotate.remove-current=false");
    assert_eq!(
        path(IssueHow::Rotate { remove_current: true }).await,
        ".v1alpha1.proxytoken.rotate.remove-current=true"
    );
    assert_eq!(path(IssueHow::Create).await, ".v1alpha1.proxytoken");
}

#[tokio::test]
async fn a_403_prints_the_role_the_space_and_the_scope() {
    let (error, calls) = refusal(|_, _| answer(403, json!({"message": "no", "errorCode": "HPE-403"})), ROTATE).await;
    assert!(
        matches!(&error, IssuerError::NotIssued(call) if call.class == Class::Human && call.code.as_deref() == Some("HPE-403"))
    );
    for part in ["\"SCIM Proxy Token Contributor\"", "\"All Resources\"", "\"greenlake.service.user\""] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn whether_a_token_may_have_been_made_is_told_for_each_answer() {
    #[derive(Debug, PartialEq)]
    enum Fate {
        No,
        Nothing,
        Maybe,
    }
    let table: [(Handler, IssueHow, Fate); 12] = [
        (|_, _| answer(400, json!({})), ROTATE, Fate::No),
        (|_, _| answer(404, json!({})), ROTATE, Fate::Nothing),
        (|_, _| answer(404, json!({})), IssueHow::Create, Fate::No),
        (|_, _| answer(408, json!({})), ROTATE, Fate::Maybe),
        (|_, _| answer(429, json!({})), ROTATE, Fate::No),
        (|_, _| (StatusCode::FOUND, [("location", "/login")]).into_response(), ROTATE, Fate::No),
        (|_, _| answer(500, json!({"token": TOKEN})), ROTATE, Fate::Maybe),
        (|_, _| (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "5")]).into_response(), ROTATE, Fate::Maybe),
        (|_, _| StatusCode::OK.into_response(), ROTATE, Fate::Maybe),
        (|_, _| axum::response::Html("<p>canary</p>").into_response(), ROTATE, Fate::Maybe),
        (|_, _| answer(200, json!({"token": TOKEN, "secret": "canary-other-token"})), ROTATE, Fate::Maybe),
        (|_, _| answer(200, json!({"id": TOKEN})), ROTATE, Fate::Maybe),
    ];
    for (n, (handler, how, fate)) in table.into_iter().enumerate() {
        let (error, calls) = refusal(handler, how).await;
        let seen = match &error {
            IssuerError::NotIssued(_) => Fate::No,
            IssuerError::NothingToRotate(_) => Fate::Nothing,
            IssuerError::Ambiguous(_) => Fate::Maybe,
        };
        assert_eq!((seen, calls), (fate, 1), "{n}: {error}");
        assert_eq!(error.call().class == Class::Ambiguous, matches!(error, IssuerError::Ambiguous(_)), "{n}");
    }
}

/// Somebody sets it wrong as soon as HPE has been called.
struct Leaps(Arc<Mutex<u32>>);

#[async_trait]
impl Clock for Leaps {
    fn now(&self) -> Timestamp {
        let at = "2027-03-01T12:00:00Z".parse::<Timestamp>().unwrap();
        at + chrono::TimeDelta::days(if *self.0.lock().unwrap() == 0 { 0 } else { 400 })
    }

    fn elapsed(&self) -> chrono::TimeDelta {
        chrono::TimeDelta::zero()
    }

    async fn sleep(&self, _: std::time::Duration) {}
}

#[tokio::test]
async fn a_life_that_is_told_in_seconds_counts_from_the_answers_date_or_else_from_when_it_was_asked_for() {
    const BODY: fn(&'static str) -> Response =
        |date| ([("date", date)], Json(json!({"token": TOKEN, "expires_in": 86400}))).into_response();
    let answers: [(Handler, _); 2] = [
        (|_, _| BODY("Mon, 01 Mar 2027 12:00:07 GMT"), "2027-03-02T12:00:07Z"),
        (|_, _| BODY("today"), "2027-03-02T12:00:00Z"),
    ];
    for (handler, end) in answers {
        let (_dir, issuer, _) = greenlake_by(handler, |hpe| Arc::new(Leaps(hpe.calls.clone()))).await;
        let expiry = issuer.issue(ROTATE).await.unwrap().expiry.unwrap();
        assert_eq!(expiry.at, end.parse::<Timestamp>().unwrap());
    }
}

#[tokio::test]
async fn throttling_says_how_long() {
    let slow: [Handler; 2] = [
        |_, _| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "61")]).into_response(),
        |_, _| (StatusCode::TOO_MANY_REQUESTS, [("x-ratelimit-reset", "61")]).into_response(),
    ];
    for handler in slow {
        let (error, _) = refusal(handler, ROTATE).await;
        assert_eq!(error.call().class, Class::Retry { after: Some(std::time::Duration::from_secs(61)) });
    }
}

#[tokio::test]
async fn without_a_secret_nothing_is_sent() {
    let (dir, issuer, hpe) = greenlake(|_, _| answer(200, json!({}))).await;
    drop(dir);
    let error = issuer.preflight().await.unwrap_err();
    assert!(matches!(&error, IssuerError::NotIssued(call) if call.to_string().contains("does not exist")), "{error}");
    assert_eq!(*hpe.bearers.lock().unwrap(), 0);
}

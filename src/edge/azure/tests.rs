//! The login against a throwaway Entra.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::*;
use crate::edge::testing::serve;
use crate::ports::Class;

const SECRET: &str = "canary-client-s3cret";

fn entra(answer: impl Fn(u32) -> (u16, Value) + Clone + Send + Sync + 'static) -> Router {
    let count = Arc::new(AtomicU32::new(0));
    let handler = move || {
        let (status, body) = answer(count.fetch_add(1, Ordering::SeqCst));
        async move { (StatusCode::from_u16(status).unwrap(), Json(body)) }
    };
    Router::new().route("/tenant/oauth2/v2.0/token", post(handler))
}

async fn login(app: Router) -> (tempfile::TempDir, AzureLogin) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    let (http, authority) = serve(app).await;
    let application = Application { tenant_id: "tenant".into(), client_id: "client".into() };
    let credential = AzureCredential::ClientSecret { application, secret: SecretFile::new(path) };
    let options = AzureOptions { authority, credential, metadata: None };
    let clock = || Arc::new(crate::edge::testing::MachineClock);
    (dir, AzureLogin::new(options, &http, clock(), clock()).unwrap())
}

fn token(n: u32) -> (u16, Value) {
    (200, json!({"token_type": "Bearer", "expires_in": 3600, "access_token": format!("bearer-{n}")}))
}

#[tokio::test]
async fn a_bearer_is_cached_until_the_login_is_renewed() {
    let (_dir, login) = login(entra(token)).await;
    let bearer = async || login.bearer("https://graph/.default").await.unwrap().expose_secret().to_owned();
    assert_eq!((bearer().await, bearer().await), ("bearer-0".into(), "bearer-0".into()));
    login.renew();
    assert_eq!(bearer().await, "bearer-1");
}

#[tokio::test]
async fn a_refusal_tells_code_and_advice_and_no_secret() {
    let refuse =
        |_| (401, json!({"error": "invalid_client", "error_description": "AADSTS7000222: keys are expired.\r\nTrace"}));
    let (_dir, login) = login(entra(refuse)).await;
    let error = login.bearer("https://graph/.default").await.unwrap_err();
    assert_eq!((error.class, error.code.as_deref(), error.status), (Class::Human, Some("AADSTS7000222"), Some(401)));
    let shown = format!("{error} {error:?} {login:?}");
    assert!(shown.contains("has expired") && shown.contains("/tenant/oauth2/v2.0/token"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn each_login_reads_the_secret_from_its_file() {
    let answer = |form: axum::Form<std::collections::HashMap<String, String>>| async move {
        Json(json!({"token_type": "Bearer", "expires_in": 3600, "access_token": form["client_secret"]}))
    };
    let (dir, login) = login(Router::new().route("/tenant/oauth2/v2.0/token", post(answer))).await;
    let bearer = async |scope| login.bearer(scope).await.unwrap().expose_secret().to_owned();
    assert_eq!(bearer("https://one/.default").await, SECRET);
    std::fs::write(dir.path().join("secret"), "another").unwrap();
    assert_eq!(bearer("https://one/.default").await, SECRET, "the bearer is at hand");
    assert_eq!(bearer("https://two/.default").await, "another");
}

#[tokio::test]
async fn an_outage_is_worth_another_try_and_comes_through_the_sdk_as_it_is() {
    let (_dir, login) = login(entra(|_| (503, json!({})))).await;
    let error = login.get_token(&["https://graph/.default"], None).await.unwrap_err();
    let call = crate::edge::login::failed_login(&error).unwrap();
    assert_eq!((call.class, call.status), (Class::Retry { after: None }, Some(503)));
}

#[tokio::test]
async fn a_missing_secret_file_is_named() {
    let (dir, login) = login(entra(token)).await;
    drop(dir);
    let error = login.bearer("https://graph/.default").await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[test]
fn the_time_for_a_whole_login_grows_with_that_of_a_request_and_never_cuts_one_short() {
    for (one, expected) in [(5, 30), (30, 30), (120, 120)] {
        assert_eq!(whole(Duration::from_secs(one)), Duration::from_secs(expected));
    }
}

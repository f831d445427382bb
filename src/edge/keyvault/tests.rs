//! The vault against a throwaway one that speaks the bearer challenge.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, Method as HttpMethod, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::*;
use crate::domain::journal::Label;
use crate::edge::testing::{FakeLogin, serve};
use crate::ports::{CallError, Class};

const TOKEN: &str = "canary-token-value-1234";

/// What the fake vault answers to one authorized request: method, path with query, body, how many came before.
type Answer = fn(&HttpMethod, &str, &Value, u32) -> (u16, Value);

async fn vault(answer: Answer) -> KeyVault {
    let count = Arc::new(AtomicU32::new(0));
    let app = Router::new().fallback(move |request: Request| {
        let count = count.clone();
        async move { handle(request, answer, &count).await }
    });
    let (http, url) = serve(app).await;
    let options = KeyVaultOptions { url, secret: "scim-token".to_owned() };
    KeyVault::new(options, Arc::new(Clients::new(http, Arc::new(FakeLogin::default())))).unwrap()
}

async fn handle(request: Request, answer: Answer, count: &AtomicU32) -> Response {
    let (parts, body) = request.into_parts();
    let Some(bearer) = parts.headers.get("authorization") else {
        let challenge = r#"Bearer authorization="https://login.fake.test/tenant", resource="https://fake.test""#;
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response();
    };
    assert!(bearer.to_str().unwrap().starts_with("Bearer bearer-canary-"));
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let path = parts.uri.path_and_query().unwrap().as_str();
    let (status, body) = answer(&parts.method, path, &body, count.fetch_add(1, Ordering::SeqCst));
    let mut headers = HeaderMap::new();
    headers.insert("x-ms-request-id", "3f2504e0-4f89-11d3-9a0c-0305e82c3301".parse().unwrap());
    headers.insert("retry-after", "9".parse().unwrap());
    (StatusCode::from_u16(status).unwrap(), headers, axum::Json(body)).into_response()
}

fn new_version() -> NewVersion {
    NewVersion {
        token: Some(Token::parse(TOKEN).unwrap()),
        tags: Tags::from([("stage".to_owned(), "pending".to_owned())]),
        expires: crate::domain::Timestamp::from_timestamp(1_900_000_000, 0),
    }
}

fn call(error: VaultError) -> CallError {
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("canary"), "{shown}");
    match error {
        VaultError::Call(call) | VaultError::VersionRefused(call) => call,
        VaultError::Unusable { .. } => panic!("{error}"),
    }
}

fn refused(code: &str, inner: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "innererror": {"code": inner}}})
}

#[tokio::test]
async fn every_page_is_listed_and_labels_are_read() {
    let vault = vault(|_, path, _, _| {
        let item = |id: &str| {
            json!({"id": format!("https://kv.fake.test/secrets/scim-token/{id}"), "tags": {},
                   "attributes": {"enabled": id == "a", "created": 1_800_000_000, "exp": 1_900_000_000}})
        };
        match path.contains("page=2") {
            false => (200, json!({"value": [item("a")], "nextLink": "/secrets/scim-token/versions?page=2"})),
            true => (200, json!({"value": [item("b")], "nextLink": null})),
        }
    })
    .await;
    let versions = vault.list().await.unwrap();
    let seen: Vec<_> = versions.iter().map(|v| (v.id.0.as_str(), v.enabled, v.label.clone())).collect();
    assert_eq!(seen, [("a", true, Label::Foreign), ("b", false, Label::Foreign)]);
    assert_eq!(versions[0].expires.unwrap().timestamp(), 1_900_000_000);
}

#[tokio::test]
async fn a_next_page_on_another_host_is_not_followed() {
    let vault = vault(|_, _, _, _| (200, json!({"value": [], "nextLink": "https://evil.fake.test/x"}))).await;
    assert!(call(vault.list().await.unwrap_err()).what.contains("another host"));
}

#[tokio::test]
async fn an_unknown_secret_is_an_empty_list_and_any_other_404_is_not() {
    let unknown: [Answer; 2] = [
        |_, _, _, _| no_such_secret(),
        |_, path, _, _| {
            if path.contains("deleted") { no_such_secret() } else { (200, json!({"value": [], "nextLink": null})) }
        },
    ];
    for unknown in unknown {
        assert_eq!(vault(unknown).await.list().await.unwrap(), []);
    }
    let others: [Answer; 3] = [
        |_, _, _, _| (404, json!("a proxy")),
        |_, _, _, _| (404, refused("VaultNotFound", "", "no such vault")),
        |_, _, _, _| (404, refused("NotFound", "", "no such page")),
    ];
    for other in others {
        assert_eq!(call(vault(other).await.list().await.unwrap_err()).status, Some(404));
    }
}

/// What is said of a deleted secret of this name, where the secret itself is not there.
async fn list_where_deleted_is(answer: Answer) -> Result<Vec<crate::domain::Version>, VaultError> {
    vault(answer).await.list().await
}

fn no_such_secret() -> (u16, Value) {
    (404, refused("SecretNotFound", "", "not here"))
}

#[tokio::test]
async fn an_unknown_secret_is_looked_for_among_the_deleted_ones() {
    fn deleted(path: &str, missing: (u16, Value)) -> (u16, Value) {
        if !path.starts_with("/deletedsecrets/scim-token?") {
            return missing;
        }
        let id = "https://kv.fake.test/secrets/scim-token";
        (200, json!({"id": id, "deletedDate": 1_890_000_000, "scheduledPurgeDate": 1_900_000_000}))
    }
    let missing: [Answer; 2] =
        [|_, path, _, _| deleted(path, no_such_secret()), |_, path, _, _| deleted(path, (200, json!({"value": []})))];
    for missing in missing {
        let error = call(list_where_deleted_is(missing).await.unwrap_err());
        assert_eq!((error.class, error.code.as_deref()), (Class::Human, Some("SecretNotFound")));
        for words in ["gone for good on 2030-03-17", "az keyvault secret recover --vault-name kv --name scim-token"] {
            assert!(error.to_string().contains(words), "{error}");
        }
    }
    let not_told: [Answer; 3] = [
        |_, path, _, _| if path.contains("deleted") { (403, refused("Forbidden", "", "no")) } else { no_such_secret() },
        |_, path, _, _| if path.contains("deleted") { (405, json!({})) } else { no_such_secret() },
        |_, _, _, n| {
            assert!(n < 2, "a bearer is had anew only for what is needed");
            no_such_secret()
        },
    ];
    for answer in not_told {
        assert_eq!(list_where_deleted_is(answer).await.unwrap(), []);
    }
    let in_trouble: [Answer; 2] = [
        |_, path, _, _| if path.contains("deleted") { (503, json!({})) } else { no_such_secret() },
        |_, path, _, _| if path.contains("deleted") { (429, json!({})) } else { no_such_secret() },
    ];
    for answer in in_trouble {
        let error = call(list_where_deleted_is(answer).await.unwrap_err());
        assert_eq!(error.class, Class::Retry { after: Some(Duration::from_secs(9)) }, "{error}");
    }
}

#[tokio::test]
async fn tags_beyond_what_a_version_holds_are_refused_before_anything_is_sent() {
    let vault = vault(|method, path, _, _| panic!("{method} {path}")).await;
    let many: Tags = (0..16).map(|n| (format!("tag-{n}"), String::new())).collect();
    let long = Tags::from([("ü".repeat(257), String::new())]);
    for (tags, words) in [(many, "these are 16 tags, more than 15"), (long, "is longer than 256 characters")] {
        let stored = vault.store(&NewVersion { tags: tags.clone(), ..new_version() }).await.unwrap_err();
        let labelled = vault.label(&VersionId("v1".to_owned()), &tags, None).await.unwrap_err();
        assert!(matches!(stored, VaultError::VersionRefused(_)), "{stored}");
        for error in [call(stored), call(labelled)] {
            assert!(error.class == Class::Human && error.to_string().contains(words), "{error}");
        }
    }
}

#[tokio::test]
async fn a_store_is_sent_once_whole_and_answers_with_the_version() {
    let vault = vault(|method, path, body, _| {
        assert_eq!((method, path.split('?').next()), (&HttpMethod::PUT, Some("/secrets/scim-token")));
        let expected = json!({"value": TOKEN, "contentType": "application/vnd.scim-token", "tags": {"stage": "pending"},
                              "attributes": {"enabled": true, "exp": 1_900_000_000}});
        assert_eq!(*body, expected);
        (200, json!({"id": "https://kv.fake.test/secrets/scim-token/v1", "value": TOKEN}))
    })
    .await;
    assert_eq!(vault.store(&new_version()).await.unwrap(), VersionId("v1".to_owned()));
}

#[tokio::test]
async fn a_placeholder_is_disabled_and_holds_no_token() {
    let vault = vault(|_, _, body, _| {
        assert_eq!((&body["value"], &body["attributes"]["enabled"]), (&json!("placeholder"), &json!(false)));
        (200, json!({"id": "https://kv.fake.test/secrets/scim-token/v1"}))
    })
    .await;
    vault.store(&NewVersion { token: None, expires: None, ..new_version() }).await.unwrap();
}

#[tokio::test]
async fn the_fate_of_a_store_is_told_for_each_answer() {
    let table: [(Answer, Class); 7] = [
        (|_, _, _, _| (408, json!({})), Class::Ambiguous),
        (|_, _, _, _| (500, json!({})), Class::Ambiguous),
        (|_, _, _, _| (503, json!({})), Class::Ambiguous),
        (|_, _, _, _| (200, json!({})), Class::Ambiguous),
        (
            |_, _, _, _| (429, refused("Throttled", "", "slow \"down\"")),
            Class::Retry { after: Some(Duration::from_secs(9)) },
        ),
        (|_, _, _, _| (403, refused("Forbidden", "ForbiddenByRbac", "no role")), Class::Human),
        (|_, _, _, _| (409, refused("Conflict", "ObjectIsDeletedButRecoverable", "deleted")), Class::Human),
    ];
    for (answer, class) in table {
        let vault = vault(answer).await;
        let error = call(vault.store(&new_version()).await.unwrap_err());
        assert_eq!(error.class, class, "{error}");
    }
}

#[tokio::test]
async fn refusals_come_with_code_request_id_and_advice() {
    let vault = vault(|_, _, _, _| (409, refused("Conflict", "ObjectIsDeletedButRecoverable", "a\r\nb"))).await;
    let error = call(vault.store(&new_version()).await.unwrap_err());
    assert_eq!(error.code.as_deref(), Some("ObjectIsDeletedButRecoverable"));
    assert_eq!(error.request_id.as_deref(), Some("3f2504e0-4f89-11d3-9a0c-0305e82c3301"));
    assert!(error.to_string().contains("az keyvault secret recover"), "{error}");
}

#[tokio::test]
async fn a_version_that_is_refused_is_told_from_a_caller_that_is() {
    let answers: [Answer; 2] = [
        |_, _, _, _| (400, refused("BadParameter", "", &format!("exp too late for {TOKEN}"))),
        |_, _, _, _| (403, refused("Forbidden", "ForbiddenByPolicy", "Operation denied by policy")),
    ];
    for answer in answers {
        let error = vault(answer).await.store(&new_version()).await.unwrap_err();
        assert!(matches!(error, VaultError::VersionRefused(_)), "{error}");
        call(error);
    }
}

#[tokio::test]
async fn a_disabled_version_is_unusable_and_no_lack_of_rights() {
    let vault = vault(|_, path, _, _| match path.contains("off") {
        true => (403, refused("Forbidden", "SecretDisabled", "Operation get is not allowed on a disabled secret.")),
        false => (200, json!({"id": "https://kv.fake.test/secrets/scim-token/on", "value": TOKEN})),
    })
    .await;
    assert_eq!(vault.read(&VersionId("on".into())).await.unwrap().expose(), TOKEN);
    assert!(matches!(vault.read(&VersionId("off".into())).await, Err(VaultError::Unusable { .. })));
    call(vault.read(&VersionId("../x".into())).await.unwrap_err());
}

#[tokio::test]
async fn a_label_is_a_patch_of_that_version() {
    let vault = vault(|method, path, body, _| {
        assert_eq!((method, path.split('?').next()), (&HttpMethod::PATCH, Some("/secrets/scim-token/v1")));
        assert_eq!(*body, json!({"tags": {"a": "b"}, "attributes": {"enabled": false}}));
        (200, json!({}))
    })
    .await;
    let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
    vault.label(&VersionId("v1".to_owned()), &tags, Some(false)).await.unwrap();
}

#[tokio::test]
async fn after_a_401_everything_is_built_anew_once() {
    // The SDK itself repeats after the challenge of a 401, with the same bearer; this one challenges nobody.
    let once = vault(|_, _, _, n| match n {
        0 => (401, json!({})),
        _ => (200, json!({"value": [{"id": "https://kv.fake.test/secrets/scim-token/a", "attributes": {"enabled": true, "created": 1_800_000_000}}]})),
    })
    .await;
    assert_eq!(once.list().await.unwrap().len(), 1);
    let always = vault(|_, _, _, _| (401, json!({}))).await;
    assert_eq!(call(always.list().await.unwrap_err()).status, Some(401));
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in ["", "../deletedsecrets/x", "a_b", "ä", &"x".repeat(128)] {
        assert!(!is_name(name), "{name}");
    }
    assert!(is_name("greenlake-scim-token"));
}

#[test]
fn the_time_for_the_whole_grows_with_that_of_a_request_and_never_cuts_one_short() {
    let seconds = Duration::from_secs;
    for (one, requests, expected) in [(5, 1, 30), (30, 2, 60), (120, 1, 120), (120, 2, 240)] {
        assert_eq!(whole(seconds(one), requests), seconds(expected), "{one} {requests}");
    }
}

//! Tables of answers that HPE might give.

use base64::Engine as _;
use serde_json::json;

use super::*;

const A: &str = "canary-token-aaaa";
const B: &str = "canary-token-bbbb";

fn now() -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000, 0).unwrap()
}

fn read_as(content_type: Option<&str>, body: &str, reading: &Reading) -> Result<Issued, Unreadable> {
    let read = read(&Seen { body: body.as_bytes(), content_type, date: now() }, reading);
    if let Err(error) = &read {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    read
}

fn read_json(body: &Value) -> Result<Issued, Unreadable> {
    read_as(Some("application/json"), &body.to_string(), &Reading::default())
}

#[test]
fn a_token_is_found_under_every_name_that_is_known_and_one_level_down() {
    for field in TOKEN_FIELDS {
        assert_eq!(read_json(&json!({field: A, "id": "x"})).unwrap().token.expose(), A, "{field}");
        for envelope in ENVELOPES {
            let body = json!({envelope: {field: A}});
            assert_eq!(read_json(&body).unwrap().token.expose(), A, "{envelope}.{field}");
        }
    }
}

#[test]
fn a_body_that_is_the_token_is_one_in_several_forms() {
    let table: [(Option<&str>, String); 6] = [
        (Some("text/plain; charset=utf-8"), format!("{A}\n")),
        (Some("text/plain"), format!("Bearer {A}")),
        (None, A.to_owned()),
        (Some("application/json"), format!("\"{A}\"")),
        (Some("application/json"), format!("\"Bearer {A}\\n\"")),
        (Some("text/plain"), json!({"token": A}).to_string()),
    ];
    for (kind, body) in table {
        assert_eq!(read_as(kind, &body, &Reading::default()).unwrap().token.expose(), A, "{kind:?} {body}");
    }
    assert_eq!(read_as(Some("text/plain"), "1234567890", &Reading::default()).unwrap().token.expose(), "1234567890");
}

#[test]
fn the_same_token_twice_is_one_and_two_different_ones_are_refused() {
    assert_eq!(read_json(&json!({"token": A, "data": {"value": format!("Bearer {A}")}})).unwrap().token.expose(), A);
    let error = read_json(&json!({"token": A, "data": {"secret": B}})).unwrap_err();
    assert_eq!(error, Unreadable::SeveralTokens("token, data.secret".into()));
}

#[test]
fn what_holds_no_token_is_refused_with_the_names_of_its_fields() {
    let named = read_json(&json!({"id": A, "data": {"state": B}})).unwrap_err();
    assert!(
        matches!(&named, Unreadable::NoToken(seen) if seen.contains("id") && seen.contains("data.state")),
        "{named}"
    );
    let table: [(&str, &str, Unreadable); 8] = [
        ("application/json", "", Unreadable::Empty),
        ("application/json", " \n", Unreadable::Empty),
        ("text/html", A, Unreadable::Html),
        ("application/json", "<!doctype html>", Unreadable::Html),
        ("application/json", "[\"canary-token-aaaa\"]", Unreadable::NoToken("none".into())),
        ("application/json", "{}", Unreadable::NoToken("none".into())),
        ("application/json", "canary-token-aaaa", Unreadable::NotOneLine),
        ("text/plain", "Service canary unavailable", Unreadable::NotOneLine),
    ];
    for (kind, body, expected) in table {
        assert_eq!(read_as(Some(kind), body, &Reading::default()).unwrap_err(), expected, "{kind} {body}");
    }
    assert!(matches!(read_json(&json!({"token": "short"})), Err(Unreadable::NoToken(_))));
    assert_eq!(
        read(&Seen { body: b"\xff\xfe", content_type: None, date: now() }, &Reading::default()).unwrap_err(),
        Unreadable::NoText
    );
}

#[test]
fn a_token_that_stands_as_a_name_is_not_shown() {
    let name = "eyJhbGciOiJSUzI1NiJ9.canary1";
    let error = read_json(&json!({name: 1})).unwrap_err();
    assert!(error.to_string().contains("[redacted]"), "{error}");
}

#[test]
fn a_pointer_pins_the_token_and_nothing_else_is_taken_instead() {
    let reading = Reading { token_pointer: Some("/out/0/t".into()), ..Reading::default() };
    let body = json!({"token": B, "out": [{"t": A}]}).to_string();
    assert_eq!(read_as(None, &body, &reading).unwrap().token.expose(), A);
    let error = read_as(None, &json!({"token": B}).to_string(), &reading).unwrap_err();
    assert!(matches!(error, Unreadable::NothingAtPointer { .. }));
}

#[test]
fn the_expiry_comes_from_the_first_rule_that_gives_one_that_can_be() {
    use ExpirySource as From;
    let in_a_year = 1_831_536_000_i64;
    let year = |source| Some((in_a_year, source));
    let jwt = |exp: i64| {
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!({"exp": exp}).to_string());
        format!("e30.{claims}.c2ln")
    };
    let table = [
        (json!({"token": A, "expires_at": "2028-01-15T08:00:00Z"}), year(From::Field)),
        (json!({"token": A, "expires_at": "2028-01-15T09:00:00+01:00"}), year(From::Field)),
        (json!({"token": A, "validUntil": "2028-01-15T08:00:00"}), year(From::Field)),
        (json!({"token": A, "exp": in_a_year}), year(From::Field)),
        (json!({"token": A, "expiry": in_a_year * 1000}), year(From::Field)),
        (json!({"token": A, "expiration": in_a_year.to_string()}), year(From::Field)),
        (json!({"token": {"value": A, "expiresAt": in_a_year}}), year(From::Field)),
        (json!({"token": A, "expires_in": 31_536_000}), year(From::Ttl)),
        (json!({"token": A, "ttl": "31536000"}), year(From::Ttl)),
        (json!({"token": A, "expires_in": 60, "exp": in_a_year}), year(From::Field)),
        // A life in `exp`, a date in the past and one beyond all lives are passed over for the next rule.
        (json!({"token": A, "exp": 3600, "expires_in": 31_536_000}), year(From::Ttl)),
        (json!({"token": A, "notAfter": "2019-01-01T00:00:00Z", "expiresAt": in_a_year}), year(From::Field)),
        (json!({"token": A, "exp": "2999-01-01T00:00:00Z"}), None),
        (json!({"token": A, "expires_in": -5}), None),
        (json!({"token": A, "expires_in": 1e300}), None),
        (json!({"token": A, "expires_at": null, "ttl": "soon"}), None),
        (json!({"token": jwt(in_a_year), "expires_in": 60}), year(From::Jwt)),
        (json!({"token": jwt(5), "expires_in": 31_536_000}), year(From::Ttl)),
    ];
    for (body, expected) in table {
        let expiry = read_json(&body).unwrap().expiry;
        assert_eq!(expiry.map(|e| (e.at.timestamp(), e.source)), expected, "{body}");
    }
}

#[test]
fn a_pointed_expiry_beats_all_and_an_assumed_life_is_the_last_resort() {
    let reading = Reading {
        expiry_pointer: Some("/life".into()),
        assumed_lifetime: Some(TimeDelta::days(90)),
        ..Reading::default()
    };
    let source = |body: Value| read_as(None, &body.to_string(), &reading).unwrap().expiry.unwrap();
    assert_eq!(source(json!({"token": A, "exp": 1_831_536_000, "life": 86_400})).source, ExpirySource::Pointer);
    assert_eq!(source(json!({"token": A, "life": 86_400})).at, now() + TimeDelta::days(1));
    assert_eq!(source(json!({"token": A, "life": "never"})).at, now() + TimeDelta::days(90));
    assert_eq!(source(json!({"token": A})).source, ExpirySource::Assumed);
}

#[test]
fn the_expiry_of_a_token_issued_elsewhere_is_its_claim_even_when_over() {
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"exp":1700000000}"#);
    let over = Token::parse(&format!("e30.{claims}.c2ln")).unwrap();
    let expiry = expiry_of(&over, now(), Some(TimeDelta::days(1))).unwrap();
    assert_eq!((expiry.at.timestamp(), expiry.source), (1_700_000_000, ExpirySource::Jwt));
    let opaque = Token::parse(A).unwrap();
    assert_eq!(expiry_of(&opaque, now(), Some(TimeDelta::days(1))).unwrap().source, ExpirySource::Assumed);
    assert_eq!(expiry_of(&opaque, now(), None), None);
}

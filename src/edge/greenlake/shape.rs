//! What an answer looks like: its form, the names, kinds and places of its fields. Never a value of it. Pure.

use serde_json::{Map, Value};

use super::Reading;
use super::answer::{self, DATE_FIELDS, MILLISECONDS_FROM, Seen, TOKEN_FIELDS, TTL_FIELDS, levels, number};
use crate::domain::{ExpirySource, Token};
use crate::edge::http::Redactor;
use crate::first_contact::{ExpirySeen, Field, Form, Shape, TokenSeen};

/// So many fields are named.
const MOST_FIELDS: usize = 30;

/// The shape of a 2xx answer.
pub(super) fn of(seen: &Seen<'_>, status: u16, reading: &Reading) -> Shape {
    let text = String::from_utf8_lossy(seen.body);
    let text = text.trim_start_matches('\u{feff}').trim();
    let json = serde_json::from_str::<Value>(text).ok();
    let issued = answer::read(seen, reading).ok();
    let token = issued.as_ref().map(|issued| TokenSeen {
        is_jwt: issued.token.jwt_expiry().is_some() || issued.token.expose().split('.').count() == 3,
        length: issued.token.expose().chars().count(),
    });
    let expiry = issued.as_ref().and_then(|issued| {
        let expiry = issued.expiry.filter(|expiry| expiry.source != ExpirySource::Assumed)?;
        let (place, form) = expiry_place(json.as_ref(), expiry.source, reading);
        Some(ExpirySeen { place, form, life_seconds: (expiry.at - seen.date).num_seconds() })
    });
    Shape {
        status,
        content_type: seen.content_type.map(|kind| Redactor::default().clean(kind)),
        form: form(text, json.as_ref(), seen.content_type),
        fields: json.as_ref().map(fields).unwrap_or_default(),
        token_places: json.as_ref().map(|json| token_places(json, reading)).unwrap_or_default(),
        token,
        expiry,
    }
}

fn form(text: &str, json: Option<&Value>, content_type: Option<&str>) -> Form {
    let is_page = content_type.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"));
    match json {
        _ if text.is_empty() => Form::Empty,
        _ if is_page || text.starts_with('<') => Form::WebPage,
        Some(Value::Object(_) | Value::Array(_)) => Form::Json,
        Some(Value::String(_)) => Form::JsonString,
        _ if !text.contains(char::is_whitespace) || text.lines().count() == 1 => Form::Line,
        _ => Form::Other,
    }
}

/// Each level with the pointer to it.
fn pointed(json: &Value) -> impl Iterator<Item = (String, &Map<String, Value>)> {
    levels(json).map(|(prefix, object)| {
        let above = prefix.trim_end_matches('.');
        (if above.is_empty() { String::new() } else { format!("/{above}") }, object)
    })
}

fn fields(json: &Value) -> Vec<Field> {
    let all = pointed(json).flat_map(|(above, object)| {
        object.iter().map(move |(name, value)| {
            let name = Redactor::default().clean(&name.replace('~', "~0").replace('/', "~1"));
            Field { place: format!("{above}/{name}"), kind: kind(value) }
        })
    });
    all.take(MOST_FIELDS).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn token_places(json: &Value, reading: &Reading) -> Vec<String> {
    let holds = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| Token::parse(text).is_ok());
    if let Some(pointer) = reading.token_pointer.as_ref().filter(|pointer| holds(json.pointer(pointer))) {
        return vec![pointer.clone()];
    }
    let found = pointed(json).flat_map(|(above, object)| {
        TOKEN_FIELDS.iter().filter(move |name| holds(object.get(**name))).map(move |name| format!("{above}/{name}"))
    });
    found.collect()
}

/// Where the end of life stands, and in which form, for a rule that has found it.
fn expiry_place(json: Option<&Value>, source: ExpirySource, reading: &Reading) -> (Option<String>, &'static str) {
    let find = |names: &[&str], fits: &dyn Fn(&Value) -> bool| {
        let levels: Vec<_> = json.into_iter().flat_map(pointed).collect();
        levels.iter().find_map(|(above, object)| {
            let name = names.iter().find(|name| object.get(**name).is_some_and(fits))?;
            Some((format!("{above}/{name}"), object.get(*name)?))
        })
    };
    let found = match source {
        ExpirySource::Field => find(&DATE_FIELDS, &|value| answer::moment(value).is_some()),
        ExpirySource::Ttl => find(&TTL_FIELDS, &|value| number(value).is_some()),
        ExpirySource::Pointer => {
            reading.expiry_pointer.as_ref().and_then(|place| Some((place.clone(), json?.pointer(place)?)))
        }
        ExpirySource::Jwt | ExpirySource::Vault | ExpirySource::Assumed => return (None, "the token's own claim"),
    };
    match found {
        None => (None, "unknown"),
        Some((place, value)) => (Some(place), date_form(value, source)),
    }
}

fn date_form(value: &Value, source: ExpirySource) -> &'static str {
    match number(value) {
        _ if source == ExpirySource::Ttl => "seconds from now",
        Some(epoch) if epoch >= MILLISECONDS_FROM => "milliseconds since 1970",
        // So near to 1970 it can only have been counted from now on.
        Some(epoch) if epoch < 1e9 => "seconds from now",
        Some(_) => "seconds since 1970",
        None => {
            let has_zone = value.as_str().is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text.trim()).is_ok());
            if has_zone { "RFC 3339" } else { "date and time without a zone" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    const TOKEN: &str = "sps-0123456789abcdef0123456789abcdef-0001";

    fn shape(body: &str, content_type: &str) -> Shape {
        let date = Timestamp::from_timestamp(1_767_571_200, 0).unwrap();
        let seen = Seen { body: body.as_bytes(), content_type: Some(content_type), date };
        of(&seen, 200, &Reading::default())
    }

    #[test]
    fn the_places_of_token_and_expiry_are_told_in_each_form() {
        let table = [
            (r#"{"token":"T","expires_at":"2026-07-04T00:00:00Z"}"#, "/token", Some("/expires_at"), "RFC 3339"),
            (
                r#"{"data":{"scimToken":"T","expiration":"2026-07-04T00:00:00"}}"#,
                "/data/scimToken",
                Some("/data/expiration"),
                "date and time without a zone",
            ),
            (r#"{"proxyToken":"T","exp":1783123200000}"#, "/proxyToken", Some("/exp"), "milliseconds since 1970"),
            (r#"{"proxyToken":"T","exp":"1783123200"}"#, "/proxyToken", Some("/exp"), "seconds since 1970"),
            (r#"{"access_token":"T","expires_in":15552000}"#, "/access_token", Some("/expires_in"), "seconds from now"),
        ];
        for (body, token, place, form) in table {
            let seen = shape(&body.replace("\"T\"", &format!("\"{TOKEN}\"")), "application/json");
            assert_eq!((seen.form, seen.token_places), (Form::Json, vec![token.to_owned()]), "{body}");
            let expiry = seen.expiry.unwrap();
            assert_eq!(
                (expiry.place.as_deref(), expiry.form, expiry.life_seconds),
                (place, form, 15_552_000),
                "{body}"
            );
        }
    }

    #[test]
    fn what_is_no_json_object_has_a_form_and_no_places() {
        let table = [
            ("", "application/json", Form::Empty, false),
            ("<html>", "text/html", Form::WebPage, false),
            ("\"T\"", "application/json", Form::JsonString, true),
            ("Bearer T\n", "text/plain", Form::Line, true),
            ("one\ntwo three", "text/plain", Form::Other, false),
        ];
        for (body, kind, form, readable) in table {
            let seen = shape(&body.replace('T', TOKEN), kind);
            assert_eq!((seen.form, seen.token.is_some(), seen.token_places.len()), (form, readable, 0), "{body}");
        }
    }

    #[test]
    fn of_two_tokens_both_places_are_told_and_no_name_or_value_gives_one_away() {
        let body = format!(r#"{{"token":"{TOKEN}","secret":"{TOKEN}-other","{TOKEN}":1}}"#);
        let seen = shape(&body, "application/json");
        assert_eq!(seen.token_places, ["/token", "/secret"]);
        assert!(seen.token.is_none() && seen.fields.len() == 3);
        assert!(!format!("{seen:?}").contains("0123456789ab"), "{seen:?}");
    }
}

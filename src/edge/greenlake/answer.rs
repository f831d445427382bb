//! Reading the answer to a rotation, of which HPE documents nothing. Pure.
//!
//! Tolerant in form, strict in doubt: no token, or two different ones, is a refusal that names the fields seen and never
//! shows a value. An expiry that cannot be is passed over.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use serde_json::{Map, Value};

use super::Reading;
use crate::domain::token::NotAToken;
use crate::domain::{Expiry, ExpirySource, Timestamp, Token};
use crate::edge::http::Redactor;
use crate::ports::Issued;

pub(super) const TOKEN_FIELDS: [&str; 12] = [
    "token",
    "proxyToken",
    "proxy_token",
    "access_token",
    "accessToken",
    "scimToken",
    "scim_token",
    "scimProxyToken",
    "secret",
    "secretToken",
    "value",
    "jwt",
];
const ENVELOPES: [&str; 4] = ["data", "result", "token", "proxyToken"];
pub(super) const DATE_FIELDS: [&str; 9] = [
    "expires_at",
    "expiresAt",
    "expiry",
    "expiration",
    "expirationDate",
    "expirationTime",
    "exp",
    "validUntil",
    "notAfter",
];
pub(super) const TTL_FIELDS: [&str; 3] = ["expires_in", "expiresIn", "ttl"];
/// No token lives longer; a date beyond is a mistake of reading.
const LONGEST_LIFE: TimeDelta = TimeDelta::days(3653);
/// Epochs from here on are milliseconds: as seconds this is the year 5138.
pub(super) const MILLISECONDS_FROM: f64 = 1e11;

/// A 2xx answer.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub body: &'a [u8],
    pub content_type: Option<&'a str>,
    /// The answer's own time, or ours where it bears none.
    pub date: Timestamp,
}

/// Why no token can be read. Holds names of fields, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Empty,
    Html,
    NoText,
    NotOneLine,
    NoToken(String),
    SeveralTokens(String),
    NothingAtPointer { pointer: String, seen: String },
    BadToken(NotAToken),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the answer is empty"),
            Self::Html => f.write_str("the answer is a web page"),
            Self::NoText => f.write_str("the answer is no text"),
            Self::NotOneLine => f.write_str("the answer is neither JSON nor one line with a token"),
            Self::NoToken(seen) => {
                write!(f, "the answer has no field that is known to hold a token (fields seen: {seen})")
            }
            Self::SeveralTokens(fields) => {
                write!(f, "the answer has different values that may be the token (fields: {fields})")
            }
            Self::NothingAtPointer { pointer, seen } => {
                write!(f, "the answer has no token at token_pointer {pointer:?} (fields seen: {seen})")
            }
            Self::BadToken(why) => write!(f, "the answer holds no token: {why}"),
        }
    }
}

/// Reads token and expiry.
pub(super) fn read(seen: &Seen<'_>, reading: &Reading) -> Result<Issued, Unreadable> {
    let text = std::str::from_utf8(seen.body).map_err(|_| Unreadable::NoText)?.trim_start_matches('\u{feff}').trim();
    let kind = seen.content_type.unwrap_or_default().to_ascii_lowercase();
    if text.is_empty() {
        return Err(Unreadable::Empty);
    }
    if kind.starts_with("text/html") || text.starts_with('<') {
        return Err(Unreadable::Html);
    }
    let json = serde_json::from_str::<Value>(text).ok();
    let token = match &json {
        Some(json @ (Value::Object(_) | Value::Array(_))) => token_of(json, reading.token_pointer.as_deref())?,
        Some(Value::String(token)) => Token::parse(token).map_err(Unreadable::BadToken)?,
        // A token may look like a number.
        _ if kind.is_empty() || kind.starts_with("text/plain") => one_line(text)?,
        _ => return Err(Unreadable::NotOneLine),
    };
    let expiry = expiry(&token, json.as_ref(), seen.date, reading);
    Ok(Issued { token, expiry })
}

/// The expiry of a token that was issued elsewhere. Its own claim counts even when it has passed.
pub(super) fn expiry_of(token: &Token, since: Timestamp, assumed: Option<TimeDelta>) -> Option<Expiry> {
    let claim = token.jwt_expiry().filter(|at| *at < since + LONGEST_LIFE);
    let assumed = || assumed.and_then(|life| since.checked_add_signed(life));
    match claim {
        Some(at) => Some(Expiry { at, source: ExpirySource::Jwt }),
        None => assumed().map(|at| Expiry { at, source: ExpirySource::Assumed }),
    }
}

fn token_of(json: &Value, pointer: Option<&str>) -> Result<Token, Unreadable> {
    if let Some(pointer) = pointer {
        let token = json.pointer(pointer).and_then(Value::as_str).and_then(|text| Token::parse(text).ok());
        let nothing = || Unreadable::NothingAtPointer { pointer: pointer.to_owned(), seen: field_names(json) };
        return token.ok_or_else(nothing);
    }
    let mut found: Vec<(String, Token)> = Vec::new();
    for (prefix, object) in levels(json) {
        let fields = TOKEN_FIELDS.iter().filter_map(|field| Some((field, object.get(*field)?.as_str()?)));
        for (field, text) in fields {
            if let Ok(token) = Token::parse(text) {
                found.push((format!("{prefix}{field}"), token));
            }
        }
    }
    match found.split_first() {
        None => Err(Unreadable::NoToken(field_names(json))),
        Some(((_, token), rest)) if rest.iter().all(|(_, other)| other == token) => Ok(token.clone()),
        Some(_) => {
            let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
            Err(Unreadable::SeveralTokens(fields.join(", ")))
        }
    }
}

/// The object itself, then what lies in its envelopes, each with the prefix of its field names.
pub(super) fn levels(json: &Value) -> impl Iterator<Item = (String, &Map<String, Value>)> {
    let inner = ENVELOPES.iter().filter_map(|name| Some((format!("{name}."), json.get(name)?.as_object()?)));
    json.as_object().map(|object| (String::new(), object)).into_iter().chain(inner)
}

/// The names of the fields, which are the far side's and so cleaned: a token might stand as a name.
fn field_names(json: &Value) -> String {
    let names: Vec<_> = levels(json)
        .flat_map(|(prefix, object)| object.keys().map(move |key| format!("{prefix}{key}")))
        .take(30)
        .collect();
    if names.is_empty() { "none".to_owned() } else { Redactor::default().clean(&names.join(", ")) }
}

/// A body that is the token itself: one line of the characters of RFC 6750, so that no error page is taken for one.
fn one_line(text: &str) -> Result<Token, Unreadable> {
    let token = Token::parse(text).map_err(|why| match why {
        NotAToken::BadCharacter(_) => Unreadable::NotOneLine,
        other => Unreadable::BadToken(other),
    })?;
    let is_token_text = token.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    if is_token_text { Ok(token) } else { Err(Unreadable::NotOneLine) }
}

/// When the token dies, by the first rule that gives a date that can be.
fn expiry(token: &Token, json: Option<&Value>, date: Timestamp, reading: &Reading) -> Option<Expiry> {
    let can_be = |at: &Timestamp| *at > date && *at < date + LONGEST_LIFE;
    let field = |names: &[&str], read: &dyn Fn(&Value) -> Option<Timestamp>| {
        let objects: Vec<_> = json.into_iter().flat_map(levels).map(|(_, object)| object).collect();
        objects
            .iter()
            .flat_map(|object| names.iter().filter_map(|name| object.get(*name)))
            .filter_map(read)
            .find(can_be)
    };
    let pointed = || {
        let value = json?.pointer(reading.expiry_pointer.as_deref()?)?;
        moment(value).filter(can_be).or_else(|| after(date, value).filter(can_be))
    };
    let jwt = || token.jwt_expiry().filter(can_be);
    let assumed = || date.checked_add_signed(reading.assumed_lifetime?);
    let found = |source| move |at| Expiry { at, source };
    pointed()
        .map(found(ExpirySource::Pointer))
        .or_else(|| jwt().map(found(ExpirySource::Jwt)))
        .or_else(|| field(&DATE_FIELDS, &moment).map(found(ExpirySource::Field)))
        .or_else(|| field(&TTL_FIELDS, &|value| after(date, value)).map(found(ExpirySource::Ttl)))
        .or_else(|| assumed().map(found(ExpirySource::Assumed)))
}

/// A moment as RFC 3339 (without a zone: UTC), or as an epoch in seconds or milliseconds.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    if let Some(epoch) = number(value) {
        let seconds = if epoch >= MILLISECONDS_FROM { epoch / 1000.0 } else { epoch };
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked by from_timestamp")]
        return DateTime::from_timestamp(seconds as i64, 0);
    }
    let text = value.as_str()?.trim();
    let zoned = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    zoned.ok().or_else(|| Some(NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?.and_utc()))
}

/// So many seconds after `date`.
pub(super) fn after(date: Timestamp, value: &Value) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked by try_seconds")]
    date.checked_add_signed(TimeDelta::try_seconds(number(value)? as i64)?)
}

/// A number, or a text that is one.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;

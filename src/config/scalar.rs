//! Parses single values into types that cannot be wrong. An error says what is wrong and what to write instead.
//!
//! Nothing here echoes a value that may be a secret: paths of secret files and URLs are spoken of, not repeated.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::TimeDelta;
use croner::parser::{CronParser, Seconds, Year};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as WordError;
use url::{Host, Url};
use uuid::Uuid;

use super::raw::Scalar;
use crate::domain::Timestamp;
use crate::domain::cron::Cron;
use crate::domain::policy::Before;
use crate::secret_file::SecretFile;
use crate::words::span;

const WITH_LOGIN: &str =
    "holds an `@`, and so a user name or password: a URL here carries none. Treat what was written as leaked";

/// The longest time that means anything here, in days.
const LONGEST: i64 = 3660;

type Parsed<T> = Result<T, String>;

/// A string that is not empty.
pub(super) fn text(value: Scalar<'_>) -> Parsed<&str> {
    match value {
        Scalar::Text(text) | Scalar::Variable(text) if text.trim().is_empty() => Err("is empty".into()),
        Scalar::Text(text) | Scalar::Variable(text) => Ok(text),
        Scalar::Integer(_) | Scalar::Number => Err("expected a string, found a number: put it in quotes".into()),
        Scalar::Boolean(_) => Err("expected a string, found true or false".into()),
    }
}

/// A string of `allowed` characters, at most `longest` of them.
pub(super) fn id(longest: usize, also: &'static str) -> impl Fn(Scalar<'_>) -> Parsed<String> {
    move |value| {
        let text = text(value)?;
        let fits = text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c));
        match fits && text.len() <= longest {
            true => Ok(text.to_owned()),
            false => Err(format!("expected at most {longest} letters, digits and any of `{also}`")),
        }
    }
}

/// `true` or `false`.
pub(super) fn truth(value: Scalar<'_>) -> Parsed<bool> {
    match value {
        Scalar::Boolean(truth) => Ok(truth),
        Scalar::Variable("true") => Ok(true),
        Scalar::Variable("false") => Ok(false),
        _ => Err("expected true or false, without quotes".into()),
    }
}

/// One of the words that `T` knows.
pub(super) fn word<T: for<'de> Deserialize<'de>>(value: Scalar<'_>) -> Parsed<T> {
    let deserializer = IntoDeserializer::<WordError>::into_deserializer(text(value)?);
    T::deserialize(deserializer).map_err(|error| error.to_string())
}

/// A time such as `30d` or `1h 30m`. Bare numbers have no unit and are refused.
pub(super) fn duration(value: Scalar<'_>) -> Parsed<TimeDelta> {
    let text = match value {
        Scalar::Integer(number) => return Err(no_unit(&number.to_string())),
        Scalar::Number => return Err(no_unit("30")),
        other => text(other)?.trim(),
    };
    if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(no_unit(text));
    }
    let parsed = humantime::parse_duration(text)
        .map_err(|error| format!("is no time ({error}): write for example \"30d\", \"4h\" or \"1h 30m\""))?;
    match TimeDelta::from_std(parsed) {
        Ok(time) if time <= TimeDelta::days(LONGEST) => Ok(time),
        _ => Err(format!("is longer than {LONGEST} days")),
    }
}

fn no_unit(number: &str) -> String {
    format!("a number without a unit: write for example \"{number}s\", \"{number}h\" or \"{number}d\", in quotes")
}

/// A time within bounds.
pub(super) fn duration_in(from: TimeDelta, to: TimeDelta) -> impl Fn(Scalar<'_>) -> Parsed<TimeDelta> {
    move |value| match duration(value)? {
        time if time < from => Err(format!("is shorter than {}", span(from))),
        time if time > to => Err(format!("is longer than {}", span(to))),
        time => Ok(time),
    }
}

/// A time, or a share of life such as `33%`.
pub(super) fn before(value: Scalar<'_>) -> Parsed<Before> {
    if let Scalar::Text(text) | Scalar::Variable(text) = value
        && let Some(percent) = text.trim().strip_suffix('%')
    {
        return match percent.trim_end().parse() {
            Ok(percent @ 1..=90) => Ok(Before::Share(percent)),
            _ => Err("a share of life is a whole number from 1% to 90%".into()),
        };
    }
    match duration(value)? {
        time if time <= TimeDelta::zero() => Err("must be longer than nothing".into()),
        time => Ok(Before::Time(time)),
    }
}

/// A cron expression of six fields that has an occurrence.
pub(super) fn cron(value: Scalar<'_>) -> Parsed<Cron> {
    const FIELDS: &str = "six fields: second minute hour day-of-month month day-of-week, as in \"0 0 2 * * Sat\"";
    let text = text(value)?.trim();
    match text.split_whitespace().count() {
        6 => {}
        5 => return Err(format!("a cron expression here has {FIELDS}; this one has five: put the second in front")),
        n => return Err(format!("a cron expression here has {FIELDS}; this one has {n}")),
    }
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).build();
    let cron = parser.parse(text).map_err(|error| format!("is no cron expression ({error}): it has {FIELDS}"))?;
    match cron.find_next_occurrence(&crate::domain::window::anchor(), true) {
        Ok(_) => Ok(cron.into()),
        Err(_) => Err("this cron expression never occurs".into()),
    }
}

/// An IANA time zone.
pub(super) fn zone(value: Scalar<'_>) -> Parsed<chrono_tz::Tz> {
    let text = text(value)?;
    chrono_tz::Tz::from_str(text)
        .map_err(|_| format!("`{text}` is no IANA time zone: write for example \"Europe/Berlin\" or \"UTC\""))
}

/// A moment.
pub(super) fn moment(value: Scalar<'_>) -> Parsed<Timestamp> {
    let text = text(value)?;
    text.parse().map_err(|_| "is no moment in RFC 3339: write for example \"2027-01-04T08:00:00Z\"".into())
}

/// A whole number from `from` to `to`.
pub(super) fn number(from: u32, to: u32) -> impl Fn(Scalar<'_>) -> Parsed<u32> {
    move |value| {
        match value {
            Scalar::Integer(number) => u32::try_from(number).ok(),
            Scalar::Variable(text) => text.parse().ok(),
            _ => None,
        }
        .filter(|number| (from..=to).contains(number))
        .ok_or_else(|| format!("expected a whole number from {from} to {to}, without quotes"))
    }
}

/// A UUID.
pub(super) fn uuid(value: Scalar<'_>) -> Parsed<Uuid> {
    Uuid::try_parse(text(value)?.trim())
        .map_err(|_| "is no UUID: it looks like \"8f14e45f-ceea-467f-9c3b-1d2f3a4b5c6d\"".into())
}

/// An address of this machine.
pub(super) fn loopback(value: Scalar<'_>) -> Parsed<IpAddr> {
    match text(value)?.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => Ok(address),
        _ => Err("expected a loopback address such as \"127.0.0.1\"".into()),
    }
}

/// An address and a port of this machine.
pub(super) fn loopback_port(value: Scalar<'_>) -> Parsed<SocketAddr> {
    match text(value)?.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        _ => Err("expected a loopback address with its port, such as \"127.0.0.1:8080\"".into()),
    }
}

/// An https URL without user, query and fragment. In a sandbox an address must be loopback, elsewhere it must not be.
pub(super) fn https(sandboxed: bool) -> impl Fn(Scalar<'_>) -> Parsed<Url> {
    move |value| match https_with_query(sandboxed)(value)? {
        url if url.query().is_some() => Err("holds a query (`?`): leave it away".into()),
        url => Ok(url),
    }
}

/// As [`https`], and it may hold a query.
pub(super) fn https_with_query(sandboxed: bool) -> impl Fn(Scalar<'_>) -> Parsed<Url> {
    move |value| {
        let text = text(value)?.trim();
        // Also where a password keeps it from being a URL, or hides in what is then taken for a path.
        if text.contains('@') {
            return Err(WITH_LOGIN.into());
        }
        let url = Url::parse(text)
            .map_err(|error| format!("is no URL ({error}): write for example \"https://host/path\""))?;
        if url.scheme() != "https" {
            return Err(format!("`{}` would carry a secret in the clear: only https is spoken", url.scheme()));
        }
        if url.fragment().is_some() {
            return Err("holds a fragment (`#`): leave it away".into());
        }
        match is_loopback(&url) {
            Some(false) if sandboxed => Err("an address in a sandbox must be a loopback address".into()),
            Some(true) if !sandboxed => {
                Err("points to this machine, which only a [sandbox] may do: name the real service".into())
            }
            _ => Ok(url),
        }
    }
}

/// Whether the URL points to this machine; none for a name that says nothing about it.
pub(super) fn is_loopback(url: &Url) -> Option<bool> {
    match url.host()? {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            (name == "localhost" || name.ends_with(".localhost")).then_some(true)
        }
        Host::Ipv4(address) => Some(address.is_loopback() || address.is_unspecified()),
        Host::Ipv6(address) => {
            let v4 = address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback() || v4.is_unspecified());
            Some(v4 || address.is_loopback() || address.is_unspecified())
        }
    }
}

/// Without the slash at the end, so that a path can be put behind it.
pub(super) fn bare(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    url
}

/// As [`https`], and with nothing behind the host.
pub(super) fn origin(sandboxed: bool) -> impl Fn(Scalar<'_>) -> Parsed<Url> {
    move |value| match https(sandboxed)(value)? {
        url if url.path() == "/" => Ok(url),
        _ => Err("has a path: write scheme and host only, as in \"https://host\"".into()),
    }
}

/// A path; a relative one counts from `folder`, that of the configuration file.
pub(super) fn path(folder: &Path) -> impl Fn(Scalar<'_>) -> Parsed<PathBuf> {
    move |value| Ok(folder.join(text(value)?))
}

/// The path of a file that holds a secret. What does not begin as a path is refused, since it may be the secret itself
/// (base64 has slashes too); a relative one may do without its `./` where its first folder is there.
pub(super) fn secret_file(folder: &Path) -> impl Fn(Scalar<'_>) -> Parsed<SecretFile> {
    move |value| match text(value)? {
        text if text.starts_with("~/") => {
            Err("begins with `~`, which only a shell knows: write the path from its `/` on".into())
        }
        text if is_path(folder, text) && !text.contains(['\n', '\r']) => Ok(SecretFile::new(folder.join(text))),
        _ => {
            Err("expected the path of a file that holds the secret, which begins with `/` or `./` (\"./name\" for one \
                  beside this file); the secret itself never stands here"
                .into())
        }
    }
}

fn is_path(folder: &Path, text: &str) -> bool {
    ["/", "./", "../"].iter().any(|start| text.starts_with(start))
        || text.split_once('/').is_some_and(|(first, _)| folder.join(first).is_dir())
}

/// A JSON pointer (RFC 6901) to one value inside an answer.
pub(super) fn pointer(value: Scalar<'_>) -> Parsed<String> {
    let text = text(value)?;
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    match text.starts_with('/') && escapes {
        true => Ok(text.to_owned()),
        false => Err("is no JSON pointer: write for example \"/data/token\" (`~1` for a slash in a name)".into()),
    }
}

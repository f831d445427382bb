//! An answer, read to its end within bounds, and what its headers say of time.

use std::time::Duration;

use chrono::DateTime;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::domain::Timestamp;

/// The longest body that is read, in bytes.
pub const MAX_BODY: usize = 256 * 1024;
/// The longest one of those few answers that are long by nature, in bytes.
pub const LONG_BODY: usize = 8 * 1024 * 1024;
/// No service is waited for longer than this, whatever it asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// A wait beyond this is a mistake of the far side (a date in the wrong unit), and is not believed at all.
const ABSURD_WAIT: i64 = 7 * 24 * 3600;

/// A whole answer. `Debug` shows neither headers nor body.
pub struct Answer {
    /// Method and URL, for messages.
    pub target: String,
    /// The status.
    pub status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({} {}, {} bytes)", self.target, self.status, self.body.len())
    }
}

/// Reads the body, up to `most` bytes. That of a refusal only adds words, so it may be cut or lost; that of a success must
/// be whole.
pub(super) async fn read(target: String, mut response: Response, most: usize) -> Result<Answer, Failure> {
    let status = response.status().as_u16();
    let whole = response.status().is_success();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => break,
            Ok(Some(chunk)) if body.len() + chunk.len() <= most => body.extend_from_slice(&chunk),
            Ok(Some(_)) if whole => return Err(Failure::too_long(&target, status, most)),
            Err(error) if whole => return Err(Failure::broken(&target, status, &error)),
            Ok(Some(_)) | Err(_) => break,
        }
    }
    Ok(Answer { target, status, headers: response.headers().clone(), body })
}

impl Answer {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body. May hold a secret: never shown, never logged.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON; none when it is none.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A header, when it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// Whether this is a page for people, as a proxy or a portal shows it: no API's answer.
    pub fn is_web_page(&self) -> bool {
        self.header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
    }

    /// The far side's clock.
    pub fn date(&self) -> Option<Timestamp> {
        http_date(self.header(DATE.as_str())?)
    }

    /// What `Retry-After` asks for: seconds, or a date counted from the answer's own. At most a day.
    pub fn retry_after(&self) -> Option<Duration> {
        wait(self.header(RETRY_AFTER.as_str())?, self.date())
    }

    /// What `X-RateLimit-Reset` asks for: seconds, or an epoch counted from the answer's own date. At most a day.
    pub fn rate_limit_reset(&self) -> Option<Duration> {
        let seconds: i64 = self.header("x-ratelimit-reset")?.parse().ok()?;
        match seconds {
            ..=ABSURD_WAIT => bounded(seconds),
            epoch => bounded(epoch - self.date()?.timestamp()),
        }
    }
}

pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

pub(super) fn wait(text: &str, now: Option<Timestamp>) -> Option<Duration> {
    match text.parse::<i64>() {
        Ok(seconds) => bounded(seconds),
        Err(_) => bounded((http_date(text)? - now?).num_seconds()),
    }
}

fn bounded(seconds: i64) -> Option<Duration> {
    let seconds = u64::try_from(seconds).ok().filter(|_| seconds <= ABSURD_WAIT)?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Tue, 15 Nov 2026 08:00:00 GMT";

    #[test]
    fn retry_after_is_read_in_both_forms_and_bounded() {
        let now = http_date("Sun, 15 Nov 2026 08:00:00 GMT");
        let table = [
            ("120", Some(120)),
            ("0", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
            ("100000", Some(24 * 3600)),
            ("1800000000", None),
            ("99999999999999999999", None),
            ("Sun, 15 Nov 2026 08:02:00 GMT", Some(120)),
            ("Sun, 15 Nov 2026 07:00:00 GMT", None),
        ];
        for (text, seconds) in table {
            assert_eq!(wait(text, now).map(|wait| wait.as_secs()), seconds, "{text}");
        }
        assert_eq!(wait("Sun, 15 Nov 2026 08:02:00 GMT", None), None);
    }

    #[test]
    fn a_date_whose_weekday_is_wrong_is_no_date() {
        assert_eq!(http_date(NOW), None);
    }

    #[test]
    fn debug_shows_no_body() {
        let answer =
            Answer { target: "GET https://a/".into(), status: 200, headers: HeaderMap::new(), body: b"canary".into() };
        assert_eq!(format!("{answer:?}"), "Answer(GET https://a/ 200, 6 bytes)");
    }
}

//! The shapes that HPE's answer to an issue may have: documented nowhere, so each one is a setting.

use chrono::SecondsFormat;
use serde_json::json;

use super::Timestamp;
use super::hpe::Minted;

/// What the answer to a create or a rotate looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerShape {
    /// `{"token": …}`, opaque, and nothing about its life.
    Flat,
    /// `{"data": {"scimToken": …, "expiration": …}}`.
    Nested,
    /// `{"token": …, "expires_at": RFC 3339}`.
    ExpiresAt,
    /// `{"proxyToken": …, "exp": milliseconds since 1970}`.
    EpochMillis,
    /// `{"access_token": …, "expires_in": seconds}`.
    ExpiresIn,
    /// `{"token": …}` where the token is a JWT with `exp`.
    Jwt,
    /// The opaque token as one line of `text/plain`, after `Bearer `.
    PlainText,
    /// The token as a JSON string.
    JsonString,
    /// 200 with a web page: made, and not told.
    HtmlPage,
    /// 200 with nothing in it: made, and not told.
    Empty,
    /// Two different strings that could both be the token.
    TwoCandidates,
    /// 201 with JSON that names no token.
    NoCandidate,
}

/// An HTTP answer, as far as it matters.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The content type; none when there is no body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: String,
}

/// Who says when the token dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryTold {
    /// Nobody.
    Nowhere,
    /// A date field.
    Field,
    /// A time to live.
    Ttl,
    /// The token's own claim.
    Claim,
}

impl AnswerShape {
    /// Whether a careful reader finds the token in this answer.
    pub fn tells_token(self) -> bool {
        !matches!(self, Self::HtmlPage | Self::Empty | Self::TwoCandidates | Self::NoCandidate)
    }

    /// Where a careful reader finds the expiry.
    pub fn tells_expiry(self) -> ExpiryTold {
        match self {
            Self::Nested | Self::ExpiresAt | Self::EpochMillis => ExpiryTold::Field,
            Self::ExpiresIn => ExpiryTold::Ttl,
            Self::Jwt => ExpiryTold::Claim,
            _ => ExpiryTold::Nowhere,
        }
    }

    /// The answer that carries `minted`, sent at `now`.
    pub fn render(self, minted: &Minted, now: Timestamp) -> Answer {
        let token = minted.value.as_str();
        let date = minted.expires.to_rfc3339_opts(SecondsFormat::Secs, true);
        let json = |status, value: serde_json::Value| Answer {
            status,
            content_type: Some("application/json"),
            body: value.to_string(),
        };
        let text =
            |content_type, body: &str| Answer { status: 200, content_type: Some(content_type), body: body.to_owned() };
        match self {
            Self::Flat | Self::Jwt => json(200, json!({ "token": token })),
            Self::Nested => json(201, json!({ "data": { "scimToken": token, "expiration": date } })),
            Self::ExpiresAt => json(200, json!({ "token": token, "expires_at": date })),
            Self::EpochMillis => json(200, json!({ "proxyToken": token, "exp": minted.expires.timestamp_millis() })),
            Self::ExpiresIn => {
                json(200, json!({ "access_token": token, "expires_in": (minted.expires - now).num_seconds() }))
            }
            Self::PlainText => text("text/plain; charset=utf-8", &format!("Bearer {token}\n")),
            Self::JsonString => json(200, json!(token)),
            Self::HtmlPage => text("text/html", "<html><body>Welcome to the portal</body></html>"),
            Self::Empty => Answer { status: 200, content_type: None, body: String::new() },
            Self::TwoCandidates => json(200, json!({ "token": token, "secret": format!("{token}-other") })),
            Self::NoCandidate => json(201, json!({ "status": "created", "id": minted.number })),
        }
    }
}

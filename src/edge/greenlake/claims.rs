//! What a bearer says of itself, and whether a text is one. Pure. Nothing is verified: it is only planned with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::domain::Timestamp;

/// The claims that count here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Claims {
    /// The end of its life, in seconds since 1970.
    pub exp: Option<f64>,
    /// When it was made.
    pub iat: Option<f64>,
    /// Whom it speaks for.
    #[serde(rename = "tenantId")]
    pub tenant: Option<String>,
}

impl Claims {
    /// Of a JWT; none of anything else.
    pub fn of(token: &str) -> Option<Self> {
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// The end of its life.
    pub fn ends(&self) -> Option<Timestamp> {
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked by from_timestamp")]
        let seconds = self.exp? as i64;
        Timestamp::from_timestamp(seconds, 0)
    }
}

/// The bearer in a text that a person or a program has written: one line, perhaps behind `Bearer`, or a whole header.
pub(super) fn bearer_in(text: &str) -> Result<&str, &'static str> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let text = after(text, "authorization:").unwrap_or(text);
    let token = after(text, "bearer ").unwrap_or(text);
    if token.is_empty() {
        return Err("there is nothing in it");
    }
    if token.lines().count() > 1 {
        return Err("there is more than one line in it");
    }
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("there are blanks, or characters that no bearer has, in it");
    }
    Ok(token)
}

/// What comes behind `prefix`, in whatever case that is written.
fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| text[prefix.len()..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_found_as_people_paste_it() {
        for text in [
            "abc.d-e_f",
            " abc.d-e_f\r\n",
            "Bearer abc.d-e_f",
            "bearer  abc.d-e_f\n",
            "Authorization: Bearer abc.d-e_f",
            "\u{feff}abc.d-e_f",
        ] {
            assert_eq!(bearer_in(text), Ok("abc.d-e_f"), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_bearer_is_told() {
        for (text, word) in [
            ("", "nothing"),
            (" \n", "nothing"),
            ("Bearer ", "blank"),
            ("a\nb", "more than one"),
            ("a b", "blanks"),
            ("ä", "characters"),
        ] {
            let told = bearer_in(text);
            assert!(told.is_err_and(|why| why.contains(word)) || text == "Bearer ", "{text:?}");
        }
    }
}

//! The SCIM token: a secret that can be told apart from others without being shown.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Timestamp;

/// A token as the issuer made it. Never empty, one line, of the characters that an `Authorization` header can carry.
#[derive(Clone)]
pub struct Token(SecretString);

/// Why a text is no token. Says nothing of the text but its length and the offending position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAToken {
    /// Shorter than [`Token::MIN_LEN`] characters.
    #[error("it has {0} characters, a token has at least {min}", min = Token::MIN_LEN)]
    TooShort(usize),
    /// Longer than [`Token::MAX_LEN`] characters (what a vault takes).
    #[error("it has {0} characters, a token has at most {max}", max = Token::MAX_LEN)]
    TooLong(usize),
    /// A character that no `Authorization` header can carry.
    #[error("the character at position {0} cannot stand in an Authorization header")]
    BadCharacter(usize),
}

impl Token {
    /// The shortest text taken for a token, in characters.
    pub const MIN_LEN: usize = 8;
    /// The longest text taken for a token, in characters: Key Vault takes 25 KB.
    pub const MAX_LEN: usize = 25_000;

    /// Reads a token, without a leading `Bearer ` and surrounding white space.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        let text = text.trim();
        let text = match text.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("bearer ") => text[7..].trim_start(),
            _ => text,
        };
        if let Some(position) = text.bytes().position(|b| !b.is_ascii_graphic()) {
            return Err(NotAToken::BadCharacter(position));
        }
        match text.len() {
            n if n < Self::MIN_LEN => Err(NotAToken::TooShort(n)),
            n if n > Self::MAX_LEN => Err(NotAToken::TooLong(n)),
            _ => Ok(Self(SecretString::from(text))),
        }
    }

    /// The token itself: only for the request that carries it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// A short name for this token that gives nothing of it away.
    pub fn fingerprint(&self) -> Fingerprint {
        let digest = Sha256::digest(self.expose().as_bytes());
        Fingerprint(digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The `exp` claim, when the token is a JWT. The signature is not looked at: the claim only plans the next rotation.
    pub fn jwt_expiry(&self) -> Option<Timestamp> {
        #[derive(Deserialize)]
        struct Claims {
            exp: f64,
        }
        let mut parts = self.expose().split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let claims: Claims = serde_json::from_slice(&payload).ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked by DateTime::from_timestamp")]
        DateTime::from_timestamp(claims.exp as i64, 0)
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.fingerprint())
    }
}

/// The first 32 bits of a token's SHA-256 in hex: enough to tell tokens apart, useless for anything else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// A number drawn once per token, the same at every look: jitter is taken from it.
    pub fn seed(&self) -> u32 {
        u32::from_str_radix(&self.0, 16).unwrap_or(0)
    }
}

impl From<&str> for Fingerprint {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a token dies, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// The end of its life.
    pub at: Timestamp,
    /// Which rule gave the date.
    pub source: ExpirySource,
}

/// Where an expiry date comes from, in the order in which the sources are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpirySource {
    /// The JSON pointer named in the configuration.
    Pointer,
    /// The token's own `exp` claim.
    Jwt,
    /// A date field of the issuer's answer.
    Field,
    /// A time to live in the issuer's answer, counted from the answer's own date.
    Ttl,
    /// The `exp` attribute of the vault's version.
    Vault,
    /// `assumed_lifetime` of the configuration: a guess, shown as one at every status.
    Assumed,
}

impl fmt::Display for ExpirySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pointer => "pointer",
            Self::Jwt => "jwt",
            Self::Field => "field",
            Self::Ttl => "ttl",
            Self::Vault => "vault",
            Self::Assumed => "assumed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_prefix_and_a_newline_are_not_part_of_the_token() {
        assert_eq!(Token::parse("Bearer abcdefgh1\n").unwrap().expose(), "abcdefgh1");
    }

    #[test]
    fn what_no_header_can_carry_is_no_token() {
        assert_eq!(Token::parse("<html> <p>").unwrap_err(), NotAToken::BadCharacter(6));
        assert_eq!(Token::parse("").unwrap_err(), NotAToken::TooShort(0));
    }

    #[test]
    fn debug_shows_a_fingerprint_and_nothing_else() {
        let shown = format!("{:?}", Token::parse("very-secret-value").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
        assert_eq!(shown.len(), "Token(12345678)".len());
    }

    #[test]
    fn the_expiry_of_a_jwt_is_read_and_that_of_an_opaque_token_is_unknown() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"exp":1800000000}"#);
        let jwt = Token::parse(&format!("e30.{payload}.c2ln")).unwrap();
        assert_eq!(jwt.jwt_expiry().unwrap().timestamp(), 1_800_000_000);
        assert_eq!(Token::parse("opaque.but.dotted").unwrap().jwt_expiry(), None);
    }

    #[test]
    fn a_token_has_as_many_characters_as_a_vault_takes_and_no_fewer_than_eight() {
        let length = |n: usize| Token::parse(&"x".repeat(n)).map(drop);
        assert_eq!((length(7), length(8)), (Err(NotAToken::TooShort(7)), Ok(())));
        assert_eq!((length(25_000), length(25_001)), (Ok(()), Err(NotAToken::TooLong(25_001))));
    }

    #[test]
    fn two_tokens_are_one_if_their_values_are() {
        let [one, same, other] = ["token-one", "Bearer token-one", "token-two"].map(|text| Token::parse(text).unwrap());
        assert!(one == same && one != other);
    }
}

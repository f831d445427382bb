//! What a first contact asks of the edges beyond the ports of the engine. None of it changes anything, and no answer holds a
//! value.

use async_trait::async_trait;

use crate::domain::Token;
use crate::ports::CallError;

/// What an answer of the issuer looked like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The status.
    pub status: u16,
    /// The content type, cleaned; none where there was no such header.
    pub content_type: Option<String>,
    /// What the body is.
    pub form: Form,
    /// Its fields, top level first, at most thirty.
    pub fields: Vec<Field>,
    /// The places at which a token may stand, as JSON pointers.
    pub token_places: Vec<String>,
    /// The token, if it could be read.
    pub token: Option<TokenSeen>,
    /// What says when it dies, if anything does.
    pub expiry: Option<ExpirySeen>,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nothing at all.
    Empty,
    /// A JSON object or array.
    Json,
    /// A JSON string.
    JsonString,
    /// One line of text.
    Line,
    /// A page for people.
    WebPage,
    /// Anything else.
    Other,
}

/// A field of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where, as a JSON pointer, cleaned: a token might stand as a name.
    pub place: String,
    /// `string`, `number`, `object`, …
    pub kind: &'static str,
}

/// What can be said of a token without giving it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSeen {
    /// Whether it looks like a JWT.
    pub is_jwt: bool,
    /// Its length in characters.
    pub length: usize,
}

/// What says when a token dies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpirySeen {
    /// Where, as a JSON pointer; none for the token's own claim.
    pub place: Option<String>,
    /// In which form.
    pub form: &'static str,
    /// How long the token lives by it, in seconds from the answer's date.
    pub life_seconds: i64,
}

/// The issuer.
pub trait Answered: Send + Sync {
    /// What its last answer looked like, if it has answered at all.
    fn last_shape(&self) -> Option<Shape>;
}

/// What Entra's test of credentials says, to the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The status.
    pub status: u16,
    /// Graph's error code, cleaned.
    pub code: Option<String>,
}

/// The provisioner.
#[async_trait]
pub trait Validation: Send + Sync {
    /// Has Entra test a token, or what it has saved. A use of that token.
    async fn test_told(&self, candidate: Option<&Token>) -> Result<Told, CallError>;
}

//! The issuer that is none: nobody can be asked, people bring the tokens. It only reads what a token says of its life.

use async_trait::async_trait;
use chrono::TimeDelta;

use crate::domain::{Expiry, ExpirySource, Timestamp, Token};
use crate::ports::{CallError, Class, IssueHow, Issued, Issuer, IssuerError};

/// Tokens that people bring.
#[derive(Clone, Copy, Debug, Default)]
pub struct Supplied {
    /// How long a token is taken to live when nothing else says so.
    pub assumed_lifetime: Option<TimeDelta>,
}

#[async_trait]
impl Issuer for Supplied {
    async fn preflight(&self) -> Result<Option<String>, IssuerError> {
        Ok(None)
    }

    async fn issue(&self, _how: IssueHow) -> Result<Issued, IssuerError> {
        let what = "the tokens of this connection are supplied: there is nobody to ask for one";
        Err(IssuerError::NotIssued(CallError::new("The issuer", Class::Human, what)))
    }

    fn expiry_of(&self, token: &Token, since: Timestamp) -> Option<Expiry> {
        let claim = token.jwt_expiry().map(|at| Expiry { at, source: ExpirySource::Jwt });
        let assumed = || Some(Expiry { at: since + self.assumed_lifetime?, source: ExpirySource::Assumed });
        claim.or_else(assumed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_issues_nothing_and_assumes_a_life_only_where_the_token_tells_none() {
        let issuer = Supplied { assumed_lifetime: Some(TimeDelta::days(90)) };
        assert!(matches!(issuer.issue(IssueHow::Create).await, Err(IssuerError::NotIssued(_))));
        let since = Timestamp::UNIX_EPOCH;
        let opaque = Token::parse("opaque-token").unwrap();
        let assumed = Expiry { at: since + TimeDelta::days(90), source: ExpirySource::Assumed };
        assert_eq!(issuer.expiry_of(&opaque, since), Some(assumed));
        let jwt = Token::parse("e30.eyJleHAiOjE4MDAwMDAwMDB9.c2ln").unwrap();
        assert_eq!(issuer.expiry_of(&jwt, since).unwrap().source, ExpirySource::Jwt);
    }
}

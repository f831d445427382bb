//! What Entra's test of credentials says to the letter, for a first contact. Changes nothing.

use async_trait::async_trait;

use super::{Graph, Twice, wire};
use crate::domain::Token;
use crate::first_contact::{Told, Validation};
use crate::ports::CallError;

#[async_trait]
impl Validation for Graph {
    async fn test_told(&self, candidate: Option<&Token>) -> Result<Told, CallError> {
        let body = match candidate {
            Some(token) => wire::candidate(&self.options.tenant_url, token),
            None => serde_json::json!({"useSavedCredentials": true}),
        };
        let secrets: Vec<_> = candidate.map(Token::expose).into_iter().collect();
        match self.job_call("validateCredentials", Some(&body), Twice::Same, &secrets).await {
            Ok(answer) => Ok(Told { status: answer.status, code: None }),
            Err(CallError { status: Some(status), code, .. }) => Ok(Told { status, code }),
            Err(error) => Err(error),
        }
    }
}

//! What an edge needs of a login to Entra, so that vault and Graph need not know how one is made.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use secrecy::{ExposeSecret as _, SecretString};

use super::http::Cause;
use crate::doctor::Bearer;
use crate::domain::claims::Claims;
use crate::ports::CallError;

/// A login that can be had anew. The SDK takes it as a `TokenCredential`.
#[async_trait]
pub trait Login: TokenCredential {
    /// A bearer for `scope`, cached until shortly before it ends.
    async fn bearer(&self, scope: &str) -> Result<SecretString, CallError>;

    /// Drops every cached bearer, and has the secret read and the credential built anew at the next use: a service
    /// answered 401, and the SDK's cache would go on handing out the same dead bearer until it expires.
    fn renew(&self);
}

/// The bearers of a login for one scope, as the doctor looks at them.
pub struct LoginBearer {
    /// Who logs in.
    pub login: Arc<dyn Login>,
    /// For what.
    pub scope: String,
}

#[async_trait]
impl Bearer for LoginBearer {
    async fn claims(&self) -> Result<Option<Claims>, CallError> {
        Ok(Claims::of(self.login.bearer(&self.scope).await?.expose_secret()))
    }
}

/// A failed login on its way through the SDK, which knows only its own error type.
#[derive(Debug, thiserror::Error)]
#[error("the login failed")]
pub struct LoginFailed(#[source] pub CallError);

/// The failed login within an error of the SDK, if that is what went wrong.
pub fn failed_login(error: &azure_core::Error) -> Option<CallError> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(LoginFailed(call)) = error.downcast_ref() {
            return Some(CallError {
                service: call.service,
                what: call.what.clone(),
                advice: call.advice.clone(),
                status: call.status,
                code: call.code.clone(),
                request_id: call.request_id.clone(),
                class: call.class,
                source: call.source.as_ref().map(|cause| Box::new(Cause(cause.to_string())) as _),
            });
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use azure_core::error::ErrorKind;

    use super::*;
    use crate::ports::Class;

    #[test]
    fn a_failed_login_comes_back_out_of_the_sdk_whole() {
        let mut call = CallError::new("Entra login", Class::Human, "refused");
        call.code = Some("AADSTS7000215".to_owned());
        let inner = azure_core::Error::new(ErrorKind::Credential, LoginFailed(call));
        let outer = inner.with_context("wrapped by a pipeline");
        let found = failed_login(&outer).unwrap();
        assert_eq!(
            (found.service, found.code.as_deref(), found.class),
            ("Entra login", Some("AADSTS7000215"), Class::Human)
        );
        assert!(failed_login(&azure_core::Error::with_message(ErrorKind::Io, "reset")).is_none());
    }
}

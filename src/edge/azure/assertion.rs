//! What an application says of itself, signed with the key of its certificate: the assertion in place of a secret.

use std::sync::Arc;

use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use serde_json::json;

use super::certificate::{BadCertificate, CertificateError, CertificateFiles, Identity};
use super::{SERVICE, errors};
use crate::domain::Timestamp;
use crate::edge::http::Cause;
use crate::edge::login::LoginFailed;
use crate::ports::{CallError, Class, Clock};

/// From `nbf` to `exp`: as long as Microsoft advises.
const LIFE: TimeDelta = TimeDelta::minutes(10);
/// So much may the clock of this machine be ahead of Entra's.
const AHEAD: TimeDelta = TimeDelta::minutes(2);
/// So long before its end a certificate is spoken of.
const SOON: TimeDelta = TimeDelta::days(30);

/// Makes a new assertion at each login, from the files as they are then.
pub(super) struct SignedAssertion {
    pub files: CertificateFiles,
    pub client_id: String,
    /// The token endpoint.
    pub audience: String,
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for SignedAssertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedAssertion").field("files", &self.files).finish_non_exhaustive()
    }
}

impl SignedAssertion {
    fn make(&self) -> Result<String, CallError> {
        let identity = Identity::read(&self.files).map_err(unusable)?;
        let now = self.clock.now();
        let file = self.files.certificate.path().display().to_string();
        if now < identity.begins || now >= identity.ends {
            return Err(out_of_time(&file, &identity, now));
        }
        if identity.ends - now < SOON {
            let ends = identity.ends.to_rfc3339();
            let renew = BadCertificate::Expired.message().remedy;
            tracing::warn!(file, subject = identity.subject, ends, "the client certificate ends soon: {renew}");
        }
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": identity.thumbprint });
        let claims = json!({
            "aud": self.audience, "iss": self.client_id, "sub": self.client_id, "jti": uuid::Uuid::new_v4().to_string(),
            "iat": now.timestamp(), "nbf": (now - AHEAD).timestamp(), "exp": (now + LIFE - AHEAD).timestamp(),
        });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let no_signature =
            || CallError::new(SERVICE, Class::Retry { after: None }, "the system gives no random numbers");
        let signature = identity.sign(message.as_bytes()).ok_or_else(no_signature)?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn out_of_time(file: &str, identity: &Identity, now: Timestamp) -> CallError {
    let Identity { subject, begins, ends, .. } = identity;
    let (what, bad) = match now < *begins {
        true => (format!("does not count before {begins}"), BadCertificate::TooEarly),
        false => (format!("has expired on {ends}"), BadCertificate::Expired),
    };
    let what = format!("the certificate of {subject} in {file} {what} (it is {now} here)");
    let mut call = CallError::new(SERVICE, Class::Human, what);
    call.advice = Some(bad.message().remedy.to_owned());
    call
}

fn unusable(error: CertificateError) -> CallError {
    match error {
        CertificateError::File(error) => errors::unreadable(error),
        error => {
            let mut call = CallError::new(SERVICE, Class::Human, error.to_string());
            call.advice = error.advice().map(str::to_owned);
            call.source = std::error::Error::source(&error).map(|cause| Box::new(Cause(cause.to_string())) as _);
            call
        }
    }
}

#[async_trait::async_trait]
impl ClientAssertion for SignedAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.make().map_err(|call| azure_core::Error::new(ErrorKind::Credential, LoginFailed(call)))
    }
}

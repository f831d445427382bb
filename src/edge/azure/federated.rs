//! The token by which Kubernetes vouches for a pod, from the file into which it is projected.

use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use secrecy::ExposeSecret as _;

use super::refused::Refused;
use super::{SERVICE, errors};
use crate::edge::login::LoginFailed;
use crate::ports::{CallError, Class};
use crate::secret_file::SecretFile;

/// Read at every login: Kubernetes writes it anew long before it ends.
#[derive(Debug)]
pub(super) struct FederatedToken(pub SecretFile);

impl FederatedToken {
    fn read(&self) -> Result<String, CallError> {
        let token = self.0.read().map_err(|error| {
            let mut call = errors::unreadable(error);
            call.advice = Some(Refused::NotProjected.message().advice());
            call
        })?;
        let token = token.expose_secret().trim();
        let fits =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b));
        if token.split('.').count() != 3 || !token.split('.').all(fits) {
            let what = format!("the federated token file {} holds no token (JWT)", self.0.path().display());
            let mut call = CallError::new(SERVICE, Class::Human, what);
            call.advice = Some(Refused::NotProjected.message().advice());
            return Err(call);
        }
        Ok(token.to_owned())
    }
}

#[async_trait::async_trait]
impl ClientAssertion for FederatedToken {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.read().map_err(|call| azure_core::Error::new(ErrorKind::Credential, LoginFailed(call)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_token_is_sent_and_none_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let token = FederatedToken(SecretFile::new(path.clone()));
        assert!(token.read().unwrap_err().to_string().contains("does not exist"));
        for (content, fine) in [
            ("a.b.c", true),
            ("a.b.c\n", true),
            ("canary-5ecret", false),
            ("a..c", false),
            ("a.b c.d", false),
            ("\n", false),
        ] {
            std::fs::write(&path, content).unwrap();
            let read = token.read();
            assert_eq!(read.is_ok(), fine, "{content}");
            assert!(!format!("{read:?} {token:?}").contains("canary"));
            assert!(fine || read.unwrap_err().to_string().contains(&path.display().to_string()));
        }
    }
}

//! What the vault's refusals mean, and what to do about them. Pure.

use azure_core::error::ErrorKind;
use azure_core::http::StatusCode;
use azure_core::http::headers::HeaderName;
use serde::Deserialize;

use super::SERVICE;
use crate::domain::{Token, VersionId};
use crate::edge::http::{Cause, Failure, Redactor, retry_after_of};
use crate::edge::login::failed_login;
use crate::ports::{CallError, Class, VaultError};

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action<'a> {
    List,
    Read(&'a VersionId),
    Store,
    Label,
}

/// What came instead of an answer.
#[derive(Debug)]
pub(super) enum Trouble {
    Sdk(azure_core::Error),
    Overdue,
}

/// A 401, or a 403 that may be the bearer's fault: it may predate a grant. What is disabled, refused by a policy or kept
/// out by the firewall stays so with another one.
pub(super) fn may_be_the_bearers(error: &azure_core::Error) -> bool {
    match error.http_status() {
        Some(StatusCode::Unauthorized) => true,
        Some(StatusCode::Forbidden) => {
            let refusal = Refusal::read(error, None);
            !(refusal.is_disabled() || refusal.is_policy() || refusal.is("Firewall"))
        }
        _ => false,
    }
}

/// The vault says that it has no such secret, in so many words. Any other 404 is no proof of that: a vault that is gone
/// is not an empty one.
pub(super) fn is_unknown_secret(error: &azure_core::Error) -> bool {
    error.http_status() == Some(StatusCode::NotFound)
        && Refusal::read(error, None).code.as_deref() == Some("SecretNotFound")
}

/// The store succeeded, and its answer does not say which version it made.
pub(super) fn stored_somewhere(target: &str) -> CallError {
    CallError::new(SERVICE, Class::Ambiguous, format!("{target}: stored, but the answer names no version"))
}

/// Sorts a failed call. `token` is what was to be stored: no answer that echoes it may show it.
pub(super) fn sort(action: Action<'_>, target: &str, trouble: Trouble, token: Option<&Token>) -> VaultError {
    let maybe = match action {
        Action::Store => Class::Ambiguous,
        _ => Class::Retry { after: None },
    };
    let error = match trouble {
        Trouble::Overdue => return VaultError::Call(Failure::overdue(target).into_call(SERVICE, maybe)),
        Trouble::Sdk(error) => error,
    };
    if let Some(call) = failed_login(&error) {
        return VaultError::Call(call);
    }
    if let Some(status) = error.http_status() {
        return answered(action, target, u16::from(status), &Refusal::read(&error, token), maybe);
    }
    VaultError::Call(match Failure::of_sdk(target, &error) {
        Some(failure) => failure.into_call(SERVICE, maybe),
        None => no_vault(action, target, &error),
    })
}

/// Neither an answer nor a failed exchange: the SDK did not like what it saw.
fn no_vault(action: Action<'_>, target: &str, error: &azure_core::Error) -> CallError {
    // Answers to a store or a label are not parsed by the SDK, so there an unreadable text is the challenge.
    let is_challenge = match error.kind() {
        ErrorKind::Other => true,
        ErrorKind::DataConversion => matches!(action, Action::Store | Action::Label),
        _ => false,
    };
    let (class, what, advice) = match is_challenge {
        true => (Class::Human, "what answers does not authenticate as a Key Vault does", Some(NOT_A_VAULT)),
        false => (Class::Retry { after: None }, "the answer cannot be read", None),
    };
    let mut call = CallError::new(SERVICE, class, format!("{target}: {what}"));
    call.advice = advice.map(str::to_owned);
    call.source = Some(Box::new(Cause(Redactor::default().clean(&error.to_string()))));
    call
}

const OTHER_TENANT: &str =
    "the vault belongs to another tenant, or trusts another cloud: check tenant_id and the cloud";
const FIREWALL: &str = "let this machine's address through the vault's firewall, or use its private endpoint";
const NO_ROLE: &str =
    "give this identity the role \"Key Vault Secrets Officer\" on the secret (a new role may take ten minutes)";
const SOFT_DELETED: &str = "somebody has deleted the secret: recover it (az keyvault secret recover --vault-name … --name …), \
                            or choose another name";
const REFUSED: &str = "the vault does not take this version: look at the policies on secrets (validity, content type)";
const NO_SUCH_VAULT: &str = "there is no vault of this name: check the vault's URL, and whether somebody has deleted the vault \
                             (az keyvault list-deleted; az keyvault recover --name …)";
const NOT_A_VAULT: &str = "check the vault's URL: it must be the vault's own name, as in https://NAME.vault.azure.net";

fn answered(action: Action<'_>, target: &str, status: u16, refusal: &Refusal, maybe: Class) -> VaultError {
    if let Action::Read(version) = action
        && status == 403
        && refusal.is_disabled()
    {
        return VaultError::Unusable { version: version.clone(), why: "it is disabled".to_owned() };
    }
    let retry = Class::Retry { after: refusal.retry_after };
    let (class, advice) = match status {
        401 => (Class::Human, Some(OTHER_TENANT)),
        403 if refusal.is("Firewall") => (Class::Human, Some(FIREWALL)),
        403 => (Class::Human, Some(NO_ROLE)),
        404 if refusal.is("VaultNotFound") => (retry, Some(NO_SUCH_VAULT)),
        404 if action == Action::Store => (Class::Human, Some(NOT_A_VAULT)),
        404 => (retry, Some("if this stays, check the vault's URL, and whether somebody has purged the secret")),
        409 if refusal.is_soft_deleted() => (Class::Human, Some(SOFT_DELETED)),
        409 | 429 => (retry, None),
        // Whatever stands before the vault may have passed the request on.
        408 | 500.. => (if maybe == Class::Ambiguous { maybe } else { retry }, None),
        _ => (Class::Human, None),
    };
    let words = refusal.words();
    let mut call = CallError::new(SERVICE, class, format!("{target}: {status}{words}"));
    call.advice = advice.map(str::to_owned);
    call.status = Some(status);
    call.code = refusal.inner.clone().or_else(|| refusal.code.clone());
    call.request_id = refusal.request_id.clone();
    match action {
        Action::Store if status == 400 || (status == 403 && refusal.is_policy()) => {
            call.advice = Some(REFUSED.to_owned());
            VaultError::VersionRefused(call)
        }
        _ => VaultError::Call(call),
    }
}

/// What the vault said, cleaned. The SDK's own reading loses code and message where the JSON holds an escape.
#[derive(Debug, Default)]
struct Refusal {
    code: Option<String>,
    inner: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    retry_after: Option<std::time::Duration>,
}

impl Refusal {
    fn read(error: &azure_core::Error, token: Option<&Token>) -> Self {
        #[derive(Deserialize)]
        struct Body {
            error: Detail,
        }
        #[derive(Deserialize)]
        struct Detail {
            code: Option<String>,
            message: Option<String>,
            #[serde(alias = "innerError")]
            innererror: Option<Inner>,
        }
        #[derive(Deserialize)]
        struct Inner {
            code: Option<String>,
        }
        let ErrorKind::HttpResponse { raw_response: Some(raw), .. } = error.kind() else { return Self::default() };
        let redactor = Redactor::new(token.map(Token::expose));
        let clean = |text: String| redactor.clean(&text);
        let request_id = raw.headers().get_optional_str(&HeaderName::from_static("x-ms-request-id")).map(str::to_owned);
        let seen =
            Self { request_id: request_id.map(clean), retry_after: retry_after_of(raw.headers()), ..Self::default() };
        match serde_json::from_slice::<Body>(raw.body()) {
            Err(_) => seen,
            Ok(Body { error }) => Self {
                code: error.code.map(clean),
                inner: error.innererror.and_then(|inner| inner.code).map(clean),
                message: error.message.map(clean),
                ..seen
            },
        }
    }

    /// Whether one of the codes speaks of `what`.
    fn is(&self, what: &str) -> bool {
        [&self.code, &self.inner].into_iter().flatten().any(|code| code.contains(what))
    }

    fn says(&self, what: &str) -> bool {
        self.message.as_ref().is_some_and(|message| message.to_ascii_lowercase().contains(what))
    }

    fn is_disabled(&self) -> bool {
        self.is("Disabled") || self.says("disabled secret")
    }

    fn is_soft_deleted(&self) -> bool {
        self.is("DeletedButRecoverable") || self.says("deleted but recoverable")
    }

    /// `ForbiddenByPolicy` alone is also said of a missing access policy; Azure Policy's own refusals name it in words.
    fn is_policy(&self) -> bool {
        self.says("denied by policy") || self.says("disallowed by policy") || self.says("azure policy")
    }

    fn words(&self) -> String {
        let code = self.inner.as_ref().or(self.code.as_ref());
        [code, self.message.as_ref()].into_iter().flatten().map(|words| format!(" {words}")).collect()
    }
}

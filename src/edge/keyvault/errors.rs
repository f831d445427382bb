//! A failed call as the engine and an operator want to have it: its fate, and what to do about it. Pure.

use azure_core::error::ErrorKind;
use azure_core::http::StatusCode;

use super::refused::{Refused, Said};
use super::{KeyVaultOptions, SERVICE};
use crate::domain::journal::Tags;
use crate::domain::{Timestamp, Token, VersionId};
use crate::edge::http::{Cause, Failure, Redactor};
use crate::edge::login::failed_login;
use crate::ports::{CallError, Class, VaultError};

/// What Key Vault takes as the tags of a version.
const MOST_TAGS: usize = 15;
/// In characters, names and values alike.
const LONGEST_TAG: usize = 256;

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
/// out by the network stays so with another one.
pub(super) fn may_be_the_bearers(error: &azure_core::Error) -> bool {
    match error.http_status() {
        Some(StatusCode::Unauthorized) => true,
        Some(StatusCode::Forbidden) => {
            let said = Said::read(error, None);
            let refused = Refused::of(Action::Store, 403, &said);
            !said.is_disabled_version() && matches!(refused, Refused::Role | Refused::AccessPolicy | Refused::Forbidden)
        }
        _ => false,
    }
}

/// The vault says that it has no such secret, in so many words. Any other 404 is no proof of that: a vault that is gone
/// is not an empty one.
pub(super) fn is_unknown_secret(error: &azure_core::Error) -> bool {
    error.http_status() == Some(StatusCode::NotFound)
        && Said::read(error, None).code.as_deref() == Some("SecretNotFound")
}

/// The vault says no, in whatever way, and is not in trouble.
pub(super) fn is_refusal(error: &azure_core::Error) -> bool {
    error.http_status().is_some_and(|status| {
        let status = u16::from(status);
        (400..500).contains(&status) && ![408, 429].contains(&status)
    })
}

/// The store succeeded, and its answer does not say which version it made.
pub(super) fn stored_somewhere(target: &str) -> CallError {
    let what = format!("{target}: stored, as it seems, but the answer names no version");
    let mut call = CallError::new(SERVICE, Class::Ambiguous, what);
    call.advice = Some(Refused::WebPage.message().advice());
    call
}

/// The label was answered, and not as a vault does.
pub(super) fn no_label(target: &str) -> VaultError {
    let mut call =
        CallError::new(SERVICE, Class::Retry { after: None }, format!("{target}: the answer cannot be read"));
    call.advice = Some(Refused::WebPage.message().advice());
    VaultError::Call(call)
}

/// There is no such secret, because somebody has deleted it; `until` is when it will be gone for good.
pub(super) fn soft_deleted(options: &KeyVaultOptions, target: &str, until: Option<Timestamp>) -> VaultError {
    let until = until.map(|at| format!(", and will be gone for good on {}", at.date_naive())).unwrap_or_default();
    let what = format!("{target}: the secret has been deleted{until}");
    let mut call = CallError::new(SERVICE, Class::Human, what);
    call.advice = Some(advice(Refused::SoftDeleted, options));
    call.code = Some("SecretNotFound".to_owned());
    VaultError::Call(call)
}

/// Whether the vault can take these tags. It would refuse them too, in fewer words.
pub(super) fn check_tags(options: &KeyVaultOptions, target: &str, tags: &Tags) -> Result<(), CallError> {
    let too_long = |text: &str| text.chars().count() > LONGEST_TAG;
    let long = tags.iter().find(|(name, value)| too_long(name) || too_long(value));
    let what = match (tags.len(), long) {
        (count, _) if count > MOST_TAGS => format!("these are {count} tags, more than {MOST_TAGS}"),
        (_, Some((name, _))) => {
            let name: String = name.chars().take(40).collect();
            format!("the tag {name:?} is longer than {LONGEST_TAG} characters")
        }
        _ => return Ok(()),
    };
    let mut call = CallError::new(SERVICE, Class::Human, format!("{target}: {what}"));
    call.advice = Some(advice(Refused::Tags, options));
    Err(call)
}

/// Sorts a failed call. `token` is what was to be stored: no answer that echoes it may show it.
pub(super) fn sort(
    options: &KeyVaultOptions,
    action: Action<'_>,
    target: &str,
    trouble: Trouble,
    token: Option<&Token>,
) -> VaultError {
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
        return answered(options, action, target, u16::from(status), &Said::read(&error, token), maybe);
    }
    VaultError::Call(match Failure::of_sdk(target, &error) {
        Some(failure) => failure.into_call(SERVICE, maybe),
        None => no_vault(options, action, target, &error),
    })
}

/// Neither an answer nor a failed exchange: the SDK did not like what it saw.
fn no_vault(options: &KeyVaultOptions, action: Action<'_>, target: &str, error: &azure_core::Error) -> CallError {
    // Answers to a store or a label are not parsed by the SDK, so there an unreadable text is the challenge.
    let is_challenge = match error.kind() {
        ErrorKind::Other => true,
        ErrorKind::DataConversion => matches!(action, Action::Store | Action::Label),
        _ => false,
    };
    let (class, what) = match is_challenge {
        true => (Class::Human, "what answers does not authenticate as a Key Vault does"),
        false => (Class::Retry { after: None }, "the answer cannot be read"),
    };
    let mut call = CallError::new(SERVICE, class, format!("{target}: {what}"));
    call.advice = Some(advice(if is_challenge { Refused::NotAVault } else { Refused::WebPage }, options));
    call.source = Some(Box::new(Cause(Redactor::default().clean(&error.to_string()))));
    call
}

fn answered(
    options: &KeyVaultOptions,
    action: Action<'_>,
    target: &str,
    status: u16,
    said: &Said,
    maybe: Class,
) -> VaultError {
    if let Action::Read(version) = action
        && status == 403
        && said.is_disabled_version()
    {
        return VaultError::Unusable { version: version.clone(), why: "it is disabled".to_owned() };
    }
    let refused = Refused::of(action, status, said);
    let class = refused.class(maybe, said.retry_after);
    let mut call = CallError::new(SERVICE, class, format!("{target}: {status}{}", said.words()));
    let identity = said.caller();
    let advised = || advice(refused, options).replace("IDENTITY", identity.as_deref().unwrap_or("IDENTITY"));
    call.advice = refused.has_advice().then(advised);
    call.status = Some(status);
    call.code = said.inner.clone().or_else(|| said.code.clone());
    call.request_id = said.request_id.clone();
    match refused {
        Refused::Version => VaultError::VersionRefused(call),
        _ => VaultError::Call(call),
    }
}

/// What to do about it, with the names of this very vault and secret.
fn advice(refused: Refused, options: &KeyVaultOptions) -> String {
    let host = options.url.host_str().unwrap_or_default();
    let vault = host.split('.').next().unwrap_or_default();
    let advice = refused.message().advice();
    advice.replace("VAULT", vault).replace("HOST", host).replace("SECRET", &options.secret)
}

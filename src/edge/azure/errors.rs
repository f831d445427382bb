//! A failed login as an operator wants to read it: the code, and what to do about it. Pure.

use super::refused::Refused;
use super::transport::Refusal;
use super::{AzureCredential, SERVICE};
use crate::edge::http::{Cause, Failure, Redactor, Sent, Unreached};
use crate::ports::{CallError, Class};
use crate::secret_file::SecretFileError;

/// Of which kind the credential is: what to do about a refusal depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Secret,
    Certificate,
    Federated,
    Machine,
    Arc,
    Cli,
}

impl Who {
    pub fn of(credential: &AzureCredential) -> Self {
        match credential {
            AzureCredential::ManagedIdentity(_) => Self::Machine,
            AzureCredential::Arc { .. } => Self::Arc,
            AzureCredential::WorkloadIdentity { .. } => Self::Federated,
            AzureCredential::ClientSecret { .. } => Self::Secret,
            AzureCredential::ClientCertificate { .. } => Self::Certificate,
            AzureCredential::Cli { .. } => Self::Cli,
        }
    }
}

/// The file cannot be read: worth another try, since it may come.
pub(super) fn unreadable(error: SecretFileError) -> CallError {
    let mut call = CallError::new(SERVICE, Class::Retry { after: None }, error.to_string());
    call.source = std::error::Error::source(&error).map(|cause| Box::new(Cause(cause.to_string())) as _);
    call
}

/// The SDK refuses the options themselves.
pub(super) fn unusable(error: &azure_core::Error) -> CallError {
    let words = error.to_string();
    let mut call = CallError::new(SERVICE, Class::Human, "the credential cannot be used");
    call.advice = Some(Refused::Unusable.message().remedy.to_owned());
    call.source = Some(Box::new(Cause(words)));
    call
}

/// The SDK gave up, and no answer says why.
pub(super) fn unexplained(place: &str, who: Who, error: &azure_core::Error) -> CallError {
    let what = format!("{place}: the answer cannot be read");
    let mut call = CallError::new(SERVICE, Class::Retry { after: None }, what);
    call.advice = Some(Refused::of_nonsense(who).message().advice());
    call.source = Some(Box::new(Cause(Redactor::default().clean(&error.to_string()))));
    call
}

/// The login did not come back in time.
pub(super) fn overdue(place: &str, who: Who) -> CallError {
    let mut call = Failure::overdue(place).into_call(SERVICE, Class::Retry { after: None });
    call.advice = silence(who).or_else(|| Some(Refused::Silent.message().advice()));
    call
}

/// The request was not answered.
pub(super) fn unreached(place: &str, who: Who, error: &azure_core::Error) -> CallError {
    let again = Class::Retry { after: None };
    let unknown = || Failure::refused(place, Unreached::NoConnection, &error.to_string());
    let failure = Failure::of_sdk(place, error).unwrap_or_else(unknown);
    let silent = (failure.sent == Sent::Maybe).then(|| Refused::Silent.message().advice());
    // What was not even asked, or answered at length, was not silent.
    let mut ours = [Unreached::LedElsewhere, Unreached::Outside, Unreached::TooLong].into_iter();
    let silence = if ours.any(|unreached| failure.is(unreached)) { None } else { silence(who) };
    let mut call = failure.into_call(SERVICE, again);
    call.advice = silence.or(call.advice).or(silent);
    call
}

/// The answer refuses.
pub(super) fn refused(place: &str, who: Who, refusal: Refusal) -> CallError {
    let is_local = matches!(who, Who::Machine | Who::Arc);
    let words =
        refusal.words.as_deref().or(refusal.code.as_deref()).map(|words| format!(" {words}")).unwrap_or_default();
    let known = refusal.code.as_deref().and_then(|code| Refused::of(code, who));
    let class = match (refusal.status, known) {
        (_, Some(known)) => known.class(refusal.retry_after),
        (408 | 429 | 500.., None) => Class::Retry { after: refusal.retry_after },
        // A metadata service that starts up, or that is none, answers 404 and 410 for a while.
        (404 | 410, None) if is_local => Class::Retry { after: refusal.retry_after },
        (_, None) => Class::Human,
    };
    let mut call = CallError::new(SERVICE, class, format!("{place}: {}{words}", refusal.status));
    let has_words = refusal.code.is_some() || refusal.words.is_some();
    let told = known.or_else(|| match is_local {
        true => Refused::of_local(refusal.status, who),
        false => Refused::of_status(refusal.status, has_words),
    });
    call.advice = told.map(|told| told.message().advice());
    call.status = Some(refusal.status);
    call.code = refusal.code;
    call.request_id = refusal.trace_id;
    call
}

fn silence(who: Who) -> Option<String> {
    Refused::of_silence(who).map(|refused| refused.message().advice())
}

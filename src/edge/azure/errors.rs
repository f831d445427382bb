//! A failed login as an operator wants to read it: the code, and what to do about it. Pure.

use super::transport::Refusal;
use super::{AzureCredential, AzureOptions, SERVICE};
use crate::edge::http::{Cause, Failure, shown};
use crate::ports::{CallError, Class};
use crate::secret_file::SecretFileError;

/// The file cannot be read: worth another try, since it may come.
pub(super) fn no_secret(error: SecretFileError) -> CallError {
    let mut call = CallError::new(SERVICE, Class::Retry { after: None }, error.to_string());
    call.source = std::error::Error::source(&error).map(|cause| Box::new(Cause(cause.to_string())) as _);
    call
}

/// The SDK refuses the options themselves.
pub(super) fn unusable(error: &azure_core::Error) -> CallError {
    let mut call = CallError::new(SERVICE, Class::Human, "the credential cannot be used");
    call.advice =
        Some("check the tenant and client ids, and that this machine has an identity of a supported kind".into());
    call.source = Some(Box::new(Cause(error.to_string())));
    call
}

/// The login did not come back in time.
pub(super) fn overdue(options: &AzureOptions) -> CallError {
    let mut call = Failure::overdue(&place(options)).into_call(SERVICE, Class::Retry { after: None });
    call.advice = match options.credential {
        AzureCredential::ManagedIdentity { .. } => Some(NO_METADATA.to_owned()),
        AzureCredential::ClientSecret { .. } => None,
    };
    call
}

/// Sorts a failed login by what its transport saw.
pub(super) fn sort(options: &AzureOptions, refusal: Option<Refusal>, error: &azure_core::Error) -> CallError {
    let place = place(options);
    let is_local = matches!(options.credential, AzureCredential::ManagedIdentity { .. });
    let Some(refusal) = refusal else {
        return match Failure::of_sdk(&place, error) {
            Some(failure) => {
                let mut call = failure.into_call(SERVICE, Class::Retry { after: None });
                if is_local {
                    call.advice = Some(NO_METADATA.to_owned());
                }
                call
            }
            None => {
                CallError::new(SERVICE, Class::Retry { after: None }, format!("{place}: the answer cannot be read"))
            }
        };
    };
    let words =
        refusal.words.as_deref().or(refusal.code.as_deref()).map(|words| format!(" {words}")).unwrap_or_default();
    let known = refusal.code.as_deref().and_then(advice);
    let class = match (refusal.status, known) {
        (_, Some((class, _))) => class,
        (408 | 429 | 500.., None) => Class::Retry { after: refusal.retry_after },
        // A metadata service that starts up, or that is none, answers 404 and 410 for a while.
        (404 | 410, None) if is_local => Class::Retry { after: refusal.retry_after },
        (_, None) => Class::Human,
    };
    let mut call = CallError::new(SERVICE, class, format!("{place}: {}{words}", refusal.status));
    call.advice = match known {
        Some((_, advice)) => Some(advice.to_owned()),
        None if is_local && refusal.status == 400 => Some(NO_IDENTITY.to_owned()),
        None if is_local && matches!(refusal.status, 401 | 403) => Some(NOT_THIS_MACHINE.to_owned()),
        None if is_local => Some(NO_METADATA.to_owned()),
        None => None,
    };
    call.status = Some(refusal.status);
    call.code = refusal.code;
    call.request_id = refusal.trace_id;
    call
}

const NO_METADATA: &str =
    "a managed identity exists on Azure machines and containers only; elsewhere use kind = \"client-secret\"";
const EXPIRED: &str = "the client secret has expired: make a new one (App registrations → Certificates & secrets) and put \
                       its value into the secret file";
const NOT_THIS_MACHINE: &str = "the identity endpoint does not know this process: IDENTITY_ENDPOINT and IDENTITY_HEADER must be those \
                                that the platform sets for this very container; pass them on unchanged, and restart it";
const NO_IDENTITY: &str = "assign a managed identity to this machine or container, or correct client_id";

fn place(options: &AzureOptions) -> String {
    match &options.credential {
        AzureCredential::ClientSecret { tenant_id, .. } => {
            format!("POST {}{tenant_id}/oauth2/v2.0/token", shown(&options.authority))
        }
        AzureCredential::ManagedIdentity { .. } => "GET the machine's identity endpoint".to_owned(),
    }
}

fn advice(code: &str) -> Option<(Class, &'static str)> {
    let human = |advice| Some((Class::Human, advice));
    match code {
        "AADSTS7000215" => {
            human("the client secret is wrong: put the secret's value, not its id, into the secret file")
        }
        "AADSTS7000222" => human(EXPIRED),
        "AADSTS700016" => human("no such application in this tenant: check client_id and tenant_id"),
        "AADSTS90002" | "AADSTS900023" | "AADSTS900021" => human("no such tenant: check tenant_id and the cloud"),
        "AADSTS7000112" => human("the application is disabled: enable it under Enterprise applications"),
        "AADSTS500011" | "AADSTS500014" => {
            human("the tenant does not know the service that is asked for: check the cloud and the service's URL")
        }
        "AADSTS53003" | "AADSTS530004" => human("Conditional Access blocks this login: exempt the workload identity"),
        "AADSTS7000218" => human("the login carried no secret: put the secret's value into the secret file"),
        "AADSTS50196" | "AADSTS90033" | "AADSTS90055" | "AADSTS50000" => {
            Some((Class::Retry { after: None }, "Entra asks to try again later"))
        }
        _ => None,
    }
}

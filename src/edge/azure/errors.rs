//! A failed login as an operator wants to read it: the code, and what to do about it. Pure.

use super::transport::Refusal;
use super::{AzureCredential, SERVICE, arc};
use crate::edge::http::{Cause, Failure, Redactor};
use crate::ports::{CallError, Class};
use crate::secret_file::SecretFileError;

/// Of which kind the credential is: what to do about a refusal depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
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

    fn silent(self) -> Option<&'static str> {
        match self {
            Self::Machine => Some(NO_METADATA),
            Self::Arc => Some(arc::SILENT),
            Self::Cli => Some("try the command itself: it may wait for something"),
            Self::Secret | Self::Certificate | Self::Federated => None,
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
    call.advice = Some(match words.contains("Azure Arc") {
        true => "this machine belongs to Azure Arc: use kind = \"azure-arc\"".to_owned(),
        false => {
            "check the tenant and client ids, and that this machine has an identity of a supported kind".to_owned()
        }
    });
    call.source = Some(Box::new(Cause(words)));
    call
}

/// The SDK gave up, and no answer says why.
pub(super) fn unexplained(place: &str, error: &azure_core::Error) -> CallError {
    let what = format!("{place}: the answer cannot be read");
    let mut call = CallError::new(SERVICE, Class::Retry { after: None }, what);
    call.source = Some(Box::new(Cause(Redactor::default().clean(&error.to_string()))));
    call
}

/// The login did not come back in time.
pub(super) fn overdue(place: &str, who: Who) -> CallError {
    let mut call = Failure::overdue(place).into_call(SERVICE, Class::Retry { after: None });
    call.advice = who.silent().map(str::to_owned);
    call
}

/// The request was not answered.
pub(super) fn unreached(place: &str, who: Who, error: &azure_core::Error) -> CallError {
    let again = Class::Retry { after: None };
    let failure = Failure::of_sdk(place, error).unwrap_or_else(|| Failure::refused(place, &error.to_string()));
    let mut call = failure.into_call(SERVICE, again);
    call.advice = who.silent().map(str::to_owned).or(call.advice);
    call
}

/// The answer refuses.
pub(super) fn refused(place: &str, who: Who, refusal: Refusal) -> CallError {
    let is_local = matches!(who, Who::Machine | Who::Arc);
    let words =
        refusal.words.as_deref().or(refusal.code.as_deref()).map(|words| format!(" {words}")).unwrap_or_default();
    let known = refusal.code.as_deref().and_then(|code| advice(code, who));
    let class = match (refusal.status, known) {
        (_, Some((class, _))) => class,
        (408 | 429 | 500.., None) => Class::Retry { after: refusal.retry_after },
        // A metadata service that starts up, or that is none, answers 404 and 410 for a while.
        (404 | 410, None) if is_local => Class::Retry { after: refusal.retry_after },
        (_, None) => Class::Human,
    };
    let mut call = CallError::new(SERVICE, class, format!("{place}: {}{words}", refusal.status));
    call.advice = match (known, who) {
        (Some((_, advice)), _) => Some(advice.to_owned()),
        (None, Who::Machine) => Some(machine(refusal.status).to_owned()),
        (None, Who::Arc) => Some(arc::refusal_advice(refusal.status).to_owned()),
        (None, _) => None,
    };
    call.status = Some(refusal.status);
    call.code = refusal.code;
    call.request_id = refusal.trace_id;
    call
}

fn machine(status: u16) -> &'static str {
    match status {
        400 => NO_IDENTITY,
        401 | 403 => NOT_THIS_MACHINE,
        429 | 500.. => "the platform's identity service is in trouble or busy: it is asked again",
        _ => NO_METADATA,
    }
}

const NO_METADATA: &str = "a managed identity exists on Azure machines and containers only; on a machine of Azure Arc use kind = \
                           \"azure-arc\", elsewhere \"client-certificate\" or \"client-secret\"";
const NOT_THIS_MACHINE: &str = "the identity endpoint does not know this process: IDENTITY_ENDPOINT and IDENTITY_HEADER must be those \
                                that the platform sets for this very container; pass them on unchanged, and restart it";
const NO_IDENTITY: &str =
    "assign a managed identity to this machine or container, or correct client_id (object_id, resource_id)";
/// Arc knows no user-assigned identities.
pub(super) const NO_ARC_IDENTITY: &str =
    "the agent has no identity for this machine: connect it to Azure Arc anew (azcmagent show; azcmagent connect)";

const CERTIFICATES: &str = "the application does not know this certificate: upload it (App registrations → Certificates & secrets → \
                            Certificates), or put the one that is registered into the file";
const FEDERATION: &str = "the identity trusts no such token: its federated credential must name the cluster's issuer, the subject \
                          system:serviceaccount:NAMESPACE:NAME and the audience api://AzureADTokenExchange (with USGov or China behind it \
                          in those clouds), letter by letter";

fn advice(code: &str, who: Who) -> Option<(Class, &'static str)> {
    let human = |advice| Some((Class::Human, advice));
    match code {
        "AADSTS7000215" => {
            human("the client secret is wrong: put the secret's value, not its id, into the secret file")
        }
        "AADSTS7000222" => human(
            "the client secret has expired: make a new one (App registrations → Certificates & secrets) and put its value \
             into the secret file",
        ),
        "AADSTS700016" => human("no such application in this tenant: check client_id and tenant_id"),
        "AADSTS7000229" => {
            human("the application has no service principal in this tenant: az ad sp create --id CLIENT_ID")
        }
        "AADSTS90002" | "AADSTS900023" | "AADSTS900021" => human("no such tenant: check tenant_id and the cloud"),
        "AADSTS900382" | "AADSTS900439" | "AADSTS900432" => {
            human("the tenant is in another cloud: set azure.cloud (public, us-gov, us-dod, china)")
        }
        "AADSTS7000112" => human("the application is disabled: enable it under Enterprise applications"),
        "AADSTS500011" | "AADSTS500014" => {
            human("the tenant does not know the service that is asked for: check the cloud and the service's URL")
        }
        // 53000 to 53011, and those of six digits that tell more.
        code if code.starts_with("AADSTS530") => {
            human("Conditional Access blocks this login: exempt the workload identity, or let it come from here")
        }
        "AADSTS7000218" => human("the login carried no secret: put the secret's value into the secret file"),
        "AADSTS700027" if who == Who::Federated => human(FEDERATION),
        "AADSTS700027" => human(CERTIFICATES),
        "AADSTS1000502" => human("the certificate has expired: renew it, upload the new one, and put it into the file"),
        "AADSTS700024" if who == Who::Federated => {
            human("the token in token_file has expired: Kubernetes no longer writes it; make the pod anew")
        }
        "AADSTS700024" => human("the assertion is not good now: set this machine's clock"),
        "AADSTS70021" | "AADSTS700211" | "AADSTS700212" | "AADSTS700213" | "AADSTS700223" => human(FEDERATION),
        "AADSTS50013" if who == Who::Federated => human(FEDERATION),
        "AADSTS700023" => {
            human("the assertion is made out to another authority: check azure.authority and azure.cloud")
        }
        "AADSTS50196" | "AADSTS90033" | "AADSTS90055" | "AADSTS50000" => {
            Some((Class::Retry { after: None }, "Entra asks to try again later"))
        }
        _ => None,
    }
}

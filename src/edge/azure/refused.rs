//! Every way in which a login is refused, with what to do about it. Pure.

use std::time::Duration;

use super::errors::Who;
use crate::messages::messages;
use crate::ports::Class;

messages! {
    /// Why there is no bearer.
    pub enum Refused {
        /// Somebody else's, or its id.
        WrongSecret {
            shows: "`AADSTS7000215`",
            means: "the client secret is wrong",
            remedy: "put the secret's value, not its id, into the secret file",
        }
        /// Over.
        ExpiredSecret {
            shows: "`AADSTS7000222`",
            means: "the client secret has expired",
            remedy: "make a new one (App registrations → Certificates & secrets) and put its value into the secret file",
        }
        /// No such application.
        NoApplication {
            shows: "`AADSTS700016`",
            means: "no such application in this tenant",
            remedy: "check client_id and tenant_id",
        }
        /// Registered, and not there.
        NoServicePrincipal {
            shows: "`AADSTS7000229`",
            means: "the application has no service principal in this tenant",
            remedy: "az ad sp create --id CLIENT_ID",
        }
        /// No such tenant.
        NoTenant {
            shows: "`AADSTS90002`, `AADSTS900021`, `AADSTS900023`",
            means: "no such tenant",
            remedy: "check tenant_id and the cloud",
        }
        /// Another cloud's.
        OtherCloud {
            shows: "`AADSTS900382`, `AADSTS900432`, `AADSTS900439`",
            means: "the tenant is in another cloud",
            remedy: "set azure.cloud (public, us-gov, us-dod, china)",
        }
        /// Switched off.
        Disabled {
            shows: "`AADSTS7000112`",
            means: "the application is disabled",
            remedy: "enable it under Enterprise applications",
        }
        /// What is asked for.
        NoService {
            shows: "`AADSTS500011`, `AADSTS500014`",
            means: "the tenant does not know the service that is asked for",
            remedy: "check the cloud and the service's URL",
        }
        /// 53000 to 53011, and those of six digits that tell more.
        ConditionalAccess {
            shows: "`AADSTS530…`",
            means: "Conditional Access blocks this login",
            remedy: "exempt the workload identity, or let it come from here",
        }
        /// Empty.
        NoSecret {
            shows: "`AADSTS7000218`",
            means: "the login carried no secret",
            remedy: "put the secret's value into the secret file",
        }
        /// Not registered.
        UnknownCertificate {
            shows: "`AADSTS700027` (of a certificate)",
            means: "the application does not know this certificate",
            remedy: "upload it (App registrations → Certificates & secrets → Certificates), or put the one that is registered \
                     into the file",
        }
        /// Over.
        ExpiredCertificate {
            shows: "`AADSTS1000502`",
            means: "the certificate has expired",
            remedy: "renew it, upload the new one, and put it into the file",
        }
        /// Of a pod.
        ExpiredToken {
            shows: "`AADSTS700024` (of a pod)",
            means: "the token in token_file has expired",
            remedy: "Kubernetes no longer writes it; make the pod anew",
        }
        /// Of a certificate.
        ClockOff {
            shows: "`AADSTS700024` (of a certificate)",
            means: "the assertion is not good now",
            remedy: "set this machine's clock",
        }
        /// A pod that is not trusted.
        Federation {
            shows: "`AADSTS70021`, `AADSTS700211`, `AADSTS700212`, `AADSTS700213`, `AADSTS700223`, `AADSTS7002138`; of a pod also \
                    `AADSTS700027`, `AADSTS50013`",
            means: "the identity trusts no such token",
            remedy: "its federated credential must name the cluster's issuer, the subject \
                     system:serviceaccount:NAMESPACE:NAME and the audience api://AzureADTokenExchange (with USGov or China \
                     behind it in those clouds), letter by letter",
        }
        /// Made out to somebody else.
        OtherAuthority {
            shows: "`AADSTS700023`",
            means: "the assertion is made out to another authority",
            remedy: "check azure.authority and azure.cloud",
        }
        /// Trouble of its own.
        Later {
            shows: "`AADSTS50000`, `AADSTS50196`, `AADSTS90033`, `AADSTS90055`; 408, 429, 500 and above",
            means: "Entra, or something before it, is in trouble or too busy, and asks to try again later",
            remedy: "nothing: it is tried again, as late as `Retry-After` says where it says anything",
        }
        /// Any other code.
        Other {
            shows: "any other refusal",
            means: "Entra refuses the login for a reason of its own",
            remedy: "look the code up at https://login.microsoftonline.com/error; the request's id is what Microsoft's support \
                     asks for",
        }
        /// 3xx.
        Redirect {
            shows: "a redirect",
            means: "something else answers under the login's URL",
            remedy: "check azure.authority and azure.cloud, and the proxy (http.proxy, or HTTPS_PROXY): a login never redirects",
        }
        /// A page for people.
        WebPage {
            shows: "\"the answer cannot be read\", or a refusal without a word of Entra's",
            means: "something between here and Entra has answered in its place",
            remedy: "check azure.authority, and the proxy (http.proxy, or HTTPS_PROXY)",
        }
        /// It hangs.
        Silent {
            shows: "no answer in time, or a broken one",
            means: "the login host does not answer, or something on the way holds the answer back",
            remedy: "scim-rotator doctor walks the way to it; http.timeout is the limit",
        }
        /// A machine's endpoint that is none.
        NoMetadata {
            shows: "a managed identity, and no answer or 404",
            means: "a managed identity exists on Azure machines and containers only",
            remedy: "on a machine of Azure Arc use kind = \"azure-arc\", elsewhere \"client-certificate\" or \
                     \"client-secret\"",
        }
        /// A container's endpoint that does not know us.
        NotThisMachine {
            shows: "a managed identity, 401 or 403",
            means: "the identity endpoint does not know this process",
            remedy: "IDENTITY_ENDPOINT and IDENTITY_HEADER must be those that the platform sets for this very container; pass \
                     them on unchanged, and restart it",
        }
        /// Somebody else answers.
        NotMetadata {
            shows: "a managed identity, a redirect or an answer that cannot be read",
            means: "something else answers in place of the machine's identity endpoint",
            remedy: "see what stands between: nothing may answer for 169.254.169.254 but the platform, and IDENTITY_ENDPOINT must \
                     be as the platform sets it",
        }
        /// None assigned.
        NoIdentity {
            shows: "a managed identity, 400",
            means: "this machine or container has no such identity",
            remedy: "assign a managed identity to this machine or container, or correct client_id (object_id, resource_id)",
        }
        /// The platform's own trouble.
        MachineBusy {
            shows: "a managed identity, 410, 429, 500 and above",
            means: "the platform's identity service is in trouble, busy, or being renewed",
            remedy: "nothing: it is asked again",
        }
        /// Arc's agent has no identity.
        NoArcIdentity {
            shows: "Azure Arc, 400 or 404",
            means: "the agent has no identity for this machine",
            remedy: "connect it to Azure Arc anew (azcmagent show; azcmagent connect)",
        }
        /// Arc's agent and its own key.
        ArcKey {
            shows: "Azure Arc, 401 or 403",
            means: "the agent did not take its own key",
            remedy: "systemctl restart himds, and try again",
        }
        /// Arc's agent is silent.
        ArcSilent {
            shows: "Azure Arc, and no answer",
            means: "the agent of Azure Arc does not answer",
            remedy: "look whether this machine is connected to Azure Arc and its agent runs: azcmagent show; systemctl status \
                     himds",
        }
        /// Arc's key file is not for us.
        ArcGroup {
            shows: "Azure Arc, and a key file that may not be read",
            means: "the service's user is not in the agent's group",
            remedy: "let the service's user into the agent's group: SupplementaryGroups=himds in the unit, or usermod -aG \
                     himds USER, and start it anew",
        }
        /// Arc's key file is not there.
        ArcNoKey {
            shows: "Azure Arc, and a key file that is not there",
            means: "the agent of Azure Arc did not write its key file",
            remedy: "look after the Azure Connected Machine agent: azcmagent show; systemctl status himds",
        }
        /// Somebody else listens.
        NotTheAgent {
            shows: "Azure Arc, and an answer that is odd",
            means: "what listens there is not the Azure Connected Machine agent as it is known",
            remedy: "see what does (azcmagent show; ss -ltnp), and correct endpoint or key_folder only if you know why they \
                     differ",
        }
        /// The CLI is not there.
        NoCli {
            shows: "`az account get-access-token` exited with 127",
            means: "the Azure CLI is not installed, or not on the PATH of this process",
            remedy: "install it, or use another kind of credential",
        }
        /// The CLI has no login.
        NotLoggedIn {
            shows: "`az account get-access-token` that asks for `az login`",
            means: "nobody, or somebody else, has logged in with the Azure CLI",
            remedy: "log in as the user whom this runs as: az login (--tenant …), and look who that is: az account show",
        }
        /// The CLI fails.
        CliFailed {
            shows: "`az account get-access-token` that fails otherwise, or does not end",
            means: "the Azure CLI gave no token",
            remedy: "try the command itself: az account get-access-token --scope https://vault.azure.net/.default",
        }
        /// The CLI is old.
        OldCli {
            shows: "`az account get-access-token` whose answer cannot be read",
            means: "the Azure CLI answers otherwise than it does today",
            remedy: "the Azure CLI must be of version 2.54 or newer: az version; az upgrade",
        }
        /// A pod's token file.
        NotProjected {
            shows: "\"the federated token file … holds no token\", or a file that is missing",
            means: "Kubernetes projects this file into the pod, and it is not what it should be",
            remedy: "label the pod azure.workload.identity/use: \"true\", annotate its service account with \
                     azure.workload.identity/client-id, and make the pod anew; or correct token_file",
        }
        /// Options that the SDK refuses.
        Unusable {
            shows: "\"the credential cannot be used\"",
            means: "the Azure SDK refuses the credential as it is configured",
            remedy: "check the tenant and client ids, and that this machine has an identity of a supported kind; a machine of \
                     Azure Arc needs kind = \"azure-arc\"",
        }
    }
}

impl Refused {
    /// What a code of Entra's stands for.
    pub(super) fn of(code: &str, who: Who) -> Option<Self> {
        Some(match code {
            "AADSTS7000215" => Self::WrongSecret,
            "AADSTS7000222" => Self::ExpiredSecret,
            "AADSTS700016" => Self::NoApplication,
            "AADSTS7000229" => Self::NoServicePrincipal,
            "AADSTS90002" | "AADSTS900023" | "AADSTS900021" => Self::NoTenant,
            "AADSTS900382" | "AADSTS900439" | "AADSTS900432" => Self::OtherCloud,
            "AADSTS7000112" => Self::Disabled,
            "AADSTS500011" | "AADSTS500014" => Self::NoService,
            code if code.starts_with("AADSTS530") => Self::ConditionalAccess,
            "AADSTS7000218" => Self::NoSecret,
            "AADSTS700027" | "AADSTS50013" if who == Who::Federated => Self::Federation,
            "AADSTS700027" => Self::UnknownCertificate,
            "AADSTS1000502" => Self::ExpiredCertificate,
            "AADSTS700024" if who == Who::Federated => Self::ExpiredToken,
            "AADSTS700024" => Self::ClockOff,
            "AADSTS70021" | "AADSTS700211" | "AADSTS700212" | "AADSTS700213" | "AADSTS700223" | "AADSTS7002138" => {
                Self::Federation
            }
            "AADSTS700023" => Self::OtherAuthority,
            "AADSTS50196" | "AADSTS90033" | "AADSTS90055" | "AADSTS50000" => Self::Later,
            _ => return None,
        })
    }

    /// What the status of a machine's own endpoint stands for, where nothing else says more.
    pub(super) fn of_local(status: u16, who: Who) -> Option<Self> {
        match (who, status) {
            (Who::Machine, 400) => Some(Self::NoIdentity),
            (Who::Machine, 401 | 403) => Some(Self::NotThisMachine),
            (Who::Machine, 410 | 429 | 500..) => Some(Self::MachineBusy),
            (Who::Machine, 300..=399) => Some(Self::NotMetadata),
            (Who::Machine, _) => Some(Self::NoMetadata),
            (Who::Arc, 401 | 403) => Some(Self::ArcKey),
            (Who::Arc, 400 | 404) => Some(Self::NoArcIdentity),
            (Who::Arc, 300..=399) => Some(Self::NotTheAgent),
            (Who::Arc, _) => Some(Self::ArcSilent),
            _ => None,
        }
    }

    /// Of a refusal by Entra of which no code is known, where it is for a person; `has_words` of Entra's own form.
    pub(super) fn of_status(status: u16, has_words: bool) -> Option<Self> {
        match status {
            300..=399 => Some(Self::Redirect),
            408 | 429 | 500.. => Some(Self::Later),
            _ if has_words => Some(Self::Other),
            _ => Some(Self::WebPage),
        }
    }

    /// Of an answer that cannot be read.
    pub(super) fn of_nonsense(who: Who) -> Self {
        match who {
            Who::Machine => Self::NotMetadata,
            Who::Arc => Self::NotTheAgent,
            Who::Cli => Self::OldCli,
            Who::Secret | Who::Certificate | Who::Federated => Self::WebPage,
        }
    }

    /// Of what does not answer at all.
    pub(super) fn of_silence(who: Who) -> Option<Self> {
        match who {
            Who::Machine => Some(Self::NoMetadata),
            Who::Arc => Some(Self::ArcSilent),
            Who::Cli => Some(Self::CliFailed),
            Who::Secret | Who::Certificate | Who::Federated => None,
        }
    }

    /// How to go on after a code of Entra's, which may have said how late to come again.
    pub(super) fn class(self, after: Option<Duration>) -> Class {
        if self == Self::Later { Class::Retry { after } } else { Class::Human }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_a_message_names_leads_to_that_message() {
        let mut codes = 0;
        for refused in Refused::ALL {
            let who = match refused {
                Refused::Federation | Refused::ExpiredToken => Who::Federated,
                _ => Who::Certificate,
            };
            for code in refused.message().shows.split(|c: char| !c.is_ascii_alphanumeric()) {
                if code.starts_with("AADSTS") {
                    codes += 1;
                    assert_eq!(Refused::of(code, who), Some(*refused), "{code}");
                }
            }
        }
        assert!(codes > 25, "{codes}");
    }
}

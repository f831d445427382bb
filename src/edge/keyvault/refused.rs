//! Every way in which Key Vault says no, told apart by its codes, each with its own remedy. Pure.
//!
//! The codes are those of Microsoft's answers in public reports; where a reason is only told in words, the words decide.

use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::headers::HeaderName;
use serde::Deserialize;
use uuid::Uuid;

use super::errors::Action;
use crate::domain::Token;
use crate::edge::http::{Redactor, retry_after_of};
use crate::messages::messages;
use crate::ports::Class;

messages! {
    /// Why the vault did not do as asked.
    pub enum Refused {
        /// No bearer of this login is taken.
        OtherTenant {
            shows: "401, or a challenge for another tenant",
            means: "the vault belongs to another tenant, or trusts another cloud (a new bearer was tried as well)",
            remedy: "check tenant_id and the cloud",
        }
        /// The network, by address.
        Firewall {
            shows: "403 `ForbiddenByFirewall`",
            means: "the vault's firewall does not know the address of this machine",
            remedy: "let it through (az keyvault network-rule add --name VAULT --ip-address ADDRESS), or use the vault's \
                     private endpoint",
        }
        /// The network, by the way that the call came.
        PrivateLink {
            shows: "403 `ForbiddenByConnection`",
            means: "the vault takes calls by its private endpoint only, and this one came over the public network",
            remedy: "have the vault's name resolve to the private endpoint's address on this machine (getent hosts HOST), \
                     or open the vault (az keyvault update --name VAULT --public-network-access Enabled)",
        }
        /// Azure RBAC.
        Role {
            shows: "403 `ForbiddenByRbac`",
            means: "this identity lacks its role on the secret (a new bearer was tried as well)",
            remedy: "give it the role \"Key Vault Secrets Officer\" (az role assignment create --role \"Key Vault Secrets \
                     Officer\" --assignee IDENTITY --scope \"$(az keyvault show --name VAULT --query id -o \
                     tsv)/secrets/SECRET\"); a new role may take ten minutes",
        }
        /// The older way of permissions.
        AccessPolicy {
            shows: "403 `ForbiddenByPolicy` or `AccessDenied`",
            means: "the vault goes by access policies, roles do not count there, and this identity's has not all that is \
                    needed",
            remedy: "az keyvault set-policy --name VAULT --object-id IDENTITY --secret-permissions get list set",
        }
        /// The vault as a whole, or what it belongs to.
        Disabled {
            shows: "403 that speaks of a disabled vault or subscription",
            means: "the vault, or the subscription that it belongs to, is disabled",
            remedy: "have whoever owns the subscription enable it again (az account list --all shows its state)",
        }
        /// 403, and nothing says which kind.
        Forbidden {
            shows: "403 with another code, or none",
            means: "this identity may not do this, and the vault does not say why (a new bearer was tried as well)",
            remedy: "give it the role \"Key Vault Secrets Officer\" on the secret, or where the vault goes by access \
                     policies: az keyvault set-policy --name VAULT --object-id IDENTITY --secret-permissions get list set \
                     (a new role may take ten minutes)",
        }
        /// Deleted, and its name is taken.
        SoftDeleted {
            shows: "409 `ObjectIsDeletedButRecoverable`, or \"the secret has been deleted\"",
            means: "somebody has deleted the secret, and it can be had back with all its versions",
            remedy: "az keyvault secret recover --vault-name VAULT --name SECRET (nothing is ever purged by this program), or \
                     choose another name",
        }
        /// On its way back, or on its way out.
        InChange {
            shows: "409, such as `ObjectIsBeingRecovered`",
            means: "the secret is being changed by somebody else, or is on its way back from deletion",
            remedy: "nothing: it is tried again",
        }
        /// 404 of the vault itself.
        NoVault {
            shows: "404 `VaultNotFound`",
            means: "there is no vault of this name",
            remedy: "check the vault's URL, and whether somebody has deleted the vault (az keyvault list-deleted; az keyvault \
                     recover --name VAULT)",
        }
        /// 404 of a version, or of nobody knows what.
        NotThere {
            shows: "404",
            means: "what is asked for is not there",
            remedy: "if this stays, check the vault's URL, and whether somebody has purged the secret",
        }
        /// 3xx.
        Redirect {
            shows: "a redirect",
            means: "something else answers under the vault's URL",
            remedy: "check the vault's URL, and the proxy (http.proxy, or HTTPS_PROXY): a vault never redirects",
        }
        /// A page for people.
        WebPage {
            shows: "\"the answer cannot be read\", \"the answer names no version\"",
            means: "something between here and the vault has answered in its place",
            remedy: "check the vault's URL, and the proxy (http.proxy, or HTTPS_PROXY)",
        }
        /// Somebody else answers.
        NotAVault {
            shows: "an answer that is no Key Vault's",
            means: "something else answers under this URL",
            remedy: "check the vault's URL: it must be the vault's own name, as in https://NAME.vault.azure.net",
        }
        /// 429.
        Throttled {
            shows: "429",
            means: "the vault has been asked too often, by whomever: its limits count for all callers together",
            remedy: "nothing: it is asked again, as late as `Retry-After` says where it says anything. If it stays, find who \
                     else asks",
        }
        /// 408, 5xx.
        Away {
            shows: "408, 500 and above",
            means: "the vault, or something before it, is in trouble",
            remedy: "nothing: it is tried again. Before a version is stored again the vault is listed for what the first try \
                     may have left",
        }
        /// The version itself.
        Version {
            shows: "400, or 403 by Azure Policy, to a store",
            means: "the vault does not take this version; with an expiry refused, it is stored without one",
            remedy: "look at the policies on secrets (validity, content type)",
        }
        /// A single version, which the port tells by an error of its own.
        Unusable {
            shows: "\"version … of the secret cannot be used\"",
            means: "it is disabled, or what stands in it is no token",
            remedy: "nothing, if it is an old one; if it is the current one, enable it again (az keyvault secret \
                     set-attributes --id … --enabled true), or have a new one made by scim-rotator rotate NAME",
        }
        /// Not even sent.
        Tags {
            shows: "\"more than 15 tags\", \"longer than 256 characters\"",
            means: "a version of a secret holds 15 tags, each name and value of 256 characters at most; nothing was sent",
            remedy: "report it: this program's own tags keep within that",
        }
        /// Any other 4xx.
        Other {
            shows: "any other refusal",
            means: "the vault did not do as asked, for a reason of its own",
            remedy: "read its words; the request's id is what Microsoft's support asks for",
        }
    }
}

impl Refused {
    /// Which circumstance an answer tells of.
    pub(super) fn of(action: Action<'_>, status: u16, said: &Said) -> Self {
        match status {
            401 => Self::OtherTenant,
            403 => Self::of_403(said, action),
            404 if said.is("VaultNotFound") => Self::NoVault,
            404 if action == Action::Store => Self::NotAVault,
            404 => Self::NotThere,
            409 if said.is_soft_deleted() => Self::SoftDeleted,
            409 => Self::InChange,
            429 => Self::Throttled,
            300..=399 => Self::Redirect,
            408 | 500.. => Self::Away,
            400 if action == Action::Store => Self::Version,
            _ => Self::Other,
        }
    }

    fn of_403(said: &Said, action: Action<'_>) -> Self {
        if action == Action::Store && said.is_azure_policy() {
            Self::Version
        } else if said.is("ForbiddenByFirewall") || said.says("client address is not authorized") {
            Self::Firewall
        } else if said.is("ForbiddenByConnection") || said.says("private link") {
            Self::PrivateLink
        } else if said.is("ForbiddenByRbac") || said.says("not authorized to perform action on resource") {
            Self::Role
        } else if said.is("ForbiddenByPolicy") || said.is("AccessDenied") || said.says("permission on key vault") {
            Self::AccessPolicy
        } else if said.is("Disabled") || said.says("vault is disabled") || said.says("subscription is disabled") {
            Self::Disabled
        } else {
            Self::Forbidden
        }
    }

    /// How to go on. `maybe` is the fate of a call that may have been carried out all the same.
    pub(super) fn class(self, maybe: Class, after: Option<Duration>) -> Class {
        let retry = Class::Retry { after };
        match self {
            Self::InChange | Self::Throttled | Self::NoVault | Self::NotThere => retry,
            // Whatever stands before the vault may have passed the request on.
            Self::Away if maybe == Class::Ambiguous => maybe,
            Self::Away => retry,
            _ => Class::Human,
        }
    }

    /// Whether an error has anything to advise: what is only waited out and what only the service can explain has not.
    pub(super) fn has_advice(self) -> bool {
        !matches!(self, Self::InChange | Self::Throttled | Self::Away | Self::Other)
    }
}

/// What the vault said, cleaned. The SDK's own reading loses code and message where the JSON holds an escape.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub code: Option<String>,
    pub inner: Option<String>,
    message: Option<String>,
    pub request_id: Option<String>,
    pub retry_after: Option<Duration>,
}

impl Said {
    /// Takes an answer apart. `token` is what was to be stored: no answer that echoes it may show it.
    pub fn read(error: &azure_core::Error, token: Option<&Token>) -> Self {
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
    pub fn is(&self, what: &str) -> bool {
        [&self.code, &self.inner].into_iter().flatten().any(|code| code.contains(what))
    }

    fn says(&self, what: &str) -> bool {
        self.message.as_ref().is_some_and(|message| message.to_ascii_lowercase().contains(what))
    }

    /// Whom the vault took the caller for: the object id that it names, else the application's.
    pub fn caller(&self) -> Option<String> {
        let message = self.message.as_ref()?;
        let id = |name| message.split(name).nth(1).and_then(|rest| Uuid::try_parse(rest.get(..36)?).ok());
        id(";oid=").or_else(|| id("appid=")).map(|id| id.to_string())
    }

    /// Of a version. A vault may be disabled as well.
    pub fn is_disabled_version(&self) -> bool {
        self.is("SecretDisabled") || self.says("disabled secret")
    }

    fn is_soft_deleted(&self) -> bool {
        self.is("DeletedButRecoverable") || self.says("deleted but recoverable")
    }

    /// `ForbiddenByPolicy` is said of a missing access policy; Azure Policy's own refusals name it in words.
    fn is_azure_policy(&self) -> bool {
        self.says("denied by policy") || self.says("disallowed by policy") || self.says("azure policy")
    }

    /// As words behind a status: with a space before each, or nothing at all.
    pub fn words(&self) -> String {
        let code = self.inner.as_ref().or(self.code.as_ref());
        [code, self.message.as_ref()].into_iter().flatten().map(|words| format!(" {words}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: &str, inner: &str, message: &str) -> Said {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Said { code: text(code), inner: text(inner), message: text(message), ..Said::default() }
    }

    /// Codes and words as public reports have them.
    #[test]
    fn each_403_is_told_by_its_code_or_else_by_its_words() {
        let address =
            "Client address is not authorized and caller is not a trusted service.\r\nClient address: 192.0.2.1";
        let public = "Public network access is disabled and request is not from a trusted service nor via an approved private link.";
        let bypass = "Connection is not an approved private link and caller was ignored because bypass is not set";
        let role =
            "Caller is not authorized to perform action on resource.\r\nIf role assignments were changed recently";
        let policy =
            "The user, group or application 'appid=x' does not have secrets get permission on key vault 'contoso'.";
        let table = [
            ("ForbiddenByFirewall", address, Refused::Firewall),
            ("", address, Refused::Firewall),
            ("ForbiddenByConnection", public, Refused::PrivateLink),
            ("", bypass, Refused::PrivateLink),
            ("ForbiddenByRbac", role, Refused::Role),
            ("", role, Refused::Role),
            ("ForbiddenByPolicy", policy, Refused::AccessPolicy),
            ("AccessDenied", policy, Refused::AccessPolicy),
            ("", policy, Refused::AccessPolicy),
            ("SubscriptionDisabled", "", Refused::Disabled),
            ("", "The key vault is disabled.", Refused::Disabled),
            ("", "The feature is disabled for this caller.", Refused::Forbidden),
            ("", "no", Refused::Forbidden),
        ];
        for (inner, message, refused) in table {
            assert_eq!(
                Refused::of(Action::List, 403, &said("Forbidden", inner, message)),
                refused,
                "{inner} {message}"
            );
        }
        let denied = said("Forbidden", "ForbiddenByPolicy", "Operation denied by policy");
        assert_eq!(Refused::of(Action::Store, 403, &denied), Refused::Version);
    }

    #[test]
    fn a_disabled_vault_is_no_disabled_version() {
        assert!(said("Forbidden", "SecretDisabled", "").is_disabled_version());
        assert!(!said("Forbidden", "VaultDisabled", "The vault is disabled.").is_disabled_version());
    }

    #[test]
    fn a_secret_on_its_way_back_is_waited_for_and_a_deleted_one_is_for_a_person() {
        let of = |inner| Refused::of(Action::Store, 409, &said("Conflict", inner, ""));
        let class = |refused: Refused| refused.class(Class::Ambiguous, None);
        assert_eq!(class(of("ObjectIsBeingRecovered")), Class::Retry { after: None });
        assert_eq!(class(of("ObjectIsDeletedButRecoverable")), Class::Human);
    }
}

//! Everything about the far side that is a fact of the installation, or that nobody knows and that is therefore a switch.

use chrono::{DateTime, TimeDelta};

use super::Timestamp;
use super::answer::AnswerShape;

/// What HPE's "the new token takes effect" means: the three readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesEffect {
    /// The new token works at once, and its first accepted use kills every older one.
    FirstUse,
    /// The new token is refused for this long; at that moment every older one dies.
    Delay(TimeDelta),
    /// Every token lives to its own end.
    OwnExpiry,
}

/// How HPE's login wants to be asked for a bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginKind {
    /// GreenLake Flex Solutions: a form with a scope.
    Glcs,
    /// Its older service: JSON with the tenant's id.
    GlcsLegacy,
    /// The platform: a form without a scope, at the workspace's own URL.
    Glp,
}

/// How HPE words a refusal: nobody knows for this service, and its siblings have these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorFamily {
    /// `{message, details, recommendedActions, errorCode}`.
    Actions,
    /// `{httpStatusCode, errorCode, message, debugId}`.
    DebugId,
    /// A SCIM error.
    Scim,
    /// `{error, error_description}`.
    OAuth,
    /// `{errorCode, errorSummary}`.
    Summary,
    /// A page for people.
    Page,
}

/// How a 429 says when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleTold {
    /// `Retry-After`, in seconds.
    RetryAfter,
    /// `X-RateLimit-Reset`, in seconds.
    ResetIn,
    /// `X-RateLimit-Reset`, as a moment in seconds since 1970.
    ResetAt,
    /// Not at all.
    Nowhere,
}

/// What Graph does with `PUT …/synchronization/secrets`: the four readings. Every one answers 204.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutReading {
    /// Keys that are not in the body stay.
    Merges,
    /// Keys that are not in the body are gone.
    Replaces,
    /// Nothing changes unless `SyncAll` and `SyncNotificationSettings` are in the body; then as `Merges`.
    DropsUnlessComplete,
    /// The first PUT of each token does nothing; the second merges.
    IgnoresFirst,
}

/// Who goes on seeing the old saved values during `verification_delay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delayed {
    /// The saved-credentials check and the provisioning cycles.
    CheckAndCycles,
    /// The saved-credentials check alone.
    CheckOnly,
}

/// What a PATCH with tags does to the tags that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagWrites {
    /// They are gone.
    Replace,
    /// They stay.
    Merge,
}

/// What a person has done before the daemon comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// No token has ever been created; the job has never run.
    Empty,
    /// Token 1 was created by hand and pasted into Entra; the vault does not know it.
    AtEntra,
    /// As `AtEntra`, and somebody stored token 1 in the vault, without tags.
    AtEntraAndVault,
}

/// A federated credential: whose tokens an application takes in place of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federated {
    /// The public key (PKCS#1, DER) by which the cluster's issuer signs.
    pub key: Vec<u8>,
    /// The cluster's issuer.
    pub issuer: String,
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub subject: String,
}

/// The switches. All are public: a test writes `Settings { put: PutReading::Replaces, ..Settings::default() }`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Token values, version ids and request ids are drawn from it.
    pub seed: u64,
    /// When the world begins.
    pub start: Timestamp,
    /// What has been done by hand before.
    pub begin: Begin,

    /// HPE's tenant, as the bearer's `tenantId` claim tells it.
    pub tenant: String,
    /// The API client at HPE.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// How the login wants to be asked.
    pub login: LoginKind,
    /// How HPE words a refusal.
    pub errors: ErrorFamily,
    /// Whether the API client has the role *SCIM Proxy Token Contributor*; 403 without it.
    pub contributor: bool,
    /// The life of the API's bearer.
    pub bearer_life: TimeDelta,
    /// The life of a token.
    pub token_life: TimeDelta,
    /// The reading of "takes effect".
    pub takes_effect: TakesEffect,
    /// Whether `takes_effect` also holds for the new token of remove-current, while the old one dies at once.
    pub remove_current_waits: bool,
    /// Whether a second issue within a minute is answered 429.
    pub throttled: bool,
    /// How the 429 says when to come again.
    pub throttle_told: ThrottleTold,
    /// What the answer to an issue looks like.
    pub answer: AnswerShape,

    /// The vault's name, the first label of its host.
    pub vault: String,
    /// The name of the secret.
    pub secret: String,
    /// What a PATCH does to other tags.
    pub tag_writes: TagWrites,
    /// For how long a list goes on showing the state before a write.
    pub list_lag: TimeDelta,
    /// A policy that refuses versions with `exp` (400).
    pub refuses_expiry: bool,
    /// Whether there is no such vault any more (404 `VaultNotFound`).
    pub vault_gone: bool,
    /// Whether the versions of a secret that is not there are an empty list (as in Azure's recorded answers), or a 404.
    pub lists_missing_as_empty: bool,
    /// Whether the caller may not look among the deleted secrets (403), as with a role on the one secret.
    pub hides_deleted: bool,
    /// What its challenge says that tokens must be made out to, where that is not the vaults' own domain.
    pub challenge_resource: Option<String>,
    /// Whether the caller lacks its role on the vault (403).
    pub vault_forbidden: bool,
    /// How the vault refuses every call, whoever comes: status, code, message.
    pub vault_refusal: Option<(u16, &'static str, &'static str)>,
    /// The host that a list's next page is said to be on, where it is another.
    pub next_page_at: Option<String>,

    /// The Entra tenant.
    pub directory: String,
    /// The daemon's application in it.
    pub azure_client_id: String,
    /// Its secret.
    pub azure_client_secret: String,
    /// The certificates that are registered for the application, DER.
    pub azure_certificates: Vec<Vec<u8>>,
    /// The pod that the application trusts as itself.
    pub federated: Option<Federated>,
    /// How Entra refuses every login, whoever comes: status, code, message.
    pub login_refusal: Option<(u16, &'static str, &'static str)>,
    /// The object id of the daemon's identity, which owns what it owns.
    pub caller: String,
    /// What it may do at Graph: the roles in its tokens. Without a role that lets it manage provisioning, 403.
    pub graph_roles: Vec<String>,
    /// How Graph refuses every call, whoever comes: status, code, message.
    pub graph_refusal: Option<(u16, &'static str, &'static str)>,
    /// So long before its end the certificate of the servers is, if it ends at all; it lives for 90 days.
    pub certificate_left: Option<TimeDelta>,
    /// The life of Entra's access tokens.
    pub access_life: TimeDelta,
    /// The object id of the service principal that provisions.
    pub service_principal: String,
    /// Its app id.
    pub app_id: String,
    /// Its name in the portal.
    pub application: String,
    /// Whether the caller may manage it; otherwise Graph answers 401 `UnknownError` with an empty message.
    pub owns_service_principal: bool,
    /// The ids of its provisioning jobs.
    pub jobs: Vec<String>,
    /// The flow types of the mapping of users.
    pub user_flows: String,
    /// How many groups are assigned to the application.
    pub groups_assigned: usize,
    /// Where the SCIM endpoint is; the saved `BaseAddress` to begin with.
    pub tenant_url: String,
    /// The settings saved beside the credentials.
    pub siblings: Vec<(String, String)>,
    /// Keys that are saved and that GET never shows.
    pub hidden: Vec<String>,
    /// Keys that GET masks, beside `SecretToken`.
    pub masked: Vec<String>,
    /// The reading of PUT.
    pub put: PutReading,
    /// How long after a PUT the old saved values are still seen.
    pub verification_delay: TimeDelta,
    /// For so long a job that was paused is read as active.
    pub pause_shows_after: TimeDelta,
    /// By whom.
    pub delayed: Delayed,
    /// Whether `pause` ends a running cycle at once; Graph then shows no execution of it.
    pub pause_ends_cycle: bool,
    /// From the beginning of one cycle to that of the next.
    pub cycle_interval: TimeDelta,
    /// How long a cycle takes.
    pub cycle_length: TimeDelta,
    /// How soon after `start` the next cycle begins.
    pub start_delay: TimeDelta,
    /// Whether successful cycles end with `EntryLevelErrors`.
    pub entry_level_errors: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            start: DateTime::from_timestamp(1_767_571_200, 0).expect("2026-01-05 is a date"),
            begin: Begin::AtEntraAndVault,
            tenant: "hpe-tenant-1".to_owned(),
            client_id: "hpe-api-client".to_owned(),
            client_secret: "hpe-api-client-secret-of-the-sandbox".to_owned(),
            login: LoginKind::Glcs,
            errors: ErrorFamily::Actions,
            contributor: true,
            bearer_life: TimeDelta::minutes(15),
            token_life: TimeDelta::days(180),
            takes_effect: TakesEffect::FirstUse,
            remove_current_waits: false,
            throttled: false,
            throttle_told: ThrottleTold::RetryAfter,
            answer: AnswerShape::ExpiresAt,
            vault: "kv1".to_owned(),
            secret: "greenlake-scim-token".to_owned(),
            tag_writes: TagWrites::Replace,
            list_lag: TimeDelta::zero(),
            refuses_expiry: false,
            vault_gone: false,
            lists_missing_as_empty: true,
            hides_deleted: false,
            challenge_resource: None,
            vault_forbidden: false,
            vault_refusal: None,
            next_page_at: None,
            directory: "5c2f1ab0-0000-4000-8000-000000000001".to_owned(),
            azure_client_id: "5c2f1ab0-0000-4000-8000-000000000002".to_owned(),
            azure_client_secret: "entra-client-secret-of-the-sandbox".to_owned(),
            azure_certificates: Vec::new(),
            federated: None,
            login_refusal: None,
            caller: "5c2f1ab0-0000-4000-8000-000000000005".to_owned(),
            graph_roles: vec!["Application.ReadWrite.OwnedBy".to_owned()],
            graph_refusal: None,
            certificate_left: None,
            access_life: TimeDelta::minutes(60),
            service_principal: "5c2f1ab0-0000-4000-8000-000000000003".to_owned(),
            app_id: "5c2f1ab0-0000-4000-8000-000000000004".to_owned(),
            application: "HPE GreenLake".to_owned(),
            owns_service_principal: true,
            jobs: vec!["scim.5c2f1ab0.job1".to_owned()],
            user_flows: "Add, Delete".to_owned(),
            groups_assigned: 1,
            tenant_url: "https://sps.sandbox.test/v1alpha1/scimproxy".to_owned(),
            siblings: [
                ("SyncAll", "false"),
                ("SyncNotificationSettings", r#"{"Enabled":true,"DeleteThresholdEnabled":false}"#),
                ("SkipOutOfScopeDeletions", "true"),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .to_vec(),
            hidden: Vec::new(),
            masked: Vec::new(),
            put: PutReading::Merges,
            verification_delay: TimeDelta::zero(),
            pause_shows_after: TimeDelta::zero(),
            delayed: Delayed::CheckAndCycles,
            pause_ends_cycle: false,
            cycle_interval: TimeDelta::minutes(40),
            cycle_length: TimeDelta::minutes(4),
            start_delay: TimeDelta::seconds(10),
            entry_level_errors: false,
        }
    }
}

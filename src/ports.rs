//! What the engine asks of the world: five traits, and for each the enum of what can go wrong.
//!
//! Every implementation bounds its own calls in time and retries nothing that is not idempotent: the engine decides
//! what to repeat. The traits speak of tokens, versions and jobs only; no type of an SDK crosses them.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use crate::domain::journal::Tags;
use crate::domain::settings::SecretsUpdate;
use crate::domain::{Expiry, Job, ProbeVerdict, Settings, Timestamp, Token, Verdict, Version, VersionId};

/// The fate of a failed call: all that the engine branches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It certainly did nothing, or nothing that is not the same when done twice; it may succeed later.
    Retry {
        /// What `Retry-After` asked for.
        after: Option<Duration>,
    },
    /// Nobody knows whether it was carried out.
    Ambiguous,
    /// It did nothing, and will not until a person changes something (a role, a setting, a name).
    Human,
}

/// One failed call: which circumstance, what the service said, how to go on.
///
/// `Display` is one sentence without the cause; `source()` is the cause. Neither ever holds a token or a body.
#[derive(Debug, thiserror::Error)]
#[error("{service}: {what}{}{}", also(" (request ", .request_id, ")"), also(" — ", .advice, ""))]
pub struct CallError {
    /// Who was called, as an operator names it (`HPE`, `Key Vault`, `Microsoft Graph`, `Entra login`, `SCIM endpoint`).
    pub service: &'static str,
    /// What was tried and how it failed, with method, URL (without query), status, code and message.
    pub what: String,
    /// What a person can do about it.
    pub advice: Option<String>,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The service's own error code.
    pub code: Option<String>,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// How to go on.
    pub class: Class,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

fn also(before: &str, text: &Option<String>, after: &str) -> String {
    text.as_deref().map(|text| format!("{before}{text}{after}")).unwrap_or_default()
}

impl CallError {
    /// A failure with nothing but its words and its class.
    pub fn new(service: &'static str, class: Class, what: impl Into<String>) -> Self {
        Self {
            service,
            what: what.into(),
            advice: None,
            status: None,
            code: None,
            request_id: None,
            class,
            source: None,
        }
    }
}

/// Why the issuer gave no token.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// It certainly made none: no bearer could be had, the connection never stood, or it said no.
    #[error(transparent)]
    NotIssued(CallError),
    /// It says that there is no token to rotate: the first one must be created.
    #[error(transparent)]
    NothingToRotate(CallError),
    /// It may have made one: the answer was lost, or carried no token that can be read.
    #[error(transparent)]
    Ambiguous(CallError),
}

impl IssuerError {
    /// The failed call.
    pub fn call(&self) -> &CallError {
        match self {
            Self::NotIssued(call) | Self::NothingToRotate(call) | Self::Ambiguous(call) => call,
        }
    }
}

/// Why the vault did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The call failed.
    #[error(transparent)]
    Call(CallError),
    /// The version is disabled, or its value is no token.
    #[error("version {version} of the secret cannot be used: {why}")]
    Unusable {
        /// The version.
        version: VersionId,
        /// Disabled, or what about the value is wrong (never the value).
        why: String,
    },
    /// The vault refused the version itself (a policy on validity, say), not the caller.
    #[error(transparent)]
    VersionRefused(CallError),
}

impl VaultError {
    /// How to go on.
    pub fn class(&self) -> Class {
        match self {
            Self::Call(call) => call.class,
            Self::Unusable { .. } | Self::VersionRefused(_) => Class::Human,
        }
    }
}

/// What is asked of the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueHow {
    /// Make the very first token.
    Create,
    /// Make a new one in place of the current one; `remove_current` as HPE means it.
    Rotate {
        /// Whether the current token dies at once.
        remove_current: bool,
    },
}

/// A new token and what the issuer said of its life.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The token.
    pub token: Token,
    /// When it dies; none when nothing says so.
    pub expiry: Option<Expiry>,
}

/// Who makes tokens.
#[async_trait]
pub trait Issuer: Send + Sync {
    /// Proves that a bearer can be had, without asking for a token. Answers with the tenant the bearer speaks for.
    async fn preflight(&self) -> Result<Option<String>, IssuerError>;
    /// Asks once, never retries.
    async fn issue(&self, how: IssueHow) -> Result<Issued, IssuerError>;
    /// The expiry of a token that was issued elsewhere (its JWT claim, or the assumed lifetime counted from `since`).
    fn expiry_of(&self, token: &Token, since: Timestamp) -> Option<Expiry>;
}

/// A version to be stored.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// The value; none stores a disabled placeholder.
    pub token: Option<Token>,
    /// The tags.
    pub tags: Tags,
    /// The `exp` attribute.
    pub expires: Option<Timestamp>,
}

/// Where tokens and the journal are kept.
#[async_trait]
pub trait Vault: Send + Sync {
    /// Every version, all pages; none when the secret does not exist yet.
    async fn list(&self) -> Result<Vec<Version>, VaultError>;
    /// The value of one version.
    async fn read(&self, version: &VersionId) -> Result<Token, VaultError>;
    /// Stores one version. Asked once, never retried: the engine lists before it repeats.
    async fn store(&self, new: &NewVersion) -> Result<VersionId, VaultError>;
    /// Writes the tags of one version, and whether it is enabled if given.
    async fn label(&self, version: &VersionId, tags: &Tags, enabled: Option<bool>) -> Result<(), VaultError>;
}

/// Entra's provisioning job.
#[async_trait]
pub trait Provisioner: Send + Sync {
    /// Reads the job.
    async fn job(&self) -> Result<Job, CallError>;
    /// Reads the saved settings, sensitive values masked.
    async fn settings(&self) -> Result<Settings, CallError>;
    /// Writes settings and token. Idempotent. Answers with Graph's own time.
    async fn provision(&self, update: &SecretsUpdate) -> Result<Timestamp, CallError>;
    /// Entra tests a token that it does not hold. A use of the token.
    async fn test_candidate(&self, token: &Token) -> Result<Verdict, CallError>;
    /// Entra tests what it has saved. A use of that token.
    async fn test_saved(&self) -> Result<Verdict, CallError>;
    /// Pauses the job; answers with Graph's own time.
    async fn pause(&self) -> Result<Timestamp, CallError>;
    /// Starts the job; answers with Graph's own time. Never called on a job that runs.
    async fn start(&self) -> Result<Timestamp, CallError>;
}

/// The SCIM endpoint itself.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Asks it for a user that does not exist, with `token`. A use of the token.
    async fn probe(&self, token: &Token) -> ProbeVerdict;
}

/// The only source of time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock. Somebody may set it.
    fn now(&self) -> Timestamp;
    /// What the wall clock shows, be it past belief: [`Self::now`] may know better.
    fn shown(&self) -> Timestamp {
        self.now()
    }
    /// What the clock of the far side showed, when it answered to what was asked when [`Self::shown`] showed `asked`.
    /// [`Self::now`] may believe it.
    fn told(&self, _far: Timestamp, _asked: Timestamp) {}
    /// Whether [`Self::now`] has leapt since the far side told the time, so that it is to be asked once more before anything
    /// is concluded from that.
    fn is_in_doubt(&self) -> bool {
        false
    }
    /// The time since some moment, which nobody can set: what patience is measured by.
    fn elapsed(&self) -> TimeDelta;
    /// Waits. May return early; callers look at the clock again.
    async fn sleep(&self, duration: Duration);
}

//! What the doctor asks beyond the ports of the engine: a small trait for each kind of edge. None of them changes anything.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use url::Url;
use uuid::Uuid;

use crate::domain::Timestamp;
use crate::domain::claims::Claims;
use crate::ports::CallError;

/// Why a hop of the way failed, in words without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snag {
    /// What happened.
    pub what: String,
    /// What a person can do about it.
    pub advice: Option<String>,
}

/// The way to a host, hop by hop. A hop that was not come to is none.
#[derive(Clone, Debug)]
pub struct Way {
    /// The proxy in between; name and connection below are then its own.
    pub proxy: Option<Url>,
    /// The addresses of the name.
    pub resolved: Result<Vec<IpAddr>, Snag>,
    /// Which of them took the connection.
    pub connected: Option<Result<IpAddr, Snag>>,
    /// The certificates that were shown, the host's own first; nothing if TLS never came so far.
    pub shown: Vec<Shown>,
    /// TLS, and an answer to a question that anybody may ask.
    pub answered: Option<Result<Greeting, Snag>>,
}

/// A certificate, as far as a person wants to see it. What stands in it is cleaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Whom it names.
    pub subject: String,
    /// The host names that it is good for.
    pub names: Vec<String>,
    /// Who has signed it.
    pub issuer: String,
    /// Whether `ca_file` names a CA of this name.
    pub is_by_file: bool,
    /// From when on it is good.
    pub begins: Timestamp,
    /// Until when.
    pub ends: Timestamp,
}

/// The first answer of a host.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// How far its clock is ahead of ours, at least: what the time of the exchange explains is left out. None without a
    /// `Date`.
    pub ahead: Option<TimeDelta>,
    /// The version of TLS, as people write it.
    pub version: Option<&'static str>,
    /// How long the exchange took.
    pub took: Duration,
}

/// The network.
#[async_trait]
pub trait Ways: Send + Sync {
    /// Walks to the host of this URL, by the very client that everything goes through.
    async fn walk(&self, url: &Url) -> Way;
}

/// Bearers of one kind.
#[async_trait]
pub trait Bearer: Send + Sync {
    /// What a bearer says of itself; none where it is no JWT.
    async fn claims(&self) -> Result<Option<Claims>, CallError>;
}

/// The enterprise application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its object id.
    pub id: Uuid,
    /// The id of its application.
    pub app_id: Option<Uuid>,
    /// Its name, cleaned.
    pub name: String,
}

/// Who owns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// Their object ids.
    pub ids: Vec<Uuid>,
    /// Whether there are more than these.
    pub more: bool,
}

/// A mapping of objects of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The kind of object at the source (`User`, `Group`), cleaned.
    pub source: String,
    /// Whether it is used.
    pub enabled: bool,
    /// `Add`, `Update`, `Delete`.
    pub flows: Vec<String>,
}

/// Who is assigned to the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// People.
    pub people: usize,
    /// Groups.
    pub groups: usize,
    /// Whether there are more than these.
    pub more: bool,
}

/// What surrounds the provisioning job.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The service principal of the configuration.
    async fn principal(&self) -> Result<Principal, CallError>;
    /// The service principal of which the configured id is the other of its two ids.
    async fn principal_mixed_up(&self) -> Result<Principal, CallError>;
    /// Its owners.
    async fn owners(&self) -> Result<Owners, CallError>;
    /// The mappings of a job.
    async fn mappings(&self, job: &str) -> Result<Vec<Mapping>, CallError>;
    /// Who is assigned.
    async fn assigned(&self) -> Result<Assigned, CallError>;
}

/// A moment as the evidence shows it.
pub(super) fn minute(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%MZ").to_string()
}

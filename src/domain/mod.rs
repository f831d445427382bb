//! The pure heart: what is known, what follows from it, and the steps of one rotation.
//!
//! Nothing here may wait, read a clock, log, or touch a network or a file. `now` is always an argument,
//! effects come out as data, and a test (`tests/it/architecture.rs`) keeps it so.

pub mod attempts;
pub mod claims;
pub mod cron;
pub mod decide;
pub mod fit;
pub mod forecast;
pub mod history;
pub mod job;
pub mod journal;
pub mod order;
pub mod policy;
pub mod principal;
pub mod reason;
pub mod room;
pub mod settings;
pub mod token;
pub mod window;

pub use decide::{Answers, CurrentHealth, Decision, Facts, Plan, Question, decide};
pub use job::{Execution, ExecutionState, Job, JobState, Quarantine};
pub use journal::{Journal, Labels, Stage, Version, VersionId};
pub use order::Order;
pub use policy::{Bootstrap, Fence, Mode, Policy, TakesEffect};
pub use principal::PrincipalId;
pub use reason::Reason;
pub use settings::Settings;
pub use token::{Expiry, ExpirySource, Fingerprint, Token};

/// A moment in UTC. The only representation of time in this crate.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// What Entra says when it is asked to test credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Entra reached the SCIM endpoint and was let in.
    Accepted,
    /// Entra answered 400: refused, *or* the endpoint is down. The two cannot be told apart here.
    NotAccepted,
}

/// What the SCIM endpoint itself says to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// 2xx: the token works now.
    Accepted,
    /// 401 or 403: refused, or not yet effective.
    Refused,
    /// Anything else (3xx, 404, 429, 5xx, time-out): says nothing about the token.
    NoVerdict,
}

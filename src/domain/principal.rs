//! How the configuration names the enterprise application: by either of its two ids.

use std::fmt;

use uuid::Uuid;

/// The service principal that provisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalId {
    /// By its object id, which is its own.
    Object(Uuid),
    /// By its application id, which it shares with its app registration and with its like in other tenants.
    Application(Uuid),
}

impl PrincipalId {
    /// Where Microsoft Graph has it, below the version.
    pub fn path(self) -> String {
        match self {
            Self::Object(id) => format!("servicePrincipals/{id}"),
            Self::Application(id) => format!("servicePrincipals(appId='{id}')"),
        }
    }

    /// The same id, taken for the other kind: the two are easily mixed up.
    #[must_use]
    pub const fn mixed_up(self) -> Self {
        match self {
            Self::Object(id) => Self::Application(id),
            Self::Application(id) => Self::Object(id),
        }
    }

    /// The key of the configuration.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Object(_) => "service_principal_id",
            Self::Application(_) => "app_id",
        }
    }

    /// The kind of id, in words.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Object(_) => "object id",
            Self::Application(_) => "application id",
        }
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(id) | Self::Application(id) => id.fmt(f),
        }
    }
}

//! What the daemon's edges make of a call that fails, as the ports demand it.

use std::time::Duration;

use scim_rotator::ports::{CallError, Class};

use crate::world::{Fault, Op, Refusal, Service};

/// Why an exchange brought no answer of use.
#[derive(Debug)]
pub enum Broken {
    /// The service said no.
    Refused(Refusal),
    /// A fault.
    Fault(Fault),
}

impl Broken {
    /// The status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::Fault(Fault::Status(status, _)) => Some(*status),
            Self::Fault(Fault::Html | Fault::Truncated) => Some(200),
            Self::Fault(_) => None,
        }
    }

    /// Whether the service has said this code.
    pub fn is(&self, code: &str) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code == code)
    }

    /// The error as the engine gets it.
    pub fn error(self, op: Op) -> CallError {
        let class = self.class(op);
        let (what, code) = match &self {
            Self::Refused(refusal) => (format!("{op:?}: {}", refusal.message), Some(refusal.code.to_owned())),
            Self::Fault(fault) => (format!("{op:?}: {fault:?}"), None),
        };
        CallError { status: self.status(), code, ..CallError::new(name(op.service()), class, what) }
    }

    fn class(&self, op: Op) -> Class {
        let open = |retry| if twice_differs(op) { Class::Ambiguous } else { retry };
        let (status, after) = match self {
            Self::Refused(refusal) => (refusal.status, refusal.retry_after),
            Self::Fault(Fault::Status(status, after)) => (*status, *after),
            Self::Fault(Fault::Down) => return Class::Retry { after: None },
            Self::Fault(_) => return open(Class::Retry { after: None }),
        };
        let retry = Class::Retry { after: after.map(|seconds| Duration::from_secs(u64::from(seconds))) };
        match (status, op.service()) {
            (409, Service::Vault) if self.is("ObjectIsDeletedButRecoverable") => Class::Human,
            (404, Service::Vault) if op != Op::VaultStore || self.is("VaultNotFound") => retry,
            // It was read just before it is written.
            (404, Service::Graph) if op == Op::SettingsPut => retry,
            (409 | 425 | 429, _) => retry,
            (408 | 500.., _) => open(retry),
            _ => Class::Human,
        }
    }
}

/// Whether it matters that a call is made twice: only then is it worth saying that its fate is open.
fn twice_differs(op: Op) -> bool {
    matches!(op, Op::Issue | Op::VaultStore | Op::Pause | Op::Start)
}

fn name(service: Service) -> &'static str {
    match service {
        Service::Hpe | Service::HpeAuth => "HPE",
        Service::Vault => "Key Vault",
        Service::Graph => "Microsoft Graph",
        Service::EntraLogin => "Entra login",
        Service::Scim => "SCIM endpoint",
    }
}

//! Why a run of steps ended before its end.

use std::error::Error;
use std::fmt;

use chrono::TimeDelta;

use crate::domain::Reason;
use crate::ports::{CallError, Class, IssuerError, VaultError};

/// A run that could not be finished. Nothing is lost by it: the next look goes on from what the vault shows.
#[derive(Debug)]
pub struct Halt {
    /// The stable reason.
    pub reason: Reason,
    /// Whether trying again can help.
    pub class: Class,
    /// What went wrong, where anything did.
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Halt {
    /// An end that is no failure of a call.
    pub const fn because(reason: Reason) -> Self {
        Self { reason, class: Class::Retry { after: None }, cause: None }
    }

    /// Several things that are wrong at once; a person is needed only where no other class of failure is among them.
    pub fn of(problems: Vec<Self>, reason: Reason) -> Self {
        let transient = problems.iter().map(|problem| problem.class).find(|class| !matches!(class, Class::Human));
        Self { reason, class: transient.unwrap_or(Class::Human), cause: Some(Box::new(Problems(problems))) }
    }

    /// The failed call, where it was one.
    pub fn call(&self) -> Option<&CallError> {
        let cause = self.cause.as_deref()?;
        let of_vault = || match cause.downcast_ref()? {
            VaultError::Call(call) | VaultError::VersionRefused(call) => Some(call),
            VaultError::Unusable { .. } => None,
        };
        let of_issuer = || cause.downcast_ref().map(IssuerError::call);
        let of_several = || cause.downcast_ref::<Problems>()?.0.iter().find_map(Self::call);
        cause.downcast_ref().or_else(of_vault).or_else(of_issuer).or_else(of_several)
    }

    /// How long the service asks us to wait before we try again.
    pub fn retry_after(&self) -> TimeDelta {
        match self.class {
            Class::Retry { after } => after.and_then(|after| TimeDelta::from_std(after).ok()).unwrap_or_default(),
            Class::Ambiguous | Class::Human => TimeDelta::zero(),
        }
    }

    /// The same failure under the reason of the step it happened in.
    #[must_use]
    pub fn during(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.sentence())
    }
}

impl Error for Halt {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<CallError> for Halt {
    fn from(error: CallError) -> Self {
        Self { reason: Reason::StepFailed, class: error.class, cause: Some(Box::new(error)) }
    }
}

impl From<VaultError> for Halt {
    fn from(error: VaultError) -> Self {
        Self { reason: Reason::StepFailed, class: error.class(), cause: Some(Box::new(error)) }
    }
}

impl From<IssuerError> for Halt {
    fn from(error: IssuerError) -> Self {
        let reason = match &error {
            IssuerError::NotIssued(_) | IssuerError::NothingToRotate(_) => Reason::NotIssued,
            IssuerError::Ambiguous(_) => Reason::AnswerLost,
        };
        Self { reason, class: error.call().class, cause: Some(Box::new(error)) }
    }
}

/// Several things that are wrong at once, so that a person mends them in one go.
#[derive(Debug)]
pub struct Problems(pub Vec<Halt>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            write!(f, "{}({}) {}", if n == 0 { "" } else { "; " }, n + 1, chain(problem.source().unwrap_or(problem)))?;
        }
        Ok(())
    }
}

impl Error for Problems {}

/// An error and its causes, in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

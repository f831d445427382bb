//! Before the one step that cannot be undone: prove that every later one can be carried out. Changes nothing.

use chrono::TimeDelta;

use super::Run;
use super::halt::Halt;
use super::observe::Observed;
use crate::domain::{CurrentHealth, Job, Plan, Reason, Settings, Verdict};
use crate::ports::{CallError, Class};

/// How many seconds the other connections of the process are given to show their tenants.
const INTRODUCTIONS: u32 = 60;

/// What a rotation may rely on.
pub(super) struct Ready {
    /// The job as just read.
    pub job: Job,
    /// The current token has turned out to be dead.
    pub current_dead: bool,
}

impl Run<'_> {
    /// Asks everything that a rotation will need, and names all that is missing at once.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "preflight"))]
    pub async fn preflight(&self, plan: &Plan, seen: &Observed) -> Result<Ready, Halt> {
        self.progress.enter("preflight");
        let (tenant, job, settings, current_dead) = futures::join!(
            self.ports.issuer.preflight(),
            self.job_now(seen),
            self.check_settings(),
            self.current_is_dead(plan, seen)
        );
        let mut problems = Vec::new();
        let mut keep = |halt: Halt| problems.push(halt);
        match tenant {
            Ok(Some(tenant)) => self.claim_tenant(&tenant).await.unwrap_or_else(&mut keep),
            Ok(None) => (),
            Err(error) => keep(error.into()),
        }
        let job = job.map_err(|error| keep(error.into())).ok();
        settings.map(drop).unwrap_or_else(&mut keep);
        let current_dead = current_dead.map_err(&mut keep).unwrap_or(false);
        match job {
            Some(job) if problems.is_empty() => Ok(Ready { job, current_dead }),
            _ => Err(several(problems)),
        }
    }

    /// The job, read again unless it was just seen.
    async fn job_now(&self, seen: &Observed) -> Result<Job, CallError> {
        match self.is_fresh(seen) {
            true => Ok(seen.job.clone()),
            false => self.job().await,
        }
    }

    /// Shows the others for which tenant of the issuer this connection speaks. Answers whether that could be learnt; if
    /// not, it is tried again at the next look. That is told loudly the `first` time only: what it keeps a rotation from, is told there.
    pub async fn introduce(&self, first: bool) -> bool {
        let told = self.ports.issuer.preflight().await;
        let tenant = told.as_ref().ok().and_then(Option::as_deref);
        self.ports.tenants.introduce(&self.spec.name, tenant);
        if let Err(error) = &told {
            let call = error.call();
            let (status, code, request_id) = (call.status, call.code.as_deref(), call.request_id.as_deref());
            let error = super::halt::chain(error);
            let what = "the issuer's bearer cannot be had now; without it no token can be issued";
            match first {
                true => tracing::warn!(%error, status, code, request_id, "{what}"),
                false => tracing::debug!(%error, status, code, request_id, "{what}"),
            }
        }
        told.is_ok()
    }

    /// The saved settings, if they can be written again around a new token.
    pub async fn check_settings(&self) -> Result<Settings, Halt> {
        let settings = self.ports.provisioner.settings().await?;
        match settings.check(&self.spec.tenant_url) {
            Ok(()) => Ok(settings),
            Err(refusal) => {
                let mut error = CallError::new("Microsoft Graph", Class::Human, refusal.to_string());
                error.advice = Some(refusal.message().advice());
                Err(error.into())
            }
        }
    }

    /// The current token goes through the very test that will judge the new one.
    async fn current_is_dead(&self, plan: &Plan, seen: &Observed) -> Result<bool, Halt> {
        let answer_lost = seen.journal.open_intent().is_some();
        if plan.current_dead || answer_lost {
            return Ok(plan.current_dead);
        }
        match self.current_health(&seen.journal).await? {
            CurrentHealth::Good => Ok(false),
            CurrentHealth::Refused => Ok(true),
            // Entra's own test is proven by what Entra has saved; there is nothing to go back to, and the rest copes with that.
            CurrentHealth::Unreadable if self.ports.provisioner.test_saved().await? == Verdict::Accepted => Ok(false),
            // A token in wrong hands is to die even while nobody can tell how it fares.
            CurrentHealth::Unclear | CurrentHealth::Unreadable if plan.compromised => Ok(false),
            CurrentHealth::Unreadable => Err(CallError::new(
                "Key Vault",
                Class::Retry { after: None },
                "the vault's current version can no longer be read, and Entra does not accept what it has saved",
            )
            .into()),
            CurrentHealth::Unclear => Err(CallError::new(
                "Microsoft Graph",
                Class::Retry { after: None },
                "Entra's test does not accept the current token, and nothing shows whether the token or the SCIM endpoint is at fault",
            )
            .into()),
        }
    }

    /// A rotation acts on the tenant's one token: no two connections may have the same tenant. The others are given time to
    /// show theirs; each of them is bounded by its own time limits.
    async fn claim_tenant(&self, tenant: &str) -> Result<(), Halt> {
        self.ports.tenants.introduce(&self.spec.name, Some(tenant));
        for _ in 0..INTRODUCTIONS {
            if !self.ports.tenants.is_incomplete() {
                break;
            }
            self.wait_unless_stopping(TimeDelta::seconds(1)).await?;
        }
        let Some(other) = self.ports.tenants.rival_of(&self.spec.name) else { return Ok(()) };
        let what = format!("its API client belongs to the tenant that connection {other:?} rotates as well");
        let mut error = CallError::new("HPE", Class::Human, what);
        error.advice = Some("a rotation acts on the tenant's one token: keep one connection per tenant".to_owned());
        Err(Halt::from(error).during(Reason::TenantShared))
    }
}

/// All problems as one failure.
fn several(problems: Vec<Halt>) -> Halt {
    let reason = match problems.as_slice() {
        [only] if only.reason == Reason::TenantShared => Reason::TenantShared,
        _ => Reason::PreflightFailed,
    };
    Halt::of(problems, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(class: Class, reason: Reason) -> Halt {
        Halt::from(CallError::new("HPE", class, "it is so")).during(reason)
    }

    #[test]
    fn of_several_problems_a_person_is_needed_only_where_all_need_one() {
        let retry = Class::Retry { after: None };
        let classes =
            |classes: &[Class]| several(classes.iter().map(|class| of(*class, Reason::StepFailed)).collect()).class;
        assert_eq!(classes(&[Class::Human, Class::Human]), Class::Human);
        assert_eq!(classes(&[Class::Human, retry]), retry);
        assert_eq!(classes(&[retry]), retry);
    }

    #[test]
    fn a_shared_tenant_is_named_as_such_where_it_is_all_that_is_wrong() {
        let shared = || of(Class::Human, Reason::TenantShared);
        let other = || of(Class::Human, Reason::StepFailed);
        assert_eq!(several(vec![shared()]).reason, Reason::TenantShared);
        assert_eq!(several(vec![shared(), other()]).reason, Reason::PreflightFailed);
        assert_eq!(several(vec![other()]).reason, Reason::PreflightFailed);
    }
}

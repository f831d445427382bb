//! Before the one step that cannot be undone: prove that every later one can be carried out. Changes nothing.

use super::Run;
use super::halt::{Halt, Problems};
use super::observe::Observed;
use crate::domain::{CurrentHealth, Job, Plan, Reason, Settings};
use crate::ports::{CallError, Class};

/// What a rotation may rely on.
pub(super) struct Ready {
    /// The job as just read.
    pub job: Job,
    /// The current token has turned out to be dead.
    pub current_dead: bool,
}

impl Run<'_> {
    /// Asks everything that a rotation will need, and names all that is missing at once.
    #[tracing::instrument(name = "step", skip_all, fields(step = "preflight"))]
    pub async fn preflight(&self, plan: &Plan, seen: &Observed) -> Result<Ready, Halt> {
        self.progress.enter("preflight");
        let (tenant, job, settings) =
            futures::join!(self.ports.issuer.preflight(), self.ports.provisioner.job(), self.check_settings());
        let mut problems = Vec::new();
        let mut keep = |halt: Halt| problems.push(halt);
        match tenant {
            Ok(Some(tenant)) => self.claim_tenant(&tenant).unwrap_or_else(&mut keep),
            Ok(None) => (),
            Err(error) => keep(error.into()),
        }
        let job = job.map_err(|error| keep(error.into())).ok();
        settings.map(drop).unwrap_or_else(&mut keep);
        let current_dead = match self.current_is_dead(plan, seen).await {
            Ok(dead) => dead,
            Err(halt) => {
                keep(halt);
                false
            }
        };
        match job {
            Some(job) if problems.is_empty() => Ok(Ready { job, current_dead }),
            _ => Err(several(problems)),
        }
    }

    /// At the first look: claims the issuer's tenant, so that another connection of the same tenant is noticed before
    /// either rotates. What cannot be learnt now is learnt at the preflight.
    pub async fn introduce(&self) {
        match self.ports.issuer.preflight().await {
            Ok(Some(tenant)) => drop(self.ports.tenants.claim(&tenant, &self.spec.name)),
            Ok(None) => (),
            Err(error) => {
                let error = super::halt::chain(&error);
                tracing::warn!(%error, "the issuer's bearer cannot be had now; without it no token can be issued");
            }
        }
    }

    /// The saved settings, if they can be written again around a new token.
    pub async fn check_settings(&self) -> Result<Settings, Halt> {
        let settings = self.ports.provisioner.settings().await?;
        match settings.check(&self.spec.tenant_url) {
            Ok(()) => Ok(settings),
            Err(refusal) => {
                let mut error = CallError::new("Microsoft Graph", Class::Human, refusal.to_string());
                error.advice = Some(
                    "no token is sent anywhere until the application's Admin Credentials and `entra.tenant_url` agree"
                        .to_owned(),
                );
                Err(error.into())
            }
        }
    }

    /// The current token goes through the very test that will judge the new one.
    async fn current_is_dead(&self, plan: &Plan, seen: &Observed) -> Result<bool, Halt> {
        let unproven_intent = seen.journal.open_intent().is_some();
        if plan.current_dead || unproven_intent {
            return Ok(plan.current_dead);
        }
        match self.current_health(&seen.journal).await? {
            CurrentHealth::Good => Ok(false),
            CurrentHealth::Refused => Ok(true),
            // A token in wrong hands is to die even while nobody can tell how it fares.
            CurrentHealth::Unclear if plan.compromised => Ok(false),
            CurrentHealth::Unclear => Err(CallError::new(
                "Microsoft Graph",
                Class::Retry { after: None },
                "Entra's test does not accept the current token, and nothing shows whether the token or the SCIM endpoint is at fault",
            )
            .into()),
        }
    }

    /// A rotation acts on the tenant's one token: no two connections may have the same tenant.
    fn claim_tenant(&self, tenant: &str) -> Result<(), Halt> {
        self.ports.tenants.claim(tenant, &self.spec.name).map_err(|other| {
            let what = format!("its API client belongs to the tenant that connection {other:?} already rotates");
            let mut error = CallError::new("HPE", Class::Human, what);
            error.advice = Some("a rotation acts on the tenant's one token: keep one connection per tenant".to_owned());
            Halt::from(error).during(Reason::TenantShared)
        })
    }
}

/// All problems as one failure; a person is needed only where nothing else is wrong.
fn several(problems: Vec<Halt>) -> Halt {
    let transient = problems.iter().find(|p| !matches!(p.class, Class::Human)).map(|p| p.class);
    let reason = match problems.as_slice() {
        [only] if only.reason == Reason::TenantShared => Reason::TenantShared,
        _ => Reason::PreflightFailed,
    };
    Halt { reason, class: transient.unwrap_or(Class::Human), cause: Some(Box::new(Problems(problems))) }
}

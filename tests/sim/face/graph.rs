//! Graph over the world: one job of its service principal.

use async_trait::async_trait;
use scim_rotator::domain::settings::{BASE_ADDRESS, SECRET_TOKEN, SecretsUpdate};
use scim_rotator::domain::{Job, Quarantine, Settings, Timestamp, Token, Verdict};
use scim_rotator::ports::{CallError, Provisioner};

use super::Face;
use crate::world::{Op, Refusal, World};

/// The `Date` header: whole seconds.
fn date(world: &World) -> Timestamp {
    chrono::DateTime::from_timestamp(world.now().timestamp(), 0).unwrap_or(world.now())
}

/// The configured job, or the only one, or the only one for SCIM.
fn job_id(world: &World, configured: Option<&str>) -> Result<String, Refusal> {
    let scim: Vec<_> = world.jobs().iter().filter(|job| job.template() == "scim").collect();
    match (configured, world.settings.jobs.as_slice(), scim.as_slice()) {
        (Some(id), ..) => Ok(id.to_owned()),
        (None, [only], _) => Ok(only.clone()),
        (None, _, [only]) => Ok(only.id.clone()),
        (None, jobs, _) => Err(refusal(format!("there is not one job but these: {}", jobs.join(", ")))),
    }
}

fn verdict(accepted: bool) -> Verdict {
    if accepted { Verdict::Accepted } else { Verdict::NotAccepted }
}

impl Face {
    async fn graph<T>(&self, op: Op, deed: impl FnOnce(&mut World) -> Result<T, Refusal>) -> Result<T, CallError> {
        let answer = self.port(|face| {
            face.exchange(op, |world| {
                world.graph_access()?;
                deed(world)
            })
        });
        answer.await.map_err(|broken| broken.error(op))
    }

    /// A call of one job.
    async fn of_job<T>(
        &self,
        op: Op,
        deed: impl FnOnce(&mut World, &str) -> Result<T, Refusal>,
    ) -> Result<T, CallError> {
        self.graph(op, |world| {
            let id = job_id(world, self.options.job_id.as_deref())?;
            world.job(&id).ok_or_else(|| gone(&id))?;
            deed(world, &id)
        })
        .await
    }

    async fn test(&self, op: Op, deed: impl FnOnce(&mut World) -> bool) -> Result<Verdict, CallError> {
        self.of_job(op, |world, _| Ok(verdict(deed(world)))).await
    }
}

#[async_trait]
impl Provisioner for Face {
    async fn job(&self) -> Result<Job, CallError> {
        self.of_job(Op::JobRead, |world, id| {
            let job = world.job(id).ok_or_else(|| gone(id))?;
            Ok(Job {
                id: job.id.clone(),
                state: world.shown_state(job),
                quarantine: job.quarantine.as_ref().map(|quarantine| Quarantine {
                    reason: quarantine.reason.to_owned(),
                    began: Some(quarantine.began),
                    next_attempt: quarantine.next_attempt,
                }),
                last_execution: job.last.clone(),
                last_success: job.last_success.clone(),
                interval: Some(world.settings.cycle_interval),
                seen_at: date(world),
            })
        })
        .await
    }

    async fn settings(&self) -> Result<Settings, CallError> {
        self.graph(Op::SettingsRead, |world| Ok(Settings(world.graph_settings()))).await
    }

    async fn provision(&self, update: &SecretsUpdate) -> Result<Timestamp, CallError> {
        let mut pairs = update.pairs.clone();
        pairs.push((SECRET_TOKEN.to_owned(), update.token.expose().to_owned()));
        self.graph(Op::SettingsPut, |world| {
            world.put_settings(&pairs);
            Ok(date(world))
        })
        .await
    }

    async fn test_candidate(&self, token: &Token) -> Result<Verdict, CallError> {
        self.test(Op::TestCandidate, |world| {
            let url = world.settings.tenant_url.clone();
            world
                .test_candidate(&[(BASE_ADDRESS.to_owned(), url), (SECRET_TOKEN.to_owned(), token.expose().to_owned())])
        })
        .await
    }

    async fn test_saved(&self) -> Result<Verdict, CallError> {
        self.test(Op::TestSaved, World::test_saved).await
    }

    async fn pause(&self) -> Result<Timestamp, CallError> {
        self.of_job(Op::Pause, |world, id| if world.pause(id) { Ok(date(world)) } else { Err(gone(id)) }).await
    }

    async fn start(&self) -> Result<Timestamp, CallError> {
        self.of_job(Op::Start, |world, id| if world.start(id) { Ok(date(world)) } else { Err(gone(id)) }).await
    }
}

fn gone(id: &str) -> Refusal {
    refusal(format!("there is no job {id}"))
}

fn refusal(message: String) -> Refusal {
    Refusal { status: 404, code: "ResourceNotFound", message, retry_after: None }
}

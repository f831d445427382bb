//! The provisioning job (facts/entra.md, "Jobs", "Permissions and errors").

use chrono::TimeDelta;
use scim_rotator::domain::{Execution, ExecutionState, Job, JobState};
use scim_rotator::ports::Class;

use super::begin;
use super::far_side::{FarSide, RETRY, Terms, retry_after};
use crate::world::{Begin, Fault, Op, Schedule, Settings, Who};

fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

/// Cycles begin at 5, 45, 85 … minutes and take 4.
async fn usual() -> FarSide {
    begin(Settings::default(), Terms::default()).await
}

async fn job(far: &FarSide) -> Job {
    far.provisioner.job().await.expect("a job")
}

/// "Null dates come as `0001-01-01T00:00:00Z`."
#[tokio::test]
async fn a_job_that_has_never_run_shows_no_execution_and_no_quarantine() {
    for (begun, state) in [(Begin::Empty, JobState::NotRun), (Begin::AtEntra, JobState::Active)] {
        let far = begin(Settings { begin: begun, ..Settings::default() }, Terms::default()).await;
        let id = far.world().settings.jobs[0].clone();
        let expected = Job {
            id,
            state,
            quarantine: None,
            last_execution: None,
            last_success: None,
            interval: Some(minutes(40)),
            seen_at: far.now(),
        };
        assert_eq!(job(&far).await, expected);
    }
}

/// "`status.lastExecution`: {timeBegan, timeEnded, state}. There is no 'in progress'."
#[tokio::test]
async fn a_cycle_is_shown_when_it_has_ended_dated_by_graphs_clock() {
    let far = usual().await;
    let start = far.now();
    far.pass(minutes(8));
    assert_eq!(job(&far).await.last_execution, None);
    far.pass(minutes(1));
    let seen = job(&far).await;
    let (began, ended) = (start + minutes(5), start + minutes(9));
    assert_eq!(seen.last_execution, Some(Execution { began, ended, state: ExecutionState::Succeeded }));
    assert_eq!((seen.seen_at, seen.next_cycle()), (ended, Some(start + minutes(45))));
    far.pass(minutes(40));
    assert_eq!(job(&far).await.last_execution.unwrap().began, start + minutes(45));
}

/// "EntryLevelErrors is success for us: the token was accepted."
#[tokio::test]
async fn single_users_that_fail_show_as_entry_level_errors_and_the_cycle_counts_as_a_success() {
    let far = begin(Settings { entry_level_errors: true, ..Settings::default() }, Terms::default()).await;
    let start = far.now();
    far.pass(minutes(10));
    let seen = job(&far).await;
    assert_eq!(seen.last_execution.as_ref().unwrap().state, ExecutionState::EntryLevelErrors);
    assert!(seen.succeeded_since(start) && !seen.succeeded_since(start + minutes(5)));
}

/// "Bad credentials quarantine a job at once. Retries then come after 6, 12 and 24 h, then daily."
#[tokio::test]
async fn a_dead_token_quarantines_the_job_at_once_and_the_timetable_is_shown() {
    let far = usual().await;
    let began = far.now() + minutes(5);
    far.world().person_deletes_tokens();
    far.pass(minutes(5));
    for hours in [6, 18, 42, 66] {
        let seen = job(&far).await;
        assert_eq!(seen.state, JobState::Quarantine);
        let quarantine = seen.quarantine.unwrap();
        assert!(quarantine.is_for_credentials());
        let next = began + TimeDelta::hours(hours);
        assert_eq!((quarantine.began, quarantine.next_attempt), (Some(began), Some(next)));
        assert_eq!(seen.last_execution.unwrap().state, ExecutionState::Failed);
        far.world().advance_to(next);
    }
}

/// "After 28 days it is disabled": then no attempt is planned any more.
#[tokio::test]
async fn after_28_days_of_quarantine_no_attempt_is_shown() {
    let far = usual().await;
    far.world().person_deletes_tokens();
    far.pass(minutes(5) + TimeDelta::days(28));
    let quarantine = job(&far).await.quarantine.unwrap();
    assert_eq!((quarantine.next_attempt, far.world().jobs()[0].schedule), (None, Schedule::Disabled));
}

/// "`start` … clears quarantine."
#[tokio::test]
async fn a_start_ends_the_quarantine_and_a_cycle_begins_soon() {
    let far = usual().await;
    far.world().person_deletes_tokens();
    far.pass(minutes(6));
    let token = far.world().person_creates();
    far.world().person_saves(&token);
    assert_eq!(job(&far).await.state, JobState::Quarantine);
    let at = far.provisioner.start().await.unwrap();
    let seen = job(&far).await;
    assert_eq!((at, seen.state, seen.quarantine), (far.now(), JobState::Active, None));
    far.pass(minutes(5));
    assert!(job(&far).await.succeeded_since(at));
}

/// "`pause` 204 keeps all progress. `start` 204 resumes from there."
#[tokio::test]
async fn a_paused_job_runs_no_cycle_until_it_is_started_and_both_are_dated_by_graph() {
    let far = usual().await;
    far.pass(minutes(20));
    let paused = far.provisioner.pause().await.unwrap();
    assert_eq!((paused, job(&far).await.state), (far.now(), JobState::Paused));
    far.pass(minutes(60));
    assert_eq!(job(&far).await.last_execution.unwrap().began, paused - minutes(15));
    let started = far.provisioner.start().await.unwrap();
    assert_eq!((started, job(&far).await.state), (far.now(), JobState::Active));
    far.pass(minutes(5));
    assert!(job(&far).await.succeeded_since(started));
    assert_eq!(far.world().ledger.cycles_failed, 0);
}

/// Graph does not say who has paused a job.
#[tokio::test]
async fn a_persons_pause_looks_like_ours() {
    let far = usual().await;
    far.world().person_pauses();
    assert_eq!(job(&far).await.state, JobState::Paused);
    far.provisioner.pause().await.unwrap();
    assert_eq!(far.world().jobs()[0].paused_by, Some(Who::Person), "and stays his when we pause as well");
}

/// Whether a pause ends a running cycle is unknown; Graph shows none in either case.
#[tokio::test]
async fn a_running_cycle_may_outlive_the_pause_or_end_with_it_unseen() {
    for (pause_ends_cycle, shown) in [(false, true), (true, false)] {
        let far = begin(Settings { pause_ends_cycle, ..Settings::default() }, Terms::default()).await;
        far.pass(minutes(6));
        far.provisioner.pause().await.unwrap();
        assert_eq!(job(&far).await.last_execution, None);
        far.pass(minutes(60));
        assert_eq!(job(&far).await.last_execution.is_some(), shown);
    }
}

/// A pause or a start is not the same when it is done twice: whose answer is lost is open.
#[tokio::test]
async fn a_pause_or_a_start_without_an_answer_is_ambiguous() {
    let table = [
        (Fault::LoseRequest, Class::Ambiguous),
        (Fault::LoseAnswer, Class::Ambiguous),
        (Fault::Html, Class::Ambiguous),
        (Fault::Status(408, None), Class::Ambiguous),
        (Fault::Status(500, None), Class::Ambiguous),
        (Fault::Status(503, Some(9)), Class::Ambiguous),
        (Fault::Status(429, Some(9)), retry_after(9)),
        (Fault::Status(409, None), RETRY),
    ];
    let far = usual().await;
    for (fault, class) in table {
        far.world().faults.at_call(Op::Pause, 1, fault);
        assert_eq!(far.provisioner.pause().await.unwrap_err().class, class, "pause, {fault:?}");
        far.world().faults.at_call(Op::Start, 1, fault);
        assert_eq!(far.provisioner.start().await.unwrap_err().class, class, "start, {fault:?}");
    }
}

/// "429 and 503 usually carry `Retry-After`; survive its absence."
#[tokio::test]
async fn a_job_that_could_not_be_read_is_worth_another_try() {
    let table = [
        (Fault::LoseRequest, RETRY),
        (Fault::LoseAnswer, RETRY),
        (Fault::Truncated, RETRY),
        (Fault::Html, RETRY),
        (Fault::Status(429, Some(9)), retry_after(9)),
        (Fault::Status(429, None), RETRY),
        (Fault::Status(503, Some(9)), retry_after(9)),
        (Fault::Status(502, None), RETRY),
    ];
    let far = usual().await;
    for (fault, class) in table {
        far.world().faults.at_call(Op::JobRead, 1, fault);
        assert_eq!(far.provisioner.job().await.unwrap_err().class, class, "job, {fault:?}");
        far.world().faults.at_call(Op::SettingsRead, 1, fault);
        assert_eq!(far.provisioner.settings().await.unwrap_err().class, class, "settings, {fault:?}");
    }
}

/// A job that was configured and is gone, or never was.
#[tokio::test]
async fn a_job_that_is_not_there_is_a_404_for_a_person_to_mend() {
    let job_id = Some("scim.nowhere".to_owned());
    let far = begin(Settings::default(), Terms { job_id, ..Terms::default() }).await;
    let errors = [
        far.provisioner.job().await.unwrap_err(),
        far.provisioner.pause().await.unwrap_err(),
        far.provisioner.start().await.unwrap_err(),
        far.provisioner.test_saved().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.status, error.class), (Some(404), Class::Human), "{error}");
    }
}

/// "A service principal may hold several jobs: take the configured id, or the only one; otherwise refuse and list them."
#[tokio::test]
async fn of_several_jobs_the_named_one_is_taken_and_none_without_a_name() {
    let jobs = vec!["scim.one".to_owned(), "scim.two".to_owned()];
    let settings = Settings { jobs, ..Settings::default() };
    let far = begin(settings.clone(), Terms::default()).await;
    for error in [far.provisioner.job().await.unwrap_err(), far.provisioner.pause().await.unwrap_err()] {
        assert_eq!(error.class, Class::Human);
        assert!(error.to_string().contains("scim.one") && error.to_string().contains("scim.two"), "{error}");
    }
    assert!(far.world().jobs().iter().all(|job| job.state == JobState::Active));
    let far = begin(settings, Terms { job_id: Some("scim.two".to_owned()), ..Terms::default() }).await;
    far.provisioner.pause().await.unwrap();
    assert_eq!(job(&far).await.id, "scim.two");
    let states: Vec<_> = far.world().jobs().iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Active, JobState::Paused]);
}

/// Jobs of other templates have other credentials: the only one for SCIM is the one that is meant.
#[tokio::test]
async fn of_several_jobs_the_only_one_for_scim_is_taken_without_a_name() {
    let jobs = vec!["gsuite.one".to_owned(), "scim.two".to_owned(), "Azure2Azure.three".to_owned()];
    let far = begin(Settings { jobs, ..Settings::default() }, Terms::default()).await;
    far.provisioner.pause().await.unwrap();
    assert_eq!(job(&far).await.id, "scim.two");
    let states: Vec<_> = far.world().jobs().iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Active, JobState::Paused, JobState::Active]);
}

/// "`{id}` is the service principal's object id … (resolve once …)": and again, should it have been made anew.
#[tokio::test]
async fn a_service_principal_named_by_its_application_id_is_found_and_found_again() {
    let far = begin(Settings::default(), Terms { by_app_id: true, ..Terms::default() }).await;
    let seen = job(&far).await;
    far.provisioner.settings().await.unwrap();
    far.world().settings.service_principal = "5c2f1ab0-0000-4000-8000-000000000099".to_owned();
    assert_eq!(job(&far).await, seen);
    far.provisioner.pause().await.unwrap();
    assert_eq!(job(&far).await.state, JobState::Paused);
}

/// "A missing permission shows as 401 as often as 403." What Graph says of a race, of haste and of itself passes by.
#[tokio::test]
async fn refusals_are_told_by_status_and_code() {
    let table = [
        (401, "UnknownError", "", Class::Human),
        (401, "Unauthorized", "no", Class::Human),
        (403, "Authorization_RequestDenied", "Insufficient privileges.", Class::Human),
        (404, "Request_ResourceNotFound", "no", Class::Human),
        (409, "Directory_ConcurrencyViolation", "no", RETRY),
        (429, "TooManyRequests", "no", RETRY),
        (503, "serviceNotAvailable", "no", RETRY),
    ];
    let far = usual().await;
    let token = far.token(1);
    for (status, code, message, class) in table {
        far.world().settings.graph_refusal = Some((status, code, message));
        let errors = [
            far.provisioner.job().await.unwrap_err(),
            far.provisioner.settings().await.unwrap_err(),
            far.provisioner.test_candidate(&token).await.unwrap_err(),
            far.provisioner.test_saved().await.unwrap_err(),
        ];
        for error in errors {
            let seen = (error.status, error.code.as_deref(), error.class);
            assert_eq!(seen, (Some(status), Some(code), class), "{error}");
        }
    }
}

/// "Owning only the app registration gives 401 `UnknownError` with an empty message."
#[tokio::test]
async fn who_does_not_own_the_service_principal_gets_a_401_without_words() {
    let far = begin(Settings { owns_service_principal: false, ..Settings::default() }, Terms::default()).await;
    let token = far.token(1);
    let errors = [
        far.provisioner.job().await.unwrap_err(),
        far.provisioner.settings().await.unwrap_err(),
        far.provisioner.test_candidate(&token).await.unwrap_err(),
    ];
    for error in errors {
        let seen = (error.status, error.code.as_deref(), error.class);
        assert_eq!(seen, (Some(401), Some("UnknownError"), Class::Human), "{error}");
    }
}

/// A login that Entra no longer honours is made anew, and nobody is told of it.
#[tokio::test]
async fn a_revoked_login_does_not_show() {
    let far = usual().await;
    job(&far).await;
    far.vault.list().await.unwrap();
    far.world().revoke_entra_tokens();
    job(&far).await;
    far.vault.list().await.unwrap();
}

//! The enterprise application: whose it is, its job, its settings, its mappings, its people.

use super::bearers::Bearers;
use super::questions::minute;
use super::{Assigned, Check, Mapping, Outcome, Questions, Subject, fixes};
use crate::domain::settings::{BASE_ADDRESS, Settings, SettingsRefusal};
use crate::domain::{ExecutionState, Job, JobState};

const HOPS: [&str; 7] = ["service-principal", "owner", "job", "cycle", "settings", "mapping", "assigned"];

/// Puts the checks in. Answers with whether Entra provisions somewhere else than the configuration says.
pub(super) async fn all(subject: &Subject, ask: &Questions, bearers: &Bearers, checks: &mut Vec<Check>) -> bool {
    if let Some(cause) = &bearers.no_graph {
        checks.extend(HOPS.map(|hop| Check::skipped(hop, cause)));
        return false;
    }
    let principal = principal(subject, ask, bearers).await;
    let is_there = principal.outcome != Outcome::Fault;
    checks.push(principal);
    if !is_there {
        checks.extend(HOPS[1..].iter().map(|hop| Check::skipped(hop, HOPS[0])));
        return false;
    }
    checks.push(owner(subject, ask, bearers).await);
    let job = match ask.provisioner.job().await {
        Ok(job) => {
            checks.extend([state(subject, &job), cycle(&job)]);
            Some(job)
        }
        Err(call) => {
            let check = Check::failed("job", Outcome::Fault, &call);
            let list = fixes::jobs(&subject.graph, subject.service_principal_id);
            let advice = call.advice.as_ref().map(|advice| format!("{advice}\n")).unwrap_or_default();
            checks.extend([check.fix(format!("{advice}{list}")), Check::skipped("cycle", "job")]);
            None
        }
    };
    let saved = ask.provisioner.settings().await;
    let (check, is_foreign) = match &saved {
        Ok(saved) => settings(subject, saved),
        Err(call) => (Check::failed("settings", Outcome::Fault, call), false),
    };
    checks.push(check);
    checks.push(match &job {
        Some(job) => mapping(ask, job).await,
        None => Check::skipped("mapping", "job"),
    });
    let everybody = saved.is_ok_and(|saved| saved.get("SyncAll").is_some_and(|all| all.eq_ignore_ascii_case("true")));
    checks.push(assigned(subject, ask, everybody).await);
    is_foreign
}

/// Whether Graph refused for want of a right that only the doctor needs: the daemon itself never asks this.
fn is_refused(call: &crate::ports::CallError) -> bool {
    matches!(call.status, Some(401 | 403))
}

async fn principal(subject: &Subject, ask: &Questions, bearers: &Bearers) -> Check {
    const HOP: &str = HOPS[0];
    match ask.directory.principal().await {
        Ok(seen) => {
            let app_id = seen.app_id.map(|id| format!(", application id {id}")).unwrap_or_default();
            let said = format!("{:?}{app_id}", seen.name);
            let own = bearers.graph.as_ref().and_then(|claims| claims.app_id);
            match own.is_some() && own == seen.app_id {
                true => {
                    Check::warning(HOP, format!("{said}: this is the daemon's own application, is it the one meant?"))
                        .fix(fixes::find_principal())
                }
                false => Check::ok(HOP, said),
            }
        }
        Err(call) if call.status == Some(404) => {
            let check = Check::failed(HOP, Outcome::Fault, &call);
            match ask.directory.principal_mixed_up().await {
                Ok(right) => Check {
                    evidence: format!(
                        "{} is the {} of {:?}, not its {}",
                        subject.service_principal_id,
                        subject.service_principal_id.mixed_up().kind(),
                        right.name,
                        subject.service_principal_id.kind()
                    ),
                    ..check
                }
                .fix(format!("service_principal_id = \"{}\"   # in the configuration", right.id)),
                Err(_) => check.fix(fixes::find_principal()),
            }
        }
        Err(call) if is_refused(&call) => Check::failed(HOP, Outcome::Warning, &call),
        Err(call) => Check::failed(HOP, Outcome::Fault, &call),
    }
}

async fn owner(subject: &Subject, ask: &Questions, bearers: &Bearers) -> Check {
    const HOP: &str = HOPS[1];
    let caller = bearers.graph.as_ref().and_then(|claims| claims.object_id);
    let may_any = bearers.may_manage_any();
    let fix = |check: Check| check.fix(fixes::owner(&subject.graph, subject.service_principal_id, caller));
    let owners = match ask.directory.owners().await {
        Ok(owners) => owners,
        Err(call) if may_any || is_refused(&call) => return Check::failed(HOP, Outcome::Warning, &call),
        Err(call) => return Check::failed(HOP, Outcome::Fault, &call),
    };
    let count = owners.ids.len();
    match caller {
        _ if may_any => Check::ok(HOP, "not needed: the token's role is for every application"),
        None => Check::warning(HOP, format!("{count} owners; the token does not tell whether this identity is one")),
        Some(caller) if owners.ids.contains(&caller) => {
            Check::ok(HOP, format!("this identity is one of {count} owners"))
        }
        Some(_) if owners.more => Check::warning(HOP, format!("not among the first {count} owners")),
        Some(_) if bearers.graph.as_ref().is_some_and(|claims| claims.is_delegated()) => {
            Check::warning(HOP, "this person is no owner; a directory role may stand in for that")
        }
        Some(caller) => {
            let others = if count == 0 { "nobody is".to_owned() } else { format!("{count} others are") };
            fix(Check::fault(HOP, format!("{caller} (this identity) is no owner of the service principal; {others}")))
        }
    }
}

fn state(subject: &Subject, job: &Job) -> Check {
    const HOP: &str = HOPS[2];
    let id = &job.id;
    let start = || fixes::start(&subject.graph, subject.service_principal_id, id);
    if let Some(quarantine) = &job.quarantine {
        let since = quarantine.began.map(|at| format!(" since {}", minute(at))).unwrap_or_default();
        let next = quarantine.next_attempt.map(|at| format!(", Entra tries again {}", minute(at))).unwrap_or_default();
        let reason = if quarantine.is_for_credentials() { "bad credentials" } else { quarantine.reason.as_str() };
        let said = format!("{id} is in quarantine{since} for {reason}{next}");
        return Check::fault(HOP, said).fix("scim-rotator once   # heals it, if the credentials are the cause");
    }
    match job.state {
        JobState::Active => Check::ok(HOP, format!("{id} is active")),
        JobState::Paused => Check::warning(HOP, format!("{id} is paused: by a person, or by a rotation under way"))
            .fix(format!("scim-rotator status   # says whose pause it is; a person's is ended by:\n{}", start())),
        JobState::NotRun => Check::warning(HOP, format!("{id} has never run")).fix(start()),
        JobState::NotConfigured => {
            Check::fault(HOP, format!("{id} is not configured: it has no credentials, or no mapping"))
                .fix("Entra admin center → Enterprise applications → the application → Provisioning → Get started")
        }
        JobState::Quarantine => Check::fault(HOP, format!("{id} is in quarantine")).fix("scim-rotator once"),
        JobState::Unknown => Check::warning(HOP, format!("{id} is in a state that this version does not know")),
    }
}

fn cycle(job: &Job) -> Check {
    const HOP: &str = HOPS[3];
    let logs = "Entra admin center → Enterprise applications → the application → Provisioning logs";
    let Some(last) = &job.last_execution else {
        return Check::warning(HOP, "no provisioning cycle has ended yet");
    };
    let ended = minute(last.ended);
    match last.state {
        ExecutionState::Succeeded => Check::ok(HOP, format!("the last one succeeded at {ended}")),
        ExecutionState::EntryLevelErrors => Check::warning(
            HOP,
            format!("the last one (ended {ended}) let the token in, and failed for single users or groups"),
        )
        .fix(logs),
        ExecutionState::Failed => Check::fault(HOP, format!("the last one failed at {ended}")).fix(logs),
    }
}

fn settings(subject: &Subject, saved: &Settings) -> (Check, bool) {
    const HOP: &str = HOPS[4];
    let ours = subject.tenant_url.to_string();
    match saved.check(&ours) {
        Ok(()) => {
            let shown = saved.0.len();
            let check = match saved.get(BASE_ADDRESS) {
                Some(_) => Check::ok(
                    HOP,
                    format!(
                        "the saved tenant URL is ours, and nothing among {shown} settings keeps them from being sent again"
                    ),
                ),
                None => Check::warning(HOP, "Entra shows no saved tenant URL, so whether it is ours cannot be seen"),
            };
            (check, false)
        }
        Err(refusal) => {
            let check = Check::fault(HOP, refusal.to_string());
            match refusal {
                SettingsRefusal::ForeignTenantUrl { .. } => (check.fix(fixes::TENANT_URL), true),
                SettingsRefusal::UnreadableSibling(_) => {
                    let fix = "a write would lose it. Entra admin center → Enterprise applications → the application → \
                               Provisioning → Edit → Admin Credentials: choose the secret token as the only credential";
                    (check.fix(fix), false)
                }
                SettingsRefusal::NotTokenAuthentication(_) => {
                    let fix = "Entra admin center → Enterprise applications → the application → Provisioning → Edit → Admin \
                               Credentials → Authentication method: bearer (secret token)";
                    (check.fix(fix), false)
                }
            }
        }
    }
}

async fn mapping(ask: &Questions, job: &Job) -> Check {
    const HOP: &str = HOPS[5];
    match ask.directory.mappings(&job.id).await {
        Ok(mappings) => judged(&mappings),
        Err(call) if is_refused(&call) => Check::failed(HOP, Outcome::Warning, &call),
        Err(call) => Check::failed(HOP, Outcome::Fault, &call),
    }
}

fn judged(mappings: &[Mapping]) -> Check {
    const HOP: &str = HOPS[5];
    let users: Vec<_> = mappings.iter().filter(|mapping| mapping.source.eq_ignore_ascii_case("user")).collect();
    let updates = |mapping: &&&Mapping| mapping.flows.iter().any(|flow| flow.eq_ignore_ascii_case("update"));
    let used: Vec<_> = users.iter().filter(|mapping| mapping.enabled).collect();
    match used.as_slice() {
        [] if users.is_empty() => Check::warning(HOP, "the job's schema has no mapping of users"),
        [] => Check::warning(HOP, "the mapping of users is switched off: no user is provisioned"),
        used => match used.iter().copied().find(updates) {
            Some(mapping) => {
                Check::fault(HOP, format!("users are mapped with {}: HPE updates no user", mapping.flows.join(", ")))
                    .fix(fixes::MAPPING)
            }
            None => {
                let flows: Vec<_> = used.iter().map(|mapping| mapping.flows.join(", ")).collect();
                Check::ok(HOP, format!("users are mapped with {}, and without Update", flows.join("; ")))
            }
        },
    }
}

async fn assigned(subject: &Subject, ask: &Questions, everybody: bool) -> Check {
    const HOP: &str = HOPS[6];
    let Assigned { people, groups, more } = match ask.directory.assigned().await {
        Ok(assigned) => assigned,
        Err(call) if is_refused(&call) => return Check::failed(HOP, Outcome::Warning, &call),
        Err(call) => return Check::failed(HOP, Outcome::Fault, &call),
    };
    let least = if more { "at least " } else { "" };
    match (people + groups, everybody) {
        (_, true) => Check::ok(HOP, "SyncAll is set: everybody is provisioned, assigned or not"),
        (0, false) if more => Check::warning(HOP, "neither people nor groups are among the first that are assigned"),
        (0, false) => {
            Check::fault(HOP, "neither people nor groups are assigned to the application: nobody is provisioned")
                .fix(fixes::assign(&subject.graph, subject.service_principal_id))
        }
        _ => Check::ok(HOP, format!("{least}{groups} groups and {people} people are assigned")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(enabled: bool, flows: &[&str]) -> Mapping {
        Mapping { source: "User".to_owned(), enabled, flows: flows.iter().map(|flow| (*flow).to_owned()).collect() }
    }

    #[test]
    fn only_a_mapping_of_users_that_is_used_must_not_update() {
        let group = Mapping { source: "Group".to_owned(), ..user(true, &["Add", "Update"]) };
        let table = [
            (vec![user(true, &["Add", "Delete"]), group.clone()], Outcome::Ok),
            (vec![user(true, &["Add", "Update", "Delete"])], Outcome::Fault),
            (vec![user(false, &["Update"]), user(true, &["Add"])], Outcome::Ok),
            (vec![user(false, &["Update"])], Outcome::Warning),
            (vec![group], Outcome::Warning),
        ];
        for (mappings, outcome) in table {
            assert_eq!(judged(&mappings).outcome, outcome, "{mappings:?}");
        }
    }
}

//! A provisioning job as Graph words it.

use chrono::{SecondsFormat, TimeDelta};
use scim_rotator::domain::{Execution, ExecutionState};
use serde_json::{Value, json};

use crate::world::{Job, Schedule, Timestamp, World};

/// How Graph says "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The job's JSON.
pub fn job_json(world: &World, job: &Job) -> Value {
    let quarantine = job.quarantine.as_ref().map(|quarantine| {
        let began = moment(quarantine.began);
        json!({
            "reason": quarantine.reason, "currentBegan": began, "seriesBegan": began,
            "seriesCount": quarantine.count,
            "nextAttempt": quarantine.next_attempt.map_or_else(|| NEVER.to_owned(), moment),
            "error": { "code": "InvalidCredentials", "message": "The credentials were refused.", "tenantActionable": true },
        })
    });
    let schedule = match job.schedule {
        Schedule::Active => "Active",
        Schedule::Disabled => "Disabled",
        Schedule::Paused => "Paused",
    };
    json!({
        "id": job.id,
        "templateId": job.template(),
        "schedule": { "expiration": null, "interval": iso(world.settings.cycle_interval), "state": schedule },
        "status": {
            "code": format!("{:?}", world.shown_state(job)),
            "countSuccessiveCompleteFailures": 0,
            "escrowsPruned": false,
            "lastExecution": job.last.as_ref().map(execution),
            "lastSuccessfulExecution": job.last_success.as_ref().map(execution),
            "steadyStateFirstAchievedTime": NEVER,
            "steadyStateLastAchievedTime": NEVER,
            "quarantine": quarantine,
            "troubleshootingUrl": "",
        },
    })
}

fn execution(execution: &Execution) -> Value {
    let error = (execution.state == ExecutionState::Failed)
        .then(|| json!({ "code": "SystemForCrossDomainIdentityManagementServiceIncompatible", "message": "failed" }));
    json!({
        "activityIdentifier": "00000000-0000-4000-8000-00000000cafe",
        "countEntitled": 0, "countEntitledForProvisioning": 0, "countEscrowed": 0, "countExported": 0, "countImported": 0,
        "state": format!("{:?}", execution.state),
        "timeBegan": moment(execution.began),
        "timeEnded": moment(execution.ended),
        "error": error,
    })
}

/// Seven digits of a second, as Graph writes them.
fn moment(moment: Timestamp) -> String {
    let text = moment.to_rfc3339_opts(SecondsFormat::Micros, true);
    format!("{}0Z", text.trim_end_matches('Z'))
}

/// ISO 8601: `PT40M`.
fn iso(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let part = |n: i64, unit: char| if n > 0 { format!("{n}{unit}") } else { String::new() };
    let text = [part(hours, 'H'), part(minutes, 'M'), part(seconds, 'S')].concat();
    if text.is_empty() { "PT0S".to_owned() } else { format!("PT{text}") }
}

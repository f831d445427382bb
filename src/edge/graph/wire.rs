//! Graph's JSON to our types and back. Pure and lenient: an unknown code is `Unknown`, a null date may come as the
//! year 1, and what is missing is none.

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};

use super::SERVICE;
use super::errors::unreadable;
use super::refused::Refused;
use crate::domain::settings::{BASE_ADDRESS, SECRET_TOKEN, SecretsUpdate};
use crate::domain::{Execution, ExecutionState, Job, JobState, Quarantine, Settings, Timestamp, Token};
use crate::edge::http::{Answer, shorten};
use crate::ports::{CallError, Class};

/// The template of a job for an application of one's own that speaks SCIM.
const SCIM: &str = "scim";

/// The only job of a list, or the only one for SCIM.
pub(super) fn only_job(answer: &Answer) -> Result<(String, Value), CallError> {
    let list: Value = answer.json().unwrap_or_default();
    let jobs = list["value"].as_array().ok_or_else(|| unreadable(answer, "is no list of jobs"))?;
    let human = |what: String, refused: Refused| {
        let mut call = CallError::new(SERVICE, Class::Human, format!("{}: {what}", answer.target));
        call.advice = refused.advice();
        call
    };
    let is_scim = |job: &&Value| text(&job["templateId"]).eq_ignore_ascii_case(SCIM);
    let scim: Vec<&Value> = jobs.iter().filter(is_scim).collect();
    let chosen = match (jobs.as_slice(), scim.as_slice()) {
        _ if !list["@odata.nextLink"].is_null() => None,
        ([job], _) => Some(job),
        (_, [job]) => Some(*job),
        _ => None,
    };
    match chosen.and_then(|job| Some((job["id"].as_str()?.to_owned(), job.clone()))) {
        Some(chosen) => Ok(chosen),
        None if jobs.is_empty() => Err(human("the application has no provisioning job".to_owned(), Refused::NoJob)),
        None => {
            let told = |job: &Value| {
                format!("{} ({}, {})", text(&job["id"]), text(&job["templateId"]), text(&job["status"]["code"]))
            };
            let all = shorten(&jobs.iter().map(told).collect::<Vec<_>>().join(", "), 500);
            Err(human(format!("the application has several provisioning jobs: {all}"), Refused::SeveralJobs))
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// A job; none when it is none.
pub(super) fn job(job: &Value, seen_at: Timestamp) -> Option<Job> {
    let status = &job["status"];
    Some(Job {
        id: job["id"].as_str()?.to_owned(),
        state: match status["code"].as_str()? {
            "NotConfigured" => JobState::NotConfigured,
            "NotRun" => JobState::NotRun,
            "Active" => JobState::Active,
            "Paused" => JobState::Paused,
            "Quarantine" => JobState::Quarantine,
            _ => JobState::Unknown,
        },
        quarantine: quarantine(&status["quarantine"]),
        last_execution: execution(&status["lastExecution"]),
        last_success: execution(&status["lastSuccessfulExecution"]),
        interval: job["schedule"]["interval"].as_str().and_then(duration),
        seen_at,
    })
}

/// Graph may show an empty object where there is no quarantine.
fn quarantine(value: &Value) -> Option<Quarantine> {
    let began = date(&value["currentBegan"]).or_else(|| date(&value["seriesBegan"]));
    let reason = value["reason"].as_str().unwrap_or_default().to_owned();
    (began.is_some() || !reason.is_empty()).then(|| Quarantine {
        reason,
        began,
        next_attempt: date(&value["nextAttempt"]),
    })
}

fn execution(value: &Value) -> Option<Execution> {
    Some(Execution {
        began: date(&value["timeBegan"])?,
        ended: date(&value["timeEnded"])?,
        // What is not known to be a success is none.
        state: match value["state"].as_str().unwrap_or_default() {
            "Succeeded" => ExecutionState::Succeeded,
            "EntryLevelErrors" => ExecutionState::EntryLevelErrors,
            _ => ExecutionState::Failed,
        },
    })
}

/// A date; `0001-01-01T00:00:00Z` stands for none.
fn date(value: &Value) -> Option<Timestamp> {
    let date = DateTime::parse_from_rfc3339(value.as_str()?).ok()?.to_utc();
    (date > Timestamp::UNIX_EPOCH).then_some(date)
}

/// An ISO 8601 duration of weeks, days, hours, minutes and seconds. Months and years have no fixed length: none.
fn duration(text: &str) -> Option<TimeDelta> {
    let mut rest = text.strip_prefix('P')?;
    let mut in_time = false;
    let mut total = TimeDelta::zero();
    let mut is_empty = true;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            (in_time, rest) = (true, time);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(end);
        let seconds: i64 = match (unit.chars().next()?, in_time) {
            ('W', false) => 7 * 86_400,
            ('D', false) => 86_400,
            ('H', true) => 3_600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        // Fractions of a second do not matter to a schedule.
        let number: i64 = number.split('.').next()?.parse().ok()?;
        total = total.checked_add(&TimeDelta::try_seconds(number.checked_mul(seconds)?)?)?;
        rest = &unit[1..];
        is_empty = false;
    }
    (!is_empty).then_some(total)
}

/// The saved settings; none when it is no list of them.
pub(super) fn settings(body: &Value) -> Option<Settings> {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let pairs = body["value"].as_array()?.iter();
    pairs
        .map(|pair| Some((pair["key"].as_str()?.to_owned(), text(&pair["value"]))))
        .collect::<Option<_>>()
        .map(Settings)
}

/// The body of a PUT. Every value is a string.
pub(super) fn secrets(update: &SecretsUpdate) -> Value {
    let pairs = update.pairs.iter().map(|(key, value)| pair(key, value));
    let token = pair(SECRET_TOKEN, update.token.expose());
    json!({"value": pairs.chain([token]).collect::<Vec<_>>()})
}

/// The body of a test of a token that Entra does not hold.
pub(super) fn candidate(tenant_url: &str, token: &Token) -> Value {
    json!({"credentials": [pair(BASE_ADDRESS, tenant_url), pair(SECRET_TOKEN, token.expose())]})
}

fn pair(key: &str, value: &str) -> Value {
    json!({"key": key, "value": value})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_durations_are_read_and_those_without_a_length_are_not() {
        let table = [
            ("PT40M", Some(40)),
            ("PT1H30M", Some(90)),
            ("P1D", Some(1440)),
            ("P1DT1M", Some(1441)),
            ("PT60.5S", Some(1)),
        ];
        for (text, minutes) in table {
            assert_eq!(duration(text).map(|d| d.num_minutes()), minutes, "{text}");
        }
        for text in [
            "",
            "P",
            "PT",
            "P1M",
            "P1Y",
            "PT5",
            "40M",
            "PT99999999999999999999H",
            "PT9223372036854775807H",
            "PTM",
            "P1H",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_job_is_read_with_null_dates_and_unknown_codes() {
        let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let value = json!({
            "id": "job", "schedule": {"interval": "PT40M", "state": "Active"},
            "status": {
                "code": "Quarantine",
                "quarantine": {"reason": "EncounteredQuarantineException", "currentBegan": "2026-11-15T08:00:00Z",
                               "nextAttempt": "0001-01-01T00:00:00Z", "error": null},
                "lastExecution": {"timeBegan": "2026-11-15T07:00:00.1234567Z", "timeEnded": "2026-11-15T07:01:00Z", "state": "Failed"},
            },
        });
        let seen = job(&value, now).unwrap();
        assert_eq!(
            (seen.state, seen.interval, seen.seen_at),
            (JobState::Quarantine, Some(TimeDelta::minutes(40)), now)
        );
        let quarantine = seen.quarantine.unwrap();
        assert!(quarantine.is_for_credentials() && quarantine.began.is_some() && quarantine.next_attempt.is_none());
        assert_eq!(seen.last_execution.unwrap().state, ExecutionState::Failed);

        let empty = json!({"reason": null, "currentBegan": "0001-01-01T00:00:00Z"});
        let value = json!({"id": "job", "status": {"code": "Melting", "quarantine": empty,
                           "lastExecution": {"timeBegan": "0001-01-01T00:00:00Z", "timeEnded": null}}});
        let seen = job(&value, now).unwrap();
        assert_eq!(
            (seen.state, seen.quarantine, seen.last_execution, seen.interval),
            (JobState::Unknown, None, None, None)
        );
        assert_eq!(job(&json!({"error": {}}), now), None);
    }

    #[test]
    fn settings_are_read_whatever_the_type_of_a_value_and_never_in_part() {
        let body = json!({"value": [{"key": "SyncAll", "value": "true"}, {"key": "X", "value": null}, {"key": "Y", "value": false}]});
        let expected = [("SyncAll", "true"), ("X", ""), ("Y", "false")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(settings(&body), Some(Settings(expected.into())));
        assert_eq!(settings(&json!({"value": [{"value": "keyless"}]})), None);
        assert_eq!(settings(&json!([])), None);
    }
}

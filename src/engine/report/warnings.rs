//! What deserves a look although nothing has failed.

use chrono::TimeDelta;

use crate::domain::journal::{Entry, Proof, Stage, TokenNote};
use crate::domain::{ExpirySource, JobState, Reason, Timestamp};
use crate::engine::Spec;
use crate::engine::observe::Observed;
use crate::sane_clock::is_astray;

/// What Graph and the vault date so close together may have happened in either order.
const SAME_TIME: TimeDelta = TimeDelta::minutes(1);

/// Where the job stands still under a pause that is ours, or may be, and nothing else that is told is about it.
fn pause_warning(seen: &Observed, reason: Reason) -> Option<String> {
    let told = matches!(
        reason,
        Reason::PauseToEnd | Reason::PauseEnded | Reason::PauseToRecord | Reason::PauseOfUnknownOrigin
    );
    if told || seen.job.state != JobState::Paused {
        return None;
    }
    let held = seen.journal.held_pause().map(|(_, pause)| pause.at.unwrap_or(pause.planned));
    let ran_since = |since: Timestamp| seen.job.last_execution.as_ref().is_some_and(|e| e.began > since + SAME_TIME);
    match (held, seen.journal.may_hide_a_pause().filter(|since| !ran_since(*since))) {
        (Some(since), _) => Some(format!(
            "provisioning stands still: the job is paused by us since {}, and runs again when what is shown is settled",
            since.format("%Y-%m-%d %H:%M:%S UTC")
        )),
        (None, Some(_)) => Some(
            "provisioning stands still: the job is paused, it may be by us, and the tags that told so may be those that \
             somebody has edited; start the job in the Entra portal (Provisioning, Start) unless it is meant to be paused"
                .to_owned(),
        ),
        (None, None) => None,
    }
}

/// Where nobody can read the current token. A placeholder stands where it could not be read any more, and has never held it.
fn unreadable_warning(spec: &Spec, current: Entry<'_>) -> Option<String> {
    let (id, name) = (&current.version.id, &spec.name);
    let is_unreadable = current.labels.token.is_some() && !current.version.enabled;
    is_unreadable.then(|| match current.labels.stage {
        Stage::Placeholder => format!(
            "nobody can read the current token in the vault, since its version was disabled: have a new token made by \
             `scim-rotator rotate {name}`"
        ),
        _ => format!(
            "the current version in the vault, {id}, is disabled, so that nobody can read it: enable it again, or have a new \
             token made by `scim-rotator rotate {name}`"
        ),
    })
}

/// All of it, in the order of a report.
pub(super) fn warnings(
    spec: &Spec,
    seen: &Observed,
    (reason, held_until): (Reason, Option<Timestamp>),
    now: Timestamp,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let skew = (seen.at.shown - seen.job.seen_at).num_seconds();
    if skew.abs() > 300 {
        let believed = if is_astray(seen.at.shown, seen.job.seen_at) { ", which is believed" } else { "" };
        warnings.push(format!(
            "this host's clock differs from Microsoft Graph's by {skew} seconds{believed}: mend its time service"
        ));
    }
    warnings.extend(pause_warning(seen, reason));
    let Some(entry) = seen.journal.current() else { return warnings };
    warnings.extend(unreadable_warning(spec, entry));
    let token: Option<&TokenNote> = entry.labels.token.as_ref();
    match token.and_then(|t| t.expiry).map(|e| e.source) {
        Some(ExpirySource::Assumed) => {
            warnings.push("the expiry is assumed (assumed_lifetime): nothing the issuer said confirms it".to_owned());
        }
        None if token.is_some() => warnings.push("nothing says when the token dies".to_owned()),
        _ => (),
    }
    if let Some(life) = token.and_then(TokenNote::life) {
        warnings.extend(spec.policy.fit(life).misfits(&spec.policy));
    }
    if let Some(at) = seen.job.quarantine.as_ref().and_then(|q| q.given_up_at()) {
        let (date, days) = (at.date_naive(), (at - seen.job.seen_at).num_days());
        warnings.push(match at > seen.job.seen_at {
            true => format!("the job is in quarantine: Entra disables it for good in {days} days, on {date}"),
            false => format!(
                "the job is in quarantine, and Entra has disabled it on {date}: once its cause is mended, start it in the \
                 Entra portal (Provisioning, Start)"
            ),
        });
    }
    if let Some(until) = held_until {
        let told = |at: Timestamp| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        let safe = token.and_then(|t| spec.policy.due(t)).and_then(|due| due.last_safe).filter(|safe| *safe < until);
        let beaten = safe.map(|safe| format!("; the last safe moment, {}, comes first and ends it", told(safe)));
        warnings.push(format!(
            "a person has put rotations by policy off until {}{}; `scim-rotator release {}` ends that",
            told(until),
            beaten.unwrap_or_default(),
            spec.name
        ));
    }
    let proof = entry.labels.proof;
    if let Some(put) = proof.provisioned.filter(|_| unconfirmed_since(spec, proof, now).is_some()) {
        warnings.push(format!("{}: {put}", Reason::Unconfirmed.sentence()));
    }
    if !(spec.policy.accept_supplied || spec.policy.supplied)
        && seen.journal.newest_foreign().is_some()
        && seen.journal.current().is_some()
    {
        warnings.push(
            "somebody stored a newer version in the vault; it is left alone (accept_supplied = false)".to_owned(),
        );
    }
    warnings
}

/// Since when a cycle should have succeeded with it, if none has.
pub(super) fn unconfirmed_since(spec: &Spec, proof: Proof, now: Timestamp) -> Option<Timestamp> {
    let waited = proof.provisioned.filter(|_| proof.confirmed.is_none())? + spec.policy.confirm_within;
    (now > waited).then_some(waited)
}

//! A report, made of what was seen and decided.

use super::warnings::{unconfirmed_since, warnings};
use super::{JobReport, Kind, QuarantineReport, Recent, Report, Standing, TokenReport};
use crate::domain::history::{self, Deed, What, deeds};
use crate::domain::journal::{Proof, Stage, TokenNote};
use crate::domain::{Decision, ExecutionState, Mode, Reason, Timestamp};
use crate::engine::Spec;
use crate::engine::observe::Observed;
use crate::engine::progress::{LastAction, Progress};

impl Report {
    /// One connection after a look, or in the midst of what was decided.
    pub(in crate::engine) fn new(
        spec: &Spec,
        seen: &Observed,
        decision: &Decision,
        progress: &Progress,
        now: Timestamp,
    ) -> Self {
        let kind = match decision {
            Decision::Wait { reason: Reason::NoVerdict | Reason::QuarantineStands, .. } => Kind::Unknown,
            Decision::Wait { reason: Reason::Queued, .. } => Kind::Due,
            // What was begun by a process before this one may not show yet.
            Decision::Wait { reason: Reason::JustBegun, .. } => Kind::Unfinished,
            Decision::Wait { .. } if seen.is_unfinished() => Kind::Unfinished,
            Decision::StandBy { .. } => Kind::Unfinished,
            Decision::Wait { .. } | Decision::Ask(_) => Kind::Idle,
            Decision::Note {
                reason: Reason::PauseToRecord | Reason::PendingSuperseded | Reason::PendingUnreadable,
                ..
            } => Kind::Unfinished,
            Decision::Note { reason: Reason::Confirmed | Reason::Proven, .. } => Kind::Idle,
            Decision::Note { .. } => Kind::Due,
            Decision::Rotate(plan) if plan.reason == Reason::AnswerLost => Kind::Unfinished,
            Decision::Rotate(_)
            | Decision::Adopt { .. }
            | Decision::Reinstate { .. }
            | Decision::Restate { .. }
            | Decision::Retire(_) => Kind::Due,
            Decision::Resume { .. } | Decision::Start { .. } | Decision::Provision { .. } => Kind::Unfinished,
            Decision::NeedsHuman { .. } => Kind::NeedsHuman,
        };
        let next = match decision {
            Decision::Wait { until, .. } | Decision::StandBy { until, .. } | Decision::NeedsHuman { until, .. } => {
                Some(*until)
            }
            _ => None,
        };
        let reason = decision.reason().unwrap_or(Reason::NotDue);
        let mut report = Self {
            standing: Standing {
                kind,
                action: decision.name().into(),
                reason,
                next,
                error: None,
                remedy: reason.remedy_for(&spec.name),
            },
            token: token_report(spec, seen, now),
            job: Some(job_report(seen)),
            last_action: progress.last().or_else(|| last_from_journal(seen)),
            recent: recent(seen),
            held_until: seen.journal.hold().filter(|until| *until > now),
            ..Self::unseen(spec)
        };
        report.warnings = warnings(spec, seen, (reason, report.held_until), now);
        report
    }
}

fn token_report(spec: &Spec, seen: &Observed, now: Timestamp) -> Option<TokenReport> {
    let entry = seen.journal.current()?;
    let note = entry.labels.token.as_ref()?;
    let due = spec.policy.due(note);
    let last_safe = due.and_then(|due| due.last_safe);
    Some(TokenReport {
        id: note.id.clone(),
        stage: stage(seen, entry.labels.proof).into(),
        issued: note.issued,
        expires: note.expiry.map(|e| e.at),
        expiry_source: note.expiry.map(|e| e.source),
        wanted: due.map(|due| due.wanted),
        window: due.and_then(|due| due.window),
        due: due.map(|due| due.at),
        due_reason: due.map(|due| due.reason),
        previous_expires: previous_expires(seen, note),
        last_safe_moment: last_safe,
        slack_seconds: last_safe.map(|safe| (safe - now).num_seconds()),
        provisioned: entry.labels.proof.provisioned,
        unconfirmed_since: unconfirmed_since(spec, entry.labels.proof, now),
        confirmed: entry.labels.proof.confirmed,
        proven: entry.labels.proof.proven,
    })
}

/// The end of the token that `note` has taken the place of, if that may live beside it: no rotation since has removed it. A
/// token that was rejected in between took nobody's place.
fn previous_expires(seen: &Observed, note: &TokenNote) -> Option<Timestamp> {
    let is_own = |deed: &Deed| deed.token.as_ref() == Some(&note.id);
    let deeds = deeds(&seen.journal);
    let own = deeds.iter().position(is_own)?;
    let is_before =
        |deed: &Deed| deed.token.is_some() && !is_own(deed) && deed.standing != Some(history::Standing::Rejected);
    let before = own + deeds[own..].iter().position(is_before)?;
    // Of a lost answer it must be assumed.
    let removes =
        |deed: &Deed| deed.mode == Some(Mode::RemoveCurrent) && matches!(deed.what, What::Rotated | What::Asked);
    let is_removed = deeds[..before].iter().any(removes);
    deeds[before].expires.filter(|end| !is_removed && *end > note.issued)
}

fn stage(seen: &Observed, proof: Proof) -> &'static str {
    if seen.journal.pending().is_some() {
        "pending"
    } else if seen.journal.open_intent().is_some() {
        "issuing"
    } else if proof.proven.is_some() && proof.confirmed.is_some() {
        "proven"
    } else if proof.confirmed.is_some() {
        "confirmed, unproven"
    } else {
        "current"
    }
}

fn job_report(seen: &Observed) -> JobReport {
    let job = &seen.job;
    JobReport {
        id: job.id.clone(),
        state: job.state,
        quarantine: job.quarantine.as_ref().map(|q| QuarantineReport {
            reason: q.reason.clone(),
            began: q.began,
            next_attempt: q.next_attempt,
            disabled_at: q.given_up_at(),
        }),
        last_cycle: job.last_execution.as_ref().map(|e| e.state),
        last_cycle_ended: job.last_execution.as_ref().map(|e| e.ended),
        last_success_ended: [&job.last_success, &job.last_execution]
            .into_iter()
            .flatten()
            .filter(|e| e.state != ExecutionState::Failed)
            .map(|e| e.ended)
            .max(),
    }
}

/// So many of the last tokens are told with every look. All of them are told by `history`.
const RECENT: usize = 3;

fn recent(seen: &Observed) -> Vec<Recent> {
    let came = |what| matches!(what, What::Rotated | What::Asked | What::Brought | What::TakenBack);
    let deeds = deeds(&seen.journal).into_iter().filter(|deed| came(deed.what)).take(RECENT);
    let recent =
        |deed: Deed| Recent { at: deed.at, what: deed.what, reason: deed.reason, took_seconds: deed.took_seconds };
    deeds.map(recent).collect()
}

/// What the vault tells of the last rotation, where this process has done nothing yet.
fn last_from_journal(seen: &Observed) -> Option<LastAction> {
    let entry =
        seen.journal.ours().find(|e| e.labels.proof.provisioned.is_some() && e.labels.stage == Stage::Current)?;
    let proof = entry.labels.proof;
    let (at, reason) = [(proof.proven, Reason::Proven), (proof.confirmed, Reason::Confirmed)]
        .into_iter()
        .find_map(|(at, reason)| Some((at?, reason)))
        .or(Some((proof.provisioned?, Reason::Rotated)))?;
    Some(LastAction { at, action: "rotate".into(), reason, succeeded: true, error: None })
}

//! What follows from a failure: how long to wait, how loudly to say it, and what is shown until it is over.

use chrono::TimeDelta;

use super::halt::{Halt, chain};
use super::observe::Observed;
use super::{Connection, Look, Report};
use crate::domain::attempts::Tier;
use crate::domain::{JobState, Reason};
use crate::ports::Class;

/// A failure that is being waited out.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    class: Class,
    reason: Reason,
    error: String,
}

impl Failure {
    /// Shows it in a report that would otherwise only tell of a wait.
    pub fn show(&self, report: &mut Report) {
        report.fail(self.class, self.reason, self.error.clone(), report.standing.next, report.last_action.clone());
    }
}

impl Connection {
    /// The one place where a failure is logged; and how long to wait after it.
    pub(super) fn failed(
        &mut self,
        mut report: Report,
        seen: Option<&Observed>,
        action: &'static str,
        halt: Halt,
    ) -> Look {
        self.progress.may_give_way(false);
        self.place = None; // Its turn, or its place in line, is another one's.
        let now = self.ports.clock.now();
        let urgent = self.is_urgent(seen, action, halt.reason);
        let tier = match (seen, halt.class, urgent) {
            (None, ..) => Tier::Blind,
            (_, Class::Human, _) => Tier::Human,
            (_, _, true) => Tier::Emergency,
            (_, _, false) => Tier::Normal,
        };
        let asked = match halt.class {
            Class::Retry { after } => after.and_then(|after| TimeDelta::from_std(after).ok()),
            Class::Ambiguous | Class::Human => None,
        };
        match halt.reason {
            // Nothing of ours has failed.
            Reason::ShuttingDown | Reason::OrderFirst | Reason::ClockNotSet => (),
            // The journal keeps the wait for the next one.
            Reason::NewTokenRefused => {
                self.attempts.clear();
                self.attempts.fail(now, Tier::Emergency, None);
            }
            // No failure of ours: only the other one is given time.
            Reason::TakenOver => self.attempts.wait(now, asked.unwrap_or_default()),
            _ => self.attempts.fail(now, tier, asked),
        }
        let next = match halt.reason {
            Reason::ClockNotSet => now + Tier::Blind.delay(u32::MAX),
            _ => self.attempts.not_before.unwrap_or(now).max(now),
        };
        let (reason, error, step) = (halt.reason, chain(&halt), self.progress.step());
        let call = halt.call();
        let status = call.and_then(|call| call.status);
        let code = call.and_then(|call| call.code.as_deref());
        let request_id = call.and_then(|call| call.request_id.as_deref());
        let attempts = self.attempts.failed;
        match reason {
            Reason::ShuttingDown | Reason::OrderFirst => tracing::info!(action, step, %reason, "{}", reason.sentence()),
            Reason::TakenOver => tracing::warn!(action, step, %reason, %error, %next, "{action} ended"),
            _ if urgent || halt.class == Class::Human => {
                tracing::error!(action, step, %reason, %error, status, code, request_id, attempts, %next, "{action} failed");
            }
            _ => {
                tracing::warn!(action, step, %reason, %error, status, code, request_id, attempts, %next, "{action} failed");
            }
        }
        self.done(action, reason, Some(error.clone()));
        report.fail(halt.class, reason, error.clone(), Some(next), self.progress.last());
        self.failure = Some(Failure { class: halt.class, reason, error });
        Look { report, next }
    }

    /// Nothing is being waited out any more.
    pub(super) fn recovered(&mut self) {
        self.attempts.clear();
        self.failure = None;
    }

    /// Whether Entra may be without a working token, or soon will be.
    fn is_urgent(&self, seen: Option<&Observed>, action: &str, reason: Reason) -> bool {
        let token = seen.and_then(|seen| seen.journal.current()).and_then(|e| e.labels.token.as_ref());
        let now = self.ports.clock.now();
        // What was seen dates from before the act: a rotation that has begun may have left anything behind.
        let undone = matches!(reason, Reason::PreflightFailed | Reason::NotIssued | Reason::NewTokenRefused);
        let begun = matches!(action, "rotate" | "resume" | "provision" | "start") && !undone;
        let in_quarantine = seen.is_some_and(|seen| seen.job.state == JobState::Quarantine);
        begun
            || in_quarantine
            || self.unsaved.is_some()
            || self.spec.policy.is_urgent(token, now)
            || seen.is_some_and(Observed::is_unfinished)
    }
}

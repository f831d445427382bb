//! What is counted while the process runs: rotations, steps, and how long it takes until a cycle has succeeded.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::Reason;
use crate::engine::{Course, LastAction, Report};

/// The counters. None of them is by connection: there may be thousands, and the journal tells of each.
#[derive(Debug)]
pub struct Counts {
    rotations: Family<Ended, Counter>,
    steps: Family<Step, Histogram, fn() -> Histogram>,
    confirm: Histogram,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    result: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Step {
    step: &'static str,
}

impl Default for Counts {
    fn default() -> Self {
        let rotations = Family::<Ended, Counter>::default();
        // From the beginning, so that the first failure is an increase.
        for reason in [Reason::PreflightFailed, Reason::NotIssued, Reason::StepFailed, Reason::NewTokenRefused] {
            drop(rotations.get_or_create(&Ended { result: "failed", reason: reason.name() }));
        }
        Self {
            rotations,
            // From a call that is answered at once to the hours that a gap is waited for.
            steps: Family::new_with_constructor(|| {
                Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0])
            }),
            // From the next cycle, forty minutes away at most, to the week in which nobody saw that none succeeds.
            confirm: Histogram::new([600.0, 1200.0, 2400.0, 3600.0, 7200.0, 21_600.0, 86_400.0, 604_800.0]),
        }
    }
}

impl Counts {
    /// A connection has been looked at, which stood like that `before`, and this was done on the way.
    pub fn saw(&self, before: Option<&Report>, report: &Report, course: &Course) {
        for (step, time) in &course.steps {
            self.steps.get_or_create(&Step { step }).observe(time.as_secs_f64());
        }
        for LastAction { action, reason, succeeded, .. } in &course.actions {
            if matches!(&**action, "rotate" | "resume") {
                let result = if *succeeded { "succeeded" } else { "failed" };
                self.rotations.get_or_create(&Ended { result, reason: reason.name() }).inc();
            }
        }
        let unconfirmed = before.and_then(|before| before.token.as_ref()).filter(|token| token.confirmed.is_none());
        if let (Some(before), Some(token)) = (unconfirmed, &report.token)
            && before.id == token.id
            && let Some((put, confirmed)) = token.provisioned.zip(token.confirmed)
        {
            self.confirm.observe((confirmed - put).as_seconds_f64().max(0.0));
        }
    }

    /// Shows them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("rotations", "Rotations that have ended", self.rotations.clone());
        let (unit, steps) = (Unit::Seconds, self.steps.clone());
        registry.register_with_unit(
            "step_duration",
            "How long each step of what is done to a token takes",
            unit,
            steps,
        );
        let (unit, help) =
            (Unit::Seconds, "From giving Entra a new token until a cycle was seen to have succeeded with it");
        registry.register_with_unit("confirm_duration", help, unit, self.confirm.clone());
    }
}

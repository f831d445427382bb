//! The engine: observe, decide, act, again and again. It draws no conclusion of its own; those stand in `domain`.
//!
//! Written as plain async code: a run is the list of its steps, and the compiler keeps its state. A run that is dropped
//! anywhere (a crash, a kill) is taken up by the next look from what the vault shows; there is no other recovery.

mod adopt;
mod claims;
mod cutover;
mod errands;
mod experiment;
mod failure;
mod fence;
pub mod fleet;
mod halt;
mod handover;
pub mod herd;
mod issue;
mod memory;
mod observe;
mod others;
mod preflight;
mod progress;
pub mod pulse;
pub mod report;
mod rest;
mod rotate;
mod run;
mod say;
mod tenants;
mod tend;
pub mod ticker;
mod turns;
mod unsaved;

use std::future::Future;
use std::sync::Arc;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub use self::claims::Claims;
pub use self::errands::Errands;
pub use self::experiment::PutSeen;
use self::failure::Failure;
pub use self::fleet::{Fleet, Member};
pub use self::halt::{Halt, chain};
use self::handover::{begins_anew, may_leave_open};
use self::issue::Held;
use self::memory::Memory;
use self::observe::{Observed, Values};
use self::others::Others;
pub use self::progress::{Course, LastAction, Listener, Progress};
pub use self::report::{Report, Standing};
pub use self::rest::{Means, Resting};
use self::run::{Record, Run};
use self::say::Say;
pub use self::tenants::Tenants;
pub use self::turns::{Limits, Turns};
use self::turns::{Place, Turn};
use crate::domain::attempts::{Attempts, LIST_LAG};
use crate::domain::{Answers, Decision, Facts, Order, Policy, Reason, Timestamp, decide};
use crate::ports::{Clock, Issuer, Probe, Provisioner, Vault};

/// The most actions of one look; whatever is left is done at the next, which follows at once.
const MOST_ACTIONS: usize = 12;
/// A person waits so long for an order that has to wait itself (the issuer's floor, a rival's grace).
const ORDER_PATIENCE: TimeDelta = TimeDelta::minutes(5);

/// What a connection is, without its edges.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name in the configuration.
    pub name: String,
    /// Its rules.
    pub policy: Policy,
    /// Entra's *Tenant URL* for it.
    pub tenant_url: String,
    /// Which process, where: the same after a restart on the same host.
    pub holder: String,
    /// Whose rotations are counted together: the issuer's host.
    pub issuer_host: Arc<str>,
}

/// The edges of a connection.
#[derive(Clone)]
pub struct Ports {
    /// Who makes tokens.
    pub issuer: Arc<dyn Issuer>,
    /// Where they are kept.
    pub vault: Arc<dyn Vault>,
    /// Who uses them.
    pub provisioner: Arc<dyn Provisioner>,
    /// Where they are used.
    pub probe: Arc<dyn Probe>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Shared by all connections of the process.
    pub tenants: Arc<Tenants>,
    /// Shared by them as well.
    pub turns: Arc<Turns>,
}

/// Whether a look may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Decide, and say so.
    DecideOnly,
    /// Decide and carry it out.
    CarryOut,
    /// The same with what brings to its end what has been begun, and with nothing else.
    Finish,
}

impl Act {
    /// Whether anything is carried out.
    fn acts(self) -> bool {
        self != Self::DecideOnly
    }
}

/// What one look came to.
#[derive(Clone, Debug)]
pub struct Look {
    /// What was seen and decided last.
    pub report: Report,
    /// When to look again.
    pub next: Timestamp,
}

/// One connection: the token of one provisioning job.
pub struct Connection {
    spec: Arc<Spec>,
    ports: Ports,
    /// What made them, where they can be made anew.
    means: Option<Means>,
    progress: Arc<Progress>,
    shutdown: CancellationToken,
    attempts: Attempts,
    /// It tends its connection for years, and need not issue anything in its first minutes.
    calm: bool,
    /// When it first looked, by `elapsed`: no step of the wall clock makes it begin anew.
    began: Option<TimeDelta>,
    /// The failure that is being waited out, to be shown for as long as it is.
    failure: Option<Failure>,
    unsaved: Option<Held>,
    /// What has been begun and has not come to its end, as far as was seen.
    open: Vec<&'static str>,
    introduced: bool,
    order: Option<Order>,
    /// Since when (by `elapsed`) it has been leaving things to another process.
    standing_by: Option<TimeDelta>,
    others: Others,
    /// The first action since the last order was taken up: what came of it.
    obeyed: Option<LastAction>,
    memory: Arc<Memory>,
    /// Its turn to rotate, or its place among those who wait for one.
    place: Option<Place>,
}

impl Connection {
    /// A connection that has not looked yet. `shutdown` is honoured wherever nothing can be lost by it.
    pub fn new(spec: impl Into<Arc<Spec>>, ports: Ports, shutdown: CancellationToken) -> Self {
        let spec = spec.into();
        ports.tenants.expect(&spec.name);
        Self::unknown(spec, ports, shutdown)
    }

    /// One of which nothing is remembered, and whom nobody expects to introduce itself.
    fn unknown(spec: Arc<Spec>, ports: Ports, shutdown: CancellationToken) -> Self {
        Self {
            spec,
            ports,
            means: None,
            progress: Arc::new(Progress::default()),
            shutdown,
            attempts: Attempts::default(),
            calm: false,
            began: None,
            failure: None,
            unsaved: None,
            open: vec![observe::NEVER_SEEN],
            introduced: false,
            order: None,
            standing_by: None,
            others: Others::default(),
            obeyed: None,
            memory: Arc::default(),
            place: None,
        }
    }

    /// The same for a process that lives for years: it waits with its first issue until all that a former process may have
    /// done must show.
    #[must_use]
    pub fn calm(mut self) -> Self {
        self.calm = true;
        self
    }

    /// What it is.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What it is doing.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Its clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.ports.clock
    }

    /// Returns when its turn to rotate has come; never, if it does not wait for one.
    pub fn called(&self) -> impl Future<Output = ()> + use<> {
        let call = self.place.as_ref().map(Place::call);
        async move {
            match call {
                Some(call) => call.notified().await,
                None => std::future::pending().await,
            }
        }
    }

    /// Looks, decides and acts, until there is nothing left to do now.
    pub async fn look(&mut self, act: Act) -> Look {
        // Spans are of the highest level, so that a failure names its connection and step however little is logged.
        let span = tracing::error_span!("connection", connection = %self.spec.name);
        let (shutdown, progress) = (self.shutdown.clone(), Arc::clone(&self.progress));
        let clock = Arc::clone(&self.ports.clock);
        let told = async {
            shutdown.cancelled().await;
            progress.told_to_end(clock.elapsed());
            std::future::pending().await
        };
        let look = tokio::select! {
            biased;
            look = told => look,
            look = Box::pin(self.look_inside(act).instrument(span)) => look,
        };
        self.progress.holds_in_memory_only(self.unsaved.is_some());
        let seen_at = Some(self.ports.clock.now());
        Look { report: Report { seen_at, ..look.report }, ..look }
    }

    /// Carries out what a person asks for, in one look or a few that follow at once. What cannot be done within minutes is
    /// given up: an order is never carried out when nobody expects it any more. [`Report::obeyed`] says what came of it.
    pub async fn obey(&mut self, order: Order) -> Look {
        tracing::info!(connection = %self.spec.name, order = order.name(), "a person asks for something");
        let until = self.ports.clock.elapsed() + ORDER_PATIENCE;
        (self.order, self.obeyed) = (Some(order), None);
        loop {
            let mut look = self.look(Act::CarryOut).await;
            let wait = (look.next - self.ports.clock.now()).max(TimeDelta::milliseconds(1));
            let elapsed = self.ports.clock.elapsed();
            // A token that was brought is stored, and taken up as soon as a process that has just begun may.
            let is_taken_up = self.obeyed.is_some() || look.report.standing.reason != Reason::JustBegun;
            if self.order.is_none() && is_taken_up || self.shutdown.is_cancelled() || elapsed + wait > until {
                self.order = None;
                look.report.obeyed = self.obeyed.take();
                return look;
            }
            self.progress.beat();
            self.progress.may_give_way(true);
            let pressed = tokio::select! {
                biased;
                () = self.progress.pressed() => true,
                () = self.ports.clock.sleep(wait.min(run::LONGEST_NAP).to_std().unwrap_or_default()) => false,
            };
            self.progress.may_give_way(false);
            if pressed {
                self.order = None;
                return look;
            }
        }
    }

    async fn look_inside(&mut self, act: Act) -> Look {
        let (spec, ports) = (Arc::clone(&self.spec), self.ports.clone());
        let (progress, shutdown) = (Arc::clone(&self.progress), self.shutdown.clone());
        let (memory, values, say) = (Arc::clone(&self.memory), Values::default(), Say::default());
        let run = Run {
            spec: &spec,
            ports: &ports,
            progress: &progress,
            shutdown: &shutdown,
            memory: &memory,
            values: &values,
            say: &say,
        };
        let mut report = Report::unseen(&spec);
        if act.acts() && !self.introduced {
            self.introduced = run.introduce(self.began.is_none()).await;
        }
        let began = *self.began.get_or_insert_with(|| run.elapsed());
        for _ in 0..MOST_ACTIONS {
            progress.beat();
            let (seen, decision) = match self.see(&run, began, act).await {
                Ok(seen) => seen,
                Err(halt) => {
                    self.standing_by = None; // What another one did meanwhile could not be seen.
                    if act.acts() {
                        self.bring_home_unseen(&run).await;
                    }
                    return self.failed(report, None, "look", halt);
                }
            };
            // Even where there is nothing to do: whoever keeps the journal may have written over what we owe to it.
            let has_say =
                decision.reason() != Some(Reason::AnotherHolder) && !seen.journal.is_kept_by_another(&spec.holder);
            self.open = if has_say { seen.open() } else { Vec::new() };
            if seen.has_forgotten(run.memory.pause()) {
                self.open.push(observe::PAUSED);
            }
            self.review_unsaved(&run, &seen);
            if !has_say {
                run.memory.forgive();
            } else if act.acts()
                && let Err(halt) = run.settle_debts(&seen.journal).await
            {
                return self.failed(report, Some(&seen), "look", halt);
            }
            if act.acts() && has_say && self.unsaved.is_some() {
                match self.bring_home(&run, &seen).await {
                    Ok(()) => continue,
                    Err(halt) => return self.failed(report, Some(&seen), "resume", halt),
                }
            }
            if let Some(Order::Adopt { token, expires }) = self.order.clone()
                && act.acts()
                && decision.reason() != Some(Reason::AnotherHolder)
            {
                self.order = None;
                if let Err(halt) = run.supply(&token, expires, &seen).await {
                    return self.failed(report, Some(&seen), "adopt", halt);
                }
                self.recovered();
                continue;
            }
            let now = run.now();
            report = Report::new(&spec, &seen, &decision, &progress, now);
            self.standing_by = match &decision {
                Decision::StandBy { .. } | Decision::Wait { reason: Reason::AnotherHolder, .. } => {
                    self.standing_by.or(Some(run.elapsed()))
                }
                _ => None,
            };
            let until = match &decision {
                Decision::Wait { until, reason } => {
                    match &self.failure {
                        Some(failure) if reason.is_retry() || *reason == Reason::Queued => {
                            failure.show(&mut report);
                            if !matches!(reason, Reason::BackingOff | Reason::Queued) {
                                self.attempts.clear(); // The journal keeps this wait.
                            }
                        }
                        _ => self.recovered(),
                    }
                    tracing::info!(decision = "wait", %reason, %until, "{}", report.standing.sentence());
                    *until
                }
                Decision::StandBy { until, wish } => {
                    tracing::info!(decision = "wait", reason = %Reason::StandingBy, %until, wish, "{}", report.standing.sentence());
                    *until
                }
                Decision::NeedsHuman { until, reason } => {
                    let remedy = report.standing.remedy.as_deref();
                    tracing::error!(decision = "needs-human", %reason, %until, remedy, "{}", report.standing.sentence());
                    self.order = None;
                    // Whatever only he can end, something else may be to be done meanwhile.
                    (*until).min(now + decide::HUMAN_WAIT)
                }
                _ if !act.acts() || shutdown.is_cancelled() => now,
                _ if act == Act::Finish && !self.is_open() => now,
                decision if act == Act::Finish && begins_anew(decision) => now + run::LONGEST_NAP,
                decision => {
                    let (name, reason) = (decision.name(), decision.reason().unwrap_or(Reason::NotDue));
                    if reason.is_order() {
                        self.order = None;
                    }
                    tracing::info!(decision = name, %reason, "{}", report.standing.sentence());
                    if may_leave_open(decision) {
                        self.open.push(observe::UNSEEN);
                    }
                    let result = self.carry_out(&run, decision, &seen).await;
                    if let Err(halt) = result {
                        if halt.reason == Reason::PreflightFailed {
                            self.open.retain(|what| *what != observe::UNSEEN);
                        }
                        return self.failed(report, Some(&seen), name, halt);
                    }
                    if !matches!(decision, Decision::Note { .. }) || reason.is_order() {
                        self.recovered();
                        self.done(name, reason, None);
                    }
                    continue;
                }
            };
            return Look { report, next: until };
        }
        let next = run.now();
        Look { report, next }
    }

    /// What is seen and decided; once more, where the clock has leapt meanwhile. (Not again and again: a host whose clock never
    /// holds still is to be served as well.)
    async fn see(&mut self, run: &Run<'_>, began: TimeDelta, act: Act) -> Result<(Observed, Decision), Halt> {
        let seen = self.see_once(run, began, act).await;
        match seen.is_ok() && self.ports.clock.is_in_doubt() {
            true => self.see_once(run, began, act).await,
            false => seen,
        }
    }

    /// One observation, and the decision that follows from it once every question of it is answered.
    async fn see_once(&mut self, run: &Run<'_>, began: TimeDelta, act: Act) -> Result<(Observed, Decision), Halt> {
        // What is not asked for again at this look is given back.
        let mut place = self.place.take();
        run.unless_undated()?;
        let seen = run.observe().await?;
        let stirred = self.others.look(&seen.journal, &self.spec.holder, run.elapsed());
        let mut answers = Answers::default();
        loop {
            let facts = Facts {
                now: run.now(),
                holder: &self.spec.holder,
                acting: act.acts(),
                stood_by: self.standing_by.map_or(TimeDelta::zero(), |since| run.elapsed() - since),
                stirred,
                policy: &self.spec.policy,
                journal: &seen.journal,
                job: &seen.job,
                attempts: &self.attempts,
                own_pause: self.memory.pause(),
                // Dated anew for each question: one takes a minute, in which somebody may set the clock.
                settled: run.now() + LIST_LAG - (run.elapsed() - began),
                hurried: !self.calm,
                order: self.order.as_ref(),
                tenant_shared: self.ports.tenants.rival_of(&self.spec.name).is_some(),
                answers: answers.clone(),
            };
            match decide(&facts) {
                Decision::Ask(question) => run.answer(question, &seen, &mut answers, &mut place).await?,
                decision => {
                    self.place = place.filter(|_| answers.turn.is_some());
                    return Ok((seen, decision));
                }
            }
        }
    }

    async fn carry_out(&mut self, run: &Run<'_>, decision: &Decision, seen: &Observed) -> Result<(), Halt> {
        match decision {
            Decision::Rotate(plan) => {
                let span = tracing::error_span!("rotation", mode = %plan.mode);
                let mut turn = self.place.take().map_or_else(|| Turn::at_once(run), |place| Turn::in_line(run, place));
                run.rotate(plan, seen, &mut self.unsaved, &mut turn).instrument(span).await
            }
            Decision::Resume { version, .. } => {
                let _turn = Turn::at_once(run);
                run.resume(version, seen).instrument(tracing::error_span!("rotation", %version)).await
            }
            Decision::Adopt { version, reason } => run.adopt(version, seen, *reason).await,
            Decision::Reinstate { version, .. } => run.reinstate(version, seen).await,
            Decision::Restate { .. } => run.restate(seen).await,
            Decision::Provision { reason } => run.provision_again(seen, *reason).await,
            Decision::Start { version, labels, reason } => run.start(version, labels, seen, *reason).await,
            Decision::Retire(versions) => run.retire(versions, seen).await,
            Decision::Note { version, labels, reason } => {
                let mut record = Record { id: version.clone(), labels: (**labels).clone() };
                match reason {
                    Reason::Claimed => run.claim(&mut record).await,
                    _ => run.write(&mut record, |_| ()).await,
                }
            }
            Decision::Ask(_) | Decision::Wait { .. } | Decision::StandBy { .. } | Decision::NeedsHuman { .. } => Ok(()),
        }
    }

    /// Remembers what was done last.
    fn done(&mut self, action: &'static str, reason: Reason, error: Option<String>) {
        let at = self.ports.clock.now();
        let last = LastAction { at, action: action.into(), reason, succeeded: error.is_none(), error };
        if self.order.is_none() {
            self.obeyed.get_or_insert_with(|| last.clone());
        }
        self.progress.ended(last);
    }
}

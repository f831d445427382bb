//! Plays a plan: processes, services and people in one virtual time, and the judge beside them at every step.

use std::sync::Arc;

use chrono::TimeDelta;
use scim_rotator::domain::{Order, Timestamp};
use scim_rotator::engine::report::Kind;

use super::accidents::begins;
use super::host::{Host, read};
use super::judge::{Judge, Tally};
use super::people::Deed;
use super::plan::{Level, Plan, What, When, Whose};
use crate::sim::drive::Drive;
use crate::sim::face::Alarms;
use crate::world::{Op, Service, World};

/// So many lines of the story are shown with a failure.
const SHOWN: usize = 220;

/// How a plan went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    pub what: String,
    pub story: String,
}

/// An accident on its way.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Ahead,
    /// The call it waits for has been made so many times already.
    Waiting(u32),
    /// It happens once so many calls have been made.
    Counting(u64),
    Over,
}

struct Play<'a> {
    plan: &'a Plan,
    drive: Drive,
    alarms: Arc<Alarms>,
    first: Host,
    second: Option<(Host, Timestamp)>,
    stages: Vec<Stage>,
    judge: Judge<'a>,
    /// Nothing goes wrong any more, and somebody has put right what people have put wrong.
    quiet: bool,
    /// When a person did as a remedy told him.
    remedied: Option<Timestamp>,
    /// The last decision that was written into the story, where decisions are.
    told: Option<String>,
}

/// Plays it; `tell` writes the daemon's decisions into the story.
pub fn play(plan: &Plan, tell: bool) -> Result<Tally, Box<Failure>> {
    let drive = Drive::new(World::new(plan.settings.clone()), plan.policy.clone());
    let start = drive.world().now();
    let play = Play {
        plan,
        alarms: Arc::default(),
        first: Host::new("one-host", plan.skew, start),
        second: None,
        quiet: false,
        remedied: None,
        stages: vec![Stage::Ahead; plan.accidents.len()],
        judge: Judge::new(plan, start),
        told: tell.then(String::new),
        drive,
    };
    play.run(start)
}

impl Play<'_> {
    fn run(mut self, start: Timestamp) -> Result<Tally, Box<Failure>> {
        let end = start + self.plan.length();
        let outcome = loop {
            if let Err(what) = self.step(start) {
                break Err(what);
            }
            let now = self.drive.world().now();
            if now >= end {
                // A rotation may be under way just then.
                let verdict = self.judge.at_the_end(&self.drive.world(), &read(&self.first.desk));
                if verdict.is_ok() || now >= end + self.judge.patience() {
                    break verdict;
                }
            }
            let next = self.next(start, now).max(now + TimeDelta::milliseconds(1));
            self.drive.world().advance_to(next);
        };
        let world = self.drive.world();
        match outcome {
            Ok(()) => Ok(self.judge.tally(&world)),
            Err(what) => {
                let trace = world.ledger.trace();
                let lines: Vec<_> = trace.lines().collect();
                let story = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
                let at = world.now().format("%m-%d %H:%M:%S");
                Err(Box::new(Failure { what: format!("{what} (at {at})"), story }))
            }
        }
    }

    fn step(&mut self, start: Timestamp) -> Result<(), String> {
        let now = self.drive.world().now();
        self.happen(start, now);
        if !self.quiet && now >= start + self.plan.eventful {
            self.quiet = true;
            self.drive.world().faults.clear();
            if self.plan.level == Level::Malice {
                self.carry_out(&What::Person(Deed::Repairs), now);
            }
        }
        self.remedy(now);
        self.first.turn(&self.drive, &self.alarms, now)?;
        if let Some((host, until)) = &mut self.second {
            host.turn(&self.drive, &self.alarms, now)?;
            if *until <= now {
                self.second = None;
                self.judge.disturbed(now);
            }
        }
        self.tell(now);
        let world = self.drive.world();
        let calls = calls_made(&world);
        if let Some((second, _)) = &self.second {
            self.judge.beside(&read(&second.desk), now)?;
        }
        self.judge.step(&world, &read(&self.first.desk), self.first.skew(), calls)
    }

    /// Once he is called for what only a new token ends, a person has one made, as the remedy says: within the hour, and no
    /// sooner again than the next day.
    fn remedy(&mut self, now: Timestamp) {
        let asked = self.remedied.is_some_and(|at| now - at < TimeDelta::days(1));
        if !self.quiet || self.plan.level != Level::Malice || asked {
            return;
        }
        let desk = read(&self.first.desk);
        let Some(standing) = desk.report.as_ref().map(|report| &report.standing) else { return };
        let rotates = standing.remedy.as_ref().is_some_and(|remedy| remedy.contains("scim-rotator rotate "));
        if standing.kind == Kind::NeedsHuman && rotates && !desk.looking {
            drop(desk);
            self.order(Order::Rotate { mode: None, compromised: false });
            self.remedied = Some(now);
            self.drive.world().ledger.note(now, "-- a person has a new token made, as he was told to");
        }
    }

    /// A person gives an order to the first host's daemon.
    fn order(&mut self, order: Order) {
        if let Some((place, heard)) = self.first.order(order.clone()) {
            self.judge.asked(order, place, heard, &self.drive.world());
        }
    }

    /// When something happens next.
    fn next(&self, start: Timestamp, now: Timestamp) -> Timestamp {
        let hosts =
            [self.first.next(), self.second.as_ref().map(|(host, until)| host.next().unwrap_or(*until).min(*until))];
        let accidents = self
            .plan
            .accidents
            .iter()
            .zip(&self.stages)
            .filter(|(_, stage)| matches!(stage, Stage::Ahead))
            .map(|(accident, _)| start + begins(accident.when));
        let quiet = (!self.quiet).then_some(start + self.plan.eventful);
        hosts
            .into_iter()
            .chain([self.alarms.next(now), quiet])
            .flatten()
            .chain(accidents)
            .min()
            .unwrap_or(Timestamp::MAX_UTC)
    }

    /// Lets happen what is due.
    fn happen(&mut self, start: Timestamp, now: Timestamp) {
        let plan = self.plan;
        for (n, accident) in plan.accidents.iter().enumerate() {
            let due = now >= start + begins(accident.when);
            let world = self.drive.world();
            let stage = match (self.stages[n], accident.when) {
                (Stage::Ahead, When::At(_)) if due => Stage::Counting(0),
                (Stage::Ahead, When::Amid { op, .. }) if due => Stage::Waiting(world.faults.calls(op)),
                (Stage::Waiting(before), When::Amid { op, calls, .. }) if world.faults.calls(op) > before => {
                    Stage::Counting(calls_made(&world) + calls)
                }
                (stage, _) => stage,
            };
            let happens = matches!(stage, Stage::Counting(at) if calls_made(&world) >= at);
            drop(world);
            self.stages[n] = if happens { Stage::Over } else { stage };
            // What waits for a rotation that never comes must not fall into the quiet.
            if happens && now < start + plan.eventful {
                self.carry_out(&accident.what, now);
            }
        }
    }

    fn carry_out(&mut self, what: &What, now: Timestamp) {
        self.drive.world().ledger.note(now, format!("-- {what}"));
        self.judge.happens(what, now);
        match what {
            What::Outage { service, fault, lasts } => {
                // Nothing of the daemon's speaks to Entra's login here; without it, neither vault nor Graph can be asked.
                let hit: &[_] = match service {
                    Service::EntraLogin => &[Service::Vault, Service::Graph],
                    other => std::slice::from_ref(other),
                };
                for service in hit {
                    self.drive.world().faults.during(*service, now, now + *lasts, *fault);
                }
            }
            What::Calls { op, count, fault } => self.drive.world().faults.at_calls(*op, 1, *count, *fault),
            What::Kill { away } => self.first.kill(*away, now),
            What::Stop { away } => self.first.stop(*away, now),
            What::Sleep { whose, lasts, deaf, fault } => {
                let host = match whose {
                    Whose::First => Some(&mut self.first),
                    Whose::Second => self.second.as_mut().map(|(host, _)| host),
                };
                let Some(woken) = host.map(|host| host.sleep(*lasts, now)) else { return };
                for service in [Service::Hpe, Service::HpeAuth, Service::Vault, Service::Graph, Service::Scim] {
                    self.drive.world().faults.during(service, woken, woken + *deaf, *fault);
                }
            }
            What::Step(by) => self.first.step_clock(*by),
            What::Lag(lag) => self.drive.world().settings.list_lag = *lag,
            What::Second { lasts } => {
                self.second = Some((Host::new("another-host", TimeDelta::zero(), now), now + *lasts));
            }
            What::Spoil => self.drive.world().spoil_next_token(),
            What::Person(deed) => deed.carry_out(&mut self.drive.world()),
            What::Asks(asked) => {
                let order = asked.order(&self.drive.world(), now + self.first.skew());
                order.into_iter().for_each(|order| self.order(order));
            }
            What::Reload { retire_after } => self.first.reload(*retire_after),
        }
    }

    /// Writes a decision that differs from the last one into the story.
    fn tell(&mut self, now: Timestamp) {
        let Some(told) = &mut self.told else { return };
        let desk = read(&self.first.desk);
        let Some(standing) = desk.report.as_ref().map(|report| &report.standing) else { return };
        let error = standing.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        let text = format!("   the daemon: {}, {}{error}", standing.action, standing.reason);
        if *told != text {
            let next = standing.next.map(|at| format!(" (next {})", at.format("%m-%d %H:%M:%S"))).unwrap_or_default();
            self.drive.world().ledger.note(now, format!("{text}{next}"));
            *told = text;
        }
    }
}

/// All calls that the daemon has made.
fn calls_made(world: &World) -> u64 {
    Op::ALL.iter().filter(|op| **op != Op::EntraScim).map(|op| u64::from(world.faults.calls(*op))).sum()
}

//! Holds the invariants of DESIGN.md against the world, at every step of a life.
//!
//! What the design itself prescribes is allowed for, and written down where it is: [`Judge::patience`] for a working
//! token, [`Judge::longest_pause`] for the fence, [`super::bounds`] for issues.

mod events;
mod excuses;
mod orders;

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use scim_rotator::domain::journal::Tags;
use scim_rotator::domain::{Reason, Timestamp};
use scim_rotator::engine::report::Kind;

use self::orders::Asked;
use super::accidents::BELIEVED;
use super::bounds::Bounds;
use super::host::{CHECK, Desk};
use super::people::{Deed, Edit};
use super::plan::{Level, Plan, What, Whose};
pub use super::summary::Tally;
use crate::world::{PutReading, Schedule, TakesEffect, Who, World};

/// A deed so shortly before a call of ours is seen by nobody.
const RACE: TimeDelta = TimeDelta::seconds(10);
/// So long a pause whose answer was lost is tried again.
const REPEATED: TimeDelta = TimeDelta::minutes(2);
/// No process makes more calls in an hour: a rotation that polls once a minute makes a few hundred.
const BUSY: u64 = 1500;

/// Watches one life.
pub struct Judge<'a> {
    plan: &'a Plan,
    start: Timestamp,
    /// Since when nothing has gone wrong.
    calm: Timestamp,
    /// The same, whether or not the issues of a day were spent.
    quiet: Timestamp,
    dead: Option<Timestamp>,
    paused: Option<Timestamp>,
    /// How many events have been read.
    read: usize,
    bounds: Bounds,
    /// Time taken away by accidents, in which nothing could be rotated.
    taken: TimeDelta,
    last_deed: Option<Timestamp>,
    /// When a pause of ours failed last.
    pause_failed: Option<Timestamp>,
    /// When a person paused the job, and when a process was killed, last.
    person_paused: Option<Timestamp>,
    killed: Option<Timestamp>,
    /// What cycles would use is dead, or a new token was made that Entra does not hold; and so it was when a person started the job.
    exposed: bool,
    rotating: bool,
    started_exposed: bool,
    /// The job is paused by us; or it was, until somebody started it or it went into quarantine.
    ours: bool,
    pause_lost: bool,
    /// Until when a second host is at work, whose looks nobody reports.
    second_until: Option<Timestamp>,
    /// Calls against a deed that came too shortly before them to be seen.
    violations: u32,
    /// A person changed a setting between our reading it and our writing it.
    setting_raced: bool,
    /// A pause of unknown origin was reported.
    unknown_pause: bool,
    /// When a person was last called.
    human: Option<Timestamp>,
    expired: BTreeSet<u32>,
    /// When each token was made.
    made: BTreeMap<u32, Timestamp>,
    /// An hour's beginning, and the calls that had been made until then.
    hour: (Timestamp, u64),
    /// What it was asked for, and has not answered yet.
    asked: Vec<Asked>,
    /// Until when nothing is to be rotated, as it was answered.
    held: Option<Timestamp>,
    tally: Tally,
}

impl<'a> Judge<'a> {
    pub fn new(plan: &'a Plan, start: Timestamp) -> Self {
        Self {
            plan,
            start,
            calm: start,
            quiet: start,
            dead: None,
            paused: None,
            read: 0,
            bounds: Bounds::new(plan),
            taken: TimeDelta::zero(),
            last_deed: None,
            pause_failed: None,
            person_paused: None,
            killed: None,
            exposed: false,
            rotating: false,
            started_exposed: false,
            ours: false,
            pause_lost: false,
            second_until: None,
            violations: 0,
            setting_raced: false,
            unknown_pause: false,
            human: None,
            expired: BTreeSet::new(),
            made: BTreeMap::new(),
            hour: (start, 0),
            asked: Vec::new(),
            held: None,
            tally: Tally::default(),
        }
    }

    /// Something goes wrong, or somebody acts, now.
    pub fn happens(&mut self, what: &What, now: Timestamp) {
        self.tally.accidents += 1;
        let lasts = match what {
            What::Outage { lasts, .. } => *lasts,
            What::Kill { away } | What::Stop { away } => *away + TimeDelta::minutes(6),
            What::Sleep { whose: Whose::First, lasts, deaf, .. } => *lasts + *deaf,
            What::Sleep { deaf, .. } => *deaf,
            What::Step(by) => by.abs().min(BELIEVED),
            _ => TimeDelta::zero(),
        };
        match what {
            What::Step(_) => self.bounds.clock_stepped(now),
            What::Kill { .. } | What::Stop { .. } | What::Second { .. } => self.bounds.crashes += 1,
            What::Spoil => self.bounds.refused += 1,
            // Whoever takes over what it was about to do has a token made once more.
            What::Sleep { .. } if self.is_second_there(now) => self.bounds.crashes += 1,
            _ => {}
        }
        if let What::Second { lasts } = what {
            self.second_until = self.second_until.max(Some(now + *lasts));
        }
        if let What::Kill { .. } = what {
            self.killed = Some(now);
        }
        if let What::Person(deed) = what {
            self.last_deed = Some(now);
            // What told whose the pause is may be gone without a trace.
            self.unknown_pause |= matches!(deed, Deed::Edits(_, Edit::None)) && self.paused.is_some();
        }
        self.taken += lasts;
        // What the daemon is asked for is no accident.
        if matches!(what, What::Asks(_) | What::Reload { .. }) {
            return;
        }
        self.disturbed(match what {
            What::Step(_) => now,
            _ => now + lasts,
        });
    }

    /// Until then nothing is to be expected.
    pub fn disturbed(&mut self, until: Timestamp) {
        (self.calm, self.quiet) = (self.calm.max(until), self.quiet.max(until));
    }

    /// How long Entra may hold no working token although everything is there. Ten minutes, and what the design prescribes:
    /// the wait for the next look; the emergency backoff; a drain of twice a cycle (at most 90 minutes); two rounds of
    /// `settle_for` for each of two PUTs, and what the far side takes to let a token take effect and to show what it has
    /// saved. Where a person is at fault, only a cycle that fails shows it.
    pub fn patience(&self) -> TimeDelta {
        let settings = &self.plan.settings;
        let effect = match settings.takes_effect {
            TakesEffect::Delay(delay) => delay,
            _ => TimeDelta::zero(),
        };
        let noticed = match self.plan.level {
            Level::Accidents => TimeDelta::zero(),
            Level::Malice => settings.cycle_interval + settings.start_delay,
        };
        TimeDelta::minutes(10)
            + CHECK
            + TimeDelta::minutes(15)
            + drain(self.plan)
            + self.plan.policy.settle_for * 4
            + effect
            + settings.verification_delay
            + noticed
    }

    /// How long the job may be paused by us while the saved token works: as above, without the ten minutes.
    fn longest_pause(&self) -> TimeDelta {
        self.patience() - TimeDelta::minutes(10)
    }

    /// Looks at everything, after every step.
    pub fn step(&mut self, world: &World, desk: &Desk, skew: TimeDelta, calls: u64) -> Result<(), String> {
        let now = world.now();
        self.events(world, now)?;
        self.answers(world, now)?;
        self.hot_loop(now, calls)?;
        self.counters(world, now)?;
        self.bounds.skew = self.bounds.skew.max(skew.abs().min(BELIEVED));
        let human = self.needs_human(desk, now);
        let standing = desk.report.as_ref().map(|report| &report.standing);
        if let Some(standing) = standing.filter(|standing| standing.kind == Kind::NeedsHuman) {
            self.tally.called.insert(standing.reason.name(), 1);
        }
        let reason = desk.report.as_ref().map(|report| report.standing.reason);
        // Four issues in a day are enough; but a token that the vault has and that works needs no other.
        let healable = reason == Some(Reason::IssueBudgetSpent) && vault_has_a_good_one(world);
        if human && healable {
            self.calm = self.calm.max(now);
        } else if human {
            self.disturbed(now); // What he is called for is his; after it, there is time as after any accident.
        }
        self.called_for_nothing(desk)?;
        self.unknown_pause |= reason == Some(Reason::PauseOfUnknownOrigin);
        if reason == Some(Reason::IssueBudgetSpent) {
            // For up to a day, by design; then it goes on by itself. A slack of less than a day does not outlast it.
            self.calm = self.calm.max(now); // A process that is away says so for longer.
            self.taken = self.taken.max(TimeDelta::hours(24));
        }
        let calm = now - self.calm;
        match (world.entra_holds_a_working_token(), self.dead) {
            (true, _) => self.dead = None,
            (false, None) => self.dead = Some(now),
            (false, Some(since)) => {
                let for_so_long = (now - since).min(if healable { now - self.quiet } else { calm });
                let nobody_looks = world.jobs()[0].schedule == Schedule::Paused && !self.is_strict();
                let excused = human && !healable || nobody_looks;
                if !excused {
                    self.tally.worst_outage = self.tally.worst_outage.max(for_so_long);
                }
                if for_so_long > self.patience() && !excused {
                    return Err(format!("(1) Entra holds no working token for {} minutes", for_so_long.num_minutes()));
                }
            }
        }
        let job = &world.jobs()[0];
        let ours = job.schedule == Schedule::Paused && job.paused_by == Some(Who::Daemon);
        match (ours && self.dead.is_none(), self.paused) {
            (false, _) => (self.paused, self.unknown_pause) = (None, self.unknown_pause && ours),
            (true, None) => self.paused = Some(now),
            (true, Some(since)) => {
                let for_so_long = (now - since).min(calm);
                // A person has been called for this very pause.
                let excused = human || self.unknown_pause;
                if !excused {
                    self.tally.worst_pause = self.tally.worst_pause.max(for_so_long);
                }
                if for_so_long > self.longest_pause() && !excused {
                    return Err(format!("(5) the job is paused by us for {} minutes", for_so_long.num_minutes()));
                }
            }
        }
        if calm > self.patience() && !desk.looking && !self.is_second_there(now) {
            if !human {
                self.at_rest(world)?;
            }
            self.late(world, desk, now)?;
        }
        Ok(())
    }

    fn is_second_there(&self, now: Timestamp) -> bool {
        self.second_until.is_some_and(|until| now < until)
    }

    fn is_strict(&self) -> bool {
        self.plan.level == Level::Accidents
    }

    /// When what Entra holds is to be replaced at the latest.
    fn last_safe(&self, world: &World) -> Option<Timestamp> {
        let made = self.made.get(&world.saved_token()?)?;
        Some(*made + self.plan.settings.token_life - self.plan.policy.min_slack)
    }

    /// (9): the policy is never late.
    fn late(&self, world: &World, desk: &Desk, now: Timestamp) -> Result<(), String> {
        let Some(last_safe) = self.last_safe(world) else { return Ok(()) };
        // That a PUT was ignored shows after an hour, where the old token lives on.
        let unseen = match self.plan.settings.put {
            PutReading::IgnoresFirst => TimeDelta::minutes(65),
            _ => TimeDelta::zero(),
        };
        let late = now - last_safe - self.bounds.skew - self.patience() - unseen;
        let reason = desk.report.as_ref().map(|report| report.standing.reason);
        match self.is_strict() && !self.takes_too_long() && late > TimeDelta::zero() {
            true => Err(format!(
                "(9) the last safe moment has passed by {} minutes; the daemon: {reason:?}",
                late.num_minutes()
            )),
            false => Ok(()),
        }
    }

    fn counters(&self, world: &World, now: Timestamp) -> Result<(), String> {
        let ledger = &world.ledger;
        let started = ledger.started_a_persons_pause + ledger.started_while_active;
        if started > self.violations && !self.takes_too_long() {
            return Err("(5) start is called on a running job, or against a person's pause".to_owned());
        }
        if ledger.masks_sent > 0 {
            return Err("(6) a mask is sent".to_owned());
        }
        if self.is_strict()
            && !self.setting_raced
            && !(world.settings_lost().is_empty() && ledger.siblings_added.is_empty())
        {
            let (lost, added) = (world.settings_lost(), &ledger.siblings_added);
            // A PUT that loses something is put right within seconds.
            if now - self.calm > TimeDelta::minutes(5) {
                return Err(format!("(6) settings are lost: {lost:?}, or added: {added:?}"));
            }
        }
        Ok(())
    }

    /// Nothing is under way and nothing has happened for long.
    fn at_rest(&self, world: &World) -> Result<(), String> {
        let Some(latest) = world.versions().last() else { return Ok(()) };
        let persons = !latest.tags.contains_key("scim-rotator");
        let readable = latest.enabled && world.accepts(&latest.value);
        if self.is_strict() && !self.takes_too_long() && self.dead.is_none() && !persons && !readable {
            return Err("(10) whoever reads \"latest\" in the vault finds no token that works".to_owned());
        }
        Ok(())
    }

    /// After the quiet everything must have come to rest.
    pub fn at_the_end(&mut self, world: &World, desk: &Desk) -> Result<(), String> {
        let report = desk.report.as_ref().ok_or("the daemon has never reported")?;
        let spent = self.takes_too_long() && report.standing.reason == Reason::IssueBudgetSpent;
        if spent {
            return Ok(());
        }
        let ours = |tags: &Tags| tags.contains_key("scim-rotator");
        let pending = |tags: &Tags| tags.get("stage").is_some_and(|stage| stage == "pending");
        let open = world.versions().iter().any(|v| ours(&v.tags) && pending(&v.tags));
        let job = &world.jobs()[0];
        // Whether a pause that could not be written down is ours nobody can tell after an hour.
        let unknown = report.standing.reason == Reason::PauseOfUnknownOrigin && self.is_strict();
        let persons = job.paused_by == Some(Who::Person);
        let checks = [
            (world.entra_holds_a_working_token(), "Entra holds a working token"),
            (job.schedule == Schedule::Active || persons || unknown, "the job is active"),
            (!open, "no version is pending"),
            (report.standing.kind != Kind::NeedsHuman || unknown, "nobody is needed"),
            (report.standing.error.is_none(), "the last look did not fail"),
            (world.settings_lost().is_empty() || self.setting_raced, "no setting is lost"),
        ];
        if let Some((_, what)) = checks.iter().find(|(holds, _)| !holds) {
            let (reason, error) = (report.standing.reason, &report.standing.error);
            return Err(format!("at the end it does not hold that {what}; the daemon: {reason} {error:?}"));
        }
        if self.is_strict() {
            self.bounds.at_the_end(world, self.start)?;
        }
        Ok(())
    }

    /// What it came to.
    pub fn tally(mut self, world: &World) -> Tally {
        self.tally.of(&world.ledger, world.now() - self.start);
        self.tally
    }
}

/// Whether the newest version that is current holds a token that works.
fn vault_has_a_good_one(world: &World) -> bool {
    let current = |v: &&crate::world::Stored| v.tags.get("stage").is_some_and(|stage| stage == "current");
    world.versions().iter().rev().find(current).is_some_and(|v| v.enabled && world.accepts(&v.value))
}

/// How long a cycle that outlives the pause is waited for.
fn drain(plan: &Plan) -> TimeDelta {
    (plan.settings.cycle_length * 2).clamp(TimeDelta::minutes(1), TimeDelta::minutes(90))
}

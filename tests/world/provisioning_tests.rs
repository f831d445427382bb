//! What the daemon relies on of cycles, pauses and quarantine, a test a row.

use chrono::TimeDelta;
use scim_rotator::domain::{ExecutionState, JobState};

use super::{Fault, Job, Schedule, Service, Settings, Timestamp, World};

fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

/// Cycles begin at 5, 45, 85 … minutes and take 4.
fn world() -> World {
    World::new(Settings::default())
}

fn job(world: &World) -> &Job {
    &world.jobs()[0]
}

fn id(world: &World) -> String {
    job(world).id.clone()
}

fn at(world: &World, minute: i64) -> Timestamp {
    world.settings.start + minutes(minute)
}

#[test]
fn cycles_begin_every_forty_minutes_take_their_time_and_are_shown_when_they_have_ended() {
    let mut world = world();
    world.advance(minutes(8));
    assert_eq!(job(&world).last, None, "there is no sign of a running cycle");
    world.advance(minutes(1));
    let last = job(&world).last.clone().unwrap();
    assert_eq!((last.began, last.ended, last.state), (at(&world, 5), at(&world, 9), ExecutionState::Succeeded));
    world.advance(minutes(40));
    assert_eq!(job(&world).last.as_ref().unwrap().began, at(&world, 45));
    assert_eq!(world.ledger.cycles_succeeded, 2);
}

#[test]
fn a_cycle_uses_what_was_saved_when_it_began_and_fails_in_its_middle_if_that_dies() {
    let mut world = world();
    world.advance(minutes(6));
    let new = world.person_rotates(true);
    world.person_saves(&new);
    world.advance(minutes(1));
    assert_eq!((world.ledger.cycles_failed, job(&world).state), (1, JobState::Quarantine));
    assert_eq!(job(&world).last.as_ref().unwrap().state, ExecutionState::Failed);
}

#[test]
fn a_pause_lets_a_running_cycle_go_on_and_no_further_one_begins() {
    let mut world = world();
    world.advance(minutes(6));
    world.pause(&id(&world));
    assert_eq!(job(&world).state, JobState::Paused);
    world.advance(minutes(500));
    assert_eq!((world.ledger.cycles_succeeded, world.ledger.cycles_cut), (1, 0));
    assert_eq!(job(&world).last.as_ref().unwrap().ended, at(&world, 9));
    assert_eq!(world.ledger.paused, minutes(500));
}

#[test]
fn a_pause_may_end_a_running_cycle_at_once_and_then_no_execution_is_shown() {
    let mut world = World::new(Settings { pause_ends_cycle: true, ..Settings::default() });
    world.advance(minutes(6));
    world.pause(&id(&world));
    world.advance(minutes(60));
    assert_eq!((world.ledger.cycles_succeeded, world.ledger.cycles_cut), (0, 1));
    assert_eq!(job(&world).last, None);
}

#[test]
fn a_cycle_that_outlives_the_pause_still_fails_when_its_token_dies() {
    let mut world = world();
    world.advance(minutes(6));
    world.pause(&id(&world));
    world.person_rotates(true);
    world.advance(minutes(1));
    assert_eq!((world.ledger.cycles_failed, job(&world).state), (1, JobState::Quarantine));
}

#[test]
fn start_resumes_soon_and_keeps_the_schedule_from_there() {
    let mut world = world();
    world.advance(minutes(20));
    world.pause(&id(&world));
    world.advance(minutes(60));
    world.start(&id(&world));
    world.advance(minutes(5));
    assert_eq!(job(&world).last.as_ref().unwrap().began, at(&world, 80) + TimeDelta::seconds(10));
    world.advance(minutes(40));
    assert_eq!(job(&world).last.as_ref().unwrap().began, at(&world, 120) + TimeDelta::seconds(10));
}

#[test]
fn start_on_an_active_job_and_on_a_persons_pause_are_counted() {
    let mut world = world();
    world.start(&id(&world));
    assert_eq!(world.ledger.started_while_active, 1);
    world.person_pauses();
    world.start(&id(&world));
    assert_eq!(world.ledger.started_a_persons_pause, 1);
    world.pause(&id(&world));
    world.start(&id(&world));
    world.pause(&id(&world));
    world.person_starts();
    assert_eq!((world.ledger.started_while_active, world.ledger.started_a_persons_pause), (1, 1));
}

#[test]
fn a_refused_token_quarantines_at_once_and_entra_tries_again_after_6_12_24_and_24_hours() {
    let mut world = world();
    world.person_deletes_tokens();
    world.advance(minutes(5));
    let began = at(&world, 5);
    let quarantine = job(&world).quarantine.clone().unwrap();
    assert_eq!((quarantine.reason, quarantine.began), ("EncounteredQuarantineException", began));
    for hours in [6, 18, 42, 66] {
        let attempt = began + TimeDelta::hours(hours);
        assert_eq!(job(&world).quarantine.as_ref().unwrap().next_attempt, Some(attempt));
        world.advance_to(attempt);
    }
    assert_eq!((world.ledger.cycles_failed, world.ledger.quarantines), (5, 1));
}

#[test]
fn entras_own_attempt_ends_the_quarantine_once_the_token_is_good() {
    let mut world = world();
    let new = world.person_rotates(true);
    world.advance(minutes(5));
    world.person_saves(&new);
    world.advance(TimeDelta::hours(6) - minutes(1));
    assert_eq!(job(&world).state, JobState::Quarantine, "a good token alone does not end it");
    world.advance(minutes(5));
    assert_eq!((job(&world).state, job(&world).quarantine.clone()), (JobState::Active, None));
}

#[test]
fn start_ends_a_quarantine_at_once_and_is_no_violation() {
    let mut world = world();
    let new = world.person_rotates(true);
    world.advance(minutes(5));
    world.person_saves(&new);
    world.start(&id(&world));
    assert_eq!((job(&world).state, job(&world).quarantine.clone()), (JobState::Active, None));
    world.advance(minutes(5));
    assert_eq!((world.ledger.cycles_succeeded, world.ledger.started_while_active), (1, 0));
}

#[test]
fn after_28_days_of_quarantine_the_job_is_disabled() {
    let mut world = world();
    world.person_deletes_tokens();
    world.advance(minutes(5) + TimeDelta::days(28) - TimeDelta::seconds(1));
    assert_eq!(job(&world).schedule, Schedule::Active);
    world.advance(TimeDelta::seconds(1));
    assert_eq!(job(&world).schedule, Schedule::Disabled);
    let failed = world.ledger.cycles_failed;
    world.advance(TimeDelta::days(100));
    assert_eq!(world.ledger.cycles_failed, failed);
}

#[test]
fn an_endpoint_that_is_down_fails_a_cycle_without_quarantine() {
    let mut world = world();
    let start = world.now();
    world.faults.during(Service::Scim, start, start + minutes(30), Fault::Down);
    world.advance(minutes(6));
    assert_eq!(job(&world).state, JobState::Active);
    assert_eq!((world.ledger.cycles_unreachable, world.ledger.cycles_failed), (1, 0));
    world.advance(minutes(45));
    assert_eq!(world.ledger.cycles_succeeded, 1);
}

#[test]
fn single_users_that_fail_show_as_entry_level_errors_and_the_token_was_accepted() {
    let mut world = World::new(Settings { entry_level_errors: true, ..Settings::default() });
    world.advance(minutes(10));
    assert_eq!(job(&world).last.as_ref().unwrap().state, ExecutionState::EntryLevelErrors);
    assert_eq!(world.ledger.cycles_succeeded, 1);
}

#[test]
fn several_jobs_of_one_service_principal_share_the_saved_credentials() {
    let jobs = vec!["one".to_owned(), "two".to_owned()];
    let mut world = World::new(Settings { jobs, ..Settings::default() });
    world.advance(minutes(10));
    assert_eq!(world.ledger.cycles_succeeded, 2);
    assert!(world.job("two").is_some() && world.job("three").is_none());
    assert!(!world.pause("three"));
}

#[test]
fn the_way_to_a_moment_does_not_matter() {
    let story = |steps: i64| {
        let mut world = world();
        for _ in 0..steps {
            world.advance(TimeDelta::days(200) / i32::try_from(steps).unwrap());
        }
        (world.now(), world.ledger.trace(), world.ledger.outage)
    };
    let (_, trace, outage) = story(1);
    assert_eq!((&story(1000).1, story(1000).2), (&trace, outage));
    assert!(trace.contains("its life is over") && outage > TimeDelta::days(19), "{trace}");
}

//! The wait for a running cycle, broken off: by a kill, by a service that is away, by an endpoint that answers nobody. Whoever
//! takes the rotation up waits for the rest of it, and no cycle fails.

use chrono::TimeDelta;
use scim_rotator::domain::{Bootstrap, Fence, Mode, Order, Policy};

use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use super::{Crash, FaceOptions, Side};
use crate::world::{Event, Fault, Op, Service, Settings, TakesEffect, World};

/// Two minutes into a cycle a person has stored a new token, which dies for the old one as soon as it is used.
async fn supplied(cycle_length: TimeDelta) -> Drive {
    let settings = Settings { cycle_length, takes_effect: TakesEffect::FirstUse, ..settings() };
    let accepting = Policy { accept_supplied: true, ..policy(Mode::Overlap, Fence::Auto) };
    let start = settings.start;
    let drive = Drive::new(World::new(settings), accepting);
    drive.live(&[], start + TimeDelta::days(20)).await;
    {
        let world = &mut *drive.world();
        let last = world.jobs()[0].last.clone().expect("a cycle has ended");
        world.advance_to(last.began + TimeDelta::minutes(82));
        let new = world.person_rotates(false);
        world.person_stores(&new);
    }
    drive
}

fn again(drive: &Drive) -> Drive {
    Drive::new(drive.world().clone(), drive.policy.clone())
}

async fn ends_well(drive: &Drive, crashes: &[Crash], what: &str) {
    let until = drive.world().now() + TimeDelta::hours(3);
    drive.live(crashes, until).await;
    let world = drive.world();
    assert_eq!((world.ledger.cycles_failed, world.saved_token()), (0, Some(2)), "{what}\n{}", world.ledger.trace());
}

#[tokio::test]
async fn a_kill_while_a_supplied_token_waits_for_a_cycle_fails_none() {
    for minutes in [4, 30] {
        let begin = supplied(TimeDelta::minutes(minutes)).await;
        for at_call in (1..=60).filter(|call| *call <= 24 || call % 6 == 0) {
            for side in [Side::Before, Side::After] {
                let crash = Crash { at_call, side };
                ends_well(&again(&begin), &[crash], &format!("cycles of {minutes} minutes, {crash:?}")).await;
            }
        }
    }
}

#[tokio::test]
async fn a_graph_that_is_away_while_a_cycle_is_waited_for_fails_none() {
    let begin = supplied(TimeDelta::minutes(30)).await;
    let drive = again(&begin);
    {
        let world = &mut *drive.world();
        let from = world.now() + TimeDelta::minutes(6);
        world.faults.during(Service::Graph, from, from + TimeDelta::minutes(4), Fault::Status(503, None));
    }
    ends_well(&drive, &[], "").await;
}

#[tokio::test]
async fn an_endpoint_that_is_away_for_a_minute_is_not_taken_for_the_end_of_a_token() {
    let begin = supplied(TimeDelta::minutes(30)).await;
    for seconds in [30, 60, 80, 120, 300] {
        let drive = again(&begin);
        {
            let world = &mut *drive.world();
            let from = world.now() + TimeDelta::minutes(5);
            world.faults.during(Service::Scim, from, from + TimeDelta::seconds(seconds), Fault::Down);
        }
        ends_well(&drive, &[], &format!("{seconds} seconds")).await;
    }
}

#[tokio::test]
async fn nor_is_it_after_answers_that_were_lost() {
    for (mode, takes_effect) in [(Mode::RemoveCurrent, TakesEffect::OwnExpiry), (Mode::Overlap, TakesEffect::FirstUse)]
    {
        let busy = Settings { cycle_length: TimeDelta::minutes(39), takes_effect, ..settings() };
        let begin = about_to_rotate(busy, policy(mode, Fence::Auto)).await;
        begin.world().faults.at_calls(Op::Issue, 1, 3, Fault::LoseRequest);
        let until = begin.world().now() + TimeDelta::hours(14);
        let clean = again(&begin);
        clean.live(&[], until).await;
        let is_pause = |event: &Event| matches!(event, Event::Paused { .. });
        let pauses: Vec<_> =
            clean.world().ledger.events().filter(|(_, event)| is_pause(event)).map(|(at, _)| *at).collect();
        for pause in pauses.into_iter().filter(|at| *at > begin.world().now()) {
            for minutes in [2, 6, 10] {
                let drive = again(&begin);
                let from = pause + TimeDelta::minutes(minutes);
                drive.world().faults.during(Service::Scim, from, from + TimeDelta::seconds(90), Fault::Down);
                drive.live(&[], until).await;
                let world = drive.world();
                assert_eq!(world.ledger.cycles_failed, 0, "{mode}, {minutes} after {pause}\n{}", world.ledger.trace());
            }
        }
    }
}

#[tokio::test]
async fn a_person_who_gave_entra_the_token_by_hand_in_the_midst_of_a_cycle_has_none_fail_by_us() {
    let drive = supplied(TimeDelta::minutes(30)).await;
    let new = drive.world().token_values().last().expect("a token").to_owned();
    drive.world().person_saves(&new);
    ends_well(&drive, &[], "").await;
}

#[tokio::test]
async fn a_cycle_that_could_not_reach_the_endpoint_does_not_make_the_next_one_short() {
    let busy = Settings { cycle_length: TimeDelta::minutes(39), ..settings() };
    let begin = about_to_rotate(busy, policy(Mode::RemoveCurrent, Fence::Auto)).await;
    // Due in the midst of it, at the last safe moment: no gap is waited for.
    let rules = Policy { min_slack: TimeDelta::days(30), ..begin.policy.clone() };
    for minutes in [50, 70, 90] {
        let drive = Drive::new(begin.world().clone(), rules.clone());
        let from = drive.world().now();
        drive.world().faults.during(Service::Scim, from, from + TimeDelta::minutes(minutes), Fault::Down);
        let until = from + TimeDelta::hours(8);
        drive.live(&[], until).await;
        let world = drive.world();
        assert_eq!(
            (world.ledger.cycles_failed, world.saved_token()),
            (0, Some(2)),
            "{minutes}\n{}",
            world.ledger.trace()
        );
    }
}

#[tokio::test]
async fn the_first_cycle_of_a_job_is_waited_for_before_a_token_is_made() {
    let first = Settings {
        cycle_length: TimeDelta::minutes(30),
        takes_effect: TakesEffect::FirstUse,
        begin: crate::world::Begin::AtEntra,
        ..settings()
    };
    let rules = Policy { bootstrap: Some(Bootstrap::Rotate), ..policy(Mode::Overlap, Fence::Auto) };
    let drive = Drive::new(World::new(first), rules);
    drive.world().advance(TimeDelta::minutes(2));
    ends_well(&drive, &[], "").await;
}

#[tokio::test]
async fn where_the_token_turns_out_to_be_dead_no_cycle_is_waited_for_that_could_not_live_on_it() {
    let long = Settings { cycle_length: TimeDelta::minutes(19), takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = about_to_rotate(long, policy(Mode::Overlap, Fence::Auto)).await;
    // In the gap after a cycle, so that nothing shows yet.
    let ended = drive.world().jobs()[0].last.clone().expect("a cycle has ended").ended;
    drive.world().advance_to(ended + TimeDelta::minutes(41));
    drive.world().person_rotates(true);
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    let world = drive.world();
    let ledger = &world.ledger;
    assert_eq!((world.saved_token(), ledger.cycles_failed), (Some(3), 0), "{}", ledger.trace());
    assert!(ledger.outage < TimeDelta::minutes(8), "{}\n{}", ledger.outage, ledger.trace());
}

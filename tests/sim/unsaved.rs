//! A token that the vault could not take when it was issued, because the whole vault was away.

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Order, Timestamp};
use scim_rotator::engine::{Act, Connection};
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy, tend};
use super::rivals::{calls, other_host};
use crate::world::{Event, Fault, Op, Schedule, Service, Settings, TakesEffect, World};

fn when(world: &World, after: Timestamp, is: impl Fn(&Event) -> bool) -> Timestamp {
    world.ledger.events().find(|(at, event)| *at > after && is(event)).map(|(at, _)| *at).expect("it happens")
}

/// A rotation whose vault is away from right after the issue on, for an hour; and when it is back.
async fn away_after_issue(fence: Fence) -> (Drive, Timestamp) {
    let settings =
        Settings { takes_effect: TakesEffect::OwnExpiry, cycle_length: TimeDelta::minutes(39), ..settings() };
    let prepared = about_to_rotate(settings, policy(Mode::Overlap, fence)).await;
    let begin = prepared.world().clone();
    let fresh = || Drive::new(begin.clone(), prepared.policy.clone());
    let clean = fresh();
    clean.live(&[], begin.now() + TimeDelta::hours(6)).await;
    let issued = when(&clean.world(), begin.now(), |event| matches!(event, Event::Issued { .. }));
    let back = issued + TimeDelta::hours(1);
    let drive = fresh();
    drive.world().faults.during(Service::Vault, issued + TimeDelta::milliseconds(100), back, Fault::Down);
    (drive, back)
}

#[tokio::test]
async fn a_vault_that_goes_away_right_after_it_has_taken_the_token_keeps_it_from_nobody() {
    for mode in [Mode::Overlap, Mode::RemoveCurrent] {
        for fence in [Fence::Always, Fence::Never] {
            let own = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
            let prepared = about_to_rotate(own, policy(mode, fence)).await;
            let begin = prepared.world().clone();
            let fresh = || Drive::new(begin.clone(), prepared.policy.clone());
            let clean = fresh();
            clean.live(&[], begin.now() + TimeDelta::hours(6)).await;
            let is_pending =
                |event: &Event| matches!(event, Event::Stored { stage: Some(stage), .. } if stage == "pending");
            let stored = when(&clean.world(), begin.now(), is_pending);
            let drive = fresh();
            let back = stored + TimeDelta::hours(25);
            drive.world().faults.during(Service::Vault, stored + TimeDelta::milliseconds(1), back, Fault::Down);
            drive.live(&[], stored + TimeDelta::minutes(15)).await;
            {
                let world = drive.world();
                let got = (world.saved_token(), world.jobs()[0].schedule);
                assert_eq!(got, (Some(2), Schedule::Active), "{mode} {fence:?}\n{}", world.ledger.trace());
            }
            drive.live(&[], back + TimeDelta::hours(4)).await;
            let world = drive.world();
            assert_eq!(
                (world.saved_token(), world.ledger.issued),
                (Some(2), 1),
                "{mode} {fence:?}\n{}",
                world.ledger.trace()
            );
        }
    }
}

async fn until_unsaved(connection: &mut Connection) {
    while !connection.holds_unsaved_token() {
        let look = connection.look(Act::CarryOut).await;
        let clock = std::sync::Arc::clone(connection.clock());
        let wait = (look.next - clock.now()).clamp(TimeDelta::seconds(1), TimeDelta::hours(1));
        clock.sleep(wait.to_std().expect("a time")).await;
    }
}

#[tokio::test]
async fn a_token_that_the_vault_could_not_take_is_stored_as_soon_as_the_vault_is_back() {
    for fence in [Fence::Auto, Fence::Never] {
        let (drive, back) = away_after_issue(fence).await;
        drive.live(&[], back + TimeDelta::hours(4)).await;
        let world = drive.world();
        let stored = when(&world, back, |event| matches!(event, Event::Stored { .. }));
        assert!(stored - back < TimeDelta::minutes(6), "{fence:?}, {}\n{}", stored - back, world.ledger.trace());
        assert_eq!((world.saved_token(), world.ledger.issued, world.ledger.cycles_failed), (Some(2), 1, 0));
    }
}

#[tokio::test]
async fn a_sigterm_while_the_vault_is_away_waits_for_it_stores_the_token_and_pauses_nothing() {
    for fence in [Fence::Auto, Fence::Never] {
        let (drive, back) = away_after_issue(fence).await;
        let stop = CancellationToken::new();
        let (_face, connection) = drive.host("one-host", FaceOptions::default(), stop.clone());
        let mut connection = connection.calm();
        until_unsaved(&mut connection).await;
        drive.world().advance_to(back - TimeDelta::seconds(30));
        let told = drive.world().now();
        stop.cancel();
        connection.store_unsaved().await;
        let world = drive.world();
        assert!(!connection.holds_unsaved_token(), "{fence:?}\n{}", world.ledger.trace());
        let paused = |(at, event): &&(Timestamp, Event)| *at > told && matches!(event, Event::Paused { .. });
        assert_eq!(world.ledger.events().filter(paused).count(), 0);
    }
}

#[tokio::test]
async fn a_token_in_memory_is_stored_as_soon_as_the_vault_is_back_although_graph_is_not() {
    for fence in [Fence::Auto, Fence::Never] {
        let (drive, back) = away_after_issue(fence).await;
        let graph = (back - TimeDelta::minutes(30), back + TimeDelta::hours(4));
        drive.world().faults.during(Service::Graph, graph.0, graph.1, Fault::Down);
        drive.live(&[], graph.1 + TimeDelta::hours(4)).await;
        let world = drive.world();
        let stored = when(&world, back, |event| matches!(event, Event::Stored { .. }));
        assert!(stored - back < TimeDelta::minutes(6), "{fence:?}, {}\n{}", stored - back, world.ledger.trace());
        assert_eq!((world.saved_token(), world.ledger.issued, world.ledger.cycles_failed), (Some(2), 1, 0));
    }
}

#[tokio::test]
async fn a_token_in_memory_is_stored_although_the_vault_lets_nobody_list_any_more() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    let until = drive.world().now() + TimeDelta::hours(2);
    let mut is_issued = false;
    let forbid = |world: &mut World| {
        if !std::mem::replace(&mut is_issued, world.ledger.issued > 0) && world.ledger.issued > 0 {
            world.faults.at_calls(Op::VaultList, 1, 1_000_000, Fault::Status(403, None));
            // For longer than whoever has signed may go without a list.
            world.faults.at_calls(Op::VaultStore, 1, 14, Fault::Status(503, None));
        }
    };
    drive.live_beside(until, forbid).await;
    let world = drive.world();
    let is_stored = world.versions().last().is_some_and(|version| Some(&*version.value) == world.token_values().last());
    assert!(is_stored && world.saved_token() == Some(2), "{}", world.ledger.trace());
}

/// A rotation under which SIGTERM comes right after the issue, when the vault is away for so long. Answers with how long the
/// process lives on, and whether the token is lost.
async fn told_right_after_the_issue(drive: &Drive, mode: Mode, away: TimeDelta) -> (TimeDelta, bool) {
    let stop = CancellationToken::new();
    let (_face, connection) = drive.host("one-host", FaceOptions::default(), stop.clone());
    let mut connection = connection.calm();
    let told = async {
        while drive.world().jobs()[0].schedule == Schedule::Active {
            tokio::task::yield_now().await;
        }
        // The intent has been stored; the next one to be stored is the new token.
        drive.world().faults.at_call(Op::VaultStore, 1, Fault::Down);
        while drive.world().ledger.issued == 0 {
            tokio::task::yield_now().await;
        }
        let world = &mut *drive.world();
        let now = world.now();
        world.faults.during(Service::Vault, now, now + away, Fault::Down);
        stop.cancel();
        now
    };
    let order = Order::Rotate { mode: Some(mode), compromised: false };
    let ((), now) = futures::join!(
        async {
            connection.obey(order).await;
            connection.store_unsaved().await;
        },
        told
    );
    (drive.world().now() - now, connection.holds_unsaved_token())
}

#[tokio::test]
async fn a_process_that_is_told_to_end_while_the_vault_is_away_has_said_what_is_lost_before_it_is_killed() {
    for mode in [Mode::Overlap, Mode::RemoveCurrent] {
        for (minutes, lost) in [(3, false), (600, true)] {
            let own = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
            let drive = about_to_rotate(own, policy(mode, Fence::Auto)).await;
            let (time, is_lost) = told_right_after_the_issue(&drive, mode, TimeDelta::minutes(minutes)).await;
            let world = drive.world();
            assert_eq!(is_lost, lost, "{mode} {minutes}\n{}", world.ledger.trace());
            assert!(time < TimeDelta::seconds(280), "{mode} {minutes}: {time}\n{}", world.ledger.trace());
            assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{mode} {minutes}\n{}", world.ledger.trace());
            assert_eq!(world.saved_token(), Some(2), "{mode} {minutes}\n{}", world.ledger.trace());
        }
    }
}

#[tokio::test]
async fn a_token_in_memory_is_dropped_where_another_host_has_taken_over_although_graph_is_away() {
    let (drive, back) = away_after_issue(Fence::Auto).await;
    let (_face, connection) = drive.process(FaceOptions::default());
    let mut connection = connection.calm();
    until_unsaved(&mut connection).await;
    drive.world().advance_to(back);
    other_host(&drive, TimeDelta::hours(8)).await;
    let graph = |world: &mut World| {
        let now = world.now();
        world.faults.during(Service::Graph, now, now + TimeDelta::hours(4), Fault::Down);
        (world.saved_token(), calls(world, Op::VaultStore))
    };
    let (saved, stores) = graph(&mut drive.world());
    connection.look(Act::CarryOut).await;
    let world = drive.world();
    assert_eq!(saved, Some(3), "{}", world.ledger.trace());
    assert!(!connection.holds_unsaved_token(), "{}", world.ledger.trace());
    assert_eq!(calls(&world, Op::VaultStore), stores, "{}", world.ledger.trace());
}

#[tokio::test]
async fn nor_does_anybody_hold_on_to_it_where_all_can_be_seen() {
    let (drive, back) = away_after_issue(Fence::Auto).await;
    let stop = CancellationToken::new();
    let (_face, mut connection) = drive.host("one-host", FaceOptions::default(), stop.clone());
    until_unsaved(&mut connection).await;
    drive.world().advance_to(back);
    other_host(&drive, TimeDelta::hours(8)).await;
    let stores = calls(&drive.world(), Op::VaultStore);
    connection.look(Act::CarryOut).await;
    assert!(!connection.holds_unsaved_token(), "{}", drive.world().ledger.trace());
    let told = drive.world().now();
    stop.cancel();
    connection.store_unsaved().await;
    let world = drive.world();
    assert_eq!((world.now(), calls(&world, Op::VaultStore)), (told, stores), "{}", world.ledger.trace());
}

/// Another host has claimed the say, and has died before it did anything more.
#[tokio::test]
async fn a_token_in_memory_is_kept_where_another_host_has_only_claimed_the_say_although_graph_is_away() {
    for graph_is_away in [false, true] {
        let (drive, back) = away_after_issue(Fence::Auto).await;
        let (_face, mut connection) = drive.process(FaceOptions::default());
        until_unsaved(&mut connection).await;
        drive.world().advance_to(back);
        let labels = calls(&drive.world(), Op::VaultLabel);
        {
            let options = FaceOptions { yields: true, ..FaceOptions::default() };
            let (_face, mut other) = drive.host("other-host", options, CancellationToken::new());
            let claims = async {
                while calls(&drive.world(), Op::VaultLabel) == labels {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! { biased; () = claims => (), () = tend(&mut other) => () }
        }
        if graph_is_away {
            let world = &mut *drive.world();
            let now = world.now();
            world.faults.during(Service::Graph, now, now + TimeDelta::minutes(30), Fault::Down);
        }
        connection.look(Act::CarryOut).await;
        assert!(connection.holds_unsaved_token(), "{graph_is_away}\n{}", drive.world().ledger.trace());
        let until = drive.world().now() + TimeDelta::hours(3);
        while drive.world().now() < until {
            let look = connection.look(Act::CarryOut).await;
            let clock = std::sync::Arc::clone(connection.clock());
            let wait = (look.next - clock.now()).clamp(TimeDelta::seconds(1), TimeDelta::hours(1));
            clock.sleep(wait.to_std().expect("a time")).await;
        }
        let world = drive.world();
        assert_eq!(
            (world.saved_token(), world.ledger.issued),
            (Some(2), 1),
            "{graph_is_away}\n{}",
            world.ledger.trace()
        );
    }
}

#[tokio::test]
async fn a_process_that_is_told_to_end_while_a_token_in_memory_settles_stores_it_before_the_time_is_over() {
    let late = Settings { takes_effect: TakesEffect::Delay(TimeDelta::minutes(9)), ..settings() };
    let drive = about_to_rotate(late, policy(Mode::Overlap, Fence::Auto)).await;
    let stop = CancellationToken::new();
    let (_face, connection) = drive.host("one-host", FaceOptions::default(), stop.clone());
    let mut connection = connection.calm();
    let told = async {
        while drive.world().ledger.issued == 0 {
            tokio::task::yield_now().await;
        }
        let issued = drive.world().now();
        // The store has come first, and is tried for some minutes.
        let back = issued + TimeDelta::minutes(6);
        drive.world().faults.during(Service::Vault, issued, back, Fault::Down);
        let tested = calls(&drive.world(), Op::TestCandidate);
        while calls(&drive.world(), Op::TestCandidate) == tested {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        drive.world().now()
    };
    drive.world().faults.at_call(Op::VaultStore, 2, Fault::Down);
    let order = Order::Rotate { mode: None, compromised: false };
    let ((), told) = futures::join!(
        async {
            connection.obey(order).await;
            connection.store_unsaved().await;
        },
        told
    );
    {
        let world = drive.world();
        let time = world.now() - told;
        assert!(
            !connection.holds_unsaved_token() && time < TimeDelta::seconds(280),
            "{time}\n{}",
            world.ledger.trace()
        );
    }
    let until = drive.world().now() + TimeDelta::hours(2);
    drive.live(&[], until).await;
    let world = drive.world();
    let ledger = &world.ledger;
    assert_eq!((world.saved_token(), ledger.issued, ledger.cycles_failed), (Some(2), 1, 0), "{}", ledger.trace());
}

//! People who change what stands in the vault while a rotation is broken off.

use chrono::TimeDelta;
use scim_rotator::domain::policy::Before;
use scim_rotator::domain::{Fence, Mode, Order, Reason};
use scim_rotator::engine::Act;
use tokio_util::sync::CancellationToken;

use super::FaceOptions;
use super::accidents::{about_to_rotate, settings};
use super::drive::{Drive, policy};
use crate::world::{Event, Fault, Op, Schedule, Settings, TakesEffect, World};

/// A rotation that was killed as soon as the world looked like this.
pub(super) async fn killed_when(fence: Fence, is: impl Fn(&World) -> bool) -> Drive {
    let settings = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    about_to_rotate(settings, policy(Mode::Overlap, fence)).await.killed_when(is).await
}

pub(super) fn is_pending(world: &World) -> bool {
    world.versions().last().is_some_and(|v| v.tags.get("stage").is_some_and(|stage| stage == "pending"))
}

#[tokio::test]
async fn a_pending_version_that_somebody_disabled_or_filled_with_something_else_blocks_no_rotation() {
    for disables in [true, false] {
        let drive = killed_when(Fence::Never, is_pending).await;
        {
            let world = &mut *drive.world();
            let newest = world.versions_mut().and_then(|versions| versions.last_mut()).expect("a version");
            match disables {
                true => newest.enabled = false,
                false => newest.value = "something-else-altogether-0123456789".to_owned(),
            }
        }
        let until = drive.world().now() + TimeDelta::hours(3);
        drive.live(&[], until).await;
        let world = drive.world();
        assert!(world.entra_holds_a_working_token(), "{}", world.ledger.trace());
        assert_eq!((world.saved_token(), world.ledger.cycles_failed), (Some(3), 0), "{}", world.ledger.trace());
    }
}

/// The current version is neither the highest of ours, since one of ours above it was put aside, nor can it be made so,
/// since what a person stored above both is his.
#[tokio::test]
async fn entra_gets_the_current_token_back_though_a_rejected_version_and_a_persons_stand_above_it() {
    let mut rules = policy(Mode::Overlap, Fence::Auto);
    rules.accept_supplied = true;
    let begin = about_to_rotate(settings(), rules).await;
    begin.world().person_stores("see the wiki for the token");
    let is_put_aside =
        |world: &World| world.versions().iter().any(|v| v.tags.get("stage").is_some_and(|stage| stage == "rejected"));
    let drive = begin.killed_when(is_put_aside).await;
    {
        let world = &mut *drive.world();
        world.person_stores("something-of-a-persons-own-0123456789");
        world.versions_mut().and_then(|versions| versions.last_mut()).expect("a version").enabled = false;
        world.person_saves("this-was-never-a-token-0123456789");
    }
    let until = drive.world().now() + TimeDelta::minutes(90);
    drive.live(&[], until).await;
    let world = drive.world();
    assert!(world.entra_holds_a_working_token(), "{}", world.ledger.trace());
}

#[tokio::test]
async fn a_pause_whose_version_lost_all_its_tags_is_told_to_a_person() {
    let drive = killed_when(Fence::Auto, |world| world.jobs()[0].schedule == Schedule::Paused).await;
    drive.world().versions_mut().and_then(|versions| versions.last_mut()).expect("a version").tags.clear();
    let rules =
        scim_rotator::domain::Policy { rotate_before: Before::Time(TimeDelta::days(20)), ..drive.policy.clone() };
    let drive = Drive::new(drive.world().clone(), rules);
    let until = drive.world().now() + TimeDelta::days(5);
    drive.live(&[], until).await;
    let (_face, mut connection) = drive.host("one-host", FaceOptions::default(), CancellationToken::new());
    let look = connection.look(Act::DecideOnly).await;
    assert_eq!(look.report.standing.reason, Reason::PauseOfUnknownOrigin);
}

#[tokio::test]
async fn a_place_in_our_order_that_was_edited_to_any_number_costs_no_more_than_a_token_a_day() {
    for seq in ["1000001", "1000000000000", "999999999999", "999999999998", "1000003", "999999", "18446744073709551615"]
    {
        let settings = Settings { takes_effect: TakesEffect::FirstUse, ..settings() };
        let drive = about_to_rotate(settings, policy(Mode::Overlap, Fence::Auto)).await;
        {
            let world = &mut *drive.world();
            let newest = world.versions_mut().and_then(|versions| versions.last_mut()).expect("a version");
            newest.tags.insert("seq".to_owned(), seq.to_owned());
        }
        let until = drive.world().now() + TimeDelta::days(31);
        drive.live(&[], until).await;
        let (_face, mut connection) = drive.process(FaceOptions::default());
        let standing = connection.look(Act::DecideOnly).await.report.standing;
        let world = drive.world();
        assert!(world.ledger.issued <= 4, "{seq}: {}\n{}", world.ledger.issued, world.ledger.trace());
        let is_told = standing.reason == Reason::JournalDamaged && standing.remedy.is_some();
        assert!(world.entra_holds_a_working_token() || is_told, "{seq}: {standing:?}");
    }
}

#[tokio::test]
async fn what_a_person_enables_that_never_held_a_token_is_given_to_nobody() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().versions_mut().and_then(|versions| versions.last_mut()).expect("a version").enabled = false;
    drive.world().faults.at_call(Op::Issue, 1, Fault::Status(403, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    {
        let world = &mut *drive.world();
        let newest = world.versions_mut().and_then(|versions| versions.last_mut()).expect("a version");
        assert_eq!(newest.tags.get("stage").map(String::as_str), Some("placeholder"));
        newest.enabled = true;
        world.person_saves("this-was-never-a-token-0123456789");
    }
    let until = drive.world().now() + TimeDelta::hours(3);
    drive.live(&[], until).await;
    let world = drive.world();
    let candidates = world.ledger.events().filter_map(|(_, event)| match event {
        Event::Tested { token, saved: false, .. } => Some(*token),
        _ => None,
    });
    assert!(candidates.into_iter().all(|token| token.is_some()), "{}", world.ledger.trace());
    assert_eq!(world.saved_token(), Some(2), "{}", world.ledger.trace());
}

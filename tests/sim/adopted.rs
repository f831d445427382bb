//! Tokens that somebody brought or stored: which are taken over, what is written of them, and what is stored again after them.

use chrono::TimeDelta;
use scim_rotator::domain::journal::Label;
use scim_rotator::domain::{Fence, Mode, Order, Policy, Stage, Token};
use scim_rotator::engine::Act;

use super::FaceOptions;
use super::accidents::{about_to_rotate, judge, settings};
use super::drive::{Drive, policy};
use crate::world::{AnswerShape, Fault, Op, Settings, TakesEffect};

fn accepting() -> Policy {
    Policy { accept_supplied: true, ..policy(Mode::Overlap, Fence::Auto) }
}

async fn rotated() -> Drive {
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, accepting()).await;
    live(&drive, TimeDelta::hours(30)).await;
    drive
}

async fn live(drive: &Drive, time: TimeDelta) {
    let until = drive.world().now() + time;
    drive.live(&[], until).await;
}

#[tokio::test]
async fn a_token_that_we_had_before_is_not_taken_over_once_more_when_somebody_stores_it() {
    let drive = rotated().await;
    let old = drive.world().token_values().next().expect("a token").to_owned();
    assert!(drive.world().accepts(&old), "it would work");
    drive.world().person_stores(&old);
    live(&drive, TimeDelta::hours(3)).await;
    judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(drive.world().saved_token(), Some(2));
}

#[tokio::test]
async fn a_token_that_is_new_to_us_is_taken_over_when_somebody_stores_it() {
    let drive = rotated().await;
    let new = drive.world().person_rotates(false);
    drive.world().person_stores(&new);
    live(&drive, TimeDelta::hours(3)).await;
    let world = drive.world();
    assert_eq!(world.saved_token(), Some(3));
    let stages = world.versions().iter().map(|stored| stored.tags.get("stage").map(String::as_str));
    assert!(stages.clone().all(|stage| stage == Some("current")), "{:?}", stages.collect::<Vec<_>>());
    assert_eq!(
        world.versions().last().and_then(|stored| stored.tags.get("why")).map(String::as_str),
        Some("SuppliedToken")
    );
}

#[tokio::test]
async fn the_current_token_that_is_stored_again_carries_its_proof_and_no_record_of_its_rotation() {
    let drive = rotated().await;
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let until = drive.world().now() + TimeDelta::days(1);
    connection.obey(Order::Hold { until }).await;
    drive.world().person_stores("this is no token, but a note");
    connection.look(Act::CarryOut).await;
    let labels: Vec<_> = {
        let world = drive.world();
        world.versions().iter().map(|stored| Label::parse(&stored.tags)).collect()
    };
    let [Label::Ours(before), .., Label::Ours(note), Label::Ours(again)] = &labels[2..] else { panic!("{labels:?}") };
    assert_eq!((note.stage, again.stage), (Stage::Rejected, Stage::Current));
    assert_eq!((note.why.as_deref(), again.why.as_deref()), (None, Some("LatestIsAnother")));
    assert!(again.seq == note.seq + 1 && again.rotation != before.rotation);
    assert_eq!((&again.token, again.proof), (&before.token, before.proof));
    assert!(before.hold.is_some() && again.hold.is_none(), "the hold stands where it was written");
    assert!(again.intent.is_none() && again.pause.is_none());
}

#[tokio::test]
async fn the_record_of_a_rotation_that_came_to_nothing_is_not_copied_with_the_token_that_is_stored_again() {
    let drive = about_to_rotate(Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() }, accepting()).await;
    drive.world().faults.at_call(Op::Issue, 1, Fault::Status(409, None));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.obey(Order::Rotate { mode: None, compromised: false }).await;
    drive.world().person_stores("this is no token, but a note");
    let (_face, mut connection) = drive.process(FaceOptions::default());
    connection.look(Act::CarryOut).await;
    let world = drive.world();
    let labels: Vec<_> = world.versions().iter().map(|stored| Label::parse(&stored.tags)).collect();
    let [_, Label::Ours(intended), _, Label::Ours(again)] = labels.as_slice() else { panic!("{labels:?}") };
    assert!(intended.intent.is_some() && intended.pause.is_some());
    assert!(again.intent.is_none() && again.pause.is_none());
    assert_eq!((again.stage, &again.token), (Stage::Current, &intended.token));
}

#[tokio::test]
async fn a_tokens_own_word_on_its_end_counts_more_than_that_of_whoever_brings_it() {
    let told = Settings { takes_effect: TakesEffect::OwnExpiry, answer: AnswerShape::Jwt, ..settings() };
    let drive = about_to_rotate(told, policy(Mode::Overlap, Fence::Auto)).await;
    let token = Token::parse(&drive.world().person_rotates(false)).expect("a token");
    let own = token.jwt_expiry();
    let expires = Some(drive.world().now() + TimeDelta::days(7));
    let (_face, mut connection) = drive.process(FaceOptions::default());
    let look = connection.obey(Order::Adopt { token, expires }).await;
    assert!(own.is_some() && own != expires);
    assert_eq!(look.report.token.expect("a token").expires, own);
}

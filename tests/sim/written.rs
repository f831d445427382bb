//! What stands in the vault while a rotation is under way, and after it.

use chrono::TimeDelta;
use scim_rotator::domain::journal::{IntentEnd, Label, PauseNote};
use scim_rotator::domain::{Fence, Labels, Mode, Stage};

use super::accidents::{LIFE, about_to_rotate, settings};
use super::drive::{Drive, policy};
use super::{Crash, FaceOptions, Side};
use crate::world::{Schedule, Settings, Stored, TakesEffect, World};

/// The world as a process leaves it that is killed after each of its calls: one for each, in their order.
async fn stages(begin: &World, drive: &Drive) -> Vec<World> {
    let until = begin.now() + TimeDelta::hours(2);
    let clean = Drive::new(begin.clone(), drive.policy.clone());
    let calls = clean.live(&[], until).await;
    let mut all = Vec::new();
    for at_call in 1..=calls {
        let one = Drive::new(begin.clone(), drive.policy.clone());
        let crash = Some(Crash { at_call, side: Side::After });
        let (face, connection) = one.process(FaceOptions { crash, until: Some(until), ..FaceOptions::default() });
        let mut connection = connection.calm();
        tokio::select! {
            biased;
            () = face.crashed() => (),
            () = face.over() => (),
            () = super::drive::tend(&mut connection) => (),
        }
        all.push(one.world().clone());
    }
    all
}

fn labels(stored: &Stored) -> Labels {
    match Label::parse(&stored.tags) {
        Label::Ours(labels) => *labels,
        other => panic!("{other:?}"),
    }
}

async fn rotation(fence: Fence) -> Vec<World> {
    let settings = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
    let drive = about_to_rotate(settings, policy(Mode::Overlap, fence)).await;
    let begin = drive.world().clone();
    stages(&begin, &drive).await
}

#[tokio::test]
async fn at_every_moment_of_a_rotation_whoever_reads_the_latest_version_gets_a_token_that_works() {
    for world in rotation(Fence::Auto).await {
        let latest = world.versions().last().expect("a version");
        assert!(world.accepts(&latest.value), "{}", world.ledger.trace());
    }
}

/// In every mode and under every reading of "takes effect". Two gaps are the issuer's own doing, and no vault can close
/// them: a token that is removed by the very call that makes the next one, until that is stored; and one that takes a while
/// to work, while the job is paused so that nobody needs it.
#[tokio::test]
async fn the_latest_version_works_but_for_a_token_that_is_not_stored_or_not_in_effect_yet() {
    let late = TakesEffect::Delay(TimeDelta::minutes(5));
    for mode in [Mode::Overlap, Mode::RemoveCurrent] {
        for takes_effect in [TakesEffect::OwnExpiry, TakesEffect::FirstUse, late] {
            let settings = Settings { takes_effect, ..settings() };
            let drive = about_to_rotate(settings, policy(mode, Fence::Auto)).await;
            let begin = drive.world().clone();
            for world in stages(&begin, &drive).await {
                let latest = world.versions().last().expect("a version");
                let newest = world.token_values().last().expect("a token");
                let is_lost = mode == Mode::RemoveCurrent && world.versions().iter().all(|v| v.value != newest);
                let is_late =
                    takes_effect == late && latest.value == newest && world.jobs()[0].schedule == Schedule::Paused;
                let works = world.accepts(&latest.value);
                assert!(works || is_lost || is_late, "{mode:?}, {takes_effect:?}\n{}", world.ledger.trace());
                let entra = world.saved_token();
                assert!(world.token_number(&latest.value) >= entra || is_lost, "Entra's, or a newer one");
            }
        }
    }
}

#[tokio::test]
async fn the_intent_is_a_copy_of_the_current_version_and_says_ahead_what_is_going_to_be_done() {
    for (fence, pauses) in [(Fence::Auto, true), (Fence::Never, false)] {
        let stages = rotation(fence).await;
        let first = stages.iter().find(|world| world.versions().len() == 2).expect("an intent is stored");
        let [before, intended] = [0, 1].map(|n| labels(&first.versions()[n]));
        let intent = intended.intent.clone().expect("an intent");
        assert_eq!((intended.stage, &intended.token, intended.seq), (Stage::Current, &before.token, before.seq + 1));
        assert_eq!((intent.mode, intent.why.as_str()), (Mode::Overlap, "NearingExpiry"));
        assert_eq!(intended.sign.map(|sign| sign.holder).as_deref(), Some("one-host"));
        assert_eq!((intent.will_pause, intent.end), (pauses, IntentEnd::Planned), "nobody has been asked yet");
        assert_eq!(intended.pause.is_some_and(|pause| pause.is_open()), pauses);
        assert_eq!((intended.proof, intended.hold), (before.proof, None));
        assert!(intended.retry.is_some_and(|retry| retry.attempts == 1 && retry.not_before > intent.at));
    }
}

#[tokio::test]
async fn right_before_the_issuer_is_asked_the_intent_is_open_and_counts_from_then() {
    let stages = rotation(Fence::Auto).await;
    let asked = stages.iter().position(|world| world.ledger.issued == 1).expect("a token is issued");
    let world = &stages[asked - 1];
    let intended = labels(&world.versions()[1]);
    let intent = intended.intent.expect("an intent");
    assert_eq!(intent.end, IntentEnd::Open);
    assert!(world.now() - intent.at < TimeDelta::seconds(5), "the fence took minutes, and does not count");
    let again = intended.retry.expect("a wait").not_before;
    assert_eq!(again, intent.at + TimeDelta::minutes(3), "a lost answer is asked for again after three minutes");
    assert!(intended.pause.is_some_and(|pause| pause.is_held()));
}

#[tokio::test]
async fn a_new_token_is_stored_in_the_next_place_as_pending_and_every_version_with_its_end() {
    let stages = rotation(Fence::Auto).await;
    let stored = stages.iter().find(|world| world.versions().len() == 3).expect("the new token is stored");
    let [intended, pending] = [1, 2].map(|n| labels(&stored.versions()[n]));
    assert_eq!((pending.stage, pending.seq, &pending.rotation), (Stage::Pending, intended.seq + 1, &intended.rotation));
    for version in &stored.versions()[1..] {
        let end = labels(version).token.and_then(|token| token.expiry).map(|expiry| expiry.at);
        assert!(end.is_some() && version.expires == end.and_then(whole), "{version:?}");
    }
    let last = stages.last().expect("the last");
    let [intended, current] = [1, 2].map(|n| labels(&last.versions()[n]));
    assert_eq!(current.stage, Stage::Current);
    assert!(intended.pause.is_some_and(|pause: PauseNote| pause.ended > pause.at), "the end of the pause is told");
}

fn whole(moment: chrono::DateTime<chrono::Utc>) -> Option<chrono::DateTime<chrono::Utc>> {
    chrono::DateTime::from_timestamp(moment.timestamp(), 0)
}

#[tokio::test]
async fn a_version_whose_token_is_over_tells_the_vault_no_end_since_none_could_be_read_then() {
    let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
    drive.world().advance(LIFE);
    let begin = drive.world().clone();
    let stages = stages(&begin, &drive).await;
    let first = stages.iter().find(|world| world.versions().len() == 2).expect("an intent is stored");
    assert_eq!(first.versions()[1].expires, None);
    let last = stages.last().expect("the last");
    assert!(last.entra_holds_a_working_token(), "{}", last.ledger.trace());
}

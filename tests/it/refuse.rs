//! A new token that Entra refuses is put aside, and the next one is brought home.

use super::place::{OVERLAP, Place, SPEED, about_to_be_due, is_at_rest_with_newer, judge, only};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_rejected_the_last_good_one_stays_and_the_next_attempt_succeeds() {
    let far_side = about_to_be_due(|_| ()).await;
    let place = Place::new(far_side, SPEED, |text| only(OVERLAP, &text)).await;
    let good = place.sandbox.world(OVERLAP).saved_token().expect("a token");
    place.sandbox.world(OVERLAP).spoil_next_token();
    let daemon = place.daemon(&[]);
    let stage = |version: &crate::world::Stored| version.tags.get("stage").cloned().unwrap_or_default();
    place
        .until(OVERLAP, "the refused token is rejected and the last good one stored again", |world| {
            let stages: Vec<_> = world.versions().iter().map(stage).collect();
            stages.iter().rev().take(2).eq(["current", "rejected"])
        })
        .await;
    assert_eq!(place.sandbox.world(OVERLAP).saved_token(), Some(good), "Entra goes on with the last good token");
    place.until(OVERLAP, "the next one is confirmed", |world| is_at_rest_with_newer(world, good + 1)).await;
    judge(&place.sandbox.world(OVERLAP), 3).unwrap_or_else(|why| panic!("{why}\n{}", daemon.log()));
    assert!(daemon.log().contains("NewTokenRefused"), "{}", daemon.log());
}

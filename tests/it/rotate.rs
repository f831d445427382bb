//! The real binary rotates.

use scim_rotator::domain::Timestamp;

use super::place::{OVERLAP, Place, REMOVE_CURRENT, SPEED, about_to_be_due, is_at_rest_with_newer, judge, only};
use crate::sandbox::setup::worlds;
use crate::world::Begin;

#[tokio::test(flavor = "multi_thread")]
async fn run_rotates_in_both_modes_by_policy_and_no_provisioning_cycle_fails() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| text).await;
    let before = [OVERLAP, REMOVE_CURRENT].map(|n| place.sandbox.world(n).saved_token().expect("a token"));
    let daemon = place.daemon(&[]);
    for (number, token) in [OVERLAP, REMOVE_CURRENT].into_iter().zip(before) {
        place.until(number, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
        let world = place.sandbox.world(number);
        judge(&world, 2).unwrap_or_else(|why| panic!("{why}\n{}", daemon.log()));
        let newest = world.versions().last().expect("a version");
        let note: serde_json::Value = serde_json::from_str(&newest.tags["token"]).expect("a note");
        let noted: Timestamp = note["expiry"]["at"].as_str().expect("an expiry").parse().expect("a moment");
        assert_eq!(newest.expires, Some(noted), "the vault's own expiry is the token's");
        assert!(world.ledger.cycles_succeeded > 0);
    }
    let log = daemon.log();
    assert!(log.contains("NearingExpiry") && log.contains("Rotated"), "{log}");
    assert!(!log.contains("\"ERROR\"") && !log.contains("\"WARN\""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_contact_by_rotate_issues_one_token_and_ends() {
    let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
    let once = place.run(&["once"]).await;
    assert_eq!(once.status.code(), Some(0), "{}", String::from_utf8_lossy(&once.stderr));
    let world = place.sandbox.world(OVERLAP);
    assert_eq!((world.ledger.issued, world.saved_token()), (1, Some(2)), "{}", world.ledger.trace());
    judge(&world, 1).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_url_with_entras_feature_flags_is_tested_compared_and_kept_as_it_is() {
    const FLAGS: &str = "scimproxy?aadOptscim062020";
    let flagged = |text: String| only(OVERLAP, &text).replace("scimproxy\"", &format!("{FLAGS}\""));
    let place = Place::new(worlds(|_| ()), SPEED, flagged).await;
    let url = place.sandbox.world(OVERLAP).settings.tenant_url.replace("scimproxy", FLAGS);
    place.sandbox.world(OVERLAP).settings.tenant_url.clone_from(&url);
    // Saved without the flags, it is another tenant URL: no token is sent anywhere.
    let once = place.run(&["once"]).await;
    let said = String::from_utf8_lossy(&once.stderr).into_owned();
    assert!(once.status.code() == Some(1) && said.contains(FLAGS) && said.contains("no token is sent"), "{said}");
    place.sandbox.world(OVERLAP).person_sets("BaseAddress", &url);
    let once = place.run(&["once"]).await;
    assert_eq!(once.status.code(), Some(0), "{}", String::from_utf8_lossy(&once.stderr));
    let world = place.sandbox.world(OVERLAP);
    assert_eq!((world.ledger.issued, world.saved_token()), (1, Some(2)), "{}", world.ledger.trace());
    assert!(world.graph_settings().contains(&("BaseAddress".to_owned(), url)));
    judge(&world, 1).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_contact_by_adopt_issues_nothing_and_takes_over_what_stands_in_the_vault() {
    let far_side = worlds(|settings| settings.begin = Begin::AtEntraAndVault);
    let bend = |text: String| {
        only(OVERLAP, &text)
            .replace("bootstrap = \"rotate\"", "bootstrap = \"adopt\"")
            .replace("takes_effect", "assumed_lifetime = \"3d\", takes_effect")
            .replace("issuer = { kind = \"greenlake\",", "issuer = { kind = \"greenlake\", assumed_lifetime = \"3d\",")
    };
    let place = Place::new(far_side, SPEED, bend).await;
    let once = place.run(&["once"]).await;
    assert_eq!(once.status.code(), Some(0), "{}", String::from_utf8_lossy(&once.stderr));
    let world = place.sandbox.world(OVERLAP);
    assert_eq!((world.ledger.issued, world.versions().len()), (0, 1), "{}", world.ledger.trace());
    assert_eq!(world.versions()[0].tags["stage"], "current");
    judge(&world, 0).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_contact_by_create_makes_the_first_token_only_when_the_issuer_says_that_there_is_none() {
    let far_side = worlds(|settings| settings.begin = Begin::Empty);
    let bend = |text: String| only(OVERLAP, &text).replace("bootstrap = \"rotate\"", "bootstrap = \"create\"");
    let place = Place::new(far_side, SPEED, bend).await;
    let once = place.run(&["once"]).await;
    assert_eq!(once.status.code(), Some(0), "{}", String::from_utf8_lossy(&once.stderr));
    let world = place.sandbox.world(OVERLAP);
    assert_eq!((world.ledger.issued, world.saved_token()), (1, Some(1)), "{}", world.ledger.trace());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_status_change_nothing_and_say_what_is_due() {
    let far_side = about_to_be_due(|_| ()).await;
    let place = Place::new(far_side, SPEED, |text| only(REMOVE_CURRENT, &text)).await;
    place.until(REMOVE_CURRENT, "the token is due", |world| world.now() > place.sandbox.clock().anchor + DUE).await;
    let before = place.sandbox.world(REMOVE_CURRENT).versions().to_vec();
    let check = place.run(&["check"]).await;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(10), "{said}{}", String::from_utf8_lossy(&check.stderr));
    assert!(said.contains("remove-current: rotating") && said.contains("[NearingExpiry]"), "{said}");
    assert_eq!(place.run(&["check", "--due"]).await.status.code(), Some(0));
    let status = place.run(&["status"]).await;
    let table = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(0), "{table}");
    for word in ["CONNECTION", "EXPIRES", "SLACK", "remove-current", "rotate [NearingExpiry]", "Active", "field"] {
        assert!(table.contains(word), "{word} is not in\n{table}");
    }
    let json = place.run(&["status", "--json"]).await;
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one JSON document");
    assert_eq!(json["connections"][0]["standing"]["reason"], "NearingExpiry");
    assert_eq!(json["connections"][0]["token"]["expiry_source"], "field");
    assert_eq!(place.sandbox.world(REMOVE_CURRENT).versions(), before, "nothing was written");
    assert_eq!(place.sandbox.world(REMOVE_CURRENT).ledger.issued, 1, "nothing was issued");
}

const DUE: chrono::TimeDelta = chrono::TimeDelta::minutes(6);

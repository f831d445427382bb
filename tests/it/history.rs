//! `history` tells what was done, from the vault's versions and tags alone.

use std::fs;

use chrono::TimeDelta;
use scim_rotator::domain::Timestamp;
use serde_json::Value;

use super::canary::{leak, secrets};
use super::place::{OVERLAP, Place, SPEED, is_at_rest_with_newer, only};
use crate::sandbox::setup::worlds;
use crate::world::Op;

const NAME: &str = "overlap";

async fn place() -> Place {
    let long = |settings: &mut crate::world::Settings| settings.token_life = TimeDelta::days(300);
    Place::new(worlds(long), SPEED, |text| only(OVERLAP, &text)).await
}

async fn say(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = place.run(arguments).await;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

async fn json(place: &Place) -> Value {
    let (code, said) = say(place, &["history", NAME, "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str(&said).expect("one document")
}

fn moment(value: &Value) -> Timestamp {
    value.as_str().unwrap_or_else(|| panic!("{value} is no moment")).parse().expect("RFC 3339")
}

fn each<'a>(history: &'a Value, field: &str) -> Vec<&'a str> {
    let deeds = history["deeds"].as_array().expect("deeds");
    deeds.iter().map(|deed| deed[field].as_str().unwrap_or("-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rotation_is_told_with_reason_times_and_stage_and_no_value_is_read() {
    let place = place().await;
    let (code, said) = say(&place, &["once"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = say(&place, &["rotate", NAME]).await;
    assert_eq!(code, Some(0), "{said}");
    let file = place.setup.folder.join("by-hand");
    fs::write(&file, "this-token-was-never-made").expect("written");
    let (code, said) = say(&place, &["adopt", NAME, "--token-file", &file.to_string_lossy()]).await;
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = say(&place, &["hold", NAME, "--for", "2h"]).await;
    assert_eq!(code, Some(0), "{said}");

    let deeds = |place: &Place| {
        let world = place.sandbox.world(OVERLAP);
        let calls = [Op::VaultRead, Op::VaultStore, Op::VaultLabel, Op::BearerMint, Op::JobRead]
            .map(|op| world.faults.calls(op));
        (world.versions().to_vec(), calls)
    };
    let before = deeds(&place);
    let told = json(&place).await;
    let (code, text) = say(&place, &["history", NAME]).await;
    assert_eq!((code, before), (Some(0), deeds(&place)), "{text}");

    assert_eq!(each(&told, "what"), ["stored-again", "brought", "rotated", "rotated"], "{told:#}");
    assert_eq!(each(&told, "reason"), ["NewTokenRefused", "-", "Ordered", "BootstrapIssue"], "{told:#}");
    assert_eq!(each(&told, "standing"), ["current", "rejected", "current", "previous"], "{told:#}");
    assert_eq!(each(&told, "aside"), ["-", "NewTokenRefused", "-", "-"], "{told:#}");
    let rotated = &told["deeds"][2];
    let [asked, issued, stored, given] = ["asked", "issued", "stored", "given"].map(|field| moment(&rotated[field]));
    assert!(asked <= issued && issued - stored < TimeDelta::seconds(1) && stored <= given, "{rotated:#}");
    assert_eq!(rotated["took_seconds"], (given - asked).num_seconds(), "{rotated:#}");
    assert!(moment(&rotated["paused"]) < moment(&rotated["resumed"]), "{rotated:#}");
    assert_eq!((&rotated["mode"], &rotated["token"]), (&"overlap".into(), &told["deeds"][0]["token"]), "{rotated:#}");
    let expires = place.sandbox.world(OVERLAP).versions().last().and_then(|version| version.expires);
    assert_eq!(Some(moment(&rotated["expires"])).map(|at| at.timestamp()), expires.map(|at| at.timestamp()));
    assert!(moment(&told["held_until"]) > given, "{told:#}");
    for words in [
        "6 versions of greenlake-scim-token in https://overlap.vault.sandbox.test",
        "rotations by policy are held until",
        "rotated       Ordered",
        "a person has asked for a new token [Ordered] (overlap)",
        "put aside: the new token was refused and has been put aside [NewTokenRefused]",
        "given to Entra (",
        "job paused ",
        "last written by ",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let secrets = secrets(&place);
    for said in [text, told.to_string()] {
        assert_eq!(leak(said.as_bytes(), &secrets), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_token_was_confirmed_and_proven_is_told_and_which_versions_are_disabled() {
    let place = place().await;
    say(&place, &["once"]).await;
    let token = place.sandbox.world(OVERLAP).saved_token().expect("a token");
    let daemon = place.daemon(&[]);
    daemon.says("\"ready\"").await;
    say(&place, &["rotate", NAME, "--mode", "remove-current"]).await;
    place.until(OVERLAP, "it is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    let disabled = |world: &crate::world::World| world.versions().iter().filter(|version| !version.enabled).count();
    place.until(OVERLAP, "old versions are disabled", |world| disabled(world) == 3).await;
    let told = json(&place).await;
    let deed = &told["deeds"][0];
    assert!(moment(&deed["given"]) < moment(&deed["confirmed"]), "{deed:#}");
    assert!(moment(&deed["given"]) <= moment(&deed["proven"]) + TimeDelta::minutes(1), "{deed:#}");
    assert_eq!((&told["disabled"], &told["deeds"][1]["enabled"]), (&3.into(), &false.into()), "{told:#}");
    let (_, text) = say(&place, &["history", NAME]).await;
    assert!(text.contains("previous, disabled") && text.contains("  confirmed "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_many_pages_without_a_version_or_edited_by_others_is_told_whole() {
    let place = place().await;
    let (code, text) = say(&place, &["history", NAME]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("overlap: nothing yet; https://overlap.vault.sandbox.test"), "{text}");
    assert_eq!(json(&place).await["deeds"], Value::Array(Vec::new()));
    say(&place, &["once"]).await;
    {
        let mut world = place.sandbox.world(OVERLAP);
        for number in 0..60 {
            world.person_stores(&format!("not-our-token-{number}"));
        }
        let versions = world.versions_mut().expect("versions");
        versions[0].tags.insert("seq".to_owned(), "a\u{1b}[2Jb".to_owned());
        let intent = versions[1].tags.clone();
        versions[2].tags = intent;
        versions[2].tags.insert("seq".to_owned(), "9".to_owned());
        versions[2].tags.insert("rotation".to_owned(), "other".to_owned());
        versions[2].tags.insert("why".to_owned(), "\u{1b}]0;gone\u{7}".to_owned());
    }
    let told = json(&place).await;
    assert_eq!((told["versions"].as_u64(), each(&told, "what").len()), (Some(62), 62), "{told:#}");
    assert_eq!(each(&told, "what").iter().filter(|what| **what == "foreign").count(), 59);
    let (code, text) = say(&place, &["history", NAME]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("somebody has edited its tags: seq cannot be read"), "{text}");
    assert!(text.contains("]0;gone") && !text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_deleted_a_vault_that_refuses_and_a_name_that_is_none_are_told_apart() {
    let place = place().await;
    say(&place, &["once"]).await;
    let (code, said) = say(&place, &["history", "prod"]).await;
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("there is no connection \"prod\"; the configuration has overlap"), "{said}");
    place.sandbox.world(OVERLAP).settings.vault_forbidden = true;
    let (code, said) = say(&place, &["history", NAME, "--json"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Key Vault: GET ") && said.contains("Key Vault Secrets Officer"), "{said}");
    place.sandbox.world(OVERLAP).settings.vault_forbidden = false;
    place.sandbox.world(OVERLAP).person_deletes_secret();
    let (code, said) = say(&place, &["history", NAME]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("az keyvault secret recover"), "{said}");
}

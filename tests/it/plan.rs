//! `plan` tells what the daemon then does, and changes nothing.

use chrono::TimeDelta;
use scim_rotator::domain::Timestamp;
use serde_json::Value;

use super::place::{OVERLAP, Place, REMOVE_CURRENT, SPEED, about_to_be_due, is_at_rest_with_newer, only};

async fn plan(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = place.run(&[&["plan"], arguments].concat()).await;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

async fn json(place: &Place, arguments: &[&str]) -> Value {
    let (code, said) = plan(place, &[arguments, &["--json"]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str::<Value>(&said).expect("one document")["connections"][0].clone()
}

fn moment(value: &Value) -> Timestamp {
    value.as_str().expect("a moment").parse().expect("RFC 3339")
}

/// The steps that a log tells of up to the end of a rotation, in order, each once. What later looks do depends on Entra's cycles.
fn taken(log: &str) -> Vec<String> {
    let mut steps = Vec::new();
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let step = line["step"].as_str().filter(|_| line["target"] == "scim_rotator::engine::progress");
        steps.extend(step.map(str::to_owned).filter(|step| !steps.contains(step)));
        if steps.last().is_some_and(|step| step == "promote the new token to current") {
            break;
        }
    }
    steps
}

fn steps(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().expect("steps");
    steps.iter().map(|step| step["step"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_a_plan_are_those_that_the_rotation_then_takes() {
    for (connection, change) in [(OVERLAP, ""), (REMOVE_CURRENT, ""), (OVERLAP, "fence = \"never\"\n")] {
        let bend = |text: String| only(connection, &text.replace("[policy]\n", &format!("[policy]\n{change}")));
        let place = Place::new(about_to_be_due(|_| ()).await, SPEED, bend).await;
        let token = place.sandbox.world(connection).saved_token().expect("a token");
        let planned = steps(&json(&place, &[]).await);
        assert_eq!(planned.contains(&"pause the provisioning job".to_owned()), change.is_empty(), "{planned:?}");
        let daemon = place.daemon(&[]);
        place.until(connection, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
        assert_eq!(taken(&daemon.log()), planned);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_names_look_rotation_and_a_year_of_rotations_and_writes_nothing() {
    // Slow enough that nothing comes due meanwhile.
    let place = Place::new(about_to_be_due(|_| ()).await, 1.0, |text| only(OVERLAP, &text)).await;
    let deeds = |place: &Place| {
        let world = place.sandbox.world(OVERLAP);
        (world.versions().to_vec(), world.ledger.issued, world.saved_token())
    };
    let before = deeds(&place);
    let plan_of = json(&place, &["--horizon", "30days"]).await;
    assert_eq!(before, deeds(&place));
    let next = &plan_of["next_rotation"];
    assert_eq!((next["reason"].as_str(), next["mode"].as_str()), (Some("NearingExpiry"), Some("overlap")), "{plan_of}");
    let at = moment(&next["at"]);
    // The sandbox's tokens live for some days, and are rotated 36 h before their end, with 12 h of slack left.
    assert_eq!(moment(&plan_of["expires"]) - at, TimeDelta::hours(36), "{plan_of}");
    assert_eq!(moment(&plan_of["last_safe_moment"]) - at, TimeDelta::hours(24), "{plan_of}");
    assert!(moment(&plan_of["next_look"]) <= at, "{plan_of}");
    let coming: Vec<_> = plan_of["rotations"].as_array().expect("rotations").iter().map(|r| moment(&r["at"])).collect();
    assert_eq!(coming[0], at);
    let period = coming[1] - coming[0];
    assert!(coming.len() > 5 && coming.windows(2).all(|pair| pair[1] - pair[0] == period), "{coming:?}");
    let (code, text) = plan(&place, &[]).await;
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "NEXT ROTATION",
        "[NearingExpiry]",
        "ask the issuer for a new token (HPE)",
        "HPE needs role \"SCIM Proxy Token Contributor\"",
        "Application.ReadWrite.OwnedBy",
        "rotations within 365d",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let (code, text) = plan(&place, &["--horizon", "11years"]).await;
    assert_eq!(code, Some(64), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_shows_in_the_plan_and_a_connection_that_cannot_be_seen_is_told_and_fails() {
    let place = Place::new(about_to_be_due(|_| ()).await, 1.0, |text| only(OVERLAP, &text)).await;
    let name = json(&place, &[]).await["connection"].as_str().expect("a name").to_owned();
    assert!(place.run(&["hold", &name, "--for", "2h"]).await.status.success());
    let held = json(&place, &[]).await;
    assert_eq!(held["next_rotation"]["reason"], "Held", "{held}");
    assert_eq!(held["next_rotation"]["at"], held["next_rotation"]["held_until"], "{held}");
    let now = place.sandbox.world(OVERLAP).now();
    place.sandbox.world(OVERLAP).faults.during(
        crate::world::Service::Vault,
        now,
        now + TimeDelta::hours(1),
        crate::world::Fault::Status(403, None),
    );
    let (code, text) = plan(&place, &[]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("the look failed") && text.contains("error: a service could not be asked"), "{text}");
}

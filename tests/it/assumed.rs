//! A token of whose end nobody says anything: an assumed one is shown as assumed wherever it is shown, and without any it is
//! its age that has it rotated.

use std::process::Command;

use chrono::TimeDelta;

use super::place::{BINARY, OVERLAP, Place, judge, only};
use crate::sandbox::setup::worlds;
use crate::world::AnswerShape;

/// Slower than elsewhere: eight hours of the sandbox's time are nearly a minute.
const SPEED: f64 = 600.0;

async fn place(change: impl Fn(String) -> String) -> Place {
    let tells_nothing = worlds(|settings| settings.answer = AnswerShape::Flat);
    Place::new(tells_nothing, SPEED, |text| change(only(OVERLAP, &text))).await
}

async fn said(mut command: Command, arguments: &[&str]) -> String {
    command.args(arguments);
    let output = tokio::process::Command::from(command).output().await.expect("it starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assumed_end_is_shown_as_assumed_by_log_order_status_and_plan() {
    let assumes =
        |text: String| text.replace("kind = \"greenlake\"", "kind = \"greenlake\", assumed_lifetime = \"3d\"");
    let place = place(assumes).await;
    let name = ["overlap"];
    let run = async |arguments: &[&str]| said(place.setup.command(BINARY), arguments).await;
    let rotated = run(&["rotate", name[0], "-v"]).await;
    assert!(rotated.contains("UTC, which is assumed)"), "{rotated}");
    assert!(rotated.contains("expiry_source") && rotated.contains("assumed"), "{rotated}");
    for (arguments, words) in [
        (&["status"][..], &["(assumed)", "the expiry is assumed (assumed_lifetime)"][..]),
        (&["status", "--json"], &["\"expiry_source\": \"assumed\""]),
        (&["plan"], &["(assumed)"]),
        (&["plan", "--json"], &["\"expiry_source\": \"assumed\""]),
    ] {
        let shown = run(arguments).await;
        assert!(words.iter().all(|word| shown.contains(word)), "{arguments:?}\n{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_known_end_is_rotated_at_its_greatest_age_and_not_before() {
    let place = place(|text| text.replace("[policy]", "[policy]\nmax_age = \"2d\"")).await;
    let mut leapt = TimeDelta::zero();
    for (hours, issued) in [(0, 1), (40, 1), (9, 2)] {
        place.sandbox.leap(TimeDelta::hours(hours));
        leapt += TimeDelta::hours(hours);
        let once = said(place.setup.command_after(leapt, BINARY), &["once"]).await;
        let world = place.sandbox.world(OVERLAP);
        assert_eq!(world.ledger.issued, issued, "{}\n{once}", world.ledger.trace());
        assert!(issued == 1 || once.contains("MaxAgeReached"), "{once}");
    }
    judge(&place.sandbox.world(OVERLAP), 2).unwrap_or_else(|why| panic!("{why}"));
}

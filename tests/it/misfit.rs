//! A policy that was made for other lives than the tokens have: what the configuration alone shows is refused, and what only the
//! token shows is told wherever it is looked at.

use serde_json::Value;

use super::place::{OVERLAP, Place, about_to_be_due, only};

/// A place with one token, which lives for three days, under these lines of policy. Slow enough that nothing comes due.
async fn place(lines: &str, assumed: &str) -> Place {
    let bend = |text: String| {
        let policy = "rotate_before_expiry = \"36h\"\nmin_slack = \"12h\"";
        assert!(text.contains(policy), "{text}");
        only(OVERLAP, &text)
            .replace(policy, lines)
            .replace("kind = \"greenlake\"", &format!("kind = \"greenlake\"{assumed}"))
    };
    Place::new(about_to_be_due(|_| ()).await, 1.0, bend).await
}

async fn say(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = place.run(arguments).await;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_of_a_policy_does_not_fit_the_token_is_told_by_status_and_plan_and_refused_where_the_life_is_assumed() {
    let monthly = "window = { cron = \"0 0 2 1 * *\", lasts = \"4h\" }";
    for (lines, told, refused) in [
        (
            "rotate_before_expiry = \"70h\"\nmin_slack = \"1h\"",
            "rotate_before_expiry (2d 22h) leaves only 2h of its life (3d) to be used, so it is rotated 1d before its end",
            "leaves 2h of the token's life (assumed_lifetime, 3d)",
        ),
        (
            "rotate_before_expiry = \"30%\"\nmin_slack = \"48h\"",
            "the last safe moment is 10h 48m before its end",
            "min_slack (2d) is not shorter than rotate_before_expiry (21h 36m)",
        ),
        (
            &format!("rotate_before_expiry = \"50%\"\nmin_slack = \"12h\"\n{monthly}"),
            "cannot be kept as the policy asks: the window may never open before the deadline",
            "the window may never open before the deadline",
        ),
    ] {
        let place = place(lines, "").await;
        assert_eq!(say(&place, &["config", "check"]).await.0, Some(0));
        for arguments in [&["status"][..], &["status", "--json"], &["plan"], &["plan", "--json"]] {
            let (code, said) = say(&place, arguments).await;
            assert!(code == Some(0) && said.contains(told), "{arguments:?}: {told} is not in\n{said}");
        }
        let plan = say(&place, &["plan", "--json", "--horizon", "30days"]).await.1;
        let plan: Value = serde_json::from_str(&plan).expect("one document");
        let rotations = plan["connections"][0]["rotations"].as_array().expect("rotations").len();
        assert!(rotations <= 21, "{rotations} tokens in 30 days\n{plan}");
        let knowing = self::place(lines, ", assumed_lifetime = \"3d\"").await;
        let (code, said) = say(&knowing, &["config", "check"]).await;
        assert!(code == Some(78) && said.contains(refused), "{refused} is not in\n{said}");
    }
}

//! Whoever reads the latest version finds the current token: when it is stored again for that.

use super::*;

/// A proven token in version 1, and nothing to retire for a year; then one more version, stored on day 9.
fn followed_by(labels: Labels) -> Seen {
    let mut seen = well();
    seen.policy.retire_after = TimeDelta::days(365);
    seen.versions.push(version(labels, day(9)));
    seen
}

fn good(seq: u64) -> Labels {
    Labels { seq, rotation: format!("r{seq}"), proof: proven(), ..labels(Stage::Current, 1, day(0)) }
}

fn is_restated(seen: &Seen) -> bool {
    seen.decide() == Decision::Restate { reason: Reason::LatestIsAnother }
}

#[test]
fn a_copy_of_the_current_token_is_as_good_unless_it_was_put_aside() {
    assert!(!is_restated(&followed_by(good(2))));
    assert!(is_restated(&followed_by(Labels { stage: Stage::Rejected, ..good(2) })));
}

#[test]
fn another_token_that_was_stored_late_by_a_process_that_had_fallen_behind_is_not_left_as_the_latest() {
    let mut seen = followed_by(Labels { proof: Proof::default(), ..labels(Stage::Current, 0, day(-1)) });
    assert!(is_restated(&seen));
    seen.versions[1].created = day(-1);
    assert!(!is_restated(&seen), "stored before it, it is not the latest");
}

#[test]
fn a_version_that_shares_its_place_is_stored_again_in_a_place_of_its_own() {
    let mut seen = followed_by(Labels { rotation: "twin".into(), ..good(1) });
    seen.versions[1].id = VersionId("twin".into());
    assert!(is_restated(&seen));
}

#[test]
fn what_cannot_be_read_is_not_stored_again() {
    let mut seen = followed_by(labels(Stage::Rejected, 2, day(-9)));
    assert!(is_restated(&seen));
    seen.versions[0].enabled = false;
    assert!(!is_restated(&seen), "disabled");
    seen.versions[0].enabled = true;
    let placeholder = Labels { token: None, ..labels(Stage::Placeholder, 2, day(9)) };
    seen.versions[1] = version(placeholder, day(8));
    seen.versions.push(version(labels(Stage::Rejected, 3, day(-9)), day(9)));
    assert!(!is_restated(&seen), "it holds no token");
}

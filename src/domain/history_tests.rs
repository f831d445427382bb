use chrono::TimeDelta;

use super::*;
use crate::domain::journal::{HoldNote, PauseNote, Sign, TokenNote, VersionId};
use crate::domain::{Expiry, Reason, Token};

fn at(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
}

fn note(token: &str, minute: i64) -> TokenNote {
    let expiry = Expiry { at: at(100_000), source: ExpirySource::Jwt };
    TokenNote::new(&Token::parse(token).unwrap(), at(minute), Some(expiry))
}

fn labels(stage: Stage, seq: u64, rotation: &str, token: Option<TokenNote>) -> Labels {
    Labels::new(stage, seq, rotation.to_owned(), token)
}

fn version(minute: i64, label: Label) -> Version {
    Version { id: VersionId(format!("v{minute}")), created: at(minute), enabled: true, expires: None, label }
}

fn ours(minute: i64, labels: Labels) -> Version {
    version(minute, Label::Ours(Box::new(labels)))
}

fn intent(minute: i64, end: IntentEnd) -> Option<Intent> {
    let (mode, why) = (Mode::Overlap, "NearingExpiry".to_owned());
    Some(Intent { at: at(minute), mode, will_pause: true, why, end })
}

fn given(minute: i64) -> Proof {
    Proof { provisioned: Some(at(minute)), ..Proof::default() }
}

fn told(versions: Vec<Version>) -> Vec<Deed> {
    deeds(&Journal::new(versions))
}

/// A first token from minute 0, and a rotation at minute 10 that gave Entra the second one at minute 13.
fn rotated() -> Vec<Version> {
    let first = Labels { proof: given(1), ..labels(Stage::Current, 1, "r1", Some(note("the-first", 0))) };
    let copy = Labels {
        intent: intent(10, IntentEnd::Open),
        pause: Some(PauseNote { planned: at(9), at: Some(at(9)), ended: Some(at(14)) }),
        ..labels(Stage::Current, 2, "r2", Some(note("the-first", 0)))
    };
    let second = Labels { proof: given(13), ..labels(Stage::Current, 3, "r2", Some(note("the-second", 11))) };
    vec![ours(0, first), ours(9, copy), ours(12, second)]
}

#[test]
fn a_rotation_is_one_deed_of_both_its_versions_with_the_reason_of_its_intent() {
    let told = told(rotated());
    assert_eq!(told.len(), 2, "{told:#?}");
    let deed = &told[0];
    assert_eq!(
        (deed.what, deed.mode, deed.reason.as_deref()),
        (What::Rotated, Some(Mode::Overlap), Some("NearingExpiry"))
    );
    assert_eq!(
        (deed.asked, deed.issued, deed.stored, deed.given),
        (Some(at(10)), Some(at(11)), Some(at(12)), Some(at(13)))
    );
    assert_eq!((deed.took_seconds, deed.paused, deed.resumed), (Some(180), Some(at(9)), Some(at(14))));
    assert_eq!((deed.standing, deed.versions.join(" ").as_str()), (Some(Standing::Current), "v9 v12"));
    assert_eq!((told[1].what, told[1].standing), (What::Brought, Some(Standing::Previous)));
}

#[test]
fn the_time_that_a_rotation_took_survives_that_its_token_was_given_once_more() {
    let mut versions = rotated();
    if let Label::Ours(labels) = &mut versions[2].label {
        labels.proof =
            Proof { first: Some(at(13)), provisioned: Some(at(80)), again: Some(at(80)), ..Proof::default() };
    }
    assert_eq!(told(versions)[0].took_seconds, Some(180));
}

#[test]
fn a_token_of_which_a_copy_tells_nothing_new_was_first_given_when_it_was_given_before_the_copy() {
    let mut versions = rotated();
    if let Label::Ours(labels) = &mut versions[2].label {
        labels.proof = Proof { first: Some(at(13)), ..given(14) };
    }
    let proof = Proof { first: Some(at(80)), ..given(80) };
    versions.push(ours(50, Labels { proof, ..labels(Stage::Current, 4, "r3", Some(note("the-second", 11))) }));
    assert_eq!(told(versions)[1].took_seconds, Some(180));
}

#[test]
fn what_is_seen_of_a_copy_is_told_of_its_token_and_a_copy_is_no_rotation() {
    let mut versions = rotated();
    let proof = Proof { confirmed: Some(at(70)), proven: Some(at(90)), ..given(13) };
    versions.push(ours(50, Labels { proof, ..labels(Stage::Current, 4, "r3", Some(note("the-second", 11))) }));
    let told = told(versions);
    assert_eq!(
        (told[0].what, told[0].standing, told[0].took_seconds),
        (What::StoredAgain, Some(Standing::Current), None)
    );
    assert_eq!((told[1].confirmed, told[1].proven, told[1].took_seconds), (Some(at(70)), Some(at(90)), Some(180)));
}

#[test]
fn a_token_that_was_there_before_is_brought_by_a_person_and_only_by_us_stored_again() {
    for (why, what) in [
        (Reason::Ordered, What::Brought),
        (Reason::LatestIsAnother, What::StoredAgain),
        (Reason::NewTokenRefused, What::StoredAgain),
    ] {
        let again = labels(Stage::Pending, 4, "r3", Some(note("the-first", 0))).because(why);
        assert_eq!(told([rotated(), vec![ours(20, again)]].concat())[0].what, what, "{why}");
    }
}

#[test]
fn what_was_seen_of_a_token_before_is_not_told_of_its_double_that_was_put_aside() {
    let double = labels(Stage::Rejected, 4, "r3", Some(note("the-second", 20)));
    let told = told([rotated(), vec![ours(20, double)]].concat());
    assert_eq!((told[0].aside.as_deref(), told[0].given, told[0].took_seconds), (Some("known-already"), None, None));
    assert_eq!(told[1].given, Some(at(13)));
}

#[test]
fn an_intent_without_a_token_tells_whether_anybody_was_asked() {
    for (end, what, asked) in [
        (IntentEnd::Planned, What::Planned, None),
        (IntentEnd::Open, What::Asked, Some(at(20))),
        (IntentEnd::NotIssued, What::NotIssued, None),
    ] {
        let copy = Labels { intent: intent(20, end), ..labels(Stage::Current, 4, "r3", Some(note("the-second", 11))) };
        let told = told([rotated(), vec![ours(20, copy)]].concat());
        assert_eq!((told[0].what, told[0].asked, told[0].token.clone()), (what, asked, None));
        assert_eq!(told[1].standing, Some(Standing::Current), "the copy holds the current token");
    }
}

#[test]
fn a_token_that_was_put_aside_tells_why_where_that_is_known() {
    let rejected = |token: Option<TokenNote>| labels(Stage::Rejected, 4, "r3", token);
    let mut refused = labels(Stage::Pending, 4, "r3", Some(note("the-third", 30)));
    refused.put_aside(Reason::NewTokenRefused);
    for (labels, aside) in [
        (refused.clone(), Some("NewTokenRefused")),
        (rejected(Some(note("the-third", 30))), None),
        (rejected(Some(note("the-first", 30))), Some("known-already")),
        (rejected(None), Some("no-token")),
    ] {
        let told = told([rotated(), vec![ours(30, labels)]].concat());
        assert_eq!((told[0].what, told[0].aside.as_deref()), (What::Brought, aside));
    }
    let back = labels(Stage::Current, 5, "r4", Some(note("the-third", 30))).because(Reason::TookEffectLate);
    let told = told([rotated(), vec![ours(30, refused), ours(40, back)]].concat());
    assert_eq!((told[0].what, told[0].reason.as_deref()), (What::TakenBack, Some("TookEffectLate")));
}

#[test]
fn what_others_stored_and_edited_is_told_where_it_came_in_time() {
    let mut disabled = version(5, Label::Foreign);
    disabled.enabled = false;
    let told = told([rotated(), vec![disabled, version(60, Label::Damaged("seq".into()))]].concat());
    assert_eq!(
        told.iter().map(|deed| deed.what).collect::<Vec<_>>(),
        [What::Damaged, What::Rotated, What::Foreign, What::Brought]
    );
    assert_eq!((told[0].damaged_tag.as_deref(), told[2].enabled), (Some("seq"), false));
}

#[test]
fn a_token_is_disabled_only_when_no_version_of_it_can_be_read() {
    let mut versions = rotated();
    versions[0].enabled = false;
    assert!(told(versions.clone())[1].enabled, "the intent's version holds it still");
    versions[1].enabled = false;
    assert!(!told(versions)[1].enabled);
}

#[test]
fn a_hold_and_whoever_wrote_last_are_told_with_the_version_that_bears_them() {
    let mut versions = rotated();
    if let Label::Ours(labels) = &mut versions[2].label {
        labels.hold = Some(HoldNote { until: at(500) });
        labels.sign = Some(Sign { holder: "prod-7/abc".into(), at: at(14) });
    }
    let deed = told(versions).remove(0);
    assert_eq!(
        (deed.held_until, deed.written_by.as_deref(), deed.written_at),
        (Some(at(500)), Some("prod-7/abc"), Some(at(14)))
    );
}

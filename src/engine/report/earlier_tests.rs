//! Tables of what a report tells of the tokens and cycles that came before the last.

use super::*;

/// A token of its own, issued on that day, that lives for a hundred.
fn fresh(stage: Stage, seq: u64, on: i64) -> Labels {
    let token = Token::parse(&format!("a-token-{seq}")).unwrap();
    let expiry = Some(Expiry { at: day(on + 100), source: ExpirySource::Jwt });
    Labels::new(stage, seq, format!("r{seq}"), Some(TokenNote::new(&token, day(on), expiry)))
}

fn stored(on: i64, labels: Labels) -> Version {
    version(&format!("v{}", labels.seq), day(on), Label::Ours(Box::new(labels)))
}

/// The token of `labels`, and one that a rotation has put in its place on that day, with Entra an hour later.
fn rotated(mode: Mode, on: i64) -> Vec<Version> {
    let why = Reason::NearingExpiry.name().to_owned();
    let intent = Some(Intent { at: day(on), mode, will_pause: false, why, end: IntentEnd::Open });
    let asked = Labels { seq: 2, rotation: "r3".into(), intent, ..labels() };
    let proof = Proof { provisioned: Some(day(on) + TimeDelta::hours(1)), ..Proof::default() };
    let made = Labels { proof, ..fresh(Stage::Current, 3, on) };
    vec![stored(0, labels()), stored(on, asked), stored(on, made)]
}

/// The end of the token before the current one, as it is told on day 110.
fn told(versions: Vec<Version>) -> Option<Timestamp> {
    let report = report(&spec(), &seen_with(versions, day(110)), day(110));
    report.token.expect("a token").previous_expires
}

#[test]
fn the_token_before_the_current_one_is_told_to_live_beside_it_until_its_end_unless_it_was_removed() {
    for (mode, on, previous) in [
        (Mode::Overlap, 70, Some(day(100))),
        (Mode::Overlap, 99, Some(day(100))),
        (Mode::Overlap, 100, None),
        (Mode::Overlap, 101, None),
        (Mode::RemoveCurrent, 70, None),
    ] {
        assert_eq!(told(rotated(mode, on)), previous, "{mode:?} on day {on}");
    }
    assert_eq!(told(vec![stored(0, labels())]), None, "there is none before it");
    let pending = stored(80, fresh(Stage::Pending, 4, 80));
    let versions = [rotated(Mode::Overlap, 70), vec![pending]].concat();
    assert_eq!(told(versions), Some(day(100)), "what is pending has not taken its place yet");
}

#[test]
fn what_was_stored_again_or_rejected_since_makes_no_other_token_the_one_before() {
    let again = || Labels { seq: 4, ..fresh(Stage::Current, 3, 70) }.because(Reason::LatestIsAnother);
    let again = || stored(75, Labels { rotation: "r4".into(), ..again() });
    for (mode, previous) in [(Mode::Overlap, Some(day(100))), (Mode::RemoveCurrent, None)] {
        assert_eq!(told([rotated(mode, 70), vec![again()]].concat()), previous, "{mode:?}");
    }
    let rejected = stored(60, fresh(Stage::Rejected, 2, 60));
    let after = stored(70, fresh(Stage::Current, 3, 70));
    assert_eq!(told(vec![stored(0, labels()), rejected, after]), Some(day(100)));
}

#[test]
fn a_token_that_an_issuer_may_have_removed_is_not_told_to_live_whatever_became_of_the_one_in_its_place() {
    let intent = |mode, end| {
        let why = Reason::NearingExpiry.name().to_owned();
        Some(Intent { at: day(60), mode, will_pause: false, why, end })
    };
    // Asked, and the answer was lost, or was a no; then a rotation beside the one before.
    for (mode, end, previous) in [
        (Mode::RemoveCurrent, IntentEnd::Open, None),
        (Mode::RemoveCurrent, IntentEnd::NotIssued, Some(day(100))),
        (Mode::Overlap, IntentEnd::Open, Some(day(100))),
    ] {
        let asked = Labels { rotation: "r2".into(), intent: intent(mode, end), ..labels() };
        let versions = [rotated(Mode::Overlap, 70), vec![stored(60, asked)]].concat();
        assert_eq!(told(versions), previous, "{mode} {end:?}");
        // The same after the current one.
        let asked = Labels { seq: 4, rotation: "r4".into(), intent: intent(mode, end), ..fresh(Stage::Current, 3, 70) };
        let versions = [rotated(Mode::Overlap, 70), vec![stored(80, asked)]].concat();
        assert_eq!(told(versions), previous, "{mode} {end:?}");
    }
    // Put aside, and taken back later.
    for (mode, previous) in [(Mode::RemoveCurrent, None), (Mode::Overlap, Some(day(100)))] {
        let mut versions = rotated(mode, 70);
        if let Some(Label::Ours(labels)) = versions.last_mut().map(|made| &mut made.label) {
            labels.stage = Stage::Rejected;
        }
        let back = Labels { seq: 4, rotation: "r4".into(), ..fresh(Stage::Current, 3, 70) };
        assert_eq!(told([versions, vec![stored(71, back)]].concat()), previous, "{mode}");
    }
}

#[test]
fn the_last_three_tokens_are_told_newest_first_and_nothing_that_was_not_taken_over() {
    let foreign = version("theirs", day(85), Label::Foreign);
    let brought = [(4, 80), (5, 90)].map(|(seq, on)| stored(on, fresh(Stage::Current, seq, on)));
    let versions = [rotated(Mode::Overlap, 70), vec![foreign], brought.into()].concat();
    let told = report(&spec(), &seen_with(versions, day(91)), day(91)).recent;
    let brought = |on| Recent { at: day(on), what: What::Brought, reason: None, took_seconds: None };
    let reason = Some(Reason::NearingExpiry.name().to_owned());
    let rotated = Recent { at: day(70), what: What::Rotated, reason, took_seconds: Some(3_600) };
    assert_eq!(told, [brought(90), brought(80), rotated]);
}

#[test]
fn the_last_success_of_the_job_is_the_end_of_its_last_cycle_that_has_not_failed() {
    use ExecutionState::{EntryLevelErrors, Failed, Succeeded};
    let ended = |on, state| Some(Execution { began: day(on), ended: day(on) + TimeDelta::hours(1), state });
    for (success, last, told) in [
        (None, None, None),
        (None, ended(2, Failed), None),
        (ended(1, Succeeded), ended(2, Failed), Some(1)),
        (ended(1, Succeeded), ended(2, EntryLevelErrors), Some(2)),
        (ended(1, Succeeded), ended(2, Succeeded), Some(2)),
    ] {
        let mut seen = seen(labels(), day(3));
        (seen.job.last_success, seen.job.last_execution) = (success, last);
        let job = report(&spec(), &seen, day(3)).job.expect("a job");
        assert_eq!(job.last_success_ended, told.map(|on| day(on) + TimeDelta::hours(1)), "{:?}", seen.job);
    }
}

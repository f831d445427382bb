//! What needs no new token is done while one is waited for.

use super::*;

/// The last cycle has failed, Entra accepts nothing of what it has saved, and the vault's token is as given.
fn refused(mut seen: Seen, current: CurrentHealth) -> Seen {
    let now = seen.now;
    seen.job.last_execution =
        Some(Execution { began: now - TimeDelta::minutes(5), ended: now, state: ExecutionState::Failed });
    (seen.answers.saved, seen.answers.current) = (Some(Verdict::NotAccepted), Some(current));
    seen
}

/// A failure `ago`, which is backed off from for six hours.
fn backing_off(mut seen: Seen, ago: TimeDelta) -> Seen {
    seen.attempts.failed_at = Some(seen.now - ago);
    seen.attempts.not_before = Some(seen.now - ago + TimeDelta::hours(6));
    seen
}

fn after(minutes: i64) -> Seen {
    backing_off(refused(well(), CurrentHealth::Good), TimeDelta::minutes(minutes))
}

#[test]
fn a_quarter_of_an_hour_after_any_failure_entra_gets_the_vaults_good_token_back() {
    assert_eq!(after(14).reason(), Some(Reason::BackingOff));
    assert_eq!(after(15).decide(), Decision::Provision { reason: Reason::EntraHoldsAnother });
    let fresh = Seen { answers: Answers::default(), ..after(15) };
    assert_eq!(fresh.decide(), Decision::Ask(Question::Saved));
    let dead = |minutes| backing_off(refused(well(), CurrentHealth::Refused), TimeDelta::minutes(minutes));
    assert_eq!(dead(14).reason(), Some(Reason::BackingOff));
    assert!(is_rotation(&dead(15).decide(), Mode::RemoveCurrent, Reason::TokenRefused), "{:?}", dead(15).decide());
}

#[test]
fn so_it_does_while_a_lost_answer_or_the_day_of_four_issues_is_waited_out() {
    let lost = refused(intended(0, Mode::Overlap), CurrentHealth::Good);
    assert_eq!(lost.reason(), Some(Reason::EntraHoldsAnother));
    let dead = refused(intended(0, Mode::Overlap), CurrentHealth::Refused);
    assert_eq!(dead.reason(), Some(Reason::AnswerLost));
    let mut spent = intended(1, Mode::Overlap);
    for seq in 3..=5 {
        let next = Labels { seq, ..spent.last().clone() };
        spent.versions.push(version(next, minutes(0)));
    }
    assert_eq!(spent.reason(), Some(Reason::IssueBudgetSpent));
    assert_eq!(refused(spent, CurrentHealth::Good).reason(), Some(Reason::EntraHoldsAnother));
}

#[test]
fn a_quarantine_ends_and_a_supplied_token_is_taken_over_meanwhile_and_a_pending_one_comes_first() {
    let mut seen = backing_off(quarantined(well()), TimeDelta::hours(1));
    seen.answers.saved = Some(Verdict::Accepted);
    assert_eq!(seen.reason(), Some(Reason::QuarantineToEnd));
    let mut seen = backing_off(well(), TimeDelta::hours(1));
    seen.policy.accept_supplied = true;
    seen.versions.push(Version { label: Label::Foreign, ..version(labels(Stage::Current, 2, day(9)), day(9)) });
    assert_eq!(seen.reason(), Some(Reason::SuppliedToken));
    let pending = backing_off(with_pending(refused(well(), CurrentHealth::Good), 2, day(10)), TimeDelta::hours(1));
    assert_eq!(pending.reason(), Some(Reason::BackingOff));
}

#[test]
fn a_missing_token_is_asked_for_after_a_quarter_of_an_hour_at_most_whatever_is_written_of_a_due_one() {
    let mut seen = refused(well(), CurrentHealth::Refused);
    let retry = RetryNote::after(9, seen.now - TimeDelta::minutes(14), Tier::Normal, TimeDelta::zero());
    seen.last().retry = Some(retry);
    let until = seen.now + TimeDelta::minutes(1);
    assert_eq!(seen.decide(), Decision::Wait { until, reason: Reason::TokenRefused });
    seen.now = until;
    assert!(is_rotation(&seen.decide(), Mode::RemoveCurrent, Reason::TokenRefused), "{:?}", seen.decide());
}

#[test]
fn a_backoff_for_as_long_as_there_is_slack_ends_at_the_last_safe_moment() {
    let last_safe = day(93);
    let mut seen = Seen { now: day(93) - TimeDelta::hours(1), ..well() };
    seen.last().retry = Some(RetryNote::after(9, seen.now, Tier::Normal, TimeDelta::zero()));
    let waits = Decision::Wait { until: last_safe, reason: Reason::BackingOff };
    assert_eq!(seen.decide(), waits, "as it is written");
    let remembered = backing_off(Seen { now: seen.now, ..well() }, TimeDelta::minutes(1));
    assert_eq!(remembered.decide(), waits, "as it is remembered");
    for seen in [seen, remembered] {
        assert_eq!(Seen { now: last_safe, ..seen }.reason(), Some(Reason::NearingExpiry));
    }
    let mut late = Seen { now: last_safe, ..well() };
    late.attempts.fail(late.now, Tier::Emergency, None);
    late.now += TimeDelta::seconds(59);
    assert_eq!(late.reason(), Some(Reason::BackingOff), "what fails after it is backed off from");
}

#[test]
fn a_process_that_has_just_begun_neither_takes_a_token_over_nor_back_nor_stores_one_again() {
    let mut supplied = well();
    supplied.policy.accept_supplied = true;
    supplied.versions.push(Version { label: Label::Foreign, ..version(labels(Stage::Current, 2, day(9)), day(9)) });
    let mut rejected = well();
    rejected.versions.push(version(labels(Stage::Rejected, 2, day(-1)), day(9)));
    let mut late = well();
    late.versions.push(version(labels(Stage::Rejected, 2, day(10)), day(10)));
    late.answers.rejected = Some(Some(VersionId("v2".into())));
    let all = [(supplied, Reason::SuppliedToken), (rejected, Reason::LatestIsAnother), (late, Reason::TookEffectLate)];
    for (mut seen, reason) in all {
        assert_eq!(seen.reason(), Some(reason));
        seen.settled = seen.now + TimeDelta::minutes(2);
        assert_eq!(seen.decide(), Decision::Wait { until: seen.settled, reason: Reason::JustBegun });
    }
}

#[test]
fn nothing_retires_while_the_current_version_is_disabled() {
    let mut seen = well();
    let mut next = labels(Stage::Current, 2, day(0));
    next.proof = proven();
    seen.versions.push(version(next, day(0)));
    assert!(matches!(seen.decide(), Decision::Retire(_)), "{:?}", seen.decide());
    seen.versions.last_mut().unwrap().enabled = false;
    assert_eq!(seen.reason(), Some(Reason::NotDue));
}

#[test]
fn a_rejected_token_is_looked_at_again_where_there_is_no_current_one_and_not_for_ever_if_it_was_issued_in_the_future() {
    let mut seen = well();
    let mut placeholder = Labels::new(Stage::Placeholder, 1, "r1".to_owned(), None);
    placeholder.proof = Proof::default();
    seen.versions = vec![version(placeholder, day(9)), version(labels(Stage::Rejected, 2, day(10)), day(10))];
    assert_eq!(seen.decide(), Decision::Ask(Question::Rejected));
    let mut seen = well();
    seen.versions.push(version(labels(Stage::Rejected, 2, day(13)), day(10)));
    seen.versions.push(version(Labels { proof: proven(), ..labels(Stage::Current, 3, day(0)) }, day(10)));
    assert_ne!(seen.decide(), Decision::Ask(Question::Rejected), "a clock that was ahead by days");
}

#[test]
fn before_there_is_a_token_of_ours_nothing_is_mended_and_the_first_one_is_made_as_configured_and_not_otherwise() {
    let mut seen = refused(well(), CurrentHealth::Unreadable);
    let mut placeholder = Labels::new(Stage::Placeholder, 1, "r1".to_owned(), None);
    let intent = intended(0, Mode::Overlap).last().intent.take();
    placeholder.intent = intent.map(|intent| Intent { end: IntentEnd::NotIssued, ..intent });
    seen.versions = vec![version(placeholder, day(9))];
    assert_eq!(seen.reason(), Some(Reason::NotAdopted));
    seen.policy.bootstrap = Some(Bootstrap::Rotate);
    assert!(is_rotation(&seen.decide(), Mode::Overlap, Reason::BootstrapIssue), "{:?}", seen.decide());
}

/// The job is in quarantine although Entra accepts what it has saved; `start` has been given for that once.
fn standing(now: Timestamp) -> Seen {
    let mut seen = quarantined(Seen { now, ..well() });
    seen.answers.saved = Some(Verdict::Accepted);
    seen.last().started = Some(StartNote { quarantine: day(9), failed: false });
    let next = now + TimeDelta::hours(20);
    seen.job.quarantine.as_mut().unwrap().next_attempt = Some(next);
    seen
}

#[test]
fn a_quarantine_that_stands_puts_no_rotation_off() {
    let due = day(70);
    let until = |now| match standing(now).decide() {
        Decision::Wait { until, reason: Reason::QuarantineStands } => until,
        other => panic!("{other:?}"),
    };
    assert_eq!(until(due - TimeDelta::hours(21)), due - TimeDelta::hours(1), "Entra tries again then");
    assert_eq!(until(due - TimeDelta::hours(1)), due);
    assert_eq!(standing(due).reason(), Some(Reason::NearingExpiry));
}

#[test]
fn a_quarantine_whose_beginning_graph_does_not_tell_is_another_one_once_a_cycle_has_succeeded_since() {
    let mut seen = standing(day(10));
    seen.job.quarantine.as_mut().unwrap().began = None;
    seen.last().started = None;
    let succeeded = |day| Execution { began: day, ended: day, state: ExecutionState::Succeeded };
    seen.job.last_success = Some(succeeded(day(8)));
    let Decision::Start { labels, reason: Reason::QuarantineToEnd, .. } = seen.decide() else {
        panic!("{:?}", seen.decide())
    };
    seen.last().started = labels.started;
    assert_eq!(seen.reason(), Some(Reason::QuarantineStands), "once for each");
    seen.job.last_success = Some(succeeded(day(9)));
    assert_eq!(seen.reason(), Some(Reason::QuarantineToEnd));
}

#[test]
fn an_unproven_token_that_nobody_can_read_is_not_written_once_more_and_puts_no_rotation_off() {
    let mut seen = Seen { now: day(70), ..well() };
    seen.last().proof = Proof { provisioned: Some(day(1)), ..Proof::default() };
    seen.job.last_execution = None;
    assert_eq!(seen.decide(), Decision::Provision { reason: Reason::StillUnproven });
    seen.versions[0].enabled = false;
    assert_eq!(seen.reason(), Some(Reason::NearingExpiry));
}

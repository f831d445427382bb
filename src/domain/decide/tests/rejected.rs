//! Tokens that were refused, and may merely have been late; good tokens that are refused.

use super::*;

/// Version 2 was issued on day 9 and rejected; version 3 holds the last good value again.
fn rejected(now: Timestamp) -> Seen {
    let mut seen = well();
    seen.now = now;
    seen.policy.retire_after = TimeDelta::days(365);
    seen.job.seen_at = now;
    let good = seen.last().clone();
    seen.versions.push(version(labels(Stage::Rejected, 2, day(9)), day(9)));
    seen.versions.push(version(Labels { seq: 3, ..good }, day(9)));
    seen
}

#[test]
fn for_a_day_a_rejected_token_is_looked_at_again_every_five_minutes() {
    let mut seen = rejected(day(9) + TimeDelta::hours(1));
    assert_eq!(seen.decide(), Decision::Ask(Question::Rejected));
    seen.answers.rejected = Some(None);
    assert_eq!(seen.decide(), Decision::Wait { until: seen.now + TimeDelta::minutes(5), reason: Reason::NotDue });
    assert_eq!(rejected(day(10)).decide(), Decision::Wait { until: day(11), reason: Reason::NotDue }, "and no longer");
}

#[test]
fn a_rejected_token_that_works_by_now_is_taken_back() {
    let mut seen = rejected(day(9) + TimeDelta::hours(1));
    seen.answers.rejected = Some(Some(VersionId("v2".into())));
    assert_eq!(seen.decide(), Decision::Reinstate { version: VersionId("v2".into()), reason: Reason::TookEffectLate });
}

#[test]
fn while_the_issuer_is_waited_for_a_rejected_token_is_looked_at_as_well() {
    let mut seen = rejected(day(9) + TimeDelta::minutes(10));
    let now = seen.now;
    let intent = intended(0, Mode::Overlap).last().intent.take().map(|intent| Intent { at: now, ..intent });
    seen.last().intent = intent;
    seen.last().retry = Some(RetryNote { attempts: 1, not_before: now + TimeDelta::minutes(10), in_need: None });
    assert_eq!(seen.decide(), Decision::Ask(Question::Rejected));
    seen.answers.rejected = Some(Some(VersionId("v2".into())));
    assert_eq!(seen.reason(), Some(Reason::TookEffectLate));
    seen.answers.rejected = Some(None);
    assert_eq!(seen.decide(), Decision::Wait { until: now + TimeDelta::minutes(5), reason: Reason::AnswerLost });
}

#[test]
fn before_another_token_is_issued_the_rejected_one_is_looked_at_however_old_it_is() {
    let mut seen = rejected(day(70));
    assert_eq!(seen.decide(), Decision::Ask(Question::Rejected));
    seen.answers.rejected = Some(None);
    assert_eq!(seen.reason(), Some(Reason::NearingExpiry));
    seen.answers.rejected = Some(Some(VersionId("v2".into())));
    assert_eq!(seen.reason(), Some(Reason::TookEffectLate));
}

#[test]
fn a_rejected_copy_of_a_token_that_is_known_otherwise_is_never_taken_back() {
    let mut seen = rejected(day(9) + TimeDelta::hours(1));
    let known = seen.last().token.clone();
    let Label::Ours(labels) = &mut seen.versions[1].label else { panic!("ours") };
    labels.token = known.map(|note| TokenNote { issued: day(9), ..note });
    assert_eq!(seen.reason(), Some(Reason::NotDue));
}

#[test]
fn a_proven_token_that_is_refused_is_replaced_once_and_the_second_time_within_a_week_is_a_persons_business() {
    let mut seen = well();
    seen.answers =
        Answers { saved: Some(Verdict::NotAccepted), current: Some(CurrentHealth::Refused), ..Answers::default() };
    assert_eq!(seen.reason(), Some(Reason::TokenRefused));
    let mut replaced = labels(Stage::Current, 1, day(0));
    replaced.seq = 0;
    replaced.proof = proven();
    replaced.intent = Some(Intent {
        at: day(5),
        mode: Mode::Overlap,

        will_pause: true,
        why: Reason::TokenRefused.name().into(),
        end: IntentEnd::Open,
    });
    seen.versions.insert(0, version(replaced, day(5)));
    assert!(matches!(seen.decide(), Decision::NeedsHuman { reason: Reason::RotatedElsewhere, .. }));
    seen.now = day(12);
    assert_eq!(seen.reason(), Some(Reason::TokenRefused), "a week later it may be an accident again");
}

#[test]
fn a_current_version_that_cannot_be_read_is_replaced_only_when_entra_has_nothing_either() {
    let mut seen = well();
    assert_eq!(seen.reason(), Some(Reason::NotDue));
    seen.answers.saved = Some(Verdict::NotAccepted);
    seen.answers.current = Some(CurrentHealth::Unreadable);
    let until = day(10) + TimeDelta::minutes(5);
    assert_eq!(seen.decide(), Decision::Wait { until, reason: Reason::NoVerdict }, "it may be the endpoint");
    seen.answers.current = Some(CurrentHealth::Unclear);
    assert_eq!(seen.decide(), Decision::Wait { until, reason: Reason::NoVerdict });
    seen.answers.current = Some(CurrentHealth::Unreadable);
    seen.job.last_execution.as_mut().unwrap().state = ExecutionState::Failed;
    assert_eq!(seen.reason(), Some(Reason::CurrentUnreadable));
}

#[test]
fn a_quarantine_note_on_a_job_that_a_person_paused_starts_nothing() {
    let mut seen = quarantined(well());
    seen.answers.saved = Some(Verdict::Accepted);
    assert_eq!(seen.reason(), Some(Reason::QuarantineToEnd));
    seen.job.state = JobState::Paused;
    assert_eq!(seen.reason(), Some(Reason::NotDue));
}

#[test]
fn a_start_that_certainly_failed_may_be_given_again() {
    let mut seen = quarantined(well());
    seen.answers.saved = Some(Verdict::Accepted);
    seen.last().started = Some(StartNote { quarantine: day(9), failed: false });
    assert_eq!(seen.reason(), Some(Reason::QuarantineStands));
    seen.last().started = Some(StartNote { quarantine: day(9), failed: true });
    assert_eq!(seen.reason(), Some(Reason::QuarantineToEnd));
}

#[test]
fn two_connections_of_one_tenant_are_told_at_once_and_issue_nothing() {
    let mut seen = Seen { tenant_shared: true, ..well() };
    assert!(matches!(seen.decide(), Decision::NeedsHuman { reason: Reason::TenantShared, .. }));
    seen.order = Some(Order::Rotate { mode: None, compromised: true });
    assert!(matches!(seen.decide(), Decision::NeedsHuman { reason: Reason::TenantShared, .. }));
}

#[test]
fn an_old_token_that_is_only_assumed_to_be_dead_may_still_carry_a_cycle() {
    let seen = intended(10, Mode::RemoveCurrent);
    let Decision::Rotate(plan) = seen.decide() else { panic!("{:?}", seen.decide()) };
    assert!(plan.current_doubtful && !plan.current_dead, "{plan:?}");
}

#[test]
fn a_rejected_token_that_may_still_work_is_not_disabled_with_the_old_versions() {
    let mut seen = rejected(day(70));
    seen.policy.retire_after = TimeDelta::days(1);
    assert_eq!(seen.decide(), Decision::Retire(vec![VersionId("v1".into())]));
}

#[test]
fn whoever_reads_the_latest_version_finds_the_current_token_unless_somebody_else_stored_it() {
    let mut seen = well();
    seen.versions.push(version(labels(Stage::Rejected, 2, day(-9)), day(9)));
    assert_eq!(seen.decide(), Decision::Restate { reason: Reason::LatestIsAnother });
    let good = labels(Stage::Current, 1, day(0));
    seen.versions.push(version(Labels { seq: 3, proof: proven(), ..good }, day(9)));
    seen.policy.retire_after = TimeDelta::days(365);
    assert_eq!(seen.reason(), Some(Reason::NotDue));
    seen.versions.push(Version { label: Label::Foreign, id: VersionId("f".into()), ..seen.versions[0].clone() });
    seen.versions.last_mut().unwrap().created = day(9) + TimeDelta::hours(1);
    assert_eq!(seen.reason(), Some(Reason::NotDue), "a person's version is left where it is");
}

#[test]
fn a_start_for_a_quarantine_is_written_down_as_given_and_looked_after_within_the_hour() {
    let mut seen = quarantined(well());
    seen.answers.saved = Some(Verdict::Accepted);
    let Decision::Start { labels, .. } = seen.decide() else { panic!("{:?}", seen.decide()) };
    assert_eq!(labels.started, Some(StartNote { quarantine: day(9), failed: false }));
    *seen.last() = *labels;
    seen.job.quarantine.as_mut().unwrap().next_attempt = None;
    let until = day(10) + TimeDelta::hours(1);
    assert_eq!(seen.decide(), Decision::Wait { until, reason: Reason::QuarantineStands });
}

//! A table of sentences: each sets up what is seen, and says what is decided.

mod begun;
mod bounds;
mod mended;
mod milestones;
mod ordered;
mod paused;
mod plan;
mod properties;
mod rejected;
mod restated;
mod rivals;
mod supplied;
mod turn;

use super::*;
use crate::domain::attempts::{Attempts, Tier};
use crate::domain::journal::{
    HoldNote, Intent, IntentEnd, Journal, Label, Labels, PauseNote, Proof, RetryNote, Stage, StartNote, TokenNote,
    Version, VersionId,
};
use crate::domain::order::Order;
use crate::domain::policy::{Before, Bootstrap, Fence, Mode, Policy, TakesEffect, Windows};
use crate::domain::{
    Execution, ExecutionState, Expiry, ExpirySource, Job, JobState, Quarantine, Timestamp, Token, Verdict,
};

const HOLDER: &str = "here";

fn day(days: i64) -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::days(days)
}

fn minutes(minutes: i64) -> Timestamp {
    day(0) + TimeDelta::minutes(minutes)
}

/// What is seen, ready to be bent. The token lives from day 0 to day 100 and is due on day 70.
struct Seen {
    now: Timestamp,
    policy: Policy,
    versions: Vec<Version>,
    job: Job,
    attempts: Attempts,
    own_pause: Option<PauseNote>,
    acting: bool,
    stood_by: TimeDelta,
    stirred: Option<TimeDelta>,
    settled: Timestamp,
    hurried: bool,
    order: Option<Order>,
    tenant_shared: bool,
    answers: Answers,
}

impl Seen {
    fn decide(&self) -> Decision {
        let journal = Journal::new(self.versions.clone());
        decide(&Facts {
            now: self.now,
            holder: HOLDER,
            acting: self.acting,
            stood_by: self.stood_by,
            stirred: self.stirred,
            policy: &self.policy,
            journal: &journal,
            job: &self.job,
            attempts: &self.attempts,
            own_pause: self.own_pause,
            settled: self.settled,
            hurried: self.hurried,
            order: self.order.as_ref(),
            tenant_shared: self.tenant_shared,
            answers: self.answers.clone(),
        })
    }

    fn reason(&self) -> Option<Reason> {
        self.decide().reason()
    }

    fn last(&mut self) -> &mut Labels {
        match &mut self.versions.last_mut().unwrap().label {
            Label::Ours(labels) => labels,
            _ => unreachable!("the last version is ours"),
        }
    }
}

fn labels(stage: Stage, seq: u64, issued: Timestamp) -> Labels {
    let token = Token::parse(&format!("token-number-{seq}")).unwrap();
    let expiry = Some(Expiry { at: issued + TimeDelta::days(100), source: ExpirySource::Jwt });
    Labels::new(stage, seq, format!("r{seq}"), Some(TokenNote::new(&token, issued, expiry)))
}

fn version(labels: Labels, created: Timestamp) -> Version {
    let id = VersionId(format!("v{}", labels.seq));
    Version { id, created, enabled: true, expires: None, label: Label::Ours(Box::new(labels)) }
}

fn proven() -> Proof {
    Proof { provisioned: Some(day(0)), confirmed: Some(day(0)), proven: Some(day(0)), ..Proof::default() }
}

/// A proven token on day 10: all is well.
fn well() -> Seen {
    let mut labels = labels(Stage::Current, 1, day(0));
    labels.proof = proven();
    Seen {
        now: day(10),
        policy: Policy {
            mode: Mode::RemoveCurrent,
            supplied: false,
            takes_effect: TakesEffect::Unknown,
            fence: Fence::Auto,
            bootstrap: None,
            accept_supplied: false,
            rotate_before: Before::Time(TimeDelta::days(30)),
            max_age: None,
            min_slack: TimeDelta::days(7),
            windows: Windows::default(),
            jitter: TimeDelta::zero(),
            settle_for: TimeDelta::minutes(10),
            confirm_within: TimeDelta::hours(24),
            retire_after: TimeDelta::days(1),
        },
        versions: vec![version(labels, day(0))],
        job: Job {
            id: "job".into(),
            state: JobState::Active,
            quarantine: None,
            last_success: None,
            last_execution: Some(Execution {
                began: day(10) - TimeDelta::minutes(30),
                ended: day(10) - TimeDelta::minutes(25),
                state: ExecutionState::Succeeded,
            }),
            interval: Some(TimeDelta::minutes(40)),
            seen_at: day(10),
        },
        attempts: Attempts::default(),
        own_pause: None,
        acting: true,
        stood_by: TimeDelta::zero(),
        stirred: None,
        settled: day(-1),
        hurried: false,
        order: None,
        tenant_shared: false,
        answers: Answers { turn: Some(true), ..Answers::default() },
    }
}

/// An intent written at minute 0, seen at `minute`.
fn intended(minute: i64, mode: Mode) -> Seen {
    let mut seen = well();
    seen.now = minutes(minute);
    seen.job.seen_at = seen.now;
    seen.job.last_execution = None;
    let mut labels = labels(Stage::Current, 2, day(-71));
    labels.intent = Some(Intent { at: minutes(0), mode, will_pause: true, why: String::new(), end: IntentEnd::Open });
    labels.pause = Some(PauseNote::planned(minutes(0)));
    labels.retry = Some(RetryNote { attempts: 1, not_before: minutes(1), in_need: None });
    seen.versions.push(version(labels, minutes(0)));
    seen
}

fn with_pending(mut seen: Seen, seq: u64, issued: Timestamp) -> Seen {
    seen.versions.push(version(labels(Stage::Pending, seq, issued), issued));
    seen
}

fn held_pause(mut seen: Seen, since: Timestamp) -> Seen {
    seen.last().pause = Some(PauseNote { at: Some(since), ..PauseNote::planned(since) });
    seen.job.state = JobState::Paused;
    seen
}

fn quarantined(mut seen: Seen) -> Seen {
    seen.job.state = JobState::Quarantine;
    seen.job.quarantine = Some(Quarantine {
        reason: "EncounteredQuarantineException".into(),
        began: Some(day(9)),
        next_attempt: Some(day(10) + TimeDelta::hours(6)),
    });
    seen
}

fn is_rotation(decision: &Decision, mode: Mode, reason: Reason) -> bool {
    matches!(decision, Decision::Rotate(plan) if plan.mode == mode && plan.reason == reason)
}

#[test]
fn a_good_token_waits_until_it_is_due_and_a_day_at_most() {
    assert_eq!(well().decide(), Decision::Wait { until: day(11), reason: Reason::NotDue });
    let seen = Seen { now: day(69) + TimeDelta::hours(12), ..well() };
    assert_eq!(seen.decide(), Decision::Wait { until: day(70), reason: Reason::NotDue });
}

#[test]
fn a_due_token_is_rotated_in_the_configured_mode() {
    let seen = Seen { now: day(70), ..well() };
    assert!(is_rotation(&seen.decide(), Mode::RemoveCurrent, Reason::NearingExpiry), "{:?}", seen.decide());
}

#[test]
fn policy_alone_never_issues_twice_within_a_day() {
    let mut seen = well();
    seen.policy.max_age = Some(TimeDelta::hours(1));
    seen.now = day(0) + TimeDelta::hours(2);
    assert_eq!(seen.decide(), Decision::Wait { until: day(1), reason: Reason::IssuedRecently });
    seen.now = day(1);
    assert_eq!(seen.reason(), Some(Reason::MaxAgeReached));
}

#[test]
fn a_written_backoff_holds_and_then_ends() {
    let mut seen = Seen { now: day(70), ..well() };
    seen.last().retry = Some(RetryNote { attempts: 3, not_before: day(70) + TimeDelta::hours(1), in_need: None });
    assert_eq!(seen.reason(), Some(Reason::BackingOff));
    seen.now += TimeDelta::hours(1);
    assert_eq!(seen.reason(), Some(Reason::NearingExpiry));
}

#[test]
fn nothing_of_ours_needs_a_human_unless_the_configuration_says_how_to_begin() {
    let foreign =
        Version { id: VersionId("f".into()), created: day(0), enabled: true, expires: None, label: Label::Foreign };
    let mut seen = well();
    seen.versions = vec![foreign];
    assert_eq!(seen.reason(), Some(Reason::NotAdopted));
    seen.policy.bootstrap = Some(Bootstrap::Adopt);
    assert_eq!(seen.reason(), Some(Reason::BootstrapAdopt));
    seen.versions.clear();
    assert_eq!(seen.reason(), Some(Reason::NothingToAdopt));
    seen.policy.bootstrap = Some(Bootstrap::Create);
    assert!(matches!(seen.decide(), Decision::Rotate(Plan { mode: Mode::Overlap, may_create: true, .. })));
    seen.policy.bootstrap = Some(Bootstrap::Rotate);
    assert!(matches!(seen.decide(), Decision::Rotate(Plan { mode: Mode::Overlap, may_create: false, .. })));
}

#[test]
fn a_pending_version_is_resumed_before_another_token_is_issued() {
    let seen = with_pending(Seen { now: day(70), ..well() }, 2, day(70));
    assert_eq!(seen.decide(), Decision::Resume { version: VersionId("v2".into()), reason: Reason::PendingToken });
}

#[test]
fn a_pending_version_that_is_dead_or_overtaken_is_rejected() {
    let dead = with_pending(well(), 2, day(-100));
    assert_eq!(dead.reason(), Some(Reason::PendingSuperseded));
    let mut overtaken = with_pending(well(), 2, day(1));
    overtaken.versions.push(version(labels(Stage::Current, 3, day(2)), day(2)));
    assert!(matches!(
        overtaken.decide(),
        Decision::Note { labels, reason: Reason::PendingSuperseded, .. }
            if labels.stage == Stage::Rejected && labels.why.as_deref() == Some("PendingSuperseded")
    ));
}

#[test]
fn an_intent_without_a_token_is_taken_for_a_lost_answer_in_its_own_mode() {
    let seen = intended(1, Mode::Overlap);
    assert!(is_rotation(&seen.decide(), Mode::Overlap, Reason::AnswerLost), "{:?}", seen.decide());
}

#[test]
fn after_a_lost_answer_in_remove_current_mode_the_old_token_is_assumed_dead() {
    let decision = intended(1, Mode::RemoveCurrent).decide();
    assert!(matches!(decision, Decision::Rotate(Plan { current_doubtful: true, .. })), "{decision:?}");
}

#[test]
fn the_minute_after_an_intent_is_waited_out() {
    assert_eq!(intended(0, Mode::Overlap).decide(), Decision::Wait { until: minutes(1), reason: Reason::AnswerLost });
}

#[test]
fn an_intent_that_certainly_failed_is_no_lost_answer() {
    let mut seen = intended(1, Mode::Overlap);
    seen.last().intent.as_mut().unwrap().end = IntentEnd::NotIssued;
    assert_eq!(seen.reason(), Some(Reason::NearingExpiry));
}

#[test]
fn the_fifth_issue_within_a_day_needs_a_human_and_the_pause_does_not_wait_for_him() {
    let mut seen = intended(1, Mode::Overlap);
    for seq in 3..=5 {
        let mut next = seen.last().clone();
        next.seq = seq;
        seen.versions.push(version(next, minutes(0)));
    }
    assert_eq!(seen.decide(), Decision::NeedsHuman { until: minutes(24 * 60 + 6), reason: Reason::IssueBudgetSpent });
    let mut paused = held_pause(seen, minutes(0));
    (paused.now, paused.job.seen_at) = (minutes(60), minutes(60));
    assert_eq!(paused.decide(), Decision::Ask(Question::Saved));
}

#[test]
fn a_pause_of_ours_ends_once_entras_saved_token_passes() {
    let mut seen = held_pause(well(), day(9));
    assert_eq!(seen.decide(), Decision::Ask(Question::Saved));
    seen.answers.saved = Some(Verdict::Accepted);
    assert!(matches!(
        seen.decide(),
        Decision::Start { reason: Reason::PauseToEnd, labels, .. } if labels.pause.as_ref().is_some_and(|p| p.ended.is_some())
    ));
}

#[test]
fn a_pause_of_ours_stands_while_the_next_attempt_is_near() {
    let seen = held_pause(intended(1, Mode::Overlap), minutes(0));
    assert_eq!(seen.reason(), Some(Reason::AnswerLost));
}

#[test]
fn a_pause_of_ours_stands_for_an_hour_after_a_lost_answer_and_no_longer() {
    let mut seen = held_pause(intended(59, Mode::Overlap), minutes(0));
    seen.last().retry = Some(RetryNote { attempts: 5, not_before: minutes(90), in_need: None });
    assert_eq!(seen.reason(), Some(Reason::AnswerLost));
    (seen.now, seen.job.seen_at) = (minutes(60), minutes(60));
    assert_eq!(seen.decide(), Decision::Ask(Question::Saved));
}

#[test]
fn a_pause_of_ours_stands_under_a_pending_token_while_the_next_attempt_is_near() {
    let mut seen = held_pause(well(), day(10) - TimeDelta::minutes(5));
    seen = with_pending(seen, 2, day(10));
    seen.attempts.not_before = Some(day(10) + TimeDelta::minutes(15));
    assert_eq!(seen.reason(), Some(Reason::BackingOff));
    seen.attempts.not_before = Some(day(10) + TimeDelta::minutes(21));
    assert_eq!(seen.decide(), Decision::Ask(Question::Saved));
}

#[test]
fn a_pause_of_a_person_is_left_alone() {
    let mut seen = well();
    seen.job.state = JobState::Paused;
    assert_eq!(seen.reason(), Some(Reason::NotDue));
}

#[test]
fn a_pause_that_somebody_ended_is_written_off_but_not_before_graph_can_show_it() {
    let mut seen = held_pause(well(), day(10) - TimeDelta::minutes(5));
    seen.job.state = JobState::Active;
    seen.job.last_execution = None;
    assert_eq!(seen.reason(), Some(Reason::NotDue));
    seen.job.seen_at += TimeDelta::minutes(6);
    assert_eq!(seen.reason(), Some(Reason::PauseEnded));
}

#[test]
fn a_pause_without_a_tag_is_ours_within_the_hour_and_a_persons_business_after_it() {
    let mut seen = intended(30, Mode::Overlap);
    seen.job.state = JobState::Paused;
    assert_eq!(seen.reason(), Some(Reason::PauseToRecord));
    let mut late = intended(90, Mode::Overlap);
    late.job.state = JobState::Paused;
    late.last().intent.as_mut().unwrap().end = IntentEnd::NotIssued;
    late.policy.rotate_before = Before::Time(TimeDelta::days(20));
    assert!(matches!(late.decide(), Decision::NeedsHuman { reason: Reason::PauseOfUnknownOrigin, .. }));
    // Also while a failure is waited out.
    late.attempts = Attempts { failed: 3, not_before: Some(late.now + TimeDelta::minutes(20)), ..late.attempts };
    let until = late.now + TimeDelta::minutes(20);
    assert_eq!(late.decide(), Decision::NeedsHuman { until, reason: Reason::PauseOfUnknownOrigin });
}

#[test]
fn a_dead_token_is_replaced_whatever_the_policy_says() {
    let mut seen = Seen { now: day(100), ..well() };
    seen.policy.rotate_before = Before::Share(1);
    let decision = seen.decide();
    assert!(matches!(decision, Decision::Rotate(Plan { reason: Reason::TokenExpired, current_dead: true, .. })));
}

#[test]
fn a_quarantine_is_ended_once_when_the_saved_token_passes() {
    let mut seen = quarantined(well());
    assert_eq!(seen.decide(), Decision::Ask(Question::Saved));
    seen.answers.saved = Some(Verdict::Accepted);
    assert_eq!(seen.reason(), Some(Reason::QuarantineToEnd));
    seen.last().started = Some(StartNote { quarantine: day(9), failed: false });
    assert_eq!(
        seen.decide(),
        Decision::Wait { until: day(10) + TimeDelta::hours(6), reason: Reason::QuarantineStands }
    );
}

#[test]
fn a_quarantine_for_another_reason_is_not_ours_to_end() {
    let mut seen = quarantined(well());
    seen.job.quarantine.as_mut().unwrap().reason = "TooManyDeletes".into();
    assert_eq!(seen.reason(), Some(Reason::NotDue));
}

#[test]
fn what_follows_from_a_refused_saved_token_depends_on_the_vaults() {
    let mut seen = quarantined(well());
    seen.answers.saved = Some(Verdict::NotAccepted);
    assert_eq!(seen.decide(), Decision::Ask(Question::Current));
    seen.answers.current = Some(CurrentHealth::Good);
    assert_eq!(seen.decide(), Decision::Provision { reason: Reason::EntraHoldsAnother });
    seen.answers.current = Some(CurrentHealth::Refused);
    assert!(is_rotation(&seen.decide(), Mode::RemoveCurrent, Reason::TokenRefused));
    seen.answers.current = Some(CurrentHealth::Unclear);
    assert!(matches!(seen.decide(), Decision::Wait { reason: Reason::NoVerdict, .. }));
}

#[test]
fn a_cycle_that_began_after_the_put_confirms_and_an_earlier_one_does_not() {
    let mut seen = well();
    seen.last().proof = Proof { provisioned: Some(day(10) - TimeDelta::minutes(31)), ..Proof::default() };
    assert_eq!(seen.reason(), Some(Reason::Confirmed));
    seen.last().proof.provisioned = Some(day(10) - TimeDelta::minutes(29));
    assert_eq!(seen.reason(), Some(Reason::NotDue));
}

#[test]
fn a_token_is_proven_only_when_the_previous_one_is_known_dead() {
    let mut new = labels(Stage::Current, 2, day(9));
    new.proof = Proof { proven: None, provisioned: Some(day(10) - TimeDelta::minutes(50)), ..proven() };
    let mut seen = well();
    seen.versions.push(version(new, day(9)));
    assert_eq!(seen.decide(), Decision::Ask(Question::PreviousDead));
    seen.answers.previous_dead = Some(false);
    assert!(matches!(seen.decide(), Decision::Wait { .. }));
    seen.answers.previous_dead = Some(true);
    assert_eq!(seen.decide(), Decision::Ask(Question::Saved));
    seen.answers.saved = Some(Verdict::Accepted);
    assert_eq!(seen.reason(), Some(Reason::Proven));
}

#[test]
fn a_token_unproven_for_an_hour_is_written_once_more_and_only_once() {
    let mut new = labels(Stage::Current, 2, day(9));
    new.proof = Proof { proven: None, provisioned: Some(day(9)), ..proven() };
    let mut seen = well();
    seen.versions.push(version(new, day(9)));
    seen.answers.previous_dead = Some(false);
    assert_eq!(seen.decide(), Decision::Provision { reason: Reason::StillUnproven });
    seen.last().proof.again = Some(day(10));
    assert_eq!(seen.reason(), Some(Reason::NotDue));
}

#[test]
fn old_versions_retire_only_after_the_new_token_is_proven_and_never_the_current_one() {
    let mut new = labels(Stage::Current, 2, day(5));
    new.proof = Proof { proven: Some(day(9)), ..proven() };
    let mut seen = well();
    seen.versions.push(version(new, day(5)));
    assert_eq!(seen.decide(), Decision::Retire(vec![VersionId("v1".into())]));
    seen.now = day(9);
    assert!(matches!(seen.decide(), Decision::Wait { .. }));
}

#[test]
fn damaged_labels_stop_everything() {
    let mut seen = Seen { now: day(70), ..well() };
    let damaged = Label::Damaged("seq".into());
    seen.versions.push(Version { label: damaged, id: VersionId("d".into()), ..seen.versions[0].clone() });
    assert_eq!(seen.reason(), Some(Reason::JournalDamaged));
}

#[test]
fn a_supplied_token_is_taken_over_only_where_that_is_allowed() {
    let mut seen = well();
    seen.versions.push(Version {
        id: VersionId("f".into()),
        created: day(9),
        enabled: true,
        expires: None,
        label: Label::Foreign,
    });
    assert_eq!(seen.reason(), Some(Reason::NotDue));
    seen.policy.accept_supplied = true;
    assert_eq!(seen.decide(), Decision::Adopt { version: VersionId("f".into()), reason: Reason::SuppliedToken });
}

#[test]
fn a_token_without_a_known_end_needs_a_human() {
    let mut seen = well();
    seen.last().token.as_mut().unwrap().expiry = None;
    let until = day(10) + TimeDelta::hours(1);
    assert_eq!(seen.decide(), Decision::NeedsHuman { until, reason: Reason::NoKnownEnd });
}

#[test]
fn a_failed_attempt_is_waited_out_whatever_is_due() {
    let mut seen = with_pending(well(), 2, day(10));
    seen.attempts.fail(seen.now, Tier::Emergency, None);
    assert!(matches!(seen.decide(), Decision::Wait { reason: Reason::BackingOff, .. }));
}

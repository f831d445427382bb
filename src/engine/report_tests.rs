//! Tables of what a report says of what was seen and decided.

#[path = "report/earlier_tests.rs"]
mod earlier;

use chrono::TimeDelta;

use super::*;
use crate::domain::journal::{HoldNote, Intent, IntentEnd, Label, Labels, PauseNote, Proof, Stage};
use crate::domain::policy::{Before, Window, Windows};
use crate::domain::{
    Bootstrap, Decision, Execution, Fence, Job, Journal, Mode, Policy, Quarantine, TakesEffect, Token, Version,
    VersionId,
};
use crate::engine::observe::Observed;
use crate::engine::progress::Progress;
use crate::engine::run::Moment;

fn day(days: i64) -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::days(days)
}

fn spec() -> Spec {
    let policy = Policy {
        mode: Mode::Overlap,
        supplied: false,
        takes_effect: TakesEffect::Unknown,
        fence: Fence::Auto,
        bootstrap: Some(Bootstrap::Adopt),
        accept_supplied: false,
        rotate_before: Before::Time(TimeDelta::days(30)),
        max_age: None,
        min_slack: TimeDelta::days(7),
        windows: Windows::default(),
        jitter: TimeDelta::zero(),
        settle_for: TimeDelta::minutes(10),
        confirm_within: TimeDelta::hours(24),
        retire_after: TimeDelta::days(7),
    };
    Spec {
        name: "prod".into(),
        policy,
        tenant_url: "https://scim.example.com".into(),
        holder: "here".into(),
        issuer_host: "hpe.example.com".into(),
    }
}

/// A current token that lives from day 0 to day 100, and was given to Entra on day 0.
fn labels() -> Labels {
    let token = Token::parse("a-token-of-ours").unwrap();
    let expiry = Some(Expiry { at: day(100), source: ExpirySource::Jwt });
    Labels {
        stage: Stage::Current,
        seq: 1,
        rotation: "r1".into(),
        why: None,
        intent: None,
        token: Some(TokenNote::new(&token, day(0), expiry)),
        pause: None,
        retry: None,
        proof: Proof { provisioned: Some(day(0)), confirmed: Some(day(1)), proven: Some(day(2)), ..Proof::default() },
        started: None,
        hold: None,
        sign: None,
    }
}

fn version(id: &str, created: Timestamp, label: Label) -> Version {
    Version { id: VersionId(id.into()), created, enabled: true, expires: None, label }
}

fn seen_with(versions: Vec<Version>, now: Timestamp) -> Observed {
    let job = Job {
        id: "job".into(),
        state: JobState::Active,
        quarantine: None,
        last_success: None,
        last_execution: None,
        interval: None,
        seen_at: now,
    };
    Observed { journal: Journal::new(versions), job, at: Moment { shown: now, elapsed: TimeDelta::zero() } }
}

fn seen(labels: Labels, now: Timestamp) -> Observed {
    seen_with(vec![version("v1", day(0), Label::Ours(Box::new(labels)))], now)
}

fn report(spec: &Spec, seen: &Observed, now: Timestamp) -> Report {
    let decision = Decision::Wait { until: day(70), reason: Reason::NotDue };
    Report::new(spec, seen, &decision, &Progress::default(), now)
}

#[test]
fn slack_is_told_as_of_the_moment_of_the_telling() {
    let seen = report(&spec(), &seen(labels(), day(3)), day(3));
    let slack = |report: Report| report.token.and_then(|token| token.slack_seconds).expect("an expiry is known");
    assert_eq!(slack(seen.clone()) - slack(seen.at(day(4))), 86_400);
}

#[test]
fn every_decision_is_told_by_a_verb_of_its_own_its_reason_and_when_it_comes() {
    let reason = Reason::NotDue;
    let standing = |action| Standing {
        kind: Kind::Idle,
        action: Cow::Borrowed(action),
        reason,
        next: None,
        error: None,
        remedy: None,
    };
    for (action, verb) in [
        ("wait", "waiting"),
        ("needs-human", "a person has to act"),
        ("rotate", "rotating"),
        ("resume", "resuming a rotation"),
        ("adopt", "adopting a token"),
        ("restate", "storing the current token again"),
        ("reinstate", "taking a rejected token back"),
        ("provision", "giving the current token to Entra again"),
        ("start", "starting the provisioning job"),
        ("retire", "retiring old versions"),
        ("note", "recording what was seen"),
        ("look", "the look failed"),
    ] {
        assert_eq!(standing(action).sentence(), format!("{verb}: {}", reason.sentence()));
    }
    let next = Standing { next: Some(day(0)), ..standing("wait") }.sentence();
    assert!(next.ends_with(" (next: 2027-01-15 08:00:00 UTC)"), "{next}");
}

#[test]
fn a_line_names_the_connection_the_reason_the_error_and_what_to_do() {
    let mut told = report(&spec(), &seen(labels(), day(1)), day(1));
    assert!(told.line().starts_with("prod: waiting: "), "{}", told.line());
    for (error, remedy, end) in [
        (None, None, ""),
        (Some("it is so"), None, ": it is so; more: scim-rotator explain NotDue"),
        (None, Some("do this"), "; to do: do this; more: scim-rotator explain NotDue"),
        (Some("it is so"), Some("do this"), ": it is so; to do: do this; more: scim-rotator explain NotDue"),
    ] {
        (told.standing.error, told.standing.remedy) = (error.map(str::to_owned), remedy.map(str::to_owned));
        assert!(told.line().ends_with(&format!(" [NotDue]{end}")), "{}", told.line());
    }
}

#[test]
fn a_kind_is_named_for_scripts_and_metrics_as_it_is_in_a_report() {
    for (kind, name) in [
        (Kind::Idle, "idle"),
        (Kind::Due, "due"),
        (Kind::Unfinished, "unfinished"),
        (Kind::NeedsHuman, "needs-human"),
        (Kind::Unknown, "unknown"),
    ] {
        assert_eq!(kind.name(), name);
        assert_eq!(serde_json::to_value(kind).unwrap(), name);
    }
}

#[test]
fn a_connection_whose_configuration_is_refused_needs_a_person_and_says_why() {
    let Report { connection, standing, token, .. } = Report::refused("prod", "it is so".into());
    let Standing { kind, action, reason, next, error, remedy } = standing;
    assert_eq!((kind, &*action, reason), (Kind::NeedsHuman, "needs-human", Reason::ConfigRefused));
    assert_eq!((connection.as_str(), error.as_deref(), next), ("prod", Some("it is so"), None));
    assert_eq!((remedy, token.is_some()), (Reason::ConfigRefused.remedy_for("prod"), false));
}

#[test]
fn a_failure_needs_a_person_only_by_its_class_and_only_then_is_told_what_to_do() {
    let retry = Class::Retry { after: None };
    for (class, kind, remedied) in [(Class::Human, Kind::NeedsHuman, true), (retry, Kind::Unknown, false)] {
        let mut told = report(&spec(), &seen(labels(), day(1)), day(1));
        told.fail(class, Reason::PreflightFailed, "it is so".into(), Some(day(2)), None);
        let Standing { kind: shown, reason, next, error, remedy, .. } = told.standing;
        assert_eq!((shown, reason, next), (kind, Reason::PreflightFailed, Some(day(2))));
        assert_eq!((error.as_deref(), remedy.is_some()), (Some("it is so"), remedied));
        assert!(told.token.is_some(), "what was seen before it is kept");
    }
}

#[test]
fn of_a_token_it_is_told_when_it_is_due_and_how_much_time_is_left_until_the_last_safe_moment() {
    let seen = seen(labels(), day(1));
    let told = |now| report(&spec(), &seen, now).token.expect("a token");
    let token = told(day(90));
    assert_eq!((token.issued, token.expires, token.due), (day(0), Some(day(100)), Some(day(70))));
    assert_eq!((token.last_safe_moment, token.slack_seconds), (Some(day(93)), Some(3 * 86_400)));
    assert_eq!(told(day(94)).slack_seconds, Some(-86_400));
}

#[test]
fn slack_is_low_in_the_last_third_of_the_time_from_when_it_is_due_to_the_last_safe_moment() {
    let token = report(&spec(), &seen(labels(), day(1)), day(1)).token.expect("a token");
    for (due, safe, low) in [
        (Some(64), Some(94), Some(84)),
        (Some(94), Some(94), Some(94)),
        (Some(97), Some(94), Some(94)),
        (None, Some(94), None),
        (Some(64), None, None),
    ] {
        let token = TokenReport { due: due.map(day), last_safe_moment: safe.map(day), ..token.clone() };
        assert_eq!(token.slack_low(), low.map(day), "{due:?} {safe:?}");
    }
}

#[test]
fn a_token_is_called_by_how_far_it_has_come() {
    let told = |labels: Labels| report(&spec(), &seen(labels, day(1)), day(1)).token.expect("a token").stage;
    let proof = |confirmed: bool, proven: bool| Proof {
        confirmed: confirmed.then(|| day(1)),
        proven: proven.then(|| day(1)),
        ..labels().proof
    };
    for (confirmed, proven, stage) in [
        (true, true, "proven"),
        (true, false, "confirmed, unproven"),
        (false, true, "current"),
        (false, false, "current"),
    ] {
        assert_eq!(told(Labels { proof: proof(confirmed, proven), ..labels() }), stage);
    }
    let intent = Intent {
        at: day(1),
        mode: Mode::Overlap,
        will_pause: false,
        why: Reason::NearingExpiry.name().to_owned(),
        end: IntentEnd::Open,
    };
    let issuing = Labels { intent: Some(intent), ..labels() };
    assert_eq!(told(issuing.clone()), "issuing");
    let pending = Labels { stage: Stage::Pending, seq: 2, ..labels() };
    let versions = [issuing, pending].map(|labels| version("v", day(0), Label::Ours(Box::new(labels)))).into();
    assert_eq!(report(&spec(), &seen_with(versions, day(1)), day(1)).token.expect("a token").stage, "pending");
}

#[test]
fn of_the_job_it_is_told_how_it_stands_and_how_its_last_cycle_ended() {
    let mut seen = seen(labels(), day(1));
    seen.job.last_execution = Some(Execution { began: day(0), ended: day(1), state: ExecutionState::Failed });
    let job = report(&spec(), &seen, day(1)).job.expect("a job");
    assert_eq!((job.id.as_str(), job.state), ("job", JobState::Active));
    assert_eq!((job.last_cycle, job.last_cycle_ended), (Some(ExecutionState::Failed), Some(day(1))));
}

#[test]
fn a_process_that_has_done_nothing_yet_tells_of_the_last_rotation_that_came_to_an_end() {
    let told = |labels: Vec<Labels>| {
        let versions = labels.into_iter().map(|labels| version("v", day(0), Label::Ours(Box::new(labels))));
        let last = report(&spec(), &seen_with(versions.collect(), day(3)), day(3)).last_action;
        last.map(|last| (last.at, last.reason, last.succeeded))
    };
    let reached = |confirmed, proven| Labels { proof: Proof { confirmed, proven, ..labels().proof }, ..labels() };
    assert_eq!(told(vec![labels()]), Some((day(2), Reason::Proven, true)));
    assert_eq!(told(vec![reached(Some(day(1)), None)]), Some((day(1), Reason::Confirmed, true)));
    assert_eq!(told(vec![reached(None, None)]), Some((day(0), Reason::Rotated, true)));
    let adopted = Labels { proof: Proof::default(), ..labels() };
    assert_eq!(told(vec![adopted.clone()]), None, "nothing has been given to Entra yet");
    let rejected = Labels { stage: Stage::Rejected, seq: 2, proof: reached(None, None).proof, ..labels() };
    assert_eq!(
        told(vec![labels(), rejected]),
        Some((day(2), Reason::Proven, true)),
        "what was rejected is no rotation"
    );
    assert_eq!(told(vec![labels(), Labels { seq: 2, ..adopted }]), Some((day(2), Reason::Proven, true)));
}

/// The one warning about `what` among those that a report comes with; none of any other kind is expected.
fn warned(seen: &Observed, spec: &Spec, now: Timestamp, what: &str) -> bool {
    let told = report(spec, seen, now).warnings;
    assert!(told.iter().all(|warning| warning.contains(what)), "{told:?}");
    !told.is_empty()
}

#[test]
fn a_clock_is_complained_of_that_is_more_than_five_minutes_off_in_either_direction() {
    for (seconds, off) in [(0, false), (300, false), (301, true), (-300, false), (-301, true)] {
        let mut seen = seen(labels(), day(10));
        seen.job.seen_at = day(10) + TimeDelta::seconds(seconds);
        assert_eq!(warned(&seen, &spec(), day(10), &format!("Microsoft Graph's by {} seconds", -seconds)), off);
    }
}

#[test]
fn a_pause_that_is_ours_or_may_be_is_told_wherever_nothing_else_tells_of_it() {
    let made = Some(PauseNote { at: Some(day(9)), ..PauseNote::planned(day(9)) });
    let under = |labels: Labels, newest: Option<Label>, state, reason| {
        let first = version("v1", day(0), Label::Ours(Box::new(labels)));
        let versions = std::iter::once(first).chain(newest.map(|label| version("v2", day(9), label))).collect();
        let mut seen = seen_with(versions, day(10));
        seen.job.state = state;
        let decision = Decision::NeedsHuman { until: day(11), reason };
        let told = Report::new(&spec(), &seen, &decision, &Progress::default(), day(10)).warnings;
        told.into_iter().find(|warning| warning.contains("stands still"))
    };
    let (paused, active) = (JobState::Paused, JobState::Active);
    let damaged = || Some(Label::Damaged("stage".into()));
    let ours = || Labels { pause: made, ..labels() };
    let told = under(ours(), damaged(), paused, Reason::JournalDamaged).expect("it is told");
    assert!(told.contains("by us since 2027-01-24 08:00:00 UTC"), "{told}");
    assert!(under(ours(), None, paused, Reason::NotDue).is_some());
    assert_eq!(under(ours(), damaged(), active, Reason::JournalDamaged), None, "it runs");
    let told = under(labels(), damaged(), paused, Reason::JournalDamaged).expect("it is told");
    assert!(told.contains("may be by us") && told.contains("start the job in the Entra portal"), "{told}");
    assert_eq!(under(labels(), None, paused, Reason::NotDue), None, "a person has paused it");
    for reason in [Reason::PauseToEnd, Reason::PauseEnded, Reason::PauseToRecord, Reason::PauseOfUnknownOrigin] {
        assert_eq!(under(ours(), damaged(), paused, reason), None, "{reason}");
    }
}

#[test]
fn an_edited_version_hides_no_pause_of_ours_once_a_cycle_began_more_than_a_minute_after_it_was_stored() {
    let first = version("v1", day(0), Label::Ours(Box::new(labels())));
    let mut seen = seen_with(vec![first, version("v2", day(9), Label::Damaged("stage".into()))], day(10));
    seen.job.state = JobState::Paused;
    for (seconds, may_be_ours) in [(-86_400, true), (0, true), (60, true), (61, false), (3_600, false)] {
        let began = day(9) + TimeDelta::seconds(seconds);
        seen.job.last_execution = Some(Execution { began, ended: day(10), state: ExecutionState::Succeeded });
        assert_eq!(warned(&seen, &spec(), day(10), "it may be by us"), may_be_ours, "{seconds} seconds after it");
    }
}

#[test]
fn a_current_version_that_is_disabled_is_told_with_what_to_do() {
    let told = |stage, enabled, token: bool| {
        let labels = Labels { stage, token: labels().token.filter(|_| token), ..labels() };
        let disabled = Version { enabled, ..version("v7", day(0), Label::Ours(Box::new(labels))) };
        report(&spec(), &seen_with(vec![disabled], day(10)), day(10)).warnings
    };
    let one = told(Stage::Current, false, true).pop().expect("it is told");
    assert!(one.contains("v7, is disabled") && one.contains("`scim-rotator rotate prod`"), "{one}");
    assert_eq!(told(Stage::Current, true, true).len(), 0);
    assert_eq!(told(Stage::Placeholder, false, false).len(), 0, "it holds nothing");
    let one = told(Stage::Placeholder, false, true).pop().expect("it is told");
    assert!(!one.contains("enable") && one.contains("`scim-rotator rotate prod`"), "it never held it: {one}");
}

#[test]
fn an_end_that_is_assumed_or_unknown_is_told_as_such() {
    let told = |token: Option<Expiry>| {
        let note = labels().token.map(|note| TokenNote { expiry: token, ..note });
        report(&spec(), &seen(Labels { token: note, ..labels() }, day(10)), day(10)).warnings
    };
    let expiry = |source| Some(Expiry { at: day(100), source });
    assert_eq!(told(expiry(ExpirySource::Field)).len(), 0);
    assert!(matches!(told(expiry(ExpirySource::Assumed)).as_slice(), [one] if one.contains("is assumed")));
    assert!(matches!(told(None).as_slice(), [one] if one.contains("nothing says when the token dies")));
    let empty = Labels { stage: Stage::Placeholder, token: None, proof: Proof::default(), ..labels() };
    assert_eq!(report(&spec(), &seen(empty, day(10)), day(10)).warnings.len(), 0, "no token, no end");
}

#[test]
fn a_token_that_lives_shorter_than_the_policy_thinks_is_told() {
    let mut spec = spec();
    spec.policy.rotate_before = Before::Time(TimeDelta::days(200));
    assert!(warned(&seen(labels(), day(10)), &spec, day(10), "lives shorter"));
}

#[test]
fn a_slack_that_is_cut_down_and_a_window_without_room_are_told_by_the_life_of_the_token() {
    let yearly = Window { opens: "0 0 0 1 1 *".parse().unwrap(), lasts: TimeDelta::hours(4), zone: chrono_tz::UTC };
    for (rotate_before, windows, what) in [
        (Before::Share(33), vec![], None),
        (Before::Share(5), vec![], Some("min_slack (7d) is longer than the 5d that are left of its life (100d)")),
        (Before::Time(TimeDelta::days(99)), vec![], Some("leaves only 1d of its life (100d)")),
        (
            Before::Share(33),
            vec![yearly],
            Some("which lives for 100d, cannot be kept as the policy asks: the window may never"),
        ),
    ] {
        let mut spec = spec();
        (spec.policy.rotate_before, spec.policy.windows) = (rotate_before, windows.into());
        let told = warned(&seen(labels(), day(10)), &spec, day(10), what.unwrap_or("nothing"));
        assert_eq!(told, what.is_some(), "{rotate_before:?}");
    }
}

#[test]
fn a_quarantine_is_told_with_the_days_that_are_left() {
    let mut seen = seen(labels(), day(10));
    let reason = "EncounteredQuarantineException".to_owned();
    seen.job.quarantine = Some(Quarantine { reason, began: Some(day(7)), next_attempt: None });
    assert!(warned(&seen, &spec(), day(10), "for good in 25 days"));
    (seen.job.seen_at, seen.at.shown) = (day(35), day(35));
    assert!(warned(&seen, &spec(), day(35), "has disabled it on 2027-02-19"));
}

#[test]
fn a_hold_is_told_until_it_is_over_and_whether_the_last_safe_moment_comes_first() {
    let held = |until| seen(Labels { hold: Some(HoldNote { until }), ..labels() }, day(10));
    let told = |until| report(&spec(), &held(until), day(10)).warnings;
    assert_eq!(told(day(10)).len(), 0, "it is over");
    assert_eq!(told(day(9)).len(), 0);
    let line = told(day(11)).pop().expect("it is told");
    assert!(line.contains("until 2027-01-26 08:00:00 UTC") && line.contains("`scim-rotator release prod`"), "{line}");
    // The last safe moment is day 93.
    for (until, beaten) in [(92, false), (93, false), (94, true)] {
        assert_eq!(told(day(until)).pop().expect("it is told").contains("comes first"), beaten, "{until}");
    }
}

#[test]
fn a_token_that_no_cycle_has_confirmed_in_time_is_told() {
    let confirmed = |confirmed, now| {
        let proof = Proof { confirmed, ..labels().proof };
        warned(&seen(Labels { proof, ..labels() }, now), &spec(), now, Reason::Unconfirmed.sentence())
    };
    assert!(!confirmed(None, day(0) + TimeDelta::hours(23)));
    assert!(!confirmed(None, day(1)), "the day is not over yet");
    assert!(confirmed(None, day(1) + TimeDelta::seconds(1)));
    assert!(!confirmed(Some(day(1)), day(10)));
}

#[test]
fn what_somebody_stored_beside_us_is_told_where_it_is_left_alone() {
    let ours = || version("v1", day(0), Label::Ours(Box::new(labels())));
    let theirs = || version("v2", day(1), Label::Foreign);
    let told = |versions, accept_supplied, supplied| {
        let mut spec = spec();
        (spec.policy.accept_supplied, spec.policy.supplied) = (accept_supplied, supplied);
        warned(&seen_with(versions, day(10)), &spec, day(10), "accept_supplied = false")
    };
    assert!(told(vec![ours(), theirs()], false, false));
    assert!(!told(vec![ours(), theirs()], true, false), "it is taken over");
    assert!(!told(vec![ours(), theirs()], false, true), "it is taken over");
    assert!(!told(vec![ours()], false, false));
    assert!(!told(vec![theirs()], false, false), "whether to begin with it is told by the decision");
}

#[test]
fn what_is_begun_is_told_as_unfinished_whatever_is_waited_for() {
    let kind = |labels| report(&spec(), &seen(labels, day(10)), day(10)).standing.kind;
    assert_eq!(kind(labels()), Kind::Idle);
    let pause = PauseNote { at: Some(day(10)), ..PauseNote::planned(day(9)) };
    assert_eq!(kind(Labels { pause: Some(pause), ..labels() }), Kind::Unfinished);
    let intent = |end| Intent { at: day(10), mode: Mode::Overlap, will_pause: false, why: String::new(), end };
    for (end, expected) in [(IntentEnd::Open, Kind::Unfinished), (IntentEnd::NotIssued, Kind::Idle)] {
        assert_eq!(kind(Labels { intent: Some(intent(end)), ..labels() }), expected);
    }
    assert_eq!(kind(Labels { stage: Stage::Pending, ..labels() }), Kind::Unfinished);
}

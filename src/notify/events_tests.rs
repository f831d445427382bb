//! Tables of what is told, and when: each row lets some hours pass, shows how the connection stands, and names what is told.

use super::*;
use crate::domain::{Fingerprint, JobState, Token};
use crate::engine::LastAction;
use crate::engine::report::{JobReport, QuarantineReport, Standing};

fn hour(hours: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "some days")]
    let seconds = (hours * 3600.0) as i64;
    Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn id(token: &str) -> Fingerprint {
    Token::parse(token).unwrap().fingerprint()
}

/// A connection that is well: its token was issued and confirmed long ago, is due at hour 700, safe until 1000, and dies at 1200.
fn well() -> Report {
    let json = serde_json::json!({
        "connection": "prod",
        "standing": {"kind": "idle", "action": "wait", "reason": "NotDue", "next": null},
        "token": null, "job": null, "last_action": null, "warnings": [],
    });
    let mut report: Report = serde_json::from_value(json).unwrap();
    report.token = Some(TokenReport {
        id: id("first-token"),
        stage: "proven".into(),
        issued: hour(-500.0),
        expires: Some(hour(1200.0)),
        expiry_source: None,
        wanted: None,
        window: None,
        due: Some(hour(700.0)),
        due_reason: None,
        previous_expires: None,
        last_safe_moment: Some(hour(1000.0)),
        slack_seconds: None,
        provisioned: None,
        unconfirmed_since: None,
        confirmed: Some(hour(-499.0)),
        proven: None,
    });
    let (last_cycle, last_cycle_ended, last_success_ended) = (None, None, None);
    let id = "job".to_owned();
    report.job = Some(JobReport {
        id,
        state: JobState::Active,
        quarantine: None,
        last_cycle,
        last_cycle_ended,
        last_success_ended,
    });
    report
}

fn standing(kind: Kind, reason: Reason) -> Report {
    let mut report = well();
    report.standing = Standing { kind, reason, ..report.standing };
    report
}

fn failing(kind: Kind, reason: Reason) -> Report {
    let mut report = standing(kind, reason);
    report.standing.error = Some("Key Vault: 503".to_owned());
    report
}

fn blind() -> Report {
    let report = failing(Kind::Unknown, Reason::CannotObserve);
    Report { token: None, job: None, ..report }
}

fn needs(reason: Reason) -> Report {
    standing(Kind::NeedsHuman, reason)
}

fn quarantined(disabled: f64) -> Report {
    let mut report = standing(Kind::Unknown, Reason::QuarantineStands);
    let (began, disabled_at) = (Some(hour(0.0)), Some(hour(disabled)));
    let quarantine =
        QuarantineReport { reason: "EncounteredQuarantineException".into(), began, next_attempt: None, disabled_at };
    report.job.as_mut().unwrap().quarantine = Some(quarantine);
    report
}

fn held(until: f64) -> Report {
    Report { held_until: Some(hour(until)), ..well() }
}

fn with_token(token: &str, issued: f64, confirmed: Option<f64>) -> Report {
    let mut report = well();
    let new = report.token.as_mut().unwrap();
    (new.id, new.issued, new.confirmed) = (id(token), hour(issued), confirmed.map(hour));
    (new.due, new.last_safe_moment) = (Some(hour(issued + 700.0)), Some(hour(issued + 1000.0)));
    new.expires = Some(hour(issued + 1200.0));
    report
}

fn did(at: f64, action: &'static str, reason: Reason, succeeded: bool) -> Report {
    let last = LastAction { at: hour(at), action: action.into(), reason, succeeded, error: None };
    Report { last_action: Some(last), ..well() }
}

/// What is told of each report at its hour, by a process that began at hour 0: the event, `!` behind it where it was told
/// before, and what has ended.
fn told(reports: &[(f64, Report)]) -> Vec<(f64, String)> {
    let mut memory = Memory::since(hour(0.0));
    let mut all = Vec::new();
    for (at, report) in reports {
        for News { event, again, ended, .. } in memory.saw(report, &[], hour(*at)) {
            let ended: String = ended.iter().map(|event| format!(" {}", event.name())).collect();
            all.push((*at, format!("{}{}{ended}", event.name(), if again { "!" } else { "" })));
        }
    }
    all
}

#[track_caller]
fn tells(reports: &[(f64, Report)], expected: &[(f64, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(at, text)| (*at, (*text).to_owned())).collect();
    assert_eq!(told(reports), expected);
}

#[test]
fn of_a_connection_that_is_well_nothing_is_told_whatever_happened_before_the_process_began() {
    let old = did(-1.0, "provision", Reason::EntraHoldsAnother, true);
    tells(&[(1.0, old), (2.0, well()), (900.0 / 2.0, well())], &[]);
}

#[test]
fn a_rotation_and_its_confirmation_are_told_once_each_even_at_the_first_look() {
    let new = || with_token("second-token", 1.0, None);
    let confirmed = || with_token("second-token", 1.0, Some(2.0));
    let after = [(1.1, new()), (2.1, confirmed()), (3.0, confirmed()), (4.0, blind()), (4.1, confirmed())];
    let expected = [(1.1, "rotated"), (2.1, "confirmed")];
    tells(&after, &expected);
    let before = [(0.1, well())].into_iter().chain(after).collect::<Vec<_>>();
    tells(&before, &expected);
    tells(
        &[(0.1, well()), (2.0, with_token("made-by-hand", -9.0, Some(2.0)))],
        &[(2.0, "rotated"), (2.0, "confirmed")],
    );
}

#[test]
fn what_needs_a_human_is_told_once_then_once_a_day_and_then_that_it_is_over() {
    let needs = || needs(Reason::SupplyNeeded);
    let rows = [
        (1.0, needs()),
        (2.0, needs()),
        (24.9, needs()),
        (25.0, needs()),
        (26.0, needs()),
        (27.0, well()),
        (28.0, well()),
    ];
    tells(&rows, &[(1.0, "needs-human"), (25.0, "needs-human!"), (27.0, "healed needs-human")]);
    let mut memory = Memory::since(hour(0.0));
    memory.saw(&needs(), &[], hour(1.0));
    let again = memory.saw(&needs(), &[], hour(25.5)).remove(0);
    assert!(again.sentence.ends_with("; it has lasted for 1d 30m"), "{}", again.sentence);
    assert!(again.remedy.is_some_and(|remedy| remedy.contains("scim-rotator adopt prod")));
    assert_eq!((again.since, again.slack_seconds), (Some(hour(1.0)), Some((1000 * 3600) - 91_800)));
}

#[test]
fn a_flapping_condition_is_told_an_hour_apart_and_its_end_only_to_those_who_know_of_it() {
    let needs = || needs(Reason::PauseOfUnknownOrigin);
    let rows = [
        (1.0, needs()),
        (1.1, well()),
        (1.2, needs()),
        (1.3, well()),
        (1.4, needs()),
        (1.9, needs()),
        (2.0, needs()),
        (2.1, well()),
    ];
    let expected =
        [(1.0, "needs-human"), (1.1, "healed needs-human"), (2.0, "needs-human"), (2.1, "healed needs-human")];
    tells(&rows, &expected);
}

#[test]
fn another_reason_for_a_human_is_news_after_an_hour_and_another_failure_is_not() {
    let rows = [
        (1.0, needs(Reason::SupplyNeeded)),
        (1.5, needs(Reason::PauseOfUnknownOrigin)),
        (2.0, needs(Reason::PauseOfUnknownOrigin)),
        (2.5, needs(Reason::PauseOfUnknownOrigin)),
    ];
    tells(&rows, &[(1.0, "needs-human"), (2.0, "needs-human")]);
    let fails = |reason| failing(Kind::Unknown, reason);
    tells(&[(1.0, fails(Reason::NotIssued)), (3.0, fails(Reason::StepFailed))], &[(1.0, "failed")]);
}

#[test]
fn a_failure_lasts_until_something_was_seen_to_go_well() {
    let fails = || failing(Kind::Unknown, Reason::StepFailed);
    let open = |reason| standing(Kind::Unfinished, reason);
    let rows = [
        (1.0, fails()),
        (1.1, standing(Kind::Idle, Reason::BackingOff)),
        (1.2, open(Reason::PendingToken)),
        (1.3, standing(Kind::Idle, Reason::AnotherHolder)),
        (1.4, standing(Kind::Unknown, Reason::NoVerdict)),
        (1.5, blind()),
        (1.6, failing(Kind::Unknown, Reason::ShuttingDown)),
        (1.7, well()),
    ];
    tells(&rows, &[(1.0, "failed"), (1.7, "healed failed")]);
    let swaps =
        [(1.0, fails()), (1.1, failing(Kind::NeedsHuman, Reason::PreflightFailed)), (1.2, fails()), (1.3, well())];
    tells(&swaps, &[(1.0, "failed"), (1.1, "needs-human"), (1.3, "healed failed needs-human")]);
}

#[test]
fn what_cannot_be_seen_is_told_after_an_hour_and_dated_from_its_beginning() {
    tells(&[(1.0, blind()), (1.5, blind()), (1.6, well()), (1.7, blind()), (2.6, blind()), (2.65, well())], &[]);
    let mut memory = Memory::since(hour(0.0));
    assert!(memory.saw(&blind(), &[], hour(1.0)).is_empty());
    let news = memory.saw(&blind(), &[], hour(2.0)).remove(0);
    assert_eq!((news.event, news.since, news.again), (Failed, Some(hour(1.0)), false));
    assert_eq!(news.error.as_deref(), Some("Key Vault: 503"));
}

#[test]
fn a_token_that_no_cycle_confirms_in_time_counts_as_a_failure() {
    let mut late = well();
    late.token.as_mut().unwrap().unconfirmed_since = Some(hour(0.0));
    tells(&[(1.0, late.clone()), (2.0, late), (3.0, well())], &[(1.0, "failed"), (3.0, "healed failed")]);
}

#[test]
fn what_lasts_too_long_counts_as_a_failure_though_nothing_has_failed() {
    let refused = || standing(Kind::Unknown, Reason::NoVerdict);
    for (why, report) in [(Why::Stuck, refused()), (Why::CyclesFail, well())] {
        let mut memory = Memory::since(hour(0.0));
        assert!(memory.saw(&report, &[], hour(1.0)).is_empty());
        let news = memory.saw(&report, &[why], hour(2.0)).remove(0);
        assert_eq!((news.event, &*news.sentence), (Failed, why.sentence()));
        assert!(memory.saw(&report, &[why], hour(3.0)).is_empty());
        assert!(news.remedy.is_some_and(|remedy| remedy.contains(why.page(report.standing.reason))));
        let mut paused = well();
        paused.job.as_mut().unwrap().state = JobState::Paused;
        assert!(memory.saw(&paused, &[], hour(3.5)).is_empty(), "nothing goes well again by standing still");
        assert_eq!(memory.saw(&well(), &[], hour(4.0)).remove(0).ended, [Failed]);
        let another = standing(Kind::Idle, Reason::AnotherHolder);
        assert!(Memory::since(hour(0.0)).saw(&another, &[why], hour(1.0)).is_empty(), "the other one tells it");
    }
    assert!(Memory::since(hour(0.0)).saw(&well(), &[Why::SlackGone, Why::Quarantined], hour(1.0)).is_empty());
}

#[test]
fn little_slack_is_told_and_again_whenever_it_becomes_worse_even_if_nothing_can_be_seen() {
    let blind = || failing(Kind::Unknown, Reason::CannotObserve);
    let unseen = || Report { token: None, job: None, ..blind() };
    let rows = [
        (899.0, well()),
        (900.0, well()),
        (999.9, well()),
        (1000.0, unseen()),
        (1000.1, unseen()),
        (1200.0, unseen()),
        (1201.0, with_token("second-token", 1200.5, None)),
    ];
    let expected = [
        (900.0, "slack-low"),
        (999.9, "slack-low!"),
        (1000.0, "slack-low"),
        (1200.0, "failed"),
        (1200.0, "slack-low"),
        (1201.0, "rotated"),
        (1201.0, "healed failed slack-low"),
    ];
    tells(&rows, &expected);
}

#[test]
fn a_quarantine_is_told_with_when_it_is_given_up_and_when_it_is_and_that_it_is_over() {
    let rows = [
        (1.0, quarantined(30.0)),
        (2.0, quarantined(30.0)),
        (2.5, blind()),
        (25.0, quarantined(30.0)),
        (30.0, quarantined(30.0)),
        (31.0, well()),
    ];
    let expected = [(1.0, "quarantined"), (25.0, "quarantined!"), (30.0, "quarantined"), (31.0, "healed quarantined")];
    tells(&rows, &expected);
    let sentence = |at| Memory::since(hour(0.0)).saw(&quarantined(30.0), &[], hour(at)).remove(0).sentence.into_owned();
    assert!(sentence(1.0).contains("(EncounteredQuarantineException), and Entra disables it for good on 2027-01-16"));
    let mut untold = quarantined(30.0);
    untold.job.as_mut().unwrap().quarantine = None;
    untold.job.as_mut().unwrap().state = JobState::Quarantine;
    let news = Memory::since(hour(0.0)).saw(&untold, &[], hour(1.0)).remove(0);
    assert_eq!((news.event, &*news.sentence), (Quarantined, "the provisioning job is in quarantine"));
    assert!(sentence(31.0).contains("and Entra has disabled it on 2027-01-16"));
}

#[test]
fn a_hold_is_told_when_it_expires_and_not_when_a_person_ends_it() {
    tells(&[(1.0, held(5.0)), (4.9, held(5.0)), (5.0, well()), (6.0, well())], &[(5.0, "hold-expired")]);
    tells(&[(1.0, held(5.0)), (4.0, well()), (6.0, well())], &[]);
    tells(&[(1.0, held(5.0)), (5.5, blind()), (5.6, well())], &[(5.6, "hold-expired")]);
}

#[test]
fn that_entra_was_given_the_right_token_again_is_told_once_and_no_other_act_is() {
    let given = || did(1.0, "provision", Reason::EntraHoldsAnother, true);
    tells(&[(1.0, given()), (2.0, given())], &[(1.0, "healed")]);
    tells(&[(1.0, did(1.0, "provision", Reason::StillUnproven, true))], &[]);
    tells(&[(1.0, did(1.0, "provision", Reason::EntraHoldsAnother, false))], &[]);
}

#[test]
fn a_clock_that_is_set_back_silences_nothing_for_years() {
    let needs = || needs(Reason::SupplyNeeded);
    let rows = [(600.0, needs()), (1.0, needs()), (25.1, needs()), (26.0, well())];
    tells(&rows, &[(600.0, "needs-human"), (25.1, "needs-human!"), (26.0, "healed needs-human")]);
}

#[test]
fn little_is_remembered_of_a_connection() {
    assert!(std::mem::size_of::<Memory>() <= 88, "{}", std::mem::size_of::<Memory>());
}

use chrono::TimeDelta;

use super::*;
use crate::engine::Claims;
use crate::engine::report::JobReport;

const ONE: Identity = [1; 32];

fn looks(names: &[&str]) -> Looks {
    let looks = Looks::default();
    for name in names {
        looks.expect(*name, ONE, minute(0));
        looks.saw(&report(name, "seen"));
    }
    looks
}

/// A report of a connection with this warning.
fn report(name: &str, warning: &str) -> Report {
    let mut report = Report::refused(name, String::new());
    report.standing.error = None;
    report.warnings = vec![warning.to_owned()];
    report
}

fn job() -> JobReport {
    serde_json::from_value(serde_json::json!({ "id": "job", "state": "Active" })).unwrap()
}

fn minute(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + TimeDelta::minutes(minute)
}

fn warnings(looks: &Looks) -> Vec<Option<String>> {
    let read = |raw: Box<RawValue>| serde_json::from_str::<Report>(raw.get()).unwrap().warnings.concat();
    looks.page("", 9).into_iter().map(|look| look.report.map(read)).collect()
}

#[test]
fn what_was_seen_is_told_until_the_next_look_begins_and_what_that_sees_from_its_end() {
    let looks = looks(&["a"]);
    assert_eq!(warnings(&looks), [Some("seen".to_owned())]);
    looks.begins("a", &Arc::default(), minute(0));
    assert_eq!(warnings(&looks), [None]);
    looks.saw(&report("a", "seen again"));
    assert_eq!(warnings(&looks), [Some("seen again".to_owned())]);
}

#[test]
fn nothing_is_told_after_a_look_or_an_act_that_failed_nor_of_what_was_seen_before_an_act() {
    for change in [
        |report: &mut Report| report.standing.error = Some("Graph is away".to_owned()),
        |report: &mut Report| report.standing.action = "rotate".into(),
    ] {
        let (looks, mut report) = (looks(&["a"]), report("a", "of before"));
        change(&mut report);
        looks.saw(&report);
        assert_eq!(warnings(&looks), [None]);
    }
}

#[test]
fn nothing_is_told_of_a_connection_that_is_not_tended_or_has_been_configured_anew() {
    let looks = looks(&["a", "b"]);
    looks.forget("a");
    looks.saw(&report("a", "its loop was ending"));
    looks.expect("b", [2; 32], minute(0));
    assert_eq!(warnings(&looks), [None]);
    assert_eq!(looks.page("", 9)[0].identity, "02".repeat(32));
    // Not in place of a look; but what is known of the token is known.
    assert_eq!(looks.one("b").unwrap().report.unwrap().warnings, ["seen"]);
}

#[test]
fn pages_follow_each_other_by_name_without_gap_or_overlap() {
    let looks = looks(&["c", "a", "b"]);
    let names = |after| looks.page(after, 2).into_iter().map(|look| look.connection).collect::<Vec<_>>();
    assert_eq!(names(""), ["a", "b"]);
    assert_eq!(names("b"), ["c"]);
    assert!(names("c").is_empty());
}

#[test]
fn the_page_sees_a_failure_with_what_the_look_before_it_saw_and_the_step_that_is_under_way() {
    let looks = looks(&[]);
    looks.expect("a", ONE, minute(0));
    let mut well = report("a", "");
    (well.held_until, well.seen_at, well.job) = (Some(minute(99)), Some(minute(1)), Some(job()));
    assert!(looks.saw(&well).unwrap().before.is_none());
    let doing = Arc::new(Progress::default());
    looks.begins("a", &doing, minute(0));
    assert_eq!(looks.one("a").unwrap().step, Some(""));
    doing.enter("preflight");
    assert_eq!(looks.one("a").unwrap().step, Some("preflight"));
    let mut failed = report("a", "");
    (failed.standing.error, failed.standing.kind) = (Some("the vault is away".to_owned()), Kind::Unknown);
    (failed.seen_at, failed.standing.reason) = (Some(minute(2)), Reason::CannotObserve);
    assert_eq!(looks.saw(&failed).unwrap().before.unwrap().held_until, Some(minute(99)));
    let Seen { report, step, times, .. } = looks.one("a").unwrap();
    let report = report.unwrap();
    assert_eq!(report.standing.error.as_deref(), Some("the vault is away"));
    assert_eq!((report.held_until, step), (Some(minute(99)), None));
    let known = Times { seen_well: Some(minute(1)), needs_human: true, ..Times::since(minute(0)) };
    assert_eq!(times, known);
}

#[test]
fn a_connection_is_open_from_the_first_look_of_an_unbroken_row_that_found_it_unfinished_or_could_not_judge_it() {
    let row = [Kind::Unknown, Kind::Unfinished, Kind::Unknown, Kind::Idle, Kind::Unfinished];
    let mut times = Times::since(minute(0));
    let since = row.into_iter().zip(1..).map(|(kind, at)| {
        let mut report = report("a", "");
        (report.standing.kind, report.seen_at) = (kind, Some(minute(at)));
        times = times.after(&report, None);
        times.open_since
    });
    assert_eq!(since.collect::<Vec<_>>(), [Some(minute(1)), Some(minute(1)), Some(minute(1)), None, Some(minute(5))]);
}

#[test]
fn a_refused_connection_is_seen_beside_those_that_are_tended() {
    let looks = looks(&["a"]);
    looks.refuse(vec![Report::refused("b", "no vault".to_owned())]);
    assert_eq!(looks.one("b").unwrap().report.unwrap().standing.error.as_deref(), Some("no vault"));
    assert_eq!((looks.count(), looks.refused().len(), looks.page("", 9).len()), (1, 1, 1));
}

#[test]
fn a_look_that_fails_after_it_has_seen_the_connection_has_seen_it() {
    let times = Times::since(minute(0));
    let mut failed = report("a", "");
    (failed.standing.error, failed.seen_at, failed.job) =
        (Some("HPE is away".to_owned()), Some(minute(7)), Some(job()));
    assert_eq!(times.after(&failed, None).seen_well, Some(minute(7)));
    failed.job = None;
    assert_eq!(times.after(&failed, None).seen_well, None);
}

#[test]
fn a_look_that_sees_nothing_neither_mends_nor_begins_anything() {
    let mut blind = report("a", "");
    (blind.standing.kind, blind.standing.reason) = (Kind::Unknown, Reason::CannotObserve);
    (blind.standing.error, blind.seen_at) = (Some("away".to_owned()), Some(minute(9)));
    for times in [
        Times::since(minute(0)),
        Times { open_since: Some(minute(1)), ..Times::since(minute(0)) },
        Times { needs_human: true, seen_well: Some(minute(1)), ..Times::since(minute(0)) },
    ] {
        assert_eq!(times.after(&blind, None), times);
    }
}

#[test]
fn a_job_runs_again_from_the_look_that_sees_it_run_after_one_that_did_not() {
    let looks = looks(&["a"]);
    let at = |number, state| {
        let job = Some(JobReport { state, ..job() });
        looks.saw(&Report { seen_at: Some(minute(number)), job, ..report("a", "") });
        looks.one("a").unwrap().times.runs_since
    };
    assert_eq!(at(1, JobState::Active), None, "nobody knows since when");
    assert_eq!(at(2, JobState::Paused), None);
    assert_eq!(at(3, JobState::Active), Some(minute(3)));
    assert_eq!(at(4, JobState::Active), Some(minute(3)));
}

#[test]
fn a_look_that_takes_long_is_known_while_it_lasts() {
    let looks = looks(&["a"]);
    looks.begins("a", &Arc::default(), minute(1));
    assert!(looks.at_work_since(minute(1)).is_empty());
    assert_eq!(looks.at_work_since(minute(2)).len(), 1);
    looks.saw(&report("a", ""));
    assert!(looks.at_work_since(minute(2)).is_empty());
}

#[test]
fn what_is_left_behind_needs_a_person_until_its_secret_is_tended_again_and_counts_as_tended_by_nobody() {
    let looks = looks(&["a", "b"]);
    looks.saw(&Report { job: Some(job()), seen_at: Some(minute(1)), ..report("a", "seen") });
    let ward = |secret, ward| Claims { secret, ward, ..Claims::default() };
    let left = looks.leave_behind("a", &ward(1, 7), "the job is paused by us");
    let told = (left.standing.reason, left.standing.error.as_deref(), left.job.map(|job| job.id));
    assert_eq!(told, (Reason::LeftBehind, Some("the job is paused by us"), Some("job".to_owned())));
    assert!(left.standing.kind == Kind::NeedsHuman && left.standing.remedy.is_some());
    looks.forget("a");
    assert_eq!((looks.count(), looks.untended().len()), (1, 1));
    // Whoever has its name now tends something else.
    looks.expect("a", ONE, minute(2));
    assert_eq!(looks.leave_behind("a", &ward(2, 8), "a token is not stored").connection, "a.left-behind-2");
    assert_eq!(looks.takes_up(&ward(1, 9)), ["a.left-behind"], "whoever tends the secret sees it, for whatever job");
    let names: Vec<_> = looks.seen("", 9).into_iter().map(|seen| seen.connection).collect();
    assert_eq!(names, ["a", "a.left-behind-2", "b"]);
    assert!(looks.takes_up(&ward(1, 7)).is_empty() && looks.takes_up(&ward(3, 8)).is_empty());
}

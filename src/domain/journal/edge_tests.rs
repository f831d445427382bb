//! The edges of what the journal tells: the same moment, the same place, the last number.

use super::*;

fn with(seq: u64, change: impl FnOnce(&mut Labels)) -> Version {
    let mut labels = labels(Stage::Current, seq);
    change(&mut labels);
    version(&format!("v{seq}"), 1, Label::Ours(Box::new(labels)))
}

fn paused(seq: u64, at_second: i64, ended: Option<i64>) -> Version {
    with(seq, |labels| {
        labels.pause = Some(PauseNote { planned: at(at_second), at: Some(at(at_second)), ended: ended.map(at) });
    })
}

#[test]
fn a_pause_that_we_ended_has_ended_all_that_were_made_before_it_and_none_that_was_made_after() {
    let held = |since| {
        Journal::new(vec![paused(1, since, None), paused(2, 20, Some(30))]).held_pause().map(|(e, _)| e.labels.seq)
    };
    assert_eq!([10, 29, 30, 31].map(held), [None, None, None, Some(1)]);
}

#[test]
fn the_end_of_a_pause_that_turned_out_not_to_be_ours_says_nothing_of_an_older_one() {
    let refused =
        with(2, |labels| labels.pause = Some(PauseNote { ended: Some(at(30)), ..PauseNote::planned(at(30)) }));
    let journal = Journal::new(vec![paused(1, 10, None), refused]);
    assert_eq!(journal.held_pause().map(|(entry, _)| entry.labels.seq), Some(1));
}

#[test]
fn a_pause_is_open_from_its_plan_until_it_is_made_or_certainly_not_made() {
    let planned = PauseNote::planned(at(0));
    let made = PauseNote { at: Some(at(1)), ..planned };
    let refused = PauseNote { ended: Some(at(1)), ..planned };
    let over = PauseNote { ended: Some(at(2)), ..made };
    assert_eq!([planned, made, refused, over].map(|pause| pause.is_open()), [true, false, false, false]);
    assert_eq!([planned, made, refused, over].map(|pause| pause.is_held()), [false, true, false, false]);
}

#[test]
fn a_cycle_that_began_a_minute_after_the_pause_may_still_have_come_before_it() {
    let ran = |began| Execution { began: at(began), ended: at(began + 60), state: ExecutionState::Succeeded };
    let pause = PauseNote { planned: at(0), at: Some(at(5)), ended: None };
    assert!(!pause.is_overrun(Some(&ran(65))) && pause.is_overrun(Some(&ran(66))));
}

#[test]
fn the_last_number_that_a_journal_reaches_is_no_damage() {
    let tags = |seq| Labels { seq, ..full() }.to_tags();
    assert!(matches!(Label::parse(&tags(MAX_SEQ)), Label::Ours(_)));
    assert_eq!(Label::parse(&tags(MAX_SEQ + 1)), Label::Damaged("seq".to_owned()));
}

#[test]
fn a_retry_of_which_either_moment_is_nobodys_honest_entry_is_as_if_it_were_not_there() {
    let read = |retry: RetryNote| match Label::parse(&Labels { retry: Some(retry), ..full() }.to_tags()) {
        Label::Ours(labels) => labels.retry.is_some(),
        other => panic!("{other:?}"),
    };
    let (honest, wild) = (at(4), chrono::DateTime::<chrono::Utc>::MAX_UTC - chrono::TimeDelta::days(9999));
    let retry = |not_before, in_need| read(RetryNote { attempts: 4, not_before, in_need });
    assert!(retry(honest, None) && retry(honest, Some(honest)));
    assert!(!retry(wild, None) && !retry(wild, Some(honest)) && !retry(honest, Some(wild)));
}

#[test]
fn only_a_placeholder_and_a_rejected_version_may_hold_no_token() {
    let whole = [Stage::Placeholder, Stage::Rejected, Stage::Pending, Stage::Current].map(|stage| {
        let read = Label::parse(&Labels { token: None, ..labels(stage, 1) }.to_tags());
        assert!(matches!(read, Label::Ours(_)) || read == Label::Damaged("token".to_owned()), "{read:?}");
        matches!(read, Label::Ours(_))
    });
    assert_eq!(whole, [true, true, false, false]);
}

#[test]
fn every_version_is_shown_in_our_order_whoever_stored_it() {
    let journal = Journal::new(vec![ours(Stage::Current, 2), version("f", 9, Label::Foreign), ours(Stage::Current, 1)]);
    let ids: Vec<_> = journal.versions().iter().map(|version| version.id.0.as_str()).collect();
    assert_eq!(ids, ["f", "v1", "v2"]);
}

#[test]
fn what_takes_the_place_of_the_current_version_is_not_the_one_before_it() {
    let twin = Version { id: VersionId("twin".to_owned()), ..with(2, |labels| labels.token = full().token) };
    let journal = Journal::new(vec![ours(Stage::Current, 1), twin, ours(Stage::Current, 2)]);
    assert_eq!(journal.current().unwrap().version.id.0, "v2");
    assert_eq!(journal.previous().unwrap().labels.seq, 1);
}

#[test]
fn of_versions_of_one_second_the_latest_is_the_one_with_the_highest_number() {
    let journal = Journal::new(vec![with(2, |_| ()), with(9, |_| ()), with(5, |_| ())]);
    assert_eq!(journal.latest().unwrap().id.0, "v9");
    let foreign = version("f", 1, Label::Foreign);
    assert_eq!(Journal::new(vec![foreign, with(2, |_| ())]).latest().unwrap().id.0, "v2");
}

#[test]
fn a_period_counts_neither_what_lies_at_its_very_beginning_nor_what_lies_as_far_ahead() {
    let open = with(1, |labels| {
        labels.intent = full().intent.map(|intent| Intent { end: IntentEnd::Open, ..intent });
        labels.intent.as_mut().unwrap().at = at(0);
    });
    let journal = Journal::new(vec![open]);
    let counted = |second| journal.issues_within(TimeDelta::hours(1), at(second)).len();
    assert_eq!([-3600, -3599, 3599, 3600].map(counted), [0, 1, 1, 0]);
}

#[test]
fn a_rejected_version_may_have_been_late_only_if_it_can_be_read_is_younger_than_the_current_one_and_alive() {
    let late = |issued, enabled, now| {
        let mut rejected = with(2, |labels| labels.token.as_mut().unwrap().issued = at(issued));
        let Label::Ours(labels) = &mut rejected.label else { panic!("ours") };
        labels.stage = Stage::Rejected;
        rejected.enabled = enabled;
        Journal::new(vec![ours(Stage::Current, 1), rejected]).rejected(at(now)).next().is_some()
    };
    assert!(late(1, true, 10));
    assert!(!late(0, true, 10), "as old as the current one");
    assert!(!late(1, false, 10), "disabled");
    assert!(!late(1, true, 86_400), "dead");
}

#[test]
fn the_intent_of_a_rotation_is_its_own_and_no_other() {
    let intent = |why: &str| {
        Some(Intent { at: at(0), mode: Mode::Overlap, will_pause: false, why: why.into(), end: IntentEnd::Planned })
    };
    let mine = with(1, |labels| (labels.rotation, labels.intent) = ("mine".into(), intent("mine")));
    let other = with(2, |labels| (labels.rotation, labels.intent) = ("other".into(), intent("other")));
    let journal = Journal::new(vec![mine, other]);
    let why = |rotation| journal.intent_of(rotation).map(|intent| intent.why.as_str());
    assert_eq!(["mine", "other", "none"].map(why), [Some("mine"), Some("other"), None]);
}

#[test]
fn a_place_far_ahead_of_all_before_it_was_edited_and_what_follows_it_goes_on_from_the_others() {
    let version = |id: &str, created: i64, seq: u64| {
        let labels = labels(Stage::Current, seq);
        version(id, created, Label::Ours(Box::new(labels)))
    };
    let next = |leap: u64| Journal::new(vec![version("a", 1, 7), version("b", 2, 7 + leap)]).next_seq();
    assert_eq!([1_000_000, 1_000_001].map(next), [1_000_008, 8]);
    let first = |seq: u64| Journal::new(vec![version("a", 1, seq)]).damaged().map(|(_, tag)| tag.to_owned());
    assert_eq!([1_000_000, 1_000_001].map(first), [None, Some("seq".to_owned())]);
    // The order is that in which they were stored, whatever the list's is.
    let journal = Journal::new(vec![version("c", 3, 900_000), version("a", 1, 1), version("d", 4, 1_800_000)]);
    assert!(journal.damaged().is_none() && journal.next_seq() == 1_800_001);
}

#[test]
fn an_edited_version_may_have_told_of_an_issue() {
    let damaged = |created: i64| version("x", created, Label::Damaged("intent".to_owned()));
    let day = TimeDelta::days(1);
    let issues = |created: i64| Journal::new(vec![damaged(created)]).issues_within(day, at(100_000)).len();
    assert_eq!([100_000 - 86_401, 100_000 - 86_399, 100_000].map(issues), [0, 1, 1]);
}

#[path = "edge_tests.rs"]
mod edges;

use super::labels::{MAX_SEQ, MAX_TAG, OURS};
use super::*;
use crate::domain::{Execution, ExecutionState, Expiry, ExpirySource, Mode, Token};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn labels(stage: Stage, seq: u64) -> Labels {
    let token = Token::parse(&format!("token-number-{seq}")).unwrap();
    let expiry = Some(Expiry { at: at(86_400), source: ExpirySource::Jwt });
    Labels::new(stage, seq, format!("r{seq}"), Some(TokenNote::new(&token, at(0), expiry)))
}

fn version(id: &str, created: i64, label: Label) -> Version {
    Version { id: VersionId(id.to_owned()), created: at(created), enabled: true, expires: None, label }
}

fn ours(stage: Stage, seq: u64) -> Version {
    version(&format!("v{seq}"), i64::try_from(seq).unwrap(), Label::Ours(Box::new(labels(stage, seq))))
}

fn full() -> Labels {
    Labels {
        why: Some("PauseOfUnknownOrigin".to_owned()),
        intent: Some(Intent {
            at: at(1),
            mode: Mode::RemoveCurrent,
            will_pause: true,
            why: "PauseOfUnknownOrigin".to_owned(),
            end: IntentEnd::NotIssued,
        }),
        pause: Some(PauseNote { planned: at(1), at: Some(at(2)), ended: Some(at(3)) }),
        retry: Some(RetryNote { attempts: 4, not_before: at(4), in_need: None }),
        proof: Proof {
            first: Some(at(4)),
            provisioned: Some(at(5)),
            again: Some(at(6)),
            confirmed: Some(at(7)),
            proven: Some(at(8)),
        },
        started: Some(StartNote { quarantine: at(9), failed: true }),
        hold: Some(HoldNote { until: at(10) }),
        sign: Some(Sign { holder: "a-host-with-quite-a-long-name.example.com-012345/123456".to_owned(), at: at(11) }),
        ..labels(Stage::Current, 7)
    }
}

#[test]
fn labels_survive_the_way_through_the_tags() {
    assert_eq!(Label::parse(&full().to_tags()), Label::Ours(Box::new(full())));
}

#[test]
fn the_fullest_labels_fit_into_key_vaults_limits() {
    let tags = full().to_tags();
    assert!(tags.len() <= 15, "{}", tags.len());
    assert!(tags.values().all(|value| value.len() <= MAX_TAG), "{tags:?}");
}

#[test]
fn a_tag_edited_into_nonsense_is_named_and_never_guessed() {
    for key in ["stage", "seq", "token", "intent", "pause", OURS] {
        let mut tags = full().to_tags();
        tags.insert(key.to_owned(), "{nonsense".to_owned());
        assert_eq!(Label::parse(&tags), Label::Damaged(key.to_owned()));
    }
}

#[test]
fn garbage_that_nothing_irreversible_rests_on_counts_as_nothing() {
    for garbage in
        ["{nonsense", r#"{"until":"+262142-12-31T23:59:59Z","quarantine":7,"proven":"1601-01-01T00:00:00Z"}"#]
    {
        let mut tags = full().to_tags();
        for key in ["retry", "proof", "started", "hold", "sign"] {
            tags.insert(key.to_owned(), garbage.to_owned());
        }
        let plain = Labels { retry: None, proof: Proof::default(), started: None, hold: None, sign: None, ..full() };
        assert_eq!(Label::parse(&tags), Label::Ours(Box::new(plain)), "{garbage}");
    }
}

#[test]
fn a_number_or_a_date_that_no_journal_reaches_is_damage_and_overflows_nothing() {
    for (key, value) in [
        ("seq", "18446744073709551615"),
        ("intent", r#"{"at":"+262142-12-31T23:59:59Z","mode":"overlap","will_pause":true}"#),
        ("pause", r#"{"planned":"-262143-01-01T00:00:00Z"}"#),
        ("token", r#"{"id":"12345678","issued":"9999-01-01T00:00:00Z"}"#),
    ] {
        let mut tags = full().to_tags();
        tags.insert(key.to_owned(), value.to_owned());
        assert_eq!(Label::parse(&tags), Label::Damaged(key.to_owned()));
    }
}

#[test]
fn of_two_that_take_one_place_the_earlier_goes_on_and_in_one_second_neither() {
    let place = |id: &str, created, rotation: &str| {
        let labels = Labels { rotation: rotation.to_owned(), ..labels(Stage::Current, 5) };
        version(id, created, Label::Ours(Box::new(labels)))
    };
    let journal = Journal::new(vec![place("a", 10, "early"), place("b", 11, "late")]);
    assert!(!journal.is_overtaken("early", 5) && journal.is_overtaken("late", 5));
    let journal = Journal::new(vec![place("a", 10, "one"), place("b", 10, "other")]);
    assert!(journal.is_overtaken("one", 5) && journal.is_overtaken("other", 5));
    let behind = Journal::new(vec![place("a", 10, "listed")]);
    assert!(behind.is_overtaken("not listed yet", 5), "what the list shows was there before");
    assert!(behind.is_overtaken("listed", 4), "a higher place");
}

#[test]
fn a_list_says_the_same_as_another_only_with_the_same_versions_in_the_same_state() {
    let journal = |versions: &[Version]| Journal::new(versions.to_vec());
    let [one, two] = [ours(Stage::Current, 1), ours(Stage::Pending, 2)];
    let disabled = Version { enabled: false, ..two.clone() };
    let promoted = Version { label: ours(Stage::Current, 2).label, ..two.clone() };
    let dated = Version { created: at(99), ..two.clone() };
    let seen = journal(&[one.clone(), two.clone()]);
    for (listed, is_same) in [
        (vec![two.clone(), one.clone()], true),
        (vec![one.clone(), dated], true),
        (vec![one.clone(), disabled], false),
        (vec![one.clone(), promoted], false),
        (vec![one.clone()], false),
        (vec![one, two, ours(Stage::Rejected, 3)], false),
    ] {
        assert_eq!(seen.says_the_same_as(&journal(&listed)), is_same, "{listed:?}");
    }
}

#[test]
fn the_highest_seq_wins_in_whatever_order_the_vault_lists() {
    let journal = Journal::new(vec![ours(Stage::Current, 3), ours(Stage::Current, 1), ours(Stage::Rejected, 9)]);
    assert_eq!(journal.current().unwrap().labels.seq, 3);
    assert_eq!(journal.next_seq(), 10);
}

#[test]
fn a_pending_version_below_the_newest_current_one_is_superseded() {
    let journal = Journal::new(vec![ours(Stage::Pending, 2), ours(Stage::Current, 3)]);
    assert_eq!(journal.superseded().unwrap().labels.seq, 2);
    assert!(Journal::new(vec![ours(Stage::Pending, 4), ours(Stage::Current, 3)]).superseded().is_none());
}

#[test]
fn a_pause_counts_as_held_until_its_end_is_recorded() {
    let mut held = labels(Stage::Current, 1);
    held.pause = Some(PauseNote { planned: at(1), at: Some(at(1)), ended: None });
    let journal = Journal::new(vec![version("v1", 1, Label::Ours(Box::new(held.clone())))]);
    assert!(journal.held_pause().is_some());
    held.pause = Some(PauseNote { planned: at(1), at: Some(at(1)), ended: Some(at(2)) });
    let ended = Journal::new(vec![version("v1", 1, Label::Ours(Box::new(held)))]);
    assert!(ended.held_pause().is_none());
}

#[test]
fn an_intent_that_certainly_failed_does_not_count_as_an_issue() {
    let mut open = full();
    open.intent.as_mut().unwrap().end = IntentEnd::Open;
    let mut failed = full();
    failed.seq = 8;
    let journal = Journal::new(vec![
        version("a", 1, Label::Ours(Box::new(open))),
        version("b", 2, Label::Ours(Box::new(failed))),
    ]);
    let hour = TimeDelta::hours(1);
    assert_eq!(journal.issues_within(hour, at(3600)), [at(1)]);
    assert!(journal.issues_within(hour, at(3601)).is_empty());
    assert!(journal.issues_within(hour, at(-3600)).is_empty(), "a clock that was an hour ahead has been set right");
}

#[test]
fn the_previous_token_is_another_value_not_a_copy_of_the_current_one() {
    let mut copy = labels(Stage::Current, 3);
    copy.token = labels(Stage::Current, 2).token;
    let journal = Journal::new(vec![
        ours(Stage::Current, 1),
        ours(Stage::Current, 2),
        version("v3", 3, Label::Ours(Box::new(copy))),
    ]);
    assert_eq!(journal.previous().unwrap().labels.seq, 1);
}

#[test]
fn a_version_stored_by_somebody_else_is_seen_only_while_it_is_the_latest() {
    let foreign = version("f", 5, Label::Foreign);
    assert!(Journal::new(vec![ours(Stage::Current, 1), foreign.clone()]).newest_foreign().is_some());
    assert!(Journal::new(vec![foreign, ours(Stage::Current, 9)]).newest_foreign().is_none());
}

#[test]
fn damage_is_reported_only_where_no_newer_whole_version_follows() {
    let damaged = version("d", 5, Label::Damaged("seq".to_owned()));
    assert_eq!(Journal::new(vec![ours(Stage::Current, 1), damaged.clone()]).damaged().unwrap().1, "seq");
    assert!(Journal::new(vec![damaged, ours(Stage::Current, 9)]).damaged().is_none());
}

#[test]
fn an_intent_that_came_to_nothing_hides_no_older_lost_answer_and_a_stored_token_settles_all() {
    let intent = |seq: u64, end| {
        let intent = full().intent.map(|intent| Intent { end, ..intent });
        version(&format!("v{seq}"), 1, Label::Ours(Box::new(Labels { intent, ..labels(Stage::Current, seq) })))
    };
    let lost = vec![intent(2, IntentEnd::Open), ours(Stage::Rejected, 3), intent(4, IntentEnd::NotIssued)];
    assert_eq!(Journal::new(lost.clone()).open_intent().unwrap().0.labels.seq, 2);
    for settled in [ours(Stage::Current, 5), ours(Stage::Pending, 5)] {
        let versions = [lost.clone(), vec![settled]].concat();
        assert!(Journal::new(versions).open_intent().is_none());
    }
}

#[test]
fn a_pause_whose_tag_was_taken_away_is_still_a_planned_one() {
    let mut tags = full().to_tags();
    tags.remove("pause");
    let Label::Ours(read) = Label::parse(&tags) else { panic!("it is whole") };
    assert_eq!(read.pause, Some(PauseNote::planned(at(1))));
}

#[test]
fn a_cycle_that_began_under_a_pause_shows_that_somebody_started_the_job() {
    let ran = |began| Execution { began: at(began), ended: at(began + 60), state: ExecutionState::Succeeded };
    let pause = PauseNote { planned: at(0), at: Some(at(5)), ended: None };
    assert!(pause.is_overrun(Some(&ran(300))));
    assert!(!pause.is_overrun(Some(&ran(30))), "it may have begun just before");
    assert!(!pause.is_overrun(Some(&ran(-300))) && !pause.is_overrun(None));
    let guessed = PauseNote { at: Some(at(0)), ..pause };
    assert!(!guessed.is_overrun(Some(&ran(300))), "the pause may have come much later than planned");
}

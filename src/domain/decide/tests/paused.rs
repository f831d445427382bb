//! The edges of a pause: until when it stands, and what is written down about it.

use super::*;

fn noted(decision: &Decision) -> Option<PauseNote> {
    match decision {
        Decision::Note { labels, .. } | Decision::Start { labels, .. } => labels.pause,
        _ => None,
    }
}

/// A pause of ours since minute 0 under a pending token, seen at `minute`, with the next attempt at `next`.
fn under_a_pending_token(minute: i64, next: i64) -> Seen {
    let mut seen = held_pause(with_pending(well(), 2, minutes(0)), minutes(0));
    (seen.now, seen.job.seen_at) = (minutes(minute), minutes(minute));
    seen.job.last_execution = None;
    seen.attempts.not_before = Some(minutes(next));
    seen
}

#[test]
fn the_end_of_a_pause_is_written_down_with_its_moment() {
    let mut seen = held_pause(well(), day(10) - TimeDelta::minutes(15));
    seen.job.state = JobState::Active;
    assert_eq!(noted(&seen.decide()).and_then(|pause| pause.ended), Some(seen.job.seen_at));
}

#[test]
fn a_pause_without_a_tag_is_written_down_as_made_when_it_was_planned_and_for_less_than_an_hour() {
    let mut seen = intended(59, Mode::Overlap);
    seen.job.state = JobState::Paused;
    assert_eq!(noted(&seen.decide()).and_then(|pause| pause.at), Some(minutes(0)));
    (seen.now, seen.job.seen_at) = (minutes(60), minutes(60));
    assert_ne!(seen.reason(), Some(Reason::PauseToRecord));
}

#[test]
fn under_a_pending_token_a_pause_stands_for_less_than_an_hour() {
    assert_eq!(under_a_pending_token(59, 61).reason(), Some(Reason::BackingOff));
    assert_eq!(under_a_pending_token(60, 61).decide(), Decision::Ask(Question::Saved));
}

#[test]
fn under_a_pending_token_a_pause_stands_for_an_attempt_that_is_less_than_twenty_minutes_off() {
    assert_eq!(under_a_pending_token(10, 29).reason(), Some(Reason::BackingOff));
    assert_eq!(under_a_pending_token(10, 30).decide(), Decision::Ask(Question::Saved));
}

#[test]
fn a_process_that_has_just_begun_leaves_the_pause_of_a_rotation_that_may_have_asked_already() {
    let mut seen = held_pause(well(), day(10) - TimeDelta::minutes(15));
    seen.settled = seen.now + TimeDelta::minutes(3);
    assert_eq!(seen.decide(), Decision::Ask(Question::Saved), "no rotation may have asked");
    let intent = intended(0, Mode::Overlap).last().intent.take();
    seen.last().intent = intent.map(|intent| Intent { end: IntentEnd::Planned, ..intent });
    assert_ne!(seen.decide(), Decision::Ask(Question::Saved));
    seen.now = seen.settled;
    assert_eq!(seen.decide(), Decision::Ask(Question::Saved), "all that was written must show by now");
}

#[test]
fn a_cycle_that_began_after_the_pause_shows_at_once_that_it_is_over_and_one_that_began_with_it_does_not() {
    let since = day(10) - TimeDelta::minutes(5);
    let began = |seconds| {
        let mut seen = held_pause(well(), since);
        seen.job.state = JobState::Active;
        let began = since + TimeDelta::seconds(seconds);
        let ended = began + TimeDelta::minutes(1);
        seen.job.last_execution = Some(Execution { began, ended, state: ExecutionState::Succeeded });
        seen.reason()
    };
    assert_eq!([-1, 0, 1].map(began), [Reason::NotDue, Reason::NotDue, Reason::PauseEnded].map(Some));
}

#[test]
fn a_pause_without_a_tag_under_which_a_cycle_began_is_not_taken_for_ours() {
    let mut seen = intended(30, Mode::Overlap);
    seen.job.state = JobState::Paused;
    let cycle = |began| Some(Execution { began, ended: minutes(15), state: ExecutionState::Succeeded });
    seen.job.last_execution = cycle(minutes(0));
    assert_eq!(seen.reason(), Some(Reason::PauseToRecord), "it began no later than the pause was planned");
    seen.job.last_execution = cycle(minutes(0) + TimeDelta::seconds(1));
    assert_ne!(seen.reason(), Some(Reason::PauseToRecord));
}

#[test]
fn a_pause_of_which_a_version_may_have_told_that_was_edited_since_is_nobodys_until_a_cycle_has_begun_after_it() {
    let reason_when = |state: JobState, began: Option<TimeDelta>, edited: bool| {
        let mut seen = well();
        let mut first = seen.versions[0].clone();
        (first.id, first.enabled) = (VersionId("v0".into()), false);
        if let Label::Ours(labels) = &mut first.label {
            (labels.seq, labels.rotation) = (0, "r0".into());
        }
        let created = seen.versions[0].created;
        first.created = created - TimeDelta::days(2);
        let between = Version {
            id: VersionId("x".into()),
            created: created - TimeDelta::days(1),
            enabled: false,
            expires: None,
            label: Label::Foreign,
        };
        let edited = if edited { between } else { Version { created: first.created, ..between } };
        seen.versions.splice(0..0, [first, edited]);
        seen.job.state = state;
        seen.job.last_execution = began.map(|after| {
            let began = created + after;
            Execution { began, ended: began + TimeDelta::minutes(1), state: ExecutionState::Succeeded }
        });
        seen.reason()
    };
    let reason = |began, edited| reason_when(JobState::Paused, began, edited);
    let told = reason(None, true);
    assert_ne!(told, reason(None, false), "what was there before any of ours tells of no pause of ours");
    assert_eq!(reason(Some(TimeDelta::seconds(60)), true), told);
    assert_eq!(reason(Some(TimeDelta::seconds(61)), true), reason(None, false));
    assert_eq!(reason_when(JobState::Active, None, true), reason(None, false), "a job that runs is paused by nobody");
}

#[test]
fn under_a_pending_token_a_pause_is_as_young_as_the_token_or_as_itself() {
    // The pause is of minute 0, and it is minute 80: a long cycle was waited for.
    let decided = |issued: i64, paused: i64| {
        let mut seen = under_a_pending_token(80, 82);
        seen.last().token.as_mut().unwrap().issued = minutes(issued);
        seen.last().pause = Some(PauseNote { at: Some(minutes(paused)), ..PauseNote::planned(minutes(paused)) });
        seen.decide()
    };
    let ends = Decision::Ask(Question::Saved);
    assert_eq!([21, 20].map(|issued| decided(issued, 0) == ends), [false, true]);
    assert_eq!([21, 20].map(|paused| decided(-60, paused) == ends), [false, true], "a token that was taken over");
    // Our clock was set back: the token is of the future.
    assert_eq!([21, 20].map(|paused| decided(81, paused) == ends), [false, true]);
    assert_eq!(decided(80, 0), decided(21, 0), "one that has just been made is none of the future");
}

#[test]
fn after_a_lost_answer_a_clock_that_was_set_back_makes_the_pause_neither_longer_nor_shorter() {
    let decided = |now: i64, seen_at: i64| {
        let mut seen = held_pause(intended(now, Mode::Overlap), minutes(0));
        seen.job.seen_at = minutes(seen_at);
        seen.last().retry = Some(RetryNote { attempts: 5, not_before: minutes(90), in_need: None });
        seen.decide()
    };
    let ends = Decision::Ask(Question::Saved);
    assert_eq!([59, 60].map(|seen_at| decided(-200, seen_at) == ends), [false, true]);
    assert_ne!(decided(0, 100), ends, "the issuer was asked just now, after a long cycle");
}

#[test]
fn under_a_pause_a_process_that_has_just_begun_looks_again_as_soon_as_it_knows_what_was_asked_before_it() {
    let wait = |state, settled| {
        let mut seen = well();
        (seen.job.state, seen.settled) = (state, seen.now + TimeDelta::minutes(settled));
        match seen.decide() {
            Decision::Wait { until, reason: Reason::NotDue } => (until - seen.now).num_minutes(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([-1, 0, 3, 40].map(|settled| wait(JobState::Paused, settled)), [30, 30, 3, 30]);
    assert_eq!(wait(JobState::Active, 3), 24 * 60);
}

#[test]
fn under_a_pause_that_no_version_tells_of_a_process_that_has_just_begun_takes_no_token_up() {
    let mut seen = with_pending(well(), 2, minutes(0));
    (seen.now, seen.job.seen_at) = (minutes(1), minutes(1));
    seen.settled = minutes(3);
    let waits = Decision::Wait { until: minutes(3), reason: Reason::JustBegun };
    assert_eq!(seen.reason(), Some(Reason::PendingToken), "the job runs");
    seen.job.state = JobState::Paused;
    assert_eq!(seen.decide(), waits);
    assert_eq!(Seen { now: minutes(3), ..seen }.reason(), Some(Reason::PendingToken), "all that was written must show");
    let mut told = held_pause(with_pending(well(), 2, minutes(0)), minutes(0));
    (told.now, told.job.seen_at, told.job.last_execution, told.settled) = (minutes(1), minutes(1), None, minutes(3));
    assert_eq!(told.reason(), Some(Reason::PendingToken), "a pause of ours is gone on with");
}

#[test]
fn a_recorded_pause_that_graph_does_not_show_is_looked_for_every_five_minutes_until_its_absence_is_believed() {
    let mut seen = held_pause(well(), day(10) - TimeDelta::minutes(9));
    (seen.job.state, seen.job.last_execution) = (JobState::Active, None);
    let Decision::Wait { until, .. } = seen.decide() else { panic!("{:?}", seen.decide()) };
    assert_eq!(until, seen.now + TimeDelta::minutes(5));
    seen.job.seen_at = day(10) + TimeDelta::minutes(2);
    assert_eq!(seen.reason(), Some(Reason::PauseEnded));
}

#[test]
fn a_pause_that_this_process_made_and_no_version_tells_of_is_written_down_again_unless_it_is_somebodys_by_now() {
    let made = day(10) - TimeDelta::minutes(30);
    let pause = PauseNote { at: Some(made), ..PauseNote::planned(made - TimeDelta::seconds(1)) };
    let forgotten = || {
        let mut seen = well();
        (seen.own_pause, seen.job.state, seen.job.last_execution) = (Some(pause), JobState::Paused, None);
        seen
    };
    let reason = |change: fn(&mut Seen)| {
        let mut seen = forgotten();
        change(&mut seen);
        seen.reason()
    };
    assert_eq!(noted(&forgotten().decide()), Some(pause));
    let again = Some(Reason::PauseToRecord);
    assert_eq!(reason(|_| ()), again);
    assert_ne!(reason(|seen| seen.job.state = JobState::Active), again);
    assert_ne!(reason(|seen| seen.own_pause = None), again);
    assert_ne!(reason(|seen| seen.last().pause = seen.own_pause), again, "it is told of");
    let mut seen = with_pending(forgotten(), 2, day(10));
    seen.policy.retire_after = TimeDelta::days(99);
    assert_ne!(seen.reason(), again, "a token is on its way");
    let began = |after: i64| {
        let mut seen = forgotten();
        let began = made + TimeDelta::seconds(after);
        seen.job.last_execution = Some(Execution { began, ended: began, state: ExecutionState::Succeeded });
        seen.reason()
    };
    assert_eq!([60, 61].map(|after| began(after) == again), [true, false], "somebody has started it since");
    let mut seen = forgotten();
    seen.last().intent = intended(0, Mode::Overlap).last().intent.take();
    assert_ne!(seen.reason(), again, "somebody is at work");
}

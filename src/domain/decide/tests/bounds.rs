//! The bounds on issuing, to the instant, and the longest waits.

use super::*;
use crate::domain::attempts::{IssueBound, issue_bound, written_ahead};

/// A journal whose intents were written at these minutes, each of which the issuer may have answered.
fn asked(at: &[i64]) -> Journal {
    let versions = at.iter().zip(1..).map(|(minute, seq)| {
        let mut labels = labels(Stage::Current, seq, day(0));
        labels.intent = intended(0, Mode::Overlap).last().intent.take();
        labels.intent.as_mut().unwrap().at = minutes(*minute);
        version(labels, minutes(*minute))
    });
    Journal::new(versions.collect())
}

#[test]
fn between_two_issues_lies_a_minute_and_not_less() {
    assert_eq!(issue_bound(&asked(&[0]), minutes(0)), IssueBound::TooSoon(minutes(1)));
    assert_eq!(issue_bound(&asked(&[0]), minutes(1)), IssueBound::Free);
    assert_eq!(issue_bound(&asked(&[5]), minutes(0)), IssueBound::TooSoon(minutes(6)), "another host's clock");
    assert_eq!(issue_bound(&asked(&[6]), minutes(0)), IssueBound::Free, "ours, before it was set back");
}

#[test]
fn after_four_issues_the_next_waits_for_the_oldest_of_the_last_four_to_be_a_day_old_by_every_hosts_clock() {
    // Clocks of two hosts may differ by six minutes.
    let day = 24 * 60 + 6;
    assert_eq!(issue_bound(&asked(&[0, 100, 200]), minutes(300)), IssueBound::Free);
    assert_eq!(issue_bound(&asked(&[0, 100, 200, 300]), minutes(400)), IssueBound::Spent(minutes(day)));
    let many = [0, 100, 200, 300, 400, 500, 600, 700, 800];
    assert_eq!(issue_bound(&asked(&many), minutes(900)), IssueBound::Spent(minutes(500 + day)));
}

#[test]
fn an_attempt_is_written_ahead_as_if_it_had_failed() {
    let first = written_ahead(None, minutes(0));
    assert_eq!(first, RetryNote { attempts: 1, not_before: minutes(1), in_need: None });
    assert_eq!(
        written_ahead(Some(first), minutes(0)),
        RetryNote { attempts: 2, not_before: minutes(2), in_need: None }
    );
}

#[test]
fn a_job_that_is_paused_is_looked_at_every_half_hour() {
    let mut seen = well();
    seen.job.state = JobState::Paused;
    assert_eq!(seen.decide(), Decision::Wait { until: day(10) + TimeDelta::minutes(30), reason: Reason::NotDue });
}

#[test]
fn a_lost_answer_is_waited_out_for_an_hour_at_most_since_a_longer_wait_was_written_by_a_clock_that_is_right_by_now() {
    let waited = |minute: i64| {
        let mut seen = intended(1, Mode::Overlap);
        seen.last().retry = Some(RetryNote { attempts: 1, not_before: minutes(1 + minute), in_need: None });
        seen.decide()
    };
    assert_eq!(waited(60), Decision::Wait { until: minutes(61), reason: Reason::AnswerLost });
    assert!(is_rotation(&waited(61), Mode::Overlap, Reason::AnswerLost));
}

#[test]
fn that_the_issues_of_a_day_are_spent_is_told_at_once_and_not_when_the_wait_for_a_lost_answer_is_over() {
    let mut seen = intended(1, Mode::Overlap);
    for seq in 3..=5 {
        let mut next = seen.last().clone();
        next.seq = seq;
        next.retry = Some(RetryNote { attempts: 4, not_before: minutes(60), in_need: None });
        seen.versions.push(version(next, minutes(0)));
    }
    assert_eq!(seen.reason(), Some(Reason::IssueBudgetSpent));
}

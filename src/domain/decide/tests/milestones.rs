//! What is to be seen before a token comes due, and when exactly.

use super::*;

/// Version 2 was given to Entra twenty minutes ago; the token before it dies at `end`. No cycle has run since.
fn young(end: Timestamp) -> Seen {
    let mut seen = well();
    seen.last().token.as_mut().unwrap().expiry = Some(Expiry { at: end, source: ExpirySource::Jwt });
    seen.job.last_execution = None;
    let mut new = labels(Stage::Current, 2, day(9));
    new.proof = Proof { provisioned: Some(day(10) - TimeDelta::minutes(20)), ..Proof::default() };
    seen.versions.push(version(new, day(9)));
    seen
}

fn waits_until(seen: &Seen) -> Timestamp {
    match seen.decide() {
        Decision::Wait { until, reason: Reason::NotDue } => until,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unproven_token_is_looked_at_an_hour_after_it_was_given_to_entra() {
    assert_eq!(waits_until(&young(day(50))), day(10) + TimeDelta::minutes(40));
}

#[test]
fn an_unproven_token_is_looked_at_a_second_after_the_one_before_it_has_died_and_a_proven_one_is_not() {
    let end = day(10) + TimeDelta::hours(2);
    let mut seen = young(end);
    seen.last().proof.again = Some(day(10) - TimeDelta::minutes(20));
    assert_eq!(waits_until(&seen), end + TimeDelta::seconds(1));
    seen.last().proof.proven = Some(day(10));
    assert_eq!(waits_until(&seen), day(11), "when the old versions retire");
}

#[test]
fn a_proven_token_is_looked_at_when_old_versions_retire_and_not_again_after_that() {
    let mut seen = young(day(50));
    seen.last().proof.proven = Some(day(10) - TimeDelta::hours(20));
    assert_eq!(waits_until(&seen), day(10) + TimeDelta::hours(4));
    seen.versions.remove(0);
    seen.last().proof.proven = Some(day(9));
    assert_eq!(waits_until(&seen), day(11), "there is nothing to retire at this very moment");
}

#[test]
fn the_hour_of_an_unproven_token_is_told_by_graphs_clock_which_dated_its_beginning() {
    let hours_behind = |minutes: i64| {
        let mut seen = young(day(50));
        seen.now = day(10) - TimeDelta::hours(5);
        seen.job.seen_at = day(10) + TimeDelta::minutes(minutes);
        seen
    };
    assert_eq!(waits_until(&hours_behind(15)), day(10) - TimeDelta::hours(5) + TimeDelta::minutes(25));
    assert_eq!(waits_until(&hours_behind(39)), day(10) - TimeDelta::hours(5) + TimeDelta::minutes(1));
    assert_eq!(hours_behind(40).decide(), Decision::Provision { reason: Reason::StillUnproven });
}

//! What holds of the due date whatever the policy, the zone and the token: drawn by the thousand, each draw by its number.

use chrono_tz::Tz;

use super::*;
use crate::domain::policy::{Due, Window};

const DRAWS: u64 = 4_000;
/// With and without summer time, on both sides of the equator, one of half an hour, and one that changed its mind.
const ZONES: [Tz; 6] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Asia__Kolkata,
    Tz::Pacific__Apia,
];
const OPENINGS: [&str; 6] =
    ["0 30 2 * * *", "0 0 2 * * Sat", "0 0 0 1 * *", "0 15 */6 * * *", "0 59 23 29 2 *", "0 0 9 * * Mon-Fri"];

fn hours(rng: &mut fastrand::Rng, from: i64, to: i64) -> TimeDelta {
    TimeDelta::hours(rng.i64(from..=to))
}

/// A policy that the configuration would accept for tokens of this life, windows aside.
fn policy(rng: &mut fastrand::Rng, life: TimeDelta) -> Policy {
    let before = hours(rng, 2, (life - (life / 3).max(TimeDelta::days(1))).num_hours());
    let windows = (0..rng.usize(0..=2)).map(|_| Window {
        opens: OPENINGS[rng.usize(..OPENINGS.len())].parse().unwrap(),
        lasts: hours(rng, 1, 30),
        zone: ZONES[rng.usize(..ZONES.len())],
    });
    let windows = windows.collect::<Vec<_>>().into();
    let min_slack = hours(rng, 1, before.num_hours() - 1);
    Policy {
        rotate_before: Before::Time(before),
        min_slack,
        windows,
        jitter: hours(rng, 0, (before - min_slack).num_hours()),
        max_age: rng.bool().then(|| hours(rng, 24, 24 * 400)),
        ..well().policy
    }
}

/// A policy and a token that lives from three days to two years, begun on any second from 2024 to 2032.
fn drawn(number: u64) -> (Policy, TokenNote) {
    let mut rng = fastrand::Rng::with_seed(number);
    let life = hours(&mut rng, 72, 17_520);
    let policy = policy(&mut rng, life);
    let issued = Timestamp::from_timestamp(rng.i64(1_704_067_200..1_956_528_000), 0).unwrap();
    let expiry = Expiry { at: issued + life, source: ExpirySource::Jwt };
    (policy, TokenNote::new(&Token::parse(&format!("token-number-{number}")).unwrap(), issued, Some(expiry)))
}

fn of_each(property: impl Fn(&Policy, &TokenNote, Due) -> bool) {
    for number in 0..DRAWS {
        let (policy, token) = drawn(number);
        let due = policy.due(&token).unwrap();
        assert!(property(&policy, &token, due), "draw {number}: {policy:?}\n{token:?}\n{due:?}");
    }
}

#[test]
fn no_token_is_due_after_its_last_safe_moment_or_before_anything_asks_for_it() {
    of_each(|policy, token, due| {
        let safe = token.expiry.unwrap().at - policy.min_slack;
        due.last_safe == Some(safe) && due.at <= safe && (due.at >= due.wanted || due.at == safe)
    });
}

#[test]
fn a_due_date_falls_into_its_window_unless_the_last_safe_moment_comes_first() {
    of_each(|policy, _, due| match due.window {
        None => policy.windows.is_empty(),
        Some((opens, closes)) => due.reason == Reason::LastSafeMoment || (opens..closes).contains(&due.at),
    });
}

#[test]
fn two_due_dates_lie_a_third_of_a_life_and_a_day_apart_and_the_slack_is_that_of_the_policy_or_it_is_told() {
    for number in 0..DRAWS {
        let (policy, token) = drawn(number);
        let mut rng = fastrand::Rng::with_seed(DRAWS + number);
        let end = token.expiry.unwrap().at;
        // Whatever its life: from an hour on, and the policy may be made for one that is twice as long.
        let hours_of_life = rng.i64(1..=(end - token.issued).num_hours());
        let life = TimeDelta::hours(hours_of_life);
        let token = TokenNote { issued: end - life, ..token };
        let is_share = rng.bool();
        let rotate_before = match is_share {
            true => Before::Share(rng.u8(1..=90)),
            false => Before::Time(hours(&mut rng, 1, hours_of_life * 2)),
        };
        let min_slack = hours(&mut rng, 0, hours_of_life * 2);
        let policy = Policy { rotate_before, min_slack, max_age: None, ..policy };
        let due = policy.due(&token).unwrap();
        let apart = due.wanted - token.issued;
        // A share is of the life itself, so it is taken at its word.
        let least = if is_share { TimeDelta::days(1) } else { (life / 3).max(TimeDelta::days(1)) };
        let holds = apart >= least && due.last_safe == Some(end - min_slack);
        assert!(holds || due.clamped || apart >= life / 3 * 2, "draw {number}: {policy:?}\n{token:?}\n{due:?}");
        assert!(due.last_safe.unwrap() >= end - min_slack.min(life), "no slack is ever added: {due:?}");
    }
}

#[test]
fn who_asks_twice_hears_the_same_and_less_slack_never_makes_a_token_due_earlier() {
    of_each(|policy, token, due| {
        let careless = Policy { min_slack: policy.min_slack / 2, ..policy.clone() };
        policy.due(token) == Some(due) && careless.due(token).unwrap().at >= due.at
    });
}

#[test]
fn a_second_before_it_is_due_a_token_is_waited_for_and_at_that_moment_it_is_rotated() {
    of_each(|policy, token, due| {
        let mut seen = Seen { policy: policy.clone(), settled: token.issued, ..well() };
        seen.last().token = Some(token.clone());
        seen.last().proof = Proof { provisioned: Some(token.issued), ..proven() };
        // Of the last safe moment within a day of the issue nothing else is certain than that it is not missed.
        let free = token.issued + TimeDelta::days(1);
        let at = if Some(due.at) < due.last_safe { due.at.max(free).min(due.last_safe.unwrap()) } else { due.at };
        seen.now = at - TimeDelta::seconds(1);
        let waits = matches!(seen.decide(), Decision::Wait { until, .. } if until <= at);
        seen.now = at;
        waits && matches!(seen.decide(), Decision::Rotate(plan) if plan.reason == due.reason)
    });
}

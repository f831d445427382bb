use super::*;
use crate::domain::policy::tests::policy;
use crate::domain::policy::{Before, Window};

fn window(cron: &str, lasts: TimeDelta) -> Window {
    Window { opens: cron.parse().unwrap(), lasts, zone: chrono_tz::Europe::Berlin }
}

/// What stands against it when it is loaded.
fn told(policy: &Policy, life: Option<TimeDelta>) -> Option<(Blame, String)> {
    super::objection(policy, life).map(|objection| (objection.blame, objection.to_string()))
}

fn objection(windows: &[Window]) -> Option<(Blame, String)> {
    let windows = windows.to_vec().into();
    told(&Policy { windows, jitter: TimeDelta::hours(2), ..policy() }, None)
}

#[test]
fn a_weekly_window_has_room_and_a_monthly_one_has_not() {
    assert_eq!(objection(&[window("0 0 2 * * Sat", TimeDelta::hours(4))]), None);
    let (blame, what) = objection(&[window("0 0 2 1 * *", TimeDelta::days(1))]).unwrap();
    assert_eq!(blame, Blame::Window);
    assert!(what.contains("closed for up to 30d") && what.contains("there are 23d"), "{what}");
}

#[test]
fn two_windows_together_may_have_the_room_that_neither_has() {
    let middle = window("0 0 2 15 * *", TimeDelta::hours(4));
    let first = window("0 0 2 1 * *", TimeDelta::hours(4));
    assert!(objection(std::slice::from_ref(&middle)).is_some());
    assert_eq!(objection(&[middle, first]), None);
}

#[test]
fn a_window_that_opens_all_the_time_is_never_closed() {
    assert_eq!(objection(&[window("0 * * * * *", TimeDelta::minutes(1))]), None);
}

#[test]
fn an_outage_of_the_stated_length_leaves_time_for_a_rotation_or_the_policy_is_refused_with_the_sum() {
    let (hours, minutes) = (TimeDelta::hours, TimeDelta::minutes);
    let (day, week) = (hours(24), hours(24 * 7));
    // Closed for 6d 20h, and for an hour more when summer time ends.
    let saturdays = [window("0 0 2 * * Sat", hours(4))];
    // A rotation takes 15m + 1h 30m + 10m at most: 1h 55m.
    for (before, slack, jitter, windows, refused) in [
        (hours(3), hours(1), minutes(5), &[][..], None),
        (hours(3), hours(1), minutes(6), &[], Some((Blame::Jitter, "(3h) − 6m of jitter − the outage = 1h 54m"))),
        (hours(3), minutes(66), minutes(0), &[], Some((Blame::MinSlack, "(3h) − the outage = 1h 54m"))),
        (day * 2, day, day, &[], Some((Blame::Jitter, "= 0s, but a rotation may take 1h 55m"))),
        (week * 2 + hours(2), week, hours(0), &saturdays, None),
        // The jitter stays inside the window, so it puts off by four hours at most.
        (week * 2 + hours(3), week, day * 3, &saturdays, None),
        (week * 2 + hours(2), week, day * 3, &saturdays, Some((Blame::Jitter, "is closed − 4h of jitter −"))),
        (week * 2 - hours(2), week, hours(0), &saturdays, Some((Blame::Window, "− 6d 21h for which the window is"))),
    ] {
        let windows = windows.to_vec().into();
        let rules = Policy { rotate_before: Before::Time(before), min_slack: slack, jitter, windows, ..policy() };
        match (told(&rules, None), refused) {
            (None, None) => (),
            (Some((blamed, what)), Some((blame, sum))) => {
                assert!(blamed == blame && what.contains(sum), "{blamed:?}: {what}");
                for word in ["min_slack (", "rotate_before_expiry (", "15m until it is tried again", "settle_for 10m"] {
                    assert!(what.contains(word), "{word} is not in {what}");
                }
            }
            (what, wanted) => panic!("{before} {slack} {jitter}: {what:?} instead of {wanted:?}"),
        }
    }
}

#[test]
fn a_share_is_judged_only_where_the_life_is_known() {
    let share = Policy { rotate_before: Before::Share(33), ..policy() };
    let objection = |life: Option<i64>| told(&share, life.map(TimeDelta::days));
    assert_eq!(objection(None), None);
    assert_eq!(objection(Some(20)).unwrap().0, Blame::MinSlack);
    assert_eq!(objection(Some(90)), None);
}

#[test]
fn a_fixed_time_that_uses_too_little_of_a_known_life_is_refused_with_what_would_do() {
    let (hours, days) = (TimeDelta::hours, TimeDelta::days);
    let policy = |before, min_slack| Policy { rotate_before: Before::Time(before), min_slack, ..policy() };
    for (life, before, slack, words) in [
        (
            days(31),
            days(30),
            days(7),
            Some(
                "leaves only 1d of the token's life (assumed_lifetime, 31d)|less than a third|to 20d 16h at most|max_age",
            ),
        ),
        (days(44), days(30), days(7), Some("leaves only 14d|to 29d 8h at most")),
        (days(45), days(30), days(7), None),
        (
            days(30),
            days(30),
            days(7),
            Some(
                "(30d) is not shorter than the token's life (assumed_lifetime, 30d)|due when it is born|to 20d at most",
            ),
        ),
        (hours(72), hours(70), hours(1), Some("leaves 2h of|never has two tokens made within 1d|to 2d at most")),
        (hours(72), hours(48), hours(12), None),
        (hours(72), hours(36), hours(12), None),
        // Lives that cannot be upheld whatever is asked for: 1d + 1h 55m.
        (hours(12), hours(5), hours(1), Some("leaves 7h of|within 1d|does not live for 1d 1h 55m")),
        (hours(5), hours(4), hours(0), Some("leaves 1h of|within 1d|does not live for 1d 1h 55m")),
        (hours(25), hours(2), hours(0), Some("leaves 23h of|does not live for 1d 1h 55m")),
        (hours(26), hours(2), hours(0), None),
        (hours(26), hours(3), hours(0), Some("leaves 23h of|to 2h at most")),
    ] {
        let told = told(&policy(before, slack), Some(life));
        match (&told, words) {
            (None, None) => (),
            (Some((Blame::RotateBefore, what)), Some(words)) => {
                assert!(words.split('|').all(|word| what.contains(word)), "{words} is not in {what}");
            }
            _ => panic!("{life} {before} {slack}: {told:?}"),
        }
        let supplied = Policy { supplied: true, ..policy(before, slack) };
        let is_born_due = super::objection(&supplied, Some(life)).is_some_and(|one| one.blame == Blame::RotateBefore);
        assert_eq!(is_born_due, before >= life, "nobody is asked for a token that people bring");
        let born_due = super::objection(&supplied, Some(life)).filter(|one| one.blame == Blame::RotateBefore);
        assert!(born_due.is_none_or(|one| one.to_string().contains("Lower it, or write a share")), "{life} {before}");
    }
}

#[test]
fn a_share_of_a_known_life_is_refused_only_where_a_token_would_be_due_within_a_day() {
    let share = |percent| Policy { rotate_before: Before::Share(percent), min_slack: TimeDelta::hours(1), ..policy() };
    let blame = |percent, days| told(&share(percent), Some(TimeDelta::days(days))).map(|(blame, _)| blame);
    assert_eq!([blame(90, 365), blame(90, 10), blame(66, 3), blame(33, 3)], [None; 4]);
    assert_eq!([blame(90, 9), blame(67, 3), blame(1, 1)], [Some(Blame::RotateBefore); 3]);
}

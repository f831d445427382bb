use super::*;
use crate::domain::policy::tests::policy;
use crate::domain::policy::{Before, Window};

fn window(cron: &str, lasts: TimeDelta) -> Window {
    Window { opens: cron.parse().unwrap(), lasts, zone: chrono_tz::Europe::Berlin }
}

fn objection(windows: &[Window]) -> Option<(Blame, String)> {
    let windows = windows.to_vec().into();
    super::objection(&Policy { windows, jitter: TimeDelta::hours(2), ..policy() }, None)
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
        match (super::objection(&rules, None), refused) {
            (None, None) => (),
            (Some((blamed, what)), Some((blame, sum))) => {
                assert!(blamed == blame && what.contains(sum), "{blamed:?}: {what}");
                for word in ["min_slack (", "rotate_before_expiry (", "15m until it is tried again", "settle_for 10m"] {
                    assert!(what.contains(word), "{word} is not in {what}");
                }
            }
            (told, wanted) => panic!("{before} {slack} {jitter}: {told:?} instead of {wanted:?}"),
        }
    }
}

#[test]
fn a_share_is_judged_only_where_the_life_is_known() {
    let share = Policy { rotate_before: Before::Share(33), ..policy() };
    let objection = |life: Option<i64>| super::objection(&share, life.map(TimeDelta::days));
    assert_eq!(objection(None), None);
    assert_eq!(objection(Some(20)).unwrap().0, Blame::MinSlack);
    assert_eq!(objection(Some(90)), None);
}

//! What a policy comes to for a life, and how that is told.

use super::*;
use crate::domain::policy::Window;
use crate::domain::policy::tests::policy;

fn hours(hours: i64) -> TimeDelta {
    TimeDelta::hours(hours)
}

/// What is told of a token of this life.
fn told(policy: &Policy, life: TimeDelta) -> String {
    policy.fit(life).misfits(policy).join("\n")
}

#[test]
fn what_is_cut_down_is_told_with_what_was_asked_for_and_what_it_is_instead() {
    let share = |percent, min_slack| Policy { rotate_before: Before::Share(percent), min_slack, ..policy() };
    let time = |before, min_slack| Policy { rotate_before: Before::Time(before), min_slack, ..policy() };
    for (policy, life, words) in [
        (policy(), hours(24 * 365), ""),
        (policy(), hours(24 * 45), ""),
        (
            policy(),
            hours(24 * 31),
            "rotate_before_expiry (30d)|leaves only 1d of its life (31d)|rotated 10d 8h before its end",
        ),
        (
            policy(),
            hours(24 * 29),
            "rotate_before_expiry (30d) is not shorter than its life (29d)|rotated 9d 16h before",
        ),
        (policy(), hours(24 * 30), "rotate_before_expiry (30d) is not shorter than its life (30d)|rotated 10d before"),
        (
            policy(),
            hours(72),
            "rotate_before_expiry (30d)|rotated 1d before|min_slack (7d) is longer than the 1d that|12h before its end",
        ),
        (
            time(hours(70), hours(1)),
            hours(72),
            "rotate_before_expiry (2d 22h) leaves only 2h of its life (3d)|rotated 1d before",
        ),
        (
            share(30, hours(48)),
            hours(72),
            "min_slack (2d) is longer than the 21h 36m that are left of its life (3d)|10h 48m before",
        ),
        (share(33, hours(24 * 7)), hours(24 * 20), "min_slack (7d) is longer than the 6d 14h 24m|3d 7h 12m before"),
        (share(33, hours(24 * 7)), hours(24 * 22), ""),
        // Not cut down, and yet not to be kept.
        (
            time(hours(10), hours(1)),
            hours(30),
            "which lives for 1d 6h, cannot be kept as the policy asks|leaves 20h of its life|within 1d|Lower it to 6h at most",
        ),
        (
            time(hours(4), hours(1)),
            hours(12),
            "leaves 8h of its life (12h) to be used, but policy alone never has two|No policy keeps",
        ),
    ] {
        let told = told(&policy, life);
        assert!(words.split('|').all(|word| told.contains(word)), "{words} is not in\n{told}");
        assert_eq!(told.is_empty(), words.is_empty(), "{told}");
    }
}

#[test]
fn a_window_or_a_jitter_for_which_a_life_leaves_no_room_is_told_and_what_to_do_only_where_nothing_is_cut_down() {
    let monthly = Window { opens: "0 0 2 1 * *".parse().unwrap(), lasts: hours(4), zone: chrono_tz::UTC };
    let share = Policy { rotate_before: Before::Share(50), min_slack: hours(12), ..policy() };
    let windowed = Policy { windows: vec![monthly].into(), ..share.clone() };
    let what = told(&windowed, hours(72));
    for words in
        ["which lives for 3d", "closed for up to 30d 20h", "(1d 12h) and min_slack (12h) there are 1d", ". Let it open"]
    {
        assert!(what.contains(words), "{words} is not in\n{what}");
    }
    assert_eq!(told(&windowed, hours(24 * 90)), "");
    let spread = Policy { jitter: hours(30), ..share };
    assert!(told(&spread, hours(72)).contains("jitter (1d 6h) is longer than the room it has"));
    assert_eq!(told(&spread, hours(24 * 7)), "");
    let clamped = told(&Policy { rotate_before: Before::Time(hours(70)), ..windowed }, hours(72));
    assert!(clamped.contains("closed for up to") && !clamped.contains("Let it open"), "{clamped}");
}

#[test]
fn the_shortest_life_that_a_policy_fits_is_the_one_from_which_on_nothing_is_cut_down() {
    let rules = |rotate_before, min_slack| Policy { rotate_before, min_slack, ..policy() };
    for (policy, shortest) in [
        (policy(), hours(24 * 45)),
        (rules(Before::Time(hours(36)), hours(12)), hours(60)),
        (rules(Before::Share(30), hours(48)), hours(160)),
        (rules(Before::Share(90), hours(1)), hours(240)),
        (Policy { supplied: true, ..policy() }, hours(24 * 30)),
    ] {
        let about_it = policy.shortest_life() - shortest;
        assert!(about_it.abs() <= TimeDelta::minutes(1), "{policy:?}: {}", about(policy.shortest_life()));
        let [shorter, longer] = [-1, 1].map(|hour| policy.fit(shortest + hours(hour)).clamped);
        assert!(shorter && !longer, "{policy:?}");
    }
    // Shorter ones are not cut down, and yet not to be kept: two tokens would be made within a day.
    assert_eq!(rules(Before::Time(hours(10)), hours(1)).shortest_life(), hours(34));
}

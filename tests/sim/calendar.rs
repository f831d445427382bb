//! Days that are not like others: summer time begins and ends, a leap day; and lives that are shorter than anybody thought.

use chrono::TimeDelta;
use scim_rotator::domain::policy::{Before, Window};
use scim_rotator::domain::{Fence, Mode, Policy, Timestamp};

use super::accidents::{LIFE, judge, settings};
use super::drive::{Drive, policy};
use crate::world::{Event, Settings, Who, World};

fn moment(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

/// When the daemon had tokens made.
fn issues(world: &World) -> Vec<Timestamp> {
    let is_ours = |event: &Event| matches!(event, Event::Issued { by: Who::Daemon, .. });
    world.ledger.events().filter(|(_, event)| is_ours(event)).map(|(at, _)| *at).collect()
}

#[tokio::test]
async fn a_rotation_falls_into_the_window_of_the_day_on_which_summer_time_begins_or_ends_and_of_a_leap_day() {
    let berlin = chrono_tz::Europe::Berlin;
    for (cron, zone, due, opens) in [
        // Half past two does not exist on this day: the window opens at three.
        ("0 30 2 * * *", berlin, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
        // And on this one it comes twice: the window opens the first time.
        ("0 30 2 * * *", berlin, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
        ("0 0 0 * * Sun", chrono_tz::America::Havana, "2026-03-07T12:00:00Z", "2026-03-08T05:00:00Z"),
        ("0 0 12 29 2 *", chrono_tz::UTC, "2028-02-28T18:00:00Z", "2028-02-29T12:00:00Z"),
        ("0 0 0 * * *", chrono_tz::Pacific::Auckland, "2028-02-28T18:00:00Z", "2028-02-29T11:00:00Z"),
    ] {
        let (due, opens) = (moment(due), moment(opens));
        let settings = Settings { start: due - LIFE + TimeDelta::days(30), ..settings() };
        let windows = vec![Window { opens: cron.parse().expect("a cron"), lasts: TimeDelta::hours(4), zone }].into();
        let drive = Drive::new(World::new(settings), Policy { windows, ..policy(Mode::Overlap, Fence::Auto) });
        drive.live(&[], opens + TimeDelta::days(2)).await;
        judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
        let issued = issues(&drive.world());
        let window = opens..opens + TimeDelta::hours(4);
        assert!(matches!(issued.as_slice(), [at] if window.contains(at)), "{cron} {zone}: {issued:?}, not {window:?}");
    }
}

#[tokio::test]
async fn a_token_that_lives_shorter_than_the_policy_thinks_is_rotated_once_in_its_life_and_never_in_a_loop() {
    // The policy asks for thirty days before the end.
    for days in [2, 3, 5, 20, 29, 30, 31, 33, 44, 45] {
        let life = TimeDelta::days(days);
        let drive =
            Drive::new(World::new(Settings { token_life: life, ..settings() }), policy(Mode::Overlap, Fence::Auto));
        let begin = drive.world().now();
        drive.live(&[], begin + TimeDelta::days(60)).await;
        judge(&drive, 60).unwrap_or_else(|why| panic!("{days} days\n{why}"));
        let issued = issues(&drive.world());
        let apart = issued.windows(2).map(|pair| pair[1] - pair[0]).min().expect("two rotations");
        // Two thirds of a life, and no less than a day; of the longest a third, which is what the policy asks for.
        let used = if days < 45 { (life / 3 * 2).max(TimeDelta::days(1)) } else { life / 3 };
        let most = TimeDelta::days(60).num_hours() / used.num_hours();
        // Less the wait for a gap before the first of two.
        let least = used - TimeDelta::hours(2);
        assert!(apart >= least && issued.len() as i64 <= most, "{days} days: {issued:?}");
    }
}

#[tokio::test]
async fn a_share_of_a_life_that_nobody_configured_is_taken_of_the_life_that_each_token_has() {
    let policy = Policy { rotate_before: Before::Share(50), ..policy(Mode::Overlap, Fence::Auto) };
    let drive = Drive::new(World::new(settings()), policy);
    let begin = drive.world().now();
    drive.live(&[], begin + TimeDelta::days(160)).await;
    judge(&drive, 2).unwrap_or_else(|why| panic!("{why}"));
    let days: Vec<_> = issues(&drive.world()).iter().map(|at| (*at - begin).num_days()).collect();
    assert_eq!(days, [50, 100, 150]);
}

//! The process among others: signals, the lock, the service manager, the cron.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use super::place::{Daemon, OVERLAP, Place, SPEED, about_to_be_due, is_at_rest_with_newer, only};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Side, Which};
use crate::world::{Op, Schedule};

async fn resting() -> (Place, Daemon) {
    let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
    let daemon = place.daemon(&[]);
    place.until(OVERLAP, "first contact is made", |world| is_at_rest_with_newer(world, 1)).await;
    (place, daemon)
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_an_idle_daemon_with_0() {
    let (_place, mut daemon) = resting().await;
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().await, Some(0), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_during_the_fence_lets_the_job_run_again_and_issues_nothing() {
    // A minute in a second: the drain of a running cycle takes minutes, and the signal comes long before its end.
    let place = Place::new(worlds(|_| ()), 60.0, |text| only(OVERLAP, &text)).await;
    let mut daemon = place.daemon(&[]);
    place.until(OVERLAP, "the job is paused", |world| world.jobs()[0].schedule == Schedule::Paused).await;
    daemon.says("let a running cycle end").await;
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().await, Some(0), "{}", daemon.log());
    let world = place.sandbox.world(OVERLAP);
    assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{}", world.ledger.trace());
    assert_eq!(world.ledger.issued, 0, "{}", world.ledger.trace());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_after_the_issue_lets_the_rotation_go_on_to_the_start_of_the_job() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(OVERLAP, &text)).await;
    let mut hold = place.sandbox.gate().hold(Which::Next(Op::Issue), Side::After);
    let mut daemon = place.daemon(&[]);
    hold.reached().await;
    daemon.signal(Signal::TERM);
    daemon.says("a rotation under way is brought to a safe point").await;
    hold.go();
    assert_eq!(daemon.ended().await, Some(0), "{}", daemon.log());
    let world = place.sandbox.world(OVERLAP);
    assert_eq!(
        (world.saved_token(), world.jobs()[0].schedule),
        (Some(3), Schedule::Active),
        "{}",
        world.ledger.trace()
    );
    assert_eq!(world.versions().last().expect("a version").tags["stage"], "current");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_host_is_refused_and_told_who_is_at_work() {
    let (place, daemon) = resting().await;
    let second = place.run(&["once"]).await;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("another scim-rotator") && said.contains(&daemon.id().to_string()), "{said}");
    assert_eq!(place.run(&["status"]).await.status.code(), Some(0), "looking needs no lock");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_refuses_a_bad_configuration_and_takes_over_a_good_one() {
    let (place, daemon) = resting().await;
    let good = std::fs::read_to_string(&place.setup.config).expect("the configuration");
    std::fs::write(&place.setup.config, good.replace("min_slack", "min_slak")).expect("written");
    daemon.signal(Signal::HUP);
    daemon.says("the new configuration is refused; the old one stays").await;
    assert!(daemon.log().contains("min_slak"), "{}", daemon.log());
    let issued = place.sandbox.world(OVERLAP).ledger.issued;
    std::fs::write(&place.setup.config, good.replace("36h", "40h")).expect("written");
    daemon.signal(Signal::HUP);
    daemon.says("the configuration was read again").await;
    assert!(daemon.log().contains("no longer tended as it was configured"), "{}", daemon.log());
    assert_eq!(place.sandbox.world(OVERLAP).ledger.issued, issued, "a reload rotates nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_ready_status_watchdog_and_stopping() {
    let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
    let path = place.setup.folder.join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let path = path.to_string_lossy().into_owned();
    let mut daemon = place.daemon_with(&[], &[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "200000")]);
    let heard = |wanted: &str| {
        let mut buffer = [0_u8; 4096];
        loop {
            let length = socket.recv(&mut buffer).unwrap_or_else(|e| panic!("{wanted} never came: {e}"));
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if message.contains(wanted) {
                return message;
            }
        }
    };
    tokio::task::block_in_place(|| {
        heard("READY=1");
        heard("WATCHDOG=1");
        let status = heard("STATUS=");
        assert!(status.contains("overlap: "), "{status}");
        daemon.signal(Signal::TERM);
        heard("STOPPING=1");
    });
    assert_eq!(daemon.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cron_alone_makes_it_look_again() {
    // Real time, and nothing else is due for days.
    let far_side = about_to_be_due(|settings| settings.token_life = chrono::TimeDelta::days(30)).await;
    let place = Place::new(far_side, 1.0, |text| {
        only(OVERLAP, &text).replace("check = \"0 */10 * * * *\"", "check = \"* * * * * *\"")
    })
    .await;
    let _daemon = place.daemon(&[]);
    let lists = |world: &crate::world::World| world.faults.calls(Op::VaultList);
    place.until(OVERLAP, "it looks once", |world| lists(world) > 0).await;
    let first = lists(&place.sandbox.world(OVERLAP));
    place.until(OVERLAP, "the cron makes it look again, and again", |world| lists(world) >= first + 2).await;
    assert_eq!(place.sandbox.world(OVERLAP).ledger.issued, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_and_configuration_have_exit_codes_of_their_own() {
    let place = Place::new(worlds(|_| ()), SPEED, |text| text).await;
    assert_eq!(place.run(&["rotat"]).await.status.code(), Some(64));
    assert_eq!(place.run(&["--help"]).await.status.code(), Some(0));
    assert_eq!(place.run(&["config", "check"]).await.status.code(), Some(0));
    std::fs::write(&place.setup.config, "nonsense").expect("written");
    for command in [["run"].as_slice(), &["once"], &["check"], &["status"], &["config", "check"]] {
        assert_eq!(place.run(command).await.status.code(), Some(78), "{command:?}");
    }
}

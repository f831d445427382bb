//! The real binary under a clock that leaps by days while it runs: `libfaketime` shows it another time than the host has,
//! and leaves the clock alone that nobody sets. The sandbox goes by the host's, and leaps along where a host has slept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::TimeDelta;
use rustix::process::Signal;
use scim_rotator::domain::Timestamp;
use serde_json::Value;

use super::page::get;
use super::place::{BINARY, Daemon, OVERLAP, Place, SPEED, about_to_be_due, is_at_rest_with_newer, judge, only};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Side, Which};
use crate::world::{Op, World};

const LIFE: TimeDelta = TimeDelta::days(12);
/// No clock that has been set shows this.
const BEFORE_BELIEF: &str = "2019-06-01T00:00:00Z";

/// Shows processes another time.
struct Faked {
    place: Place,
    library: PathBuf,
    /// Read by the library each time that a process looks at the clock.
    file: PathBuf,
}

impl Faked {
    fn of(place: Place) -> Self {
        let file = place.setup.folder.join("faketime");
        let faked = Self { library: library(), file, place };
        faked.set(TimeDelta::zero());
        faked
    }

    /// The wall clock is from now on so far ahead of the host's, in the sandbox's time.
    fn set(&self, ahead: TimeDelta) {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of some years are far below 2^52")]
        let seconds = ahead.num_milliseconds() as f64 / 1000.0 / SPEED;
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{seconds:+.3}\n")).expect("written");
        fs::rename(&new, &self.file).expect("renamed");
    }

    /// The wall clock shows this, whatever today's date is.
    fn set_to(&self, moment: &str) {
        let moment: Timestamp = moment.parse().expect("RFC 3339");
        self.set(moment - self.place.sandbox.clock().now());
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = self.place.setup.command(BINARY);
        command
            .arg(subcommand)
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        command
    }

    fn daemon(&self) -> Daemon {
        self.place.daemon_by(self.command("run"))
    }

    async fn plan(&self) -> Value {
        let mut command = self.command("plan");
        command.arg("--json");
        let output = tokio::process::Command::from(command).output().await.expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let plan: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{output:?}"));
        plan["connections"][0].clone()
    }

    /// Has the daemon look again.
    async fn look(&self, daemon: &Daemon) {
        let before = self.place.sandbox.world(OVERLAP).faults.calls(Op::JobRead);
        daemon.signal(Signal::HUP);
        self.place.until(OVERLAP, "it looks again", |world| world.faults.calls(Op::JobRead) > before).await;
    }
}

fn library() -> PathBuf {
    let folders = ["/usr/lib", "/usr/lib64"].map(Path::new);
    let multiarch = fs::read_dir("/usr/lib").expect("/usr/lib").filter_map(|entry| Some(entry.ok()?.path()));
    let all = folders.into_iter().map(Path::to_owned).chain(multiarch);
    let mut libraries = all.map(|folder| folder.join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.is_file()).expect("libfaketime is there: `make faketime` installs it")
}

/// A daemon at rest with a token of twelve days, which comes due 36 hours before its end.
async fn resting() -> (Faked, Daemon) {
    // No cron wakes it: it has to notice by itself.
    let yearly = |text: String| only(OVERLAP, &text).replace("0 */10 * * * *", "0 0 0 1 1 *");
    let place = Place::new(worlds(|settings| settings.token_life = LIFE), SPEED, yearly).await;
    let faked = Faked::of(place);
    let daemon = faked.daemon();
    faked.place.until(OVERLAP, "the first contact is made", |world| is_at_rest_with_newer(world, 1)).await;
    (faked, daemon)
}

fn moment(value: &Value) -> Timestamp {
    value.as_str().expect("a moment").parse().expect("RFC 3339")
}

/// The tags of all versions, in a row.
fn tags(world: &World) -> String {
    world.versions().iter().flat_map(|version| version.tags.values()).cloned().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_has_slept_for_ten_days_over_an_answer_rotates_the_token_that_came_due_meanwhile() {
    let (faked, daemon) = resting().await;
    let token = faked.place.sandbox.world(OVERLAP).saved_token().expect("a token");
    let asleep = TimeDelta::hours(10 * 24 + 18);
    let mut answer = faked.place.sandbox.gate().hold(Which::Next(Op::JobRead), Side::After);
    daemon.signal(Signal::HUP);
    answer.reached().await;
    faked.place.sandbox.leap(asleep);
    faked.set(asleep);
    answer.go();
    // A day or so is left of its life, which is less than half a minute by the host's clock.
    faked.place.until(OVERLAP, "it is rotated and confirmed", |world| is_at_rest_with_newer(world, token)).await;
    assert!(daemon.log().contains("NearingExpiry"), "{}", daemon.log());
    judge(&faked.place.sandbox.world(OVERLAP), 2).unwrap_or_else(|why| panic!("{why}\n{}", daemon.log()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_leaps_back_by_five_days_issues_nothing_loses_nothing_and_moves_no_due_date() {
    let (faked, daemon) = resting().await;
    let due = moment(&faked.plan().await["next_rotation"]["at"]);
    let stored = faked.place.sandbox.world(OVERLAP).ledger.stored;
    faked.set(TimeDelta::days(-5));
    for _ in 0..5 {
        faked.look(&daemon).await;
    }
    assert_eq!(moment(&faked.plan().await["next_rotation"]["at"]), due);
    {
        let world = faked.place.sandbox.world(OVERLAP);
        assert_eq!((world.ledger.issued, world.ledger.stored), (1, stored), "{}", world.ledger.trace());
        assert!(world.entra_holds_a_working_token());
    }
    // Set right, and asleep until the token is due.
    let token = faked.place.sandbox.world(OVERLAP).saved_token().expect("a token");
    let asleep = due - faked.place.sandbox.world(OVERLAP).now();
    faked.place.sandbox.leap(asleep);
    faked.set(asleep);
    faked.place.until(OVERLAP, "it is rotated and confirmed", |world| is_at_rest_with_newer(world, token)).await;
    judge(&faked.place.sandbox.world(OVERLAP), 2).unwrap_or_else(|why| panic!("{why}\n{}", daemon.log()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_runs_ten_days_ahead_is_not_believed_loudly_and_kills_no_token_until_it_is_set_right() {
    let (faked, daemon) = resting().await;
    let due = moment(&faked.plan().await["next_rotation"]["at"]);
    for ahead in [TimeDelta::days(10), TimeDelta::days(400)] {
        let said = daemon.log().len();
        // In the midst of a look, so that what it was asked at is right.
        let mut answer = faked.place.sandbox.gate().hold(Which::Next(Op::JobRead), Side::After);
        daemon.signal(Signal::HUP);
        answer.reached().await;
        faked.set(ahead);
        answer.go();
        daemon.says_after(said, "this host's clock is more than a day from Microsoft Graph's, which is believed").await;
        // By that clock the token comes due, or is dead: twice it is looked at, and nothing is done about it.
        for _ in 0..2 {
            faked.look(&daemon).await;
        }
        let said = daemon.log().len();
        faked.set(TimeDelta::zero());
        faked.look(&daemon).await;
        daemon.says_after(said, "this host's clock is right again").await;
    }
    assert_eq!(moment(&faked.plan().await["next_rotation"]["at"]), due);
    let world = faked.place.sandbox.world(OVERLAP);
    assert_eq!(world.ledger.issued, 1, "{}\n{}", world.ledger.trace(), daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_falls_to_2019_while_the_daemon_runs_is_waited_out_loudly_and_then_the_token_is_rotated() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(OVERLAP, &text)).await;
    let faked = Faked::of(place);
    let token = faked.place.sandbox.world(OVERLAP).saved_token().expect("a token");
    let mut hold = faked.place.sandbox.gate().hold(Which::Next(Op::JobRead), Side::After);
    let daemon = faked.daemon();
    // In the middle of its first look it falls.
    hold.reached().await;
    faked.set_to(BEFORE_BELIEF);
    hold.go();
    daemon.says("ClockNotSet").await;
    let calls = |faked: &Faked| {
        let world = faked.place.sandbox.world(OVERLAP);
        (
            world.ledger.issued,
            world.ledger.stored,
            world.faults.calls(Op::VaultLabel),
            world.faults.calls(Op::VaultList),
        )
    };
    let (before, said) = (calls(&faked), daemon.log().len());
    daemon.says_after(said, "ClockNotSet").await;
    daemon.says_after(said, "this host's clock shows 20").await;
    assert_eq!(calls(&faked), before, "nothing is looked at, nothing written\n{}", daemon.log());
    faked.set(TimeDelta::zero());
    faked.place.until(OVERLAP, "it is rotated and confirmed", |world| is_at_rest_with_newer(world, token)).await;
    let world = faked.place.sandbox.world(OVERLAP);
    let year = world.now().format("%Y-").to_string();
    let dates = tags(&world);
    assert!(dates.contains(&year) && !dates.contains("2019-"), "{dates}");
    judge(&world, 2).unwrap_or_else(|why| panic!("{why}\n{}", daemon.log()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_starts_under_a_clock_of_2019_asks_nobody_anything_and_begins_once_it_is_set() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| only(OVERLAP, &text)).await;
    let faked = Faked::of(place);
    let token = faked.place.sandbox.world(OVERLAP).saved_token().expect("a token");
    faked.set_to(BEFORE_BELIEF);
    let daemon = faked.daemon();
    daemon.says("nothing is looked at before that").await;
    assert_eq!(faked.place.sandbox.deeds(), 0);
    let health = get(&format!("{}/readyz", daemon.page().await)).await;
    assert!(health.status == 503 && health.text.contains("nobody has set it yet"), "{}", health.text);
    faked.set(TimeDelta::zero());
    daemon.says("the clock has been set").await;
    faked.place.until(OVERLAP, "it is rotated and confirmed", |world| is_at_rest_with_newer(world, token)).await;
    judge(&faked.place.sandbox.world(OVERLAP), 2).unwrap_or_else(|why| panic!("{why}\n{}", daemon.log()));
}

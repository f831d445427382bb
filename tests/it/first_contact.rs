//! `doctor NAME --first-contact`, through the real binary: it names each reading of the unknowns truly, refuses what would make
//! it unsafe, and leaves Entra with a working token wherever it is broken off.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use chrono::TimeDelta;
use rustix::process::Signal;
use scim_rotator::domain::settings::BASE_ADDRESS;

use super::canary::{leak, secrets};
use super::place::{BINARY, Daemon, OVERLAP, Place, about_to_be_due, judge, only};
use crate::sandbox::setup::worlds;
use crate::sandbox::{Side, Which};
use crate::world::{AnswerShape, Op, PutReading, Schedule, Settings, TakesEffect, World};

/// Ten minutes in a second: fast enough for the fence's waits, and slow enough to tell what came first.
const SPEED: f64 = 600.0;
const CONTACT: [&str; 4] = ["doctor", "overlap", "--first-contact", "--i-understand-this-rotates"];

/// A connection that is well, in a world that is bent before it begins, and another time when it is well.
async fn place_with(
    change: impl Fn(&mut Settings),
    text: impl FnOnce(String) -> String,
    bend: impl FnOnce(&mut World),
) -> Place {
    let place = Place::new(about_to_be_due(change).await, SPEED, |config| {
        text(only(OVERLAP, &config).replace("clock_speed = 3600", "clock_speed = 600"))
    })
    .await;
    bend(&mut place.sandbox.world(OVERLAP));
    place
}

async fn place(bend: impl FnOnce(&mut World)) -> Place {
    place_with(|_| (), |text| text, bend).await
}

/// A first contact, made.
struct Made {
    code: Option<i32>,
    out: String,
    err: String,
    report: String,
}

impl Made {
    /// The reading of an unknown, as the report's table has it.
    #[track_caller]
    fn reading(&self, unknown: &str) -> &str {
        let row = self.report.lines().find_map(|line| line.strip_prefix(&format!("| {unknown} | `")));
        let row = row.unwrap_or_else(|| panic!("nothing is said of {unknown}\n{}\n{}", self.report, self.err));
        row.split('`').next().unwrap_or_default()
    }

    #[track_caller]
    fn pins(&self, line: &str) {
        for text in [&self.report, &self.out] {
            assert!(text.lines().any(|found| found.trim_start().starts_with(line)), "{line:?} is not in\n{text}");
        }
    }
}

/// A policy that waits long enough for any delay here.
fn patient(text: String) -> String {
    text.replace("[policy]", "[policy]\nsettle_for = \"1h\"")
}

const OLD: &str = "takes effect: the old token";
const NEW: &str = "takes effect: the new token works";
const PART: &str = "PUT that leaves a setting out";
const WHOLE: &str = "PUT of the rotation";

fn report_file(place: &Place) -> PathBuf {
    place.setup.folder.join("report.md")
}

async fn contact(place: &Place, more: &[&str]) -> Made {
    let file = report_file(place);
    let arguments = [&CONTACT[..], &["--report", file.to_str().expect("text"), "--watch", "5m"], more].concat();
    let output = place.run(&arguments).await;
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let report = fs::read_to_string(&file).unwrap_or_default();
    Made { code: output.status.code(), out, err, report }
}

/// It was done, with one token, and Entra and its job are as they should be.
#[track_caller]
fn is_done(place: &Place, made: &Made) {
    let world = place.sandbox.world(OVERLAP);
    assert_eq!(made.code, Some(0), "{}\n{}\n{}", made.out, made.err, world.ledger.trace());
    judge(&world, 2).unwrap_or_else(|why| panic!("{why}\n{}", made.report));
    assert_eq!((world.ledger.issued, world.jobs()[0].schedule), (2, Schedule::Active), "{}", world.ledger.trace());
    assert_eq!(
        world.versions().last().and_then(|version| version.tags.get("stage")).map(String::as_str),
        Some("current")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reading_of_takes_effect_is_named_as_what_it_is() {
    let delay = TakesEffect::Delay(TimeDelta::minutes(45));
    for (reading, old, new) in [
        (TakesEffect::FirstUse, "first-use", "at-once"),
        (delay, "delay", "later"),
        (TakesEffect::OwnExpiry, "own-expiry", "at-once"),
    ] {
        let place = place_with(|_| (), patient, |world| world.settings.takes_effect = reading).await;
        let made = contact(&place, &[]).await;
        is_done(&place, &made);
        assert_eq!((made.reading(OLD), made.reading(NEW)), (old, new), "{}", made.report);
        made.pins(&format!("takes_effect = \"{old}\"   # as seen"));
        if reading == delay {
            made.pins("settle_for = \"1h\"");
        }
        let counted = if reading == TakesEffect::OwnExpiry { "unproven" } else { "counted" };
        assert_eq!(made.reading(WHOLE), counted, "{}", made.report);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_old_token_is_removed_it_is_seen_to_be_gone_and_nothing_is_pinned_of_the_other_mode() {
    for waits in [false, true] {
        let bend = |world: &mut World| {
            world.settings.takes_effect = TakesEffect::Delay(TimeDelta::minutes(45));
            world.settings.remove_current_waits = waits;
        };
        let place = place_with(|_| (), patient, bend).await;
        let made = contact(&place, &["--mode", "remove-current"]).await;
        is_done(&place, &made);
        let new = if waits { "later" } else { "at-once" };
        assert_eq!((made.reading(OLD), made.reading(NEW)), ("removed", new), "{}", made.report);
        made.pins("# takes_effect is about the mode overlap");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reading_of_put_is_named_as_far_as_it_shows_and_no_setting_stays_lost() {
    for (reading, part, whole) in [
        (PutReading::Merges, "merges-or-dropped", "counted"),
        (PutReading::Replaces, "replaces", "counted"),
        (PutReading::DropsUnlessComplete, "merges-or-dropped", "counted"),
        (PutReading::IgnoresFirst, "merges-or-dropped", "ignored-first"),
    ] {
        let place = place(|world| world.settings.put = reading).await;
        let made = contact(&place, &[]).await;
        is_done(&place, &made);
        assert_eq!((made.reading(PART), made.reading(WHOLE)), (part, whole), "{reading:?}\n{}", made.report);
        assert!(
            made.report.contains("`SyncAll`: readable") && made.report.contains("`SecretToken`: masked"),
            "{}",
            made.report
        );
    }
    // Graph shows neither of what it wants to see.
    let names = ["SyncAll", "SyncNotificationSettings"];
    let quiet = |settings: &mut Settings| {
        settings.put = PutReading::DropsUnlessComplete;
        settings.hidden = names.map(str::to_owned).to_vec();
        settings.siblings[1].1 = r#"{"Enabled":false,"DeleteThresholdEnabled":false}"#.to_owned();
    };
    let place = place_with(quiet, |text| text, |_| ()).await;
    let made = contact(&place, &[]).await;
    is_done(&place, &made);
    assert_eq!((made.reading(PART), made.reading(WHOLE)), ("not-tried", "dropped-unless-complete"), "{}", made.report);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shape_of_the_answer_is_told_and_what_is_pinned_of_it_works() {
    for (answer, token, expiry) in [
        (AnswerShape::ExpiresAt, "/token", "/expires_at"),
        (AnswerShape::Nested, "/data/scimToken", "/data/expiration"),
        (AnswerShape::EpochMillis, "/proxyToken", "/exp"),
        (AnswerShape::ExpiresIn, "/access_token", "/expires_in"),
    ] {
        let place = place(|world| world.settings.answer = answer).await;
        let made = contact(&place, &[]).await;
        is_done(&place, &made);
        assert_eq!((made.reading("answer to a rotation"), made.reading("expiry")), ("readable", "told"));
        let pins = [format!("token_pointer = \"{token}\""), format!("expiry_pointer = \"{expiry}\"")];
        pins.iter().for_each(|pin| made.pins(pin));
        let text = fs::read_to_string(&place.setup.config).expect("the configuration");
        let pinned = text.replace("kind = \"greenlake\",", &format!("kind = \"greenlake\", {},", pins.join(", ")));
        assert_ne!(text, pinned);
        fs::write(&place.setup.config, pinned).expect("written");
        let rotated = place.run(&["rotate", "overlap"]).await;
        assert_eq!(rotated.status.code(), Some(0), "{answer:?}: {}", String::from_utf8_lossy(&rotated.stderr));
        let noted = place.sandbox.world(OVERLAP).versions().last().expect("a version").tags["token"].clone();
        assert!(noted.contains("\"pointer\""), "{noted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_tells_no_end_or_cannot_be_read_is_told_as_that() {
    for answer in [AnswerShape::Flat, AnswerShape::PlainText, AnswerShape::JsonString] {
        let place = place(|world| world.settings.answer = answer).await;
        let made = contact(&place, &[]).await;
        is_done(&place, &made);
        assert_eq!(
            (made.reading("answer to a rotation"), made.reading("expiry")),
            ("readable", "not-told"),
            "{answer:?}"
        );
        made.pins("# assumed_lifetime");
    }
    let place = place(|world| world.settings.answer = AnswerShape::TwoCandidates).await;
    let made = contact(&place, &[]).await;
    assert_eq!((made.code, made.reading("answer to a rotation")), (Some(1), "unreadable"), "{}", made.report);
    made.pins("# token_pointer = \"/token\"");
    made.pins("# token_pointer = \"/secret\"");
    assert!(made.report.contains("**not** carried through"), "{}", made.report);
    // Pinned by a person, the next attempt is understood.
    place.sandbox.world(OVERLAP).settings.answer = AnswerShape::ExpiresAt;
    let daemon = place.daemon(&[]);
    assert!(place.comes_to_rest(OVERLAP, 2).await, "{}", daemon.log());
    judge(&place.sandbox.world(OVERLAP), 3).unwrap_or_else(|why| panic!("{why}\n{}", place.logs()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_codes_of_entras_test_are_told() {
    let place = place(|_| ()).await;
    let made = contact(&place, &[]).await;
    is_done(&place, &made);
    assert_eq!(made.reading("validateCredentials, good token"), "204");
    assert_eq!(made.reading("validateCredentials, wrong token"), "400 CredentialValidationUnavailable");
    assert_eq!(made.reading("validateCredentials, what is saved"), "204");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_holds_no_token_yet_leaves_nothing_to_watch_and_the_rest_is_learnt() {
    let config = |text: String| only(OVERLAP, &text).replace("clock_speed = 3600", "clock_speed = 600");
    let place = Place::new(worlds(|_| ()), SPEED, config).await;
    let made = contact(&place, &[]).await;
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!((made.reading(OLD), made.reading(NEW)), ("not-watched", "at-once"), "{}", made.report);
    made.pins("takes_effect = \"unknown\"");
    made.pins("token_pointer = \"/token\"");
    judge(&place.sandbox.world(OVERLAP), 1).unwrap_or_else(|why| panic!("{why}\n{}", made.report));
}

/// It was refused with these words; nothing was written anywhere, nothing issued.
#[track_caller]
fn is_refused(place: &Place, made: &Made, code: i32, words: &[&str]) {
    let text = format!("{}\n{}", made.out, made.err);
    assert_eq!(made.code, Some(code), "{text}");
    words.iter().for_each(|word| assert!(text.contains(word), "{word:?} is not in\n{text}"));
    assert_eq!((place.sandbox.world(OVERLAP).ledger.issued, made.report.as_str()), (1, ""), "{text}");
    let of_writes = |call: &crate::sandbox::Recorded| call.op.is_some_and(Op::is_write);
    assert_eq!(place.sandbox.calls().into_iter().filter(of_writes).count(), 0, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_words_it_says_what_it_would_do_and_asks_nobody() {
    let place = place(|_| ()).await;
    let output = place.run(&["doctor", "overlap", "--first-contact", "--mode", "remove-current"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    for words in ["1. ", "9. ", "remove-current=true", "is paused around it", "Nothing has been done", "--i-understand"]
    {
        assert!(said.contains(words), "{words:?} is not in\n{said}");
    }
    assert_eq!(place.sandbox.calls(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_a_hold_a_fault_or_a_file_in_the_way_is_refused_with_what_ends_it() {
    let slow = |text: String| text.replace("clock_speed = 600", "clock_speed = 1");
    let place = Place::new(about_to_be_due(|_| ()).await, 1.0, |text| {
        slow(only(OVERLAP, &text).replace("clock_speed = 3600", "clock_speed = 600"))
    })
    .await;
    let daemon = place.daemon(&[]);
    daemon.says("\"ready\"").await;
    is_refused(&place, &contact(&place, &[]).await, 1, &["a daemon (process", "systemctl stop scim-rotator"]);
    daemon.kill();

    place.sandbox.world(OVERLAP).person_sets(BASE_ADDRESS, "https://elsewhere.example/scim");
    is_refused(
        &place,
        &contact(&place, &[]).await,
        1,
        &["FAULT    settings", "nothing was rotated", "mend them first"],
    );
    let url = place.sandbox.world(OVERLAP).settings.tenant_url.clone();
    place.sandbox.world(OVERLAP).person_sets(BASE_ADDRESS, &url);

    fs::write(report_file(&place), "").expect("written");
    is_refused(&place, &contact(&place, &[]).await, 1, &["report.md cannot be made", "--report"]);
    fs::remove_file(report_file(&place)).expect("removed");

    let sign = |change: &dyn Fn(String) -> String| {
        let mut world = place.sandbox.world(OVERLAP);
        let newest = world.versions_mut().and_then(|versions| versions.last_mut()).expect("a version");
        let sign = newest.tags["sign"].clone();
        newest.tags.insert("sign".to_owned(), change(sign.clone()));
        sign
    };
    let now = place.sandbox.world(OVERLAP).now().to_rfc3339();
    let theirs = sign(&|_| format!(r#"{{"holder":"another-host/1","at":"{now}"}}"#));
    is_refused(&place, &contact(&place, &[]).await, 1, &["another process keeps overlap", "AnotherHolder"]);
    sign(&|_| theirs.clone());

    let held = place.run(&["hold", "overlap", "--for", "1h"]).await;
    assert_eq!(held.status.code(), Some(0));
    let made = contact(&place, &[]).await;
    assert!(made.code == Some(1) && made.err.contains("`scim-rotator release overlap` ends that"), "{}", made.err);
    assert_eq!(place.sandbox.world(OVERLAP).ledger.issued, 1);
    let released = place.run(&["release", "overlap"]).await;
    assert_eq!(released.status.code(), Some(0));

    // People or mappings in disorder keep nobody from it.
    place.sandbox.world(OVERLAP).settings.groups_assigned = 0;
    let explained = contact(&place, &["--mode", "nonsense"]).await;
    assert_eq!(explained.code, Some(64), "{}", explained.err);
}

/// Begins a first contact, and lets go of it where `which` stands at `side`.
async fn broken_off(place: &Place, which: Which, side: Side, signals: &[Signal]) -> Option<i32> {
    let mut hold = place.sandbox.gate().hold(which, side);
    let mut command = place.setup.command(BINARY);
    let file = report_file(place);
    command.args(CONTACT).arg("--report").arg(&file).args(["--watch", "5m"]);
    let mut contact: Daemon = place.daemon_by(command);
    tokio::select! {
        _ = hold.reached() => (),
        code = contact.ended() => panic!("it ends with {code:?} before it comes to {which:?}\n{}", contact.log()),
    }
    for signal in signals {
        contact.signal(*signal);
    }
    if signals.contains(&Signal::KILL) {
        let code = contact.ended().await;
        hold.go();
        return code;
    }
    hold.go();
    contact.ended().await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_people_bring_the_tokens_there_is_nothing_to_learn() {
    let supplied = |text: String| {
        let lines =
            text.lines().filter(|line| !line.starts_with("bootstrap")).map(|line| match line.starts_with("issuer") {
                true => "issuer = { kind = \"supplied\", assumed_lifetime = \"3d\" }",
                false => line,
            });
        lines.collect::<Vec<_>>().join("\n")
    };
    let place = place_with(|_| (), supplied, |_| ()).await;
    is_refused(&place, &contact(&place, &[]).await, 1, &["people bring its tokens"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_before_hpe_is_asked_ends_it_with_the_job_running_and_nothing_issued() {
    let place = place(|_| ()).await;
    assert_eq!(broken_off(&place, Which::Next(Op::Pause), Side::After, &[Signal::INT]).await, Some(1));
    let world = place.sandbox.world(OVERLAP);
    judge(&world, 1).unwrap_or_else(|why| panic!("{why}\n{}", place.logs()));
    assert_eq!((world.ledger.issued, world.jobs()[0].schedule), (1, Schedule::Active), "{}", world.ledger.trace());
    drop(world);
    let report = fs::read_to_string(report_file(&place)).expect("a report");
    assert!(report.contains("**not** carried through") && report.contains("| `not-reached` |"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_once_hpe_has_been_asked_carries_the_rotation_through() {
    let place = place(|_| ()).await;
    assert_eq!(broken_off(&place, Which::Next(Op::Issue), Side::After, &[Signal::INT]).await, Some(0));
    let world = place.sandbox.world(OVERLAP);
    judge(&world, 2).unwrap_or_else(|why| panic!("{why}\n{}", place.logs()));
    assert_eq!(
        (world.saved_token(), world.jobs()[0].schedule),
        (Some(3), Schedule::Active),
        "{}",
        world.ledger.trace()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_it_is_taken_up_by_the_daemon_and_entra_is_never_without_a_working_token_in_a_cycle() {
    for (op, side) in [
        (Op::Pause, Side::After),
        (Op::Issue, Side::After),
        (Op::SettingsPut, Side::Before),
        (Op::SettingsPut, Side::After),
        (Op::Start, Side::After),
    ] {
        {
            let place = place(|world| world.settings.put = PutReading::Replaces).await;
            let token = place.sandbox.world(OVERLAP).saved_token().expect("a token");
            broken_off(&place, Which::Next(op), side, &[Signal::KILL]).await;
            let daemon = place.daemon(&[]);
            let rested = place.comes_to_rest(OVERLAP, token).await;
            let world = place.sandbox.world(OVERLAP);
            let most = 2 + u32::from(op == Op::Issue && side == Side::After);
            assert!(rested || op == Op::Pause, "{op:?} {side:?}: {}", daemon.log());
            if rested {
                judge(&world, most).unwrap_or_else(|why| panic!("{op:?} {side:?}: {why}\n{}", daemon.log()));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_setting_is_left_out_it_leaves_a_working_token_and_only_a_default_unsaid() {
    let place = place(|world| world.settings.put = PutReading::Replaces).await;
    // The second PUT is the one that leaves something out.
    let mut first = place.sandbox.gate().hold(Which::Next(Op::SettingsPut), Side::After);
    let mut command = place.setup.command(BINARY);
    command.args(CONTACT).arg("--report").arg(report_file(&place));
    let mut contact = place.daemon_by(command);
    tokio::select! {
        _ = first.reached() => (),
        code = contact.ended() => panic!("it ends with {code:?}\n{}", contact.log()),
    }
    let mut second = place.sandbox.gate().hold(Which::Next(Op::SettingsPut), Side::After);
    first.go();
    second.reached().await;
    contact.signal(Signal::KILL);
    contact.ended().await;
    let world = place.sandbox.world(OVERLAP);
    assert_eq!(world.settings_lost(), ["SyncAll"], "{}", world.ledger.trace());
    assert!(world.entra_holds_a_working_token() && world.saved_token() == Some(3) && world.ledger.cycles_failed == 0);
    assert_eq!(world.jobs()[0].schedule, Schedule::Active);
    let report = fs::read_to_string(report_file(&place)).expect("a report");
    assert!(report.contains("It has not: `scim-rotator once`"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_the_old_token_is_watched_ends_the_watch_and_the_report_is_written() {
    let place = place(|world| world.settings.takes_effect = TakesEffect::OwnExpiry).await;
    // The last probes are those of the watch: behind the third PUT nothing else asks.
    let mut command = place.setup.command(BINARY);
    command.args(CONTACT).arg("--report").arg(report_file(&place)).args(["--watch", "1day"]);
    let mut contact = place.daemon_by(command);
    let probes = || place.sandbox.calls().iter().filter(|call| call.op == Some(Op::Probe)).count();
    place.until(OVERLAP, "the old token is watched", |_| probes() > 8).await;
    contact.signal(Signal::INT);
    assert_eq!(contact.ended().await, Some(0), "{}", contact.log());
    let report = fs::read_to_string(report_file(&place)).expect("a report");
    assert!(report.contains("`own-expiry`"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_for_its_owner_alone_and_neither_it_nor_anything_said_holds_a_secret_or_names_anybody() {
    for answer in [AnswerShape::ExpiresAt, AnswerShape::Jwt, AnswerShape::TwoCandidates] {
        let place = place(|world| world.settings.answer = answer).await;
        let made = contact(&place, &["-vvv"]).await;
        assert!(made.code.is_some() && !made.report.is_empty(), "{}", made.err);
        let mode = fs::metadata(report_file(&place)).expect("a report").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(made.out.contains("report.md"), "{}", made.out);
        let secrets = secrets(&place);
        assert!(secrets.len() > 500 && made.err.len() > 20_000, "there is something to look for");
        for text in [&made.out, &made.err, &made.report] {
            assert!(leak(text.as_bytes(), &secrets).is_none(), "{:?}", leak(text.as_bytes(), &secrets));
        }
        let world = place.sandbox.world(OVERLAP);
        let Settings { service_principal, directory, azure_client_id, tenant, jobs, secret, .. } = &world.settings;
        let ids: [&str; 6] = [service_principal, directory, azure_client_id, tenant, &jobs[0], secret];
        for name in ids.into_iter().chain(["sandbox.test", "overlap.vault"]) {
            assert!(!made.report.contains(name), "{name} is in\n{}", made.report);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_name_of_its_own_the_report_is_named_after_the_connection_and_the_time() {
    let place = place(|_| ()).await;
    let mut command = tokio::process::Command::from(place.setup.command(BINARY));
    command.args(CONTACT).args(["--watch", "0s"]).current_dir(&place.setup.folder).kill_on_drop(true);
    let output =
        tokio::time::timeout(super::place::PATIENCE, command.output()).await.expect("it ends").expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let names: Vec<_> = fs::read_dir(&place.setup.folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("first-contact-overlap-") && name.ends_with("Z.md"))
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

//! What goes wrong before or beside a rotation: each with a message that says what, where, why, and what to do; and in no
//! case is anything lost or issued that need not be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::place::{OVERLAP, Place, REMOVE_CURRENT, SPEED, is_at_rest_with_newer, only};
use crate::sandbox::real_now;
use crate::sandbox::setup::worlds;
use crate::world::{AnswerShape, Begin, Fault, Op, Settings};

/// What a command answered.
struct Said {
    code: Option<i32>,
    text: String,
}

impl Said {
    fn with(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "{word:?} is not in\n{}", self.text);
        }
        self
    }
}

async fn say(place: &Place, arguments: &[&str]) -> Said {
    let output = place.run(arguments).await;
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Said { code: output.status.code(), text }
}

/// First contact by `rotate` in a bent world.
async fn place_with(change: impl Fn(&mut Settings), config: impl Fn(String) -> String) -> Place {
    Place::new(worlds(|settings| change(settings)), SPEED, |text| config(only(OVERLAP, &text))).await
}

fn same(text: String) -> String {
    text
}

/// Nothing was issued, and Entra goes on with what it had.
fn unharmed(place: &Place) {
    let world = place.sandbox.world(OVERLAP);
    assert_eq!((world.ledger.issued, world.saved_token()), (0, Some(1)), "{}", world.ledger.trace());
    assert!(world.entra_holds_a_working_token() && world.ledger.cycles_failed == 0, "{}", world.ledger.trace());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_file_that_is_missing_empty_or_no_file_is_named_and_is_no_configuration_error() {
    let place = place_with(|_| (), same).await;
    let file = place.setup.folder.join("sandbox/hpe-client-secret-a");
    fs::remove_file(&file).expect("there was one");
    say(&place, &["once"]).await.with(1, &["hpe-client-secret-a", "PreflightFailed"]);
    say(&place, &["config", "check"]).await.with(0, &["hpe-client-secret-a is not there"]);
    fs::write(&file, "").expect("written");
    say(&place, &["once"]).await.with(1, &["hpe-client-secret-a", "empty"]);
    fs::remove_file(&file).expect("there was one");
    fs::create_dir(&file).expect("a folder in its place");
    say(&place, &["once"]).await.with(1, &["hpe-client-secret-a"]);
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_everybody_can_read_is_a_warning_and_works() {
    let place = place_with(|_| (), same).await;
    let file = place.setup.folder.join("sandbox/hpe-client-secret-a");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("ours");
    say(&place, &["config", "check"]).await.with(0, &["hpe-client-secret-a", "To look at"]);
    say(&place, &["once"]).await.with(0, &["hpe-client-secret-a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_mistakes_of_a_configuration_are_told_at_once_with_file_line_and_key() {
    let place = place_with(|_| (), same).await;
    let text = fs::read_to_string(&place.setup.config).expect("the configuration");
    let text = text
        .replace("min_slack = \"12h\"", "min_slack = 12")
        .replace("check = ", "chekc = ")
        .replace("https://login", "http://login")
        .replace("\"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa\"", "\"not-a-uuid\"")
        .replace("mode = \"overlap\"", "mode = \"both\"");
    fs::write(&place.setup.config, text).expect("written");
    let said = say(&place, &["run"]).await;
    said.with(
        78,
        &["scim-rotator.toml:", "min_slack", "chekc", "azure.authority", "https", "service_principal_id", "mode", "^"],
    );
    // A timer whose condition fails is silent: the run behind it is to fail, loudly.
    say(&place, &["check", "--due"]).await.with(0, &["chekc"]);
    say(&place, &["once"]).await.with(78, &["chekc"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_markup_or_a_path_in_it_is_refused_at_load_and_is_nobodys_on_the_command_line() {
    let place = place_with(|_| (), same).await;
    let text = fs::read_to_string(&place.setup.config).expect("the configuration");
    for name in ["../x", "<b>", "a/b"] {
        let nobody = format!("there is no connection {name:?}");
        for command in [&["rotate", name][..], &["release", name], &["hold", name, "--for", "1h"]] {
            say(&place, command).await.with(64, &[&nobody, "the configuration has overlap"]);
        }
        fs::write(&place.setup.config, text.replace("name = \"overlap\"", &format!("name = \"{name}\"")))
            .expect("written");
        let words = ["connections[0].name", "small letters, digits and hyphens", "scim-rotator.toml:"];
        for command in [&["config", "check"][..], &["status"], &["check"]] {
            say(&place, command).await.with(78, &words);
        }
        fs::write(&place.setup.config, &text).expect("written");
    }
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_cannot_be_met_is_refused_with_the_arithmetic() {
    let place =
        place_with(|_| (), |text| text.replace("issuer = { kind", "issuer = { assumed_lifetime = \"1d\", kind")).await;
    say(&place, &["config", "check"]).await.with(78, &["rotate_before_expiry", "1d 12h", "1d"]);
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_connections_of_one_issuer_tenant_are_refused_at_load() {
    let place = Place::new(worlds(|_| ()), SPEED, |text| text.replace("tenant-b/aus-b", "tenant-a/aus-a")).await;
    say(&place, &["config", "check"]).await.with(78, &["tenant"]);
    let ledgers = [OVERLAP, REMOVE_CURRENT].map(|number| place.sandbox.world(number).ledger.issued);
    assert_eq!(ledgers, [0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_ca_is_told_with_what_to_do() {
    let place = place_with(|_| (), same).await;
    let other = place_with(|_| (), same).await;
    fs::write(place.setup.folder.join("sandbox/ca.pem"), &other.sandbox.ca_pem).expect("written");
    say(&place, &["once"]).await.with(1, &["certificate", "ca_file"]);
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_file_that_is_none_is_found_by_config_check() {
    let place = place_with(|_| (), same).await;
    let file = place.setup.folder.join("sandbox/ca.pem");
    for (content, words) in
        [("", "is empty"), ("hello", "is text without any PEM block"), ("-----BEGIN PRIVATE KEY-----\n", "PRIVATE KEY")]
    {
        fs::write(&file, content).expect("written");
        say(&place, &["config", "check"]).await.with(78, &["cannot be used: http.ca_file", "sandbox/ca.pem", words]);
    }
    fs::remove_file(&file).expect("it was there");
    say(&place, &["config", "check"]).await.with(78, &["ca_file", "cannot be read", "correct the path"]);
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_a_pipe_is_refused_and_waited_for_by_nobody() {
    let place = place_with(|_| (), same).await;
    let [secret, ca] = ["hpe-client-secret-a", "ca.pem"].map(|name| place.setup.folder.join("sandbox").join(name));
    let right = fs::read(&ca).expect("a CA");
    for (file, words) in [(&ca, "it is no regular file"), (&secret, "is no regular file")] {
        fs::remove_file(file).expect("it was there");
        let pipe = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(file).status().expect("mkfifo");
        assert!(pipe.success());
        say(&place, &["once"]).await.with(1, &[words]);
        fs::remove_file(file).expect("it is there");
        fs::write(file, &right).expect("written");
    }
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_refuses_says_which_role_is_missing() {
    let place = place_with(|settings| settings.vault_forbidden = true, same).await;
    say(&place, &["once"]).await.with(1, &["Key Vault", "403", "Key Vault Secrets Officer"]);
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_not_there_is_no_empty_vault() {
    let place = place_with(|_| (), same).await;
    place.sandbox.world(OVERLAP).faults.at_calls(Op::VaultList, 1, 9, Fault::Status(404, None));
    say(&place, &["once"]).await.with(1, &["Key Vault", "404"]);
    unharmed(&place);
    let place = place_with(|settings| settings.vault_gone = true, same).await;
    let url = format!("https://overlap.vault.sandbox.test:{}/", place.sandbox.address.port());
    say(&place, &["once"]).await.with(1, &["Key Vault", "404", "VaultNotFound", &url, "check the vault's URL"]);
    // Whoever takes it for empty notices it only now, when something is to be stored.
    let calls = [Op::VaultStore, Op::Issue].map(|op| place.sandbox.world(OVERLAP).faults.calls(op));
    assert_eq!(calls, [0, 0]);
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_deleted_secret_is_to_be_recovered_by_a_person() {
    for lists_missing_as_empty in [true, false] {
        let place = place_with(
            |settings| {
                settings.begin = Begin::AtEntraAndVault;
                settings.lists_missing_as_empty = lists_missing_as_empty;
            },
            same,
        )
        .await;
        place.sandbox.world(OVERLAP).person_deletes_secret();
        let recover = "az keyvault secret recover --vault-name overlap --name greenlake-scim-token";
        say(&place, &["once"]).await.with(1, &["the secret has been deleted", recover]);
        // It is not taken for one that never was, which a first contact would fill.
        let calls = [Op::VaultStore, Op::Issue].map(|op| place.sandbox.world(OVERLAP).faults.calls(op));
        assert_eq!(calls, [0, 0]);
        unharmed(&place);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_look_among_the_deleted_secrets_is_told_so_and_that_one_can_be_recovered() {
    for (bootstrap, words) in
        [("bootstrap = \"rotate\"", "409"), ("", "NotAdopted"), ("bootstrap = \"adopt\"", "NothingToAdopt")]
    {
        let place = place_with(
            |settings| {
                settings.begin = Begin::AtEntraAndVault;
                settings.hides_deleted = true;
            },
            |text| text.replace("bootstrap = \"rotate\"", bootstrap),
        )
        .await;
        place.sandbox.world(OVERLAP).person_deletes_secret();
        let told = "whether somebody has deleted the secret cannot be seen";
        say(&place, &["once"]).await.with(1, &[told, words, "az keyvault secret recover"]);
        assert_eq!(place.sandbox.world(OVERLAP).faults.calls(Op::Issue), 0);
        unharmed(&place);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_id_that_is_not_there_and_two_jobs_without_an_id_are_told() {
    let place = place_with(|_| (), |text| text.replace("entra = { ", "entra = { job_id = \"scim.nowhere\", ")).await;
    say(&place, &["once"]).await.with(1, &["404", "job_id"]);
    unharmed(&place);
    let two = vec!["scim.first".to_owned(), "scim.second".to_owned()];
    let place = place_with(move |settings| settings.jobs.clone_from(&two), same).await;
    say(&place, &["once"]).await.with(1, &["scim.first", "scim.second", "job_id"]);
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_sent_to_a_tenant_url_that_is_not_ours() {
    let place = place_with(|_| (), same).await;
    place.sandbox.world(OVERLAP).person_sets("BaseAddress", "https://elsewhere.example.com/scim");
    say(&place, &["once"]).await.with(1, &["https://elsewhere.example.com/scim", "no token is sent anywhere"]);
    let world = place.sandbox.world(OVERLAP);
    assert_eq!((world.ledger.issued, world.faults.calls(Op::SettingsPut)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_hpe_that_holds_no_single_token_is_a_lost_answer_and_never_success() {
    let shapes =
        [(AnswerShape::HtmlPage, "web page"), (AnswerShape::Empty, "empty"), (AnswerShape::TwoCandidates, "token")];
    for (shape, word) in shapes {
        let place = place_with(move |settings| settings.answer = shape, same).await;
        let said = say(&place, &["once"]).await.with(1, &["AnswerLost", "HPE", word]);
        let world = place.sandbox.world(OVERLAP);
        assert!(!world.token_values().any(|value| said.text.contains(value)), "a value is shown\n{}", said.text);
        assert_eq!(world.faults.calls(Op::SettingsPut), 0, "{shape:?}");
        assert!(world.entra_holds_a_working_token());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_that_hpe_no_longer_takes_is_minted_once_more() {
    let place = place_with(|_| (), same).await;
    place.sandbox.world(OVERLAP).faults.at_call(Op::Issue, 1, Fault::Status(401, None));
    say(&place, &["once"]).await.with(0, &[]);
    let world = place.sandbox.world(OVERLAP);
    assert_eq!((world.faults.calls(Op::Issue), world.ledger.issued), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_that_hpe_never_takes_is_given_up_after_one_more_try_and_the_job_runs_again() {
    let place = place_with(|_| (), same).await;
    place.sandbox.world(OVERLAP).faults.at_calls(Op::Issue, 1, 9, Fault::Status(401, None));
    say(&place, &["once"]).await.with(1, &["NotIssued", "401"]);
    assert_eq!(place.sandbox.world(OVERLAP).faults.calls(Op::Issue), 2);
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_refusal_of_hpe_is_told_with_what_to_look_at() {
    for (op, status, words) in [(Op::Issue, 422, "read HPE's words"), (Op::BearerMint, 410, "issuer.auth.kind")] {
        let place = place_with(|_| (), same).await;
        place.sandbox.world(OVERLAP).faults.at_calls(op, 1, 9, Fault::Status(status, None));
        say(&place, &["once"]).await.with(1, &["HPE", &status.to_string(), words]);
        unharmed(&place);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_role_at_hpe_is_printed_with_space_and_scope() {
    let place = place_with(|settings| settings.contributor = false, same).await;
    say(&place, &["once"])
        .await
        .with(1, &["403", "SCIM Proxy Token Contributor", "All Resources", "greenlake.service.user"]);
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_401_of_graph_without_a_message_says_who_has_to_own_what() {
    let place = place_with(|settings| settings.owns_service_principal = false, same).await;
    say(&place, &["once"]).await.with(1, &["Microsoft Graph", "401", "owner", "service principal"]);
    unharmed(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_expired_is_replaced_at_once() {
    let now = real_now();
    let far_side = worlds(|settings| settings.start = now - chrono::TimeDelta::days(4));
    for world in &far_side {
        world.lock().expect("ours").advance_to(now);
    }
    assert!(!far_side[OVERLAP].lock().expect("ours").entra_holds_a_working_token(), "the token lived for three days");
    let place = Place::new(far_side, SPEED, |text| only(OVERLAP, &text)).await;
    let _daemon = place.daemon(&[]);
    place.until(OVERLAP, "a new token is confirmed", |world| is_at_rest_with_newer(world, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_by_a_day_is_told_and_does_no_harm() {
    let place = place_with(|_| (), same).await;
    let off = place.sandbox.clock().anchor - chrono::TimeDelta::seconds(24);
    let mut command = place.setup.command(super::place::BINARY);
    command.arg("once").env("SCIM_ROTATOR__SANDBOX__CLOCK_ANCHOR", off.to_rfc3339());
    let output = tokio::process::Command::from(command).output().await.expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut command = place.setup.command(super::place::BINARY);
    command.arg("status").env("SCIM_ROTATOR__SANDBOX__CLOCK_ANCHOR", off.to_rfc3339());
    let output = tokio::process::Command::from(command).output().await.expect("it ends");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("this host's clock differs"), "{table}");
    assert!(place.sandbox.world(OVERLAP).entra_holds_a_working_token());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_nobody_has_set_is_waited_for_by_the_daemon_and_refused_by_commands() {
    let place = place_with(|_| (), same).await;
    let command = |argument: &[&str], back: chrono::TimeDelta| {
        // An hour in a second: so long after its start, this clock comes to 2020.
        let speed = 3600;
        let sane: chrono::DateTime<chrono::Utc> = "2020-01-01T00:00:00Z".parse().expect("a moment");
        let now = real_now();
        let anchor = now + (now - (sane - back)) / (speed - 1);
        let mut command = place.setup.command(super::place::BINARY);
        command.args(argument).env("SCIM_ROTATOR__SANDBOX__CLOCK_ANCHOR", anchor.to_rfc3339());
        command
    };
    let years = chrono::TimeDelta::days(3650);
    for (arguments, code) in [(&["once"][..], 1), (&["status"], 1), (&["check"], 1), (&["check", "--due"], 0)] {
        let output = tokio::process::Command::from(command(arguments, years)).output().await.expect("it ends");
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains("nobody has set it yet: start its time service"), "{arguments:?}: {said}");
    }
    let mut daemon = place.daemon_by(command(&["run"], years));
    daemon.says("nothing is looked at before that").await;
    daemon.signal(rustix::process::Signal::TERM);
    assert_eq!(daemon.ended().await, Some(0), "{}", daemon.log());
    assert_eq!(place.sandbox.deeds(), 0, "nobody is asked for anything");
    let daemon = place.daemon_by(command(&["run"], chrono::TimeDelta::hours(8)));
    daemon.says("the clock has been set").await;
    assert!(daemon.log().contains("nothing is looked at before that"), "{}", daemon.log());
    daemon.says("\"message\":\"ready\"").await;
}

/// The first line of a JSON log that says this.
fn line_of(log: &str, message: &str) -> serde_json::Value {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut said = lines.filter(|line| line["message"].as_str().is_some_and(|m| m.contains(message)));
    said.next().unwrap_or_else(|| panic!("{message:?} is not said in\n{log}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_names_its_connection_status_and_code_in_fields_however_little_is_logged() {
    let place = place_with(|settings| settings.vault_forbidden = true, same).await;
    let check = place.run(&["check", "-q"]).await;
    let line = line_of(&String::from_utf8_lossy(&check.stderr), "look failed");
    assert_eq!((&line["status"], &line["spans"][0]["connection"]), (&403.into(), &"overlap".into()), "{line}");
    let place = place_with(|_| (), same).await;
    fs::write(place.setup.folder.join("sandbox/hpe-client-secret-a"), "not-this-one").expect("written");
    let once = place.run(&["once", "-q"]).await;
    let line = line_of(&String::from_utf8_lossy(&once.stderr), "rotate failed");
    assert_eq!((&line["status"], &line["spans"][0]["connection"]), (&401.into(), &"overlap".into()), "{line}");
    assert_eq!(line["reason"], "PreflightFailed", "{line}");
}

//! `init`, through the real binary: what it writes passes `config check` and `doctor`, asked at a terminal, by a pipe, and by
//! options alone.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;

use super::canary::{files, leak, secrets};
use super::dialogue::Dialogue;
use super::place::{BINARY, OVERLAP, PATIENCE, Place, REMOVE_CURRENT, about_to_be_due};
use crate::world::{Op, Settings};

/// Where somebody sits who has no configuration yet. The names of the services are the sandbox's, by the environment.
struct Desk {
    place: Place,
    port: u16,
}

impl Desk {
    async fn new(change: impl Fn(&mut Settings)) -> Self {
        let worlds = about_to_be_due(change).await;
        worlds[REMOVE_CURRENT].lock().expect("ours").settings.application = "Another".to_owned();
        let place = Place::new(worlds, 1.0, |text| text).await;
        let port = place.sandbox.address.port();
        Self { place, port }
    }

    fn file(&self) -> PathBuf {
        self.place.setup.folder.join("new.toml")
    }

    fn written(&self) -> String {
        fs::read_to_string(self.file()).expect("it is written")
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}.sandbox.test:{}", self.port)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.setup.command(BINARY);
        command
            .env("SCIM_ROTATOR_CONFIG", self.file())
            .env("SCIM_ROTATOR__SANDBOX__PURPOSE", "this is not production")
            .env("SCIM_ROTATOR__SANDBOX__ADDRESS", "127.0.0.1")
            .env("SCIM_ROTATOR__AZURE__AUTHORITY", self.url("login"))
            .env("SCIM_ROTATOR__AZURE__GRAPH", self.url("graph"))
            .env("SCIM_ROTATOR__HTTP__CA_FILE", self.place.setup.folder.join("sandbox/ca.pem"))
            .args(arguments);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "").await
    }

    /// The same with something to read.
    async fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = tokio::process::Command::from(self.command(arguments));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // Who ends early reads nothing.
        let _unread = tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await;
        drop(stdin);
        tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("it is ours")
    }

    /// What answers every question, beside `--non-interactive`.
    fn options(&self) -> Vec<(String, String)> {
        let vault = self.url("overlap.vault");
        let issuer = format!("{}/oauth2/tenant-a/aus-a", self.url("iam"));
        [
            ("--credential", "client-secret"),
            ("--azure-tenant-id", "11111111-1111-4111-8111-111111111111"),
            ("--azure-client-id", "22222222-2222-4222-8222-222222222222"),
            ("--azure-secret-file", "./sandbox/azure-client-secret"),
            ("--service-principal", "HPE GreenLake"),
            ("--vault", &vault),
            ("--hpe-auth", "glcs"),
            ("--hpe-issuer", &issuer),
            ("--hpe-client-id", "client-a"),
            ("--hpe-client-secret-file", "./sandbox/hpe-client-secret-a"),
        ]
        .map(|(option, value)| (option.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// By options alone, with some of them otherwise: empty ones are left out.
    async fn by_options(&self, otherwise: &[(&str, &str)], flags: &[&str]) -> Output {
        let mut options = self.options();
        for (option, value) in otherwise {
            options.retain(|(known, _)| known != option);
            options.push(((*option).to_owned(), (*value).to_owned()));
        }
        let options = options.iter().filter(|(_, value)| !value.is_empty());
        let words: Vec<_> = options.flat_map(|(option, value)| [option.as_str(), value.as_str()]).collect();
        self.run(&[&["init", "--non-interactive"], flags, &words].concat()).await
    }

    /// What is written passes, holds no secret, and is all that has been left behind; and nothing was changed anywhere.
    async fn is_right(&self) {
        for command in [&["config", "check"][..], &["doctor"]] {
            let output = self.run(command).await;
            assert_eq!(output.status.code(), Some(0), "{command:?} {}\n{}", said(&output), self.written());
        }
        let secrets = secrets(&self.place);
        assert!(leak(self.written().as_bytes(), &secrets).is_none());
        let metadata = fs::metadata(self.file()).expect("it is there");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o644);
        let written = self.place.sandbox.calls().into_iter().filter(|call| call.op.is_some_and(Op::is_write)).count();
        assert_eq!(written, 0);
        self.leaves_nothing_behind();
    }

    /// No half of a file, under whatever name.
    fn leaves_nothing_behind(&self) {
        let left: Vec<_> = files(&self.place.setup.folder).into_iter().filter(|file| is_left(file)).collect();
        assert_eq!(left, Vec::<PathBuf>::new());
    }
}

fn is_left(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".new"))
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_options_alone_it_writes_what_config_check_and_doctor_accept() {
    let desk = Desk::new(|_| ()).await;
    let output = desk.by_options(&[], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = desk.written();
    let tenant_url = format!("tenant_url = \"{}/v1alpha1/scimproxy\"", desk.url("sps"));
    let issuer = format!("url = \"{}/v1alpha1\"", desk.url("sps"));
    for line in [
        "service_principal_id = \"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa\"",
        "name = \"hpe-greenlake\"",
        "# min_slack = \"7d\"",
        "# The Entra tenant.",
        &tenant_url,
        &issuer,
    ] {
        assert!(text.lines().any(|written| written == line), "{line}\n{text}");
    }
    assert!(!text.contains("job_id =") && !text.contains("\nbootstrap ="), "{text}");
    for words in ["config check", "doctor hpe-greenlake", "versions of scim-rotator's own"] {
        assert!(said(&output).contains(words), "{words}: {}", said(&output));
    }
    desk.is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_found_by_its_name_and_by_either_of_its_ids() {
    let desk = Desk::new(|settings| {
        settings.app_id = format!("00000000-0000-4000-8000-{}", &settings.service_principal[24..])
    })
    .await;
    for called in ["Another", "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb", "00000000-0000-4000-8000-bbbbbbbbbbbb"] {
        let output = desk.by_options(&[("--service-principal", called)], &["--force"]).await;
        assert_eq!(output.status.code(), Some(0), "{called}: {}", said(&output));
        assert!(desk.written().contains("service_principal_id = \"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb\""), "{called}");
        assert!(desk.written().contains("name = \"another\""), "{called}");
    }
    let output = desk.by_options(&[("--service-principal", "O'Hara's")], &["--force"]).await;
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(said(&output).contains("no enterprise application of this tenant is called or numbered \"O'Hara's\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_missing_or_wrong_is_listed_at_once_and_nobody_is_contacted() {
    let desk = Desk::new(|_| ()).await;
    let output = desk.run(&["init", "--non-interactive"]).await;
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    for option in ["--credential (managed-identity, azure-arc", "--service-principal", "--vault", "--hpe-auth (glcs, "]
    {
        assert!(said(&output).contains(option), "{option}: {}", said(&output));
    }
    let wrong = [
        ("--credential", "client-certificate"),
        ("--azure-tenant-id", "contoso"),
        ("--vault", ""),
        ("--hpe-auth", "glcs-legacy"),
        ("--hpe-bearer-file", "/x"),
        ("--cloud", "moon"),
    ];
    let output = desk.by_options(&wrong, &[]).await;
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    for line in [
        "--azure-certificate-file",
        "--azure-tenant-id: is no UUID",
        "--vault",
        "--hpe-tenant-id",
        "--azure-secret-file: nothing asks for it",
        "--hpe-bearer-file: nothing asks for it",
        "--cloud: is none of: public, us-gov",
    ] {
        assert!(said(&output).contains(line), "{line}: {}", said(&output));
    }
    // Offline there is nothing to find the tenant URL by.
    let output =
        desk.by_options(&[("--service-principal", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa")], &["--offline"]).await;
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(said(&output).contains("--tenant-url"), "{}", said(&output));
    assert!(desk.place.sandbox.calls().is_empty());
    assert!(!desk.file().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_it_contacts_nobody_and_what_it_writes_is_right_all_the_same() {
    let desk = Desk::new(|_| ()).await;
    let url = format!("{}/v1alpha1/scimproxy", desk.url("sps"));
    let said_all = [("--service-principal", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"), ("--tenant-url", &url)];
    let output = desk.by_options(&said_all, &["--offline"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(desk.place.sandbox.calls().is_empty());
    desk.is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_stays_as_it_is_unless_force_is_said() {
    let desk = Desk::new(|_| ()).await;
    fs::write(desk.file(), "mine").expect("ours");
    let inode = fs::metadata(desk.file()).expect("there").ino();
    let output = desk.by_options(&[], &[]).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("is there already") && said(&output).contains("--force"), "{}", said(&output));
    assert_eq!((desk.written().as_str(), fs::metadata(desk.file()).expect("there").ino()), ("mine", inode));
    assert!(desk.place.sandbox.calls().is_empty());
    let elsewhere = desk.place.setup.folder.join("none/c.toml");
    let output = desk.by_options(&[], &["--output", &elsewhere.to_string_lossy()]).await;
    assert!(said(&output).contains("there is no folder"), "{}", said(&output));
    let output = desk.by_options(&[], &["--force"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    desk.is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_choose_is_listed_with_the_ids_to_choose_by() {
    let desk = Desk::new(|_| ()).await;
    desk.place.sandbox.world(REMOVE_CURRENT).settings.application = "HPE GreenLake".to_owned();
    let output = desk.by_options(&[], &[]).await;
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    for id in ["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"] {
        assert!(said(&output).contains(&format!("object id {id}")), "{}", said(&output));
    }
    desk.place.sandbox.world(REMOVE_CURRENT).settings.application = "Another".to_owned();
    desk.place.sandbox.world(OVERLAP).person_adds_job("scim.second.job");
    let output = desk.by_options(&[], &[]).await;
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(
        said(&output).contains("--job-id (there are several: scim.overlap.job (scim, Active)"),
        "{}",
        said(&output)
    );
    let output = desk.by_options(&[("--job-id", "scim.overlap.job")], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(desk.written().contains("job_id = \"scim.overlap.job\""));
    desk.is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_up_is_told_with_its_remedy_and_an_object_id_is_taken_as_it_is() {
    let desk = Desk::new(|_| ()).await;
    let absent = [("--azure-secret-file", "./sandbox/absent")];
    let output = desk.by_options(&absent, &[]).await;
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(said(&output).contains("sandbox/absent does not exist"), "{}", said(&output));
    let url = format!("{}/v1alpha1/scimproxy", desk.url("sps"));
    let by_id = [absent[0], ("--service-principal", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"), ("--tenant-url", &url)];
    let output = desk.by_options(&by_id, &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("install -D -m 0600 /dev/stdin"), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_it_asks_again_what_cannot_be_used_and_offers_what_it_has_looked_up() {
    let desk = Desk::new(|_| ()).await;
    desk.place.sandbox.world(OVERLAP).person_adds_job("scim.second.job");
    desk.place.sandbox.world(REMOVE_CURRENT).settings.application = "HPE GreenLake".to_owned();
    let mut dialogue = Dialogue::begin(desk.command(&["init"]));
    let vault = format!("overlap.vault.sandbox.test:{}", desk.port);
    let issuer = format!("{}/oauth2/tenant-a/aus-a", desk.url("iam"));
    let tenant_url = format!("[{}/v1alpha1/scimproxy]: ", desk.url("sps"));
    let hpe_url = format!("[{}/v1alpha1]: ", desk.url("sps"));
    for (question, answer) in [
        ("clouds [public]: ", ""),
        ("Who shall the daemon be in Azure: ", "somebody"),
        ("is none of: managed-identity", ""),
        ("this has to be known", "client-secret"),
        ("The Entra tenant.", "contoso"),
        ("is no UUID", "11111111-1111-4111-8111-111111111111"),
        ("application id.", "22222222-2222-4222-8222-222222222222"),
        ("never the secret itself: ", "hunter2"),
        ("expected the path of a file", "./sandbox/azure-client-secret"),
        ("The enterprise application", "Nothing of that name"),
        ("is called or numbered", "HPE GreenLake"),
        ("Which of them: ", "3"),
        ("no number from 1 to 2", "1"),
        ("Which of its provisioning jobs: ", "1"),
        (&tenant_url, ""),
        ("[hpe-greenlake]: ", "prod"),
        ("The key vault", &vault),
        ("[greenlake-scim-token]: ", ""),
        ("first contact [none]: ", ""),
        ("Whence comes the bearer", "1"),
        (&hpe_url, ""),
        ("Its issuer URL", &issuer),
        ("Its id.", "client-a"),
        ("holds its secret.", "./sandbox/hpe-client-secret-a"),
    ] {
        dialogue.answer(question, answer).await;
    }
    assert_eq!(dialogue.ended().await.code(), Some(0), "{}", dialogue.shown());
    let text = desk.written();
    assert!(text.contains("name = \"prod\"") && text.contains("job_id = \"scim.overlap.job\""), "{text}");
    desk.is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_answers_a_line_for_each_question_that_the_options_leave_open() {
    let desk = Desk::new(|_| ()).await;
    let mut options = desk.options();
    options.retain(|(option, _)| !["--service-principal", "--hpe-client-id"].contains(&option.as_str()));
    let words = options.iter().flat_map(|(option, value)| [option.as_str(), value.as_str()]);
    let words: Vec<_> = ["init"].into_iter().chain(words).collect();
    // Cloud, application, tenant URL, name, secret, bootstrap, HPE's URL, client.
    let output = desk.run_with(&words, "\nHPE GreenLake\n\n\n\n\n\nclient-a\n").await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("a line for each"), "{}", said(&output));
    desk.is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_answers_and_a_signal_leave_nothing_behind() {
    let desk = Desk::new(|_| ()).await;
    let output = desk.run_with(&["init"], "\nclient-secret\n").await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("the answers ended before the questions did; nothing was written"),
        "{}",
        said(&output)
    );
    for signal in [Signal::INT, Signal::TERM] {
        let mut dialogue = Dialogue::begin(desk.command(&["init"]));
        dialogue.answer("clouds [public]: ", "").await;
        dialogue.asks("Who shall the daemon be").await;
        dialogue.signal(signal);
        assert!(!dialogue.ended().await.success());
    }
    assert!(!desk.file().exists());
    desk.leaves_nothing_behind();
}

#[test]
fn the_schema_that_the_binary_prints_is_the_one_of_the_house() {
    for (arguments, file) in
        [(&["config", "schema"][..], "scim-rotator"), (&["config", "schema", "--connection"], "connection")]
    {
        let mut command = Command::new(BINARY);
        command.env_clear().env("SCIM_ROTATOR_CONFIG", "/nonexistent").args(arguments);
        let output = command.output().expect("it starts");
        let path = format!("{}/config/{file}.schema.json", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!(output.stdout, fs::read(path).expect("it is there"));
    }
}

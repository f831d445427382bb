//! Commands that do well, and commands that do not.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000, 0).unwrap()
}

fn jwt(left: i64) -> String {
    let claims = format!("{{\"exp\":{},\"tenantId\":\"t\"}}", 1_800_000_000 + left);
    format!("e30.{}.canary-signature", URL_SAFE_NO_PAD.encode(claims))
}

/// A shell plays the program: what it runs is an argument like any other.
fn script(text: &str) -> BearerCommand {
    let arguments = vec!["-c".to_owned(), text.to_owned()];
    BearerCommand { program: "/bin/sh".into(), arguments, time_limit: Duration::from_secs(20) }
}

async fn refusal(command: &BearerCommand) -> CallError {
    let error = run(command, now()).await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(!said.contains("canary"), "{said}");
    error
}

#[tokio::test]
async fn what_it_prints_is_the_bearer_alone_or_in_oauths_json() {
    let token = jwt(600);
    for text in [
        format!("echo {token}"),
        format!("printf 'Bearer %s' {token}"),
        format!("echo chatter >&2; printf '{{\"access_token\":\"%s\",\"expires_in\":1}}' {token}"),
    ] {
        let bearer = run(&script(&text), now()).await.unwrap();
        assert_eq!((bearer.token.expose_secret(), bearer.tenant.as_deref()), (token.as_str(), Some("t")), "{text}");
        assert_eq!(bearer.left(now()).unwrap().num_seconds(), 600);
    }
    assert_eq!(run(&script("echo opaque"), now()).await.unwrap().ends, None);
}

#[tokio::test]
async fn its_arguments_are_passed_as_they_are_and_its_input_is_empty() {
    let mut command = script("read line && exit 9; printf %s \"$1\"");
    command.arguments.extend(["sh".to_owned(), "$(echo_a;'b'*)".to_owned()]);
    assert_eq!(run(&command, now()).await.unwrap().token.expose_secret(), "$(echo_a;'b'*)");
}

#[tokio::test]
async fn a_command_that_fails_is_told_with_its_last_words_and_no_secret() {
    let token = jwt(600);
    let many = "i=0; while [ $i -lt 2000 ]; do echo line $i is chatter >&2; i=$((i+1)); done";
    let error = refusal(&script(&format!("{many}; echo {token}; echo cannot unlock {token} of svc >&2; exit 3"))).await;
    let said = error.to_string();
    assert_eq!(error.class, Class::Retry { after: None });
    assert!(said.contains("/bin/sh") && said.contains("exit status: 3"), "{said}");
    assert!(said.contains("cannot unlock [redacted] of svc") && said.contains("line 1999"), "{said}");
    assert!(said.len() < 700 && !said.contains("line 1900"), "{said}");
    let silent = refusal(&script("exit 1")).await.to_string();
    assert!(silent.contains("said nothing"), "{silent}");
}

#[tokio::test]
async fn what_cannot_be_started_is_for_a_person() {
    let gone = BearerCommand { program: "/nowhere/at-all".into(), ..script("") };
    let error = refusal(&gone).await;
    assert!(error.class == Class::Human && error.to_string().contains("/nowhere/at-all"), "{error}");
    assert!(error.to_string().contains("issuer.auth.command"), "{error}");
}

#[tokio::test]
async fn what_it_prints_instead_of_a_bearer_is_told_and_not_shown() {
    let over = format!("echo {}", jwt(29));
    let flood = "head -c 100000 /dev/zero | tr '\\0' x";
    let table = [
        ("true", "nothing in it"),
        ("echo canary one; echo canary two", "more than one line"),
        ("echo canary with blanks", "blanks"),
        ("echo '{\"token\":\"canary\"}'", "no access_token"),
        (over.as_str(), "is over, or nearly so"),
        (flood, "more than 64 KB"),
    ];
    for (text, words) in table {
        let error = refusal(&script(text)).await;
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
}

/// Whether anything of this process group lives; what was killed and not yet reaped does not.
fn lives(group: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok()).any(|stat| {
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        fields.get(2) == Some(&group) && fields.first() != Some(&"Z")
    })
}

#[tokio::test]
async fn one_that_does_not_end_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("group");
    // The child of the command holds its output open, and outlives it if only the command is killed.
    let text = format!("echo $$ > {}; sleep 1000 & sleep 1000", note.display());
    let command = BearerCommand { time_limit: Duration::from_secs(5), ..script(&text) };
    let began = Instant::now();
    let error = refusal(&command).await;
    assert!(error.to_string().contains("did not end within 5s"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20), "the limit holds");
    let group = std::fs::read_to_string(&note).unwrap().trim().to_owned();
    while lives(&group) {
        assert!(began.elapsed() < Duration::from_secs(60), "something of it lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_that_nobody_waits_for_any_more_is_killed_too() {
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("group");
    let command = script(&format!("echo $$ > {}; sleep 1000 & sleep 1000", note.display()));
    let began = Instant::now();
    let written = async {
        loop {
            match std::fs::read_to_string(&note) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let group = tokio::select! {
        _ = run(&command, now()) => panic!("it sleeps"),
        group = written => group,
    };
    while lives(&group) {
        assert!(began.elapsed() < Duration::from_secs(60), "something of it lives on");
        tokio::task::yield_now().await;
    }
}

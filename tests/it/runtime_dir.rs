//! A runtime directory that cannot be used, is read-only, or is full: the daemon works, or says what to do.
//!
//! The last two in a mount namespace of their own: permissions say nothing to root, and tests may run as root. A test
//! that cannot have one fails.

use std::fs;
use std::process::Command;

use super::place::{BINARY, OVERLAP, Place, SPEED, judge, only};
use crate::sandbox::setup::worlds;

async fn place() -> Place {
    let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
    fs::create_dir(place.setup.folder.join("run")).expect("a folder");
    place
}

/// `once` where `prepare`, a line of shell, has been done to the runtime directory `$1`. Answers with the exit code and
/// what was said.
async fn once_where(place: &Place, prepare: &str) -> (Option<i32>, String) {
    let script = format!("{prepare} && echo prepared >&2 && exec \"$2\" once");
    let mut command = place.setup.command("/usr/bin/unshare");
    command.args(["--mount", "--map-root-user", "/bin/sh", "-c", &script, "sh"]);
    command.arg(place.setup.folder.join("run")).arg(BINARY).env("PATH", "/usr/bin:/bin");
    said(command).await
}

async fn said(command: Command) -> (Option<i32>, String) {
    let output = tokio::process::Command::from(command).output().await.expect("unshare is there");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

fn says_what_to_do(code: Option<i32>, said: &str) {
    assert_eq!(code, Some(1), "{said}");
    for word in ["scim-rotator.lock", "make its directory writable", "runtime_dir"] {
        assert!(said.contains(word), "{word:?} is not in\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_directory_that_cannot_be_made_is_told_with_what_to_do() {
    let place = place().await;
    for subcommand in ["run", "once"] {
        let mut command = place.setup.command(BINARY);
        command.arg(subcommand).env("SCIM_ROTATOR__RUNTIME_DIR", place.setup.config.join("below/a/file"));
        let (code, said) = said(command).await;
        says_what_to_do(code, &said);
        assert!(said.contains("Not a directory"), "{said}");
    }
    assert_eq!(place.sandbox.deeds(), 0, "nobody has been asked for anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_runtime_directory_is_told_with_what_to_do() {
    let place = place().await;
    let (code, said) = once_where(&place, "mount -t tmpfs -o ro none \"$1\"").await;
    assert!(said.contains("prepared"), "a read-only file system could not be made here: {said}");
    says_what_to_do(code, &said);
    assert!(said.contains("Read-only file system"), "{said}");
    assert_eq!(place.sandbox.deeds(), 0, "nobody has been asked for anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_runtime_directory_does_not_keep_the_daemon_from_its_work() {
    let place = place().await;
    let fill = "mount -t tmpfs -o size=16k none \"$1\" && ! dd if=/dev/zero of=\"$1/full\" bs=4k 2>&1";
    let (code, said) = once_where(&place, fill).await;
    assert!(said.contains("prepared") && said.contains("No space left"), "it could not be filled here: {said}");
    assert_eq!(code, Some(0), "{said}");
    judge(&place.sandbox.world(OVERLAP), 1).unwrap_or_else(|why| panic!("{why}\n{said}"));
    assert_eq!(place.sandbox.world(OVERLAP).saved_token(), Some(2), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_directory_without_room_for_one_more_file_is_told_with_what_to_do() {
    let place = place().await;
    let (code, said) = once_where(&place, "mount -t tmpfs -o nr_inodes=1 none \"$1\"").await;
    assert!(said.contains("prepared"), "a file system without room could not be made here: {said}");
    says_what_to_do(code, &said);
    assert!(said.contains("No space left"), "{said}");
}

//! The daemon on a machine outside Azure that Azure Arc has taken in: its agent vouches for whoever can read a new file.

use std::fs;

use super::somebody::Somebody;
use crate::sandbox::identity::{Dialect, IdentityEndpoint, Machine, Oddity};

/// Somebody on such a machine, whose agent writes its keys into a folder of the test.
async fn machine(oddity: Oddity) -> (Somebody, IdentityEndpoint, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("tokens");
    fs::create_dir_all(keys.join("deeper")).expect("a folder");
    let credential = format!("{{ kind = \"azure-arc\", key_folder = \"{}\" }}", keys.display());
    let mut somebody = Somebody::new(&credential, |_| ()).await;
    let machine = Machine { user_assigned: None, dialect: Dialect::Arc { folder: keys, oddity } };
    let endpoint = somebody.place.sandbox.identity_endpoint(machine).await.expect("an endpoint");
    // As the agent sets them for all processes.
    somebody.set("IDENTITY_ENDPOINT", &endpoint.url);
    somebody.set("IMDS_ENDPOINT", &format!("http://{}", endpoint.address));
    (somebody, endpoint, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_the_agents_key_makes_the_first_contact_by_rotate() {
    let (somebody, endpoint, _folder) = machine(Oddity::None).await;
    let (code, text) = somebody.run("once").await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(endpoint.keys().len(), 2, "one login for Graph and one for the vault, whatever is asked of them");
    let mut somebody = somebody;
    endpoint.keys().iter().for_each(|key| somebody.guard(key));
    somebody.holds_no_secret(&text);
}

/// What the agent (or whoever listens in its place) does → what the daemon says. In no case is a key sent.
#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_sent_to_whoever_does_not_speak_as_the_agent_does() {
    let table: [(Oddity, &[&str]); 13] = [
        (Oddity::Names("../outside.key"), &["names a file outside of", "tokens", "azcmagent show"]),
        (Oddity::Names("deeper/inside.key"), &["names a file outside of"]),
        (Oddity::Names("deeper/../inside.key"), &["names a file outside of"]),
        (Oddity::Names("shadow"), &["does not end in .key"]),
        (Oddity::Names("x.key.txt"), &["does not end in .key"]),
        (Oddity::Challenges("Bearer realm=\"/etc/x.key\""), &["names no key file"]),
        (Oddity::Challenges("Basic realm=/etc/ssl/private/x.key"), &["names a file outside of"]),
        (Oddity::Challenges("Basic"), &["names no key file"]),
        (Oddity::Writes(4097), &["larger than 4096 bytes"]),
        (Oddity::Writes(0), &["holds no key"]),
        (Oddity::WritesNoFile, &["cannot be read", "No such file", "systemctl status himds"]),
        (Oddity::Links, &["is no regular file"]),
        (Oddity::GivesAtOnce, &["a token without a challenge"]),
    ];
    for (oddity, words) in table {
        let (somebody, endpoint, _folder) = machine(oddity).await;
        let always = ["Entra login", "azcmagent show"];
        somebody.fails_with(&[words, &always].concat()).await;
        let calls = somebody.place.sandbox.calls();
        let answered = calls.iter().filter(|call| call.op.is_some_and(|op| format!("{op:?}").ends_with("Token")));
        let expected = if oddity == Oddity::GivesAtOnce { 200 } else { 0 };
        assert!(answered.into_iter().all(|call| call.status == Some(expected)), "{oddity:?}: {calls:?}");
        drop(endpoint);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_in_trouble_or_not_there_is_told_with_what_to_do() {
    let (mut somebody, endpoint, _folder) = machine(Oddity::TakesNoKey).await;
    let (_, text) = somebody.run("check").await;
    for word in ["Entra login", "401", "The header", "systemctl restart himds"] {
        assert!(text.contains(word), "{text}");
    }
    endpoint.keys().iter().for_each(|key| somebody.guard(key));
    somebody.holds_no_secret(&text);
    let (mut somebody, _endpoint, _folder) = machine(Oddity::None).await;
    somebody.set("IDENTITY_ENDPOINT", "http://127.0.0.1:9/metadata/identity/oauth2/token");
    somebody.fails_with(&["Entra login", "no connection", "systemctl status himds"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_arc_that_is_taken_for_one_of_azures_is_told_the_right_kind() {
    let mut somebody = Somebody::new("{ kind = \"managed-identity\" }", |_| ()).await;
    somebody.set("IDENTITY_ENDPOINT", "http://127.0.0.1:40342/metadata/identity/oauth2/token");
    somebody.set("IMDS_ENDPOINT", "http://127.0.0.1:40342");
    somebody.fails_with(&["Entra login", "kind = \"azure-arc\""]).await;
}

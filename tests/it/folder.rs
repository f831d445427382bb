//! A file for each connection: one that cannot be used stops no other, and a reload that finds one changes nothing.

use std::fs;

use rustix::process::Signal;

use super::place::{OVERLAP, Place, REMOVE_CURRENT, SPEED, is_at_rest_with_newer};
use crate::sandbox::setup::worlds;

const NAMES: [&str; 2] = ["overlap", "remove-current"];

struct InFolder {
    place: Place,
    texts: Vec<String>,
}

impl InFolder {
    /// The sandbox's two connections, each in a file that is called like it.
    async fn new() -> Self {
        let mut texts = Vec::new();
        let place = Place::new(worlds(|_| ()), SPEED, |text| {
            let mut parts = text.split("[[connections]]\n");
            let head = parts.next().expect("a head").to_owned();
            texts.extend(parts.map(|part| part.replace("./sandbox", "../sandbox")));
            format!("connections_dir = \"connections.d\"\n{head}")
        })
        .await;
        fs::create_dir(place.setup.folder.join("connections.d")).expect("a folder");
        let this = Self { place, texts };
        (0..NAMES.len()).for_each(|number| this.write(number, |text| text));
        this
    }

    fn write(&self, number: usize, change: impl FnOnce(String) -> String) {
        let file = self.place.setup.folder.join(format!("connections.d/{}.toml", NAMES[number]));
        fs::write(file, change(self.texts[number].clone())).expect("written");
    }

    async fn says(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.place.run(arguments).await;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.code(), said)
    }
}

fn misspelt(text: String) -> String {
    text.replace("secret = \"greenlake", "secrets = \"greenlake")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_cannot_be_used_is_told_by_every_command_and_the_other_is_tended() {
    let folder = InFolder::new().await;
    folder.write(REMOVE_CURRENT, misspelt);
    let problem = "remove-current.toml:3:";
    for (arguments, code) in [
        (&["config", "check"][..], 78),
        (&["check"], 12),
        (&["status"], 0),
        (&["plan"], 0),
        (&["doctor"], 1),
        (&["rotate", "remove-current"], 1),
        (&["once"], 1),
    ] {
        let (ended, said) = folder.says(arguments).await;
        assert!(said.contains(problem) && said.contains("vault.secrets"), "{arguments:?}: {said}");
        assert_eq!(ended, Some(code), "{arguments:?}: {said}");
    }
    // `once` has tended the other all the same, and the daemon does so too.
    let newest = |number| folder.place.sandbox.world(number).saved_token();
    assert_eq!([newest(OVERLAP), newest(REMOVE_CURRENT)], [Some(2), Some(1)]);
    let daemon = folder.place.daemon(&[]);
    daemon.says("this connection is refused; the others are tended").await;
    daemon.says("\"message\":\"ready\",\"connections\":1").await;
    // Mended, it is taken up by a reload.
    folder.write(REMOVE_CURRENT, |text| text);
    daemon.signal(Signal::HUP);
    let place = &folder.place;
    place.until(REMOVE_CURRENT, "the first contact is made", |world| is_at_rest_with_newer(world, 1)).await;
    assert!(daemon.log().contains("the configuration was read again"), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_adds_and_removes_a_connection_by_its_file_and_one_bad_file_changes_nothing() {
    let folder = InFolder::new().await;
    let file = folder.place.setup.folder.join("connections.d/remove-current.toml");
    fs::remove_file(&file).expect("removed");
    let daemon = folder.place.daemon(&[]);
    daemon.says("\"message\":\"ready\",\"connections\":1").await;
    // One is added, and another is misspelt: neither counts.
    folder.write(REMOVE_CURRENT, |text| text);
    folder.write(OVERLAP, misspelt);
    daemon.signal(Signal::HUP);
    daemon.says("the new configuration is refused; the old one stays").await;
    let place = &folder.place;
    place.until(OVERLAP, "the first contact is made", |world| is_at_rest_with_newer(world, 1)).await;
    assert_eq!(place.sandbox.world(REMOVE_CURRENT).ledger.issued, 0, "{}", daemon.log());
    // Mended, both are tended, the one that was there without a break.
    folder.write(OVERLAP, |text| text);
    daemon.signal(Signal::HUP);
    place.until(REMOVE_CURRENT, "the first contact is made", |world| is_at_rest_with_newer(world, 1)).await;
    assert!(!daemon.log().contains("no longer tended as it was configured"), "{}", daemon.log());
    // And one is let go by its file alone.
    fs::remove_file(&file).expect("removed");
    daemon.signal(Signal::HUP);
    daemon.says("no longer tended as it was configured").await;
}

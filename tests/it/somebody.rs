//! A place whose daemon is somebody in particular towards Azure, and what it says and does then.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::canary::{leak, secrets, windows};
use super::place::{OVERLAP, Place, SPEED, judge, only};
use crate::sandbox::setup::worlds;
use crate::world::Settings;

pub const TENANT: &str = "11111111-1111-4111-8111-111111111111";
pub const CLIENT: &str = "22222222-2222-4222-8222-222222222222";

/// One connection, and the credential under test.
pub struct Somebody {
    pub place: Place,
    environment: Vec<(String, String)>,
    secrets: HashSet<Vec<u8>>,
}

impl Somebody {
    /// The first place of the sandbox's configuration, with `credential` in place of its own.
    pub async fn new(credential: &str, change: impl FnMut(&mut Settings)) -> Self {
        Self::with(&format!("credential = {credential}"), change).await
    }

    /// The same with any lines in place of `credential = …`.
    pub async fn with(lines: &str, change: impl FnMut(&mut Settings)) -> Self {
        let place = Place::new(worlds(change), SPEED, |text| only(OVERLAP, &with_credential(&text, lines))).await;
        Self { place, environment: Vec::new(), secrets: HashSet::new() }
    }

    /// A variable of the daemon's environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// From now on no piece of this may show.
    pub fn guard(&mut self, secret: &str) {
        // The fence lines of PEM are no secret, and spoken of.
        let lines = secret.lines().filter(|line| !line.starts_with("-----"));
        lines.for_each(|line| self.secrets.extend(windows(line)));
    }

    /// A file beside the configuration that only its owner can read; its text may not show.
    pub fn secret_file(&mut self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.place.setup.folder.join(name);
        fs::write(&path, content.as_ref()).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        if let Ok(text) = std::str::from_utf8(content.as_ref()) {
            self.guard(text);
        }
    }

    pub fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// A command, as talkative as can be. Answers with its exit code and all that it said, which holds no secret.
    pub async fn run(&self, command: &str) -> (Option<i32>, String) {
        let output = self.place.run_with(&[command, "-vvv"], &self.environment()).await;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        self.holds_no_secret(&text);
        (output.status.code(), text)
    }

    pub fn holds_no_secret(&self, text: &str) {
        let mut all = secrets(&self.place);
        all.extend(self.secrets.iter().cloned());
        if let Some(leak) = leak(text.as_bytes(), &all) {
            panic!("a secret shows at the end of: {leak}");
        }
    }

    /// A look fails (and may need a person), says each of these, and nobody was asked for a token.
    pub async fn fails_with(&self, words: &[&str]) {
        let (code, text) = self.run("check").await;
        assert!(matches!(code, Some(1 | 12)), "{code:?}\n{text}");
        for word in words {
            assert!(text.contains(word), "{word:?} is not in\n{text}");
        }
        let world = self.place.sandbox.world(OVERLAP);
        assert_eq!((world.ledger.issued, world.saved_token()), (0, Some(1)), "{}", world.ledger.trace());
    }

    /// A look can see everything: a rotation is due.
    pub async fn can_look(&self) {
        let (code, text) = self.run("check").await;
        assert_eq!(code, Some(10), "{text}");
    }

    /// The first contact by rotation is made.
    pub async fn succeeds(&self) {
        let (code, text) = self.run("once").await;
        assert_eq!(code, Some(0), "{text}");
        let world = self.place.sandbox.world(OVERLAP);
        assert_eq!((world.ledger.issued, world.saved_token()), (1, Some(2)), "{}", world.ledger.trace());
        judge(&world, 1).unwrap_or_else(|why| panic!("{why}"));
    }
}

/// The configuration with these lines in place of the first `credential = …`.
pub fn with_credential(text: &str, lines: &str) -> String {
    let (head, rest) = text.split_once("credential = ").expect("a credential");
    let (_, rest) = rest.split_once('\n').expect("more than that");
    format!("{head}{lines}\n{rest}")
}

//! No piece of a secret shows anywhere: not at the loudest log level, not in errors, files, arguments or environment.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::place::{OVERLAP, Place, REMOVE_CURRENT, SPEED, about_to_be_due, is_at_rest_with_newer};
use crate::world::{Fault, Op, Service};

/// So many bytes of a secret in a row are a leak.
const WINDOW: usize = 12;

/// Every window of a secret, as it is and as it would look in base64 (whatever its alignment), a URL, or JSON.
pub fn windows(secret: &str) -> HashSet<Vec<u8>> {
    let url: String = secret
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let mut forms = vec![secret.to_owned(), url, serde_json::to_string(secret).expect("JSON")];
    for skip in 0..3 {
        let shifted = secret.as_bytes().get(skip..).unwrap_or_default();
        forms.extend([STANDARD_NO_PAD.encode(shifted), URL_SAFE_NO_PAD.encode(shifted)]);
    }
    forms.iter().flat_map(|form| form.as_bytes().windows(WINDOW).map(<[u8]>::to_vec)).collect()
}

/// The first leak of any secret in `text`, blotted out but for its neighbourhood.
pub fn leak(text: &[u8], secrets: &HashSet<Vec<u8>>) -> Option<String> {
    let at = text.windows(WINDOW).position(|window| secrets.contains(window))?;
    let around = &text[at.saturating_sub(120)..(at + WINDOW).min(text.len())];
    Some(String::from_utf8_lossy(around).into_owned())
}

/// Everything that has been secret at any time in this place.
pub fn secrets(place: &Place) -> HashSet<Vec<u8>> {
    let mut all = HashSet::new();
    for number in [OVERLAP, REMOVE_CURRENT] {
        let world = place.sandbox.world(number);
        for value in world.token_values() {
            all.extend(windows(value));
        }
        all.extend(windows(&world.settings.client_secret));
        all.extend(windows(&world.settings.azure_client_secret));
    }
    for bearer in place.sandbox.bearers() {
        all.extend(windows(&bearer));
    }
    all
}

#[test]
fn a_planted_leak_is_found_in_every_disguise() {
    let secret = "Tok3n-q8ZyW/x+91LmPqRs";
    let windows = windows(secret);
    let disguises = [
        secret.to_owned(),
        STANDARD_NO_PAD.encode(format!("ab{secret}")),
        URL_SAFE_NO_PAD.encode(format!("a{secret}")),
        secret.replace('/', "%2F").replace('+', "%2B").replace('-', "%2D"),
    ];
    for disguise in disguises {
        assert!(leak(format!("it says {disguise} here").as_bytes(), &windows).is_some(), "{disguise}");
    }
    assert!(leak(b"it says nothing of the kind", &windows).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_piece_of_a_secret_shows_in_any_log_error_file_argument_or_environment() {
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| text).await;
    let tokens = [OVERLAP, REMOVE_CURRENT].map(|n| place.sandbox.world(n).saved_token().expect("a token"));
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    for arguments in [["check", "-vvv"].as_slice(), &["status", "--json", "-vvv"], &["config", "check", "-vvv"]] {
        let output = place.run(arguments).await;
        texts.push((format!("{arguments:?} out"), output.stdout));
        texts.push((format!("{arguments:?} err"), output.stderr));
    }
    // A rotation with everything going wrong once, in the ways that make for talkative errors.
    for number in [OVERLAP, REMOVE_CURRENT] {
        let mut world = place.sandbox.world(number);
        for (op, fault) in [
            (Op::BearerMint, Fault::Status(401, None)),
            (Op::TestCandidate, Fault::Html),
            (Op::SettingsPut, Fault::Status(500, None)),
            (Op::VaultStore, Fault::Status(503, None)),
            (Op::VaultLabel, Fault::Truncated),
            (Op::TestSaved, Fault::Status(400, None)),
            (Op::JobRead, Fault::LoseAnswer),
        ] {
            world.faults.at_call(op, 1, fault);
        }
        let now = world.now();
        world.faults.during(Service::Scim, now, now + chrono::TimeDelta::minutes(1), Fault::Html);
    }
    let daemon = place.daemon(&["-vvv"]);
    for (number, token) in [OVERLAP, REMOVE_CURRENT].into_iter().zip(tokens) {
        place.until(number, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    }
    for part in ["cmdline", "environ"] {
        texts.push((part.to_owned(), fs::read(format!("/proc/{}/{part}", daemon.id())).expect("our own process")));
    }
    daemon.kill();
    for entry in files(&place.setup.folder) {
        if !entry.ends_with("azure-client-secret") && !entry.to_string_lossy().contains("hpe-client-secret") {
            texts.push((entry.display().to_string(), fs::read(&entry).expect("a file")));
        }
    }
    let secrets = secrets(&place);
    assert!(secrets.len() > 500, "there is something to look for");
    let spoken: usize = texts.iter().map(|(_, text)| text.len()).sum();
    assert!(spoken > 100_000, "at the loudest level there is much to look through, not {spoken} bytes");
    for (name, text) in &texts {
        if let Some(leak) = leak(text, &secrets) {
            panic!("{name} shows a secret at the end of: {leak}");
        }
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        match entry.is_dir() {
            true => found.extend(files(&entry)),
            false => found.push(entry),
        }
    }
    found
}

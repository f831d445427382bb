//! The bearer for HPE from each of its origins, by the real binary; and HPE's refusals in each of their families.

use std::fs;
use std::path::PathBuf;

use chrono::TimeDelta;

use super::canary::{leak, secrets, windows};
use super::place::{OVERLAP, Place, SPEED, judge, only};
use crate::sandbox::setup::worlds;
use crate::world::{ErrorFamily, Fault, Grant, LoginKind, Op, Settings};

/// A place whose one connection has this `auth`. `FOLDER` in it is the place's folder.
async fn place_with(auth: &str, change: impl Fn(&mut Settings)) -> Place {
    let place = Place::new(worlds(change), SPEED, |text| only(OVERLAP, &text)).await;
    let text = fs::read_to_string(&place.setup.config).expect("the configuration");
    let (head, rest) = text.split_once("auth = {").expect("an auth");
    let (_, rest) = rest.split_once('}').expect("its end");
    let auth = auth.replace("FOLDER", &place.setup.folder.display().to_string());
    let auth = auth.replace("PORT", &place.sandbox.address.port().to_string());
    fs::write(&place.setup.config, format!("{head}auth = {{ {auth} }}{rest}")).expect("written");
    place
}

/// Bearers here live for a day of the world, which is half a minute.
fn long_lived(settings: &mut Settings) {
    settings.bearer_life = TimeDelta::days(1);
}

/// A bearer that HPE takes, as a person gets one in the portal.
fn fetched(place: &Place) -> String {
    let mut world = place.sandbox.world(OVERLAP);
    let grant = Grant::fitting(&world.settings);
    world.mint_bearer(&grant).expect("a bearer").token
}

fn bearer_file(place: &Place) -> PathBuf {
    place.setup.folder.join("bearer-by-hand")
}

/// A command, as talkative as can be, that shows no secret. Answers with its exit code and all that it said.
async fn say(place: &Place, arguments: &[&str], bearer: &str) -> (Option<i32>, String) {
    let output = place.run(arguments).await;
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let mut all = secrets(place);
    all.extend(windows(bearer));
    if let Some(leak) = leak(text.as_bytes(), &all) {
        panic!("a secret shows at the end of: {leak}");
    }
    (output.status.code(), text)
}

fn is_well(place: &Place, issued: u32) {
    judge(&place.sandbox.world(OVERLAP), issued).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(place.sandbox.world(OVERLAP).ledger.issued, issued);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_hpes_services_gives_the_bearer_for_a_rotation() {
    const CLIENT: &str = "client_id = \"client-a\", client_secret_file = \"./sandbox/hpe-client-secret-a\"";
    let table = [
        (LoginKind::Glcs, "kind = \"glcs\", issuer = \"https://iam.sandbox.test:PORT/oauth2/tenant-a/aus-a/\""),
        (
            LoginKind::GlcsLegacy,
            "kind = \"glcs-legacy\", tenant_id = \"tenant-a\", issuer = \"https://iam.sandbox.test:PORT/api/iam/identity\"",
        ),
        (
            LoginKind::Glp,
            "kind = \"glp\", issuer = \"https://iam.sandbox.test:PORT/authorization/v2/oauth2/tenant-a/token\"",
        ),
        (LoginKind::Glp, "kind = \"glp\", issuer = \"https://iam.sandbox.test:PORT/authorization/v2/oauth2/tenant-a\""),
    ];
    for (login, auth) in table {
        let place = place_with(&format!("{auth}, {CLIENT}"), |settings| settings.login = login).await;
        let (code, text) = say(&place, &["once", "-vvv"], "").await;
        assert_eq!(code, Some(0), "{auth}\n{text}");
        is_well(&place, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_asked_in_anothers_form_says_what_its_url_looks_like() {
    let auth = "kind = \"glp\", issuer = \"https://iam.sandbox.test:PORT/oauth2/tenant-a/aus-a\", client_id = \"client-a\", \
                client_secret_file = \"./sandbox/hpe-client-secret-a\"";
    let place = place_with(auth, |_| ()).await;
    let (code, text) = say(&place, &["once"], "").await;
    assert!(code == Some(1) && text.contains("/authorization/v2/oauth2/<workspace>/token"), "{text}");
    is_well(&place, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_bearer_is_read_anew_judged_by_its_own_end_and_asked_for_in_words() {
    let place = place_with("kind = \"file\", bearer_file = \"FOLDER/bearer-by-hand\"", long_lived).await;
    let (code, text) = say(&place, &["once", "-vvv"], "").await;
    assert!(code == Some(1) && text.contains("bearer-by-hand does not exist"), "{text}");
    assert!(text.contains("scim-rotator rotate NAME") && text.contains("PreflightFailed"), "{text}");

    // One that was fetched a while ago: 15 minutes are over.
    place.sandbox.world(OVERLAP).settings.bearer_life = TimeDelta::seconds(-1);
    let old = fetched(&place);
    fs::write(bearer_file(&place), &old).expect("written");
    let (code, text) = say(&place, &["once", "-vvv"], &old).await;
    assert!(code == Some(1) && text.contains("ended at") && text.contains("by this machine's clock"), "{text}");
    assert_eq!(place.sandbox.world(OVERLAP).faults.calls(Op::Issue), 0, "HPE is not asked with a bearer that is over");

    place.sandbox.world(OVERLAP).settings.bearer_life = TimeDelta::days(1);
    let fresh = fetched(&place);
    fs::write(bearer_file(&place), format!("Bearer {fresh}\n")).expect("written");
    let (code, text) = say(&place, &["rotate", "overlap", "-vvv"], &fresh).await;
    assert_eq!(code, Some(0), "{text}");
    is_well(&place, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_bearer_that_hpe_does_not_take_is_not_tried_twice() {
    let place = place_with("kind = \"file\", bearer_file = \"FOLDER/bearer-by-hand\"", long_lived).await;
    let bearer = fetched(&place);
    fs::write(bearer_file(&place), &bearer).expect("written");
    place.sandbox.world(OVERLAP).revoke_hpe_bearers();
    let (code, text) = say(&place, &["once", "-vvv"], &bearer).await;
    assert!(code == Some(1) && text.contains("HPE does not take the bearer in"), "{text}");
    assert_eq!(place.sandbox.world(OVERLAP).faults.calls(Op::Issue), 1);
    is_well(&place, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_prints_the_bearer_and_neither_it_nor_its_complaints_show() {
    let place = place_with("kind = \"command\", command = [\"/bin/cat\", \"FOLDER/bearer-by-hand\"]", long_lived).await;
    let (code, text) = say(&place, &["once", "-vvv"], "").await;
    assert!(code == Some(1) && text.contains("the command /bin/cat for the bearer failed (exit status: 1)"), "{text}");
    assert!(text.contains("No such file"), "its last words are told\n{text}");
    let bearer = fetched(&place);
    fs::write(bearer_file(&place), &bearer).expect("written");
    let (code, text) = say(&place, &["once", "-vvv"], &bearer).await;
    assert_eq!(code, Some(0), "{text}");
    is_well(&place, 1);
}

/// The table: what the command does, what is said.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_gives_no_bearer_is_told_and_nothing_is_begun() {
    let table = [
        ("\"/bin/sh\", \"-c\", \"cat FOLDER/bearer-by-hand >&2; exit 3\"", "failed (exit status: 3): [redacted]"),
        ("\"/bin/sh\", \"-c\", \"sleep 1000 & sleep 1000\"", "did not end within 5s"),
        ("\"/bin/sh\", \"-c\", \"read x; echo and blanks\"", "printed no bearer"),
        ("\"/nowhere/at-all\"", "could not be started"),
    ];
    for (command, words) in table {
        let auth = format!("kind = \"command\", command = [{command}], time_limit = \"5s\"");
        let place = place_with(&auth, long_lived).await;
        let bearer = fetched(&place);
        fs::write(bearer_file(&place), &bearer).expect("written");
        let (code, text) = say(&place, &["once", "-vvv"], &bearer).await;
        assert!(code == Some(1) && text.contains(words) && text.contains("PreflightFailed"), "{words}\n{text}");
        assert_eq!(place.sandbox.world(OVERLAP).faults.calls(Op::VaultStore), 0, "{words}");
        is_well(&place, 0);
    }
}

/// The table: the family, and what of it is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_hpe_is_understood_in_each_of_its_families() {
    const CODE: &str = "403 HPE_GL_FORBIDDEN The caller lacks a permission.";
    const ROLE: &str = "SCIM Proxy Token Contributor";
    let id = format!("(request {})", crate::sandbox::DEBUG_ID);
    let table: [(ErrorFamily, &[&str]); 6] = [
        (
            ErrorFamily::Actions,
            &[CODE, "(sandbox)", "Assign the role SCIM Proxy Token Contributor if it is missing.", ROLE],
        ),
        (ErrorFamily::DebugId, &[CODE, &id, ROLE]),
        (ErrorFamily::Scim, &[CODE, ROLE]),
        (ErrorFamily::OAuth, &[CODE, ROLE]),
        (ErrorFamily::Summary, &[CODE, &id, ROLE]),
        (ErrorFamily::Page, &[": 403 — assign the role", ROLE]),
    ];
    for (family, words) in table {
        let place = Place::new(
            worlds(|settings| {
                settings.contributor = false;
                settings.errors = family;
            }),
            SPEED,
            |text| only(OVERLAP, &text),
        )
        .await;
        let (code, text) = say(&place, &["once"], "").await;
        assert_eq!(code, Some(1), "{text}");
        for word in words {
            assert!(text.contains(word), "{family:?}: {word:?} is not in\n{text}");
        }
        is_well(&place, 0);
    }
}

/// What HPE says, and to what → what the operator reads beside it. In none of these is a cycle spoiled.
#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_hpe_is_told_with_what_mends_it() {
    let status = |status| Fault::Status(status, None);
    let table = [
        (Op::Issue, status(401), "belongs to this workspace and region"),
        (Op::Issue, status(403), "to the API client, or to whoever the bearer speaks for"),
        (Op::Issue, status(404), "bootstrap = \"create\" or by hand"),
        (Op::Issue, status(302), "it must not redirect"),
        (Op::Issue, status(409), "HPE wants to be asked later"),
        (Op::Issue, status(425), "HPE wants to be asked later"),
        (Op::Issue, status(429), "HPE wants to be asked later"),
        (Op::Issue, status(422), "read HPE's words"),
        (Op::Issue, status(502), "nobody knows whether a token was made"),
        (Op::Issue, Fault::Html, "name its place in the answer as token_pointer"),
        (Op::BearerMint, status(400), "check client_id and the secret in"),
        (Op::BearerMint, status(401), "sandbox/hpe-client-secret-a"),
        (Op::BearerMint, status(404), "check the token issuer's URL"),
        (Op::BearerMint, status(302), "check the token issuer's URL"),
        (Op::BearerMint, Fault::Html, "check the token issuer's URL"),
        (Op::BearerMint, status(410), "issuer.auth.kind"),
        (Op::BearerMint, status(429), "token issuer, or something before it, is in trouble or too busy"),
        (Op::BearerMint, status(503), "token issuer, or something before it, is in trouble or too busy"),
    ];
    let mut untold = Vec::new();
    for (op, fault, words) in table {
        let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
        place.sandbox.world(OVERLAP).faults.at_calls(op, 1, 99, fault);
        let (code, text) = say(&place, &["once"], "").await;
        if code != Some(1) || !text.contains("HPE: POST https://") || !text.contains(words) {
            untold.push(format!("{op:?} {fault:?}: {words:?} is not told: {code:?}\n{text}"));
        }
        is_well(&place, 0);
    }
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

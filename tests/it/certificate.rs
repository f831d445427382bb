//! The daemon as an app registration with a certificate: its assertion is signed for real, and verified for real.

use std::fs;

use chrono::{TimeDelta, Utc};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use x509_parser::pem::Pem;

use super::canary::{files as files_of, leak, secrets, windows};
use super::place::{OVERLAP, Place, SPEED, about_to_be_due, hourly, is_at_rest_with_newer, only};
use super::somebody::{CLIENT, Somebody, TENANT, with_credential};
use crate::sandbox::real_now;
use crate::world::{Fault, Op};

/// As OpenSSL made it, with its password.
const PFX: &[u8] = include_bytes!("../data/modern.pfx");
const PASSWORD: &str = "pfx-pa55word-of-a-test";

/// A certificate of its own key.
struct Issued {
    key: String,
    pem: String,
    der: Vec<u8>,
}

impl Issued {
    /// Good from so many days from now until so many days from now.
    fn new(from: i64, to: i64) -> Self {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "rotator");
        let day = |days| {
            let moment = real_now() + TimeDelta::days(days);
            let date = moment.with_timezone(&Utc).date_naive();
            use chrono::Datelike as _;
            rcgen::date_time_ymd(
                date.year(),
                u8::try_from(date.month()).expect("12"),
                u8::try_from(date.day()).expect("31"),
            )
        };
        (params.not_before, params.not_after) = (day(from), day(to));
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { key: key.serialize_pem(), pem: certificate.pem(), der: certificate.der().to_vec() }
    }

    fn good() -> Self {
        Self::new(-2, 3000)
    }

    /// The one in [`PFX`].
    fn filed() -> Self {
        let text = include_str!("../data/plain.pem");
        let (key, pem) = text.split_at(text.find("-----BEGIN CERTIFICATE").expect("it begins"));
        let (block, _) = Pem::read(std::io::Cursor::new(pem)).expect("a certificate");
        Self { key: key.to_owned(), pem: pem.to_owned(), der: block.contents }
    }
}

fn configured(files: &str) -> String {
    format!("{{ kind = \"client-certificate\", tenant_id = \"{TENANT}\", client_id = \"{CLIENT}\", {files} }}")
}

const ONE_FILE: &str = "certificate_file = \"sandbox/client.pem\"";

/// An application with this certificate registered, and these files configured.
async fn application(issued: &Issued, files: &str) -> Somebody {
    let mut somebody =
        Somebody::new(&configured(files), |settings| settings.azure_certificates = vec![issued.der.clone()]).await;
    somebody.guard(&issued.key);
    somebody.guard(PASSWORD);
    somebody
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_in_any_form_makes_the_first_contact() {
    let issued = Issued::good();
    let mut pem = application(&issued, ONE_FILE).await;
    // The public parts may show; the chain's other certificates do not matter.
    pem.secret_file("sandbox/client.pem", &issued.key);
    let whole = format!("{}{}{}", Issued::good().pem, issued.key, issued.pem);
    fs::write(pem.place.setup.folder.join("sandbox/client.pem"), whole).expect("written");
    pem.succeeds().await;

    let mut apart = application(&issued, "certificate_file = \"sandbox/c.pem\", key_file = \"sandbox/k.pem\"").await;
    apart.secret_file("sandbox/k.pem", &issued.key);
    fs::write(apart.place.setup.folder.join("sandbox/c.pem"), &issued.pem).expect("written");
    apart.can_look().await;

    let files = "certificate_file = \"sandbox/c.pfx\", password_file = \"sandbox/p\"";
    let mut pfx = application(&Issued::filed(), files).await;
    pfx.secret_file("sandbox/c.pfx", PFX);
    pfx.secret_file("sandbox/p", format!("{PASSWORD}\n"));
    pfx.can_look().await;
}

/// What is in the files → what is said.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_are_named_with_what_to_do() {
    let issued = Issued::good();
    let mut somebody = application(&issued, ONE_FILE).await;
    let other = Issued::good();
    let encrypted = include_str!("../data/encrypted.pem");
    let table = [
        (issued.pem.clone(), "holds no private key", "key_file"),
        (issued.key.clone(), "holds no certificate", "certificate_file"),
        (format!("{}{}", other.key, issued.pem), "does not belong to the certificate", "of the same renewal"),
        (encrypted.to_owned(), "is encrypted, and no password is configured", "password_file"),
        (KeyPair::generate().expect("a key").serialize_pem() + &issued.pem, "no RSA key", "RSA certificates only"),
        ("nothing".to_owned(), "neither PEM nor a PFX", "openssl x509"),
    ];
    for (content, what, advice) in table {
        somebody.guard(&content);
        fs::write(somebody.place.setup.folder.join("sandbox/client.pem"), content).expect("written");
        somebody.fails_with(&["Entra login", "sandbox/client.pem", what, advice]).await;
    }
    fs::remove_file(somebody.place.setup.folder.join("sandbox/client.pem")).expect("it was there");
    somebody.fails_with(&["Entra login", "sandbox/client.pem", "does not exist"]).await;

    let files = "certificate_file = \"sandbox/c.pfx\", password_file = \"sandbox/p\"";
    let mut pfx = application(&Issued::filed(), files).await;
    pfx.secret_file("sandbox/c.pfx", PFX);
    pfx.secret_file("sandbox/p", "Tn8-another.password_Wq31");
    pfx.fails_with(&["Entra login", "the password does not open", "sandbox/c.pfx", "password_file"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_out_of_its_time_is_named_with_its_subject_and_date_and_not_even_shown_to_entra() {
    for (from, to, what, advice) in [
        (-90, -3, "has expired on", "upload the new one"),
        (900, 1000, "does not count before", "this machine's clock"),
    ] {
        let issued = Issued::new(from, to);
        let mut somebody = application(&issued, ONE_FILE).await;
        somebody.secret_file("sandbox/client.pem", format!("{}{}", issued.key, issued.pem));
        // The certificate itself is public, and its subject is spoken of.
        somebody.fails_with(&["Entra login", "CN=rotator", "sandbox/client.pem", what, advice]).await;
        let world = somebody.place.sandbox.world(OVERLAP);
        assert_eq!(world.faults.calls(Op::VaultToken) + world.faults.calls(Op::GraphToken), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_registered_is_told_with_what_to_do() {
    let issued = Issued::good();
    let mut somebody = application(&Issued::good(), ONE_FILE).await;
    somebody.secret_file("sandbox/client.pem", format!("{}{}", issued.key, issued.pem));
    somebody
        .fails_with(&["Entra login", TENANT, "401", "AADSTS700027", "does not know this certificate: upload it"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_soon_is_spoken_of() {
    let issued = Issued::new(-90, 20);
    let mut somebody = application(&issued, ONE_FILE).await;
    somebody.secret_file("sandbox/client.pem", format!("{}{}", issued.key, issued.pem));
    let (code, text) = somebody.run("check").await;
    assert_eq!(code, Some(10), "{text}");
    assert!(text.contains("the client certificate ends soon") && text.contains("CN=rotator"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_renewed_on_disk_is_used_from_the_next_login_on() {
    let (first, second) = (Issued::good(), Issued::good());
    let registered = first.der.clone();
    let worlds = about_to_be_due(move |settings| settings.azure_certificates = vec![registered.clone()]).await;
    let change = |text: String| {
        only(OVERLAP, &hourly(&with_credential(&text, &format!("credential = {}", configured(ONE_FILE)))))
    };
    let place = Place::new(worlds, SPEED, change).await;
    let file = place.setup.folder.join("sandbox/client.pem");
    fs::write(&file, format!("{}{}", first.key, first.pem)).expect("written");
    let token = place.sandbox.world(OVERLAP).saved_token().expect("a token");
    let _daemon = place.daemon(&[]);
    place.until(OVERLAP, "it has logged in", |world| world.faults.calls(Op::GraphToken) > 0).await;
    fs::write(&file, format!("{}{}", second.key, second.pem)).expect("written");
    {
        let mut world = place.sandbox.world(OVERLAP);
        world.settings.azure_certificates = vec![second.der.clone()];
        world.revoke_entra_tokens();
    }
    place.until(OVERLAP, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_piece_of_key_password_or_assertion_shows_in_any_log_file_argument_or_environment_of_a_daemon() {
    let issued = Issued::filed();
    let registered = issued.der.clone();
    let worlds = about_to_be_due(move |settings| settings.azure_certificates = vec![registered.clone()]).await;
    let files = "certificate_file = \"sandbox/secret.pfx\", password_file = \"sandbox/secret-password\"";
    let change =
        |text: String| only(OVERLAP, &hourly(&with_credential(&text, &format!("credential = {}", configured(files)))));
    let place = Place::new(worlds, SPEED, change).await;
    fs::write(place.setup.folder.join("sandbox/secret.pfx"), PFX).expect("written");
    fs::write(place.setup.folder.join("sandbox/secret-password"), PASSWORD).expect("written");
    let token = place.sandbox.world(OVERLAP).saved_token().expect("a token");
    // Logins that go wrong make for talk.
    for (call, fault) in
        [(1, Fault::Html), (2, Fault::Status(401, None)), (3, Fault::Truncated), (4, Fault::LoseAnswer)]
    {
        place.sandbox.world(OVERLAP).faults.at_call(Op::VaultToken, call, fault);
        place.sandbox.world(OVERLAP).faults.at_call(Op::GraphToken, call, fault);
    }
    let daemon = place.daemon(&["-vvv"]);
    place.until(OVERLAP, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    let mut texts = vec![("log".to_owned(), place.logs().into_bytes())];
    for part in ["cmdline", "environ"] {
        texts.push((part.to_owned(), fs::read(format!("/proc/{}/{part}", daemon.id())).expect("our own process")));
    }
    daemon.kill();
    for entry in files_of(&place.setup.folder).into_iter().filter(|entry| !entry.to_string_lossy().contains("secret")) {
        texts.push((entry.display().to_string(), fs::read(&entry).expect("a file")));
    }
    let mut all = secrets(&place);
    all.extend(windows(PASSWORD));
    issued.key.lines().filter(|line| !line.starts_with("-----")).for_each(|line| all.extend(windows(line)));
    let assertions = place.sandbox.bearers().into_iter().filter(|bearer| bearer.starts_with(PS256)).count();
    assert!(assertions > 1, "assertions are among what is looked for");
    for (name, text) in &texts {
        if let Some(leak) = leak(text, &all) {
            panic!("{name} shows a secret at the end of: {leak}");
        }
    }
}

/// `{"alg":"PS256"` in base64url.
const PS256: &str = "eyJhbGciOiJQUzI1NiI";

//! Files as OpenSSL makes them, in `tests/data`: of one throw-away key. `modern` is what OpenSSL 3 does unless it is told
//! otherwise (AES), `legacy` what OpenSSL 1 did (RC2, triple DES), `open` is triple DES with an empty password.

use std::path::Path;

use super::*;

const PASSWORD: &str = "pfx-pa55word-of-a-test";

fn data(name: &str) -> SecretFile {
    SecretFile::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name))
}

/// The identity in these files, with the password at hand or not.
fn read(
    certificate: SecretFile,
    key: Option<SecretFile>,
    password: Option<&str>,
) -> Result<Identity, CertificateError> {
    let dir = tempfile::tempdir().unwrap();
    let password = password.map(|password| {
        let path = dir.path().join("password");
        std::fs::write(&path, password).unwrap();
        SecretFile::new(path)
    });
    Identity::read(&CertificateFiles { certificate, key, password })
}

#[test]
fn every_form_of_one_certificate_gives_the_same_identity() {
    let first = read(data("plain.pem"), None, None).unwrap();
    assert_eq!(first.subject, "CN=scim-rotator of a test");
    assert_eq!(first.thumbprint.len(), 43);
    let forms = [
        ("plain.pem", None),
        ("plain.pem", Some("needless")),
        ("traditional.pem", None),
        ("encrypted.pem", Some(PASSWORD)),
        ("modern.pfx", Some(PASSWORD)),
        ("legacy.pfx", Some(PASSWORD)),
        ("long-password.pfx", Some("pässwörd-€-of-a-test-that-is-longer-than-one-block-of-sixty-four-bytes")),
        ("open.pfx", None),
        ("bare.pfx", None),
    ];
    for (file, password) in forms {
        let identity = read(data(file), None, password).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!((&identity.thumbprint, identity.ends), (&first.thumbprint, first.ends), "{file}");
    }
    assert!(read(data("plain.pem"), Some(data("traditional.pem")), None).is_ok(), "a key of its own file wins");
}

#[test]
fn what_cannot_be_used_is_told_apart_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        std::fs::write(dir.path().join(name), content).unwrap();
        SecretFile::new(dir.path().join(name))
    };
    let plain = std::fs::read_to_string(data("plain.pem").path()).unwrap();
    let (key, certificate) = plain.split_once("-----BEGIN CERTIFICATE").unwrap();
    let certificate = format!("-----BEGIN CERTIFICATE{certificate}");
    let modern = std::fs::read(data("modern.pfx").path()).unwrap();
    let short = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let other = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let other = other.serialize_pem();
    type Is = fn(&CertificateError) -> bool;
    let table: [(SecretFile, Option<&str>, Is); 15] = [
        (data("nowhere.pem"), None, |e| matches!(e, CertificateError::File(SecretFileError::Missing(_)))),
        (file("empty", b""), None, |e| matches!(e, CertificateError::File(SecretFileError::Empty(_)))),
        (file("text", b"some words"), None, |e| matches!(e, CertificateError::Unreadable(_))),
        (file("cut.pem", &plain.as_bytes()[..plain.len() - 80]), None, |e| {
            matches!(e, CertificateError::Unreadable(_))
        }),
        (file("cut.pfx", &modern[..900]), Some(PASSWORD), |e| matches!(e, CertificateError::Unreadable(_))),
        (file("key.pem", key.as_bytes()), None, |e| matches!(e, CertificateError::NoCertificate(_))),
        (file("certificate.pem", certificate.as_bytes()), None, |e| matches!(e, CertificateError::NoKey(_))),
        (file("two.pem", format!("{key}{plain}").as_bytes()), None, |e| matches!(e, CertificateError::ManyKeys(_))),
        (file("ec.pem", format!("{short}{certificate}").as_bytes()), None, |e| {
            matches!(e, CertificateError::NotRsa(_))
        }),
        (file("other.pem", format!("{other}{certificate}").as_bytes()), None, |e| {
            matches!(e, CertificateError::Mismatch { .. })
        }),
        (data("encrypted.pem"), None, |e| matches!(e, CertificateError::NeedsPassword(_))),
        (data("encrypted.pem"), Some("another"), |e| matches!(e, CertificateError::WrongPassword(_))),
        (data("modern.pfx"), None, |e| matches!(e, CertificateError::NeedsPassword(_))),
        (data("traditional-encrypted.pem"), Some(PASSWORD), |e| matches!(e, CertificateError::OddEncryption(_))),
        (data("rc4.pfx"), Some(PASSWORD), |e| matches!(e, CertificateError::OddEncryption(_))),
    ];
    for (file, password, is) in table {
        let path = file.path().display().to_string();
        let error = read(file, None, password).unwrap_err();
        assert!(is(&error), "{path}: {error:?}");
        assert!(error.to_string().contains(&path), "{error}");
        assert!(!format!("{error} {error:?}").contains(PASSWORD));
        assert!(matches!(error, CertificateError::File(_)) || error.advice().is_some(), "{error}");
    }
    // With one password in 256 what comes out happens to end as it should. The numbers are of these very files.
    for (file, password) in [
        ("modern.pfx", "another"),
        ("modern.pfx", "another-76"),
        ("legacy.pfx", "another"),
        ("legacy.pfx", "another-610"),
    ] {
        let error = read(data(file), None, Some(password)).unwrap_err();
        assert!(matches!(error, CertificateError::WrongPassword(_)), "{error:?}");
    }
}

#[test]
fn debug_of_an_identity_shows_no_key() {
    let shown = format!("{:?}", read(data("plain.pem"), None, None).unwrap());
    assert!(shown.contains("scim-rotator of a test") && shown.len() < 200, "{shown}");
}

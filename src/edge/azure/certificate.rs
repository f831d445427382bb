//! A certificate and its private key, from the files that people have: PEM, or a PFX (PKCS#12) with or without password.
//!
//! Pure but for reading the files. RSA only, as Entra takes no other. No error holds anything of a key or a password.

use std::path::PathBuf;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::{Digest as _, Sha256};
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::encryption::{self, Shut};
use super::pfx::{self, Opened};
use crate::domain::Timestamp;
use crate::messages::messages;
use crate::secret_file::{SecretFile, SecretFileError};

/// The files of a certificate.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The certificate, and the private key unless it has a file of its own: PEM or PFX.
    pub certificate: SecretFile,
    /// The private key, PEM.
    pub key: Option<SecretFile>,
    /// The password of the PFX or of an encrypted key.
    pub password: Option<SecretFile>,
}

/// What is wrong with the files. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// One of them cannot be had.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Neither PEM nor PFX, or cut off.
    #[error("{} is neither PEM nor a PFX that can be read", .0.display())]
    Unreadable(PathBuf),
    /// No certificate in it.
    #[error("{} holds no certificate (BEGIN CERTIFICATE)", .0.display())]
    NoCertificate(PathBuf),
    /// No private key in it.
    #[error("{} holds no private key (BEGIN PRIVATE KEY)", .0.display())]
    NoKey(PathBuf),
    /// More than one key.
    #[error("{} holds more than one private key", .0.display())]
    ManyKeys(PathBuf),
    /// A password is needed, and none is configured.
    #[error("the private key in {} is encrypted, and no password is configured", .0.display())]
    NeedsPassword(PathBuf),
    /// A password does not open it.
    #[error("the password does not open {}", .0.display())]
    WrongPassword(PathBuf),
    /// OpenSSL's own encryption of former times, or another that is not known here.
    #[error("the private key in {} is encrypted in a way that is not supported", .0.display())]
    OddEncryption(PathBuf),
    /// Not RSA, or too short, or broken.
    #[error("the private key in {} is no RSA key of 2048 bits or more", .0.display())]
    NotRsa(PathBuf),
    /// No certificate is that of the key.
    #[error("the private key in {} does not belong to the certificate in {}", .key.display(), .certificate.display())]
    Mismatch {
        /// Where the key is.
        key: PathBuf,
        /// Where the certificate is.
        certificate: PathBuf,
    },
}

const AS_PEM_OR_PFX: &str =
    "put the certificate into certificate_file, as PEM or PFX; openssl x509 -inform der -in … makes PEM of a .cer";

messages! {
    /// What can be wrong with the files of a certificate.
    pub enum BadCertificate {
        /// Neither.
        Unreadable {
            shows: "\"is neither PEM nor a PFX that can be read\"",
            means: "the file is of another kind, or damaged",
            remedy: AS_PEM_OR_PFX,
        }
        /// A key alone.
        NoCertificate {
            shows: "\"holds no certificate\"",
            means: "no block BEGIN CERTIFICATE stands in it",
            remedy: AS_PEM_OR_PFX,
        }
        /// A certificate alone.
        NoKey {
            shows: "\"holds no private key\"",
            means: "a certificate alone proves nothing",
            remedy: "put the private key behind the certificate, or into a PEM file of its own, named by key_file",
        }
        /// Which?
        ManyKeys {
            shows: "\"holds more than one private key\"",
            means: "which of them is the certificate's cannot be told",
            remedy: "leave only the key of the certificate in it",
        }
        /// None is configured.
        NeedsPassword {
            shows: "\"is encrypted, and no password is configured\"",
            means: "the private key cannot be opened without its password",
            remedy: "put its password into a file and name that by password_file",
        }
        /// Another's.
        WrongPassword {
            shows: "\"the password does not open\"",
            means: "it is the password of something else",
            remedy: "put the right one into password_file (one newline at its end does not count)",
        }
        /// An old or a rare cipher.
        OddEncryption {
            shows: "\"is encrypted in a way that is not supported\"",
            means: "the cipher is older, or rarer, than those that are known here",
            remedy: "encrypt it anew, and use the PEM: of a key, openssl pkcs8 -topk8 -in … -out ….pem; of a PFX, openssl pkcs12 \
                     -legacy -in … -out ….pem",
        }
        /// An elliptic curve, or too short.
        NotRsa {
            shows: "\"is no RSA key of 2048 bits or more\"",
            means: "the key is of another kind (an elliptic curve, say), or too short",
            remedy: "have one made with an RSA key of 2048 bits or more: Entra takes RSA certificates only",
        }
        /// Its time has not come.
        TooEarly {
            shows: "\"does not count before …\"",
            means: "the certificate is not good yet, by this machine's clock",
            remedy: "wait, or set this machine's clock",
        }
        /// Its time is over.
        Expired {
            shows: "\"has expired on …\"",
            means: "the certificate is over, by this machine's clock",
            remedy: "renew it, upload the new one (App registrations → Certificates & secrets → Certificates), and put certificate \
                     and key into the files",
        }
        /// Of two renewals.
        Mismatch {
            shows: "\"does not belong to the certificate\"",
            means: "certificate and key are of two renewals",
            remedy: "take certificate and key of the same renewal",
        }
    }
}

impl CertificateError {
    /// What a person can do about it.
    pub fn advice(&self) -> Option<&'static str> {
        let bad = match self {
            Self::File(_) => return None,
            Self::Unreadable(_) => BadCertificate::Unreadable,
            Self::NoCertificate(_) => BadCertificate::NoCertificate,
            Self::NoKey(_) => BadCertificate::NoKey,
            Self::ManyKeys(_) => BadCertificate::ManyKeys,
            Self::NeedsPassword(_) => BadCertificate::NeedsPassword,
            Self::WrongPassword(_) => BadCertificate::WrongPassword,
            Self::OddEncryption(_) => BadCertificate::OddEncryption,
            Self::NotRsa(_) => BadCertificate::NotRsa,
            Self::Mismatch { .. } => BadCertificate::Mismatch,
        };
        Some(bad.message().remedy)
    }
}

/// A certificate with the key that is its own.
pub(super) struct Identity {
    key: RsaKeyPair,
    /// `x5t#S256`: base64url of the SHA-256 of the certificate.
    pub thumbprint: String,
    /// Whom it names.
    pub subject: String,
    /// From when on it counts.
    pub begins: Timestamp,
    /// Until when.
    pub ends: Timestamp,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("subject", &self.subject).field("ends", &self.ends).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the files, as they are now.
    pub fn read(files: &CertificateFiles) -> Result<Self, CertificateError> {
        let path = files.certificate.path().to_owned();
        let password = files.password.as_ref().map(SecretFile::read).transpose()?;
        let opened = open(&path, &files.certificate.read_bytes()?, password.as_ref())?;
        let (key_path, keys) = match &files.key {
            None => (path.clone(), opened.keys),
            Some(file) => {
                let path = file.path().to_owned();
                let opened = open(&path, &file.read_bytes()?, password.as_ref())?;
                (path, opened.keys)
            }
        };
        if opened.certificates.is_empty() {
            return Err(CertificateError::NoCertificate(path));
        }
        let key = match keys.as_slice() {
            [] => return Err(CertificateError::NoKey(key_path)),
            [key] => rsa(key).ok_or_else(|| CertificateError::NotRsa(key_path.clone()))?,
            _ => return Err(CertificateError::ManyKeys(key_path)),
        };
        // A file may hold the whole chain, in any order: the one that counts is the key's own.
        for der in &opened.certificates {
            let Ok((_, certificate)) = X509Certificate::from_der(der) else {
                return Err(CertificateError::Unreadable(path));
            };
            if certificate.public_key().subject_public_key.data.as_ref() == key.public_key().as_ref() {
                return Ok(Self::of(key, der, &certificate));
            }
        }
        Err(CertificateError::Mismatch { key: key_path, certificate: path })
    }

    fn of(key: RsaKeyPair, der: &[u8], certificate: &X509Certificate<'_>) -> Self {
        let moment =
            |time: x509_parser::time::ASN1Time| Timestamp::from_timestamp(time.timestamp(), 0).unwrap_or_default();
        let validity = certificate.validity();
        Self {
            key,
            thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(der)),
            subject: certificate.subject().to_string(),
            begins: moment(validity.not_before),
            ends: moment(validity.not_after),
        }
    }

    /// A PS256 signature; none if the system gives no randomness.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}

fn open(
    path: &std::path::Path,
    content: &SecretSlice<u8>,
    password: Option<&SecretString>,
) -> Result<Opened, CertificateError> {
    let content = content.expose_secret();
    match content.windows(11).any(|window| window == b"-----BEGIN ") {
        true => open_pem(path, content, password),
        false => open_pfx(path, content, password),
    }
}

fn open_pem(
    path: &std::path::Path,
    content: &[u8],
    password: Option<&SecretString>,
) -> Result<Opened, CertificateError> {
    let mut opened = Opened::default();
    // Its base64 is no base64: the headers stand within.
    if content.windows(10).any(|window| window == b"Proc-Type:") {
        return Err(CertificateError::OddEncryption(path.to_owned()));
    }
    for block in Pem::iter_from_buffer(content) {
        let block = block.map_err(|_| CertificateError::Unreadable(path.to_owned()))?;
        match block.label.as_str() {
            "CERTIFICATE" => opened.certificates.push(block.contents),
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => opened.keys.push(SecretSlice::from(block.contents)),
            "ENCRYPTED PRIVATE KEY" => {
                let password = password.ok_or_else(|| CertificateError::NeedsPassword(path.to_owned()))?;
                let key = encryption::key(&block.contents, password.expose_secret());
                opened.keys.push(key.map_err(|shut| why_shut(path, shut))?);
            }
            _ => {}
        }
    }
    Ok(opened)
}

fn open_pfx(
    path: &std::path::Path,
    content: &[u8],
    password: Option<&SecretString>,
) -> Result<Opened, CertificateError> {
    let tried = password.map_or("", |password| password.expose_secret());
    pfx::open(content, tried).map_err(|shut| match shut {
        Shut::Password if password.is_none() => CertificateError::NeedsPassword(path.to_owned()),
        shut => why_shut(path, shut),
    })
}

fn why_shut(path: &std::path::Path, shut: Shut) -> CertificateError {
    match shut {
        Shut::Password => CertificateError::WrongPassword(path.to_owned()),
        Shut::Odd => CertificateError::OddEncryption(path.to_owned()),
        Shut::Broken => CertificateError::Unreadable(path.to_owned()),
    }
}

fn rsa(key: &SecretSlice<u8>) -> Option<RsaKeyPair> {
    let der = key.expose_secret();
    RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)).ok()
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;

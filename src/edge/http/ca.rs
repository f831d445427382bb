//! Reading `ca_file`, each fault of which is told by what stands in the file.

use std::path::Path;

use reqwest::Certificate;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::build::BuildError;

const BEGIN: &str = "-----BEGIN ";

/// Whether a file holds certificates in PEM, and nothing that cannot be read.
pub fn check_ca_file(path: &Path) -> Result<(), BuildError> {
    read(path).map(|_| ())
}

/// The certificates in a PEM file: at least one.
pub(super) fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let unreadable = |source| BuildError::CaFile { path: path.to_owned(), source };
    // A pipe would be waited for without end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("it is no regular file")));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let bad = |why: String| BuildError::BadPem { path: path.to_owned(), why };
    let certificates = match CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => certificates,
        _ => return Err(bad(reason(&bytes))),
    };
    // The bundle is only cut into pieces; whether one is a certificate shows when a trust store takes it.
    for (n, certificate) in certificates.iter().enumerate() {
        let trial = Certificate::from_der(certificate)
            .and_then(|certificate| reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build());
        if trial.is_err() {
            return Err(bad(format!("holds {} certificates, and number {} cannot be read", certificates.len(), n + 1)));
        }
    }
    Ok(certificates)
}

/// What stands there instead of certificates.
fn reason(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return match bytes.first() {
            Some(0x30) => "is binary and looks like DER".to_owned(),
            _ => "is binary".to_owned(),
        };
    };
    let kinds = text.split(BEGIN).skip(1).filter_map(|rest| rest.split_once("-----")).map(|(kind, _)| kind);
    let kinds: Vec<_> = kinds.filter(|kind| kind.len() < 40).collect();
    match kinds.as_slice() {
        _ if text.trim().is_empty() => "is empty".to_owned(),
        [] => "is text without any PEM block".to_owned(),
        kinds if kinds.contains(&"CERTIFICATE") => {
            format!("holds {} PEM block(s), of which at least one is damaged (cut off, or not base64)", kinds.len())
        }
        kinds => format!("holds no certificate, but: {}", kinds.join(", ")),
    }
}

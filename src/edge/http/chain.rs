//! The certificates that a server shows, noted while they are judged: by the very rules that every request goes by, whatever
//! comes of it. For the doctor.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// What each name has shown: a proxy that speaks TLS comes before the service.
type Shown = Vec<(String, Vec<CertificateDer<'static>>)>;

/// Notes what is shown. Clones share their notes.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Arc<Mutex<Shown>>);

impl Notes {
    /// What the server of this name showed last, its own certificate first. Nothing if it never came to that.
    pub fn of(&self, name: &str) -> Vec<CertificateDer<'static>> {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.iter().rev().find(|(shower, _)| shower == name).map(|(_, chain)| chain.clone()).unwrap_or_default()
    }
}

/// Judges nothing itself.
#[derive(Debug)]
pub(super) struct Noting {
    pub judge: Arc<Verifier>,
    pub notes: Notes,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        let name = server_name.to_str().into_owned();
        self.notes.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, chain));
        self.judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

//! TLS as every client speaks it: 1.2 or 1.3, judged by the CAs of the system and those of `ca_file`. These are read once:
//! that takes longer than to build a client, and far more memory.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, Error};
use rustls_platform_verifier::Verifier;

use super::chain::{Notes, Noting};

/// How TLS is spoken. Clones share what was read.
#[derive(Clone)]
pub(super) struct Tls {
    judge: Arc<Verifier>,
    config: ClientConfig,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the CAs of the system, and trusts `extra` beside them. Fails where this machine has none.
    pub fn new(extra: &[CertificateDer<'static>]) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let judge = Arc::new(Verifier::new_with_extra_roots(extra.iter().cloned(), provider)?);
        let config = judged_by(Arc::<Verifier>::clone(&judge))?;
        Ok(Self { judge, config })
    }

    /// For a client.
    pub fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// For one that takes notes of the certificates that it is shown, and judges them by the same rules.
    pub fn noting(&self, notes: &Notes) -> Result<ClientConfig, Error> {
        judged_by(Arc::new(Noting { judge: Arc::clone(&self.judge), notes: notes.clone() }))
    }
}

fn judged_by(judge: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(judge)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

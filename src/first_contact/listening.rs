//! The ports, listened to. Each call goes through as it is. Beside it the old token is asked about, where that can harm
//! nothing: before the new one is used for the first time (its token stands in the vault by then, and the old one is what
//! Entra lives on), and behind the PUT. The new token is used by nobody but the engine.

use std::sync::Arc;

use async_trait::async_trait;

use super::notes::{Heard, Notebook, Testing};
use crate::domain::settings::SecretsUpdate;
use crate::domain::{Expiry, Job, Mode, Settings, Timestamp, Token, Verdict};
use crate::engine::Ports;
use crate::ports::{CallError, IssueHow, Issued, Issuer, IssuerError, Probe, Provisioner};

/// The same ports, with an ear at them.
pub(super) fn listen(ports: &Ports, notebook: &Arc<Notebook>) -> Ports {
    let issuer = ListenedIssuer { inner: Arc::clone(&ports.issuer), notebook: Arc::clone(notebook) };
    let provisioner = ListenedProvisioner {
        inner: Arc::clone(&ports.provisioner),
        probe: Arc::clone(&ports.probe),
        notebook: Arc::clone(notebook),
    };
    Ports { issuer: Arc::new(issuer), provisioner: Arc::new(provisioner), ..ports.clone() }
}

struct ListenedIssuer {
    inner: Arc<dyn Issuer>,
    notebook: Arc<Notebook>,
}

#[async_trait]
impl Issuer for ListenedIssuer {
    async fn preflight(&self) -> Result<Option<String>, IssuerError> {
        self.inner.preflight().await
    }

    async fn issue(&self, how: IssueHow) -> Result<Issued, IssuerError> {
        let began = self.notebook.elapsed();
        let issued = self.inner.issue(how).await;
        let came = match &issued {
            Ok(issued) => {
                self.notebook.made(&issued.token);
                Testing::Yes
            }
            Err(IssuerError::Ambiguous(_)) => Testing::Unknown,
            Err(_) => Testing::No,
        };
        self.notebook.note(began, Heard::Issue(came));
        issued
    }

    fn expiry_of(&self, token: &Token, since: Timestamp) -> Option<Expiry> {
        self.inner.expiry_of(token, since)
    }
}

struct ListenedProvisioner {
    inner: Arc<dyn Provisioner>,
    probe: Arc<dyn Probe>,
    notebook: Arc<Notebook>,
}

impl ListenedProvisioner {
    async fn probe_old(&self) {
        if let Some(old) = self.notebook.old() {
            self.notebook.probe(self.probe.as_ref(), old).await;
        }
    }

    /// Entra says the same of a token that is refused and of an endpoint that is down: what does it say of the old one now?
    async fn test_old(&self) {
        if let Some(old) = self.notebook.old() {
            let began = self.notebook.elapsed();
            let verdict = self.inner.test_candidate(old).await;
            self.notebook.note(began, Heard::OldTested(Testing::of(&verdict)));
        }
    }

    fn done<T>(result: &Result<T, CallError>) -> bool {
        result.is_ok()
    }
}

#[async_trait]
impl Provisioner for ListenedProvisioner {
    async fn job(&self) -> Result<Job, CallError> {
        self.inner.job().await
    }

    async fn settings(&self) -> Result<Settings, CallError> {
        let began = self.notebook.elapsed();
        let settings = self.inner.settings().await;
        if let Ok(Settings(pairs)) = &settings {
            let shown = pairs.iter().map(|(key, value)| (key.clone(), !value.is_empty() && value != "*")).collect();
            self.notebook.note(began, Heard::Shown(shown));
        }
        settings
    }

    async fn provision(&self, update: &SecretsUpdate) -> Result<Timestamp, CallError> {
        let began = self.notebook.elapsed();
        let put = self.inner.provision(update).await;
        let keys = update.pairs.iter().map(|(key, _)| key.clone()).collect();
        self.notebook.note(began, Heard::Put { keys, done: Self::done(&put) });
        // Entra has the new one from here on, whatever becomes of the old.
        self.probe_old().await;
        put
    }

    async fn test_candidate(&self, token: &Token) -> Result<Verdict, CallError> {
        if !self.notebook.is_new(token) {
            return self.inner.test_candidate(token).await;
        }
        // Where the old one is removed at once, Entra lives on nothing now: then nothing is put in between.
        let lives_on = self.notebook.mode() == Mode::Overlap;
        let is_first = self.notebook.is_new_untried();
        if lives_on && is_first {
            self.probe_old().await;
        }
        let began = self.notebook.elapsed();
        let verdict = self.inner.test_candidate(token).await;
        self.notebook.note(began, Heard::NewTested(Testing::of(&verdict)));
        if lives_on && is_first && matches!(verdict, Ok(Verdict::NotAccepted)) {
            self.test_old().await;
        }
        verdict
    }

    async fn test_saved(&self) -> Result<Verdict, CallError> {
        let began = self.notebook.elapsed();
        let verdict = self.inner.test_saved().await;
        self.notebook.note(began, Heard::SavedTested(Testing::of(&verdict)));
        if self.notebook.has_new() && matches!(verdict, Ok(Verdict::Accepted)) {
            self.probe_old().await;
        }
        verdict
    }

    async fn pause(&self) -> Result<Timestamp, CallError> {
        let began = self.notebook.elapsed();
        let paused = self.inner.pause().await;
        self.notebook.note(began, Heard::Paused(Self::done(&paused)));
        paused
    }

    async fn start(&self) -> Result<Timestamp, CallError> {
        let began = self.notebook.elapsed();
        let started = self.inner.start().await;
        self.notebook.note(began, Heard::Started(Self::done(&started)));
        started
    }
}

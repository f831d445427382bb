//! Tokens that the issuer did not give to us: found in the vault, or brought by a person. Both become pending versions,
//! which Entra tests like every other before it is given them.

use chrono::TimeDelta;

use super::Run;
use super::halt::Halt;
use super::observe::Observed;
use super::run::{PATIENCE, Record};
use crate::domain::journal::{Labels, Stage, TokenNote};
use crate::domain::{Expiry, ExpirySource, Reason, Timestamp, Token, VersionId};
use crate::ports::{CallError, Class, VaultError};

/// No token lives longer.
const LONGEST_LIFE: TimeDelta = TimeDelta::days(3653);

impl Run<'_> {
    /// A version that somebody else stored becomes a pending one of ours, if it looks like a token that we do not have.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "adopt"))]
    pub async fn adopt(&self, version: &VersionId, seen: &Observed, reason: Reason) -> Result<(), Halt> {
        self.progress.enter("take over the token that stands in the vault");
        let token = match self.ports.vault.read(version).await {
            Ok(token) => Some(token),
            Err(VaultError::Unusable { why, .. }) => {
                tracing::warn!(%version, why, "what somebody stored in the vault is no token; it is put aside");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let stored = seen.journal.versions().iter().find(|v| v.id == *version);
        let issued = stored.map_or_else(|| self.now(), |v| v.created);
        let note = token.map(|token| self.note_of(&token, issued, stored.and_then(|v| v.expires)));
        let known =
            |note: &TokenNote| seen.journal.ours().any(|e| e.labels.token.as_ref().is_some_and(|t| t.id == note.id));
        let stage = match &note {
            Some(note) if !known(note) => Stage::Pending,
            _ => Stage::Rejected,
        };
        let labels = self.supplied_labels(stage, seen.journal.next_seq(), note);
        let labels = if stage == Stage::Pending { labels.because(reason) } else { labels };
        let mut record = Record { id: version.clone(), labels: labels.clone() };
        self.write(&mut record, |l| *l = labels).await
    }

    /// The current token again, so that whoever reads "latest" finds it.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "restate"))]
    pub async fn restate(&self, seen: &Observed) -> Result<(), Halt> {
        self.progress.enter("store the current token again as the latest version");
        let current = seen.journal.current().ok_or_else(|| self.taken_over())?;
        let token = self.token_of(Some(current)).await?.ok_or_else(|| self.taken_over())?;
        let seq = seen.journal.next_seq();
        let rotation = self.rotation_id(seq);
        let labels = Labels { seq, rotation, intent: None, pause: None, hold: None, ..current.labels.clone() };
        let labels = labels.because(Reason::LatestIsAnother);
        let expires = labels.token.as_ref().and_then(|note| note.expiry).map(|expiry| expiry.at);
        self.store_version(Some(token), &labels, expires, PATIENCE).await.map(drop)
    }

    /// A rejected token that works by now is stored again, as the newest pending version.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "reinstate"))]
    pub async fn reinstate(&self, version: &VersionId, seen: &Observed) -> Result<(), Halt> {
        self.progress.enter("take back a rejected token that works by now");
        let rejected = seen.journal.ours().find(|e| e.version.id == *version);
        let token = self.token_of(rejected).await?.ok_or_else(|| self.taken_over())?;
        let note = rejected.and_then(|e| e.labels.token.clone());
        let expires = note.as_ref().and_then(|note| note.expiry).map(|expiry| expiry.at);
        let labels = self.supplied_labels(Stage::Pending, seen.journal.next_seq(), note);
        let labels = labels.because(Reason::TookEffectLate);
        self.store_version(Some(token), &labels, expires, PATIENCE).await.map(drop)
    }

    /// A token that a person brought is stored as a pending version. It is `expires` that says when it dies, unless the
    /// token does so itself.
    #[tracing::instrument(level = "error", name = "step", skip_all, fields(step = "adopt"))]
    pub async fn supply(&self, token: &Token, expires: Option<Timestamp>, seen: &Observed) -> Result<(), Halt> {
        self.progress.enter("store the token that a person brought");
        let note = self.note_of(token, self.now(), expires);
        let current = seen.journal.current().and_then(|e| e.labels.token.as_ref());
        if current.is_some_and(|current| current.id == note.id) {
            let what = "the token that was brought is the one that the vault holds as current already";
            let error = CallError::new("Key Vault", Class::Human, what);
            return Err(Halt::from(error).during(Reason::AlreadyCurrent));
        }
        let seq = seen.journal.next_seq();
        let expires = note.expiry.map(|expiry| expiry.at);
        let labels = self.supplied_labels(Stage::Pending, seq, Some(note)).because(Reason::Ordered);
        self.takes_from(seen.journal.keeper());
        self.store_version(Some(token.clone()), &labels, expires, PATIENCE).await.map(drop)
    }

    /// What is known of a token that somebody brought: its own word on its life, else theirs, else the assumption.
    fn note_of(&self, token: &Token, since: Timestamp, expires: Option<Timestamp>) -> TokenNote {
        let told = expires.map(|at| Expiry { at, source: ExpirySource::Vault });
        // 9999-12-31 is no expiry, whoever says so.
        let believable = |expiry: &Expiry| expiry.at - self.now() < LONGEST_LIFE;
        let expiry = match self.ports.issuer.expiry_of(token, since).filter(believable) {
            Some(expiry) if expiry.source != ExpirySource::Assumed => Some(expiry),
            assumed => told.filter(believable).or(assumed),
        };
        TokenNote::new(token, since, expiry)
    }

    fn supplied_labels(&self, stage: Stage, seq: u64, token: Option<TokenNote>) -> Labels {
        Labels::new(stage, seq, self.rotation_id(seq), token)
    }
}

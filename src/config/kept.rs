//! The configuration of a connection while nothing is done with it. Of thousands nearly all of it is the same: that is kept
//! once, and of each what is its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

use super::{ConnectionConfig, HpeAuth, Issuing, TokenService};
use crate::domain::PrincipalId;
use crate::secret_file::SecretFile;

/// The most texts that are a connection's own.
const TEXTS: usize = 6;

/// A configuration, in a few hundred bytes.
#[derive(Debug)]
pub struct Kept {
    /// With its own parts left empty.
    common: Arc<ConnectionConfig>,
    principal: Uuid,
    file: Option<Box<Path>>,
    /// Its own texts, one after the other, and where each ends.
    texts: Box<str>,
    ends: [u32; TEXTS],
}

/// What those have in common that are kept together.
#[derive(Default)]
pub struct Common(BTreeMap<[u8; 32], Arc<ConnectionConfig>>);

impl Common {
    /// How many kinds there are.
    #[cfg(test)]
    pub fn kinds(&self) -> usize {
        self.0.len()
    }

    /// Keeps a configuration.
    pub fn keep(&mut self, mut config: ConnectionConfig) -> Kept {
        let principal = std::mem::take(principal(&mut config));
        let file = file(&mut config).map(|file| std::mem::replace(file, SecretFile::new(PathBuf::new())));
        let file = file.map(|file| file.path().into());
        let (mut texts, mut ends) = (String::new(), [0; TEXTS]);
        let issuer = client_issuer(&mut config).map(|issuer| std::mem::replace(issuer, nowhere()));
        for (end, own) in ends.iter_mut().zip(own_texts(&mut config)) {
            texts += &std::mem::take(own);
            *end = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        }
        texts += issuer.as_ref().map(Url::as_str).unwrap_or_default();
        let digest = Sha256::digest(format!("{config:?}")).into();
        let common = Arc::clone(self.0.entry(digest).or_insert_with(|| Arc::new(config)));
        Kept { common, principal, file, texts: texts.into(), ends }
    }
}

impl Kept {
    /// As it was.
    pub fn config(&self) -> ConnectionConfig {
        let mut config = (*self.common).clone();
        *principal(&mut config) = self.principal;
        if let (Some(slot), Some(path)) = (file(&mut config), &self.file) {
            *slot = SecretFile::new(path.to_path_buf());
        }
        let mut begin = 0;
        for (end, own) in self.ends.iter().zip(own_texts(&mut config)) {
            let end = *end as usize;
            *own = self.texts.get(begin..end).unwrap_or_default().to_owned();
            begin = end;
        }
        if let (Some(slot), Ok(issuer)) = (client_issuer(&mut config), Url::parse(&self.texts[begin..])) {
            *slot = issuer;
        }
        config
    }
}

/// What stands where a URL was taken out.
fn nowhere() -> Url {
    Url::from_file_path("/").unwrap_or_else(|()| unreachable!("an absolute path"))
}

fn principal(config: &mut ConnectionConfig) -> &mut Uuid {
    match &mut config.entra.principal {
        PrincipalId::Object(id) | PrincipalId::Application(id) => id,
    }
}

fn file(config: &mut ConnectionConfig) -> Option<&mut SecretFile> {
    match &mut config.issuer {
        Issuing::GreenLake(hpe) => match &mut hpe.auth {
            HpeAuth::Client(client) => Some(&mut client.client_secret),
            HpeAuth::File(file) => Some(file),
            HpeAuth::Command(_) => None,
        },
        Issuing::Supplied { .. } => None,
    }
}

fn client_issuer(config: &mut ConnectionConfig) -> Option<&mut Url> {
    match &mut config.issuer {
        Issuing::GreenLake(hpe) => match &mut hpe.auth {
            HpeAuth::Client(client) => Some(&mut client.issuer),
            HpeAuth::File(_) | HpeAuth::Command(_) => None,
        },
        Issuing::Supplied { .. } => None,
    }
}

/// At most [`TEXTS`] of them.
fn own_texts(config: &mut ConnectionConfig) -> impl Iterator<Item = &mut String> {
    let ConnectionConfig { name, issuer, vault, entra, .. } = config;
    let (client_id, tenant_id) = match issuer {
        Issuing::GreenLake(hpe) => match &mut hpe.auth {
            HpeAuth::Client(client) => match &mut client.service {
                TokenService::GlcsLegacy { tenant_id } => (Some(&mut client.client_id), Some(tenant_id)),
                TokenService::Glcs | TokenService::Glp => (Some(&mut client.client_id), None),
            },
            HpeAuth::File(_) | HpeAuth::Command(_) => (None, None),
        },
        Issuing::Supplied { .. } => (None, None),
    };
    let always = [&mut name.0, &mut vault.secret];
    always.into_iter().chain(entra.job_id.as_mut()).chain(client_id).chain(tenant_id)
}

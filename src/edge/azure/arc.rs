//! The identity of a machine outside Azure that Azure Arc has taken in. Its agent gives tokens to whoever can read a file
//! that it has just written: only root and the group `himds` can.
//!
//! The endpoint names that file in its challenge. What it names is believed within narrow limits only: the agent's own
//! folder, the ending `.key`, and so few bytes that no other file of worth would be sent to whoever listens there.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use azure_core::credentials::{AccessToken, Secret};
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, Method, Request, StatusCode};
use azure_core::time::OffsetDateTime;
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::SERVICE;
use super::refused::Refused;
use super::transport::LoginTransport;
use crate::edge::http::{Cause, retry_after_of, shown};
use crate::ports::{CallError, Class, Clock};

const API_VERSION: &str = "2020-06-01";
/// A key file is never larger, in bytes.
const MAX_KEY: u64 = 4096;

/// One login.
pub(super) struct ArcLogin<'a> {
    pub endpoint: &'a Url,
    pub key_folder: &'a Path,
    pub transport: &'a LoginTransport,
    pub machine: &'a dyn Clock,
}

impl ArcLogin<'_> {
    pub async fn log_in(&self, scopes: &[&str]) -> Result<AccessToken, CallError> {
        let resource = scopes.first().map_or("", |scope| scope.strip_suffix("/.default").unwrap_or(scope));
        let mut request = self.request(resource);
        let (status, headers, body) = self.ask(&request).await?;
        let challenge = headers.get_optional_str(&HeaderName::from_static("www-authenticate"));
        let file = match (status, challenge) {
            (StatusCode::Unauthorized, Some(challenge)) => self.key_file(challenge)?,
            (StatusCode::Unauthorized, None) => return Err(self.odd("401 without a challenge")),
            (status, _) if status.is_success() => return Err(self.odd("a token without a challenge")),
            (status, _) => {
                return Err(self.transport.refused(&request, status.into(), &body, retry_after_of(&headers)));
            }
        };
        let key = read_key(&file).map_err(|trouble| self.unread(&file, trouble))?;
        request.insert_header("authorization", format!("Basic {}", key.expose_secret()));
        let (status, headers, body) = self.ask(&request).await?;
        if !status.is_success() {
            return Err(self.transport.refused(&request, status.into(), &body, retry_after_of(&headers)));
        }
        self.token(&body)
    }

    async fn ask(&self, request: &Request) -> Result<(StatusCode, Headers, Vec<u8>), CallError> {
        let answer = self.transport.exchange(request).await?;
        let broken = |_| self.odd("an answer that broke off");
        let (status, headers, body) =
            AsyncRawResponse::try_into_raw_response(answer).await.map_err(broken)?.deconstruct();
        Ok((status, headers, body.to_vec()))
    }

    fn request(&self, resource: &str) -> Request {
        let mut url = self.endpoint.clone();
        url.query_pairs_mut().append_pair("api-version", API_VERSION).append_pair("resource", resource);
        let mut request = Request::new(url, Method::Get);
        request.insert_header("metadata", "true");
        request
    }

    /// The file that a challenge names, if it may be read.
    fn key_file(&self, challenge: &str) -> Result<PathBuf, CallError> {
        let (scheme, rest) = challenge.trim().split_once(' ').unwrap_or_default();
        let realm = rest.trim().strip_prefix("realm=").map(|realm| realm.trim().trim_matches('"'));
        let (true, Some(realm)) = (scheme.eq_ignore_ascii_case("basic"), realm) else {
            return Err(self.odd("a challenge that names no key file (Basic realm=…)"));
        };
        let file = PathBuf::from(realm);
        // `..` is no part of a folder's own name, so a path that leads out of it and back in is refused as well.
        if file.parent() != Some(self.key_folder) || file.file_name().is_none() {
            return Err(self.odd(&format!("a challenge that names a file outside of {}", self.key_folder.display())));
        }
        if file.extension().is_none_or(|ending| ending != "key") {
            return Err(self.odd("a challenge that names a file that does not end in .key"));
        }
        Ok(file)
    }

    fn unread(&self, file: &Path, trouble: KeyTrouble) -> CallError {
        let file = file.display();
        let (what, class, refused) = match &trouble {
            KeyTrouble::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                ("may not be read by this service", Class::Human, Refused::ArcGroup)
            }
            KeyTrouble::Io(_) => ("cannot be read", Class::Retry { after: None }, Refused::ArcNoKey),
            KeyTrouble::NoFile => ("is no regular file", Class::Human, Refused::NotTheAgent),
            KeyTrouble::TooLarge => ("is larger than 4096 bytes", Class::Human, Refused::NotTheAgent),
            KeyTrouble::NoKey => ("holds no key", Class::Retry { after: None }, Refused::ArcNoKey),
        };
        let mut call = CallError::new(SERVICE, class, format!("the key file {file} of the Azure Arc agent {what}"));
        call.advice = Some(refused.message().advice());
        if let KeyTrouble::Io(error) = trouble {
            call.source = Some(Box::new(Cause(error.to_string())));
        }
        call
    }

    /// Whoever answers does not speak as the agent does: it gets to see no file.
    fn odd(&self, what: &str) -> CallError {
        let mut call = CallError::new(SERVICE, Class::Human, format!("GET {}: {what}", shown(self.endpoint)));
        call.advice = Some(Refused::NotTheAgent.message().advice());
        call
    }

    fn token(&self, body: &[u8]) -> Result<AccessToken, CallError> {
        #[derive(Deserialize)]
        struct Wire {
            access_token: Secret,
            #[serde(default)]
            expires_in: Value,
            #[serde(default)]
            expires_on: Value,
        }
        let wire: Wire = serde_json::from_slice(body).map_err(|_| self.odd("an answer that is no token"))?;
        // Both are told, as text or as number. The life counts from now; the date is the far side's.
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let ends = match number(&wire.expires_in) {
            Some(life) => (self.machine.now() + TimeDelta::try_seconds(life).unwrap_or_default()).timestamp(),
            None => number(&wire.expires_on).unwrap_or_else(|| self.machine.now().timestamp()),
        };
        let ends = OffsetDateTime::from_unix_timestamp(ends).map_err(|_| self.odd("a token that ends at no time"))?;
        Ok(AccessToken::new(wire.access_token, ends))
    }
}

enum KeyTrouble {
    Io(io::Error),
    NoFile,
    TooLarge,
    NoKey,
}

fn read_key(file: &Path) -> Result<SecretString, KeyTrouble> {
    // Of the file itself: a link may lead anywhere.
    let metadata = std::fs::symlink_metadata(file).map_err(KeyTrouble::Io)?;
    if !metadata.is_file() {
        return Err(KeyTrouble::NoFile);
    }
    let mut text = String::new();
    let file = File::open(file).map_err(KeyTrouble::Io)?;
    file.take(MAX_KEY + 1).read_to_string(&mut text).map_err(KeyTrouble::Io)?;
    if text.len() as u64 > MAX_KEY {
        return Err(KeyTrouble::TooLarge);
    }
    match text.trim_end() {
        key if !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic()) => Ok(SecretString::from(key.to_owned())),
        _ => Err(KeyTrouble::NoKey),
    }
}

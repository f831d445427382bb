//! The SDK's models to ours and back. Pure.

use azure_core::time::OffsetDateTime;
use azure_security_keyvault_secrets::ResourceExt as _;
use azure_security_keyvault_secrets::models::{Secret, SecretAttributes, SecretProperties, SetSecretParameters};

use super::SERVICE;
use crate::domain::journal::Label;
use crate::domain::{Timestamp, Token, Version, VersionId};
use crate::ports::{CallError, Class, NewVersion, VaultError};

const TOKEN_TYPE: &str = "application/vnd.scim-token";
const PLACEHOLDER_TYPE: &str = "text/plain";
/// The value of a version that only carries an intent. The vault takes no empty value.
const PLACEHOLDER: &str = "placeholder";

/// One listed version.
pub(super) fn version(properties: SecretProperties, target: &str) -> Result<Version, VaultError> {
    let id = properties.resource_id().ok().and_then(|id| id.version);
    let id = VersionId(id.ok_or_else(|| unreadable(target, "the vault listed a version without an id"))?);
    let attributes = properties.attributes.unwrap_or_default();
    let tags = properties.tags.unwrap_or_default().into_iter().collect();
    Ok(Version {
        id,
        created: attributes.created.and_then(timestamp).unwrap_or_default(),
        enabled: attributes.enabled.unwrap_or(true),
        expires: attributes.expires.and_then(timestamp),
        label: Label::parse(&tags),
    })
}

/// The token of a version that was read.
pub(super) fn token(version: &VersionId, secret: Secret) -> Result<Token, VaultError> {
    let unusable = |why: String| VaultError::Unusable { version: version.clone(), why };
    if secret.attributes.is_some_and(|attributes| attributes.enabled == Some(false)) {
        return Err(unusable("it is disabled".to_owned()));
    }
    let value = secret.value.ok_or_else(|| unusable("the vault sent no value".to_owned()))?;
    Token::parse(&value).map_err(|error| unusable(error.to_string()))
}

/// What to store: a token, or a placeholder that nobody can read by mistake.
pub(super) fn parameters(new: &NewVersion) -> azure_core::Result<SetSecretParameters> {
    let (value, content_type) = match &new.token {
        Some(token) => (token.expose(), TOKEN_TYPE),
        None => (PLACEHOLDER, PLACEHOLDER_TYPE),
    };
    let expires = new.expires.map(|at| OffsetDateTime::from_unix_timestamp(at.timestamp())).transpose();
    let expires =
        expires.map_err(|error| azure_core::Error::new(azure_core::error::ErrorKind::DataConversion, error))?;
    Ok(SetSecretParameters {
        value: Some(value.to_owned()),
        content_type: Some(content_type.to_owned()),
        tags: Some(new.tags.clone().into_iter().collect()),
        secret_attributes: Some(SecretAttributes { expires, ..enabled(new.token.is_some()) }),
    })
}

/// The attributes that only say whether a version is enabled.
pub(super) fn enabled(enabled: bool) -> SecretAttributes {
    SecretAttributes { enabled: Some(enabled), ..SecretAttributes::default() }
}

/// An answer that makes no sense.
pub(super) fn unreadable(target: &str, why: &str) -> VaultError {
    VaultError::Call(CallError::new(SERVICE, Class::Retry { after: None }, format!("{target}: {why}")))
}

pub(super) fn timestamp(time: OffsetDateTime) -> Option<Timestamp> {
    Timestamp::from_timestamp(time.unix_timestamp(), 0)
}

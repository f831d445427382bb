//! The 15-minute API bearer that every call to HPE carries, by OAuth client credentials.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::SERVICE;
use super::errors;
use crate::domain::Timestamp;
use crate::edge::http::{Cause, Http, Method, Redactor, join};
use crate::ports::{CallError, Class, Clock};
use crate::secret_file::SecretFile;

/// A bearer is not used in the last part of its life, as HPE's own client does not.
const MARGIN: TimeDelta = TimeDelta::seconds(120);
/// The life of a bearer that says nothing of it.
const USUAL_LIFE: TimeDelta = TimeDelta::minutes(15);

/// The credentials of an API client.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// Which of HPE's token services.
    pub flavour: Flavour,
    /// The token issuer of the tenant, https (`https://iam.us1.greenlake-hpe.com/oauth2/<tenant>/<server>`).
    pub issuer: Url,
    /// The API client's id.
    pub client_id: String,
    /// Its secret; read anew for every bearer.
    pub client_secret: SecretFile,
}

/// Which of HPE's token services is asked, and so with which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// GreenLake Flex Solutions: `POST {issuer}/v1/token`, `scope=hpe-tenant`.
    Glcs,
}

/// A bearer and whom it speaks for.
#[derive(Clone, Debug)]
pub(super) struct Bearer {
    pub token: SecretString,
    pub tenant: Option<String>,
}

/// Where bearers come from. Keeps one as long as it is good.
pub(super) struct BearerSource {
    options: ClientCredentials,
    http: Http,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<(Bearer, Timestamp)>>,
}

impl BearerSource {
    pub fn new(options: ClientCredentials, http: Http, clock: Arc<dyn Clock>) -> Self {
        Self { options, http, clock, held: Mutex::new(None) }
    }

    /// The bearer at hand, or a new one. Those who come meanwhile wait for the same one.
    pub async fn get(&self) -> Result<Bearer, CallError> {
        let mut held = self.held.lock().await;
        if let Some((bearer, until)) = &*held
            && self.clock.now() < *until
        {
            return Ok(bearer.clone());
        }
        *held = None;
        let (bearer, life) = self.mint().await?;
        *held = Some((bearer.clone(), self.clock.now() + life - MARGIN));
        Ok(bearer)
    }

    /// Drops `refused`, unless somebody has had a newer one made already.
    pub async fn forget(&self, refused: &SecretString) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|(bearer, _)| bearer.token.expose_secret() == refused.expose_secret()) {
            *held = None;
        }
    }

    async fn mint(&self) -> Result<(Bearer, TimeDelta), CallError> {
        // Asking for a bearer twice does no harm, so a lost answer is simply worth another try. A missing
        // file may come.
        let again = Class::Retry { after: None };
        let secret = self.options.client_secret.read().map_err(|error| {
            let mut call = CallError::new(SERVICE, again, error.to_string());
            call.source = std::error::Error::source(&error).map(|cause| Box::new(Cause(cause.to_string())) as _);
            call
        })?;
        let (url, form) = match self.options.flavour {
            Flavour::Glcs => (
                join(&self.options.issuer, ["v1", "token"]),
                [
                    ("grant_type", "client_credentials"),
                    ("client_id", self.options.client_id.as_str()),
                    ("client_secret", secret.expose_secret()),
                    ("scope", "hpe-tenant"),
                ],
            ),
        };
        let sent = self.http.send(self.http.request(Method::POST, url).form(&form)).await;
        let answer = sent.map_err(|failure| failure.into_call(SERVICE, again))?;
        if !answer.is_success() {
            let path = self.options.client_secret.path().display().to_string();
            return Err(errors::sort_login(&answer, &path, &Redactor::new([secret.expose_secret()])));
        }
        read(answer.body(), answer.date()).map_err(|why| {
            let mut call = CallError::new(SERVICE, again, format!("{}: {} but {why}", answer.target, answer.status));
            call.advice = Some("check the token issuer's URL".to_owned());
            call.status = Some(answer.status);
            call
        })
    }
}

/// Reads the bearer and its life: from its own claims, else from `expires_in`.
fn read(body: &[u8], date: Option<Timestamp>) -> Result<(Bearer, TimeDelta), &'static str> {
    #[derive(Deserialize)]
    struct Wire {
        access_token: Option<String>,
        expires_in: Option<f64>,
    }
    let wire: Wire = serde_json::from_slice(body).map_err(|_| "the answer is no OAuth answer")?;
    let token = wire.access_token.ok_or("the answer has no access_token")?;
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the access_token cannot stand in a header");
    }
    let claims = Claims::of(&token).unwrap_or_default();
    // Counted between the issuer's own times, so that a wrong clock on this side does not matter.
    let from = claims.iat.or(date.map(|date| date.timestamp() as f64));
    let claimed = claims.exp.zip(from).map(|(exp, from)| exp - from);
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked by try_seconds")]
    let life = claimed.or(wire.expires_in).and_then(|seconds| TimeDelta::try_seconds(seconds as i64));
    let life = life.unwrap_or(USUAL_LIFE).clamp(TimeDelta::zero(), TimeDelta::hours(24));
    Ok((Bearer { token: SecretString::from(token), tenant: claims.tenant }, life))
}

/// What the bearer says of itself. Not verified: it is only planned with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Claims {
    exp: Option<f64>,
    iat: Option<f64>,
    #[serde(rename = "tenantId")]
    tenant: Option<String>,
}

impl Claims {
    fn of(token: &str) -> Option<Self> {
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&payload).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(claims: serde_json::Value, expires_in: Option<u32>) -> Vec<u8> {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        json!({"access_token": token, "expires_in": expires_in}).to_string().into_bytes()
    }

    #[test]
    fn the_life_is_counted_between_the_issuers_own_times() {
        let date = Timestamp::from_timestamp(1_000_000, 0);
        let table = [
            (json!({"iat": 500, "exp": 1400, "tenantId": "t"}), None, 900),
            (json!({"exp": 1_000_600}), Some(60), 600),
            (json!({}), Some(60), 60),
            (json!({}), None, 900),
            (json!({"iat": 500, "exp": 400}), None, 0),
            (json!({"iat": 0, "exp": 1e12}), None, 86_400),
            (json!({"iat": 0, "exp": 1e18}), None, 900),
        ];
        for (claims, expires_in, seconds) in table {
            let (_, life) = read(&body(claims.clone(), expires_in), date).unwrap();
            assert_eq!(life.num_seconds(), seconds, "{claims}");
        }
    }

    #[test]
    fn the_tenant_is_read_and_an_opaque_bearer_has_none() {
        assert_eq!(read(&body(json!({"tenantId": "t-1"}), None), None).unwrap().0.tenant.as_deref(), Some("t-1"));
        let opaque = json!({"access_token": "opaque", "expires_in": 900}).to_string();
        assert_eq!(read(opaque.as_bytes(), None).unwrap().0.tenant, None);
    }

    #[test]
    fn what_is_no_bearer_is_refused_without_showing_it() {
        for text in ["", "<html>", "{}", r#"{"access_token":""}"#, r#"{"access_token":"can\nary"}"#] {
            assert!(!read(text.as_bytes(), None).unwrap_err().contains("can\nary"), "{text}");
        }
    }
}

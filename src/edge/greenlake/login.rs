//! A bearer by client credentials, in each of the forms in which HPE's token services want to be asked.

use std::sync::Arc;

use chrono::TimeDelta;
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::SERVICE;
use super::bearer::Bearer;
use super::claims::Claims;
use super::errors;
use super::refused::Refused;
use crate::domain::Timestamp;
use crate::edge::http::{Cause, Http, Method, Redactor, join};
use crate::ports::{CallError, Class, Clock};
use crate::secret_file::{SecretFile, SecretFileError};

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

/// Which of HPE's token services is asked, and so with which form. As HPE's own client asks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// GreenLake Flex Solutions: `POST {issuer}/v1/token`, a form, `scope=hpe-tenant`.
    Glcs,
    /// Its older service: `POST {issuer}/v1/token`, JSON with the tenant's id.
    GlcsLegacy {
        /// The tenant's id.
        tenant_id: String,
    },
    /// The GreenLake platform: `POST {issuer}`, which ends in `/token`; a form without a scope.
    Glp,
}

impl Flavour {
    /// What its issuer looks like.
    fn place(&self) -> &'static str {
        match self {
            Self::Glcs => "check the token issuer's URL: it ends in /oauth2/<tenant>/<server>",
            Self::GlcsLegacy { .. } => "check the token issuer's URL: the one of which /v1/token is asked",
            Self::Glp => "check the token issuer's URL: it ends in /authorization/v2/oauth2/<workspace>/token",
        }
    }
}

/// Asks for a bearer. Asking twice does no harm, so a lost answer is simply worth another try.
pub(super) async fn mint(
    credentials: &ClientCredentials,
    http: &Http,
    clock: &Arc<dyn Clock>,
) -> Result<Bearer, CallError> {
    let again = Class::Retry { after: None };
    let secret = credentials.client_secret.read().map_err(|error| no_file(&error, again))?;
    let sent = http.send(request(credentials, http, &secret)).await;
    let answer = sent.map_err(|failure| failure.into_call(SERVICE, again))?;
    if !answer.is_success() {
        let path = credentials.client_secret.path().display().to_string();
        let redactor = Redactor::new([secret.expose_secret()]);
        return Err(errors::sort_login(&answer, &path, credentials.flavour.place(), &redactor));
    }
    let (token, tenant, life) = read(answer.body(), answer.date()).map_err(|why| {
        let mut call = CallError::new(SERVICE, again, format!("{}: {} but {why}", answer.target, answer.status));
        call.advice = Some(Refused::LoginUrl.message().remedy.to_owned());
        call.status = Some(answer.status);
        call
    })?;
    Ok(Bearer { token, tenant, ends: Some(clock.now() + life) })
}

fn request(credentials: &ClientCredentials, http: &Http, secret: &SecretString) -> RequestBuilder {
    let (id, secret) = (credentials.client_id.as_str(), secret.expose_secret());
    let v1 = || join(&credentials.issuer, ["v1", "token"]);
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    match &credentials.flavour {
        Flavour::Glcs => {
            let form: Vec<_> = form.into_iter().chain([("scope", "hpe-tenant")]).collect();
            http.request(Method::POST, v1()).form(&form)
        }
        Flavour::GlcsLegacy { tenant_id } => {
            let body = json!({
                "tenant_id": tenant_id, "client_id": id, "client_secret": secret, "grant_type": "client_credentials",
            });
            http.request(Method::POST, v1()).json(&body)
        }
        Flavour::Glp => http.request(Method::POST, token_url(&credentials.issuer)).form(&form),
    }
}

/// The platform's token URL is shown to people whole; without its end it is completed.
fn token_url(issuer: &Url) -> Url {
    match issuer.path().ends_with("/token") {
        true => issuer.clone(),
        false => join(issuer, ["token"]),
    }
}

/// The file of a secret cannot be read.
pub(super) fn no_file(error: &SecretFileError, class: Class) -> CallError {
    let mut call = CallError::new(SERVICE, class, error.to_string());
    call.source = std::error::Error::source(error).map(|cause| Box::new(Cause(cause.to_string())) as _);
    call
}

/// Reads an OAuth answer: the bearer, its tenant, and its life by its own claims, else by the answer.
pub(super) fn read(
    body: &[u8],
    date: Option<Timestamp>,
) -> Result<(SecretString, Option<String>, TimeDelta), &'static str> {
    #[derive(Deserialize)]
    struct Wire {
        access_token: Option<String>,
        expires_in: Option<f64>,
        /// The older service's.
        expiry: Option<String>,
    }
    let wire: Wire = serde_json::from_slice(body).map_err(|_| "the answer is no OAuth answer")?;
    let token = wire.access_token.ok_or("the answer has no access_token")?;
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the access_token cannot stand in a header");
    }
    let claims = Claims::of(&token).unwrap_or_default();
    let date = date.map(|date| date.timestamp() as f64);
    // Counted between the issuer's own times, so that a wrong clock on this side does not matter.
    let claimed = claims.exp.zip(claims.iat.or(date)).map(|(exp, from)| exp - from);
    let told = wire.expires_in.filter(|seconds| *seconds > 0.0);
    let dated = || {
        let expiry = chrono::DateTime::parse_from_rfc3339(wire.expiry.as_deref()?).ok()?;
        Some(expiry.timestamp() as f64 - date?).filter(|seconds| *seconds > 0.0)
    };
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked by try_seconds")]
    let life = claimed.or(told).or_else(dated).and_then(|seconds| TimeDelta::try_seconds(seconds as i64));
    let life = life.unwrap_or(USUAL_LIFE).clamp(TimeDelta::zero(), TimeDelta::hours(24));
    Ok((SecretString::from(token), claims.tenant, life))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
            let (_, _, life) = read(&body(claims.clone(), expires_in), date).unwrap();
            assert_eq!(life.num_seconds(), seconds, "{claims}");
        }
    }

    #[test]
    fn the_older_service_tells_a_date_and_a_life_of_nothing() {
        let date = Timestamp::from_timestamp(1_800_000_000, 0);
        let answer = json!({"access_token": "opaque", "expires_in": 0, "expiry": "2027-01-15T08:10:00Z"}).to_string();
        assert_eq!(read(answer.as_bytes(), date).unwrap().2.num_minutes(), 10);
    }

    #[test]
    fn the_tenant_is_read_and_an_opaque_bearer_has_none() {
        assert_eq!(read(&body(json!({"tenantId": "t-1"}), None), None).unwrap().1.as_deref(), Some("t-1"));
        let opaque = json!({"access_token": "opaque", "expires_in": 900}).to_string();
        assert_eq!(read(opaque.as_bytes(), None).unwrap().1, None);
    }

    #[test]
    fn what_is_no_bearer_is_refused_without_showing_it() {
        for text in ["", "<html>", "{}", r#"{"access_token":""}"#, r#"{"access_token":"can\nary"}"#] {
            assert!(!read(text.as_bytes(), None).unwrap_err().contains("can\nary"), "{text}");
        }
    }

    #[test]
    fn the_platforms_token_url_is_taken_whole_and_completed() {
        for url in
            ["https://global.api/authorization/v2/oauth2/w", "https://global.api/authorization/v2/oauth2/w/token"]
        {
            let url = token_url(&url.parse().unwrap());
            assert_eq!(url.as_str(), "https://global.api/authorization/v2/oauth2/w/token");
        }
    }
}

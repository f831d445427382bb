//! The probe: asks the SCIM endpoint itself whether it takes a token, as Entra's own *Test Connection* does.
//!
//! Judges by the status alone. Whatever is neither a welcome nor a refusal says nothing about the token.

use async_trait::async_trait;
use reqwest::header::ACCEPT;
use url::Url;

use super::http::{Failure, Http, Method, join};
use crate::domain::{ProbeVerdict, Token};
use crate::ports::Probe;

/// Which endpoint.
#[derive(Clone, Debug)]
pub struct ScimOptions {
    /// Entra's tenant URL, https (`https://sps.us1.greenlake-hpe.com/v1alpha1/scimproxy`). Its query is not asked.
    pub tenant_url: Url,
}

/// The SCIM endpoint.
#[derive(Clone, Debug)]
pub struct ScimProbe {
    options: ScimOptions,
    http: Http,
}

impl ScimProbe {
    /// Nothing is sent yet. A URL that is not https is never asked: the client refuses it.
    pub fn new(options: ScimOptions, http: Http) -> Self {
        Self { options, http }
    }

    async fn ask(&self, token: &Token) -> Result<u16, Failure> {
        // A user that cannot exist, and a resource that surely does: nothing says that HPE knows any other.
        let filter = format!("userName eq \"{}\"", uuid::Uuid::new_v4());
        let mut url = join(&self.options.tenant_url, ["Users"]);
        // Feature flags of Entra's, such as `?aadOptscim062020`: the endpoint never sees them.
        url.set_query(None);
        let request = self
            .http
            .request(Method::GET, url)
            .query(&[("filter", filter)])
            .header(ACCEPT, "application/scim+json, application/json")
            .bearer_auth(token.expose());
        Ok(self.http.send(request).await?.status)
    }
}

#[async_trait]
impl Probe for ScimProbe {
    async fn probe(&self, token: &Token) -> ProbeVerdict {
        match self.ask(token).await {
            Ok(200..=299) => ProbeVerdict::Accepted,
            Ok(401 | 403) => ProbeVerdict::Refused,
            Ok(status) => {
                tracing::debug!(status, "the SCIM endpoint says nothing about the token");
                ProbeVerdict::NoVerdict
            }
            Err(failure) => {
                let cause = failure.source.map(|cause| cause.0);
                tracing::debug!(what = failure.what, cause, "the SCIM endpoint could not be asked");
                ProbeVerdict::NoVerdict
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::routing::get;

    use super::*;
    use crate::edge::testing::serve;

    #[tokio::test]
    async fn only_a_welcome_and_a_refusal_are_verdicts() {
        let app = Router::new().route(
            "/scimproxy/Users",
            get(|request: Request| async move {
                let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
                assert_eq!(header("accept"), "application/scim+json, application/json");
                let query = request.uri().query().unwrap();
                assert!(query.starts_with("filter=userName+eq+%22") && query.ends_with("%22"), "{query}");
                let status = header("authorization").rsplit('-').next().unwrap().parse().unwrap();
                StatusCode::from_u16(status).unwrap()
            }),
        );
        let (http, url) = serve(app).await;
        let probe = ScimProbe::new(ScimOptions { tenant_url: url.join("scimproxy?aadOptscim062020").unwrap() }, http);
        let table = [
            (200, ProbeVerdict::Accepted),
            (401, ProbeVerdict::Refused),
            (403, ProbeVerdict::Refused),
            (302, ProbeVerdict::NoVerdict),
            (404, ProbeVerdict::NoVerdict),
            (429, ProbeVerdict::NoVerdict),
            (500, ProbeVerdict::NoVerdict),
        ];
        for (status, verdict) in table {
            let token = Token::parse(&format!("token-{status}")).unwrap();
            assert_eq!(probe.probe(&token).await, verdict, "{status}");
        }
        let nowhere = Url::parse("https://kv.fake.test:1/").unwrap();
        let unreachable = ScimProbe::new(ScimOptions { tenant_url: nowhere }, probe.http.clone());
        assert_eq!(unreachable.probe(&Token::parse("token-200").unwrap()).await, ProbeVerdict::NoVerdict);
    }
}

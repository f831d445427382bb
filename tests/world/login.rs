//! The two logins: HPE's, which gives the bearer for the proxy-token API, and Entra's, for Graph and the vault.

use serde_json::{Value, json};

use super::{LoginKind, Refusal, Settings, World, ids};

/// What a cluster's tokens for Entra are made out to.
const FEDERATION: &str = "api://AzureADTokenExchange";

/// A token for an API.
#[derive(Clone, Debug)]
pub struct Access {
    /// The token: a JWT.
    pub token: String,
    /// Its life in seconds.
    pub expires_in: i64,
}

/// What the login is asked, whatever the form.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Which service is asked.
    pub kind: LoginKind,
    /// The API client.
    pub client_id: String,
    /// Its secret.
    pub secret: String,
    /// The scope, where one is named.
    pub scope: Option<String>,
    /// The tenant (or workspace), where it is named in the request or in the URL.
    pub tenant: Option<String>,
}

impl Grant {
    /// What a careful client asks in this world.
    pub fn fitting(settings: &Settings) -> Self {
        Self {
            kind: settings.login,
            client_id: settings.client_id.clone(),
            secret: settings.client_secret.clone(),
            scope: (settings.login == LoginKind::Glcs).then(|| "hpe-tenant".to_owned()),
            tenant: Some(settings.tenant.clone()),
        }
    }
}

impl World {
    /// HPE's login, by client credentials.
    pub fn mint_bearer(&mut self, grant: &Grant) -> Result<Access, Refusal> {
        let Grant { kind, client_id, secret, scope, tenant } = grant;
        if *kind != self.settings.login {
            return Err(Refusal::new(404, "not_found", "There is no such service for this client."));
        }
        if *client_id != self.settings.client_id || *secret != self.settings.client_secret {
            return Err(Refusal::new(401, "invalid_client", "Client authentication failed."));
        }
        let is_asked_well = match kind {
            LoginKind::Glcs => scope.as_deref() == Some("hpe-tenant"),
            LoginKind::GlcsLegacy | LoginKind::Glp => scope.is_none(),
        };
        if !is_asked_well {
            return Err(Refusal::new(400, "invalid_scope", "The scope is not known."));
        }
        if tenant.as_ref().is_some_and(|tenant| *tenant != self.settings.tenant) {
            return Err(Refusal::new(400, "invalid_request", "The client is of another tenant."));
        }
        let claims = json!({
            "iss": "https://iam.sandbox.test", "sub": client_id, "cid": client_id, "uid": client_id,
            "tenantId": self.settings.tenant, "iat": self.now.timestamp(), "exp": (self.now + self.settings.bearer_life).timestamp(),
            "n": self.entra.next_id(),
        });
        Ok(Access { token: ids::jwt(&claims), expires_in: self.settings.bearer_life.num_seconds() })
    }

    /// From now on HPE refuses every bearer that it has given so far.
    pub fn revoke_hpe_bearers(&mut self) {
        self.entra.revoked_hpe = self.entra.last_id();
    }

    /// From now on Graph and the vault refuse every access token that Entra has given so far.
    pub fn revoke_entra_tokens(&mut self) {
        self.entra.revoked_entra = self.entra.last_id();
    }

    /// `POST /{directory}/oauth2/v2.0/token` of Entra, by client secret.
    pub fn entra_login(&mut self, directory: &str, id: &str, secret: &str, scope: &str) -> Result<Access, Refusal> {
        self.entra_login_by(directory, id, scope, |world| match secret == world.settings.azure_client_secret {
            true => Ok(()),
            false => Err(Refusal::new(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")),
        })
    }

    /// The same by whatever `proves` who it is.
    pub fn entra_login_by(
        &mut self,
        directory: &str,
        id: &str,
        scope: &str,
        proves: impl FnOnce(&Self) -> Result<(), Refusal>,
    ) -> Result<Access, Refusal> {
        if let Some((status, code, message)) = self.settings.login_refusal {
            return Err(Refusal::new(status, code, message));
        }
        if directory != self.settings.directory {
            let message = format!("AADSTS90002: Tenant '{directory}' not found.");
            return Err(Refusal::new(400, "invalid_request", message));
        }
        if id != self.settings.azure_client_id {
            let message = format!("AADSTS700016: Application with identifier '{id}' was not found in the directory.");
            return Err(Refusal::new(400, "unauthorized_client", message));
        }
        proves(self)?;
        let Some(audience) = scope.strip_suffix("/.default") else {
            let message = format!("AADSTS1002012: The provided value for scope {scope} is not valid.");
            return Err(Refusal::new(400, "invalid_scope", message));
        };
        Ok(self.access(id, audience))
    }

    /// What the cluster says of the pod that is trusted, in a token that it projects into it: good for `life` from now on.
    pub fn service_account(&self, life: chrono::TimeDelta) -> Value {
        let pod = self.settings.federated.as_ref();
        let (issuer, subject) = (pod.map(|pod| &pod.issuer), pod.map(|pod| &pod.subject));
        json!({ "iss": issuer, "sub": subject, "aud": [FEDERATION], "exp": (self.now + life).timestamp() })
    }

    /// Whether Entra takes these claims of a cluster in place of the application's secret. Its signature is judged by
    /// whoever has the token.
    pub fn check_federated(&self, claims: &Value) -> Result<(), Refusal> {
        let no = |message: &str| Err(Refusal::new(401, "invalid_client", message));
        let is_good_now = claims["exp"].as_i64().is_some_and(|exp| self.now.timestamp() < exp);
        match &self.settings.federated {
            None => no("AADSTS70021: No matching federated identity record found for presented assertion."),
            Some(pod) if claims["iss"] != pod.issuer.as_str() => {
                no("AADSTS700211: No matching federated identity record found for presented assertion issuer.")
            }
            Some(pod) if claims["sub"] != pod.subject.as_str() => {
                no("AADSTS700213: No matching federated identity record found for presented assertion subject.")
            }
            Some(_) if claims["aud"][0] != FEDERATION => {
                no("AADSTS700212: No matching federated identity record found for presented assertion audience.")
            }
            Some(_) if !is_good_now => no("AADSTS700024: Client assertion is not within its valid time range."),
            Some(_) => Ok(()),
        }
    }

    /// What a machine's identity endpoint fetches from Entra for it: the same access token as a login gives.
    pub fn identity_token(&mut self, id: &str, resource: &str) -> Access {
        self.access(id, resource)
    }

    fn access(&mut self, id: &str, audience: &str) -> Access {
        let directory = &self.settings.directory;
        let roles = audience.contains("graph").then_some(&self.settings.graph_roles).filter(|roles| !roles.is_empty());
        let claims = json!({
            "iss": format!("https://sts.windows.net/{directory}/"), "aud": audience, "appid": id, "tid": directory,
            "oid": self.settings.caller, "idtyp": "app", "roles": roles,
            "iat": self.now.timestamp(), "exp": (self.now + self.settings.access_life).timestamp(), "n": self.entra.next_id(),
        });
        Access { token: ids::jwt(&claims), expires_in: self.settings.access_life.num_seconds() }
    }

    /// The audience of an access token of Entra's that is good now.
    pub fn audience(&self, token: &str) -> Option<String> {
        Some(self.lives(token, self.entra.revoked_entra)?["aud"].as_str()?.trim_end_matches('/').to_owned())
    }

    /// The HPE tenant that `bearer` was given for, however old it is.
    pub fn tenant_of(bearer: &str) -> Option<String> {
        ids::claims(bearer)?["tenantId"].as_str().map(str::to_owned)
    }

    pub(super) fn check_hpe_bearer(&self, bearer: &str) -> Result<(), Refusal> {
        match self.lives(bearer, self.entra.revoked_hpe) {
            Some(claims) if claims["tenantId"] == self.settings.tenant.as_str() => {}
            _ => return Err(Refusal::new(401, "HPE_GL_UNAUTHORIZED", "The bearer is not valid.")),
        }
        if !self.settings.contributor {
            return Err(Refusal::new(403, "HPE_GL_FORBIDDEN", "The caller lacks a permission."));
        }
        Ok(())
    }

    fn lives(&self, token: &str, revoked: u64) -> Option<Value> {
        ids::claims(token).filter(|claims| {
            claims["exp"].as_i64().is_some_and(|exp| self.now.timestamp() < exp)
                && claims["n"].as_u64().is_some_and(|n| n > revoked)
        })
    }
}

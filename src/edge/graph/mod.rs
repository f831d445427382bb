//! The provisioner: one provisioning job of Entra, through Microsoft Graph v1.0.
//!
//! Never calls `restart`, which means mass traffic or deletions, and never writes settings but by `provision`.

mod directory;
mod errors;
mod lookup;
mod refused;
mod validation;
mod wire;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use reqwest::header::{ACCEPT, CONTENT_LENGTH};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use self::refused::Asked;
pub use self::refused::Refused;
use super::http::{Answer, Http, LONG_BODY, MAX_BODY, Method, Redactor, join};
use super::login::Login;
use crate::domain::settings::SecretsUpdate;
use crate::domain::{Job, PrincipalId, Settings, Timestamp, Token, Verdict};
use crate::ports::{CallError, Class, Clock, Provisioner};

const SERVICE: &str = "Microsoft Graph";

/// Which job, where.
#[derive(Clone, Debug)]
pub struct GraphOptions {
    /// The cloud's Graph, https (`https://graph.microsoft.com`).
    pub url: Url,
    /// What a token for it is asked for; none stands for its URL and `/.default`.
    pub scope: Option<String>,
    /// The enterprise application.
    pub principal: PrincipalId,
    /// The job; none stands for the only one there is, or the only one for SCIM.
    pub job_id: Option<String>,
    /// Entra's tenant URL, sent along with a candidate token.
    pub tenant_url: String,
}

/// Why there is no provisioner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A token would go out in the clear.
    #[error("Graph's URL {0} must begin with https://")]
    NotHttps(String),
    /// An id that is none.
    #[error("{0} is empty")]
    EmptyId(&'static str),
}

/// The object id behind an application id, once it has been looked up. Whoever makes the edge of a connection anew hands it on.
pub type ObjectId = Arc<Mutex<Option<Uuid>>>;

/// One provisioning job.
pub struct Graph {
    options: GraphOptions,
    scope: String,
    http: Http,
    login: Arc<dyn Login>,
    clock: Arc<dyn Clock>,
    resolved: ObjectId,
    /// The only job, once it has been looked up.
    found: Mutex<Option<String>>,
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What a call does if it is made twice, which tells what a lost answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twice {
    Same,
    Differs,
}

/// A call, of anything.
struct Call<'a> {
    method: Method,
    url: Url,
    body: Option<&'a Value>,
    twice: Twice,
    asked: Asked,
    /// What no answer that echoes it may show.
    secrets: &'a [&'a str],
}

impl Call<'_> {
    fn read(url: Url) -> Self {
        Self { method: Method::GET, url, body: None, twice: Twice::Same, asked: Asked::Other, secrets: &[] }
    }
}

/// A call of what lies below the service principal, whichever that is.
struct Below<'a> {
    method: Method,
    path: &'a [&'a str],
    query: Option<&'a str>,
    body: Option<&'a Value>,
    twice: Twice,
    asked: Asked,
    secrets: &'a [&'a str],
}

impl<'a> Below<'a> {
    fn read(path: &'a [&'a str]) -> Self {
        let (twice, asked) = (Twice::Same, Asked::Other);
        Self { method: Method::GET, path, query: None, body: None, twice, asked, secrets: &[] }
    }

    fn of(&self, graph: &Graph, principal: Uuid) -> Call<'a> {
        let mut url = join(&graph.base(PrincipalId::Object(principal)), self.path.iter().copied());
        url.set_query(self.query);
        let Self { twice, asked, body, secrets, .. } = *self;
        Call { method: self.method.clone(), url, body, twice, asked, secrets }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Graph {
    /// Checks the options. Nothing is sent yet. `clock` stands in where an answer bears no date.
    pub fn new(
        options: GraphOptions,
        http: Http,
        login: Arc<dyn Login>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, GraphError> {
        if options.url.scheme() != "https" {
            return Err(GraphError::NotHttps(options.url.to_string()));
        }
        if options.job_id.as_deref() == Some("") {
            return Err(GraphError::EmptyId("job_id"));
        }
        let own = || format!("{}/.default", options.url.origin().ascii_serialization());
        let scope = options.scope.clone().unwrap_or_else(own);
        Ok(Self { options, scope, http, login, clock, resolved: ObjectId::default(), found: Mutex::new(None) })
    }

    /// The same, which knows what others have looked up, as they know what it looks up.
    #[must_use]
    pub fn knowing(self, resolved: ObjectId) -> Self {
        Self { resolved, ..self }
    }

    /// Everything of a service principal lies below this.
    fn base(&self, principal: PrincipalId) -> Url {
        let path = principal.path();
        join(&self.options.url, ["v1.0"].into_iter().chain(path.split('/')))
    }

    /// The object id, looked up where the application id is configured.
    async fn object_id(&self) -> Result<Uuid, CallError> {
        let known = *lock(&self.resolved);
        match (self.options.principal, known) {
            (PrincipalId::Object(id), _) | (_, Some(id)) => Ok(id),
            (PrincipalId::Application(_), None) => self.look_up().await,
        }
    }

    async fn look_up(&self) -> Result<Uuid, CallError> {
        let mut url = self.base(self.options.principal);
        url.set_query(Some("$select=id"));
        let call = Call { asked: Asked::Lookup, ..Call::read(url) };
        let answer = self.send(&call).await?;
        let id = answer.json().as_ref().and_then(|json: &Value| Uuid::try_parse(json["id"].as_str()?).ok());
        let id = id.ok_or_else(|| errors::unreadable(&answer, "is no service principal"))?;
        tracing::debug!(app_id = %self.options.principal, object_id = %id, "the service principal was looked up");
        *lock(&self.resolved) = Some(id);
        Ok(id)
    }

    /// Calls what lies below the service principal. One that was looked up and is gone may have been made anew, under
    /// another object id, with other settings and jobs: then it is looked up, and asked once more what can be read. What
    /// changes something is not repeated there: whether a token may go to it, is to be seen first.
    async fn call(&self, call: Below<'_>) -> Result<Answer, CallError> {
        let id = self.object_id().await?;
        let error = match self.send(&call.of(self, id)).await {
            Err(error) if error.status == Some(404) => error,
            answer => return answer,
        };
        if matches!(self.options.principal, PrincipalId::Object(_)) {
            return Err(error);
        }
        *lock(&self.resolved) = None;
        if call.method != Method::GET {
            return Err(error);
        }
        match self.look_up().await? {
            same if same == id => Err(error),
            other => self.send(&call.of(self, other)).await,
        }
    }

    /// The configured job, or the only one.
    async fn job_id(&self) -> Result<String, CallError> {
        let known = lock(&self.found).clone();
        match self.options.job_id.clone().or(known) {
            Some(id) => Ok(id),
            None => self.only_job().await.map(|(id, _, _)| id),
        }
    }

    /// Lists the jobs, and takes the only one.
    async fn only_job(&self) -> Result<(String, Value, Answer), CallError> {
        let answer = self.call(Below::read(&["synchronization", "jobs"])).await?;
        let (id, job) = wire::only_job(&answer)?;
        *lock(&self.found) = Some(id.clone());
        Ok((id, job, answer))
    }

    async fn job_call(
        &self,
        verb: &str,
        body: Option<&Value>,
        twice: Twice,
        secrets: &[&str],
    ) -> Result<Answer, CallError> {
        let id = self.job_id().await?;
        let path = ["synchronization", "jobs", &id, verb];
        let call = Below { method: Method::POST, body, twice, secrets, ..Below::read(&path) };
        self.call(call).await.inspect_err(|error| self.forget_missing(error))
    }

    /// A job that was looked up and is gone has been made anew, under another id.
    fn forget_missing(&self, error: &CallError) {
        if error.status == Some(404) {
            *lock(&self.found) = None;
        }
    }

    /// One call. A 401 or 403 did nothing, and may come from a cached bearer that predates a grant: one new bearer, and
    /// once more.
    async fn send(&self, call: &Call<'_>) -> Result<Answer, CallError> {
        let Call { method, url, body, twice, asked, secrets } = call;
        // What a schema says of every attribute of two directories is long; everything else is short.
        let most = if url.path().ends_with("/schema") { LONG_BODY } else { MAX_BODY };
        let maybe = match twice {
            Twice::Same => Class::Retry { after: None },
            Twice::Differs => Class::Ambiguous,
        };
        let mut may_renew = true;
        loop {
            let bearer = self.login.bearer(&self.scope).await?;
            let id = Uuid::new_v4().to_string();
            let request = self
                .http
                .request(method.clone(), url.clone())
                .bearer_auth(bearer.expose_secret())
                .header(ACCEPT, "application/json")
                .header("client-request-id", &id);
            let request = match body {
                Some(body) => request.json(body),
                None if *method == Method::POST => request.header(CONTENT_LENGTH, "0"),
                None => request,
            };
            let answer = self.http.send_within(request, most).await.map_err(|failure| {
                // Of a request without an answer only our own name for it is known.
                CallError { request_id: Some(id), ..failure.into_call(SERVICE, maybe) }
            })?;
            if answer.is_success() {
                // Most of Graph's successes have no body to be misread, so a page would pass for one.
                return if answer.is_web_page() { Err(errors::web_page(&answer, maybe)) } else { Ok(answer) };
            }
            if may_renew && matches!(answer.status, 401 | 403) {
                may_renew = false;
                self.login.renew();
                continue;
            }
            let secrets = secrets.iter().copied().chain([bearer.expose_secret()]);
            return Err(errors::sort(&answer, *asked, maybe, &Redactor::new(secrets)));
        }
    }

    async fn validate(&self, body: &Value, secrets: &[&str]) -> Result<Verdict, CallError> {
        match self.job_call("validateCredentials", Some(body), Twice::Same, secrets).await {
            Ok(_) => Ok(Verdict::Accepted),
            Err(error) if errors::is_about_credentials(&error) => {
                tracing::debug!(
                    code = error.code,
                    request_id = error.request_id,
                    "Entra did not accept the credentials"
                );
                Ok(Verdict::NotAccepted)
            }
            Err(error) => Err(error),
        }
    }

    fn time_of(&self, answer: &Answer) -> Timestamp {
        answer.date().unwrap_or_else(|| self.clock.now())
    }
}

#[async_trait]
impl Provisioner for Graph {
    async fn job(&self) -> Result<Job, CallError> {
        let (job, answer) = match &self.options.job_id {
            Some(id) => {
                let answer = self.call(Below::read(&["synchronization", "jobs", id])).await?;
                (answer.json().unwrap_or_default(), answer)
            }
            // Listed each time, so that a second job is noticed.
            None => self.only_job().await.map(|(_, job, answer)| (job, answer))?,
        };
        wire::job(&job, self.time_of(&answer)).ok_or_else(|| errors::unreadable(&answer, "is no synchronization job"))
    }

    async fn settings(&self) -> Result<Settings, CallError> {
        let answer = self.call(Below::read(&["synchronization", "secrets"])).await?;
        let settings = answer.json().as_ref().and_then(wire::settings);
        settings.ok_or_else(|| errors::unreadable(&answer, "is no list of settings"))
    }

    async fn provision(&self, update: &SecretsUpdate) -> Result<Timestamp, CallError> {
        let body = wire::secrets(update);
        let secrets = [update.token.expose()];
        let path = ["synchronization", "secrets"];
        let call = Below { method: Method::PUT, body: Some(&body), secrets: &secrets, ..Below::read(&path) };
        let answer = self.call(Below { asked: Asked::Write, ..call }).await?;
        Ok(self.time_of(&answer))
    }

    async fn test_candidate(&self, token: &Token) -> Result<Verdict, CallError> {
        self.validate(&wire::candidate(&self.options.tenant_url, token), &[token.expose()]).await
    }

    async fn test_saved(&self) -> Result<Verdict, CallError> {
        self.validate(&serde_json::json!({"useSavedCredentials": true}), &[]).await
    }

    async fn pause(&self) -> Result<Timestamp, CallError> {
        let answer = self.job_call("pause", None, Twice::Differs, &[]).await?;
        Ok(self.time_of(&answer))
    }

    async fn start(&self) -> Result<Timestamp, CallError> {
        let answer = self.job_call("start", None, Twice::Differs, &[]).await?;
        Ok(self.time_of(&answer))
    }
}

#[cfg(test)]
mod tests;

//! A webhook: POSTs or GETs the URL that stands in a file, and sorts the answer into what the sender does next.
//!
//! The whole URL is a secret, since its path or its query is what lets somebody in. Only the host ever shows; neither an
//! answer's body nor the client's own words of where a request went do.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::http::{Answer as Reply, Failure, Http, Method, target};
use crate::messages::{Message, messages};
use crate::notify::{Answer, Webhook};
use crate::secret_file::SecretFile;

messages! {
    /// Why a webhook takes nothing.
    pub enum Refused {
        /// Of its file.
        NoUrl {
            shows: "\"the file of its URL holds none\"",
            means: "what stands in `url_file` is no URL, or none that begins with https://",
            remedy: "write the whole URL into the file, on one line; it is read anew at each try",
        }
        /// Its secret part.
        Forbidden {
            shows: "401, 403",
            means: "the URL is not whole, or has been withdrawn; of a workflow of Teams its signature (`sig`) is wrong, or whoever \
                    made it may not post there any more",
            remedy: "copy the URL anew into the file that `url_file` names, then scim-rotator notify test NAME",
        }
        /// Nobody there.
        Gone {
            shows: "404, 410",
            means: "there is no such webhook (any more); of Teams: the workflow was deleted, or turned off",
            remedy: "turn it on or make a new one, put its URL into the file, then scim-rotator notify test NAME",
        }
        /// Somewhere else.
        Redirected {
            shows: "301, 302, 307, 308",
            means: "the webhook is somewhere else; nothing is sent where nobody has said so",
            remedy: "write the new URL into the file that `url_file` names",
        }
        /// Whatever else.
        Disliked {
            shows: "any other 4xx",
            means: "the receiver does not take such a message",
            remedy: "see whether `kind` is right (\"teams\" for a workflow of Teams, \"json\" for a program), and what the receiver's own \
                     log says",
        }
    }
}

impl Refused {
    /// What stands for an answer that will be the same next time; none where it may be another one.
    const fn of(status: u16) -> Option<Self> {
        Some(match status {
            408 | 429 => return None,
            401 | 403 => Self::Forbidden,
            404 | 410 => Self::Gone,
            300..=399 => Self::Redirected,
            400..=499 => Self::Disliked,
            _ => return None,
        })
    }
}

/// The URL in a file, and the one client to reach it by.
#[derive(Clone, Debug)]
pub struct FileWebhook {
    url: SecretFile,
    http: Http,
}

impl FileWebhook {
    /// Reads and sends nothing yet. The file is read anew at each call.
    pub fn new(url: SecretFile, http: Http) -> Self {
        Self { url, http }
    }

    async fn send(&self, method: Method, body: Option<&Value>) -> Answer {
        let later = |what: String| Answer::Later { what, after: None };
        let secret = match self.url.read() {
            Ok(secret) => secret,
            Err(error) => return later(error.to_string()),
        };
        let Some(url) = parsed(&secret) else {
            let Message { means, remedy, .. } = Refused::NoUrl.message();
            let path = self.url.path().display();
            return later(format!("the file of its URL holds none: {path} — {means}: {remedy}"));
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        let hidden = target(&method, &url);
        let request = self.http.request(method, url);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        match self.http.send(request).await {
            Ok(reply) => sorted(&host, &reply),
            Err(failure) => later(told(&host, &hidden, failure)),
        }
    }
}

#[async_trait]
impl Webhook for FileWebhook {
    async fn post(&self, body: &Value) -> Answer {
        self.send(Method::POST, Some(body)).await
    }

    async fn call(&self) -> Answer {
        self.send(Method::GET, None).await
    }
}

fn parsed(secret: &SecretString) -> Option<Url> {
    Url::parse(secret.expose_secret().trim()).ok().filter(|url| url.scheme() == "https" && url.has_host())
}

fn sorted(host: &str, reply: &Reply) -> Answer {
    let what = format!("{host} answered {}", reply.status);
    match Refused::of(reply.status) {
        _ if reply.is_success() => Answer::Taken(what),
        Some(refused) => Answer::Refused(format!("{what} — {}", refused.message().advice())),
        None => Answer::Later { what, after: reply.retry_after() },
    }
}

/// What came in the way, with the host in place of the target.
fn told(host: &str, hidden: &str, Failure { what, advice, source, .. }: Failure) -> String {
    let what = what.strip_prefix(hidden).map_or_else(|| ": it could not be asked".to_owned(), str::to_owned);
    let source = source.map(|cause| format!(": {cause}")).unwrap_or_default();
    let advice = advice.map(|advice| format!(" — {advice}")).unwrap_or_default();
    format!("{host}{what}{source}{advice}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::edge::testing::serve;

    const SECRET: &str = "s1gnature-canary";

    fn webhook(http: Http, url: &str) -> (tempfile::TempDir, FileWebhook) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        std::fs::write(&file, format!("{url}\n")).unwrap();
        (folder, FileWebhook::new(SecretFile::new(file), http))
    }

    #[tokio::test]
    async fn an_answer_is_taken_refused_with_a_remedy_or_comes_later() {
        let app = Router::new().fallback(|request: Request| async move {
            assert_eq!(request.uri().query(), Some(format!("sig={SECRET}").as_str()));
            let status = request.uri().path().trim_matches('/').parse().unwrap();
            (StatusCode::from_u16(status).unwrap(), [("retry-after", "7")])
        });
        let (http, base) = serve(app).await;
        for (status, expected) in [
            (200, "taken"),
            (202, "taken"),
            (307, "write the new URL"),
            (400, "see whether `kind` is right"),
            (403, "copy the URL anew"),
            (410, "there is no such webhook"),
            (408, "later"),
            (429, "later"),
            (500, "later"),
            (503, "later"),
        ] {
            let (_folder, webhook) = webhook(http.clone(), &format!("{base}{status}?sig={SECRET}"));
            let told = match webhook.post(&json!({"a": 1})).await {
                Answer::Taken(by) => format!("taken {by}"),
                Answer::Later { what, after } => {
                    assert_eq!(after, Some(Duration::from_secs(7)));
                    format!("later {what}")
                }
                Answer::Refused(what) => what,
            };
            assert!(told.contains(expected) && told.contains(&format!("kv.fake.test answered {status}")), "{told}");
        }
    }

    #[tokio::test]
    async fn whatever_is_wrong_with_a_url_may_be_mended_and_no_part_of_it_but_the_host_shows() {
        let (http, base) = serve(Router::new()).await;
        let port = base.port().unwrap();
        for (url, words) in [
            (format!("http://kv.fake.test:{port}/{SECRET}"), "the file of its URL holds none"),
            (format!("https:{SECRET}"), "kv.fake"),
            (SECRET.to_owned(), "the file of its URL holds none"),
            (format!("https://kv.fake.test:1/{SECRET}?sig={SECRET}"), "kv.fake.test: "),
            (format!("https://{SECRET}:{SECRET}@192.0.2.1/{SECRET}#{SECRET}"), "only loopback may be reached"),
        ] {
            let (_folder, webhook) = webhook(http.clone(), &url);
            for answer in [webhook.post(&json!({})).await, webhook.call().await] {
                let Answer::Later { what, after: None } = answer else { panic!("{answer:?}") };
                // A URL of a host alone is one of its secret's: nobody can tell.
                let is_host = url.starts_with("https:s1");
                assert!(is_host || what.contains(words) && !what.contains(SECRET), "{what}");
            }
            assert!(!format!("{webhook:?}").contains(SECRET));
        }
        let gone = FileWebhook::new(SecretFile::new("/nonexistent/url".into()), http);
        assert!(matches!(gone.call().await, Answer::Later { what, .. } if what.contains("does not exist")));
    }
}

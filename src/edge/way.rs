//! The way to a host for the doctor: name, connection, TLS, and the clock behind it. Shows no secret to anybody.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use url::Url;
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};

use super::http::{Failure, Http, Redactor, Shown as Seen};
use crate::doctor::{Greeting, Shown, Snag, Way, Ways};
use crate::domain::Timestamp;
use crate::ports::Clock;

/// A `Date` tells whole seconds.
const TICK: TimeDelta = TimeDelta::seconds(1);

/// Walks by the one client.
pub struct HttpWays {
    http: Http,
    clock: Arc<dyn Clock>,
}

impl HttpWays {
    /// Nothing is sent yet.
    pub fn new(http: Http, clock: Arc<dyn Clock>) -> Self {
        Self { http, clock }
    }

    /// Asks for the host's front page down a new connection. Whatever it answers, it has been reached.
    async fn greet(&self, url: &Url) -> (Vec<Shown>, Result<Greeting, Snag>) {
        let mut front = url.clone();
        front.set_path("/");
        front.set_query(None);
        let (before, began) = (self.clock.now(), self.clock.elapsed());
        let (Seen { chain, version }, answer) = self.http.greet(front).await;
        let took = (self.clock.elapsed() - began).to_std().unwrap_or_default();
        let shown = chain.iter().filter_map(|der| self.shown(der)).collect();
        let greeting = answer.map(|answer| {
            let ahead = answer.date().map(|date| ahead(date, before, self.clock.now()));
            Greeting { ahead, version, took }
        });
        (shown, greeting.map_err(snag))
    }

    /// None where it cannot be read. A server may write into its certificate whatever it likes.
    fn shown(&self, der: &[u8]) -> Option<Shown> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let words = Redactor::new([]);
        let moment = |time: ASN1Time| Timestamp::from_timestamp(time.timestamp(), 0).unwrap_or_default();
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(words.clean(name)),
            _ => None,
        });
        Some(Shown {
            subject: words.clean(&certificate.subject().to_string()),
            names: names.collect(),
            issuer: words.clean(&certificate.issuer().to_string()),
            is_by_file: self.http.names_issuer(&certificate),
            begins: moment(certificate.validity().not_before),
            ends: moment(certificate.validity().not_after),
        })
    }
}

#[async_trait]
impl Ways for HttpWays {
    async fn walk(&self, url: &Url) -> Way {
        let proxy = self.http.way_of(url);
        let addresses = match self.http.resolve(url).await {
            Ok(addresses) => addresses,
            Err(failure) => {
                return Way { proxy, resolved: Err(snag(failure)), connected: None, shown: Vec::new(), answered: None };
            }
        };
        let connected = self.http.knock(url, &addresses).await.map(|address| address.ip()).map_err(snag);
        let (shown, answered) = match connected {
            Ok(_) => {
                let (shown, greeting) = self.greet(url).await;
                (shown, Some(greeting))
            }
            Err(_) => (Vec::new(), None),
        };
        let resolved = Ok(addresses.iter().map(std::net::SocketAddr::ip).collect());
        Way { proxy, resolved, connected: Some(connected), shown, answered }
    }
}

/// How far a clock that showed `date` at some moment between `before` and `after` is ahead of ours, at least.
fn ahead(date: Timestamp, before: Timestamp, after: Timestamp) -> TimeDelta {
    if date > after {
        date - after
    } else if date + TICK < before {
        date + TICK - before
    } else {
        TimeDelta::zero()
    }
}

fn snag(failure: Failure) -> Snag {
    let cause = failure.source.map(|cause| format!(": {cause}")).unwrap_or_default();
    Snag { what: format!("{}{cause}", failure.what), advice: failure.advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_exchange_or_the_whole_seconds_of_a_date_explain_is_no_difference() {
        let at = |seconds: i64| Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        let table = [(100, 0), (109, 0), (110, 0), (99, 0), (98, -1), (40, -59), (111, 1), (410, 300)];
        for (date, expected) in table {
            assert_eq!(ahead(at(date), at(100), at(110)), TimeDelta::seconds(expected), "{date}");
        }
    }
}

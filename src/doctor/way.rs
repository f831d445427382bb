//! Names, connections, TLS and clocks: each host of a connection, once.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use url::Url;

use super::{Check, Greeting, Questions, Snag, Subject, Way, chain, fixes};
use crate::domain::Timestamp;
use crate::words::span;

/// From here on a clock is worth a look: bearers of 15 minutes lose part of their life.
const ODD: TimeDelta = TimeDelta::seconds(60);
/// From here on logins are refused: Entra allows five minutes.
const OFF: TimeDelta = TimeDelta::minutes(5);

/// Which hosts answered, and which did not.
#[derive(Debug, Default)]
pub(super) struct Reached(BTreeMap<String, bool>);

impl Reached {
    /// The host's name, if it could not be reached.
    pub fn failed(&self, url: &Url) -> Option<String> {
        let host = place(url);
        self.0.get(&host).is_some_and(|reached| !reached).then(|| format!("the way to {host}"))
    }
}

/// Host, and port where it is not the usual one.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

pub(super) async fn all(subject: &Subject, ask: &Questions, checks: &mut Vec<Check>) -> Reached {
    let Subject { graph_login, vault_login, graph, vault, hpe, hpe_login, tenant_url, .. } = subject;
    let logins = [graph_login.as_ref(), vault_login.as_ref()];
    let services = [Some(graph), Some(vault), hpe_login.as_ref(), hpe.as_ref(), Some(tenant_url)];
    let mut reached = Reached::default();
    for url in logins.into_iter().chain(services).flatten() {
        let host = place(url);
        if reached.0.contains_key(&host) {
            continue;
        }
        let way = ask.ways.walk(url).await;
        reached.0.insert(host.clone(), matches!(way.answered, Some(Ok(_))));
        checks.extend(hops(url, &way, ask.clock.now()).into_iter().map(|check| check.of(&host)));
    }
    reached
}

fn host_and_port(url: &Url) -> (&str, u16) {
    (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443))
}

fn hops(url: &Url, way: &Way, now: Timestamp) -> [Check; 4] {
    let shown = |proxy: &Url| format!(" (the proxy {})", proxy.origin().ascii_serialization());
    let through = way.proxy.as_ref().map(shown).unwrap_or_default();
    let [service, first] = [url, way.proxy.as_ref().unwrap_or(url)].map(host_and_port);
    let dns = match &way.resolved {
        Ok(addresses) => {
            let addresses: Vec<_> = addresses.iter().take(8).map(ToString::to_string).collect();
            Check::ok("dns", format!("{}{through}", addresses.join(", ")))
        }
        Err(snag) => failed("dns", snag, &fixes::name(first.0)),
    };
    let tcp = match &way.connected {
        Some(Ok(address)) => Check::ok("tcp", format!("{address} takes connections{through}")),
        Some(Err(snag)) => failed("tcp", snag, &fixes::port(first)),
        None => Check::skipped("tcp", "dns"),
    };
    let look = fixes::chain(service, way.proxy.as_ref().map(|_| first));
    let tls = match &way.answered {
        Some(Ok(greeting)) => chain::trusted(&way.shown, greeting, now, &look),
        Some(Err(snag)) => {
            let what = format!("{}{}", snag.what, chain::told(&way.shown));
            failed("tls", &Snag { what, advice: snag.advice.clone() }, &look)
        }
        None => Check::skipped("tls", if way.resolved.is_ok() { "tcp" } else { "dns" }),
    };
    let clock = match &way.answered {
        Some(Ok(Greeting { ahead: Some(ahead), .. })) => clock(*ahead),
        Some(Ok(Greeting { ahead: None, .. })) => Check::warning("clock", "the answer bears no date"),
        _ => Check::skipped("clock", "tls"),
    };
    [dns, tcp, tls, clock]
}

fn failed(hop: &'static str, snag: &Snag, fix: &str) -> Check {
    let advice = snag.advice.as_ref().map(|advice| format!("{advice}\n")).unwrap_or_default();
    Check::fault(hop, &snag.what).fix(format!("{advice}{fix}"))
}

fn clock(ahead: TimeDelta) -> Check {
    let off = ahead.abs();
    let which = if ahead > TimeDelta::zero() { "behind" } else { "ahead of" };
    let said = format!("this machine's clock is {} {which} the server's", span(off));
    match off {
        _ if off >= OFF => Check::fault("clock", said).fix(fixes::CLOCK),
        _ if off >= ODD => Check::warning("clock", said).fix(fixes::CLOCK),
        _ => Check::ok("clock", "this machine's clock and the server's agree to the minute"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off_in_either_direction() {
        let table = [
            (0, Outcome::Ok),
            (59, Outcome::Ok),
            (60, Outcome::Warning),
            (299, Outcome::Warning),
            (300, Outcome::Fault),
            (90_000, Outcome::Fault),
        ];
        for (seconds, outcome) in table {
            for sign in [1, -1] {
                assert_eq!(clock(TimeDelta::seconds(sign * seconds)).outcome, outcome, "{sign} {seconds}");
            }
        }
        assert!(clock(TimeDelta::minutes(7)).evidence.contains("7m behind the server's"));
        assert!(clock(TimeDelta::minutes(-7)).evidence.contains("7m ahead of the server's"));
    }
}

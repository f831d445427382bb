//! The certificates of a host: whom they name, who has signed them, and when the host's own ends.

use chrono::TimeDelta;

use super::questions::minute;
use super::{Check, Greeting, Shown};
use crate::domain::Timestamp;
use crate::words::span;

const HOP: &str = "tls";
/// A server's certificate is renewed weeks before it ends; one that lives for days only, in its last third at the latest.
const SOON: TimeDelta = TimeDelta::days(7);
/// So many of the names that a certificate is good for are shown.
const NAMES: usize = 3;

/// A chain that was accepted.
pub(super) fn trusted(shown: &[Shown], greeting: &Greeting, now: Timestamp, look: &str) -> Check {
    let version = greeting.version.unwrap_or("TLS");
    let took = greeting.took.as_millis();
    let said = format!("{version}, and the certificate is trusted; the first answer took {took} ms{}", told(shown));
    let Some(own) = shown.first() else { return Check::ok(HOP, said) };
    let left = own.ends - now;
    if left >= SOON.min((own.ends - own.begins) / 3) {
        return Check::ok(HOP, said);
    }
    let fix = "whoever runs this host, or the proxy that signs for it, has to renew its certificate: from its end on nothing \
               is sent there";
    Check::warning(HOP, format!("the certificate ends in {}. {said}", span(left))).fix(format!("{fix}\n{look}"))
}

/// What was shown, to be put behind a sentence; nothing where nothing was.
pub(super) fn told(shown: &[Shown]) -> String {
    let (Some(own), Some(top)) = (shown.first(), shown.last()) else { return String::new() };
    let names = match own.names.as_slice() {
        [] => String::new(),
        names => {
            let more = if names.len() > NAMES { format!(" and {} more", names.len() - NAMES) } else { String::new() };
            format!(" for {}{more}", names[..names.len().min(NAMES)].join(", "))
        }
    };
    // Who sends a root along shows it as its own issuer.
    let mut issuers: Vec<_> = shown.iter().map(|certificate| certificate.issuer.as_str()).collect();
    issuers.dedup();
    let by_file = if top.is_by_file { " (http.ca_file has a CA of that name)" } else { "" };
    let (subject, begins, ends) = (&own.subject, minute(own.begins), minute(own.ends));
    format!(
        ". Shown was {subject}{names}, good from {begins} until {ends}, signed by {}{by_file}",
        issuers.join(", that by ")
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::doctor::Outcome;

    fn certificate(subject: &str, issuer: &str, life: TimeDelta) -> Shown {
        let begins = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let (subject, issuer) = (subject.to_owned(), issuer.to_owned());
        Shown { subject, names: Vec::new(), issuer, is_by_file: false, begins, ends: begins + life }
    }

    #[test]
    fn a_certificate_that_ends_within_a_week_is_a_warning_and_a_short_one_in_its_last_third() {
        let hours = TimeDelta::hours;
        let table = [
            (hours(90 * 24), hours(7 * 24), Outcome::Ok),
            (hours(90 * 24), hours(7 * 24 - 1), Outcome::Warning),
            (hours(6 * 24), hours(48), Outcome::Ok),
            (hours(6 * 24), hours(47), Outcome::Warning),
            (hours(90 * 24), hours(-1), Outcome::Warning),
        ];
        let greeting = Greeting { ahead: None, version: Some("TLS 1.3"), took: Duration::ZERO };
        for (life, left, outcome) in table {
            let own = certificate("CN=vault", "CN=A", life);
            let now = own.ends - left;
            assert_eq!(trusted(&[own], &greeting, now, "look").outcome, outcome, "{life} {left}");
        }
    }

    #[test]
    fn the_chain_is_told_from_the_hosts_own_to_whoever_signed_last_and_a_root_that_is_sent_along_once() {
        let life = TimeDelta::days(90);
        let mut chain = vec![certificate("CN=vault", "CN=A", life), certificate("CN=A", "CN=Root", life)];
        chain[0].names = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        let told_so = told(&chain);
        assert!(told_so.contains("CN=vault for a, b, c and 2 more, good from 2027-01-15"), "{told_so}");
        assert!(told_so.ends_with("signed by CN=A, that by CN=Root"), "{told_so}");
        chain.push(Shown { is_by_file: true, ..certificate("CN=Root", "CN=Root", life) });
        assert!(told(&chain).ends_with("that by CN=Root (http.ca_file has a CA of that name)"), "{}", told(&chain));
        assert_eq!(told(&[]), "");
    }
}

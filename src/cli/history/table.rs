//! A history for people: a table with a line for each deed, and below it what a line has no room for.

use std::io::{self, Write};

use chrono::TimeDelta;

use super::History;
use crate::cli::columns::{self, minute};
use crate::domain::history::{Deed, Standing, What};
use crate::domain::{Reason, Timestamp};
use crate::words::span;

const HEAD: [&str; 7] = ["WHEN", "WHAT", "WHY", "TOKEN", "STAGE", "TOOK", "EXPIRES"];

/// Writes the whole history.
pub(super) fn write(history: &History<'_>, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let History { connection, vault, secret, versions, disabled, .. } = history;
    let vault = vault.trim_end_matches('/');
    if history.deeds.is_empty() {
        return writeln!(out, "{connection}: nothing yet; {vault} holds no version of {secret}");
    }
    let count = if *versions == 1 { "1 version".to_owned() } else { format!("{versions} versions") };
    writeln!(out, "{connection}: {count} of {secret} in {vault}, {disabled} of them disabled")?;
    if let Some(until) = history.held_until {
        let word = if until > now { "rotations by policy are held until" } else { "the last hold on rotations ended" };
        writeln!(out, "{word} {}", minute(until))?;
    }
    writeln!(out)?;
    columns::write(HEAD, &history.deeds.iter().map(row).collect::<Vec<_>>(), out)?;
    history.deeds.iter().try_for_each(|deed| details(deed, out))
}

fn row(deed: &Deed) -> [String; 7] {
    let dash = || "-".to_owned();
    let source = deed.expiry_source.map(|source| format!(" ({source})")).unwrap_or_default();
    [
        minute(deed.at),
        name(deed.what).to_owned(),
        deed.reason.as_deref().map_or_else(dash, printable),
        deed.token.as_ref().map_or_else(dash, |token| printable(&token.to_string())),
        stage(deed),
        deed.took_seconds.map_or_else(dash, |seconds| span(TimeDelta::seconds(seconds))),
        deed.expires.map_or_else(dash, |at| format!("{}{source}", minute(at))),
    ]
}

fn name(what: What) -> &'static str {
    match what {
        What::Rotated => "rotated",
        What::Asked => "asked",
        What::Planned => "planned",
        What::NotIssued => "not issued",
        What::Brought => "brought",
        What::StoredAgain => "stored again",
        What::TakenBack => "taken back",
        What::Foreign => "foreign",
        What::Damaged => "damaged",
    }
}

fn stage(deed: &Deed) -> String {
    let stage = match deed.standing {
        Some(Standing::Pending) => "pending",
        Some(Standing::Current) => "current",
        Some(Standing::Previous) => "previous",
        Some(Standing::Rejected) => "rejected",
        None => "",
    };
    match (stage, deed.enabled) {
        ("", true) => "-".to_owned(),
        ("", false) => "disabled".to_owned(),
        (stage, true) => stage.to_owned(),
        (stage, false) => format!("{stage}, disabled"),
    }
}

fn details(deed: &Deed, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{} {}: {}", minute(deed.at), name(deed.what), meaning(deed))?;
    if deed.issued.is_some() && deed.what != What::StoredAgain {
        writeln!(out, "  {}", course(deed))?;
        let seen =
            |what, at: Option<Timestamp>| at.map_or(format!("not {what}"), |at| format!("{what} {}", minute(at)));
        writeln!(out, "  {}, {}", seen("confirmed", deed.confirmed), seen("proven", deed.proven))?;
    } else if let Some(asked) = deed.asked {
        writeln!(out, "  the issuer was asked {}", second(asked))?;
    }
    match (deed.paused, deed.resumed) {
        (Some(paused), Some(resumed)) => {
            writeln!(out, "  job paused {}, for {}", second(paused), span(resumed - paused))?;
        }
        (Some(paused), None) => {
            writeln!(out, "  job paused {}, and no label tells that it runs again", second(paused))?
        }
        (None, _) => (),
    }
    if deed.standing == Some(Standing::Rejected) || deed.aside.is_some() {
        let aside = deed.aside.as_deref().map_or("no label keeps why".to_owned(), in_words);
        writeln!(out, "  put aside: {aside}")?;
    }
    if let Some(began) = deed.started_for_quarantine {
        writeln!(out, "  job started to end the quarantine that began {}", minute(began))?;
    }
    if let Some(until) = deed.held_until {
        writeln!(out, "  a hold was written onto it, until {}", minute(until))?;
    }
    if let Some(by) = &deed.written_by {
        let at = deed.written_at.map(|at| format!(", {}", minute(at))).unwrap_or_default();
        writeln!(out, "  last written by {}{at}", printable(by))?;
    }
    let plural = if deed.versions.len() == 1 { "version" } else { "versions" };
    writeln!(out, "  {plural} {}", deed.versions.join(", "))
}

/// Why, and by which mode, as a sentence; else what the deed itself means.
fn meaning(deed: &Deed) -> String {
    let mode = deed.mode.map(|mode| format!(" ({mode})")).unwrap_or_default();
    let outcome = match deed.what {
        What::Asked => "; no token of it is stored: it is under way, or the answer was lost",
        What::Planned => "; nobody has been asked: it is under way, or was broken off",
        What::NotIssued => "; the issuer made no token",
        _ => "",
    };
    let why = match (deed.what, &deed.reason) {
        (What::Damaged, _) => {
            let tag = deed.damaged_tag.as_deref().unwrap_or_default();
            format!("somebody has edited its tags: {} cannot be read", printable(tag))
        }
        (What::Foreign, _) => "somebody else stored it, and it has not been taken over".to_owned(),
        (What::Brought, Some(reason)) if reason == Reason::Ordered.name() => "a person brought it".to_owned(),
        (_, Some(reason)) => in_words(reason),
        (What::Brought, None) if deed.issued.is_none() => "somebody stored it, and it is no token".to_owned(),
        (What::Brought, None) => "somebody brought or stored it".to_owned(),
        (What::StoredAgain, None) => "the token that was current, once more as the latest version".to_owned(),
        (What::TakenBack, None) => Reason::TookEffectLate.sentence().to_owned(),
        (_, None) => "no label keeps why".to_owned(),
    };
    format!("{why}{mode}{outcome}")
}

/// The way of a token to Entra, as moments and the times between them.
fn course(deed: &Deed) -> String {
    let rotated = deed.what == What::Rotated;
    let mut told: Vec<String> = deed.asked.map(|at| format!("asked {}", second(at))).into_iter().collect();
    let from = deed.asked.or(deed.stored);
    let after = |at| from.map(|from| format!(" ({} later)", span(at - from))).unwrap_or_default();
    let moment = |at| if rotated { after(at) } else { format!(" {}", second(at)) };
    told.extend(deed.issued.filter(|_| rotated).map(|at| format!("issued{}", moment(at))));
    told.extend(deed.stored.map(|at| format!("stored{}", moment(at))));
    told.push(deed.given.map_or("not given to Entra".to_owned(), |at| format!("given to Entra{}", after(at))));
    told.join(", ")
}

/// The sentence of a reason, with its name; a name that is none as it stands.
fn in_words(name: &str) -> String {
    match (name, Reason::ALL.iter().find(|reason| reason.name() == name)) {
        (_, Some(reason)) => format!("{} [{name}]", reason.sentence()),
        ("no-token", _) => "it holds no token".to_owned(),
        ("known-already", _) => "it holds a token that was known already".to_owned(),
        _ => printable(name),
    }
}

fn second(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A tag is whatever somebody has written there: nothing in it may steer a terminal.
fn printable(text: &str) -> String {
    let turns_text_around =
        |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns_text_around(c) { '\u{fffd}' } else { c }).collect()
}

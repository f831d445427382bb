//! One connection on the page.

use maud::{Markup, html};

use super::care::{Care, doubt};
use super::coming::Coming;
use super::{lifeline, words};
use crate::admin::health::{Fault, Why, faults_of};
use crate::admin::looks::Seen;
use crate::domain::history::What;
use crate::domain::{ExpirySource, Reason, Timestamp};
use crate::engine::Report;
use crate::engine::report::{JobReport, Kind, Recent, TokenReport};

/// To the page of a connection. One that is refused may be known by the path of its file only, and has none.
pub fn link(name: &str) -> Markup {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    html! { @if is_name { a href={ "/connections/" (name) } { (name) } } @else { (name) } }
}

/// To the page of the runbook.
fn reason(reason: &str) -> Markup {
    html! { a.reason href={ "/runbook/" (reason) } { (reason) } }
}

/// All that is known of it. `level` is that of its heading.
pub fn card(seen: &Seen, now: Timestamp, level: u8) -> Markup {
    let faults = faults_of(seen, now);
    let care = Care::of(seen, !faults.is_empty(), now);
    let (class, badge) = badge(seen, care);
    html! {
        article class={ "card " (class) } aria-label=(seen.connection) {
            header {
                @if level == 1 { h1 { (seen.connection) } } @else { h2 { (link(&seen.connection)) } }
                span.badge { (badge) }
                @if let Some(step) = seen.step.filter(|step| !step.is_empty()) { span.step { (step) "…" } }
            }
            @match &seen.report {
                None => p { "It has not been looked at yet." },
                Some(report) => {
                    @if let Some(sentence) = concern(seen, care) { p.warn { strong { (sentence) } } }
                    (known(report, &faults, now))
                }
            }
        }
    }
}

/// How it stands, in a word.
fn badge(seen: &Seen, care: Care) -> (&'static str, &'static str) {
    let kind = seen.report.as_ref().map(|report| report.standing.kind);
    match (care, kind) {
        (_, Some(Kind::NeedsHuman)) => ("bad", "needs a person"),
        (Care::Unwell, _) => ("bad", "not well"),
        (Care::Late, _) => ("warn", "slack is low"),
        (Care::Uncertain, _) => ("warn", doubt(seen).map_or("not certain", |(badge, _)| badge)),
        _ if seen.step.is_some_and(|step| !step.is_empty()) => ("busy", "at work"),
        (_, None) => ("unknown", "not seen yet"),
        (_, Some(Kind::Idle)) => ("good", "well"),
        (_, Some(Kind::Due)) => ("busy", "due"),
        (_, Some(Kind::Unfinished)) => ("busy", "under way"),
        (_, Some(Kind::Unknown)) => ("warn", "not certain"),
    }
}

/// What is to be said of one of which nothing is wrong.
fn concern(seen: &Seen, care: Care) -> Option<&'static str> {
    match care {
        Care::Late => Some("The slack is low: the token is overdue, and its last safe moment comes near."),
        Care::Uncertain => doubt(seen).map(|(_, sentence)| sentence),
        Care::Unwell | Care::Rests => None,
    }
}

fn known(report: &Report, faults: &[Fault], now: Timestamp) -> Markup {
    let standing = &report.standing;
    html! {
        @for fault in faults.iter().filter(|fault| fault.why != Why::NeedsHuman) { p.fault { strong { (fault.sentence) "." } " " (reason(&fault.page)) } }
        p.standing { (sentence(report, now)) " " (reason(standing.reason.name())) }
        @if let Some(error) = &standing.error { pre.error tabindex="0" { (error) } }
        @if let Some(remedy) = &standing.remedy { p.remedy { strong { "To do: " } (remedy) } }
        @if let Some(token) = &report.token { (lifeline::picture(token, now)) }
        dl {
            @if let Some(token) = &report.token { (of_token(token, Coming::of(report, now), now)) }
            @if let Some(job) = &report.job { (of_job(job, now)) }
            @if let Some(until) = report.held_until { div { dt { "Held" } dd { "until " (words::moment(until)) } } }
            @if !report.recent.is_empty() {
                div { dt { "Last tokens" } dd { ol.recent { @for one in &report.recent { li { (recent(one, now)) } } } } }
            }
        }
        @if !report.warnings.is_empty() { ul.warnings { @for warning in &report.warnings { li { (warning) } } } }
        @if let Some(at) = report.seen_at { p.seen { "Looked at " (words::relative(at, now)) "." } }
    }
}

/// What is done or waited for, and until when.
fn sentence(report: &Report, now: Timestamp) -> Markup {
    let standing = &report.standing;
    let said = standing.sentence();
    let (said, _) = said.split_once(" (next: ").unwrap_or((&said, ""));
    let (first, rest) = said.split_at_checked(1).unwrap_or((said, ""));
    html! {
        (first.to_uppercase()) (rest) "."
        @if let Some(next) = standing.next.filter(|next| *next > now && standing.kind != Kind::NeedsHuman) { " Next " (words::relative(next, now)) "." }
    }
}

fn of_token(token: &TokenReport, coming: Option<Coming>, now: Timestamp) -> Markup {
    let is_low = token.slack_low().is_some_and(|low| low <= now);
    html! {
        div {
            dt { "Slack" }
            dd {
                @match token.last_safe_moment {
                    Some(safe) if safe > now => strong.warn[is_low] { (words::span(safe - now)) },
                    Some(safe) => strong.bad { "gone since " (words::span(now - safe)) },
                    None => "unknown: nothing says when the token dies",
                }
            }
        }
        @if let Some(coming) = coming {
            div {
                dt { "Next rotation" }
                dd {
                    (coming.said(now))
                    @if let Some(why) = token.due_reason { " – " (why.sentence()) @if token.window.is_some() && why != Reason::LastSafeMoment { ", in its window" } }
                }
            }
        }
        div {
            dt { "Token" }
            dd {
                code { (token.id) } " " (token.stage) ", issued " (words::relative(token.issued, now))
                @if let Some(expires) = token.expires { ", dies " (words::relative(expires, now)) }
                @if let Some(source) = token.expiry_source { " (" (says(source)) ")" }
                @if let Some(confirmed) = token.confirmed { "; confirmed " (words::day(confirmed)) }
                @if let Some(proven) = token.proven { "; proven " (words::day(proven)) }
            }
        }
    }
}

/// Who says when a token dies.
fn says(source: ExpirySource) -> &'static str {
    match source {
        ExpirySource::Pointer | ExpirySource::Field | ExpirySource::Ttl => "says the issuer",
        ExpirySource::Jwt => "says the token itself",
        ExpirySource::Vault => "says the vault",
        ExpirySource::Assumed => "assumed: nothing the issuer said confirms it",
    }
}

fn of_job(job: &JobReport, now: Timestamp) -> Markup {
    html! {
        div {
            dt { "Provisioning" }
            dd {
                (job.state.name())
                @if let (Some(cycle), Some(ended)) = (job.last_cycle, job.last_cycle_ended) {
                    ", last cycle " (cycle.words()) " " (words::relative(ended, now))
                }
                @if let Some(quarantine) = &job.quarantine {
                    "; in quarantine"
                    @if let Some(began) = quarantine.began { " since " (words::moment(began)) }
                    @if let Some(disabled) = quarantine.disabled_at { ", given up by Entra " (words::relative(disabled, now)) }
                    @if let Some(next) = quarantine.next_attempt { ", tried again by Entra " (words::relative(next, now)) }
                }
            }
        }
    }
}

fn recent(one: &Recent, now: Timestamp) -> Markup {
    let what = match one.what {
        What::Rotated => "rotated",
        What::Asked => "asked for, not stored",
        What::Brought => "brought",
        _ => "taken back",
    };
    html! {
        (words::moment(one.at)) " (" (words::relative(one.at, now)) "): " (what)
        @if let Some(why) = &one.reason { " for " (reason(why)) }
        @if let Some(took) = one.took_seconds { ", with Entra after " (words::span(chrono::TimeDelta::seconds(took))) }
    }
}

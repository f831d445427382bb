//! The status page: "is all well, and until when?", whole without JavaScript, with nothing from anywhere else.

mod card;
mod lifeline;
mod markdown;
mod words;

use std::cmp::Reverse;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use url::form_urlencoded;

use super::Host;
use crate::admin::health::{Why, whys};
use crate::admin::looks::Seen;
use crate::domain::{JobState, Reason, Timestamp};
use crate::engine::report::Kind;
use crate::runbook::INDEX;

/// The style of every page.
pub const STYLE: &str = include_str!("style.css");
/// Keeps a page fresh.
pub const SCRIPT: &str = include_str!("page.js");

/// So many connections are shown on one page.
const A_PAGE: usize = 50;

/// What is known of all connections together.
#[derive(Default)]
struct Sum {
    tended: usize,
    unwell: usize,
    unseen: usize,
    /// Their last look could not tell.
    uncertain: usize,
    at_work: usize,
    /// The first last safe moment, and whose.
    safe_until: Option<(Timestamp, String)>,
    /// The next rotation, and whose.
    next: Option<(Timestamp, String)>,
}

/// One connection's place on the page: what is wrong comes first, then whose slack ends first.
type Place = (Reverse<bool>, Option<Timestamp>, String);

impl Sum {
    fn add(&mut self, seen: &Seen, faults: &[Why]) {
        self.tended += 1;
        self.unwell += usize::from(!faults.is_empty());
        let standing = seen.report.as_ref().map(|report| &report.standing);
        let is_refused = standing.is_some_and(|standing| standing.reason == Reason::ConfigRefused);
        let is_unseen = seen.times.seen_well.is_none() && !is_refused;
        self.unseen += usize::from(is_unseen);
        // A job that stands still without us may be meant to, and nobody is provisioned all the same.
        let job = seen.report.as_ref().and_then(|report| report.job.as_ref());
        let stands_still = job.is_some_and(|job| job.state != JobState::Active);
        let is_uncertain = standing.is_some_and(|standing| match standing.kind {
            Kind::Unknown => true,
            Kind::Idle => stands_still,
            _ => false,
        });
        self.uncertain += usize::from(!is_unseen && is_uncertain);
        self.at_work += usize::from(seen.step.is_some_and(|step| !step.is_empty()));
        let token = seen.report.as_ref().and_then(|report| report.token.as_ref());
        let first = |best: &mut Option<(Timestamp, String)>, at: Option<Timestamp>| {
            if let Some(at) = at.filter(|at| best.as_ref().is_none_or(|(best, _)| at < best)) {
                *best = Some((at, seen.connection.clone()));
            }
        };
        first(&mut self.safe_until, token.and_then(|token| token.last_safe_moment));
        first(&mut self.next, token.and_then(|token| token.due));
    }
}

/// What the page is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    /// A part of the names wanted.
    part: String,
    /// Counted from 1.
    page: usize,
}

impl Asked {
    fn of(query: &str) -> Self {
        let mut asked = Self { part: String::new(), page: 1 };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "q" => asked.part = value.trim().to_lowercase(),
                "page" => asked.page = value.parse().unwrap_or(1).max(1),
                _ => (),
            }
        }
        asked
    }

    fn query(&self, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
        if !self.part.is_empty() {
            query.append_pair("q", &self.part);
        }
        query.append_pair("page", &page.to_string()).finish()
    }
}

/// All connections, or those that are asked for.
pub async fn overview(host: &Host, query: &str) -> Markup {
    let (asked, now) = (Asked::of(query), host.clock.now());
    let (mut sum, mut places) = (Sum::default(), Vec::<Place>::new());
    host.each(|seen| {
        let faults = whys(&seen, now);
        sum.add(&seen, &faults);
        if seen.connection.contains(&asked.part) {
            let safe = seen.report.and_then(|report| report.token).and_then(|token| token.last_safe_moment);
            places.push((Reverse(!faults.is_empty()), safe, seen.connection));
        }
    })
    .await;
    places.sort();
    let pages = places.len().div_ceil(A_PAGE).max(1);
    let asked = Asked { page: asked.page.min(pages), ..asked };
    let shown = places.iter().skip((asked.page - 1) * A_PAGE).take(A_PAGE);
    let cards = shown.filter_map(|(.., name)| host.looks.one(name)).map(|seen| card::card(&seen, now, 2));
    let many = sum.tended > A_PAGE;
    let (_, title) = answer(&sum);
    let body = html! {
        (verdict(host, &sum, now))
        @if many || !asked.part.is_empty() { (search(&asked, places.len())) }
        @for card in cards { (card) }
        @if places.is_empty() && !asked.part.is_empty() { p { "No connection has “" (asked.part) "” in its name." } }
        @if pages > 1 { (pager(&asked, pages)) }
    };
    shell(host, &title, true, &body)
}

/// One connection; none if there is no such one.
pub fn connection(host: &Host, name: &str) -> Option<Markup> {
    let (seen, now) = (host.looks.one(name)?, host.clock.now());
    let body = html! {
        p.back { a href="/" { "All connections" } }
        (reload_problems(host))
        (card::card(&seen, now, 1))
    };
    Some(shell(host, name, true, &body))
}

/// A page of the runbook.
pub fn runbook(host: &Host, name: &str, text: &str) -> Markup {
    let body = html! {
        p.back { a href="/" { "All connections" } @if name != INDEX { " · " a href="/runbook" { "Runbook" } } }
        article.runbook { (PreEscaped(markdown::html(text))) }
    };
    shell(host, if name == INDEX { "Runbook" } else { name }, false, &body)
}

/// For what is not there.
pub fn missing(host: &Host, what: &str) -> Markup {
    let body = html! { h1 { "Not found" } p { (what) " " a href="/" { "To all connections" } } };
    shell(host, "Not found", false, &body)
}

fn shell(host: &Host, title: &str, fresh: bool, body: &Markup) -> Markup {
    let now = host.clock.now();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · scim-rotator" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
                @if fresh {
                    script src="/page.js" defer {}
                }
            }
            body {
                @if host.sandboxed { header.sandbox { "A sandbox: nothing here is production." } }
                main id="main" { (body) }
                footer {
                    p id="fresh" { "As of " (words::moment(now)) "." }
                    p { "scim-rotator " (env!("CARGO_PKG_VERSION")) " · " a href="/runbook" { "Runbook" } " · " a href="/metrics" { "Metrics" } " · " a href="/readyz" { "Health" } }
                }
            }
        }
    }
}

/// The answer to the one question: how it looks, and in how few words.
fn answer(sum: &Sum) -> (&'static str, String) {
    if sum.unwell > 0 {
        return ("bad", format!("{} not well", words::count(sum.unwell, "connection")));
    }
    if sum.unseen > 0 || sum.tended == 0 {
        return ("", "Looking…".to_owned());
    }
    if sum.uncertain > 0 {
        return ("warn", format!("{} not certain to provision", words::count(sum.uncertain, "connection")));
    }
    let until = sum.safe_until.as_ref().map(|(until, _)| format!(" until {}", words::day(*until)));
    ("good", format!("All is well{}", until.unwrap_or_default()))
}

/// The answer in the largest letters, and what stands behind it.
fn verdict(host: &Host, sum: &Sum, now: Timestamp) -> Markup {
    let (class, answer) = answer(sum);
    html! {
        (reload_problems(host))
        h1 class=(class) { (answer) }
        @if let Some(what) = host.looks.waiting() { p.lead { (what) } }
        p.lead {
            (words::count(sum.tended, "connection")) ". "
            @if sum.unwell > 0 { "What is wrong and what to do stands below. " }
            @if sum.unseen > 0 { (sum.unseen) " not seen yet. " }
            @if sum.at_work > 0 { (sum.at_work) " at work. " }
            @if let Some((until, name)) = sum.safe_until.as_ref().filter(|(until, _)| *until > now) {
                "Slack: " strong { (words::span(*until - now)) } @if sum.tended > 1 { ", of " (card::link(name)) } ". "
            }
            @if let Some((at, name)) = sum.next.as_ref().filter(|_| sum.unwell == 0) {
                "Next rotation " (words::relative(*at, now)) @if sum.tended > 1 { ", of " (card::link(name)) } "."
            }
        }
    }
}

fn reload_problems(host: &Host) -> Markup {
    html! {
        @if let Some(problems) = host.looks.reload_problems() {
            section.warn {
                h2 { "The new configuration is refused; the old one stays" }
                pre tabindex="0" { (problems) }
            }
        }
    }
}

fn search(asked: &Asked, found: usize) -> Markup {
    html! {
        form.search role="search" action="/" {
            label for="q" { "Name" }
            input id="q" name="q" type="search" value=(asked.part) autocomplete="off";
            button { "Show" }
            span { (words::count(found, "connection")) }
        }
    }
}

fn pager(asked: &Asked, pages: usize) -> Markup {
    html! {
        nav.pager aria-label="Pages" {
            @if asked.page > 1 { a rel="prev" href={ "/" (asked.query(asked.page - 1)) } { "Before" } }
            span { "Page " (asked.page) " of " (pages) }
            @if asked.page < pages { a rel="next" href={ "/" (asked.query(asked.page + 1)) } { "After" } }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! The status page: "is all well, and until when?", whole without JavaScript, with nothing from anywhere else.

mod card;
mod care;
mod coming;
mod lifeline;
mod markdown;
mod verdict;
mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use url::form_urlencoded;

use self::care::Care;
use self::verdict::{Sum, verdict};
use super::Host;
use crate::admin::health::whys;
use crate::domain::Timestamp;
use crate::runbook::INDEX;

/// The style of every page.
pub const STYLE: &str = include_str!("style.css");
/// Keeps a page fresh.
pub const SCRIPT: &str = include_str!("page.js");

/// So many connections are shown on one page.
const A_PAGE: usize = 50;

/// One connection's place on the page: what wants most to be looked at comes first, then whose slack ends first.
type Place = (Care, Option<Timestamp>, String);

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
        let care = Care::of(&seen, !whys(&seen, now).is_empty(), now);
        sum.add(&seen, care, now);
        if seen.connection.contains(&asked.part) {
            let safe = seen.report.and_then(|report| report.token).and_then(|token| token.last_safe_moment);
            places.push((care, safe, seen.connection));
        }
    })
    .await;
    places.sort();
    let pages = places.len().div_ceil(A_PAGE).max(1);
    let asked = Asked { page: asked.page.min(pages), ..asked };
    let shown = places.iter().skip((asked.page - 1) * A_PAGE).take(A_PAGE);
    let cards = shown.filter_map(|(.., name)| host.looks.one(name)).map(|seen| card::card(&seen, now, 2));
    let many = sum.tended > A_PAGE;
    let (_, title) = sum.answer(now);
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

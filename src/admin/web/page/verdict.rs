//! The answer to the one question, whether all is well and until when, and what stands behind it.

use maud::{Markup, html};

use super::care::{Care, is_unseen};
use super::coming::Coming;
use super::{Host, card, reload_problems, words};
use crate::admin::looks::Seen;
use crate::domain::Timestamp;

/// So many are named where there are more.
const FEW: usize = 3;

/// What is known of all connections together.
#[derive(Default)]
pub struct Sum {
    pub tended: usize,
    unseen: usize,
    at_work: usize,
    unwell: Named,
    late: Named,
    uncertain: Named,
    overdue: Named,
    /// The first last safe moment, and whose.
    safe_until: Option<(Timestamp, String)>,
    /// The next rotation, and whose.
    next: Option<(Timestamp, String)>,
    /// The one that has been overdue for the longest.
    latest: Option<(Timestamp, Coming)>,
}

/// Some connections: how many, and the first few.
#[derive(Default)]
struct Named {
    count: usize,
    few: Vec<String>,
}

impl Named {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.few.len() < FEW {
            self.few.push(name.to_owned());
        }
    }

    fn list(&self) -> Markup {
        html! {
            @for (number, name) in self.few.iter().enumerate() { @if number > 0 { ", " } (card::link(name)) }
            @if self.count > self.few.len() { " and " (self.count - self.few.len()) " more" }
        }
    }
}

impl Sum {
    /// One more.
    pub fn add(&mut self, seen: &Seen, care: Care, now: Timestamp) {
        let name = &seen.connection;
        let acts = seen.step.is_some_and(|step| !step.is_empty());
        self.tended += 1;
        self.unseen += usize::from(is_unseen(seen));
        self.at_work += usize::from(acts);
        match care {
            Care::Unwell => self.unwell.add(name),
            Care::Late => self.late.add(name),
            Care::Uncertain => self.uncertain.add(name),
            Care::Rests => (),
        }
        let first = |best: &mut Option<(Timestamp, String)>, at: Option<Timestamp>| {
            if let Some(at) = at.filter(|at| best.as_ref().is_none_or(|(best, _)| at < best)) {
                *best = Some((at, name.clone()));
            }
        };
        let report = seen.report.as_ref();
        first(&mut self.safe_until, report.and_then(|report| report.token.as_ref()?.last_safe_moment));
        let coming = report.and_then(|report| Coming::of(report, now));
        first(&mut self.next, coming.and_then(|coming| coming.at));
        // One that is under way by now is late no longer.
        if let Some((since, coming)) = coming.filter(|_| !acts).and_then(|coming| Some((coming.overdue?, coming))) {
            self.overdue.add(name);
            if self.latest.is_none_or(|(latest, _)| since < latest) {
                self.latest = Some((since, coming));
            }
        }
    }

    /// How it looks, and in how few words.
    pub fn answer(&self, now: Timestamp) -> (&'static str, String) {
        let connections = |named: &Named| words::count(named.count, "connection");
        if self.unwell.count > 0 {
            return ("bad", format!("{} not well", connections(&self.unwell)));
        }
        if self.unseen > 0 || self.tended == 0 {
            return ("", "Looking…".to_owned());
        }
        let late = format!("{} short of slack", connections(&self.late));
        let uncertain = format!("{} not certain to provision", connections(&self.uncertain));
        match (self.late.count, self.uncertain.count) {
            (0, 0) => (),
            (_, 0) => return ("warn", late),
            (0, _) => return ("warn", uncertain),
            (_, _) => return ("warn", format!("{late}, {uncertain}")),
        }
        let until = self.safe_until.as_ref().map(|(until, _)| format!(" until {}", words::until(*until, now)));
        ("good", format!("All is well{}", until.unwrap_or_default()))
    }
}

/// The answer in the largest letters, and what stands behind it.
pub fn verdict(host: &Host, sum: &Sum, now: Timestamp) -> Markup {
    let (class, answer) = sum.answer(now);
    let several = sum.tended > 1;
    let named =
        [("Not well", &sum.unwell), ("Short of slack", &sum.late), ("Not certain to provision", &sum.uncertain)];
    html! {
        (reload_problems(host))
        h1 class=(class) { (answer) }
        @if let Some(what) = host.looks.waiting() { p.lead { (what) } }
        p.lead {
            (words::count(sum.tended, "connection")) ". "
            @if sum.unwell.count > 0 { "What is wrong and what to do stands below. " }
            @for (what, named) in named.iter().filter(|(_, named)| several && named.count > 0) {
                (what) ": " (named.list()) ". "
            }
            @if sum.unseen > 0 { (sum.unseen) " not seen yet. " }
            @if sum.at_work > 0 { (sum.at_work) " at work. " }
            @if let Some((until, name)) = sum.safe_until.as_ref().filter(|(until, _)| *until > now) {
                "Slack: " strong { (words::span(*until - now)) } @if several { ", of " (card::link(name)) } ". "
            }
            @if let Some((_, coming)) = &sum.latest {
                @if sum.overdue.count > 1 { "Overdue: " (sum.overdue.list()) ", the first " (coming.overdue()) ". " }
                @else if several { (sum.overdue.list()) " is " (coming.overdue()) ". " }
                @else { "It is " (coming.overdue()) ". " }
            }
            @if let Some((at, name)) = sum.next.as_ref().filter(|_| sum.unwell.count == 0) {
                "Next rotation " (words::relative(*at, now)) @if several { ", of " (card::link(name)) } "."
            }
        }
    }
}

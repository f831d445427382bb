//! The rotation to come, as far as a report tells.

use maud::{Markup, html};

use super::words;
use crate::domain::{Reason, Timestamp, forecast};
use crate::engine::Report;
use crate::engine::report::Kind;

/// A rotation by policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coming {
    /// When it begins, or is tried again; none, if only a person or a look can tell.
    pub at: Option<Timestamp>,
    /// It has been due since then.
    pub overdue: Option<Timestamp>,
    /// A person's hold ends at `at`, and puts it off until then.
    held: bool,
}

impl Coming {
    /// None where nothing says when the token is due.
    pub fn of(report: &Report, now: Timestamp) -> Option<Self> {
        let token = report.token.as_ref()?;
        let due = token.due?;
        let (at, why) = forecast::put_off(due, token.last_safe_moment, token.issued, report.held_until);
        let next = report.standing.next.filter(|_| report.standing.kind != Kind::NeedsHuman);
        let is_ahead = at > now;
        Some(Self {
            at: if is_ahead { Some(at) } else { next.filter(|next| *next > now) },
            overdue: (due <= now).then_some(due),
            held: is_ahead && why == Some(Reason::Held),
        })
    }

    /// In the middle of a sentence, if it is overdue.
    pub fn overdue(&self) -> Markup {
        html! {
            @if let Some(due) = self.overdue { "overdue since " (words::moment(due)) }
            @if let Some(at) = self.at.filter(|_| self.held) { ", held until " (words::moment(at)) }
        }
    }

    /// In full.
    pub fn said(&self, now: Timestamp) -> Markup {
        html! {
            @match (self.overdue, self.at) {
                (Some(due), again) => {
                    strong.warn { (self.overdue()) }
                    @if !self.held { " (" (words::span(now - due)) ")" }
                    @if let Some(again) = again.filter(|_| !self.held) { ", tried again " (words::relative(again, now)) }
                }
                (None, Some(at)) => {
                    (words::relative(at, now)) ", " (words::moment(at))
                    @if self.held { ", held until then" }
                }
                (None, None) => "unknown",
            }
        }
    }
}

//! What happened, counted: all that the invariants ask about. And the story, as an ordered list of events.

use std::collections::VecDeque;
use std::fmt;

use chrono::TimeDelta;

use super::faults::{Fault, Op};
use super::hpe::TokenNo;
use super::{Timestamp, Who};

/// How many events are kept.
const KEPT: usize = 4096;

/// The counters and the story.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Tokens made for the daemon, whether the answer reached it or not.
    pub issued: u32,
    /// Tokens made for a person.
    pub issued_by_hand: u32,
    /// Provisioning cycles that came to their end.
    pub cycles_succeeded: u32,
    /// Provisioning cycles whose token was refused. What must never happen.
    pub cycles_failed: u32,
    /// Provisioning cycles that failed because the SCIM endpoint could not be reached.
    pub cycles_unreachable: u32,
    /// Provisioning cycles that a pause broke off.
    pub cycles_cut: u32,
    /// How often a job went into quarantine.
    pub quarantines: u32,
    /// How long the token that cycles would use was refused by HPE.
    pub outage: TimeDelta,
    /// As `outage`, while the job was active: a cycle beginning then would have failed.
    pub exposed: TimeDelta,
    /// How long the job was paused by the daemon.
    pub paused: TimeDelta,
    /// Calls of `start` by the daemon on a job that was active.
    pub started_while_active: u32,
    /// Calls of `start` by the daemon on a job that a person had paused.
    pub started_a_persons_pause: u32,
    /// Sibling settings that a PUT removed or changed, each time it did.
    pub siblings_lost: Vec<String>,
    /// Sibling settings that a PUT added.
    pub siblings_added: Vec<String>,
    /// PUTs that carried a mask (`"*"`) as a value.
    pub masks_sent: u32,
    /// Versions stored in the vault.
    pub stored: u32,
    events: VecDeque<(Timestamp, Event)>,
    dropped: usize,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Issued { token: TokenNo, by: Who, remove_current: bool },
    TookEffect { token: TokenNo },
    Died { token: TokenNo, why: &'static str },
    Stored { version: usize, stage: Option<String> },
    Labelled { version: usize, stage: Option<String>, enabled: bool },
    Saved { token: Option<TokenNo> },
    PutIgnored { token: Option<TokenNo> },
    SiblingLost { key: String },
    Tested { token: Option<TokenNo>, saved: bool, accepted: bool },
    Paused { by: Who },
    Started { by: Who },
    CyclesSucceeded { count: u32, token: Option<TokenNo> },
    CycleFailed { token: Option<TokenNo>, refused: bool },
    CycleCut,
    Quarantined { next: Option<Timestamp> },
    QuarantineEnded,
    JobDisabled,
    OutageBegan { token: Option<TokenNo> },
    OutageEnded { token: Option<TokenNo> },
    Fault { op: Op, fault: Fault },
    Violation { what: &'static str },
    Note { text: String },
}

impl Ledger {
    /// The story so far, oldest first; the oldest are forgotten beyond some thousands.
    pub fn events(&self) -> impl Iterator<Item = &(Timestamp, Event)> {
        self.events.iter()
    }

    /// How many events there were before the first one that is kept: a reader's place in the story is this plus an index.
    pub fn forgotten(&self) -> usize {
        self.dropped
    }

    /// The story as text, a line an event: what a failing test prints.
    pub fn trace(&self) -> String {
        self.events.iter().map(|(at, event)| format!("{}  {event}\n", at.format("%m-%d %H:%M:%S"))).collect()
    }

    /// Cycles that did not do their work for whatever reason.
    pub fn cycles_not_succeeded(&self) -> u32 {
        self.cycles_failed + self.cycles_unreachable + self.cycles_cut
    }

    /// A word of the face or of the test, at its place in the story.
    pub fn note(&mut self, at: Timestamp, text: impl Into<String>) {
        self.tell(at, Event::Note { text: text.into() });
    }

    pub(super) fn tell(&mut self, at: Timestamp, event: Event) {
        // Thousands of cycles go well in a year: one line for as many as follow one another.
        if let Event::CyclesSucceeded { token, .. } = &event
            && let Some((_, Event::CyclesSucceeded { count, token: last })) = self.events.back_mut()
            && last == token
        {
            *count += 1;
            return;
        }
        if self.events.len() == KEPT {
            self.events.pop_front();
            self.dropped += 1;
        }
        self.events.push_back((at, event));
    }
}

/// A token by its number; `?` is a value that HPE never made.
struct No(Option<TokenNo>);

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(token) => write!(f, "token {token}"),
            None => f.write_str("no token of HPE's"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = |stage: &Option<String>| stage.clone().unwrap_or_else(|| "without our labels".to_owned());
        match self {
            Self::Issued { token, by, remove_current } => {
                let mode = if *remove_current { ", the older ones are removed" } else { "" };
                write!(f, "HPE makes token {token} for {by}{mode}")
            }
            Self::TookEffect { token } => write!(f, "token {token} takes effect"),
            Self::Died { token, why } => write!(f, "token {token} dies: {why}"),
            Self::Stored { version, stage: s } => write!(f, "the vault stores version {version} ({})", stage(s)),
            Self::Labelled { version, stage: s, enabled } => {
                let off = if *enabled { "" } else { ", disabled" };
                write!(f, "the vault labels version {version} ({}{off})", stage(s))
            }
            Self::Saved { token } => write!(f, "Entra saves {}", No(*token)),
            Self::PutIgnored { token } => write!(f, "Entra answers 204 to {} and saves nothing", No(*token)),
            Self::SiblingLost { key } => write!(f, "a PUT has cost the setting {key}"),
            Self::Tested { token, saved, accepted } => {
                let what = if *saved { "saved" } else { "candidate" };
                let verdict = if *accepted { "accepted" } else { "not accepted" };
                write!(f, "Entra tests {} ({what}): {verdict}", No(*token))
            }
            Self::Paused { by } => write!(f, "the job is paused by {by}"),
            Self::Started { by } => write!(f, "the job is started by {by}"),
            Self::CyclesSucceeded { count: 1, token } => write!(f, "a provisioning cycle succeeds with {}", No(*token)),
            Self::CyclesSucceeded { count, token } => {
                write!(f, "{count} provisioning cycles succeed with {}", No(*token))
            }
            Self::CycleFailed { token, refused: true } => {
                write!(f, "A PROVISIONING CYCLE FAILS: {} is refused", No(*token))
            }
            Self::CycleFailed { refused: false, .. } => f.write_str("a provisioning cycle cannot reach the endpoint"),
            Self::CycleCut => f.write_str("the pause breaks off a running cycle"),
            Self::Quarantined { next: Some(next) } => {
                write!(f, "the job is in quarantine, next attempt {}", next.format("%m-%d %H:%M:%S"))
            }
            Self::Quarantined { next: None } => f.write_str("the job is in quarantine"),
            Self::QuarantineEnded => f.write_str("the quarantine ends"),
            Self::JobDisabled => f.write_str("the job is disabled after 28 days of quarantine"),
            Self::OutageBegan { token } => write!(f, "what Entra holds is dead: {}", No(*token)),
            Self::OutageEnded { token } => write!(f, "what Entra holds works: {}", No(*token)),
            Self::Fault { op, fault } => write!(f, "{op:?} goes wrong: {fault:?}"),
            Self::Violation { what } => write!(f, "VIOLATION: {what}"),
            Self::Note { text } => f.write_str(text),
        }
    }
}

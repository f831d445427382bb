//! What a decision is made from, and what follows from it at once.

use chrono::TimeDelta;

use super::{Decision, Plan};
use crate::domain::attempts::{Attempts, IssueBound, ahead, issue_bound};
use crate::domain::job::{Job, JobState};
use crate::domain::journal::{Entry, Journal, Labels, PauseNote, Stage, TokenNote};
use crate::domain::order::{LONGEST_HOLD, Order};
use crate::domain::policy::{Bootstrap, Mode, Policy};
use crate::domain::reason::Reason;
use crate::domain::{Timestamp, Verdict, VersionId};

/// When a person has to act: look again so soon.
pub const HUMAN_WAIT: TimeDelta = TimeDelta::hours(1);
/// Whoever waits for its turn is called; should that not happen, it asks again so soon.
const QUEUE_WAIT: TimeDelta = TimeDelta::hours(1);
/// A token that takes effect later than this is not waited for.
const LATE: TimeDelta = TimeDelta::days(1);
/// A token that could not be proven for so long is written once more.
pub(super) const SECOND_PUT: TimeDelta = TimeDelta::hours(1);

/// Everything that a decision is made from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The wall clock.
    pub now: Timestamp,
    /// Who we are, as signs name it.
    pub holder: &'a str,
    /// Whether what is decided will be carried out.
    pub acting: bool,
    /// How long this process has been leaving things to another one.
    pub stood_by: TimeDelta,
    /// How long ago it saw that another one had signed since the look before.
    pub stirred: Option<TimeDelta>,
    /// The rules of this connection.
    pub policy: &'a Policy,
    /// The vault.
    pub journal: &'a Journal,
    /// The provisioning job.
    pub job: &'a Job,
    /// Failures that the vault does not tell of.
    pub attempts: &'a Attempts,
    /// The pause that this process has made and not ended, as it remembers it.
    pub own_pause: Option<PauseNote>,
    /// From when on this process has looked for long enough to have seen everything that was written before it began.
    pub settled: Timestamp,
    /// Nobody is there to wait for that (`once`): it is waited for only where something unfinished shows.
    pub hurried: bool,
    /// What a person asks for, until it is carried out.
    pub order: Option<&'a Order>,
    /// Another connection of this process speaks for the same tenant of the issuer.
    pub tenant_shared: bool,
    /// What has been asked on top of it during this look.
    pub answers: Answers,
}

/// The answers found so far.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// To [`Question::Saved`].
    pub saved: Option<Verdict>,
    /// To [`Question::Current`].
    pub current: Option<CurrentHealth>,
    /// To [`Question::PreviousDead`].
    pub previous_dead: Option<bool>,
    /// To [`Question::Rejected`]: which one is accepted, if any.
    pub rejected: Option<Option<VersionId>>,
    /// To [`Question::Turn`].
    pub turn: Option<bool>,
}

/// Something a rule needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Does Entra accept what it has saved?
    Saved,
    /// Is the vault's current token good?
    Current,
    /// Is the previous token dead?
    PreviousDead,
    /// Does Entra accept the newest rejected token by now?
    Rejected,
    /// May one more rotation begin, besides those of other connections that are under way?
    Turn {
        /// From then on it may in any case.
        last_safe: Option<Timestamp>,
    },
}

/// How the vault's current token fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrentHealth {
    /// Entra accepts it as a candidate.
    Good,
    /// The endpoint itself refused it twice, a minute apart.
    Refused,
    /// Neither could be shown.
    Unclear,
    /// The vault no longer gives its value away: the version is disabled, or holds something else.
    Unreadable,
}

impl<'a> Facts<'a> {
    /// What is known of the current token.
    pub fn token(&self) -> Option<&'a TokenNote> {
        self.journal.current()?.labels.token.as_ref()
    }

    /// Whether there has ever been a token of ours; until then only `bootstrap` and a person say how to begin.
    pub(super) fn has_begun(&self) -> bool {
        self.journal.ours().any(|e| e.labels.stage == Stage::Current)
    }

    /// Whether a former process may have asked the issuer without the list showing it yet.
    pub(super) fn may_be_blind(&self) -> bool {
        let calm = !self.hurried && !self.is_overridden();
        self.settled > self.now && (calm || self.journal.newest_intent().is_some())
    }

    /// Wait until all that was written before this process began must show.
    pub(super) fn just_begun(&self) -> Decision {
        Decision::Wait { until: self.settled, reason: Reason::JustBegun }
    }

    /// The written backoff of the connection, while it is ahead.
    pub(super) fn retry_wait(&self) -> Option<Timestamp> {
        ahead(self.journal.current()?.labels.retry?.not_before, self.now)
    }

    /// The same where a working token is missing.
    pub(super) fn need_wait(&self) -> Option<Timestamp> {
        ahead(self.journal.current()?.labels.retry?.in_need(), self.now)
    }

    /// When a pending token is tried again: the bounds on issuing do not bound that.
    pub(super) fn next_try(&self) -> Timestamp {
        let waits = [self.retry_wait(), self.attempts.waiting(self.now)];
        waits.into_iter().flatten().fold(self.now, Timestamp::max)
    }

    /// A rejected token may merely have been late: it is looked at once more, and taken back if it works by now.
    pub(super) fn rejected_first(&self) -> Option<Decision> {
        self.journal.rejected(self.now).next().filter(|_| !self.is_overridden())?;
        match &self.answers.rejected {
            None => Some(Decision::Ask(Question::Rejected)),
            Some(None) => None,
            // What was stored above it may not show yet.
            Some(Some(_)) if self.may_be_blind() => Some(self.just_begun()),
            Some(Some(version)) => {
                Some(Decision::Reinstate { version: version.clone(), reason: Reason::TookEffectLate })
            }
        }
    }

    /// Whether a rejected token may still take effect any minute.
    pub(super) fn expects_rejected(&self) -> bool {
        let mut tokens = self.journal.rejected(self.now).filter_map(|e| e.labels.token.as_ref());
        tokens.any(|token| (self.now - token.issued).abs() < LATE)
    }

    /// Whether a person asks for something that goes past what is wrong with the journal.
    pub(super) fn is_overridden(&self) -> bool {
        matches!(self.order, Some(Order::Rotate { .. } | Order::Adopt { .. }))
    }

    /// A rotation for a reason of need, as soon as the written backoff allows.
    pub(super) fn replace(&self, reason: Reason) -> Decision {
        match self.need_wait() {
            Some(until) => Decision::Wait { until, reason },
            None => self.issue(reason, self.policy.mode),
        }
    }

    /// A rotation, within the bounds on issuing.
    pub(super) fn issue(&self, reason: Reason, mode: Mode) -> Decision {
        if self.policy.supplied {
            return self.needs_human(Reason::SupplyNeeded);
        }
        if self.tenant_shared {
            return self.needs_human(Reason::TenantShared);
        }
        match issue_bound(self.journal, self.now) {
            IssueBound::Spent(until) => Decision::NeedsHuman { until, reason: Reason::IssueBudgetSpent },
            IssueBound::TooSoon(until) => Decision::Wait { until, reason: Reason::IssueFloor },
            IssueBound::Free if self.may_be_blind() => self.just_begun(),
            IssueBound::Free => {
                if let Some(decision) = self.rejected_first() {
                    return decision;
                }
                let open = self.journal.open_intent().map(|(_, intent)| intent);
                let lost = open.is_some_and(|intent| intent.mode == Mode::RemoveCurrent);
                let over = self.token().is_none_or(|token| token.is_over(self.now));
                let refused = self.answers.current == Some(CurrentHealth::Refused);
                let compromised = reason == Reason::Compromised;
                let paused_before = open.is_some_and(|intent| intent.will_pause);
                Decision::Rotate(Plan {
                    mode,
                    reason,
                    current_dead: over || refused || reason == Reason::CurrentUnreadable,
                    current_doubtful: lost,
                    may_create: self.policy.bootstrap == Some(Bootstrap::Create)
                        && self.journal.current().is_none_or(|e| e.labels.stage == Stage::Placeholder),
                    fenced: compromised || paused_before || self.policy.fences(mode),
                    compromised,
                })
            }
        }
    }

    /// The same where it may wait until then for rotations of other connections.
    pub(super) fn in_turn(&self, rotation: Decision, last_safe: Option<Timestamp>) -> Decision {
        if self.acting && self.journal.is_kept_by_another(self.holder) {
            return rotation; // It is another one's to make: who stands by needs no turn.
        }
        match (&rotation, self.answers.turn) {
            (Decision::Rotate(_), None) => Decision::Ask(Question::Turn { last_safe }),
            (Decision::Rotate(_), Some(false)) => {
                let until = self.now + QUEUE_WAIT;
                Decision::Wait { until: last_safe.map_or(until, |safe| until.min(safe)), reason: Reason::Queued }
            }
            _ => rotation,
        }
    }

    /// The end of a person's hold on rotations; the last safe moment ends every hold.
    pub(super) fn held(&self, last_safe: Option<Timestamp>) -> Option<Timestamp> {
        let until = self.journal.hold()?.min(self.now + LONGEST_HOLD);
        let until = last_safe.map_or(until, |safe| until.min(safe));
        (until > self.now).then_some(until)
    }

    pub(super) fn start(&self, entry: Entry<'_>, labels: Labels, reason: Reason) -> Decision {
        Decision::Start { version: entry.version.id.clone(), labels: Box::new(labels), reason }
    }

    pub(super) fn needs_human(&self, reason: Reason) -> Decision {
        Decision::NeedsHuman { until: self.now + HUMAN_WAIT, reason }
    }

    /// Nothing is done until then; if the job stands still meanwhile and nobody can tell whether by us, a person has to look.
    pub(super) fn wait_or_tell(&self, until: Timestamp, reason: Reason) -> Decision {
        if self.unrecorded().is_some() || self.has_hidden_pause() {
            let until = until.min(self.now + HUMAN_WAIT);
            return Decision::NeedsHuman { until, reason: Reason::PauseOfUnknownOrigin };
        }
        Decision::Wait { until, reason }
    }

    /// A pause that was planned, if the job is paused and nothing says by whom.
    pub(super) fn unrecorded(&self) -> Option<(Entry<'a>, PauseNote)> {
        self.journal.unrecorded_pause().filter(|_| self.job.state == JobState::Paused)
    }

    /// Whether the job is paused, nothing says by whom, and what could say it has been edited.
    pub(super) fn has_hidden_pause(&self) -> bool {
        let paused = self.job.state == JobState::Paused && self.journal.held_pause().is_none();
        let since = self.journal.may_hide_a_pause().filter(|_| paused);
        since.is_some_and(|since| !self.ran_since(since + TimeDelta::minutes(1)))
    }

    /// Whether a cycle has begun after `moment`, both by Graph's clock.
    pub(super) fn ran_since(&self, moment: Timestamp) -> bool {
        self.job.last_execution.as_ref().is_some_and(|e| e.began > moment)
    }

    /// When something is to be seen before the token comes due.
    pub(super) fn next_milestone(&self, due: Timestamp) -> Timestamp {
        let Some(current) = self.journal.current() else { return due };
        let proof = current.labels.proof;
        let unproven = proof.proven.is_none();
        let previous_end = self
            .journal
            .previous()
            .filter(|_| unproven)
            .and_then(|e| e.labels.token.as_ref()?.expiry)
            .map(|expiry| expiry.at + TimeDelta::seconds(1));
        // The PUT is dated by Graph's clock, and this is by ours.
        let second_put = proof.provisioned.filter(|_| unproven && proof.again.is_none());
        let second_put = second_put.map(|put| self.now + (put + SECOND_PUT - self.job.seen_at));
        let retirement = proof.proven.map(|proven| proven + self.policy.retire_after);
        let ahead = |moment: &Timestamp| *moment > self.now;
        [previous_end, second_put, retirement].into_iter().flatten().filter(ahead).fold(due, Timestamp::min)
    }
}

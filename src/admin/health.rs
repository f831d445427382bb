//! Whether all is well, as a machine asks: `/livez`, `/readyz` and `scim-rotator health`.
//!
//! *Live* is the process: its loops turn. *Ready* is what it is there for: Entra holds a working token, and will go on doing so
//! without anybody's help.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::looks::{Looks, Seen};
use crate::domain::{ExecutionState, Reason, Timestamp};
use crate::engine::report::Kind;

/// A rotation takes minutes; the longest wait of one that goes as it should is an hour. What Entra does not accept, and a
/// quarantine, are mended within minutes too where we can mend them.
const STUCK: TimeDelta = TimeDelta::hours(1);
/// Nothing is lost by an outage of a day: while nothing can be seen, slack says how long that holds. Whoever has nothing to do
/// looks once a day.
const UNSEEN: TimeDelta = TimeDelta::hours(26);
/// Of one that has never been seen no slack is known.
const NEVER_SEEN: TimeDelta = TimeDelta::hours(1);
/// A job runs every 20 to 40 minutes; so long may each of its cycles fail.
const NO_SUCCESS: TimeDelta = TimeDelta::hours(6);
/// So many faults are told: behind one cause there may be thousands.
const MOST_FAULTS: usize = 100;
/// So many connections are judged at a time: in between, others have their turn.
const AT_A_TIME: usize = 256;

/// Why a connection is not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The current token is past its end.
    Expired,
    /// The last safe moment has passed.
    SlackGone,
    /// Only a person can go on.
    NeedsHuman,
    /// Something was begun over an hour ago and is not finished, or Entra has not accepted the token for so long.
    Stuck,
    /// Entra has kept the provisioning job in quarantine for over an hour: hardly anybody is provisioned.
    Quarantined,
    /// The last provisioning cycle has failed, and none has succeeded for six hours.
    CyclesFail,
    /// No cycle has succeeded with the token within `confirm_within`.
    Unconfirmed,
    /// Vault and job could not be seen for a day; for an hour, where they have never been.
    Unseen,
}

impl Why {
    /// As a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Expired => "the token is past its end",
            Self::SlackGone => "the last safe moment has passed, and the token has not been replaced",
            Self::NeedsHuman => "a person has to act",
            Self::Stuck => "what is under way has not been settled for over an hour",
            Self::Quarantined => "Entra has kept the provisioning job in quarantine for over an hour",
            Self::CyclesFail => "the provisioning cycles fail, and none has succeeded for six hours",
            Self::Unconfirmed => "no provisioning cycle has succeeded with the token in time",
            Self::Unseen => "vault and job have not been seen for too long to know how it stands",
        }
    }
}

/// One thing that is not well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The connection.
    pub connection: String,
    /// What is wrong with it.
    pub why: Why,
    /// The same as a sentence.
    pub sentence: String,
    /// The stable reason that stands behind it, and has a page in the runbook.
    pub reason: Reason,
    /// What failed, with its causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Whether all is well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Every loop turns.
    pub live: bool,
    /// There is no fault, and at least one connection.
    pub ready: bool,
    /// How many connections were judged, refused ones included.
    pub connections: usize,
    /// Why nothing is tended yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Why it is not ready: the first hundred faults.
    pub faults: Vec<Fault>,
    /// How many more there are.
    #[serde(default)]
    pub more_faults: usize,
}

impl Health {
    /// Judges every connection.
    pub async fn of(looks: &Looks, live: bool, now: Timestamp) -> Self {
        let (mut connections, mut faults, mut after) = (0, Vec::new(), String::new());
        let refused = looks.refused();
        loop {
            let some = looks.seen(&after, AT_A_TIME);
            let Some(last) = some.last() else { break };
            after.clone_from(&last.connection);
            connections += some.len();
            faults.extend(some.iter().flat_map(|seen| faults_of(seen, now)));
            tokio::task::yield_now().await;
        }
        connections += refused.len();
        faults.extend(refused.iter().flat_map(|seen| faults_of(seen, now)));
        // Nothing is known yet while there is no connection: a clock that nobody has set is waited for, say.
        let more_faults = faults.len().saturating_sub(MOST_FAULTS);
        let (ready, waiting) = (faults.is_empty() && connections > 0, looks.waiting());
        faults.truncate(MOST_FAULTS);
        Self { live, ready, connections, waiting, faults, more_faults }
    }
}

/// What is wrong with one connection.
pub fn faults_of(seen: &Seen, now: Timestamp) -> Vec<Fault> {
    let standing = seen.report.as_ref().map(|report| &report.standing);
    let fault = |why: Why| Fault {
        connection: seen.connection.clone(),
        why,
        sentence: why.sentence().to_owned(),
        reason: standing.map_or(Reason::CannotObserve, |standing| standing.reason),
        error: standing.and_then(|standing| standing.error.clone()),
        remedy: standing.and_then(|standing| standing.remedy.clone()),
    };
    whys(seen, now).into_iter().map(fault).collect()
}

/// The same without words.
pub fn whys(seen: &Seen, now: Timestamp) -> Vec<Why> {
    let longer = |since: Option<Timestamp>, limit| since.is_some_and(|since| now - since > limit);
    let is_refused = seen.report.as_ref().is_some_and(|report| report.standing.reason == Reason::ConfigRefused);
    let unseen = !is_refused
        && match seen.times.seen_well {
            Some(_) => longer(seen.times.seen_well, UNSEEN),
            None => longer(Some(seen.times.tended_since), NEVER_SEEN),
        };
    let Some(report) = &seen.report else { return if unseen { vec![Why::Unseen] } else { Vec::new() } };
    let token = report.token.as_ref();
    let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let (kind, job) = (report.standing.kind, report.job.as_ref());
    let quarantine = job.and_then(|job| job.quarantine.as_ref());
    let fails = job.is_some_and(|job| {
        let since = job.last_success_ended.or(token.and_then(|token| token.provisioned));
        job.last_cycle == Some(ExecutionState::Failed) && longer(since, NO_SUCCESS)
    });
    // While nothing can be seen, nothing can be settled either: that is told by itself.
    let is_open = matches!(kind, Kind::Unfinished | Kind::Unknown) && report.standing.reason != Reason::CannotObserve;
    [
        (Why::Expired, passed(token.and_then(|token| token.expires))),
        (Why::SlackGone, passed(token.and_then(|token| token.last_safe_moment))),
        (Why::NeedsHuman, kind == Kind::NeedsHuman),
        (Why::Stuck, is_open && longer(seen.times.astray_since, STUCK)),
        // One of which nobody knows when it began is taken for an old one.
        (
            Why::Quarantined,
            quarantine.is_some_and(|quarantine| quarantine.began.is_none() || longer(quarantine.began, STUCK)),
        ),
        (Why::Unconfirmed, token.is_some_and(|token| token.unconfirmed_since.is_some())),
        (Why::CyclesFail, fails),
        (Why::Unseen, unseen),
    ]
    .into_iter()
    .filter_map(|(why, holds)| holds.then_some(why))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::looks::Times;
    use crate::engine::Report;
    use crate::engine::report::TokenReport;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    /// A connection that is well, with a token of 100 hours whose last safe moment is at 80.
    fn well() -> Seen {
        let mut report = Report::refused("a", String::new());
        (report.standing.kind, report.standing.error) = (Kind::Idle, None);
        report.standing.reason = Reason::NotDue;
        let token = serde_json::json!({
            "id": "0123456789ab", "stage": "proven", "issued": hour(0), "expires": hour(100),
            "last_safe_moment": hour(80),
        });
        report.token = Some(serde_json::from_value::<TokenReport>(token).unwrap());
        let times = Times { tended_since: hour(0), seen_well: Some(hour(99)), astray_since: None };
        Seen { connection: "a".to_owned(), report: Some(report), step: None, times }
    }

    fn judged(change: impl FnOnce(&mut Report, &mut Times), at: Timestamp) -> Vec<Why> {
        let mut seen = well();
        change(seen.report.as_mut().unwrap(), &mut seen.times);
        whys(&seen, at)
    }

    #[test]
    fn a_connection_is_well_until_its_last_safe_moment_and_not_from_then_on() {
        assert_eq!(judged(|_, _| (), hour(80) - TimeDelta::seconds(1)), []);
        assert_eq!(judged(|_, _| (), hour(80)), [Why::SlackGone]);
        assert_eq!(judged(|_, _| (), hour(100)), [Why::Expired, Why::SlackGone]);
    }

    #[test]
    fn a_connection_is_not_well_while_it_needs_a_person_or_is_unconfirmed() {
        assert_eq!(judged(|report, _| report.standing.kind = Kind::NeedsHuman, hour(1)), [Why::NeedsHuman]);
        let unconfirmed = |report: &mut Report, _: &mut Times| {
            report.token.as_mut().unwrap().unconfirmed_since = Some(hour(0));
        };
        assert_eq!(judged(unconfirmed, hour(1)), [Why::Unconfirmed]);
    }

    #[test]
    fn what_is_unfinished_may_take_an_hour_and_what_cannot_be_seen_a_day() {
        let unfinished = |report: &mut Report, times: &mut Times| {
            (report.standing.kind, times.astray_since) = (Kind::Unfinished, Some(hour(1)));
        };
        assert_eq!(judged(unfinished, hour(2)), []);
        assert_eq!(judged(unfinished, hour(2) + TimeDelta::seconds(1)), [Why::Stuck]);
        // A rotation that fails again and again is no less stuck than one that waits.
        let failing = |report: &mut Report, times: &mut Times| {
            (report.standing.kind, times.astray_since) = (Kind::Unknown, Some(hour(1)));
            (report.standing.reason, report.standing.error) = (Reason::AnswerLost, Some("HPE: lost".to_owned()));
        };
        assert_eq!(judged(failing, hour(2) + TimeDelta::seconds(1)), [Why::Stuck]);
        let unseen = |report: &mut Report, times: &mut Times| {
            failing(report, times);
            (report.standing.reason, times.seen_well) = (Reason::CannotObserve, Some(hour(1)));
        };
        assert_eq!(judged(unseen, hour(27)), []);
        assert_eq!(judged(unseen, hour(27) + TimeDelta::seconds(1)), [Why::Unseen]);
    }

    #[test]
    fn a_connection_that_has_never_been_seen_is_given_an_hour_whether_or_not_anybody_has_looked() {
        let never = Times { tended_since: hour(1), seen_well: None, astray_since: None };
        for report in [None, well().report] {
            let seen = Seen { report, times: never, ..well() };
            assert_eq!(whys(&seen, hour(2)), []);
            assert_eq!(whys(&seen, hour(2) + TimeDelta::seconds(1)), [Why::Unseen]);
        }
    }

    #[test]
    fn cycles_may_fail_for_six_hours() {
        let failing = |state: &'static str| {
            move |report: &mut Report, _: &mut Times| {
                let job = serde_json::json!({ "id": "job", "state": "Active", "last_cycle": state, "last_success_ended": hour(1) });
                report.job = Some(serde_json::from_value(job).unwrap());
            }
        };
        assert_eq!(judged(failing("Failed"), hour(7)), []);
        assert_eq!(judged(failing("Failed"), hour(7) + TimeDelta::seconds(1)), [Why::CyclesFail]);
        assert_eq!(judged(failing("Succeeded"), hour(9)), []);
    }

    #[test]
    fn a_token_that_entra_does_not_accept_and_a_quarantine_are_given_an_hour() {
        let no_verdict = |report: &mut Report, times: &mut Times| {
            (report.standing.kind, times.astray_since) = (Kind::Unknown, Some(hour(1)));
        };
        assert_eq!(judged(no_verdict, hour(2)), []);
        assert_eq!(judged(no_verdict, hour(2) + TimeDelta::seconds(1)), [Why::Stuck]);
        let quarantined = |began: Option<Timestamp>| {
            move |report: &mut Report, _: &mut Times| {
                let quarantine = serde_json::json!({ "reason": "EncounteredQuarantineException", "began": began });
                let job = serde_json::json!({ "id": "job", "state": "Quarantine", "quarantine": quarantine });
                report.job = Some(serde_json::from_value(job).unwrap());
            }
        };
        assert_eq!(judged(quarantined(Some(hour(1))), hour(2)), []);
        assert_eq!(judged(quarantined(Some(hour(1))), hour(2) + TimeDelta::seconds(1)), [Why::Quarantined]);
        assert_eq!(judged(quarantined(None), hour(1)), [Why::Quarantined]);
    }

    #[tokio::test]
    async fn all_connections_are_judged_however_many_and_refused_ones_too() {
        let looks = Looks::default();
        for number in 0..2 * AT_A_TIME {
            let name = format!("c-{number:04}");
            looks.expect(&name, [0; 32], hour(0));
            looks.saw(&Report { connection: name, seen_at: Some(hour(0)), ..well().report.unwrap() });
        }
        let health = Health::of(&looks, true, hour(1)).await;
        assert_eq!((health.ready, health.connections), (true, 2 * AT_A_TIME));
        assert!(!Health::of(&Looks::default(), true, hour(1)).await.ready, "nothing is known yet");
        looks.refuse(vec![Report::refused("b", "no vault".to_owned())]);
        let health = Health::of(&looks, true, hour(1)).await;
        assert_eq!((health.ready, health.connections, health.faults[0].connection.as_str()), (false, 513, "b"));
        let worse = Health::of(&looks, true, hour(90)).await;
        assert_eq!(
            worse.faults.len() + worse.more_faults,
            2 * (2 * AT_A_TIME) + 1,
            "each has lost its slack and is unseen"
        );
        assert_eq!(worse.faults.len(), MOST_FAULTS);
    }
}

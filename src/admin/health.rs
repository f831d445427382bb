//! Whether all is well, as a machine asks: `/livez`, `/readyz` and `scim-rotator health`.
//!
//! *Live* is the process: its loops turn. *Ready* is what it is there for: Entra holds a working token, and will go on doing so
//! without anybody's help.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::looks::{Looks, Seen};
use crate::domain::{ExecutionState, JobState, Reason, Timestamp};
use crate::engine::report::{JobReport, Kind};

/// Longer than anything takes that goes as it should: two hours for the gap between two cycles and an hour and a half for one
/// that still runs.
pub const STUCK: TimeDelta = TimeDelta::hours(4);
/// What Entra does not accept, and a quarantine, are mended within minutes where we can mend them.
const REFUSED: TimeDelta = TimeDelta::hours(1);
/// Nothing is lost by an outage of a day: while nothing can be seen, slack says how long that holds. Whoever has nothing to do
/// looks once a day.
const UNSEEN: TimeDelta = TimeDelta::hours(26);
/// Of one that has never been seen no slack is known.
const NEVER_SEEN: TimeDelta = TimeDelta::hours(1);
/// A job runs every 20 to 40 minutes; so long may each of its cycles fail, or none end.
const NO_SUCCESS: TimeDelta = TimeDelta::hours(6);
/// Said before the first look of all has seen anything.
const NOTHING_SEEN: &str = "no connection has been seen yet";
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
    /// Something was begun over four hours ago and is not finished; or Entra has not accepted the token for an hour.
    Stuck,
    /// Entra has kept the provisioning job in quarantine for over an hour: hardly anybody is provisioned.
    Quarantined,
    /// The job runs, and no provisioning cycle has succeeded for six hours.
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
            Self::Stuck => "what is under way has not been settled for hours",
            Self::Quarantined => "Entra has kept the provisioning job in quarantine for over an hour",
            Self::CyclesFail => "no provisioning cycle has succeeded for six hours",
            Self::Unconfirmed => "no provisioning cycle has succeeded with the token in time",
            Self::Unseen => "vault and job have not been seen for too long to know how it stands",
        }
    }
}

impl Why {
    /// The page of the runbook about it, of a connection that stands for this reason.
    pub const fn page(self, reason: Reason) -> &'static str {
        match self {
            Self::NeedsHuman => reason.name(),
            Self::Expired => "ScimRotatorTokenExpired",
            Self::SlackGone => "ScimRotatorLastSafeMomentPassed",
            Self::Stuck => "ScimRotatorRotationStuck",
            Self::Quarantined => "ScimRotatorQuarantined",
            Self::CyclesFail => "ScimRotatorProvisioningStopped",
            Self::Unconfirmed => "ScimRotatorUnconfirmed",
            Self::Unseen => "ScimRotatorNotSeen",
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
    /// The page of the runbook about it.
    #[serde(default)]
    pub page: String,
    /// How the connection stands.
    pub reason: Reason,
    /// What failed, with its causes; told with the first fault of a connection.
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
    /// Why the last reload was refused: what is tended is what was configured before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload_problems: Option<String>,
}

impl Health {
    /// Judges every connection.
    pub async fn of(looks: &Looks, live: bool, now: Timestamp) -> Self {
        let (mut connections, mut seen_ever, mut faults, mut after) = (0, false, Vec::new(), String::new());
        let refused = looks.refused();
        loop {
            let some = looks.seen(&after, AT_A_TIME);
            let Some(last) = some.last() else { break };
            after.clone_from(&last.connection);
            connections += some.len();
            seen_ever |= some.iter().any(|seen| seen.times.seen_well.is_some() || acts(seen));
            faults.extend(some.iter().flat_map(|seen| faults_of(seen, now)));
            tokio::task::yield_now().await;
        }
        connections += refused.len();
        faults.extend(refused.iter().flat_map(|seen| faults_of(seen, now)));
        let more_faults = faults.len().saturating_sub(MOST_FAULTS);
        // Nothing is known yet before the first look of all: a clock that nobody has set is waited for, say.
        let waiting = looks.waiting().or_else(|| (!seen_ever && faults.is_empty()).then(|| NOTHING_SEEN.to_owned()));
        let ready = faults.is_empty() && seen_ever;
        faults.truncate(MOST_FAULTS);
        Self { live, ready, connections, waiting, faults, more_faults, reload_problems: looks.reload_problems() }
    }

    /// Where nobody answers, for this reason.
    pub fn of_nobody(why: String) -> Self {
        let (faults, waiting) = (Vec::new(), Some(why));
        Self { live: false, ready: false, connections: 0, waiting, faults, more_faults: 0, reload_problems: None }
    }
}

/// What is wrong with one connection.
pub fn faults_of(seen: &Seen, now: Timestamp) -> Vec<Fault> {
    let standing = seen.report.as_ref().map(|report| &report.standing);
    let reason = standing.map_or(Reason::CannotObserve, |standing| standing.reason);
    let fault = |(number, why): (usize, Why)| {
        let first = standing.filter(|_| number == 0);
        Fault {
            connection: seen.connection.clone(),
            why,
            sentence: why.sentence().to_owned(),
            page: why.page(reason).to_owned(),
            reason,
            error: first.and_then(|standing| standing.error.clone()),
            remedy: first.and_then(|standing| standing.remedy.clone()),
        }
    };
    whys(seen, now).into_iter().enumerate().map(fault).collect()
}

/// Whoever acts has seen vault and job; a look is told at its end only.
fn acts(seen: &Seen) -> bool {
    seen.step.is_some_and(|step| !step.is_empty())
}

/// The same without words.
pub fn whys(seen: &Seen, now: Timestamp) -> Vec<Why> {
    let longer = |since: Option<Timestamp>, limit| since.is_some_and(|since| now - since > limit);
    let acts = acts(seen);
    let is_refused = seen.report.as_ref().is_some_and(|report| report.standing.reason == Reason::ConfigRefused);
    let unseen = !is_refused
        && match seen.times.seen_well {
            Some(_) => longer(seen.times.seen_well, UNSEEN),
            None => !acts && longer(Some(seen.times.tended_since), NEVER_SEEN),
        };
    let acts_too_long = longer(seen.times.doing_since, STUCK);
    let Some(report) = &seen.report else {
        let whys = [(Why::Stuck, acts_too_long), (Why::Unseen, unseen)];
        return whys.into_iter().filter_map(|(why, holds)| holds.then_some(why)).collect();
    };
    let token = report.token.as_ref();
    let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let (kind, reason, job) = (report.standing.kind, report.standing.reason, report.job.as_ref());
    // How the job stood is judged by when that was seen.
    let seen_at = seen.times.seen_well.unwrap_or(now);
    let lasted = |since: Option<Timestamp>, limit| since.is_none_or(|since| seen_at - since > limit);
    let quarantined = job.filter(|job| job.state == JobState::Quarantine);
    let quarantine_began = |job: &JobReport| job.quarantine.as_ref().and_then(|quarantine| quarantine.began);
    let fails = job.is_some_and(|job| {
        let since = job.last_success_ended.or(token.map(|token| token.provisioned.unwrap_or(token.issued)));
        // One that stood still has its time from when it was seen to run again.
        let since = since.max(seen.times.runs_since);
        // A first cycle may take longer.
        let is_first = job.last_success_ended.is_none() && job.last_cycle != Some(ExecutionState::Failed);
        job.state == JobState::Active && !is_first && lasted(since, NO_SUCCESS)
    });
    // Where nothing has been begun yet, slack says how long that may fail.
    let is_untouched = token.is_none_or(|token| !matches!(&*token.stage, "pending" | "issuing"));
    let patience = match reason {
        Reason::PreflightFailed | Reason::NotIssued if is_untouched => UNSEEN,
        Reason::NoVerdict => REFUSED,
        Reason::QuarantineStands => TimeDelta::MAX, // It is told as what it is.
        _ => STUCK,
    };
    let is_blind = reason == Reason::CannotObserve;
    let needs_human = kind == Kind::NeedsHuman || is_blind && seen.times.needs_human;
    [
        (Why::Expired, passed(token.and_then(|token| token.expires))),
        (Why::SlackGone, passed(token.and_then(|token| token.last_safe_moment))),
        (Why::NeedsHuman, needs_human),
        (Why::Stuck, acts_too_long || longer(seen.times.open_since, patience)),
        // One of which nobody knows when it began is taken for an old one.
        (Why::Quarantined, quarantined.is_some_and(|job| lasted(quarantine_began(job), REFUSED))),
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
        let times = Times { seen_well: Some(hour(99)), ..Times::since(hour(0)) };
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
    fn what_is_under_way_may_take_four_hours_and_what_has_not_begun_as_long_as_an_outage() {
        let open = |kind, reason| {
            move |report: &mut Report, times: &mut Times| {
                (report.standing.kind, report.standing.reason, times.open_since) = (kind, reason, Some(hour(1)));
            }
        };
        for (kind, reason, hours) in [
            (Kind::Unfinished, Reason::PendingToken, 4),
            // A rotation that fails again and again is no less stuck than one that waits.
            (Kind::Unknown, Reason::AnswerLost, 4),
            (Kind::Unknown, Reason::NoVerdict, 1),
            (Kind::Unknown, Reason::PreflightFailed, 26),
            // What was open when it could be seen is not settled by not being seen.
            (Kind::Unknown, Reason::CannotObserve, 4),
        ] {
            assert_eq!(judged(open(kind, reason), hour(1 + hours)), [], "{reason}");
            assert_eq!(judged(open(kind, reason), hour(1 + hours) + TimeDelta::seconds(1)), [Why::Stuck], "{reason}");
        }
        let issued = |report: &mut Report, times: &mut Times| {
            open(Kind::Unknown, Reason::NotIssued)(report, times);
            report.token.as_mut().unwrap().stage = "issuing".into();
        };
        assert_eq!(judged(issued, hour(6)), [Why::Stuck], "something has been begun");
    }

    #[test]
    fn what_cannot_be_seen_may_take_a_day_and_a_persons_part_is_not_done_by_not_being_seen() {
        let blind = |needs_human| {
            move |report: &mut Report, times: &mut Times| {
                (report.standing.kind, report.standing.reason) = (Kind::Unknown, Reason::CannotObserve);
                (times.seen_well, times.needs_human) = (Some(hour(1)), needs_human);
            }
        };
        assert_eq!(judged(blind(false), hour(27)), []);
        assert_eq!(judged(blind(false), hour(27) + TimeDelta::seconds(1)), [Why::Unseen]);
        assert_eq!(judged(blind(true), hour(2)), [Why::NeedsHuman]);
    }

    #[test]
    fn a_connection_that_has_never_been_seen_is_given_an_hour_whether_or_not_anybody_has_looked() {
        let never = Times::since(hour(1));
        for report in [None, well().report] {
            let seen = Seen { report, times: never, ..well() };
            assert_eq!(whys(&seen, hour(2)), []);
            assert_eq!(whys(&seen, hour(2) + TimeDelta::seconds(1)), [Why::Unseen]);
        }
    }

    #[test]
    fn a_look_that_acts_may_take_four_hours_and_the_first_one_is_not_unseen_meanwhile() {
        let times = Times { doing_since: Some(hour(1)), ..Times::since(hour(1)) };
        for (report, times) in [(None, times), (well().report, Times { seen_well: Some(hour(1)), ..times })] {
            let seen = Seen { report, times, step: Some("wait for the gap between two cycles"), ..well() };
            assert_eq!(whys(&seen, hour(5)), []);
            assert_eq!(whys(&seen, hour(5) + TimeDelta::seconds(1)), [Why::Stuck]);
        }
    }

    #[tokio::test]
    async fn nothing_is_ready_before_any_connection_has_been_seen() {
        let looks = Looks::default();
        for name in ["a", "b"] {
            looks.expect(name, [0; 32], hour(0));
        }
        let blind = Report { job: None, seen_at: Some(hour(0)), ..well().report.unwrap() };
        let mut unseen = blind.clone();
        unseen.standing.reason = Reason::CannotObserve;
        looks.saw(&Report { connection: "a".to_owned(), ..unseen });
        let health = Health::of(&looks, true, hour(0)).await;
        assert_eq!((health.ready, health.waiting.as_deref()), (false, Some(NOTHING_SEEN)));
        let job = serde_json::from_value(serde_json::json!({ "id": "job", "state": "Active" })).unwrap();
        looks.saw(&Report { connection: "b".to_owned(), job: Some(job), ..blind });
        let health = Health::of(&looks, true, hour(0)).await;
        assert_eq!((health.ready, health.waiting.as_deref()), (true, None));
    }

    /// A job as it was seen at `hour`.
    fn job(job: serde_json::Value, seen: i64) -> impl FnOnce(&mut Report, &mut Times) {
        move |report, times| {
            report.job = Some(serde_json::from_value(job).unwrap());
            times.seen_well = Some(hour(seen));
        }
    }

    #[test]
    fn cycles_may_fail_for_six_hours_as_far_as_was_seen_of_a_job_that_runs() {
        let failing = |state: &str, cycle: &str, seen| {
            job(
                serde_json::json!({ "id": "job", "state": state, "last_cycle": cycle, "last_success_ended": hour(1) }),
                seen,
            )
        };
        assert_eq!(judged(failing("Active", "Failed", 7), hour(7)), []);
        assert_eq!(judged(failing("Active", "Failed", 8), hour(8)), [Why::CyclesFail]);
        assert_eq!(judged(failing("Active", "Failed", 2), hour(20)), [], "nobody knows what came since");
        assert_eq!(judged(failing("Active", "Succeeded", 9), hour(9)), [Why::CyclesFail], "none has ended since");
        let first = serde_json::json!({ "id": "job", "state": "Active", "last_success_ended": null });
        assert_eq!(judged(job(first, 9), hour(9)), [], "a first cycle may take long");
        assert_eq!(judged(failing("Paused", "Failed", 9), hour(9)), [], "a person wants it so");
        let ran_again = |seen| {
            move |report: &mut Report, times: &mut Times| {
                failing("Active", "Failed", seen)(report, times);
                times.runs_since = Some(hour(9));
            }
        };
        assert_eq!(judged(ran_again(15), hour(15)), []);
        assert_eq!(judged(ran_again(16), hour(16)), [Why::CyclesFail]);
    }

    #[test]
    fn each_fault_leads_to_its_own_page_of_the_runbook_and_the_error_is_told_once() {
        let whys = [
            Why::Expired,
            Why::SlackGone,
            Why::NeedsHuman,
            Why::Stuck,
            Why::Quarantined,
            Why::CyclesFail,
            Why::Unconfirmed,
            Why::Unseen,
        ];
        for why in whys {
            assert!(crate::runbook::page(why.page(Reason::NotAdopted)).is_some(), "{why:?}");
        }
        let mut seen = well();
        let standing = &mut seen.report.as_mut().unwrap().standing;
        standing.error = Some("the vault is away".to_owned());
        let faults = faults_of(&seen, hour(100));
        let told: Vec<_> = faults.iter().map(|fault| (fault.page.as_str(), fault.error.is_some())).collect();
        assert_eq!(told, [("ScimRotatorTokenExpired", true), ("ScimRotatorLastSafeMomentPassed", false)]);
    }

    #[test]
    fn a_quarantine_is_given_an_hour() {
        let quarantined = |state: &str, began: Option<Timestamp>, seen| {
            let quarantine = serde_json::json!({ "reason": "EncounteredQuarantineException", "began": began });
            job(serde_json::json!({ "id": "job", "state": state, "quarantine": quarantine }), seen)
        };
        assert_eq!(judged(quarantined("Quarantine", Some(hour(1)), 2), hour(2)), []);
        assert_eq!(judged(quarantined("Quarantine", Some(hour(1)), 3), hour(3)), [Why::Quarantined]);
        assert_eq!(judged(quarantined("Quarantine", None, 1), hour(1)), [Why::Quarantined]);
        assert_eq!(judged(quarantined("Paused", Some(hour(1)), 3), hour(3)), []);
        let untold = serde_json::json!({ "id": "job", "state": "Quarantine" });
        assert_eq!(judged(job(untold, 1), hour(1)), [Why::Quarantined]);
    }

    #[tokio::test]
    async fn all_connections_are_judged_however_many_and_refused_ones_too() {
        let looks = Looks::default();
        for number in 0..2 * AT_A_TIME {
            let name = format!("c-{number:04}");
            looks.expect(name.as_str(), [0; 32], hour(0));
            let job = serde_json::from_value(serde_json::json!({ "id": "job", "state": "Active" })).unwrap();
            looks.saw(&Report { connection: name, seen_at: Some(hour(0)), job: Some(job), ..well().report.unwrap() });
        }
        let health = Health::of(&looks, true, hour(1)).await;
        assert_eq!((health.ready, health.connections), (true, 2 * AT_A_TIME));
        let nothing = Health::of(&Looks::default(), true, hour(1)).await;
        assert_eq!((nothing.ready, nothing.waiting.as_deref()), (false, Some(NOTHING_SEEN)));
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

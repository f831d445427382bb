//! What this process has just written to the vault, for as long as a list may not show it yet.
//!
//! A list that lags behind would have a pending token issued a second time. This is no journal: it forgets after minutes,
//! and whatever it holds stands in the vault already; but for what could not be written there, which is written at the next
//! look. A process that dies with such a debt leaves what the vault shows, and that is survived like any other crash.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;

use crate::domain::journal::{Label, Labels, PauseNote, Sign};
use crate::domain::{Job, JobState, Timestamp, Version, VersionId};

/// How long a list may lag behind.
const LAG: TimeDelta = TimeDelta::minutes(5);

/// The writes of the last minutes, oldest first; and the pause that was made last, until it was ended.
#[derive(Debug, Default)]
pub(super) struct Memory {
    written: Mutex<Vec<Written>>,
    pause: Mutex<Option<Made>>,
}

#[derive(Clone, Copy, Debug)]
struct Made {
    pause: PauseNote,
    /// The job has been read as paused since.
    shown: bool,
}

#[derive(Debug)]
struct Written {
    at: TimeDelta,
    version: Version,
    /// Stored by us: a list that lacks it is behind. Otherwise only its labels are ours.
    stored: bool,
    /// The vault could not be told. It is as true, and kept until it can.
    owed: bool,
    enabled: Option<bool>,
}

impl Memory {
    /// A version has been stored.
    pub fn stored(&self, version: Version, at: TimeDelta) {
        self.push(Written { at, version, stored: true, owed: false, enabled: None });
    }

    /// Labels have been written onto a version, and whether it is enabled, if that was written as well.
    pub fn labelled(&self, id: &VersionId, labels: &Labels, enabled: Option<bool>, at: TimeDelta) {
        self.push(Written { at, version: relabelled(id, labels), stored: false, owed: false, enabled });
    }

    /// Labels could not be written that tell what has been done already.
    pub fn owed(&self, id: &VersionId, labels: &Labels, at: TimeDelta) {
        self.push(Written { at, version: relabelled(id, labels), stored: false, owed: true, enabled: None });
    }

    /// Nothing is owed any more: another process has the say, or there is nothing left to write onto.
    pub fn forgive(&self) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).retain(|w| !w.owed);
    }

    /// The oldest labels that are still to be written.
    pub fn debt(&self) -> Option<(VersionId, Labels)> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.iter().find(|w| w.owed).and_then(Written::labels)
    }

    /// Whether there is nothing in it that counts any more.
    pub fn is_over(&self, now: TimeDelta) -> bool {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        self.made().is_none() && written.iter().all(|w| !w.counts(now))
    }

    /// When anything was written last.
    pub fn last(&self) -> Option<TimeDelta> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.iter().rfind(|w| !w.owed).map(|last| last.at)
    }

    /// The job has been paused, or runs again.
    pub fn paused(&self, pause: Option<PauseNote>) {
        *self.made() = pause.map(|pause| Made { pause, shown: false });
    }

    /// The pause that this process has made and not ended. Another host may have written over what told of it.
    pub fn pause(&self) -> Option<PauseNote> {
        self.made().map(|made| made.pause)
    }

    /// The job has been read. A pause that has shown does not go away by itself, and none lets a cycle run.
    pub fn saw(&self, job: &Job) {
        let mut made = self.made();
        let ended = made.as_mut().is_some_and(|it| {
            it.shown |= job.state == JobState::Paused;
            it.shown && job.state == JobState::Active || it.pause.is_overrun(job.last_execution.as_ref())
        });
        made.take_if(|_| ended);
    }

    /// Whether this process has made a pause that nobody has read of the job yet.
    pub fn is_pause_unseen(&self) -> bool {
        self.made().is_some_and(|made| !made.shown)
    }

    fn made(&self) -> MutexGuard<'_, Option<Made>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, written: Written) {
        let mut all = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever writes onto a version again knows what was owed to it.
        all.retain(|w| !w.owed || w.version.id != written.version.id);
        all.push(written);
    }

    /// The list as it will be once it has caught up with what we know.
    pub fn complete(&self, mut versions: Vec<Version>, now: TimeDelta) -> Vec<Version> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|w| w.counts(now));
        for w in written.iter() {
            match versions.iter_mut().find(|v| v.id == w.version.id) {
                Some(listed) if is_anothers(&listed.label, &w.version.label) => (),
                Some(listed) => {
                    listed.label = w.version.label.clone();
                    listed.enabled = w.enabled.unwrap_or(listed.enabled);
                }
                None if w.stored => {
                    // Not listed yet, so it is the latest, whatever our clock says.
                    let newest = versions.iter().map(|v| v.created).max().unwrap_or(w.version.created);
                    versions.push(Version { created: w.version.created.max(newest), ..w.version.clone() });
                }
                None => (),
            }
        }
        versions
    }
}

impl Written {
    /// A list may lack it, or it is still to be written.
    fn counts(&self, now: TimeDelta) -> bool {
        self.owed || now - self.at < LAG
    }

    fn labels(&self) -> Option<(VersionId, Labels)> {
        match &self.version.label {
            Label::Ours(labels) => Some((self.version.id.clone(), (**labels).clone())),
            _ => None,
        }
    }
}

fn relabelled(id: &VersionId, labels: &Labels) -> Version {
    Version {
        id: id.clone(),
        created: Timestamp::UNIX_EPOCH, // Never looked at: the listed version keeps its own.
        enabled: true,
        expires: None,
        label: Label::Ours(Box::new(labels.clone())),
    }
}

/// Whether another process has signed `listed` no earlier than we signed what we wrote there.
fn is_anothers(listed: &Label, written: &Label) -> bool {
    let sign = |label: &Label| -> Option<Sign> {
        match label {
            Label::Ours(labels) => labels.sign.clone(),
            _ => None,
        }
    };
    match (sign(listed), sign(written)) {
        (Some(listed), Some(written)) => listed.holder != written.holder && listed.at >= written.at,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::journal::Stage;
    use crate::domain::{Execution, ExecutionState};

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + minutes * 60, 0).unwrap()
    }

    fn job() -> Job {
        Job {
            id: "j".into(),
            state: JobState::Active,
            quarantine: None,
            last_success: None,
            last_execution: None,
            interval: None,
            seen_at: at(0),
        }
    }

    fn signed(holder: &str, minutes: i64) -> Labels {
        let sign = Some(Sign { holder: holder.into(), at: at(minutes) });
        Labels { sign, ..Labels::new(Stage::Current, 1, "r".into(), None) }
    }

    fn listed(id: &str, labels: &Labels) -> Version {
        Version { created: at(0), ..relabelled(&VersionId(id.into()), labels) }
    }

    /// What a list shows that lags behind, completed by what was written at minute 5 onto the first version.
    fn completed(listed: Version) -> Label {
        let memory = Memory::default();
        memory.labelled(&VersionId("v1".into()), &signed("here", 5), None, TimeDelta::zero());
        memory.complete(vec![listed], TimeDelta::zero()).remove(0).label
    }

    #[test]
    fn what_another_process_signed_no_earlier_than_we_did_counts_and_nothing_else_does() {
        let ours = Label::Ours(Box::new(signed("here", 5)));
        for (holder, minute, theirs) in
            [("there", 6, true), ("there", 5, true), ("there", 4, false), ("here", 6, false), ("here", 5, false)]
        {
            let label = Label::Ours(Box::new(signed(holder, minute)));
            let seen = completed(listed("v1", &signed(holder, minute)));
            assert_eq!(seen, if theirs { label } else { ours.clone() }, "{holder} {minute}");
        }
        let unsigned = Labels { sign: None, ..signed("there", 6) };
        assert_eq!(completed(listed("v1", &unsigned)), ours);
        assert_eq!(completed(Version { label: Label::Foreign, ..listed("v1", &unsigned) }), ours);
    }

    #[test]
    fn a_stored_version_is_shown_before_it_is_listed_as_the_latest_and_labels_alone_make_none() {
        let memory = Memory::default();
        memory.stored(listed("v2", &signed("here", 5)), TimeDelta::zero());
        memory.labelled(&VersionId("v3".into()), &signed("here", 5), None, TimeDelta::zero());
        let first = Version { created: at(9), ..listed("v1", &signed("here", 0)) };
        let all = memory.complete(vec![first], TimeDelta::zero());
        let shown: Vec<_> = all.iter().map(|v| (v.id.0.as_str(), v.created)).collect();
        assert_eq!(shown, [("v1", at(9)), ("v2", at(9))], "whatever our clock says");
        assert_eq!(memory.complete(vec![], LAG).len(), 0, "it is forgotten after minutes");
    }

    #[test]
    fn a_pause_is_forgotten_once_the_job_is_seen_to_run_after_it_has_shown_or_to_have_run_a_cycle_since() {
        let pause = PauseNote { at: Some(at(1)), ..PauseNote::planned(at(0)) };
        let ran =
            |minutes| Some(Execution { began: at(minutes), ended: at(minutes + 1), state: ExecutionState::Succeeded });
        for (reads, kept) in [
            (vec![(JobState::Active, None)], true),
            (vec![(JobState::Paused, None)], true),
            (vec![(JobState::Paused, None), (JobState::Quarantine, None)], true),
            (vec![(JobState::Paused, None), (JobState::Active, None)], false),
            (vec![(JobState::Paused, ran(-5))], true),
            (vec![(JobState::Paused, ran(5))], false),
            (vec![(JobState::Active, ran(5))], false),
        ] {
            let memory = Memory::default();
            memory.paused(Some(pause));
            for (state, last_execution) in reads.clone() {
                memory.saw(&Job { state, last_execution, ..job() });
            }
            assert_eq!(memory.pause(), Some(pause).filter(|_| kept), "{reads:?}");
        }
    }

    #[test]
    fn a_debt_is_kept_until_its_version_is_written_onto_or_it_is_forgiven() {
        let [v1, v2] = ["v1", "v2"].map(|id| VersionId(id.into()));
        let memory = Memory::default();
        let [first, later] = [1, 2].map(TimeDelta::minutes);
        memory.labelled(&v1, &signed("here", 1), None, first);
        memory.owed(&v2, &signed("here", 2), later);
        let debt = Some((v2.clone(), signed("here", 2)));
        assert_eq!(memory.debt(), debt);
        assert_eq!(memory.last(), Some(first), "what could not be written is no sign of life");
        memory.labelled(&v1, &signed("here", 3), None, first);
        let _ = memory.complete(vec![], LAG * 2);
        assert_eq!(memory.debt(), debt, "neither another write nor time ends it");
        memory.labelled(&v2, &signed("here", 4), None, later);
        assert_eq!(memory.debt(), None);
        memory.owed(&v2, &signed("here", 5), TimeDelta::zero());
        memory.forgive();
        assert_eq!((memory.debt(), memory.last()), (None, Some(later)), "what was written is not forgotten");
    }
}

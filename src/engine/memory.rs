//! What this process has just written to the vault, for as long as a list may not show it yet.
//!
//! A list that lags behind would have a pending token issued a second time. This is no journal: it forgets after minutes,
//! and whatever it holds stands in the vault already.

use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;

use crate::domain::journal::{Label, Labels};
use crate::domain::{Timestamp, Version, VersionId};

/// How long a list may lag behind.
const LAG: TimeDelta = TimeDelta::minutes(5);

/// The writes of the last minutes, oldest first.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Vec<Written>>);

#[derive(Debug)]
struct Written {
    at: TimeDelta,
    version: Version,
    /// Stored by us: a list that lacks it is behind. Otherwise only its labels are ours.
    stored: bool,
    enabled: Option<bool>,
}

impl Memory {
    /// A version has been stored.
    pub fn stored(&self, version: Version, at: TimeDelta) {
        self.push(Written { at, version, stored: true, enabled: None });
    }

    /// Labels have been written onto a version, and whether it is enabled, if that was written as well.
    pub fn labelled(&self, id: &VersionId, labels: &Labels, enabled: Option<bool>, at: TimeDelta) {
        let version = Version {
            id: id.clone(),
            created: Timestamp::UNIX_EPOCH, // Never looked at: the listed version keeps its own.
            enabled: true,
            expires: None,
            label: Label::Ours(Box::new(labels.clone())),
        };
        self.push(Written { at, version, stored: false, enabled });
    }

    fn push(&self, written: Written) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(written);
    }

    /// The list as it will be once it has caught up with what we know.
    pub fn complete(&self, mut versions: Vec<Version>, now: TimeDelta) -> Vec<Version> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|w| now - w.at < LAG);
        for w in written.iter() {
            match versions.iter_mut().find(|v| v.id == w.version.id) {
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

//! What other processes on the vault are seen to do, by this process's own clock alone: theirs may be minutes off.

use std::collections::VecDeque;

use chrono::TimeDelta;

use crate::domain::journal::{Journal, Sign};

/// How many signs are remembered. A list that lags shows old ones again, and they are no news.
const KNOWN: usize = 200;

/// The signs of all others that were ever seen, and when there was a new one among them.
#[derive(Debug, Default)]
pub(super) struct Others {
    known: Option<VecDeque<Sign>>,
    stirred: Option<TimeDelta>,
}

impl Others {
    /// How long ago another process was seen to have signed anything since the look before, at a look at `elapsed`.
    pub fn look(&mut self, journal: &Journal, holder: &str, elapsed: TimeDelta) -> Option<TimeDelta> {
        let is_first = self.known.is_none();
        let known = self.known.get_or_insert_default();
        let new: Vec<Sign> = journal.signs_of_others(holder).filter(|sign| !known.contains(sign)).cloned().collect();
        // What the first look shows may be as old as the vault.
        if !is_first && !new.is_empty() {
            self.stirred = Some(elapsed);
        }
        known.extend(new);
        known.drain(..known.len().saturating_sub(KNOWN));
        self.stirred.map(|at| elapsed - at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::domain::journal::{Label, Labels, Stage, Version, VersionId};

    fn signed(holder: &str, minute: i64) -> Version {
        let at = Timestamp::UNIX_EPOCH + TimeDelta::minutes(minute);
        let sign = Some(Sign { holder: holder.to_owned(), at });
        let labels = Labels { sign, ..Labels::new(Stage::Current, 1, "r".to_owned(), None) };
        let id = VersionId(format!("{holder}-{minute}"));
        Version { id, created: at, enabled: true, expires: None, label: Label::Ours(Box::new(labels)) }
    }

    #[test]
    fn only_a_sign_of_another_that_was_not_there_before_shows_that_he_is_at_work_whatever_its_moment() {
        let mut others = Others::default();
        let mut look = |versions: Vec<Version>, minute| {
            let age = others.look(&Journal::new(versions), "here", TimeDelta::minutes(minute));
            age.map(|age| age.num_minutes())
        };
        assert_eq!(look(vec![signed("there", 50)], 0), None, "it may be as old as the vault");
        assert_eq!(look(vec![signed("there", 50)], 1), None, "nor does it show anything when it is seen again");
        assert_eq!(look(vec![signed("there", 50), signed("here", 51)], 2), None, "our own is no other's");
        assert_eq!(look(vec![signed("there", 20)], 3), Some(0), "by a clock that was set back");
        assert_eq!(look(vec![signed("here", 60)], 5), Some(2), "what we write over is gone, and is nothing new");
        assert_eq!(look(vec![signed("there", 50)], 6), Some(3), "nor is what a list that lags shows again");
    }
}

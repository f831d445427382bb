//! When rotations are welcome: recurring spans of time, and how long none of them may be open.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use chrono::{TimeDelta, TimeZone, Utc};

use super::Timestamp;
use super::cron::Cron;

/// How many openings are looked at, at most: a year of hourly ones.
const OPENINGS: usize = 9_000;
/// How far ahead openings are looked for: every weekday on every date, leap days too.
pub const SPAN: TimeDelta = TimeDelta::days(366 * 8);

/// Where the walk begins: a Monday, before a leap year.
pub fn anchor() -> Timestamp {
    Utc.with_ymd_and_hms(2027, 1, 4, 0, 0, 0).single().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A recurring span of time in which rotations are welcome.
#[derive(Clone, Debug)]
pub struct Window {
    /// When it opens, in its own zone. Six fields.
    pub opens: Cron,
    /// How long it stays open.
    pub lasts: TimeDelta,
    /// The IANA zone the cron is read in.
    pub zone: chrono_tz::Tz,
}

impl Window {
    /// The first span that is open at `from` or opens after it.
    pub fn next(&self, from: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let earliest = (from - self.lasts + TimeDelta::seconds(1)).with_timezone(&self.zone);
        let opens = self.opens.find_next_occurrence(&earliest, true).ok()?.with_timezone(&Utc);
        Some((opens, opens + self.lasts))
    }
}

/// The windows of a policy; none means always. All connections that go by the same table share them.
#[derive(Clone, Default)]
pub struct Windows(Arc<List>);

#[derive(Default)]
struct List {
    windows: Vec<Window>,
    /// To walk them takes milliseconds, so it is done once, when somebody asks.
    closed: OnceLock<Option<TimeDelta>>,
}

impl Windows {
    /// The first span from `wanted` on in which rotations are welcome.
    pub fn open(&self, wanted: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let next = self.iter().filter_map(|window| window.next(wanted)).min();
        next.map(|(opens, closes)| (opens.max(wanted), closes))
    }

    /// The longest time for which none of them is open; nothing, where there are none. None: they do not open any more.
    pub fn longest_closed(&self) -> Option<TimeDelta> {
        *self.0.closed.get_or_init(|| longest_closed(self))
    }
}

impl From<Vec<Window>> for Windows {
    fn from(windows: Vec<Window>) -> Self {
        Self(Arc::new(List { windows, closed: OnceLock::new() }))
    }
}

impl Deref for Windows {
    type Target = [Window];

    fn deref(&self) -> &[Window] {
        &self.0.windows
    }
}

/// What the configuration says, and not whether anybody has walked them yet: a reload tells by this what has changed.
impl fmt::Debug for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn longest_closed(windows: &[Window]) -> Option<TimeDelta> {
    let mut at = anchor();
    let mut longest = TimeDelta::zero();
    if windows.is_empty() {
        return Some(longest);
    }
    for _ in 0..OPENINGS {
        let (opens, closes) = windows.iter().filter_map(|window| window.next(at)).min()?;
        longest = longest.max(opens - at);
        at = closes;
        if at - anchor() > SPAN {
            break;
        }
    }
    Some(longest)
}

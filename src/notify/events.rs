//! What is news: pure, from what is remembered of a connection and how it stands now.
//!
//! A condition is told when it begins, once a day while it lasts, and when it is over. Between two of one kind and connection
//! there is an hour at least, unless it has become worse. Little is remembered, and nothing of it outlives the process.

use std::borrow::Cow;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::admin::health::Why;
use crate::domain::{JobState, Reason, Timestamp};
use crate::engine::Report;
use crate::engine::report::{Kind, TokenReport};
use crate::words::span;

use self::Event::{Confirmed, Failed, Healed, HoldExpired, NeedsHuman, Quarantined, Rotated, SlackLow};

/// Between two of one kind and connection, in seconds.
const HOUR: u32 = 3600;
/// What lasts is told again after so many seconds.
const DAY: u32 = 24 * HOUR;
/// A connection that cannot be seen is told of after so many seconds: services are away for some minutes now and then.
const BLIND: u32 = HOUR;

/// What there can be to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Another token has become the current one.
    Rotated,
    /// A provisioning cycle has succeeded with it.
    Confirmed,
    /// A rotation or another act has failed or is stuck, no cycle has confirmed a token in time, cycles fail for hours, or
    /// nothing could be seen for an hour.
    Failed,
    /// Only a person can go on.
    NeedsHuman,
    /// Little of the time between the moment at which the token was due and its last safe moment is left; or none.
    SlackLow,
    /// What had been told is over, or Entra has been given the right token again.
    Healed,
    /// Entra has put the job into quarantine.
    Quarantined,
    /// A person's hold has come to its end.
    HoldExpired,
    /// Somebody tries whether messages arrive.
    #[serde(skip_deserializing)]
    Test,
}

impl Event {
    /// All that can be asked for.
    pub const ALL: [Self; 8] = [Rotated, Confirmed, Failed, NeedsHuman, SlackLow, Healed, Quarantined, HoldExpired];

    /// Its name, as the configuration and the messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
            Self::NeedsHuman => "needs-human",
            Self::SlackLow => "slack-low",
            Self::Healed => "healed",
            Self::Quarantined => "quarantined",
            Self::HoldExpired => "hold-expired",
            Self::Test => "test",
        }
    }

    /// What is told rather than that of which this is less, where not all can be told: good news, a failure that is tried
    /// again, what only a person or time can end.
    pub const fn weight(self) -> u8 {
        match self {
            Self::Rotated | Self::Confirmed | Self::Healed | Self::HoldExpired | Self::Test => 0,
            Self::Failed => 1,
            Self::NeedsHuman | Self::SlackLow | Self::Quarantined => 2,
        }
    }
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// What.
    pub event: Event,
    /// The stable reason.
    pub reason: Reason,
    /// What it means, for people.
    pub sentence: Cow<'static, str>,
    /// What a person can do about it.
    pub remedy: Option<String>,
    /// What failed, with its causes.
    pub error: Option<String>,
    /// Since when it lasts, of a condition.
    pub since: Option<Timestamp>,
    /// It has been told before, and still lasts.
    pub again: bool,
    /// What is over, of something healed.
    pub ended: Vec<Event>,
    /// The time left until the token's last safe moment, in seconds; negative after it.
    pub slack_seconds: Option<i64>,
    /// When the token dies.
    pub expires: Option<Timestamp>,
    /// What tells it from others of its kind: two processes that see one rotation say the same.
    pub subject: String,
}

/// A condition, told or not. Moments are in seconds since 1970; 0 is never.
#[derive(Clone, Copy, Debug, Default)]
struct Lasting {
    since: u32,
    told: u32,
    /// Of what was told last: the more, the worse.
    level: u8,
    reason: Option<Reason>,
    /// It has been told since it began.
    known: bool,
}

impl Lasting {
    /// It holds now. Whether that is to be told; and if so, whether it has been before. Another reason is news where one is given.
    fn stands(&mut self, level: u8, reason: Option<Reason>, now: u32) -> Option<bool> {
        if self.since == 0 || self.since > now {
            self.since = now;
        }
        self.told = self.told.min(now); // A clock that was set back must not silence it for years.
        let quiet = now - self.told;
        let is_worse = level > self.level;
        let is_new = !self.known || reason.is_some() && reason != self.reason;
        let is_news = is_worse || quiet >= if is_new { HOUR } else { DAY };
        is_news.then(|| {
            let again = !is_new && !is_worse;
            (self.told, self.level, self.reason, self.known) = (now, level, reason, true);
            again
        })
    }

    /// It does not hold any more. Whether anybody thinks that it does.
    fn ends(&mut self) -> bool {
        self.since = 0;
        std::mem::take(&mut self.known)
    }
}

/// When the slack is low, when there is none left, and when the token dies. Never is the end of time.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    low: u32,
    safe: u32,
    expires: u32,
}

const NEVER: Bounds = Bounds { low: u32::MAX, safe: u32::MAX, expires: u32::MAX };

impl Bounds {
    fn of(token: &TokenReport) -> Self {
        let (Some(low), Some(safe)) = (token.slack_low(), token.last_safe_moment) else { return NEVER };
        let expires = token.expires.map_or(u32::MAX, seconds);
        Self { low: seconds(low), safe: seconds(safe), expires }
    }

    fn level(self, now: u32) -> u8 {
        u8::from(now >= self.low) + u8::from(now >= self.safe) + u8::from(now >= self.expires)
    }
}

/// What is remembered of a connection.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What is dated before has been told by whoever was there.
    began: u32,
    /// The current token, as far as it need be told from another one.
    token: Option<u32>,
    confirmed: u32,
    acted: u32,
    hold: u32,
    blind: u32,
    bounds: Bounds,
    failed: Lasting,
    human: Lasting,
    slack: Lasting,
    quarantine: Lasting,
}

impl Memory {
    /// Nothing yet. What has happened since `began` is news, and what was before is not.
    pub fn since(began: Timestamp) -> Self {
        let began = seconds(began);
        Self {
            began,
            token: None,
            confirmed: began,
            acted: began,
            hold: 0,
            blind: 0,
            bounds: NEVER,
            failed: Lasting::default(),
            human: Lasting::default(),
            slack: Lasting::default(),
            quarantine: Lasting::default(),
        }
    }

    /// What there is to tell of a connection that stands like this at `at`, and is not well for these reasons.
    pub fn saw(&mut self, report: &Report, whys: &[Why], at: Timestamp) -> Vec<News> {
        let now = seconds(at);
        let mut all = Vec::new();
        self.milestones(report, now, &mut all);
        let mut ended = self.trouble(report, whys, now, &mut all);
        ended.extend(self.wears_thin(report, now, &mut all));
        ended.extend(self.quarantined(report, now, &mut all));
        all.extend(self.healed(report, now, ended));
        for news in &mut all {
            news.slack_seconds = (self.bounds.safe != u32::MAX).then(|| i64::from(self.bounds.safe) - i64::from(now));
            news.expires = (self.bounds.expires != u32::MAX).then(|| moment(self.bounds.expires)).flatten();
        }
        all
    }

    /// What happens once.
    fn milestones(&mut self, report: &Report, now: u32, all: &mut Vec<News>) {
        if report.job.is_none() {
            return;
        }
        let token = report.token.as_ref();
        self.bounds = token.map_or(NEVER, Bounds::of);
        if let Some(token) = token {
            let is_new = match self.token.replace(token.id.seed()) {
                None => seconds(token.issued) >= self.began,
                Some(known) => known != token.id.seed(),
            };
            let subject = token.id.to_string();
            if is_new {
                all.push(News { subject: subject.clone(), ..news(Rotated, Reason::Rotated) });
            }
            if let Some(confirmed) = token.confirmed.map(seconds).filter(|confirmed| *confirmed > self.confirmed) {
                self.confirmed = confirmed;
                all.push(News { subject, ..news(Confirmed, Reason::Confirmed) });
            }
        }
        let held = report.held_until.map_or(0, seconds);
        let before = std::mem::replace(&mut self.hold, held);
        if before != 0 && held == 0 && now >= before {
            let sentence = "the hold on rotations is over: policy alone says again when to rotate".into();
            all.push(News { sentence, subject: before.to_string(), ..news(HoldExpired, report.standing.reason) });
        }
    }

    /// What failed, and what only a person can end. Answers with what of it is over.
    fn trouble(&mut self, report: &Report, whys: &[Why], now: u32, all: &mut Vec<News>) -> Vec<Event> {
        let standing = &report.standing;
        let (reason, error) = (standing.reason, standing.error.clone());
        if matches!(reason, Reason::ShuttingDown | Reason::OrderFirst | Reason::TakenOver) {
            return Vec::new();
        }
        let is_blind = error.is_some() && report.job.is_none() && standing.kind == Kind::Unknown;
        self.blind = match self.blind {
            _ if !is_blind => 0,
            0 => now,
            since => since.min(now),
        };
        let is_late = report.token.as_ref().is_some_and(|token| token.unconfirmed_since.is_some());
        // What is not well by its length alone: the others are told by what they are.
        let lasts_too_long = whys.iter().find(|why| matches!(why, Why::Stuck | Why::CyclesFail));
        // Another process tells what it does itself.
        let lasts_too_long = lasts_too_long.filter(|_| !matches!(reason, Reason::AnotherHolder | Reason::StandingBy));
        let (lasting, event, reason, level) = if standing.kind == Kind::NeedsHuman {
            (&mut self.human, NeedsHuman, reason, Some(reason))
        } else if error.is_some() && (!is_blind || now - self.blind >= BLIND) {
            (&mut self.failed, Failed, reason, None)
        } else if is_late {
            (&mut self.failed, Failed, Reason::Unconfirmed, None)
        } else if lasts_too_long.is_some() {
            (&mut self.failed, Failed, reason, None)
        } else if is_well(report) {
            let ends = [(&mut self.failed, Failed), (&mut self.human, NeedsHuman)];
            return ends.into_iter().filter_map(|(lasting, event)| lasting.ends().then_some(event)).collect();
        } else {
            return Vec::new();
        };
        let is_told_blind = is_blind && now - self.blind >= BLIND;
        if is_told_blind && lasting.since == 0 {
            lasting.since = self.blind;
        }
        if let Some(again) = lasting.stands(1, level, now) {
            let by_length = lasts_too_long.filter(|_| event == Failed && !is_late);
            let (sentence, remedy) = match by_length.filter(|_| error.is_none() || is_blind && !is_told_blind) {
                Some(why) => (why.sentence(), Some(format!("read `scim-rotator explain {}`", why.page(reason)))),
                None => {
                    let remedy = reason.remedy_for(&report.connection);
                    (reason.sentence(), remedy.or_else(|| Some(reason.outlook().replace("NAME", &report.connection))))
                }
            };
            all.push(News { remedy, error, ..lasts(event, reason, sentence.into(), lasting.since, again, now) });
        }
        Vec::new()
    }

    /// The slack. It is reckoned on while nothing can be seen.
    fn wears_thin(&mut self, report: &Report, now: u32, all: &mut Vec<News>) -> Option<Event> {
        let sentence = match self.bounds.level(now) {
            0 => return self.slack.ends().then_some(SlackLow),
            1 => "the token is overdue, and its last safe moment comes near",
            2 => "the last safe moment has passed: an outage of the length of min_slack would end provisioning",
            _ => "the token's life is over: unless Entra holds another one, provisioning stands still",
        };
        let again = self.slack.stands(self.bounds.level(now), None, now)?;
        let reason = report.standing.reason;
        let remedy = Some(reason.outlook().replace("NAME", &report.connection));
        let error = report.standing.error.clone();
        all.push(News { remedy, error, ..lasts(SlackLow, reason, sentence.into(), self.slack.since, again, now) });
        None
    }

    fn quarantined(&mut self, report: &Report, now: u32, all: &mut Vec<News>) -> Option<Event> {
        let job = report.job.as_ref()?;
        if job.quarantine.is_none() && job.state != JobState::Quarantine {
            return self.quarantine.ends().then_some(Quarantined);
        }
        let quarantine = job.quarantine.as_ref();
        let (began, disabled_at) = quarantine.map_or((None, None), |known| (known.began, known.disabled_at));
        let gives_up = disabled_at.map_or(u32::MAX, seconds);
        let again = self.quarantine.stands(1 + u8::from(now >= gives_up), None, now)?;
        let date = disabled_at.map(|at| at.format("%Y-%m-%d").to_string()).unwrap_or_default();
        let what = match gives_up {
            u32::MAX => String::new(),
            at if now >= at => format!(", and Entra has disabled it on {date}"),
            _ => format!(", and Entra disables it for good on {date}"),
        };
        let cause = quarantine.map(|known| format!(" ({})", known.reason)).unwrap_or_default();
        let sentence = format!("the provisioning job is in quarantine{cause}{what}");
        let since = began.map_or(self.quarantine.since, seconds);
        let reason = report.standing.reason;
        let remedy = Some(reason.outlook().replace("NAME", &report.connection));
        all.push(News { remedy, ..lasts(Quarantined, reason, sentence.into(), since, again, now) });
        None
    }

    fn healed(&mut self, report: &Report, now: u32, ended: Vec<Event>) -> Option<News> {
        let last = report.last_action.as_ref().filter(|last| seconds(last.at) > self.acted);
        let given = last.is_some_and(|last| {
            self.acted = seconds(last.at);
            last.succeeded && last.action == "provision" && last.reason == Reason::EntraHoldsAnother
        });
        let over = ended.iter().map(|event| match event {
            Failed => "what had failed goes well again",
            NeedsHuman => "no person is needed any more",
            SlackLow => "the slack is there again",
            _ => "the job is out of quarantine",
        });
        let given_again = given.then_some("Entra held another token, and has been given the vault's again");
        let sentence = over.chain(given_again).collect::<Vec<_>>().join("; ");
        let reason = if given { Reason::EntraHoldsAnother } else { report.standing.reason };
        let subject = now.to_string();
        (!sentence.is_empty()).then(|| News { sentence: sentence.into(), ended, subject, ..news(Healed, reason) })
    }
}

/// Whether it can be said that nothing is wrong: it was seen, and no failure is being waited out, by us or by another process.
fn is_well(report: &Report) -> bool {
    let standing = &report.standing;
    let waits = [Reason::JustBegun, Reason::Queued, Reason::StandingBy, Reason::AnotherHolder];
    // Of a job that stands still nobody knows whether its cycles would succeed again.
    report.job.as_ref().is_some_and(|job| job.state == JobState::Active)
        && standing.error.is_none()
        && matches!(standing.kind, Kind::Idle | Kind::Due)
        && !standing.reason.is_retry()
        && !waits.contains(&standing.reason)
}

fn news(event: Event, reason: Reason) -> News {
    News {
        event,
        reason,
        sentence: reason.sentence().into(),
        remedy: None,
        error: None,
        since: None,
        again: false,
        ended: Vec::new(),
        slack_seconds: None,
        expires: None,
        subject: String::new(),
    }
}

/// A condition that has lasted since then.
fn lasts(event: Event, reason: Reason, sentence: Cow<'static, str>, since: u32, again: bool, now: u32) -> News {
    let lasted = || span(TimeDelta::minutes(i64::from(now.saturating_sub(since)) / 60));
    let sentence = if again { format!("{sentence}; it has lasted for {}", lasted()).into() } else { sentence };
    News { sentence, since: moment(since), again, subject: format!("{since} {now}"), ..news(event, reason) }
}

/// Since 1970, until 2106.
fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.timestamp().max(1)).unwrap_or(u32::MAX - 1)
}

fn moment(seconds: u32) -> Option<Timestamp> {
    Timestamp::from_timestamp(i64::from(seconds), 0)
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;

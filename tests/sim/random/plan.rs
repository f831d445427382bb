//! A plan is a whole life as data: how the far side is, how the daemon is set, and everything that happens to them.

use std::fmt;

use chrono::TimeDelta;
use scim_rotator::domain::Policy;

use super::asked::Asked;
use super::people::Deed;
use crate::world::{Fault, Op, Service, Settings};

/// What kind of people and accidents a plan knows, and how strictly it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Accidents, and people who do nothing that harms a rotation.
    Accidents,
    /// Everything that a person with all rights can do.
    Malice,
}

/// A life, drawn from a seed and perhaps shrunk since.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub level: Level,
    pub settings: Settings,
    pub policy: Policy,
    /// The daemon's clock is so far ahead to begin with.
    pub skew: TimeDelta,
    pub accidents: Vec<Accident>,
    /// After so long the last accident is over.
    pub eventful: TimeDelta,
    /// For so long nothing happens any more, so that everything can come to rest.
    pub quiet: TimeDelta,
}

/// Something that happens once.
#[derive(Clone, Debug, PartialEq)]
pub struct Accident {
    pub when: When,
    pub what: What,
}

/// When it happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// So long after the beginning.
    At(TimeDelta),
    /// So many port calls after the first call of this kind that is made after a moment: in the midst of a rotation.
    Amid { after: TimeDelta, op: Op, calls: u64 },
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A service fails for so long.
    Outage { service: Service, fault: Fault, lasts: TimeDelta },
    /// Some calls of one kind fail, from the next one on.
    Calls { op: Op, count: u32, fault: Fault },
    /// The first host's process is killed, and is away for so long.
    Kill { away: TimeDelta },
    /// The first host's process is asked to stop, and is away for so long.
    Stop { away: TimeDelta },
    /// A host is suspended for so long; when it wakes, every service fails it for a while.
    Sleep { whose: Whose, lasts: TimeDelta, deaf: TimeDelta, fault: Fault },
    /// The first host's clock is stepped.
    Step(TimeDelta),
    /// Lists of the vault lag behind from now on.
    Lag(TimeDelta),
    /// A second host runs the daemon as well, for so long.
    Second { lasts: TimeDelta },
    /// The next token that HPE makes will never be accepted.
    Spoil,
    /// A person does something.
    Person(Deed),
    /// A person asks the first host's daemon for something.
    Asks(Asked),
    /// The first host's configuration is changed: old versions are retired after so long.
    Reload { retire_after: TimeDelta },
}

/// Of two hosts, one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    First,
    /// Where there is one.
    Second,
}

impl Plan {
    /// From the beginning to the end.
    pub fn length(&self) -> TimeDelta {
        self.eventful + self.quiet
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(moment) => write!(f, "after {}", Span(*moment)),
            Self::Amid { after, op, calls } => write!(f, "{calls} calls after the first {op:?} after {}", Span(*after)),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (s, p) = (&self.settings, &self.policy);
        writeln!(
            f,
            "{:?}: {} eventful and {} quiet, clock {} ahead\n  far side: life {}, takes effect {:?}{}, put {:?}, pause ends a cycle {}, verification {} ({:?}), tags {:?}, list lag {}, refuses expiry {}, throttled {}, answer {:?}, cycles {} every {}, start after {}, hidden {:?}",
            self.level,
            Span(self.eventful),
            Span(self.quiet),
            Span(self.skew),
            Span(s.token_life),
            s.takes_effect,
            if s.remove_current_waits { " (after remove-current too)" } else { "" },
            s.put,
            s.pause_ends_cycle,
            Span(s.verification_delay),
            s.delayed,
            s.tag_writes,
            Span(s.list_lag),
            s.refuses_expiry,
            s.throttled,
            s.answer,
            Span(s.cycle_length),
            Span(s.cycle_interval),
            Span(s.start_delay),
            s.hidden,
        )?;
        writeln!(
            f,
            "  policy: {}, fence {:?}, pinned {:?}, before {:?}, slack {}, max age {:?}, jitter {}, {} window(s), accepts supplied {}",
            p.mode,
            p.fence,
            p.takes_effect,
            p.rotate_before,
            Span(p.min_slack),
            p.max_age.map(|age| Span(age).to_string()),
            Span(p.jitter),
            p.windows.len(),
            p.accept_supplied,
        )?;
        for accident in &self.accidents {
            writeln!(f, "  * {}: {}", accident.when, accident.what)?;
        }
        Ok(())
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outage { service, fault, lasts } => write!(f, "{service:?} fails ({fault:?}) for {}", Span(*lasts)),
            Self::Calls { op, count, fault } => write!(f, "the next {count} of {op:?} fail ({fault:?})"),
            Self::Kill { away } => write!(f, "the process is killed and away for {}", Span(*away)),
            Self::Stop { away } => write!(f, "the process is stopped and away for {}", Span(*away)),
            Self::Sleep { whose, lasts, deaf, fault } => {
                let (lasts, deaf) = (Span(*lasts), Span(*deaf));
                write!(f, "the {whose:?} host is suspended for {lasts}, and all fails it ({fault:?}) for {deaf} then")
            }
            Self::Step(by) => write!(f, "the daemon's clock is stepped by {}", Span(*by)),
            Self::Lag(by) => write!(f, "lists of the vault lag behind by {}", Span(*by)),
            Self::Second { lasts } => write!(f, "a second host runs the daemon for {}", Span(*lasts)),
            Self::Spoil => write!(f, "the next token that HPE makes is never accepted"),
            Self::Person(deed) => write!(f, "a person: {deed:?}"),
            Self::Asks(asked) => write!(f, "a person asks the daemon: {asked:?}"),
            Self::Reload { retire_after } => write!(f, "a reload: retire_after is {}", Span(*retire_after)),
        }
    }
}

/// A span of time as people write it.
pub struct Span(pub TimeDelta);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.num_seconds();
        if seconds < 0 {
            f.write_str("-")?;
        }
        let text = humantime::format_duration(std::time::Duration::from_secs(seconds.unsigned_abs()));
        write!(f, "{text}")
    }
}

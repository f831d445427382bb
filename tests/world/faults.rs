//! What goes wrong, where and when: for a span of time, or at the n-th call of one kind.
//!
//! The world never fails by itself. The faces ask [`Faults`] at each call and play what it answers.

use chrono::TimeDelta;

use super::Timestamp;

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// HPE's proxy-token API.
    Hpe,
    /// HPE's login.
    HpeAuth,
    /// Key Vault.
    Vault,
    /// Microsoft Graph.
    Graph,
    /// Entra's login.
    EntraLogin,
    /// HPE's SCIM endpoint.
    Scim,
}

macro_rules! ops {
    ($($(#[doc = $doc:literal])+ $name:ident => $service:ident $kind:ident,)+) => {
        /// Every kind of call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Op { $($(#[doc = $doc])+ $name,)+ }

        impl Op {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Who answers it.
            pub const fn service(self) -> Service {
                match self { $(Self::$name => Service::$service,)+ }
            }

            /// Whether it changes something.
            pub const fn is_write(self) -> bool {
                match self { $(Self::$name => ops!(@ $kind),)+ }
            }
        }
    };
    (@ write) => { true };
    (@ read) => { false };
}

ops! {
    /// A bearer for HPE's API.
    BearerMint => HpeAuth read,
    /// Create or rotate.
    Issue => Hpe write,
    /// An access token for the vault.
    VaultToken => EntraLogin read,
    /// One page of versions, or of secrets.
    VaultList => Vault read,
    /// The value of a version.
    VaultRead => Vault read,
    /// A new version.
    VaultStore => Vault write,
    /// Tags and attributes of a version; a secret deleted, recovered or purged.
    VaultLabel => Vault write,
    /// An access token for Graph.
    GraphToken => EntraLogin read,
    /// The service principal.
    PrincipalRead => Graph read,
    /// One job, or the list of jobs.
    JobRead => Graph read,
    /// The saved settings.
    SettingsRead => Graph read,
    /// The saved settings and the token, written.
    SettingsPut => Graph write,
    /// validateCredentials with a candidate.
    TestCandidate => Graph read,
    /// validateCredentials of what is saved.
    TestSaved => Graph read,
    /// Pause of the job.
    Pause => Graph write,
    /// Start of the job.
    Start => Graph write,
    /// The daemon's own call of the SCIM endpoint.
    Probe => Scim read,
    /// Entra's call of the SCIM endpoint, in a cycle or a test.
    EntraScim => Scim read,
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is refused.
    Down,
    /// This status instead of an answer, nothing applied, and `Retry-After` in seconds.
    Status(u16, Option<u32>),
    /// No answer, ever; nothing applied.
    Hang,
    /// The connection breaks before the service sees the request.
    LoseRequest,
    /// The connection breaks after the service has done as asked.
    LoseAnswer,
    /// 200 with a web page, from something in between; nothing applied.
    Html,
    /// Done as asked, and the answer's body breaks off.
    Truncated,
    /// Done as asked, and the answer takes its time.
    Slow,
}

impl Fault {
    /// Whether the service does as asked all the same.
    pub const fn applies(self) -> bool {
        matches!(self, Self::LoseAnswer | Self::Truncated | Self::Slow)
    }
}

#[derive(Clone, Copy, Debug)]
struct Span {
    service: Service,
    from: Timestamp,
    ends: Ends,
    fault: Fault,
}

#[derive(Clone, Copy, Debug)]
enum Ends {
    At(Timestamp),
    /// So long after whoever meets it first.
    OnceMet(TimeDelta),
}

impl Span {
    fn strikes(&self, service: Service, now: Timestamp) -> bool {
        let over = matches!(self.ends, Ends::At(end) if end <= now);
        self.service == service && self.from <= now && !over
    }

    /// Somebody meets it now.
    fn meet(&mut self, now: Timestamp) -> Fault {
        if let Ends::OnceMet(lasts) = self.ends {
            self.ends = Ends::At(now + lasts);
        }
        self.fault
    }
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    op: Op,
    first: u32,
    last: u32,
    fault: Fault,
}

/// What is to go wrong, and how often each kind of call was made.
#[derive(Clone, Debug)]
pub struct Faults {
    spans: Vec<Span>,
    planned: Vec<Planned>,
    calls: [u32; Op::ALL.len()],
    turned_away: u32,
}

impl Default for Faults {
    fn default() -> Self {
        Self { spans: Vec::new(), planned: Vec::new(), calls: [0; Op::ALL.len()], turned_away: 0 }
    }
}

impl Faults {
    /// `service` fails in this way from `from` until just before `until`.
    pub fn during(&mut self, service: Service, from: Timestamp, until: Timestamp, fault: Fault) {
        self.spans.push(Span { service, from, ends: Ends::At(until), fault });
    }

    /// `service` fails in this way from `from` until so long after the first who meets it, however late he comes.
    pub fn once_met(&mut self, service: Service, from: Timestamp, lasts: TimeDelta, fault: Fault) {
        self.spans.push(Span { service, from, ends: Ends::OnceMet(lasts), fault });
    }

    /// The `n`-th call from now (1 is the next) fails in this way.
    pub fn at_call(&mut self, op: Op, n: u32, fault: Fault) {
        self.at_calls(op, n, 1, fault);
    }

    /// `count` calls in a row, beginning with the `n`-th from now, fail in this way.
    pub fn at_calls(&mut self, op: Op, n: u32, count: u32, fault: Fault) {
        let first = self.calls[op as usize] + n;
        self.planned.push(Planned { op, first, last: first + count - 1, fault });
    }

    /// Everything works again.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.planned.clear();
    }

    /// Whether nobody can connect to `service` at all.
    pub fn is_down(&self, service: Service, now: Timestamp) -> bool {
        self.spans.iter().any(|span| span.fault == Fault::Down && span.strikes(service, now))
    }

    /// Somebody who wanted to connect to `service` finds it down.
    pub fn turn_away(&mut self, service: Service, now: Timestamp) {
        self.turned_away += 1;
        self.spans.iter_mut().filter(|span| span.strikes(service, now)).for_each(|span| _ = span.meet(now));
    }

    /// How often somebody could not connect.
    pub fn turned_away(&self) -> u32 {
        self.turned_away
    }

    /// How often this kind of call was made, failed ones included.
    pub fn calls(&self, op: Op) -> u32 {
        self.calls[op as usize]
    }

    /// Counts one call and says what goes wrong with it. A planned call beats a span.
    pub(super) fn call(&mut self, op: Op, now: Timestamp) -> Option<Fault> {
        self.calls[op as usize] += 1;
        let n = self.calls[op as usize];
        let planned = self.planned.iter().find(|p| p.op == op && (p.first..=p.last).contains(&n)).map(|p| p.fault);
        planned.or_else(|| {
            let span = self.spans.iter_mut().find(|span| span.strikes(op.service(), now))?;
            Some(span.meet(now))
        })
    }
}

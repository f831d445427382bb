//! What a row sees: the ports, the world behind them, and a way to let its time pass.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::TimeDelta;
use scim_rotator::domain::{Timestamp, Token};
use scim_rotator::ports::{Class, IssueHow, Issuer, Probe, Provisioner, Vault};

use crate::world::{Op, World};

pub const OVERLAP: IssueHow = IssueHow::Rotate { remove_current: false };
pub const REMOVE_CURRENT: IssueHow = IssueHow::Rotate { remove_current: true };
/// A failure that a repetition may cure, without a word on when.
pub const RETRY: Class = Class::Retry { after: None };

/// A failure that a repetition may cure, after so many seconds.
pub fn retry_after(seconds: u64) -> Class {
    Class::Retry { after: Some(Duration::from_secs(seconds)) }
}

/// What of the daemon's configuration a row may choose.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// `job_id`.
    pub job_id: Option<String>,
    /// `app_id` in place of `service_principal_id`.
    pub by_app_id: bool,
    /// `assumed_lifetime`.
    pub assumed_lifetime: Option<TimeDelta>,
    /// The time limit of a call.
    pub patience: Option<Duration>,
}

/// HPE, Key Vault and Entra as the daemon sees them. Time stands still there but for [`Self::pass`].
pub struct FarSide {
    pub issuer: Arc<dyn Issuer>,
    pub vault: Arc<dyn Vault>,
    pub provisioner: Arc<dyn Provisioner>,
    pub probe: Arc<dyn Probe>,
    pub behind: Arc<Mutex<World>>,
    /// What has to live as long as the ports do.
    #[expect(dead_code, reason = "it is dropped, and that is its use")]
    pub held: Box<dyn Any + Send>,
}

impl FarSide {
    /// The world, to be looked at or meddled with between two calls. A row runs on one thread with all that it calls, so
    /// a world that is locked is locked by the very same expression: better a panic than a wait for ever.
    #[track_caller]
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.behind.try_lock().expect("one look at the world at a time")
    }

    /// Lets time pass.
    pub fn pass(&self, time: TimeDelta) {
        self.world().advance(time);
    }

    /// How often a kind of call has reached its service.
    pub fn calls(&self, op: Op) -> u32 {
        self.world().faults.calls(op)
    }

    /// How many tokens HPE has made for the daemon.
    pub fn issued(&self) -> u32 {
        self.world().ledger.issued
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.world().now()
    }

    /// The token that HPE has made as the `number`-th, from 1.
    pub fn token(&self, number: usize) -> Token {
        let world = self.world();
        let value = world.token_values().nth(number - 1).expect("so many have been made");
        Token::parse(value).expect("HPE makes tokens")
    }
}

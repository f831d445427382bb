//! What people ask of the daemon, by its own commands.

use chrono::TimeDelta;
use scim_rotator::domain::{Mode, Order, Policy, Timestamp, Token};

use super::dice::Dice;
use super::people::Pasted;
use super::plan::Level;
use crate::world::World;

/// One order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    /// `rotate`
    Rotates { mode: Option<Mode>, compromised: bool },
    /// `adopt`
    Adopts(Pasted),
    /// `hold`, for so long.
    Holds(TimeDelta),
    /// `release`
    Releases,
}

impl Asked {
    /// Anything that an operator may ask for. Where nobody does any harm, a mode beside that of the policy is one that does
    /// none either, and tokens are made by the daemon alone.
    pub fn draw(dice: &mut Dice, level: Level, policy: &Policy) -> Self {
        let harmful = level == Level::Malice;
        match dice.small(10) {
            0..4 => {
                let mode = dice.pick(&[None, Some(Mode::Overlap), Some(Mode::RemoveCurrent)]);
                let mode = mode.filter(|mode| harmful || *mode == policy.mode || policy.fences(*mode));
                Self::Rotates { mode, compromised: false }
            }
            4 => Self::Rotates { mode: None, compromised: true },
            5 if harmful => {
                Self::Adopts(dice.pick(&[Pasted::Garbage, Pasted::Made(0), Pasted::Made(0), Pasted::Made(1)]))
            }
            5..8 => Self::Holds(dice.span(TimeDelta::hours(1), policy.min_slack * 2)),
            _ => Self::Releases,
        }
    }

    /// The order that the command makes of it, by the clock of its host; none where the command refuses it itself.
    pub fn order(self, world: &World, clock: Timestamp) -> Option<Order> {
        Some(match self {
            Self::Rotates { mode, compromised } => Order::Rotate { mode, compromised },
            Self::Adopts(pasted) => Order::Adopt { token: Token::parse(&pasted.value(world)).ok()?, expires: None },
            Self::Holds(time) => Order::Hold { until: clock + time },
            Self::Releases => Order::Release,
        })
    }
}

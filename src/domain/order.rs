//! What a person asks of a connection beyond its policy. Each is carried out once, at the next look.

use chrono::TimeDelta;

use super::{Mode, Timestamp, Token};

/// A hold is no way of switching a connection off: it ends by itself after so long at the latest.
pub const LONGEST_HOLD: TimeDelta = TimeDelta::days(90);

/// An order. `Debug` shows no token.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Have a new token issued now, whatever policy, backoff and hold say. The bounds on issuing stand.
    Rotate {
        /// Another mode than that of the policy.
        mode: Option<Mode>,
        /// The current token is in wrong hands: it is to die now (`remove-current`, under the fence, no waiting for a gap).
        compromised: bool,
    },
    /// Take this token over: as a pending version, tested by Entra like every other.
    Adopt {
        /// The token.
        token: Token,
        /// When it dies, if the person knows it and the token does not say so itself.
        expires: Option<Timestamp>,
    },
    /// No rotation by policy before this moment. The last safe moment beats it.
    Hold {
        /// When it ends by itself, at most [`LONGEST_HOLD`] ahead.
        until: Timestamp,
    },
    /// The hold ends now.
    Release,
}

impl Order {
    /// One word for status and logs: the command that gives it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Rotate { .. } => "rotate",
            Self::Adopt { .. } => "adopt",
            Self::Hold { .. } => "hold",
            Self::Release => "release",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_called_like_the_command_that_gives_it() {
        let orders = [
            Order::Rotate { mode: None, compromised: true },
            Order::Adopt { token: Token::parse("some-token").unwrap(), expires: None },
            Order::Hold { until: Timestamp::UNIX_EPOCH },
            Order::Release,
        ];
        assert_eq!(orders.map(|order| order.name()), ["rotate", "adopt", "hold", "release"]);
    }
}

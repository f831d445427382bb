//! What is said over the control socket. The token of `adopt` is a secret from the moment it is parsed, and no error here
//! repeats what it could not read.

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::admin::looks::LastLook;
use crate::domain::order::LONGEST_HOLD;
use crate::domain::{Mode, Order, Timestamp, Token};

/// A token that claims to live longer is surely a mistake in the date.
const LONGEST_LIFE: TimeDelta = TimeDelta::days(3652);

/// What a person asks of a connection, as it travels. `Debug` shows no token.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// A new token.
    Rotate {
        /// Another mode than that of the policy.
        mode: Option<Mode>,
        /// The current one is in wrong hands.
        compromised: bool,
    },
    /// This token.
    Adopt {
        /// The token.
        token: Token,
        /// When it dies.
        expires: Option<Timestamp>,
    },
    /// No rotation by policy for so long.
    Hold {
        /// How long.
        time: TimeDelta,
    },
    /// The end of the hold.
    Release,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    mode: Option<Mode>,
    #[serde(default)]
    compromised: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adopt {
    token: SecretString,
    expires: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hold {
    seconds: u32,
}

impl Ask {
    /// The last part of its path.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Rotate { .. } => "rotate",
            Self::Adopt { .. } => "adopt",
            Self::Hold { .. } => "hold",
            Self::Release => "release",
        }
    }

    /// What is sent. Only for the socket.
    pub(super) fn body(&self) -> String {
        match self {
            Self::Rotate { mode, compromised } => json!({ "mode": mode, "compromised": compromised }),
            Self::Adopt { token, expires } => json!({ "token": token.expose(), "expires": expires }),
            Self::Hold { time } => json!({ "seconds": time.num_seconds() }),
            Self::Release => json!({}),
        }
        .to_string()
    }

    /// Reads what was sent; the error is a sentence for whoever sent it.
    pub(super) fn parse(name: &str, body: &[u8]) -> Result<Self, String> {
        match name {
            "rotate" => read(body).map(|Rotate { mode, compromised }| Self::Rotate { mode, compromised }),
            "adopt" => {
                let Adopt { token, expires } = read(body)?;
                let token = Token::parse(token.expose_secret()).map_err(|why| format!("this is no token: {why}"))?;
                Ok(Self::Adopt { token, expires })
            }
            "hold" => read(body).map(|Hold { seconds }| Self::Hold { time: TimeDelta::seconds(seconds.into()) }),
            "release" => Ok(Self::Release),
            _ => Err("a connection can be told to rotate, adopt, hold and release, and nothing else".to_owned()),
        }
    }

    /// The order that it is at this moment, if it makes sense.
    pub fn order(self, now: Timestamp) -> Result<Order, String> {
        match self {
            Self::Rotate { mode: Some(Mode::Overlap), compromised: true } => {
                Err("a compromised token is removed at once: overlap would let it live on".to_owned())
            }
            Self::Rotate { mode, compromised } => Ok(Order::Rotate { mode, compromised }),
            Self::Adopt { expires: Some(at), .. } if at <= now => Err(format!("the token would be dead since {at}")),
            Self::Adopt { expires: Some(at), .. } if at > now + LONGEST_LIFE => {
                Err(format!("no token lives until {at}, more than ten years from now"))
            }
            Self::Adopt { token, expires } => Ok(Order::Adopt { token, expires }),
            Self::Hold { time } if time <= TimeDelta::zero() || time > LONGEST_HOLD => {
                Err(format!("a hold lasts for {} days at most, and for more than nothing", LONGEST_HOLD.num_days()))
            }
            Self::Hold { time } => Ok(Order::Hold { until: now + time }),
            Self::Release => Ok(Order::Release),
        }
    }
}

/// serde's own words may quote what they could not read, and that may be a token in the wrong place.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| {
        format!("the body is not what is asked for here (line {}, column {})", error.line(), error.column())
    })
}

/// Why nothing was done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Problem {
    /// A sentence for people.
    pub problem: String,
}

/// Who is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Greeting {
    /// The version of the daemon.
    pub version: String,
}

/// The last looks at some connections.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Page<R> {
    /// In the order of their names; fewer than [`PAGE`](super::PAGE) are the last.
    pub connections: Vec<LastLook<R>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = chrono::DateTime::UNIX_EPOCH;
    const CANARY: &str = "canary-0f-the-w1re";

    fn adopt(expires: Option<Timestamp>) -> Ask {
        Ask::Adopt { token: Token::parse(CANARY).unwrap(), expires }
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        for ask in [
            Ask::Rotate { mode: None, compromised: true },
            Ask::Rotate { mode: Some(Mode::Overlap), compromised: false },
            adopt(None),
            adopt(Some(NOW + TimeDelta::days(9))),
            Ask::Hold { time: TimeDelta::hours(2) },
            Ask::Release,
        ] {
            assert_eq!(Ask::parse(ask.name(), ask.body().as_bytes()), Ok(ask));
        }
    }

    #[test]
    fn neither_debug_nor_an_error_shows_the_token_wherever_it_was_put() {
        let shown = format!("{:?} {:?}", adopt(None), adopt(None).order(NOW));
        assert!(!shown.contains("canary"), "{shown}");
        for body in [
            format!(r#"{{"token": ["{CANARY}"]}}"#),
            format!(r#"{{"token": "short1", "expires": "{CANARY}"}}"#),
            format!(r#"{{"{CANARY}": 1}}"#),
            format!(r#"{{"token": "{CANARY} and more"}}"#),
            format!("\"{CANARY}\""),
            CANARY.to_owned(),
        ] {
            for name in ["adopt", "rotate", "hold"] {
                let problem = Ask::parse(name, body.as_bytes()).unwrap_err();
                assert!(!problem.contains("canary"), "{problem}");
            }
        }
        let mode = Ask::parse("rotate", format!(r#"{{"mode": "{CANARY}"}}"#).as_bytes()).unwrap_err();
        assert!(!mode.contains("canary"), "{mode}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_sentence() {
        let years = |n: i64| Some(NOW + TimeDelta::days(366 * n));
        for (ask, words) in [
            (adopt(Some(NOW)), "dead since"),
            (adopt(years(11)), "ten years"),
            (Ask::Hold { time: LONGEST_HOLD + TimeDelta::seconds(1) }, "90 days at most"),
            (Ask::Hold { time: TimeDelta::zero() }, "more than nothing"),
            (Ask::Rotate { mode: Some(Mode::Overlap), compromised: true }, "removed at once"),
        ] {
            let problem = ask.order(NOW).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
        assert!(adopt(years(9)).order(NOW).is_ok());
    }
}

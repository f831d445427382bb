//! `[policy]`, and the `policy` of a connection.

use super::Type::{Tables, Text, Time, Truth, Word};
use super::forms::{CRON, TIME_OR_SHARE, ZONE};
use super::{Key, Table};

pub const POLICY: Table = Table::new(
    "policy",
    "When and how a token is rotated. What stands at the top is the default for every connection; each may override any key with \
     its own `policy = { … }`. What cannot be met is refused with the arithmetic; what only the \
     life of a real token shows is a warning of `status` with the same arithmetic.",
    &[
        Key::new(
            "mode",
            Word(&["overlap", "remove-current"]),
            "remove-current",
            "What the issuer does with the old token: `\"overlap\"` lets it live until the new one takes effect, \
             `\"remove-current\"` kills it at once (provisioning is paused meanwhile).",
        )
        .or("overlap"),
        Key::new(
            "rotate_before_expiry",
            Text(&TIME_OR_SHARE),
            "33%",
            "How long before its end a token is rotated, or at which share of its life left. A time that leaves less than a \
             third of a token's life to be used was meant for longer lives: that token is used for two thirds of its life, with \
             a warning. A share is taken at its word, down to a day.",
        )
        .or("30d"),
        Key::new(
            "max_age",
            Time { from: "1d", to: "3660d" },
            "90d",
            "The age at which a token is rotated whatever its expiry. Without it only the expiry counts.",
        ),
        Key::new(
            "min_slack",
            Time { from: "0s", to: "3660d" },
            "10d",
            "How long an outage must be ridden out. The expiry minus this is the last safe moment: from then on no window, no \
             jitter and no hold counts. Where a token comes due later than that, half of what is left then counts, with a warning.",
        )
        .or("7d"),
        Key::new("window", Tables(&WINDOW), "", "When rotations are welcome: one table or a list of them.").or_else("always"),
        Key::new(
            "jitter",
            Time { from: "0s", to: "3660d" },
            "2h",
            "Rotations are spread over this time, by a draw that is made once for each token.",
        )
        .or("0s"),
        Key::new(
            "check",
            Text(&CRON),
            "0 */15 * * * *",
            "When to look (UTC). A look asks and decides; it rotates only what is due.",
        )
        .or("0 0 * * * *"),
        Key::new(
            "settle_for",
            Time { from: "1m", to: "1h" },
            "20m",
            "How long a new token may take until the far side accepts it.",
        )
        .or("10m"),
        Key::new(
            "confirm_within",
            Time { from: "1m", to: "3660d" },
            "12h",
            "How long after a rotation a provisioning cycle must have succeeded.",
        )
        .or("24h"),
        Key::new(
            "retire_after",
            Time { from: "0s", to: "3660d" },
            "1d",
            "How long the previous version stays readable in the vault once the new token is proven.",
        )
        .or("7d"),
        Key::new(
            "fence",
            Word(&["auto", "always", "never"]),
            "always",
            "Whether the provisioning job is paused around the cutover. `\"auto\"`: unless that is known to be needless.",
        )
        .or("auto"),
        Key::new(
            "bootstrap",
            Word(&["adopt", "rotate", "create"]),
            "adopt",
            "What is done while the vault holds no version of ours: `\"adopt\"` the token that stands there, `\"rotate\"` (by overlap), \
             or `\"create\"` the first one when HPE says that there is none. Without it a person decides.",
        ),
        Key::new(
            "accept_supplied",
            Truth,
            "true",
            "Whether a token that somebody else stores in the vault is taken over.",
        )
        .or("false"),
    ],
);

const WINDOW: Table = Table::new(
    "window",
    "When rotations are welcome. One that could not be made while the window was open is made as soon as it can be.",
    &[
        Key::new("cron", Text(&CRON), "0 0 2 * * Sat", "When it opens.").required(),
        Key::new("lasts", Time { from: "1m", to: "3660d" }, "4h", "How long it is open.").required(),
        Key::new("timezone", Text(&ZONE), "Europe/Berlin", "The time zone of `cron`.").or("UTC"),
    ],
);

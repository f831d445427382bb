//! What is about the process: the root, `[http]`, `[admin]`, `[[notify]]`, `[heartbeat]`, `[log]`, `[rotations]`, `[sandbox]`.

use super::Type::{List, Number, SomeOf, Table as One, Tables, Text, Time, Word};
use super::azure::AZURE;
use super::connection::CONNECTION;
use super::forms::{
    DIRECT, FILTER, LISTEN, LOOPBACK, LOOPBACK_PORT, MOMENT, PATH, PROXY, PURPOSE, RECEIVER, SECRET_FILE, USER,
};
use super::policy::POLICY;
use super::{Key, Table};
use crate::config::process::{LogFilter, SANDBOX_PURPOSE};

/// The whole file.
pub const ROOT: Table = Table::new(
    "scim-rotator",
    "The configuration of scim-rotator: one TOML file.",
    &[
        Key::new(
            "runtime_dir",
            Text(&PATH),
            "/run/scim-rotator",
            "Where the lock and the control socket are kept. Losing them is safe. The daemon and the commands must agree on it.",
        )
        .or_else(
            "`$RUNTIME_DIRECTORY` (systemd sets it for the service), else `/run/scim-rotator` while it is there, else \
             `$XDG_RUNTIME_DIR/scim-rotator`, else `scim-rotator` in the folder for temporary files",
        ),
        Key::new(
            "connections_dir",
            Text(&PATH),
            "connections.d",
            "A folder with more connections, each in a file of its own (`NAME.toml`, in the order of their names) that holds what a \
             table `[[connections]]` holds. The file's name is the connection's, unless it says otherwise. One that cannot be \
             used is refused, and the others run.",
        ),
        Key::new("azure", One(&AZURE), "", "Which cloud, and who the daemon is there."),
        Key::new("http", One(&HTTP), "", "How every request is made."),
        Key::new("admin", One(&ADMIN), "", "Where the status page, health and metrics are served."),
        Key::new("log", One(&LOG), "", "What is logged."),
        Key::new("rotations", One(&ROTATIONS), "", "How many rotations are made at the same time."),
        Key::new("policy", One(&POLICY), "", "When and how tokens are rotated, unless a connection says otherwise."),
        Key::new("notify", Tables(&NOTIFY), "", "Who is told of what happens, by a webhook."),
        Key::new("heartbeat", One(&HEARTBEAT), "", "A dead man's switch."),
        Key::new("sandbox", One(&SANDBOX), "", "Set only where nothing is production."),
        Key::new("connections", Tables(&CONNECTION), "", "The tokens to rotate. One at least, here or in `connections_dir`."),
    ],
);

const HTTP: Table = Table::new(
    "http",
    "How every request is made: through which proxy, trusting whom, within which limits. TLS is 1.2 or 1.3.",
    &[
        Key::new(
            "proxy",
            Text(&PROXY),
            "http://proxy.corp.example:3128",
            "The proxy that every request goes through, by CONNECT. `\"none\"` forbids one.",
        )
        .or_else("`HTTPS_PROXY` and `NO_PROXY` of the environment, which a sandbox passes over"),
        Key::new(
            "proxy_user",
            Text(&USER),
            "svc-scim-rotator",
            "As whom the proxy is used, if it wants to know (Basic).",
        )
        .needs(&["proxy", "proxy_password_file"]),
        Key::new(
            "proxy_password_file",
            Text(&SECRET_FILE),
            "/run/credentials/scim-rotator.service/proxy-password",
            "The file that holds the password for the proxy.",
        )
        .needs(&["proxy", "proxy_user"]),
        Key::new(
            "no_proxy",
            List(&DIRECT),
            "vault.azure.net, 10.0.0.0/8",
            "Hosts that are reached without the proxy. Names are not resolved for this.",
        )
        .needs(&["proxy"]),
        Key::new(
            "ca_file",
            Text(&PATH),
            "/etc/scim-rotator/ca.pem",
            "CA certificates (PEM) that are trusted beside the system's, for a proxy that opens TLS.",
        ),
        Key::new(
            "dns_timeout",
            Time { from: "100ms", to: "5m" },
            "6s",
            "The time limit for a host name to be resolved: long enough to ask a second name server when the first one is dead. No longer than `timeout`.",
        )
        .or_else("`\"10s\"`, or half of `timeout` where that is less"),
        Key::new(
            "connect_timeout",
            Time { from: "1s", to: "5m" },
            "8s",
            "The time limit for a connection to stand once the name is resolved, proxy and TLS included. No longer than `timeout`.",
        )
        .or("5s"),
        Key::new(
            "timeout",
            Time { from: "1s", to: "1m" },
            "45s",
            "The time limit of a whole request, its answer included. A login takes as long at most (and may take 30 s in any case), a \
             call of the vault twice, a list of all pages four times as long.",
        )
        .or("30s"),
        Key::new(
            "idle_timeout",
            Time { from: "0s", to: "5m" },
            "1m",
            "How long a connection that nobody uses is kept: less than it takes a firewall on the way to forget it.",
        )
        .or("15s"),
    ],
);

const ADMIN: Table = Table::new(
    "admin",
    "Where the status page, `/livez`, `/readyz` and `/metrics` are served, by plain HTTP and for reading only.",
    &[
        Key::new(
            "listen",
            Text(&LISTEN),
            "0.0.0.0:8642",
            "The address and port, or `\"none\"` for nowhere. Whoever can reach it reads names, dates and errors, and no secret. If the \
             port is taken the daemon goes on without, and tries again.",
        )
        .or("127.0.0.1:8642"),
    ],
);

const NOTIFY: Table = Table::new(
    "notify",
    "Somebody who is told of what happens, by a webhook: [docs/notifications.md](notifications.md).",
    &[
        Key::new("name", Text(&RECEIVER), "operators", "What logs and metrics call it. No other one may have it.")
            .required(),
        Key::new(
            "kind",
            Word(&["json", "teams"]),
            "teams",
            "What is posted: JSON for programs, or the card that a workflow of Microsoft Teams takes.",
        )
        .required(),
        Key::new(
            "url_file",
            Text(&SECRET_FILE),
            "/run/credentials/scim-rotator.service/teams-webhook",
            "The file that holds the URL of the webhook, which is a secret: whoever knows it can post there.",
        )
        .required(),
        Key::new("events", SomeOf(&EVENTS), "failed, needs-human", "What it is told of.").or_else("all of them"),
    ],
);

const EVENTS: [&str; 8] =
    ["rotated", "confirmed", "failed", "needs-human", "slack-low", "healed", "quarantined", "hold-expired"];

const HEARTBEAT: Table = Table::new(
    "heartbeat",
    "A dead man's switch: called every so often while every loop of the daemon turns, so that its silence is noticed elsewhere.",
    &[
        Key::new(
            "url_file",
            Text(&SECRET_FILE),
            "/run/credentials/scim-rotator.service/heartbeat",
            "The file that holds the URL, which is called by GET.",
        )
        .required(),
        Key::new("every", Time { from: "1m", to: "1d" }, "10m", "How often it is called.").or("5m"),
    ],
);

const LOG: Table = Table::new(
    "log",
    "What is logged, on standard error. A change needs a restart.",
    &[
        Key::new(
            "format",
            Word(&["auto", "text", "json"]),
            "json",
            "The form of a line: for people, or one JSON object. `\"auto\"` is text on a terminal and JSON elsewhere.",
        )
        .or("auto"),
        Key::new("filter", Text(&FILTER), "info,scim_rotator=debug", "Which events. No secret shows at any level.")
            .or(LogFilter::DEFAULT),
    ],
);

const ROTATIONS: Table = Table::new(
    "rotations",
    "How many rotations are made at the same time, so that a fault that shows only in a rotation meets few connections at once. \
     One that is past its last safe moment waits for nobody.",
    &[
        Key::new("at_once", Number { from: 1, to: 10_000 }, "100", "Of all connections together.").or("64"),
        Key::new(
            "at_once_per_host",
            Number { from: 1, to: 10_000 },
            "8",
            "Of those whose tokens one host of HPE issues. Not more than `at_once`.",
        )
        .or_else("half of `at_once`, rounded up"),
    ],
);

const SANDBOX: Table = Table::new(
    "sandbox",
    "That nothing here is production: the far side is played on this machine, and time may run fast. A production configuration has \
     no such table.",
    &[
        Key::new(
            "purpose",
            Text(&PURPOSE),
            SANDBOX_PURPOSE,
            "These very words, so that no sandbox begins by accident.",
        )
        .required(),
        Key::new(
            "address",
            Text(&LOOPBACK),
            "127.0.0.1",
            "What every host name resolves to, so that nothing real can be reached.",
        )
        .required(),
        Key::new(
            "clock_anchor",
            Text(&MOMENT),
            "2027-01-04T08:00:00Z",
            "What the clock shows when the process starts.",
        )
        .or_else("the real time"),
        Key::new("clock_speed", Number { from: 1, to: 1_000_000 }, "3600", "Seconds on the clock for one real second.")
            .or("1"),
        Key::new(
            "metadata",
            Text(&LOOPBACK_PORT),
            "127.0.0.1:8080",
            "What stands in for the metadata service of Azure machines (169.254.169.254).",
        ),
    ],
);

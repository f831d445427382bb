//! The forms of strings, as far as a pattern can tell. The readers know more, and have the say.

/// A form that strings have.
#[derive(Debug)]
pub struct Form {
    /// What such a string is called.
    pub name: &'static str,
    /// What it looks like: a regular expression that every usable one matches (of JSON Schema: ECMA 262).
    pub pattern: &'static str,
    /// How it is written, in sentences; empty where its name says enough.
    pub says: &'static str,
    /// Some that are none, and that the pattern and the readers refuse.
    pub wrong: &'static [&'static str],
}

/// One time or several.
macro_rules! time {
    () => {
        concat!(
            r"([0-9]+(\.[0-9]+)?\s*",
            "(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|",
            r"days?|d|weeks?|wks?|w|months?|M|years?|yrs?|y)\s*)+"
        )
    };
}

macro_rules! forms {
    ($($name:ident { $called:literal, $pattern:expr, wrong: $wrong:expr $(, says: $says:expr)? $(,)? })+) => {
        $(#[doc = $called]
        pub const $name: Form = Form { name: $called, pattern: $pattern, says: concat!($($says)?), wrong: &$wrong };)+
    };
}

forms! {
    TIME {
        "time",
        concat!(r"^\s*", time!(), "$"),
        wrong: ["30", "d", "1 fortnight", "-1h"],
        says: "a number with its unit, or several: `\"30d\"`, `\"4h\"`, `\"1h 30m\"`. Units are `s`, `m`, `h`, `d`, `w` and their \
               long names; a `month` is 30.44 days, a `year` 365.25 days. A bare number has no unit and is refused",
    }
    TIME_OR_SHARE {
        "time or share",
        concat!(r"^\s*(([1-9]|[1-8][0-9]|90)\s*%\s*|", time!(), ")$"),
        wrong: ["30", "0%", "91%", "33.3%"],
        says: "a time, or a share of a token's life from `\"1%\"` to `\"90%\"`, in whole numbers",
    }
    CRON {
        "cron expression",
        r"^\s*\S+(\s+\S+){5}\s*$",
        wrong: ["0 2 * * Sat", "@daily", ""],
        says: "six fields: second minute hour day-of-month month day-of-week, as in `\"0 0 2 * * Sat\"`",
    }
    ZONE {
        "time zone",
        r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
        wrong: ["", "+02:00", "Europe Berlin"],
        says: "a name of the IANA's list: `\"Europe/Berlin\"`, `\"UTC\"`",
    }
    MOMENT {
        "moment",
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
        wrong: ["2027-01-04", "tomorrow"],
        says: "RFC 3339, in quotes: `\"2027-01-04T08:00:00Z\"`",
    }
    UUID {
        "UUID",
        r"^\s*(urn:uuid:|\{)?[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}\}?\s*$",
        wrong: ["contoso", "8f14e45f-ceea-467f-9c3b-1d2f3a4b5c6", ""],
    }
    ID { "id", r"^[0-9A-Za-z_.-]{1,256}$", wrong: ["", "a/b", "a b"], says: "letters, digits, `-`, `_` and `.`: 256 at most" }
    SUBSCRIPTION { "subscription", r"^[0-9A-Za-z-]{1,64}$", wrong: ["", "a b"], says: "letters, digits and hyphens: 64 at most" }
    RESOURCE {
        "resource id",
        r"^/[Ss][Uu][Bb][Ss][Cc][Rr][Ii][Pp][Tt][Ii][Oo][Nn][Ss]/.*/[Uu][Ss][Ee][Rr][Aa][Ss][Ss][Ii][Gg][Nn][Ee][Dd][Ii][Dd][Ee][Nn][Tt][Ii][Tt][Ii][Ee][Ss]/",
        wrong: ["/subscriptions/1/resourceGroups/a", "name"],
    }
    NAME {
        "name",
        r"^[a-z0-9][a-z0-9-]{0,62}$",
        wrong: ["Prod", "-prod", "a b", ""],
        says: "small letters, digits and hyphens, no hyphen in front: 63 at most",
    }
    SECRET { "name of a secret", r"^[0-9A-Za-z-]{1,127}$", wrong: ["a_b", ""], says: "letters, digits and hyphens: 127 at most" }
    URL {
        "https URL",
        r"^\s*[Hh][Tt][Tt][Pp][Ss]://[^@#?]+$",
        wrong: ["http://host.example", "host.example", "https://me@host.example", "https://host.example/?a=b"],
        says: "without user, query and fragment. Only a sandbox may name this machine",
    }
    URL_WITH_QUERY {
        "https URL, with a query if need be",
        r"^\s*[Hh][Tt][Tt][Pp][Ss]://[^@#]+$",
        wrong: ["http://host.example", "https://me@host.example", "https://host.example/#a"],
    }
    HOST {
        "https URL of a host",
        r"^\s*[Hh][Tt][Tt][Pp][Ss]://[^@#?/]+/?\s*$",
        wrong: ["http://host.example", "https://host.example/path", "https://me@host.example"],
        says: "scheme and host, and nothing behind them",
    }
    THIS_MACHINE {
        "http URL of this machine",
        r"^[Hh][Tt][Tt][Pp]://(localhost|127\.|\[)[^@#?]*$",
        wrong: ["https://127.0.0.1/x", "http://host.example", "http://127.0.0.1/?a=b"],
    }
    PROXY {
        "URL of a proxy, or `none`",
        r"^\s*(none|[Hh][Tt][Tt][Pp][Ss]?://[^@#?/]+/?)\s*$",
        wrong: ["socks5://proxy.example:1080", "http://me:x@proxy.example:3128", "proxy.example:3128"],
        says: "`http://` or `https://`, host and port, and never a user or a password",
    }
    USER { "user name", r"^[^:\u0000-\u001F\u007F]*[^:\s\u0000-\u001F\u007F][^:\u0000-\u001F\u007F]*$", wrong: ["a:b", ""], says: "without a colon" }
    DIRECT {
        "host, address or network",
        r"^\s*(\*|(\*?\.)?[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*\.?|\[?[0-9A-Fa-f:.]+\]?(/[0-9]{1,3})?)\s*$",
        wrong: ["https://host.example", "host.example:443", "a b"],
        says: "`\"corp.example\"` (and all below it), `\"10.1.2.3\"`, `\"10.0.0.0/8\"`, or `\"*\"` for all",
    }
    DOMAIN { "domain", r"^[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+$", wrong: ["net", ".azure.net", "a b.c"] }
    SCOPE { "scope", r"^[Hh][Tt][Tt][Pp][Ss]://[^?]+/\.default$", wrong: ["https://graph.microsoft.com", "User.Read"] }
    PATH { "path", r"\S", wrong: [""], says: "a relative one counts from the folder of the file that it stands in" }
    ABSOLUTE { "absolute path", r"^/", wrong: ["tokens", "./tokens"] }
    SECRET_FILE {
        "path of a secret's file",
        r"^(/|\./|\.\./|[^~/\r\n][^/\r\n]*/)[^\r\n]*$",
        wrong: ["hunter2", "~/secret", ""],
        says: "begins with `/` or `./`. The file holds the secret and nothing else, should be readable by the daemon's user alone, \
               and is read anew at each use. The secret itself never stands in a configuration",
    }
    POINTER {
        "JSON pointer",
        r"^/([^~]|~[01])*$",
        wrong: ["data.token", "/a~2b"],
        says: "RFC 6901: `\"/data/token\"`, with `~1` for a slash within a name",
    }
    LOOPBACK { "address of this machine", r"^(127\.[0-9.]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)$", wrong: ["10.0.0.1", "localhost"] }
    LOOPBACK_PORT {
        "address and port of this machine",
        r"^(127\.[0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$",
        wrong: ["127.0.0.1", "10.0.0.1:80", "localhost:80"],
    }
    RECEIVER { "letters, digits, `-`, `_`, `.`", r"^[0-9A-Za-z._-]{1,48}$", wrong: ["", "two words"] }
    LISTEN {
        "address and port, or `none`",
        r"^(none|[0-9]{1,3}(\.[0-9]{1,3}){3}:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5})$",
        wrong: ["127.0.0.1", "localhost:8642", "8642"]
    }
    FILTER { "directives of tracing", r"\S", wrong: [""], says: "`\"info,scim_rotator=debug\"`" }
    PURPOSE { "the words `this is not production`", r"^this is not production$", wrong: ["production", ""] }
}

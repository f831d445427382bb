//! `[[connections]]`: an issuer, a vault secret, a provisioning job.

use super::Type::{OneOf, Table as One, Text, Time, Word, Words};
use super::forms::{HOST, ID, NAME, POINTER, SECRET, SECRET_FILE, URL, URL_WITH_QUERY, UUID};
use super::policy::POLICY;
use super::{Key, Table};

/// A connection, and what a file of `connections_dir` holds.
pub const CONNECTION: Table = Table::new(
    "connections",
    "One token: who makes it, where it is kept, who uses it. An HPE tenant has one token, so it has one connection. No key here can be \
     set from the environment.",
    &[
        Key::new(
            "name",
            Text(&NAME),
            "greenlake-prod",
            "How logs, status and metrics call it. A file of `connections_dir` may leave it out, and then lends it its own name.",
        )
        .required(),
        Key::new("issuer", OneOf(&[&GREENLAKE, &SUPPLIED]), "", "Who makes the token.").required(),
        Key::new("vault", One(&VAULT), "", "Where it is kept.").required(),
        Key::new("entra", One(&ENTRA), "", "Who uses it.").required(),
        Key::new("policy", One(&POLICY), "", "What is otherwise than the default `[policy]` says, key by key."),
    ],
);

const ASSUMED_LIFETIME: Key = Key::new(
    "assumed_lifetime",
    Time { from: "1h", to: "3652d" },
    "365d",
    "How long a token is taken to live when nothing else says so. Shown as a guess at every status. A policy that such tokens \
     cannot keep is refused at once.",
);

const GREENLAKE: Table = Table::new(
    "issuer",
    "HPE GreenLake's proxy-token service.",
    &[
        Key::new("url", Text(&URL), "https://sps.us1.greenlake-hpe.com/v1alpha1", "Its base.").required(),
        Key::new(
            "auth",
            OneOf(&[&GLCS, &GLCS_LEGACY, &GLP, &FILE, &COMMAND]),
            "",
            "Whence the bearer comes with which HPE is asked. Whoever it speaks for needs the role *SCIM Proxy Token Contributor* on \
             all resources.",
        )
        .required(),
        Key::new(
            "takes_effect",
            Word(&["unknown", "first-use", "delay", "own-expiry"]),
            "own-expiry",
            "When an overlapped token retires the old one. `\"unknown\"` is right under all readings; `scim-rotator doctor NAME \
             --first-contact` finds out.",
        )
        .or("unknown"),
        Key::new(
            "token_pointer",
            Text(&POINTER),
            "/data/token",
            "Where HPE's answer holds the token. Without it the token is looked for.",
        ),
        Key::new(
            "expiry_pointer",
            Text(&POINTER),
            "/data/expiresAt",
            "Where HPE's answer holds its expiry. Without it the expiry is looked for.",
        ),
        ASSUMED_LIFETIME,
    ],
)
.kind("greenlake");

const SUPPLIED: Table = Table::new(
    "issuer",
    "Nobody that could be asked: people bring the tokens, by `adopt` or into the vault, and one is called before a token ends.",
    &[ASSUMED_LIFETIME],
)
.kind("supplied");

const CLIENT_ID: Key = Key::new("client_id", Text(&ID), "0oa4xample", "Its id.").required();
const CLIENT_SECRET_FILE: Key = Key::new(
    "client_secret_file",
    Text(&SECRET_FILE),
    "/run/credentials/scim-rotator.service/hpe-client-secret",
    "The file that holds its secret.",
)
.required();

const GLCS: Table = Table::new(
    "auth",
    "An API client of GreenLake Flex Solutions.",
    &[
        Key::new(
            "issuer",
            Text(&URL),
            "https://iam.us1.greenlake-hpe.com/oauth2/contoso/aus4xample",
            "Its issuer URL, as shown with the API client.",
        )
        .required(),
        CLIENT_ID,
        CLIENT_SECRET_FILE,
    ],
)
.kind("glcs");

const GLCS_LEGACY: Table = Table::new(
    "auth",
    "An API client of the older service of GreenLake Flex Solutions.",
    &[
        Key::new(
            "issuer",
            Text(&URL),
            "https://client.greenlake.hpe.com/api/iam/identity",
            "The service, of which `/v1/token` is asked.",
        )
        .required(),
        Key::new("tenant_id", Text(&ID), "contoso", "The id of the HPE tenant.").required(),
        CLIENT_ID,
        CLIENT_SECRET_FILE,
    ],
)
.kind("glcs-legacy");

const GLP: Table = Table::new(
    "auth",
    "An API client of the GreenLake platform.",
    &[
        Key::new(
            "issuer",
            Text(&URL),
            "https://global.api.greenlake.hpe.com/authorization/v2/oauth2/0123456789abcdef/token",
            "Where its bearers are asked for, as shown with the API client.",
        )
        .required(),
        CLIENT_ID,
        CLIENT_SECRET_FILE,
    ],
)
.kind("glp");

const FILE: Table = Table::new(
    "auth",
    "A file that a person pastes a bearer into (portal, profile, API Access) before `scim-rotator rotate NAME`, or that another program \
     keeps fresh.",
    &[Key::new("bearer_file", Text(&SECRET_FILE), "/etc/scim-rotator/hpe-bearer", "The file that holds the bearer.").required()],
)
.kind("file");

const COMMAND: Table = Table::new(
    "auth",
    "A command that prints the bearer alone, or OAuth's JSON. No shell, no input; killed with all that it started when the time is over.",
    &[
        Key::new(
            "command",
            Words,
            "/usr/local/bin/hpe-bearer, --quiet",
            "The program's absolute path and its arguments, which everybody on the machine can see.",
        )
        .required(),
        Key::new("time_limit", Time { from: "1s", to: "1m" }, "10s", "How long it may take.").or("30s"),
    ],
)
.kind("command");

const VAULT: Table = Table::new(
    "vault",
    "One secret of one Key Vault.",
    &[
        Key::new(
            "url",
            Text(&HOST),
            "https://contoso.vault.azure.net",
            "The vault, by its public name, behind a private endpoint too.",
        )
        .required(),
        Key::new("secret", Text(&SECRET), "greenlake-scim-token", "The secret's name. Each connection has its own.")
            .required(),
    ],
);

const ENTRA: Table = Table {
    exactly_one: &["service_principal_id", "app_id"],
    ..Table::new(
        "entra",
        "The enterprise application that provisions, named by one of its two ids.",
        &[
            Key::new(
                "service_principal_id",
                Text(&UUID),
                "8f14e45f-ceea-467f-9c3b-1d2f3a4b5c6d",
                "Its object id: Enterprise applications → the application → Properties → Object ID.",
            ),
            Key::new(
                "app_id",
                Text(&UUID),
                "1d2f3a4b-ceea-467f-9c3b-8f14e45f5c6d",
                "Its application id in place of that. It is looked up, which *Application.ReadWrite.OwnedBy* allows.",
            ),
            Key::new("job_id", Text(&ID), "scim.1a2b.3c4d", "The provisioning job.")
                .or_else("the only one, or the only one for SCIM"),
            Key::new(
                "tenant_url",
                Text(&URL_WITH_QUERY),
                "https://sps.us1.greenlake-hpe.com/v1alpha1/scimproxy",
                "Entra's *Tenant URL*, with Entra's feature flags if it has any (`?aadOptscim062020`). The token is sent to no other \
                 address.",
            )
            .required(),
        ],
    )
};

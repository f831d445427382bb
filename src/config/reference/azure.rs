//! `[azure]`: the cloud, and every way to be somebody there.

use super::Type::{OneOf, Text, Word};
use super::forms::{ABSOLUTE, DOMAIN, HOST, RESOURCE, SCOPE, SECRET_FILE, SUBSCRIPTION, THIS_MACHINE, UUID};
use super::{Key, Table, Type};

pub const AZURE: Table = Table::new(
    "azure",
    "Which cloud, and who the daemon is there. It needs the role *Key Vault Secrets Officer* on each secret, and the Graph permission \
     *Application.ReadWrite.OwnedBy* while owning each service principal.",
    &[
        Key::new("cloud", Word(&["public", "us-gov", "us-dod", "china"]), "public", "Which of Microsoft's clouds.")
            .or("public"),
        Key::new("credential", CREDENTIAL, "", "Who the daemon is. Nothing is guessed or tried in turn.")
            .or_else("needed, unless Graph and vault have one each"),
        Key::new("graph_credential", CREDENTIAL, "", "Who it is to Microsoft Graph.").or_else("`credential`"),
        Key::new("vault_credential", CREDENTIAL, "", "Who it is to Key Vault.").or_else("`credential`"),
        Key::new("authority", Text(&HOST), "https://login.example", "Who gives tokens.").or_else("the cloud's own"),
        Key::new("graph", Text(&HOST), "https://graph.example", "Microsoft Graph.").or_else("the cloud's own"),
        Key::new(
            "graph_scope",
            Text(&SCOPE),
            "https://graph.microsoft.com/.default",
            "What a token for Graph is asked for.",
        )
        .or_else("Graph's own URL and `/.default`"),
        Key::new("vault_suffix", Text(&DOMAIN), "azure.net", "What the hosts of vaults end in.")
            .or_else("the cloud's own; any in a sandbox"),
    ],
);

const CREDENTIAL: Type =
    OneOf(&[&MANAGED_IDENTITY, &AZURE_ARC, &WORKLOAD_IDENTITY, &CLIENT_CERTIFICATE, &CLIENT_SECRET, &AZURE_CLI]);

const IDS: [&str; 3] = ["client_id", "object_id", "resource_id"];
const TENANT: &str = "2f6f1a01-8f10-4d6e-9a9c-0d3f5d0b2f3e";
const CLIENT: &str = "9a9c0d3f-2f6f-4a01-8d0b-2f3e8f104d6e";

/// Of an app registration.
const TENANT_ID: Key = Key::new("tenant_id", Text(&UUID), TENANT, "The Entra tenant.");
const CLIENT_ID: Key = Key::new("client_id", Text(&UUID), CLIENT, "The app registration's application id.");

const MANAGED_IDENTITY: Table = Table {
    at_most_one: &IDS,
    ..Table::new(
        "credential",
        "The identity of the Azure machine or container that the daemon runs in: the system-assigned one, unless a user-assigned one is \
         named.",
        &[
            Key::new("client_id", Text(&UUID), "5d0b2f3e-8f10-4d6e-9a9c-0d3f2f6f1a01", "A user-assigned one, by its client id."),
            Key::new("object_id", Text(&UUID), "1a01f6f2-8f10-4d6e-9a9c-0d3f5d0b2f3e", "A user-assigned one, by its object id."),
            Key::new(
                "resource_id",
                Text(&RESOURCE),
                "/subscriptions/5d0b2f3e/resourceGroups/ops/providers/Microsoft.ManagedIdentity/userAssignedIdentities/rotator",
                "A user-assigned one, by its id as an Azure resource.",
            ),
        ],
    )
    .kind("managed-identity")
};

const AZURE_ARC: Table = Table::new(
    "credential",
    "The identity of a machine elsewhere that Azure Arc has taken in. The daemon's user must be of the group *himds*.",
    &[
        Key::new(
            "endpoint",
            Text(&THIS_MACHINE),
            "http://localhost:40342/metadata/identity/oauth2/token",
            "The agent's endpoint.",
        )
        .or_else("`$IDENTITY_ENDPOINT`, else port 40342 of this machine"),
        Key::new(
            "key_folder",
            Text(&ABSOLUTE),
            "/opt/azcmagent/tokens",
            "The one folder that key files are read from.",
        )
        .or("/var/opt/azcmagent/tokens"),
    ],
)
.kind("azure-arc");

const WORKLOAD_IDENTITY: Table = Table::new(
    "credential",
    "A pod of Kubernetes with workload identity. What is not set here, AKS tells the pod.",
    &[
        TENANT_ID.or_else("`$AZURE_TENANT_ID`"),
        Key { says: "The managed identity, or the app registration.", ..CLIENT_ID }.or_else("`$AZURE_CLIENT_ID`"),
        Key::new(
            "token_file",
            Text(&SECRET_FILE),
            "/var/run/secrets/azure/tokens/azure-identity-token",
            "The file with the token of the pod's service account.",
        )
        .or_else("`$AZURE_FEDERATED_TOKEN_FILE`"),
    ],
)
.kind("workload-identity");

const CLIENT_CERTIFICATE: Table = Table::new(
    "credential",
    "An app registration with a certificate (RSA). The files are read anew at every login.",
    &[
        TENANT_ID.required(),
        CLIENT_ID.required(),
        Key::new(
            "certificate_file",
            Text(&SECRET_FILE),
            "/run/credentials/scim-rotator.service/azure.pfx",
            "PEM or PFX: the certificate, and its private key unless that has a file of its own.",
        )
        .required(),
        Key::new(
            "key_file",
            Text(&SECRET_FILE),
            "/run/credentials/scim-rotator.service/azure.key",
            "PEM: the private key.",
        ),
        Key::new(
            "password_file",
            Text(&SECRET_FILE),
            "/run/credentials/scim-rotator.service/azure-pfx-password",
            "The file that holds the password of the PFX, or of an encrypted key.",
        ),
    ],
)
.kind("client-certificate");

const CLIENT_SECRET: Table = Table::new(
    "credential",
    "An app registration with a client secret.",
    &[
        TENANT_ID.required(),
        CLIENT_ID.required(),
        Key::new(
            "secret_file",
            Text(&SECRET_FILE),
            "/run/credentials/scim-rotator.service/azure",
            "The file that holds the client secret's value.",
        )
        .required(),
    ],
)
.kind("client-secret");

const AZURE_CLI: Table = Table::new(
    "credential",
    "Whoever has logged in with the Azure CLI: for a first try by hand.",
    &[
        TENANT_ID.or_else("the CLI's own"),
        Key::new(
            "subscription",
            Text(&SUBSCRIPTION),
            "5d0b2f3e-8f10-4d6e-9a9c-0d3f2f6f1a01",
            "With which subscription.",
        )
        .or_else("the CLI's own"),
    ],
)
.kind("azure-cli");

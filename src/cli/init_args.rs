//! The options of `init` and `config`. Nothing is done here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `config …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration, say everything that is wrong with it, and what each connection will do.
    ///
    /// Contacts nobody and reads no secret. Exit codes: 0 usable (there may be warnings), 78 not usable.
    Check {
        /// For machines: one JSON document.
        #[arg(long)]
        json: bool,
    },

    /// Print the JSON Schema by which editors complete and check a configuration.
    ///
    /// Needs no configuration. Even Better TOML and taplo take it by a first line `#:schema ./scim-rotator.schema.json`.
    Schema {
        /// That of a file of `connections_dir`, which holds one connection.
        #[arg(long)]
        connection: bool,
    },
}

/// `init`.
#[derive(Clone, Debug, Default, Args)]
pub struct InitArgs {
    /// Ask nobody: everything comes from the options and from what is looked up. All that is missing is listed (exit code 64).
    #[arg(long)]
    pub non_interactive: bool,

    /// Look nothing up: contact nobody. The application is then named by its object id, and its tenant URL is to be said.
    #[arg(long)]
    pub offline: bool,

    /// Where the configuration is written. Without it where --config says.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write over a file that is there.
    #[arg(long)]
    pub force: bool,

    /// What is said here is not asked.
    #[command(flatten)]
    pub answers: Answers,
}

macro_rules! answers {
    ($($(#[$doc:meta])+ $field:ident: $value:literal = $option:literal,)+) => {
        /// An option for each question of `init`.
        #[derive(Clone, Debug, Default, Args)]
        #[command(next_help_heading = "Answers")]
        pub struct Answers {
            $($(#[$doc])+ #[arg(long, value_name = $value)] pub $field: Option<String>,)+
        }

        impl Answers {
            /// Those that were given, by the names of their options.
            pub fn given(&self) -> BTreeMap<&'static str, String> {
                [$(($option, &self.$field),)+].into_iter().filter_map(|(option, value)| Some((option, value.clone()?))).collect()
            }
        }
    };
}

answers! {
    /// What logs and commands shall call the connection: `greenlake-prod`.
    name: "NAME" = "--name",
    /// `public`, `us-gov`, `us-dod` or `china`.
    cloud: "CLOUD" = "--cloud",
    /// Who the daemon is in Azure: `managed-identity`, `azure-arc`, `workload-identity`, `client-certificate`, `client-secret`
    /// or `azure-cli`.
    credential: "KIND" = "--credential",
    /// The Entra tenant.
    azure_tenant_id: "UUID" = "--azure-tenant-id",
    /// The application id of the app registration or of the managed identity.
    azure_client_id: "UUID" = "--azure-client-id",
    /// A managed identity's object id.
    azure_object_id: "UUID" = "--azure-object-id",
    /// A managed identity's id as an Azure resource.
    azure_resource_id: "ID" = "--azure-resource-id",
    /// The file that holds the client secret.
    azure_secret_file: "PATH" = "--azure-secret-file",
    /// PEM or PFX: the certificate.
    azure_certificate_file: "PATH" = "--azure-certificate-file",
    /// PEM: its private key, where that has a file of its own.
    azure_key_file: "PATH" = "--azure-key-file",
    /// The file that holds the password of the certificate's file or of its key.
    azure_password_file: "PATH" = "--azure-password-file",
    /// The file with the token of the pod's service account.
    azure_token_file: "PATH" = "--azure-token-file",
    /// The enterprise application that provisions: its name, application id or object id.
    service_principal: "APPLICATION" = "--service-principal",
    /// Its provisioning job, where it has several.
    job_id: "ID" = "--job-id",
    /// Entra's Tenant URL. Without it as it is saved in Entra.
    tenant_url: "URL" = "--tenant-url",
    /// The key vault: its URL, or its name alone.
    vault: "VAULT" = "--vault",
    /// The secret in it.
    secret: "NAME" = "--secret",
    /// What is done at the first contact: `adopt`, `rotate` or `create`. Without it as the vault suggests.
    bootstrap: "WHAT" = "--bootstrap",
    /// Whence the bearer for HPE comes: `glcs`, `glcs-legacy`, `glp`, `file` or `command`; or `supplied`, where people bring the
    /// tokens.
    hpe_auth: "KIND" = "--hpe-auth",
    /// The base of HPE's proxy-token service. Without it beside the tenant URL.
    hpe_url: "URL" = "--hpe-url",
    /// The issuer URL of the API client.
    hpe_issuer: "URL" = "--hpe-issuer",
    /// The id of the HPE tenant, for `glcs-legacy`.
    hpe_tenant_id: "ID" = "--hpe-tenant-id",
    /// The id of the API client.
    hpe_client_id: "ID" = "--hpe-client-id",
    /// The file that holds the secret of the API client.
    hpe_client_secret_file: "PATH" = "--hpe-client-secret-file",
    /// The file that holds the bearer.
    hpe_bearer_file: "PATH" = "--hpe-bearer-file",
    /// The program that prints the bearer, and its arguments, with blanks between them.
    hpe_command: "COMMAND" = "--hpe-command",
    /// The proxy that every request goes through, or `none`.
    proxy: "URL" = "--proxy",
    /// CA certificates (PEM) that are trusted beside the system's.
    ca_file: "PATH" = "--ca-file",
}

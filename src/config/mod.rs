//! The configuration: a TOML file, the environment laid over it, parsed once into types that cannot be wrong.
//!
//! Loading reads that file, the files of `connections_dir` (`folder.rs`) and nothing else, neither the clock nor a secret (and
//! looks whether the service's runtime directory is there). Every problem is reported at once ([`ConfigErrors`]); those of one
//! connection refuse that one alone ([`Refused`]). No secret is ever inline: only the paths of files that hold one
//! ([`SecretFile`]).
//!
//! A variable is named `SCIM_ROTATOR__SECTION__KEY`, two underscores between levels: `SCIM_ROTATOR__LOG__FORMAT=json`.
//! Lists of tables (`[[connections]]`) can be set in the file only. Relative paths count from the folder of the file that
//! they stand in.

mod admin;
mod apart;
mod auth;
mod azure;
mod blot;
mod connection;
mod credential;
mod cross;
mod folder;
mod gather;
mod http;
mod kept;
mod notify;
mod policy;
mod problem;
mod process;
mod raw;
pub mod reference;
mod scalar;
mod source;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use auth::{ApiClient, BearerCommand, HpeAuth, TokenService};
pub use azure::{Azure, Cloud, Credentials};
pub use connection::{ConnectionConfig, ConnectionName, EntraApp, GreenLake, Issuing, VaultSecret};
pub use credential::{Application, Credential, WhichIdentity};
pub use cross::claims;
pub use http::{Http, ProxyChoice};
pub use kept::{Common, Kept};
pub use notify::{Heartbeat, Receiver};
pub use problem::{ConfigErrors, Kind, Place, Problem, Shown};
pub use process::{Log, LogFilter, LogFormat, Rotations, SANDBOX_PURPOSE, Sandbox};
pub use source::Environment;

use url::Url;

use crate::secret_file::SecretFile;

/// Everything that the daemon is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which Azure, with whose credentials.
    pub azure: Azure,
    /// How every request is made.
    pub http: Http,
    /// What is logged, and how.
    pub log: Log,
    /// How many rotations are made at the same time.
    pub rotations: Rotations,
    /// Where the status page, health and metrics are served; none means nowhere.
    pub admin: Option<SocketAddr>,
    /// Who is told of what happens.
    pub receivers: Vec<Receiver>,
    /// The dead man's switch.
    pub heartbeat: Option<Heartbeat>,
    /// Set when nothing here is production.
    pub sandbox: Option<Sandbox>,
    /// Where the advisory lock is kept. Losing it is always safe.
    pub runtime_dir: PathBuf,
    /// The tokens to rotate: at least one.
    pub connections: Vec<ConnectionConfig>,
    /// Connections that cannot be used, while the others can.
    pub refused: Vec<Refused>,
}

/// A connection whose own configuration cannot be used.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Its name, or where it stands, if that cannot be read either.
    pub name: String,
    /// Everything that is wrong with it: at least one problem.
    pub problems: ConfigErrors,
}

/// A configuration that can be used, and what should be looked at nevertheless.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Each says what is odd, and where.
    pub warnings: Vec<Problem>,
}

/// The folder of the configuration file, and whether this is a sandbox.
struct Folder<'a> {
    path: &'a Path,
    sandboxed: bool,
}

impl Config {
    /// Where the configuration is looked for unless a path is given.
    pub const DEFAULT_PATH: &str = "/etc/scim-rotator/scim-rotator.toml";

    /// Reads `file`, lays `environment` over it, and checks everything.
    pub fn load(file: &Path, environment: &Environment) -> Result<Loaded, ConfigErrors> {
        let unreadable = |what: String| {
            let place = Place::File(file.to_owned());
            ConfigErrors::new(vec![Problem { place, key: None, what }])
        };
        let bytes = std::fs::read(file).map_err(|error| {
            unreadable(format!("cannot be read: {error}. Name the configuration file with --config"))
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            unreadable(format!("is no UTF-8 text, from byte {} on", error.utf8_error().valid_up_to()))
        })?;
        Self::parse(file, &text, environment)
    }

    /// As [`load`](Self::load), with the content of `file` at hand.
    pub fn parse(file: &Path, text: &str, environment: &Environment) -> Result<Loaded, ConfigErrors> {
        gather::parse(file, text, environment)
    }

    /// The runtime directory of a configuration that cannot be used, where it can be told: for who asks for no more.
    pub fn runtime_dir_at_least(file: &Path, environment: &Environment) -> Option<PathBuf> {
        let text = std::fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).ok();
        process::runtime_dir_at_least(file, text.as_deref(), environment)
    }

    /// Every URL that requests are sent to.
    pub fn urls(&self) -> Vec<&Url> {
        let of_connection = self.connections.iter().flat_map(|connection| {
            let issuer = connection.issuer.greenlake();
            let issuer = issuer
                .into_iter()
                .flat_map(|greenlake| [Some(&greenlake.url), greenlake.auth.client().map(|client| &client.issuer)]);
            let issuer = issuer.flatten();
            issuer.chain([&connection.vault.url, &connection.entra.tenant_url])
        });
        [&self.azure.authority, &self.azure.graph].into_iter().chain(of_connection).collect()
    }

    /// Every file that holds a secret, with who needs it.
    pub fn secret_files(&self) -> Vec<(String, &SecretFile)> {
        let azure = self.azure.credentials.all().into_iter();
        let azure = azure.flat_map(|(who, one)| one.secret_files().into_iter().map(move |file| (who.to_owned(), file)));
        let issuers = self.connections.iter().filter_map(|connection| {
            let secret = connection.issuer.greenlake()?.auth.secret_file()?;
            Some((format!("connection `{}`", connection.name), secret))
        });
        let proxy = self.http.proxy.login().map(|login| ("http.proxy".to_owned(), &login.password));
        let receivers = self.receivers.iter().map(|receiver| (format!("notify `{}`", receiver.name), &receiver.url));
        let heartbeat = self.heartbeat.iter().map(|heartbeat| ("heartbeat".to_owned(), &heartbeat.url));
        azure.chain(proxy).chain(issuers).chain(receivers).chain(heartbeat).collect()
    }
}

#[cfg(test)]
mod tests;

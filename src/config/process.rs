//! The tables that concern the process and not a connection: `[log]`, `[rotations]`, `[sandbox]` and `runtime_dir`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::DeTable;
use tracing_subscriber::EnvFilter;

use super::Folder;
use super::raw::Section;
use super::scalar;
use super::source::Environment;
use crate::domain::Timestamp;

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// Which events.
    pub filter: LogFilter,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// `Text` on a terminal, `Json` elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Directives of `tracing`, proved to parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// What is logged unless something else is said: our events, and of the libraries only what is wrong.
    pub const DEFAULT: &str =
        "info,azure_core=warn,azure_identity=warn,hyper=warn,reqwest=warn,tokio_cron_scheduler=warn";

    /// Reads directives such as `info,scim_rotator::engine=debug`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match EnvFilter::builder().parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("is no log filter ({error}): write for example \"info,scim_rotator=debug\"")),
        }
    }

    /// The directives.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many rotations are made at the same time: 1 to 10,000 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotations {
    /// Of all connections together.
    pub at_once: u32,
    /// Of those whose tokens one host issues.
    pub at_once_per_host: u32,
}

/// That nothing here is production: the far side is played on this machine, and time may run fast.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// What every host name resolves to, so that nothing real can be reached. A loopback address.
    pub address: IpAddr,
    /// What the clock shows when the process starts; none means the real time.
    pub clock_anchor: Option<Timestamp>,
    /// Seconds on the clock for one real second.
    pub clock_speed: u32,
    /// What stands in for the metadata service of Azure machines (169.254.169.254).
    pub metadata: Option<SocketAddr>,
}

/// What `purpose` must say, letter by letter, so that no sandbox begins by accident.
pub const SANDBOX_PURPOSE: &str = "this is not production";

pub(super) fn read_log(section: &Section<'_>) -> Option<Log> {
    Some(Log {
        format: section.get("format", scalar::word).unwrap_or_default(),
        filter: section.get("filter", |value| LogFilter::parse(scalar::text(value)?)).unwrap_or_default(),
    })
}

pub(super) fn read_rotations(section: &Section<'_>) -> Option<Rotations> {
    let at_once = section.get("at_once", scalar::number(1, 10_000)).unwrap_or(64);
    let at_once_per_host = section.get("at_once_per_host", scalar::number(1, 10_000)).unwrap_or(at_once.div_ceil(2));
    if at_once_per_host > at_once {
        let what = format!("is more than at_once ({at_once}), which bounds it: lower it, or raise at_once");
        return section.refuse("at_once_per_host", what);
    }
    Some(Rotations { at_once, at_once_per_host })
}

pub(super) fn read_sandbox(section: &Section<'_>) -> Option<Sandbox> {
    let purpose = section.need("purpose", &format!("purpose = \"{SANDBOX_PURPOSE}\", and nothing else"), |value| {
        match scalar::text(value)? {
            SANDBOX_PURPOSE => Ok(()),
            _ => Err(format!("must be spelled exactly \"{SANDBOX_PURPOSE}\"; for production remove [sandbox] whole")),
        }
    });
    let address = section.need("address", "address = \"127.0.0.1\"", scalar::loopback);
    let clock_anchor = section.get("clock_anchor", scalar::moment);
    let clock_speed = section.get("clock_speed", scalar::number(1, 1_000_000)).unwrap_or(1);
    let metadata = section.get("metadata", scalar::loopback_port);
    purpose.and(Some(Sandbox { address: address?, clock_anchor, clock_speed, metadata }))
}

/// Where systemd puts the runtime directory of our unit.
const OF_HOST: &str = "/run/scim-rotator";

/// Where the lock and the control socket go: as configured, or where systemd or the login keeps such things.
pub(super) fn read_runtime_dir(section: &Section<'_>, folder: &Folder<'_>, environment: &Environment) -> PathBuf {
    let configured = section.get("runtime_dir", scalar::path(folder.path));
    configured.unwrap_or_else(|| default_runtime_dir(environment, Path::new(OF_HOST)))
}

/// The same of a configuration that cannot be used otherwise. None where it cannot be told: another daemon's would be worse.
pub(super) fn runtime_dir_at_least(file: &Path, text: Option<&str>, environment: &Environment) -> Option<PathBuf> {
    let table = text.map(|text| DeTable::parse_recoverable(text).0);
    let written = table.as_ref().and_then(|table| table.get_ref().get("runtime_dir")?.get_ref().as_str());
    let of_file = |dir| file.parent().unwrap_or(Path::new("")).join(dir);
    let configured = environment.get("SCIM_ROTATOR__RUNTIME_DIR").or(written).map(of_file);
    // One that is named and could not be read may be any.
    let is_default =
        text.is_some_and(|text| !text.contains("runtime_dir")) || environment.get("RUNTIME_DIRECTORY").is_some();
    configured.or_else(|| is_default.then(|| default_runtime_dir(environment, Path::new(OF_HOST))))
}

/// A command that a person types has not the environment of the service, and must find its lock and socket all the same:
/// while the directory of the service is there, it is everybody's.
fn default_runtime_dir(environment: &Environment, of_host: &Path) -> PathBuf {
    // systemd names several folders with colons between them.
    let of_unit = environment.get("RUNTIME_DIRECTORY").and_then(|names| names.split(':').next()).map(PathBuf::from);
    let of_host = || of_host.is_dir().then(|| of_host.to_owned());
    let of_session = || environment.get("XDG_RUNTIME_DIR").map(|folder| Path::new(folder).join("scim-rotator"));
    let temporary = || Path::new(environment.get("TMPDIR").unwrap_or("/tmp")).join("scim-rotator");
    of_unit.or_else(of_host).or_else(of_session).unwrap_or_else(temporary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_found_in_a_configuration_that_is_broken_elsewhere() {
        let found = |text: Option<&str>, pairs: &[(&str, &str)]| {
            runtime_dir_at_least(Path::new("/etc/x/a.toml"), text, &pairs.iter().copied().collect())
        };
        let of = |text: &str, pairs: &[(&str, &str)]| found(Some(text), pairs).unwrap();
        let broken = "runtime_dir = \"here\"\n[policy\nfance = = 1\n[[connections]]\nname = 7";
        assert_eq!(of(broken, &[]), Path::new("/etc/x/here"));
        assert_eq!(of(broken, &[("SCIM_ROTATOR__RUNTIME_DIR", "/run/there")]), Path::new("/run/there"));
        assert_eq!(of("fance = = 1", &[("RUNTIME_DIRECTORY", "/run/mine")]), Path::new("/run/mine"));
        assert_eq!(found(None, &[]), None, "there is no file");
        assert_eq!(found(Some("a = \"\"\"\nruntime_dir = \"here\""), &[]), None, "it is named, and where is lost");
    }

    #[test]
    fn a_command_finds_the_directory_of_the_running_service_without_its_environment() {
        let host = tempfile::tempdir().unwrap();
        let gone = host.path().join("gone");
        let of = |pairs: &[(&str, &str)], host: &Path| default_runtime_dir(&pairs.iter().copied().collect(), host);
        assert_eq!(of(&[("XDG_RUNTIME_DIR", "/run/user/7")], host.path()), host.path());
        assert_eq!(of(&[("RUNTIME_DIRECTORY", "/run/mine:/run/more")], host.path()), Path::new("/run/mine"));
        assert_eq!(of(&[("XDG_RUNTIME_DIR", "/run/user/7")], &gone), Path::new("/run/user/7/scim-rotator"));
        assert_eq!(of(&[], &gone), Path::new("/tmp/scim-rotator"));
    }
}

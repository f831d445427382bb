//! `issuer.auth`: whence the bearer comes with which HPE is asked for a token.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use url::Url;

use super::policy::std;
use super::raw::Section;
use super::{Folder, scalar};
use crate::secret_file::SecretFile;

/// Whence the bearer comes.
#[derive(Clone, Debug)]
pub enum HpeAuth {
    /// From HPE, for an API client.
    Client(ApiClient),
    /// From a file, which a person or another program writes.
    File(SecretFile),
    /// From the standard output of a command.
    Command(BearerCommand),
}

/// An API client, and the service that it belongs to.
#[derive(Clone, Debug)]
pub struct ApiClient {
    /// Which of HPE's token services.
    pub service: TokenService,
    /// Its URL, without a slash at the end.
    pub issuer: Url,
    /// The client.
    pub client_id: String,
    /// The file that holds its secret.
    pub client_secret: SecretFile,
}

/// Which of HPE's token services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenService {
    /// GreenLake Flex Solutions: `https://iam.us1.greenlake-hpe.com/oauth2/<tenant>/<id>`.
    Glcs,
    /// Its older one: `https://client.greenlake.hpe.com/api/iam/identity`, with the tenant's id in the request.
    GlcsLegacy {
        /// The tenant's id.
        tenant_id: String,
    },
    /// The platform: `https://global.api.greenlake.hpe.com/authorization/v2/oauth2/<workspace>/token`.
    Glp,
}

/// A command that prints a bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerCommand {
    /// The program: an absolute path.
    pub program: PathBuf,
    /// Its arguments, as they are.
    pub arguments: Vec<String>,
    /// How long it may take.
    pub time_limit: Duration,
}

impl HpeAuth {
    /// The API client, where there is one.
    pub fn client(&self) -> Option<&ApiClient> {
        match self {
            Self::Client(client) => Some(client),
            Self::File(_) | Self::Command(_) => None,
        }
    }

    /// The file that holds a secret, where there is one.
    pub fn secret_file(&self) -> Option<&SecretFile> {
        match self {
            Self::Client(client) => Some(&client.client_secret),
            Self::File(file) => Some(file),
            Self::Command(_) => None,
        }
    }

    /// The same for two that give bearers of one HPE tenant, as far as it shows.
    pub(super) fn origin(&self) -> String {
        match self {
            Self::Client(ApiClient { service: TokenService::GlcsLegacy { tenant_id }, issuer, .. }) => {
                format!("{issuer} {tenant_id}")
            }
            Self::Client(client) => client.issuer.as_str().trim_end_matches("/token").to_owned(),
            Self::File(file) => file.path().display().to_string(),
            Self::Command(command) => format!("{} {:?}", command.program.display(), command.arguments),
        }
    }
}

/// Which keys there are.
#[derive(Clone, Copy)]
enum Kind {
    Glcs,
    GlcsLegacy,
    Glp,
    File,
    Command,
}

pub(super) fn read(section: &Section<'_>, folder: &Folder<'_>) -> Option<HpeAuth> {
    let kind = section.need("kind", "kind = \"glcs\"", |value| match scalar::text(value)? {
        "glcs" => Ok(Kind::Glcs),
        "glcs-legacy" => Ok(Kind::GlcsLegacy),
        "glp" => Ok(Kind::Glp),
        "file" => Ok(Kind::File),
        "command" => Ok(Kind::Command),
        _ => {
            Err("is unknown: for an API client write \"glcs\" (GreenLake Flex Solutions), \"glcs-legacy\" or \"glp\" \
                  (the platform); for a bearer that comes from elsewhere \"file\" or \"command\""
                .to_owned())
        }
    });
    match kind {
        Some(Kind::Glcs) => read_client(section, folder, GLCS, |_| Some(TokenService::Glcs)),
        Some(Kind::GlcsLegacy) => read_client(section, folder, LEGACY, |section| {
            let example = "tenant_id = \"…\", the id of your HPE tenant";
            let tenant_id = section.need("tenant_id", example, scalar::id(256, "-_."))?;
            Some(TokenService::GlcsLegacy { tenant_id })
        }),
        Some(Kind::Glp) => read_client(section, folder, GLP, |_| Some(TokenService::Glp)),
        Some(Kind::File) => {
            let example = "bearer_file = \"/…\", the path of a file that holds the bearer";
            section.need("bearer_file", example, scalar::secret_file(folder.path)).map(HpeAuth::File)
        }
        Some(Kind::Command) => read_command(section).map(HpeAuth::Command),
        None => {
            section.tolerate_the_rest();
            None
        }
    }
}

const GLCS: &str = "issuer = \"https://iam.us1.greenlake-hpe.com/oauth2/<tenant>/<id>\", as shown with the API client";
const LEGACY: &str = "issuer = \"https://client.greenlake.hpe.com/api/iam/identity\", of which /v1/token is asked";
const GLP: &str = "issuer = \"https://global.api.greenlake.hpe.com/authorization/v2/oauth2/<workspace>/token\", as shown \
                   with the API client";

fn read_client(
    section: &Section<'_>,
    folder: &Folder<'_>,
    example: &str,
    service: impl FnOnce(&Section<'_>) -> Option<TokenService>,
) -> Option<HpeAuth> {
    let service = service(section);
    let issuer = section.need("issuer", example, scalar::https(folder.sandboxed)).map(scalar::bare);
    let client_id =
        section.need("client_id", "client_id = \"…\", as shown with the API client", scalar::id(256, "-_."));
    let example = "client_secret_file = \"/…\", the path of a file that holds the client secret";
    let client_secret = section.need("client_secret_file", example, scalar::secret_file(folder.path));
    let (issuer, client_id, client_secret) = (issuer?, client_id?, client_secret?);
    Some(HpeAuth::Client(ApiClient { service: service?, issuer, client_id, client_secret }))
}

fn read_command(section: &Section<'_>) -> Option<BearerCommand> {
    // One string would be a shell's line, and there is no shell.
    let example = "command = [\"/usr/local/bin/hpe-bearer\", \"--quiet\"], the program's path and its arguments";
    let whole_limit = scalar::duration_in(TimeDelta::seconds(1), TimeDelta::minutes(1));
    let time_limit = section.get("time_limit", whole_limit).unwrap_or(TimeDelta::seconds(30));
    let words = section.need_words("command", example)?;
    let mut words = words.into_iter();
    let program = PathBuf::from(words.next().unwrap_or_default());
    if !program.is_absolute() {
        let what = "must begin with the absolute path of a program: neither a shell nor PATH is asked";
        section.report().problem(&section.key("command"), what);
        return None;
    }
    Some(BearerCommand { program, arguments: words.collect(), time_limit: std(time_limit) })
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;

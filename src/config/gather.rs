//! From the texts of the file and of the folder to a configuration: who is refused, and for what.
//!
//! What is wrong with one connection refuses that one, so that it does not stop the others; anything else refuses all.

use std::path::{Path, PathBuf};

use super::problem::Problem;
use super::raw::{Report, Section};
use super::source::{Key, Source};
use super::{
    Config, ConfigErrors, ConnectionConfig, Environment, Folder, Loaded, Refused, admin, apart, azure, connection,
    cross, folder, http, notify, policy, process, scalar,
};

/// Reads everything.
pub(super) fn parse(file: &Path, text: &str, environment: &Environment) -> Result<Loaded, ConfigErrors> {
    let (source, problems) = Source::new(file, text, apart::take(text), environment);
    let Some(source) = source else { return Err(ConfigErrors::new(problems)) };
    let report = Report::new(&source, problems);
    let path = file.parent().unwrap_or(Path::new(""));
    let read = Section::read_root(&report, |root| {
        let folder = Folder { path, sandboxed: root.has("sandbox") };
        read(root, &folder, environment)
    });
    let Some(Read { config, mut candidates, folder, common }) = read else {
        return Err(ConfigErrors::new(report.finish().0));
    };

    let pieces = folder.map_or(Ok(Vec::new()), |folder| folder::read(&folder)).unwrap_or_else(|what| {
        report.problem(&Key::default().child("connections_dir"), what);
        Vec::new()
    });
    let (mut connections, mut refused) = (Vec::new(), Vec::new());
    let mut sources = Vec::new();
    for piece in &pieces {
        match piece.source() {
            Ok(source) => sources.push((piece, source)),
            Err(problems) => {
                let name = piece.path.display().to_string();
                refused.push(Refused { name, problems: ConfigErrors::new(problems) });
            }
        }
    }
    let reports: Vec<_> = sources.iter().map(|(_, source)| Report::new(source, Vec::new())).collect();
    for (number, ((piece, _), report)) in sources.iter().zip(&reports).enumerate() {
        candidates.push(common.of_piece(piece, report, number));
    }

    cross::check(&candidates, |candidate| candidate.piece.map_or(&report, |number| &reports[number]));
    if candidates.is_empty() && refused.is_empty() {
        let what = "there is none: write a table [[connections]] for each token to rotate";
        report.problem(&Key::default().child("connections"), what);
    }
    let (mut problems, mut warnings) = report.finish();
    let mut told: Vec<_> = reports.into_iter().map(Report::finish).collect();
    for candidate in candidates {
        let own = match candidate.piece {
            Some(number) => {
                warnings.append(&mut told[number].1);
                std::mem::take(&mut told[number].0)
            }
            None => problems.extract_if(.., |problem| candidate.is_told_of(problem)).collect(),
        };
        match candidate.config {
            Some(connection) if own.is_empty() => connections.push(connection),
            // What is wrong with it may stand in what all have in common, and is told there.
            None if own.is_empty() => (),
            _ => refused.push(Refused { name: candidate.name, problems: ConfigErrors::new(own) }),
        }
    }
    if problems.is_empty()
        && !connections.is_empty()
        && let Some(config) = config
    {
        return Ok(Loaded { config: Config { connections, refused, ..config }, warnings });
    }
    problems.extend(refused.into_iter().flat_map(|refused| refused.problems.into_problems()));
    Err(ConfigErrors::new(problems))
}

/// The file itself, read.
struct Read {
    /// All but the connections; none, if any of that cannot be used.
    config: Option<Config>,
    /// Those of the file.
    candidates: Vec<Candidate>,
    /// Where more of them stand.
    folder: Option<PathBuf>,
    common: Common,
}

/// What the file says of all connections.
struct Common {
    sandboxed: bool,
    /// What the hosts of vaults end in.
    suffix: Option<String>,
    base: policy::Draft,
}

/// A connection, as far as it can be read.
pub(super) struct Candidate {
    /// Its name, or where it stands.
    name: String,
    /// All of it, unless something is wrong.
    pub config: Option<ConnectionConfig>,
    /// The number of its text among those of the folder; none for the file.
    piece: Option<usize>,
    /// Its table there.
    pub key: Key,
}

impl Candidate {
    /// Whether a problem of the file is about this connection and nothing else.
    fn is_told_of(&self, problem: &Problem) -> bool {
        let own = self.key.to_string();
        let rest = problem.key.as_deref().and_then(|key| key.strip_prefix(&own));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl Common {
    fn read(&self, section: &Section<'_>, path: &Path, name: Option<&str>) -> connection::Draft {
        let folder = Folder { path, sandboxed: self.sandboxed };
        connection::read(section, &folder, self.suffix.as_deref(), &self.base, name)
    }

    /// The connection that a table of the file holds.
    fn of_table(&self, section: &Section<'_>, path: &Path) -> Candidate {
        let connection::Draft { name, config } = self.read(section, path, None);
        let key = section.own_key();
        Candidate { name: name.map_or_else(|| key.to_string(), |name| name.to_string()), config, piece: None, key }
    }

    /// The connection that a file of the folder holds.
    fn of_piece(&self, piece: &folder::Piece, report: &Report<'_>, number: usize) -> Candidate {
        let path = piece.path.parent().unwrap_or(Path::new(""));
        let draft = Section::read_root(report, |root| Some(self.read(root, path, Some(&piece.name))));
        let connection::Draft { name, config } = draft.unwrap_or_default();
        let name = name.map_or_else(|| piece.path.display().to_string(), |name| name.to_string());
        Candidate { name, config, piece: Some(number), key: Key::default() }
    }
}

fn read(root: &Section<'_>, folder: &Folder<'_>, environment: &Environment) -> Option<Read> {
    let sandbox = if folder.sandboxed { root.table("sandbox", process::read_sandbox) } else { None };
    let azure = root.table("azure", |section| azure::read(section, folder, environment));
    let http = root.table("http", |section| http::read(section, folder, environment));
    let log = root.table("log", process::read_log);
    let rotations = root.table("rotations", process::read_rotations);
    let admin = root.table("admin", |section| Some(admin::read(section)));
    let receivers = notify::read(root, folder);
    let has_heartbeat = root.has("heartbeat");
    let heartbeat = root.table_if_set("heartbeat", |section| notify::read_heartbeat(section, folder));
    let runtime_dir = process::read_runtime_dir(root, folder, environment);
    let connections_dir = root.get("connections_dir", scalar::path(folder.path));
    let (suffix, azure) = azure?;
    let base = root.table("policy", policy::Draft::read)?;
    let common = Common { sandboxed: folder.sandboxed, suffix, base };
    let candidates = root.connections(|section| Some(common.of_table(section, folder.path)));
    let candidates = candidates.into_iter().flatten().collect();
    let told = receivers.filter(|_| heartbeat.is_some() || !has_heartbeat);
    let process = log.zip(rotations).zip(admin).zip(told);
    let config = azure.zip(http).zip(process).map(|((azure, http), (((log, rotations), admin), receivers))| {
        let (connections, refused) = (Vec::new(), Vec::new());
        Config { azure, http, log, rotations, admin, receivers, heartbeat, sandbox, runtime_dir, connections, refused }
    });
    Some(Read { config, candidates, folder: connections_dir, common })
}

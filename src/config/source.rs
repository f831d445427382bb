//! The two texts a configuration is made of, merged, and the way back from a key to the place it was written.
//!
//! The `config` crate merges file and environment; it knows keys but no lines. `toml` knows the lines. This holds both.
//! A list of tables (`[[connections]]`) cannot be reached from the environment: a variable has no place to say which one.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use ::config::{FileFormat, Source as _, Value, ValueKind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::apart::{Apart, CONNECTIONS};
use super::problem::{Place, Problem};

/// What every variable of ours begins with. Two underscores, so that `SCIM_ROTATOR_CONFIG` is none of them.
const PREFIX: &str = "SCIM_ROTATOR__";
/// Of all others, these name folders of the running process.
const FOLDERS: [&str; 3] = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "TMPDIR"];
/// These name the way into the network.
const NETWORK: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];
/// And these tell a pod or a machine of Azure Arc who it is. None holds a secret.
const IDENTITY: [&str; 4] = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT"];

/// The part of a process's environment that concerns the configuration. Without `Debug`: anything may stand in there.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, Option<String>>);

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let ours = named.filter(|(name, _)| is_ours(name) || is_read(name));
        Self(ours.map(|(name, value)| (name, value.into_string().ok())).collect())
    }

    /// The value of one variable, unless it is empty or no text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_deref().filter(|value| !value.is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), Some(value.into()))).collect())
    }
}

fn is_read(name: &str) -> bool {
    [&FOLDERS[..], &NETWORK, &IDENTITY].iter().any(|names| names.contains(&name))
}

fn is_ours(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// One step down the tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Name(String),
    Index(usize),
}

/// A key in full. Displays as `connections[0].vault.url`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(Vec<Step>);

impl Key {
    /// The key `name` below this one.
    pub fn child(&self, name: &str) -> Self {
        Self(self.0.iter().cloned().chain([Step::Name(name.to_owned())]).collect())
    }

    /// The element `index` of this one.
    pub fn element(&self, index: usize) -> Self {
        Self(self.0.iter().cloned().chain([Step::Index(index)]).collect())
    }

    /// How far down the tree it is.
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, rest)| Self(rest.to_vec()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if position == 0 => f.write_str(name)?,
                Step::Name(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Which part of an entry is meant: its key or its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

/// File and environment.
pub(super) struct Source<'t> {
    file: &'t Path,
    text: &'t str,
    /// The same text, where its connections can be read one by one.
    apart: Option<Apart<'t>>,
    /// Where each key stands: made when somebody asks, since with thousands of connections it takes as much as all the rest.
    spans: OnceCell<BTreeMap<Key, Spans>>,
    /// Dotted key → variable.
    variables: BTreeMap<String, String>,
    /// Variable → what it holds.
    values: ::config::Map<String, String>,
}

impl<'t> Source<'t> {
    /// Looks through `text`, the content of `file`, and the environment; `apart` is the same text, if its connections are to
    /// be read one by one. Nothing can be said of broken TOML beyond its syntax: then the second half of the answer is all
    /// there is.
    pub fn new(
        file: &'t Path,
        text: &'t str,
        apart: Option<Apart<'t>>,
        environment: &Environment,
    ) -> (Option<Self>, Vec<Problem>) {
        let mut problems = Vec::new();
        let mistakes = if apart.is_some() { Vec::new() } else { DeTable::parse_recoverable(text).1 };
        for mistake in &mistakes {
            let place = mistake.span().map_or(Place::File(file.to_owned()), |span| Place::of_span(file, text, span));
            problems.push(Problem { place, key: None, what: format!("this is no TOML: {}", mistake.message()) });
        }
        let mut variables = BTreeMap::new();
        let mut values = ::config::Map::new();
        for (variable, value) in environment.0.iter().filter(|(name, _)| is_ours(name)) {
            let key = variable[PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
            let what = match value {
                _ if key == CONNECTIONS
                    || ["connections.", "connections["].iter().any(|list| key.starts_with(list)) =>
                {
                    "a connection cannot be set from the environment: write it into the file"
                }
                None => "its value is no UTF-8 text",
                Some(value) => {
                    values.insert(variable.clone(), value.clone());
                    variables.insert(key, variable.clone());
                    continue;
                }
            };
            problems.push(Problem { place: Place::Variable(variable.clone()), key: Some(key), what: what.to_owned() });
        }
        let source = Self { file, text, apart, spans: OnceCell::new(), variables, values };
        (mistakes.is_empty().then_some(source), problems)
    }

    /// The file with the environment laid over it, without the connections that are [`apart`](Self::apart). Made anew at
    /// every call: it is large, and read once.
    pub fn tree(&self) -> Result<Value, Problem> {
        let text = self.apart.as_ref().map_or(self.text, |apart| &apart.rest);
        let environment = ::config::Environment::with_prefix("SCIM_ROTATOR")
            .prefix_separator("__")
            .separator("__")
            .source(Some(self.values.clone()));
        let merged = ::config::Config::builder()
            .add_source(::config::File::from_str(text, FileFormat::Toml))
            .add_source(environment)
            .build();
        merged.map(|merged| merged.cache).map_err(|error| Problem {
            place: Place::File(self.file.to_owned()),
            key: None,
            what: unreadable(error),
        })
    }

    /// The connections that are not in the tree, each as it is asked for; nothing where they are all in it.
    /// An error says why one cannot be read.
    pub fn apart(&self) -> impl Iterator<Item = Result<Value, String>> {
        let tables = self.apart.iter().flat_map(|apart| &apart.tables);
        tables.map(|text| {
            let mut tree = ::config::File::from_str(text, FileFormat::Toml).collect().map_err(unreadable)?;
            let list = tree.remove(CONNECTIONS).map(|list| list.kind);
            let Some(ValueKind::Array(mut tables)) = list else { return Err("expected a table".to_owned()) };
            tables.pop().ok_or_else(|| "expected a table".to_owned())
        })
    }

    /// Where `key` was written: a variable, a line, or for what is missing the nearest thing around it.
    pub fn place(&self, key: &Key, part: Part) -> Place {
        if let Some(variable) = self.variable(key) {
            return Place::Variable(variable.to_owned());
        }
        let mut around = Some(key.clone());
        while let Some(key) = around {
            if let Some(span) = self.span(&key, part) {
                return Place::of_span(self.file, self.text, span);
            }
            around = key.parent();
        }
        Place::File(self.file.to_owned())
    }

    /// Whether `key` itself comes from the environment.
    pub fn is_variable(&self, key: &Key) -> bool {
        self.variable(key).is_some()
    }

    /// The variable that set `key`, or set something below a key that the file does not hold.
    fn variable(&self, key: &Key) -> Option<&str> {
        let dotted = key.to_string();
        if let Some(variable) = self.variables.get(&dotted) {
            return Some(variable);
        }
        let below = format!("{dotted}.");
        let inside = self.variables.range(below.clone()..).next().filter(|(name, _)| name.starts_with(&below));
        inside.map(|(_, variable)| variable.as_str()).filter(|_| self.span(key, Part::Value).is_none())
    }

    /// The bytes that `key` or its value takes up in the file.
    fn span(&self, key: &Key, part: Part) -> Option<Range<usize>> {
        let spans = self.spans.get_or_init(|| {
            let mut spans = BTreeMap::new();
            note_table(DeTable::parse_recoverable(self.text).0.get_ref(), &Key::default(), &mut spans);
            spans
        });
        let Spans { key, value } = spans.get(key)?;
        Some(if part == Part::Key { key.clone() } else { value.clone() })
    }
}

fn unreadable(error: ::config::ConfigError) -> String {
    format!("this cannot be read as a configuration: {error}")
}

/// The bytes of a key and of its value. An element of a list has no key but its value.
struct Spans {
    key: Range<usize>,
    value: Range<usize>,
}

fn note_table(table: &DeTable<'_>, at: &Key, spans: &mut BTreeMap<Key, Spans>) {
    for (name, value) in table {
        note(value, name.span(), &at.child(name.get_ref()), spans);
    }
}

fn note(value: &Spanned<DeValue<'_>>, key: Range<usize>, at: &Key, spans: &mut BTreeMap<Key, Spans>) {
    spans.insert(at.clone(), Spans { key, value: value.span() });
    match value.get_ref() {
        DeValue::Table(table) => note_table(table, at, spans),
        DeValue::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                note(element, element.span(), &at.element(index), spans);
            }
        }
        _ => (),
    }
}

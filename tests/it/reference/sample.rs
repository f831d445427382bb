//! Configurations made of the reference itself: what is needed, by its examples, and something put into one table.

use std::collections::BTreeMap;
use std::path::Path;

use scim_rotator::config::reference::{Default, Key, ROOT, Table, Type};
use scim_rotator::config::{Config, Environment};
use tempfile::TempDir;

/// Tables that no key of theirs needs, and without which there is no configuration.
const FILLED: [(&str, &str); 3] = [("scim-rotator", "azure"), ("scim-rotator", "connections"), ("azure", "credential")];

/// Keys of one table with their values, as TOML.
pub type Values = BTreeMap<String, String>;

/// A table, where it can stand.
#[derive(Clone)]
pub struct Spot {
    /// The tables above, each with the key that leads down.
    above: Vec<(&'static Table, &'static Key)>,
    pub table: &'static Table,
}

impl Spot {
    /// Every table of the configuration, wherever it can stand.
    pub fn all() -> Vec<Self> {
        Self { above: Vec::new(), table: &ROOT }.with_those_below()
    }

    fn with_those_below(self) -> Vec<Self> {
        let below = self.table.keys.iter().flat_map(|key| {
            let above = [self.above.clone(), vec![(self.table, key)]].concat();
            let down = tables(key.what).into_iter().map(move |table| Self { above: above.clone(), table });
            down.flat_map(Self::with_those_below)
        });
        let below: Vec<_> = below.collect();
        [vec![self], below].concat()
    }

    /// Its key in full, as problems name it.
    pub fn path(&self) -> String {
        let steps = self.above.iter().map(|(_, key)| match key.what {
            Type::Tables(_) => format!("{}[0]", key.name),
            _ => key.name.to_owned(),
        });
        steps.collect::<Vec<_>>().join(".")
    }

    /// The key of one of its entries, in full.
    pub fn key(&self, name: &str) -> String {
        [self.path(), name.to_owned()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
    }

    /// A configuration that has this table, with these values in it beside what it needs.
    pub fn with(&self, values: Values) -> String {
        let (mut below, mut filled) = (self.table, fill(self.table, values));
        for (table, key) in self.above.iter().rev() {
            let inner = inline(below, &filled);
            let inner = if matches!(key.what, Type::Tables(_)) { format!("[{inner}]") } else { inner };
            (below, filled) = (table, fill(table, Values::from([(key.name.to_owned(), inner)])));
        }
        filled.into_iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }

    /// The same with one value.
    pub fn with_one(&self, name: &str, value: impl Into<String>) -> String {
        self.with(Values::from([(name.to_owned(), value.into())]))
    }
}

/// The tables that a value of this type can be.
pub fn tables(what: Type) -> Vec<&'static Table> {
    match what {
        Type::Table(table) | Type::Tables(table) => vec![table],
        Type::OneOf(tables) => tables.to_vec(),
        _ => Vec::new(),
    }
}

/// The example of a key, as TOML.
pub fn example(key: &Key) -> String {
    key.what.written(key.example).unwrap_or_else(|| {
        let table = tables(key.what)[0];
        let inner = inline(table, &fill(table, Values::new()));
        if matches!(key.what, Type::Tables(_)) { format!("[{inner}]") } else { inner }
    })
}

/// These values, and what the table needs beside them.
pub fn fill(table: &Table, mut values: Values) -> Values {
    let named = |values: &Values, names: &[&str]| names.iter().any(|name| values.contains_key(*name));
    let wanted: Vec<&str> =
        values.keys().filter_map(|name| table.key(name)).flat_map(|key| key.needs).copied().collect();
    let chosen = table.exactly_one.first().filter(|_| !named(&values, table.exactly_one));
    for key in table.keys {
        let is_filled = FILLED.contains(&(table.name, key.name)) && table.kind.is_none();
        let is_needed = key.default == Default::Required || wanted.contains(&key.name) || chosen == Some(&key.name);
        if (is_needed || is_filled) && !values.contains_key(key.name) {
            values.insert(key.name.to_owned(), example(key));
        }
    }
    if let Some(kind) = table.kind {
        values.entry("kind".to_owned()).or_insert_with(|| format!("\"{kind}\""));
    }
    values
}

/// The values in the order of their table, and behind them those that are none of its.
pub fn inline(table: &Table, values: &Values) -> String {
    let place = |name: &str| match name {
        "kind" => 0,
        _ => table.keys.iter().position(|key| key.name == name).map_or(usize::MAX, |place| place + 1),
    };
    let mut pairs: Vec<_> = values.iter().collect();
    pairs.sort_by_key(|(name, _)| place(name));
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// What came of reading it: how the configuration shows, and all problems as `key: words`.
pub struct Outcome {
    pub shown: String,
    pub problems: Vec<(String, String)>,
}

impl Outcome {
    /// What is wrong with this key.
    pub fn of(&self, key: &str) -> Option<&str> {
        self.problems.iter().find(|(of, _)| of == key).map(|(_, what)| what.as_str())
    }
}

/// A folder to read configurations in, with what the examples speak of.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("connections.d")).expect("ours");
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn read(&self, text: &str) -> Outcome {
        // As AKS tells a pod.
        let environment: Environment = [
            ("AZURE_TENANT_ID", "00000000-0000-4000-8000-000000000001"),
            ("AZURE_CLIENT_ID", "00000000-0000-4000-8000-000000000002"),
            ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/pod-token"),
            ("TMPDIR", "/tmp"),
        ]
        .into_iter()
        .collect();
        let (shown, all) = match Config::parse(&self.path().join("c.toml"), text, &environment) {
            Ok(loaded) => {
                let refused = loaded.config.refused.iter().flat_map(|refused| refused.problems.problems().to_vec());
                (format!("{:#?}", loaded.config), refused.collect::<Vec<_>>())
            }
            Err(errors) => (String::new(), errors.problems().to_vec()),
        };
        let problems = all.into_iter().map(|problem| (problem.key.unwrap_or_default(), problem.what));
        Outcome { shown, problems: problems.collect() }
    }
}

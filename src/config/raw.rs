//! Reads the merged tree, key by key, and reports everything that does not fit instead of stopping at the first.
//!
//! Not a serde mirror, which ends at its first mistake and forgets where it was inside a tagged enum. A [`Section`]
//! notes which keys are asked for; what is left over at its end is an unknown key. No value is ever echoed here.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use ::config::{Map, Value, ValueKind};

use super::apart::CONNECTIONS;
use super::blot::names_a_secret;
use super::problem::{Place, Problem};
use super::source::{Key, Part, Source};

/// A value that is neither table nor list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    /// A string.
    Text(&'a str),
    /// What a variable holds: text, and a number or a truth where one is wanted.
    Variable(&'a str),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Any other number.
    Number,
}

/// Where problems and warnings gather.
pub(super) struct Report<'a> {
    source: &'a Source<'a>,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl<'a> Report<'a> {
    /// A report that begins with what is known already.
    pub fn new(source: &'a Source<'a>, problems: Vec<Problem>) -> Self {
        Self { source, problems: RefCell::new(problems), warnings: RefCell::default() }
    }

    /// The value of `key` cannot be used.
    pub fn problem(&self, key: &Key, what: impl Into<String>) {
        self.problems.borrow_mut().push(self.entry(key, Part::Value, what));
    }

    /// The value of `key` can be used, but should be looked at.
    pub fn warning(&self, key: &Key, what: impl Into<String>) {
        self.warnings.borrow_mut().push(self.entry(key, Part::Value, what));
    }

    /// The value of a variable that stands for no key cannot be used.
    pub fn variable_problem(&self, name: &str, what: impl Into<String>) {
        self.problems.borrow_mut().push(of_variable(name, what));
    }

    /// The value of a variable that stands for no key can be used in part.
    pub fn variable_warning(&self, name: &str, what: impl Into<String>) {
        self.warnings.borrow_mut().push(of_variable(name, what));
    }

    /// Problems and warnings.
    pub fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems.into_inner(), self.warnings.into_inner())
    }

    fn entry(&self, key: &Key, part: Part, what: impl Into<String>) -> Problem {
        Problem { place: self.source.place(key, part), key: Some(key.to_string()), what: what.into() }
    }
}

fn table_of(value: &Value) -> Option<&Map<String, Value>> {
    match &value.kind {
        ValueKind::Table(table) => Some(table),
        _ => None,
    }
}

fn of_variable(name: &str, what: impl Into<String>) -> Problem {
    Problem { place: Place::Variable(name.to_owned()), key: None, what: what.into() }
}

/// One table, being read.
pub(super) struct Section<'a> {
    report: &'a Report<'a>,
    key: Key,
    table: Option<&'a Map<String, Value>>,
    asked: RefCell<BTreeSet<&'static str>>,
    tolerant: Cell<bool>,
}

impl<'a> Section<'a> {
    /// Reads the whole tree. None where there is none, which is then reported.
    pub fn read_root<T>(report: &Report<'_>, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Option<T> {
        match report.source.tree() {
            Ok(tree) => Section::read(report, Key::default(), table_of(&tree), read),
            Err(problem) => {
                report.problems.borrow_mut().push(problem);
                None
            }
        }
    }

    fn read<T>(
        report: &'a Report<'a>,
        key: Key,
        table: Option<&'a Map<String, Value>>,
        read: impl FnOnce(&Self) -> Option<T>,
    ) -> Option<T> {
        let section = Self { report, key, table, asked: RefCell::default(), tolerant: Cell::new(false) };
        let made = read(&section);
        section.refuse_unknown();
        made
    }

    /// Where problems go.
    pub fn report(&self) -> &'a Report<'a> {
        self.report
    }

    /// The full key of this table.
    pub fn own_key(&self) -> Key {
        self.key.clone()
    }

    /// The full key of `name` in this table.
    pub fn key(&self, name: &str) -> Key {
        self.key.child(name)
    }

    /// Whether `name` is set.
    pub fn has(&self, name: &'static str) -> bool {
        self.value(name).is_some()
    }

    /// Its `kind` is unknown, so nothing can be said of the keys that have not been asked for.
    pub fn tolerate_the_rest(&self) {
        self.tolerant.set(true);
    }

    /// The value of `name`. None when it is not set, and when it cannot be used (which is then reported).
    pub fn get<T>(&self, name: &'static str, parse: impl FnOnce(Scalar<'_>) -> Result<T, String>) -> Option<T> {
        let value = self.value(name)?;
        let scalar = match &value.kind {
            ValueKind::String(text) => Scalar::Text(text),
            ValueKind::I64(number) => Scalar::Integer(*number),
            ValueKind::Boolean(truth) => Scalar::Boolean(*truth),
            ValueKind::Table(_) => return self.refuse(name, "expected one value, found a table"),
            ValueKind::Array(_) => return self.refuse(name, "expected one value, found a list"),
            _ => Scalar::Number,
        };
        match parse(self.typed(name, scalar)) {
            Ok(parsed) => Some(parsed),
            Err(what) => self.refuse(name, what),
        }
    }

    /// As [`get`](Self::get), and it must be set; `example` shows how.
    pub fn need<T>(
        &self,
        name: &'static str,
        example: &str,
        parse: impl FnOnce(Scalar<'_>) -> Result<T, String>,
    ) -> Option<T> {
        if self.has(name) { self.get(name, parse) } else { self.missing(name, example) }
    }

    /// As [`get`](Self::get), of a value that is not set here and comes from elsewhere.
    pub fn named<T>(
        &self,
        name: &'static str,
        value: &str,
        parse: impl FnOnce(Scalar<'_>) -> Result<T, String>,
    ) -> Option<T> {
        match parse(Scalar::Text(value)) {
            Ok(parsed) => Some(parsed),
            Err(what) => {
                self.refuse(name, format!("is missing, and the file's own name cannot be taken for it: {what}"))
            }
        }
    }

    /// Reads the table `name`, or an empty one where it is not set.
    pub fn table<T>(&self, name: &'static str, read: impl FnOnce(&Section<'a>) -> Option<T>) -> Option<T> {
        match self.value(name).map(|value| &value.kind) {
            None => Self::read(self.report, self.key(name), None, read),
            Some(ValueKind::Table(table)) => Self::read(self.report, self.key(name), Some(table), read),
            Some(_) => self.refuse(name, "expected a table"),
        }
    }

    /// Reads the tables of connections, in the root.
    pub fn connections<T>(&self, read: impl Fn(&Section<'_>) -> Option<T>) -> Vec<Option<T>> {
        let mut tables = self.tables(CONNECTIONS, &read);
        // Either all of them are there, or none.
        let apart = self.report.source.apart().enumerate();
        tables.extend(apart.map(|(index, value)| {
            let key = self.key(CONNECTIONS).element(index);
            match value {
                Ok(value) => Section::read(self.report, key, table_of(&value), &read),
                Err(what) => {
                    self.report.problem(&key, what);
                    None
                }
            }
        }));
        tables
    }

    fn is_no_table(&self, name: &'static str) -> bool {
        self.value(name).is_some_and(|value| !matches!(value.kind, ValueKind::Table(_)))
    }

    /// As [`table`](Self::table), and nothing where it is not set.
    pub fn table_if_set<T>(&self, name: &'static str, read: impl FnOnce(&Section<'a>) -> Option<T>) -> Option<T> {
        if self.has(name) { self.table(name, read) } else { None }
    }

    /// As [`table`](Self::table), and it must be set; `example` shows how.
    pub fn need_table<T>(
        &self,
        name: &'static str,
        example: &str,
        read: impl FnOnce(&Section<'a>) -> Option<T>,
    ) -> Option<T> {
        if self.is_no_table(name) {
            return self.refuse(name, format!("expected a table: write {example}"));
        }
        if self.has(name) { self.table(name, read) } else { self.missing(name, example) }
    }

    /// Reads a list of tables, one table counting as a list of one. Empty when it is not set.
    pub fn tables<T>(&self, name: &'static str, read: impl Fn(&Section<'a>) -> Option<T>) -> Vec<Option<T>> {
        match self.value(name).map(|value| &value.kind) {
            None => Vec::new(),
            Some(ValueKind::Table(_)) => vec![self.table(name, read)],
            Some(ValueKind::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let key = self.key(name).element(index);
                    match &item.kind {
                        ValueKind::Table(table) => Self::read(self.report, key, Some(table), &read),
                        _ => {
                            self.report.problem(&key, "expected a table");
                            None
                        }
                    }
                })
                .collect(),
            Some(_) => vec![self.refuse(name, "expected a table, or a list of tables")],
        }
    }

    /// A list of strings, each parsed by itself; one string counts as a list of what stands between its commas, as a
    /// variable has to write it. None when it is not set, and when any of it cannot be used (which is then reported).
    pub fn list<T>(&self, name: &'static str, parse: impl Fn(Scalar<'_>) -> Result<T, String>) -> Option<Vec<T>> {
        let value = self.value(name)?;
        let mut texts = Vec::new();
        match &value.kind {
            ValueKind::String(text) => {
                texts.extend(
                    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(|text| Ok((None, text))),
                );
            }
            ValueKind::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    texts.push(match &item.kind {
                        ValueKind::String(text) => Ok((Some(index), text.as_str())),
                        _ => Err(index),
                    });
                }
            }
            _ => return self.refuse(name, "expected a list of strings"),
        }
        let key = |index: Option<usize>| match index {
            Some(index) => self.key(name).element(index),
            None => self.key(name),
        };
        let mut parsed = Vec::new();
        let mut whole = true;
        for text in texts {
            let outcome = match text {
                Ok((index, text)) => parse(Scalar::Text(text)).map_err(|what| (index, what)),
                Err(index) => Err((Some(index), "expected a string, in quotes".to_owned())),
            };
            match outcome {
                Ok(value) => parsed.push(value),
                Err((index, what)) => {
                    self.report.problem(&key(index), what);
                    whole = false;
                }
            }
        }
        whole.then_some(parsed)
    }

    /// A list of strings that must be set and hold something, each taken as it is; `example` shows how. Nothing is made
    /// of one string: where its words end is not for us to say.
    pub fn need_words(&self, name: &'static str, example: &str) -> Option<Vec<String>> {
        let Some(value) = self.value(name) else { return self.missing(name, example) };
        let ValueKind::Array(items) = &value.kind else {
            return self.refuse(name, format!("expected a list of strings: write {example}"));
        };
        let word = |item: &Value| match &item.kind {
            ValueKind::String(text) if !text.contains('\0') => Some(text.clone()),
            _ => None,
        };
        match items.iter().map(word).collect::<Option<Vec<_>>>() {
            Some(words) if !words.is_empty() => Some(words),
            Some(_) => self.refuse(name, format!("is empty: write {example}")),
            None => self.refuse(name, "expected strings only, each in quotes"),
        }
    }

    fn value(&self, name: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(name);
        self.table?.get(name).filter(|value| value.kind != ValueKind::Nil)
    }

    fn typed<'s>(&self, name: &str, scalar: Scalar<'s>) -> Scalar<'s> {
        match scalar {
            Scalar::Text(text) if self.report.source.is_variable(&self.key(name)) => Scalar::Variable(text),
            _ => scalar,
        }
    }

    /// The value of `name` cannot be used.
    pub fn refuse<T>(&self, name: &str, what: impl Into<String>) -> Option<T> {
        self.report.problem(&self.key(name), what);
        None
    }

    fn missing<T>(&self, name: &str, example: &str) -> Option<T> {
        self.refuse(name, format!("is missing: write {example}"))
    }

    fn refuse_unknown(&self) {
        let asked = self.asked.borrow();
        let left = self.table.into_iter().flatten().filter(|(name, _)| !asked.contains(name.as_str()));
        for (name, value) in left {
            let known = asked.iter().copied().collect::<Vec<_>>().join(", ");
            let near = asked.iter().copied().find(|key| strsim::osa_distance(key, name) <= 2);
            let what = match (&value.kind, near) {
                (_, Some(near)) if names_a_secret(name) => format!(
                    "is unknown here: `{near}` was meant, as it seems. If a secret was written here, treat it as leaked"
                ),
                (_, Some(near)) => format!("is unknown here: `{near}` was meant, as it seems; known are: {known}"),
                (ValueKind::String(_), None) if names_a_secret(name) => {
                    let file = asked.iter().find(|key| key.ends_with("_file") && names_a_secret(key));
                    let instead = file.map(|key| format!(" with `{key}`")).unwrap_or_default();
                    format!(
                        "a secret never stands in the configuration: put it into a file of its own, readable by this \
                         service alone, and name the file{instead}. Treat what was written here as leaked"
                    )
                }
                _ if self.tolerant.get() => continue,
                _ => format!("is unknown here; known are: {known}"),
            };
            let entry = self.report.entry(&self.key(name), Part::Key, what);
            self.report.problems.borrow_mut().push(entry);
        }
    }
}

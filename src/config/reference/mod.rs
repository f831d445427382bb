//! Every key that can be configured: its type, its default, its meaning and an example, said once.
//!
//! `docs/configuration.md` and the JSON Schemas in `config/` are made of it, and `init` comments by it what it writes. The
//! readers beside this folder decide; `tests/it/reference` holds each row against them, both ways: a table has exactly the keys
//! that its reader asks for, a default is what happens without the key, a bound is where the reader begins to refuse.

mod azure;
mod connection;
mod forms;
mod policy;
mod process;

pub use connection::CONNECTION;
pub use forms::{Form, TIME};
pub use process::ROOT;

/// A table of keys.
#[derive(Debug)]
pub struct Table {
    /// What it is called, also among the definitions of the schema.
    pub name: &'static str,
    /// What its `kind` says, where it is one of several.
    pub kind: Option<&'static str>,
    /// What it is about: a sentence or some.
    pub says: &'static str,
    /// Its keys, `kind` excepted, in the order in which people want to read them.
    pub keys: &'static [Key],
    /// Keys of which exactly one is set; none where there is no such choice.
    pub exactly_one: &'static [&'static str],
    /// Keys of which one is set at most.
    pub at_most_one: &'static [&'static str],
}

/// A key of a table.
#[derive(Debug)]
pub struct Key {
    /// How it is written.
    pub name: &'static str,
    /// What its value is.
    pub what: Type,
    /// What happens without it.
    pub default: Default,
    /// What it means: whole sentences.
    pub says: &'static str,
    /// A value, without its quotes; between commas, where it is a list. Empty for tables.
    pub example: &'static str,
    /// Keys of the same table without which it means nothing.
    pub needs: &'static [&'static str],
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// A string of some form.
    Text(&'static Form),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A time with its unit, both bounds included.
    Time {
        /// The shortest.
        from: &'static str,
        /// The longest.
        to: &'static str,
    },
    /// A whole number, both bounds included.
    Number {
        /// The least.
        from: u32,
        /// The most.
        to: u32,
    },
    /// `true` or `false`.
    Truth,
    /// A list of strings of some form, or one string with commas between them.
    List(&'static Form),
    /// A list of some of these words, or one string with commas between them.
    SomeOf(&'static [&'static str]),
    /// A list of strings, each taken as it is: one at least.
    Words,
    /// A table.
    Table(&'static Table),
    /// A table, or a list of such tables.
    Tables(&'static Table),
    /// One of several tables, told apart by their `kind`.
    OneOf(&'static [&'static Table]),
}

/// What happens without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// It must be set.
    Required,
    /// Nothing stands in for it.
    Unset,
    /// The same as with this value, written as an example is.
    Is(&'static str),
    /// Something that is not one value, in words.
    Said(&'static str),
}

impl Table {
    const fn new(name: &'static str, says: &'static str, keys: &'static [Key]) -> Self {
        Self { name, kind: None, says, keys, exactly_one: &[], at_most_one: &[] }
    }

    const fn kind(self, kind: &'static str) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Key {
    /// A key that may be left out, and then nothing stands in for it.
    const fn new(name: &'static str, what: Type, example: &'static str, says: &'static str) -> Self {
        Self { name, what, default: Default::Unset, says, example, needs: &[] }
    }

    const fn required(self) -> Self {
        Self { default: Default::Required, ..self }
    }

    const fn or(self, value: &'static str) -> Self {
        Self { default: Default::Is(value), ..self }
    }

    const fn or_else(self, words: &'static str) -> Self {
        Self { default: Default::Said(words), ..self }
    }

    const fn needs(self, needs: &'static [&'static str]) -> Self {
        Self { needs, ..self }
    }
}

impl Type {
    /// How a value is written in TOML: a string in quotes, a list in brackets. None for tables, whose values are more than a text.
    pub fn written(self, value: &str) -> Option<String> {
        // TOML's basic strings escape what JSON's do.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        Some(match self {
            Self::Text(_) | Self::Word(_) | Self::Time { .. } => quoted(value),
            Self::Number { .. } | Self::Truth => value.to_owned(),
            Self::List(_) | Self::SomeOf(_) | Self::Words => {
                format!("[{}]", value.split(", ").map(quoted).collect::<Vec<_>>().join(", "))
            }
            Self::Table(_) | Self::Tables(_) | Self::OneOf(_) => return None,
        })
    }
}

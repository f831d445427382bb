//! What is wrong with a configuration: every problem at once, each with its place, its key and a way out.
//!
//! A line of the file is shown with what may be a secret blotted out (`blot.rs`), and no problem ever holds more of it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::blot::blot;
use crate::messages::messages;

/// Where a problem stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On a line of the file.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The line itself and where in it the caret points; none where it cannot be shown safely.
        shown: Option<Shown>,
    },
    /// In the file, at no line in particular (something is missing).
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
}

/// A line with secrets blotted out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// The text, without its line end.
    pub text: String,
    /// Characters before the caret.
    pub indent: usize,
    /// How many carets.
    pub width: usize,
}

impl Place {
    /// The place of `span` (bytes) in `text`, the content of `file`.
    pub(super) fn of_span(file: &Path, text: &str, span: Range<usize>) -> Self {
        let start = floor(text, span.start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = &text[line_start..];
        let line = line.split(['\n', '\r']).next().unwrap_or_default();
        let from = (start - line_start).min(line.len());
        let to = floor(line, span.end.max(start) - line_start).max(from);
        let in_block = ["\"\"\"", "'''"].iter().any(|quote| before[..line_start].matches(quote).count() % 2 == 1);
        Self::Line {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: text[line_start..line_start + from].chars().count() + 1,
            shown: (!in_block).then(|| {
                let (text, marked) = blot(line, from..to);
                let indent = text[..marked.start].chars().count();
                let width = text[marked].chars().count().max(1);
                Shown { text, indent, width }
            }),
        }
    }
}

/// The last character boundary up to `at`: the parser's spans are bytes, and broken text may end anywhere.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

messages! {
    /// The kinds of problems that a configuration can have. Each problem says in full what is expected at its place.
    pub enum Kind {
        /// The file.
        Unreadable {
            shows: "cannot be read",
            means: "there is no such file, or not for this user",
            remedy: "name the configuration file with --config, or let this user read it",
        }
        /// The syntax.
        NoToml {
            shows: "this is no TOML",
            means: "the syntax is broken on this line",
            remedy: "correct the line; strings stand in quotes",
        }
        /// A key that nobody knows.
        Unknown {
            shows: "is unknown here",
            means: "a key that is misspelt, or that belongs elsewhere",
            remedy: "take one of the keys that are listed behind it",
        }
        /// A key that is not there.
        Missing {
            shows: "is missing",
            means: "a key without which nothing can be done",
            remedy: "write the line that is shown behind it",
        }
        /// A value of another kind.
        Expected {
            shows: "expected",
            means: "the value is of another kind, or out of its bounds",
            remedy: "write what is said to be expected; times carry a unit (`30d`)",
        }
        /// A secret in the open.
        Secret {
            shows: "a secret never stands in the configuration",
            means: "a secret was written where everybody reads it",
            remedy: "put it into a file of its own and name that; treat what was written as leaked",
        }
        /// In the clear.
        Https {
            shows: "https",
            means: "a token or a secret would go out in the clear",
            remedy: "write an address that begins with https://",
        }
        /// Two of a kind.
        Twice {
            shows: "is named twice",
            means: "two keys say the same thing differently",
            remedy: "keep one of the two",
        }
        /// Two connections that are one.
        Shared {
            shows: "connection `…` has …",
            means: "two connections have one token, secret or application, and would work against each other for ever",
            remedy: "remove one of them, or give each its own",
        }
        /// From the environment.
        Connection {
            shows: "a connection cannot be set from the environment",
            means: "a variable has no place to say which connection it means",
            remedy: "write it into the file",
        }
    }
}

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The key in full, as `connections[0].vault.url`; none for a mistake of syntax.
    pub key: Option<String>,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Line { file, line, column, .. } => write!(f, "{}:{line}:{column}: ", file.display())?,
            Place::File(file) => write!(f, "{}: ", file.display())?,
            Place::Variable(name) => write!(f, "environment variable {name}: ")?,
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.what)?;
        if let Place::Line { line, shown: Some(shown), .. } = &self.place {
            let number = line.to_string();
            let gap = " ".repeat(number.len());
            write!(f, "\n     {gap} |\n     {number} | {}", shown.text)?;
            write!(f, "\n     {gap} | {}{}", " ".repeat(shown.indent), "^".repeat(shown.width))?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a configuration: never empty, in the order of the file, the environment last.
#[derive(Clone, Debug)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    /// Sorts, and drops what is said twice (defaults are checked once for each connection that uses them).
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        problems.dedup();
        Self(problems)
    }

    /// The problems.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    /// The problems, to be told with others.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a problem:")?,
            n => write!(f, "the configuration has {n} problems:")?,
        }
        for (number, problem) in (1..).zip(&self.0) {
            write!(f, "\n{number:>3}. {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

//! A configuration that comes into being: what is known of it so far, and its text with comments out of the reference.
//!
//! Whether an answer can be used is asked of the very readers that read the file later.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::config::reference::{Default, Key, ROOT, Table, Type};
use crate::config::{Cloud, Config, Environment, Problem};

/// A part of the configuration, in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `[azure]`
    Azure,
    /// `[azure.credential]`
    Credential,
    /// `[http]`
    Http,
    /// `[policy]`
    Policy,
    /// `[[connections]]`
    Connection,
    /// `[connections.issuer]`
    Issuer,
    /// `[connections.issuer.auth]`
    Auth,
    /// `[connections.vault]`
    Vault,
    /// `[connections.entra]`
    Entra,
    /// `[connections.policy]`
    OwnPolicy,
}

/// Where an answer goes.
pub type Place = (Part, &'static str);

impl Part {
    const ALL: [Self; 10] = [
        Self::Azure,
        Self::Credential,
        Self::Http,
        Self::Policy,
        Self::Connection,
        Self::Issuer,
        Self::Auth,
        Self::Vault,
        Self::Entra,
        Self::OwnPolicy,
    ];

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Azure => &["azure"],
            Self::Credential => &["azure", "credential"],
            Self::Http => &["http"],
            Self::Policy => &["policy"],
            Self::Connection => &["connections"],
            Self::Issuer => &["connections", "issuer"],
            Self::Auth => &["connections", "issuer", "auth"],
            Self::Vault => &["connections", "vault"],
            Self::Entra => &["connections", "entra"],
            Self::OwnPolicy => &["connections", "policy"],
        }
    }

    /// The tables that it can be, told apart by their `kind` if there are several.
    pub fn tables(self) -> Vec<&'static Table> {
        self.names().iter().fold(vec![&ROOT], |tables, name| {
            let key = tables.iter().find_map(|table| table.key(name));
            match key.map(|key| key.what) {
                Some(Type::Table(table) | Type::Tables(table)) => vec![table],
                Some(Type::OneOf(tables)) => tables.to_vec(),
                _ => Vec::new(),
            }
        })
    }
}

/// What is known so far.
#[derive(Clone)]
pub struct Draft<'a> {
    file: &'a Path,
    environment: &'a Environment,
    values: BTreeMap<Place, String>,
}

impl<'a> Draft<'a> {
    /// Nothing yet, of what is to become `file`.
    pub fn new(file: &'a Path, environment: &'a Environment) -> Self {
        Self { file, environment, values: BTreeMap::new() }
    }

    /// What is known of this place.
    pub fn get(&self, place: Place) -> Option<&str> {
        self.values.get(&place).map(String::as_str)
    }

    /// Notes an answer: without quotes, and with a comma and a blank between the elements of a list.
    pub fn set(&mut self, place: Place, answer: impl Into<String>) {
        self.values.insert(place, answer.into());
    }

    /// Forgets an answer.
    pub fn unset(&mut self, place: Place) {
        self.values.remove(&place);
    }

    /// The table of a part, as soon as its kind is known.
    pub fn table(&self, part: Part) -> Option<&'static Table> {
        let kind = self.get((part, "kind"));
        part.tables().into_iter().find(|table| table.kind == kind)
    }

    /// What the readers have against the value of this place, or that they miss one.
    pub fn problem(&self, (part, key): Place) -> Option<String> {
        let mut path = part.names().join(".").replacen("connections", "connections[0]", 1);
        path.extend([".", key]);
        // An element of a list is told by its number.
        let is_it = |of: &str| of.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('['));
        let problems = self.read().err().unwrap_or_default();
        problems.into_iter().find(|problem| problem.key.as_deref().is_some_and(is_it)).map(|problem| problem.what)
    }

    /// The configuration as the daemon will read it, or everything that is wrong with it.
    pub fn read(&self) -> Result<Config, Vec<Problem>> {
        match Config::parse(self.file, &self.text(), self.environment) {
            Ok(loaded) if loaded.config.refused.is_empty() => Ok(loaded.config),
            Ok(loaded) => Err(loaded.config.refused.iter().flat_map(|one| one.problems.problems()).cloned().collect()),
            Err(errors) => Err(errors.problems().to_vec()),
        }
    }

    /// The same with something harmless in place of all that is not known yet, so that what is known can be used already.
    pub fn standing_in(&self) -> Self {
        const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
        let mut whole = self.clone();
        let suffix = self.vault_suffix();
        let entra: Place = if self.get((Part::Entra, "app_id")).is_some() {
            (Part::Entra, "app_id")
        } else {
            (Part::Entra, "service_principal_id")
        };
        for (place, stand_in) in [
            ((Part::Connection, "name"), "unnamed"),
            ((Part::Vault, "url"), &format!("https://unnamed.{suffix}")),
            ((Part::Vault, "secret"), "unnamed"),
            (entra, NOBODY),
            ((Part::Entra, "tenant_url"), "https://unnamed.invalid"),
        ] {
            whole.values.entry(place).or_insert_with(|| stand_in.to_owned());
        }
        // What is known of the issuer is asked by nobody.
        whole.values.retain(|(part, _), _| !matches!(part, Part::Issuer | Part::Auth));
        whole.set((Part::Issuer, "kind"), "supplied");
        whole
    }

    /// What the hosts of vaults end in, as far as it is known.
    pub fn vault_suffix(&self) -> String {
        if let Some(set) = self.environment.get("SCIM_ROTATOR__AZURE__VAULT_SUFFIX") {
            return set.to_owned();
        }
        let cloud = match self.get((Part::Azure, "cloud")) {
            Some("us-gov") => Cloud::UsGov,
            Some("us-dod") => Cloud::UsDod,
            Some("china") => Cloud::China,
            _ => Cloud::Public,
        };
        cloud.vault_suffix().to_owned()
    }

    /// The file, with what each key means.
    pub fn text(&self) -> String {
        let mut text = String::from(HEAD);
        for part in Part::ALL {
            // A part of a connection needs one to be a part of.
            let is_known =
                self.values.keys().any(|(of, _)| *of == part || (part == Part::Connection && *of > Part::Connection));
            if let Some(table) = self.table(part).filter(|_| is_known || part == Part::Policy) {
                self.write(&mut text, part, table);
            }
        }
        text
    }

    fn write(&self, text: &mut String, part: Part, table: &Table) {
        let header = part.names().join(".");
        text.push('\n');
        comment(text, table.says);
        match part {
            Part::Connection => writeln!(text, "[[{header}]]"),
            _ => writeln!(text, "[{header}]"),
        }
        // A string takes what is written into it.
        .unwrap_or_default();
        if let Some(kind) = table.kind {
            text.push_str(&format!("kind = \"{kind}\"\n"));
        }
        for key in table.keys {
            let Key { name, what, says, default, .. } = key;
            let set = self.get((part, name)).and_then(|value| what.written(value));
            let line = match (set, default) {
                (Some(value), _) => format!("{name} = {value}"),
                // The defaults of a policy are what people turn.
                (None, Default::Is(value)) if part == Part::Policy => {
                    format!("# {name} = {}", what.written(value).unwrap_or_default())
                }
                _ => continue,
            };
            comment(text, says);
            text.push_str(&line);
            text.push('\n');
        }
    }
}

const HEAD: &str = "\
# scim-rotator, as `scim-rotator init` has written it. What else can be said stands in docs/configuration.md; editors complete and
# check this file by what `scim-rotator config schema` prints. No secret ever stands here: `*_file` keys name files that hold one.
# Check it with `scim-rotator config check`.
";

/// A line of a comment, in characters.
const WIDTH: usize = 120;

fn comment(text: &mut String, says: &str) {
    let mut line = String::from("#");
    for word in says.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&std::mem::replace(&mut line, "#".to_owned()));
            text.push('\n');
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_readers_refuse_or_miss_is_told_of_its_place_alone() {
        let environment = Environment::default();
        let mut draft = Draft::new(Path::new("/etc/x/c.toml"), &environment);
        draft.set((Part::Credential, "kind"), "client-secret");
        draft.set((Part::Credential, "secret_file"), "hunter2");
        draft.set((Part::Credential, "client_id"), "5d0b2f3e-8f10-4d6e-9a9c-0d3f2f6f1a01");
        let of = |key| draft.problem((Part::Credential, key));
        assert!(of("secret_file").unwrap().contains("the secret itself never stands here"));
        assert!(of("tenant_id").unwrap().contains("is missing"));
        assert_eq!(of("client_id"), None);
        draft.set((Part::Vault, "url"), "https://contoso.example");
        assert!(draft.problem((Part::Vault, "url")).unwrap().contains("is no Key Vault of this cloud"));
        assert!(!draft.text().lines().any(|line| line.chars().count() > 130), "{}", draft.text());
    }

    #[test]
    fn with_stand_ins_it_can_be_read_as_soon_as_it_says_who_asks() {
        let environment = Environment::default();
        let mut draft = Draft::new(Path::new("/etc/x/c.toml"), &environment);
        assert!(draft.standing_in().read().is_err());
        draft.set((Part::Credential, "kind"), "managed-identity");
        draft.set((Part::Azure, "cloud"), "china");
        assert_eq!(draft.standing_in().read().unwrap().connections.len(), 1);
    }
}

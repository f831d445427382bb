//! `docs/configuration.md`, made of the reference.

use std::collections::BTreeSet;

use scim_rotator::config::reference::{Default, Form, Key, ROOT, TIME, Table, Type};

use super::sample::{Spot, Values, example, fill, inline, tables};

const HEAD: &str = "\
# Every key of the configuration

*Made of the code by `make reference`; a test keeps it so. Edit the tables in `src/config/reference`, not this file.*

One TOML file (`--config FILE`, `SCIM_ROTATOR_CONFIG`, else `/etc/scim-rotator/scim-rotator.toml`).
[`config/scim-rotator.toml`](../config/scim-rotator.toml) is a whole one with comments; `scim-rotator init` asks and writes one;
`scim-rotator config check` names everything that is wrong with one, with file, line and key, and contacts nobody.

* An unknown key is a mistake. A key that is not set has its default; *needed* keys have none.
* No secret ever stands here: keys that end in `_file` name files that hold one each.
* Everything but `[[connections]]` can be set from the environment too, which wins: `SCIM_ROTATOR__SECTION__KEY`, with two
  underscores between the levels (`SCIM_ROTATOR__LOG__FORMAT=json`).
* A relative path counts from the folder of the file that it stands in.
* Editors that know JSON Schema (Even Better TOML, taplo) complete and check the file while it is written, by
  [`scim-rotator.schema.json`](../config/scim-rotator.schema.json): put it beside the file, and `#:schema ./scim-rotator.schema.json`
  on the file's first line. Files of `connections_dir` have
  [`connection.schema.json`](../config/connection.schema.json). `scim-rotator config schema [--connection]` prints them.
";

/// The whole page.
pub fn page() -> String {
    let mut page = Page { text: HEAD.to_owned(), told: BTreeSet::new(), forms: Vec::new() };
    page.text.push_str("\n## At the top of the file\n\n");
    page.keys(&ROOT);
    page.below(&ROOT, "");
    page.text
        .push_str("\n## How values are written\n\nAll of these are strings, in quotes.\n\n| type | |\n|---|---|\n");
    for form in [vec![&TIME], page.forms.clone()].concat() {
        page.text.push_str(&format!("| {} | {} |\n", form.name, cell(form.says)));
    }
    page.text
}

struct Page {
    text: String,
    /// Tables that stand there already, with the names under which they are to be found.
    told: BTreeSet<String>,
    forms: Vec<&'static Form>,
}

impl Page {
    /// The tables that the keys of this one lead to, and those below them.
    fn below(&mut self, table: &'static Table, path: &str) {
        for key in table.keys {
            let down = tables(key.what);
            let own = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
            let Some(first) = down.first().filter(|first| self.told.insert(first.name.to_owned())) else { continue };
            let marks = if path.is_empty() { "##" } else { "###" };
            let brackets = if matches!(key.what, Type::Tables(_)) { ("[[", "]]") } else { ("[", "]") };
            self.text.push_str(&format!("\n{marks} `{}{own}{}`\n\n", brackets.0, brackets.1));
            if first.kind.is_none() {
                self.text.push_str(&format!("{}\n\n", first.says));
                self.keys(first);
                self.below(first, &own);
                continue;
            }
            self.text.push_str(&format!("{} One of these, told apart by `kind`.\n", key.says));
            for table in &down {
                self.kind(table, key);
            }
            down.iter().for_each(|table| self.below(table, &own));
        }
    }

    /// One of several tables.
    fn kind(&mut self, table: &'static Table, key: &Key) {
        let kind = table.kind.unwrap_or_default();
        self.text.push_str(&format!("\n#### `kind = \"{kind}\"`\n\n{}\n\n", table.says));
        let values = inline(table, &fill(table, Values::new()));
        self.text.push_str(&format!("```toml\n{} = {values}\n```\n\n", key.name));
        if !table.keys.is_empty() {
            self.keys(table);
        }
    }

    fn keys(&mut self, table: &'static Table) {
        self.text.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        for key in table.keys {
            if let Type::Text(form) | Type::List(form) = key.what
                && !form.says.is_empty()
                && !self.forms.iter().any(|known| known.name == form.name)
            {
                self.forms.push(form);
            }
            let default = match key.default {
                Default::Required => "*needed*".to_owned(),
                Default::Unset => "—".to_owned(),
                Default::Is(value) => format!("`{}`", key.what.written(value).unwrap_or_default()),
                Default::Said(words) => words.to_owned(),
            };
            self.text.push_str(&format!(
                "| `{}` | {} | {} | {}{} |\n",
                key.name,
                cell(&what(key.what)),
                cell(&default),
                cell(key.says),
                cell(&shown(key))
            ));
        }
        for (names, how) in [(table.exactly_one, "Exactly one"), (table.at_most_one, "One at most")] {
            if !names.is_empty() {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                self.text.push_str(&format!("\n{how} of {} is set.\n", names.join(", ")));
            }
        }
    }
}

/// An example, where the type is no list of all that can be said.
fn shown(key: &Key) -> String {
    let needs: Vec<_> = key.needs.iter().map(|name| format!("`{name}`")).collect();
    let needs = if needs.is_empty() { String::new() } else { format!(" Only beside {}.", needs.join(" and ")) };
    match key.what {
        Type::Word(_) | Type::Truth | Type::Table(_) | Type::Tables(_) | Type::OneOf(_) => needs,
        _ => format!("{needs} Example: `{}`", example(key)),
    }
}

fn what(what: Type) -> String {
    let link = |table: &Table| format!("[{}](#{})", table.name, anchor(table.name));
    match what {
        Type::Text(form) => form.name.to_owned(),
        Type::Word(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
        Type::Time { from, to } => format!("time, {from} to {to}"),
        Type::Number { from, to } => format!("whole number, {from} to {to}"),
        Type::Truth => "`true`, `false`".to_owned(),
        Type::List(form) => format!("list of: {}", form.name),
        Type::SomeOf(words) => format!("list of {}", self::what(Type::Word(words))),
        Type::Words => "list of strings".to_owned(),
        Type::Table(table) => format!("table {}", link(table)),
        Type::Tables(table) => format!("one table or several: {}", link(table)),
        Type::OneOf(tables) => format!("table, by `kind`: {}", link(tables[0])),
    }
}

/// How the heading of a table is called by those that link to it: its first path, without brackets, quotes and dots.
fn anchor(name: &str) -> String {
    let spots = Spot::all();
    let spot = spots.iter().find(|spot| spot.table.name == name).expect("it is somewhere");
    spot.path().replace("[0]", "").replace('.', "")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

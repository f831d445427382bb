//! The reference of the configuration (`src/config/reference`): held against the readers, and written out as
//! `docs/configuration.md` and the JSON Schemas (`make reference`).

mod markdown;
mod sample;
mod schema;

use std::fs;
use std::path::Path;
use std::time::Duration;

use regex_lite::Regex;
use scim_rotator::config::reference::{CONNECTION, Default, Form, Key, ROOT, Type};
use serde_json::Value;

use self::sample::{Folder, Spot, Values, example};

/// No key and no word of anybody.
const UNKNOWN: &str = "entirely-unknown";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every key, wherever it can stand.
fn keys() -> Vec<(Spot, &'static Key)> {
    Spot::all().into_iter().flat_map(|spot| spot.table.keys.iter().map(move |key| (spot.clone(), key))).collect()
}

/// What stands between quotes or backticks.
fn quoted(text: &str) -> Vec<String> {
    let mut words: Vec<_> =
        text.split(['"', '`']).skip(1).step_by(2).filter(|word| *word != UNKNOWN).map(str::to_owned).collect();
    words.sort();
    words
}

fn sorted(names: impl Iterator<Item = &'static str>) -> Vec<String> {
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn each_table_has_exactly_the_keys_that_its_reader_asks_for() {
    let folder = Folder::new();
    for spot in Spot::all() {
        let read = folder.read(&spot.with_one(UNKNOWN, "1"));
        let said = read.of(&spot.key(UNKNOWN)).unwrap_or_else(|| panic!("{}: {:?}", spot.path(), read.problems));
        let (_, known) = said.split_once("known are: ").expect("a list");
        let asked: Vec<_> = known.split(", ").map(str::to_owned).collect();
        let told = spot.table.kind.map(|_| "kind").into_iter().chain(spot.table.keys.iter().map(|key| key.name));
        assert_eq!(sorted(told), asked, "src/config/reference, table {:?}", spot.path());
    }
}

#[test]
fn each_choice_has_exactly_the_words_and_kinds_that_its_reader_knows() {
    let folder = Folder::new();
    for (spot, key) in keys() {
        let (text, at, told) = match key.what {
            Type::Word(words) => {
                (spot.with_one(key.name, format!("\"{UNKNOWN}\"")), spot.key(key.name), sorted(words.iter().copied()))
            }
            Type::SomeOf(words) => {
                let text = spot.with_one(key.name, format!("[\"{UNKNOWN}\"]"));
                (text, spot.key(key.name) + "[0]", sorted(words.iter().copied()))
            }
            Type::OneOf(tables) => {
                let kinds = sorted(tables.iter().filter_map(|table| table.kind));
                (spot.with_one(key.name, format!("{{ kind = \"{UNKNOWN}\" }}")), spot.key(key.name) + ".kind", kinds)
            }
            _ => continue,
        };
        let read = folder.read(&text);
        let said = read.of(&at).unwrap_or_else(|| panic!("{at}: {:?}", read.problems));
        assert_eq!(quoted(said), told, "{at}: {said}");
    }
}

#[test]
fn each_default_is_what_happens_without_the_key() {
    let folder = Folder::new();
    let mut defaults = 0;
    for (spot, key) in keys() {
        let Default::Is(value) = key.default else { continue };
        let without = folder.read(&spot.with(Values::new()));
        let with = folder.read(&spot.with_one(key.name, key.what.written(value).expect("one value")));
        assert!(with.problems.is_empty(), "{}: {:?}", spot.key(key.name), with.problems);
        assert_eq!(with.shown, without.shown, "{}", spot.key(key.name));
        defaults += 1;
    }
    assert!(defaults > 20, "{defaults}");
}

#[test]
fn what_is_needed_is_missed_and_nothing_else_is() {
    let folder = Folder::new();
    for (spot, key) in keys() {
        let text = spot.with_one(key.name, "REMOVED");
        let line = format!("{} = REMOVED", key.name);
        let text = text.replace(&format!("{line}, "), "").replace(&format!(", {line}"), "").replace(&line, "");
        let missed = folder.read(&text).of(&spot.key(key.name)).is_some_and(|what| what.contains("is missing"));
        let needed = key.default == Default::Required;
        // One of two, or of one of two.
        let depends = spot.table.exactly_one.contains(&key.name) || key.name == "credential";
        assert!(missed == needed || depends, "{}", spot.key(key.name));
    }
}

#[test]
fn each_example_is_accepted_and_makes_a_difference() {
    // They are gone once the rest has been read.
    let unseen = ["connections_dir", "vault_suffix"];
    let folder = Folder::new();
    for (spot, key) in keys() {
        let read = folder.read(&spot.with_one(key.name, example(key)));
        assert!(read.problems.is_empty(), "{}: {:?}", spot.key(key.name), read.problems);
        let is_there = key.default == Default::Required || spot.table.exactly_one.first() == Some(&key.name);
        let is_default = is_there || key.default == Default::Is(key.example);
        if !is_default && !key.example.is_empty() && !unseen.contains(&key.name) {
            let proxy = spot.table.key("proxy").filter(|proxy| key.needs.contains(&proxy.name));
            let without = proxy.map(|proxy| (proxy.name.to_owned(), example(proxy)));
            let without = folder.read(&spot.with(without.into_iter().collect()));
            assert_ne!(read.shown, without.shown, "{}", spot.key(key.name));
        }
    }
}

#[test]
fn each_bound_is_where_the_reader_begins_to_refuse() {
    let folder = Folder::new();
    let refused = |spot: &Spot, key: &Key, value: String| {
        let read = folder.read(&spot.with_one(key.name, value));
        let said = read.of(&spot.key(key.name)).unwrap_or_default().to_owned();
        // Times bear on each other, which is told in other words.
        let bounds = ["is shorter than ", "is longer than ", "expected a whole number from "];
        bounds
            .iter()
            .any(|words| said.strip_prefix(words).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())))
    };
    let mut bounds = 0;
    for (spot, key) in keys() {
        let (within, beyond) = match key.what {
            Type::Time { from, to } => {
                let time = |text| humantime::parse_duration(text).expect("a time");
                let written = |time: Duration| format!("\"{}ms\"", time.as_millis());
                let hair = Duration::from_millis(1);
                let beyond = [time(from).checked_sub(hair), Some(time(to) + hair)].into_iter().flatten().map(written);
                (vec![format!("\"{from}\""), format!("\"{to}\"")], beyond.collect::<Vec<_>>())
            }
            Type::Number { from, to } => {
                (vec![from.to_string(), to.to_string()], vec![(from - 1).to_string(), (to + 1).to_string()])
            }
            _ => continue,
        };
        for value in within {
            assert!(!refused(&spot, key, value.clone()), "{} = {value}", spot.key(key.name));
        }
        for value in beyond {
            assert!(refused(&spot, key, value.clone()), "{} = {value}", spot.key(key.name));
            bounds += 1;
        }
    }
    assert!(bounds > 20, "{bounds}");
}

/// A form of strings that a key has, if it has one.
fn form(key: &Key) -> Option<&'static Form> {
    match key.what {
        Type::Text(form) | Type::List(form) => Some(form),
        _ => None,
    }
}

#[test]
fn each_pattern_takes_the_examples_and_refuses_what_the_readers_refuse() {
    let folder = Folder::new();
    for (spot, key, form) in keys().into_iter().filter_map(|(spot, key)| Some((spot, key, form(key)?))) {
        let pattern = Regex::new(form.pattern).unwrap_or_else(|error| panic!("{}: {error}", form.name));
        let examples: Vec<_> =
            if matches!(key.what, Type::List(_)) { key.example.split(", ").collect() } else { vec![key.example] };
        assert!(examples.iter().all(|example| pattern.is_match(example)), "{}", spot.key(key.name));
        if let Default::Is(value) = key.default {
            assert!(pattern.is_match(value), "{}", spot.key(key.name));
        }
        for wrong in form.wrong {
            let read = folder.read(&spot.with_one(key.name, key.what.written(wrong).expect("a string")));
            let at = spot.key(key.name);
            assert!(
                read.problems.iter().any(|(key, _)| key.starts_with(&at)),
                "{at} takes {wrong:?}: {:?}",
                read.problems
            );
            assert!(!pattern.is_match(wrong), "the pattern of {} takes {wrong:?}", form.name);
        }
    }
}

fn whole() -> Value {
    schema::of_file(&ROOT, "Configuration of scim-rotator", &[])
}

fn piece() -> Value {
    schema::of_file(&CONNECTION, "A connection of scim-rotator, in a file of connections_dir", &["name"])
}

fn json(text: &str) -> Value {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_schema_accepts_every_example_and_refuses_what_the_readers_refuse() {
    let whole = whole();
    let objection = |text: &str| schema::objection(&whole, &whole, &json(text));
    for (spot, key) in keys() {
        let at = spot.key(key.name);
        assert_eq!(objection(&spot.with_one(key.name, example(key))), None, "{at}");
        let wrong = match key.what {
            Type::Word(_) => format!("\"{UNKNOWN}\""),
            Type::SomeOf(_) => format!("[\"{UNKNOWN}\"]"),
            Type::OneOf(_) => format!("{{ kind = \"{UNKNOWN}\" }}"),
            Type::Time { .. } => "\"30\"".to_owned(),
            Type::Number { from, .. } => (from - 1).to_string(),
            _ => form(key).map_or("7".to_owned(), |form| key.what.written(form.wrong[0]).expect("a string")),
        };
        assert!(objection(&spot.with_one(key.name, wrong.clone())).is_some(), "{at} = {wrong}");
    }
    for spot in Spot::all() {
        assert!(objection(&spot.with_one(UNKNOWN, "1")).is_some(), "{}", spot.path());
    }
}

#[test]
fn the_schema_accepts_the_files_of_the_house() {
    let mut files = 0;
    for (folder, schema) in [("config", whole()), ("config/connections.d", piece())] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.extension().is_some_and(|extension| extension == "toml") {
                let text = fs::read_to_string(&entry).expect("a file");
                assert_eq!(schema::objection(&schema, &schema, &json(&text)), None, "{}", entry.display());
                let unknown = format!("entirely_unknown = 1\n{text}");
                assert!(schema::objection(&schema, &schema, &json(&unknown)).is_some(), "{}", entry.display());
                files += 1;
            }
        }
    }
    assert_eq!(files, 3);
}

#[test]
fn the_reference_and_the_schemas_are_documented_as_they_are() {
    let pretty = |schema: &Value| serde_json::to_string_pretty(schema).expect("JSON") + "\n";
    for (file, made) in [
        ("docs/configuration.md", markdown::page()),
        ("config/scim-rotator.schema.json", pretty(&whole())),
        ("config/connection.schema.json", pretty(&piece())),
    ] {
        let path = root().join(file);
        if std::env::var_os("WRITE_REFERENCE").is_some() {
            fs::write(&path, &made).expect("written");
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        let first = found.lines().zip(made.lines()).find(|(found, made)| found != made);
        assert!(found == made, "{file} is not what the code says: run `make reference`\n{first:#?}");
    }
}

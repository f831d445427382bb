//! The JSON Schemas of the configuration, made of its reference; and as much of JSON Schema as they use, to see what they accept.

use regex_lite::Regex;
use scim_rotator::config::reference::{Default, Key, TIME, Table, Type};
use serde_json::{Map, Value, json};

use super::sample::tables;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a file that holds this table; `optional` keys may be left out of it although they are needed elsewhere.
pub fn of_file(table: &'static Table, title: &str, optional: &[&str]) -> Value {
    let mut schema = Map::from_iter([("$schema".to_owned(), json!(DRAFT)), ("title".to_owned(), json!(title))]);
    schema.extend(object(table, optional));
    let mut definitions = Map::new();
    define(table, &mut definitions);
    schema.insert("$defs".to_owned(), definitions.into());
    schema.into()
}

fn define(table: &'static Table, definitions: &mut Map<String, Value>) {
    for below in table.keys.iter().flat_map(|key| tables(key.what)) {
        if !definitions.contains_key(&name(below)) {
            definitions.insert(name(below), object(below, &[]).into());
            define(below, definitions);
        }
    }
}

fn name(table: &Table) -> String {
    match table.kind {
        Some(kind) => format!("{}.{kind}", table.name),
        None => table.name.to_owned(),
    }
}

fn object(table: &Table, optional: &[&str]) -> Map<String, Value> {
    let kind = table.kind.map(|kind| ("kind".to_owned(), json!({ "const": kind, "description": table.says })));
    let keys = table.keys.iter().map(|key| (key.name.to_owned(), value(key)));
    let required = table.keys.iter().filter(|key| key.default == Default::Required && !optional.contains(&key.name));
    let required: Vec<_> = table.kind.map(|_| "kind").into_iter().chain(required.map(|key| key.name)).collect();
    let needs = table.keys.iter().filter(|key| !key.needs.is_empty());
    let needs: Map<_, _> = needs.map(|key| (key.name.to_owned(), json!(key.needs))).collect();
    let mut all = vec![
        ("type", json!("object")),
        ("description", json!(table.says)),
        ("properties", Value::Object(kind.into_iter().chain(keys).collect())),
        ("additionalProperties", json!(false)),
        ("required", json!(required)),
    ];
    if !needs.is_empty() {
        all.push(("dependentRequired", needs.into()));
    }
    let one = |name: &&str| json!({ "required": [name] });
    if !table.exactly_one.is_empty() {
        all.push(("oneOf", table.exactly_one.iter().map(one).collect()));
    }
    if !table.at_most_one.is_empty() {
        let none = json!({ "not": { "anyOf": table.at_most_one.iter().map(one).collect::<Vec<_>>() } });
        all.push(("oneOf", table.at_most_one.iter().map(one).chain([none]).collect()));
    }
    all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn value(key: &Key) -> Value {
    let reference = |table: &Table| json!({ "$ref": format!("#/$defs/{}", name(table)) });
    let list = |items: Value| json!({ "type": "array", "items": items, "minItems": 1 });
    let mut schema = match key.what {
        Type::Text(form) => json!({ "type": "string", "pattern": form.pattern }),
        Type::Word(words) => json!({ "enum": words }),
        Type::Time { .. } => json!({ "type": "string", "pattern": TIME.pattern }),
        Type::Number { from, to } => json!({ "type": "integer", "minimum": from, "maximum": to }),
        Type::Truth => json!({ "type": "boolean" }),
        Type::List(form) => {
            let items = json!({ "type": "string", "pattern": form.pattern });
            json!({ "anyOf": [{ "type": "array", "items": items }, { "type": "string" }] })
        }
        Type::SomeOf(words) => {
            json!({ "anyOf": [{ "type": "array", "items": { "enum": words } }, { "type": "string" }] })
        }
        Type::Words => list(json!({ "type": "string" })),
        Type::Table(table) => reference(table),
        Type::Tables(table) => json!({ "anyOf": [reference(table), list(reference(table))] }),
        Type::OneOf(tables) => json!({ "oneOf": tables.iter().map(|table| reference(table)).collect::<Vec<_>>() }),
    };
    schema["description"] = json!(description(key));
    let parsed = |text: &str| match key.what {
        Type::Number { .. } | Type::Truth => serde_json::from_str(text).expect("JSON, too"),
        _ => json!(text),
    };
    if let Default::Is(value) = key.default {
        schema["default"] = parsed(value);
    }
    if matches!(key.what, Type::Text(_) | Type::Time { .. } | Type::Number { .. }) {
        schema["examples"] = json!([parsed(key.example)]);
    }
    schema
}

fn description(key: &Key) -> String {
    let bounds = match key.what {
        Type::Time { from, to } => format!(" A time from {from} to {to}."),
        Type::Text(form) | Type::List(form) if !form.says.is_empty() => format!(" ({}: {}.)", form.name, form.says),
        _ => String::new(),
    };
    let default = match key.default {
        Default::Said(words) => format!(" Default: {words}."),
        _ => String::new(),
    };
    format!("{}{bounds}{default}", key.says).replace('`', "")
}

/// What a schema has against a value; nothing where it accepts it. Knows no more than what the schemas here say.
pub fn objection(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let Value::Object(rules) = schema else { panic!("no schema: {schema}") };
    rules.iter().find_map(|(rule, said)| broken(root, rule, said, schema, value))
}

fn broken(root: &Value, rule: &str, said: &Value, schema: &Value, value: &Value) -> Option<String> {
    let list = || said.as_array().expect("a list");
    let object = value.as_object();
    let holds = |schema: &Value| objection(root, schema, value).is_none();
    let has = |name: &Value| object.is_none_or(|object| object.contains_key(name.as_str().expect("a name")));
    let is_kept = match rule {
        "$schema" | "$defs" | "title" | "description" | "default" | "examples" => true,
        "$ref" => {
            let pointer = said.as_str().and_then(|said| said.strip_prefix('#')).expect("of this file");
            return objection(root, root.pointer(pointer).expect("a definition"), value);
        }
        "type" => match said.as_str().expect("a type") {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            other => panic!("unknown type {other}"),
        },
        "properties" => {
            let known = said.as_object().expect("an object");
            return object?.iter().find_map(|(name, value)| {
                objection(root, known.get(name)?, value).map(|what| format!("{name}: {what}"))
            });
        }
        "additionalProperties" => {
            let known = schema["properties"].as_object().expect("properties");
            let unknown = object.and_then(|object| object.keys().find(|name| !known.contains_key(*name)));
            return unknown.map(|name| format!("{name} is unknown"));
        }
        "required" => list().iter().all(has),
        "dependentRequired" => {
            let needs = said.as_object().expect("an object");
            needs.iter().all(|(name, needs)| {
                !object.is_some_and(|object| object.contains_key(name))
                    || needs.as_array().expect("a list").iter().all(has)
            })
        }
        "enum" => list().contains(value),
        "const" => said == value,
        "pattern" => {
            let pattern = Regex::new(said.as_str().expect("a pattern")).expect("a pattern");
            value.as_str().is_none_or(|text| pattern.is_match(text))
        }
        "minimum" => value.as_i64().is_none_or(|number| number >= said.as_i64().expect("a number")),
        "maximum" => value.as_i64().is_none_or(|number| number <= said.as_i64().expect("a number")),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= said.as_u64().expect("a number")),
        "items" => {
            return value.as_array()?.iter().find_map(|item| objection(root, said, item));
        }
        "anyOf" => list().iter().any(holds),
        "oneOf" => list().iter().filter(|schema| holds(schema)).count() == 1,
        "not" => !holds(said),
        other => panic!("unknown rule {other}"),
    };
    (!is_kept).then(|| format!("{rule} {said} is broken by {value}"))
}

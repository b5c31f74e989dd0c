//! Writes JSON with the shape of a scenario as the TOML file that a person would have written.
//!
//! Leaves nothing out and judges nothing: what is wrong with it, the reader of the file says.

use serde_json::{Map, Value};

use super::mistake::Mistake;

/// The order in which people expect keys; others follow, sorted.
const ORDER: [&str; 15] = [
    "version",
    "name",
    "seed",
    "path",
    "ops",
    "bytes",
    "nth",
    "every",
    "times",
    "probability",
    "after",
    "for",
    "byte",
    "bit",
    "from",
];

/// A list longer than this stands on several lines.
const LINE_MAX: usize = 90;

pub(super) fn write(value: &Value) -> Result<String, Mistake> {
    let Value::Object(object) = value else {
        return Err(wrong("a scenario must be a JSON object"));
    };
    let mut text = String::new();
    for (key, value) in ordered(object) {
        if !is_list_of_tables(key, value) {
            text += &line(key, value)?;
        }
    }
    let presets = object.get("preset").and_then(tables).unwrap_or_default();
    let header = if presets.len() == 1 { "[preset]" } else { "[[preset]]" };
    for preset in presets {
        text += &format!("\n{header}\n");
        for (key, value) in ordered(preset) {
            text += &line(key, value)?;
        }
    }
    for rule in object.get("rule").and_then(tables).unwrap_or_default() {
        text += "\n[[rule]]\n";
        text += &write_rule(rule)?;
    }
    Ok(text)
}

fn is_list_of_tables(key: &str, value: &Value) -> bool {
    ["rule", "preset"].contains(&key) && tables(value).is_some_and(|tables| !tables.is_empty())
}

fn tables(value: &Value) -> Option<Vec<&Map<String, Value>>> {
    value.as_array()?.iter().map(Value::as_object).collect()
}

fn write_rule(rule: &Map<String, Value>) -> Result<String, Mistake> {
    let faults = rule.get("fault").and_then(|fault| match fault {
        Value::Object(kinds) if !kinds.is_empty() && kinds.values().all(Value::is_object) => {
            Some(kinds)
        }
        _ => None,
    });
    let mut text = String::new();
    for (key, value) in ordered(rule) {
        if key != "fault" || faults.is_none() {
            text += &line(key, value)?;
        }
    }
    for (kind, keys) in faults.into_iter().flatten() {
        text += &format!("[rule.fault.{}]\n", write_key(kind));
        for (key, value) in keys.as_object().into_iter().flat_map(ordered) {
            text += &line(key, value)?;
        }
    }
    Ok(text)
}

fn ordered(object: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let rank = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_by_key(|(key, _)| (rank(key), *key));
    entries
}

fn line(key: &str, value: &Value) -> Result<String, Mistake> {
    let short = format!("{} = {}\n", write_key(key), write_value(value)?);
    match value {
        Value::Array(items) if short.len() > LINE_MAX => {
            let mut long = format!("{} = [\n", write_key(key));
            for item in items {
                long += &format!("    {},\n", write_value(item)?);
            }
            Ok(long + "]\n")
        }
        _ => Ok(short),
    }
}

fn write_value(value: &Value) -> Result<String, Mistake> {
    match value {
        Value::Null => Err(wrong("a scenario has no null")),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) => Ok(write_string(text)),
        Value::Array(items) => {
            let items: Result<Vec<String>, Mistake> = items.iter().map(write_value).collect();
            Ok(format!("[{}]", items?.join(", ")))
        }
        Value::Object(object) if object.is_empty() => Ok("{}".into()),
        Value::Object(object) => {
            let mut entries = Vec::new();
            for (key, value) in ordered(object) {
                entries.push(format!("{} = {}", write_key(key), write_value(value)?));
            }
            Ok(format!("{{ {} }}", entries.join(", ")))
        }
    }
}

fn write_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) { key.into() } else { write_string(key) }
}

fn write_string(text: &str) -> String {
    let mut written = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => written += "\\\"",
            '\\' => written += "\\\\",
            c if c.is_control() => written += &format!("\\U{:08X}", u32::from(c)),
            c => written.push(c),
        }
    }
    written + "\""
}

fn wrong(message: &str) -> Mistake {
    Mistake::new("wrong-type", message, "write it in the shape of a scenario file")
}

//! The JSON Schema of scenario files, for editors: from the same lists of keys and words that the readers
//! check. It knows less than they do: what goes together is said by `errorfs check`.

use serde_json::{Map, Value, json};

use super::document::Keys;
use super::{
    CacheModel, EntryFault, Evidence, Method, Names, Persistence, Unsynced, XattrFault, clusters,
    corrupt, damage, dead, distribution, fault, file, fsync, lost_write, metadata, misdirected,
    power_cut, preset, rule, select, short, space, stall, throughput, when,
};
use crate::errno::{ALIASES, ERRNOS};
use crate::op::OpKind;

/// The schema of format version 1, in the dialect of 2020-12.
pub fn schema() -> Value {
    let rules = json!({ "type": "array", "items": { "$ref": "#/$defs/rule" } });
    let preset = json!({ "oneOf": [{ "$ref": "#/$defs/preset" },
        { "type": "array", "items": { "$ref": "#/$defs/preset" } }] });
    let mut schema = object(
        &file::KEYS,
        &["version"],
        &[
            ("version", json!({ "const": 1 })),
            ("name", text()),
            ("seed", whole(0)),
            ("preset", preset),
            ("rule", rules),
        ],
    );
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("errorfs scenario, version 1");
    schema["$defs"] = json!({ "preset": a_preset(), "rule": a_rule() });
    schema
}

fn a_preset() -> Value {
    let acceleration = object(
        &preset::ACCELERATION_KEYS,
        &["method"],
        &[("method", words(&Method::ALL.map(Method::name))), ("factor", number())],
    );
    object(
        &preset::KEYS,
        &["name", "evidence"],
        &[
            ("name", text()),
            ("cite", texts()),
            ("evidence", words(&Evidence::ALL.map(Evidence::name))),
            ("assumptions", texts()),
            ("real_rate", json!({ "type": "object", "additionalProperties": number() })),
            ("acceleration", acceleration),
        ],
    )
}

fn a_rule() -> Value {
    let properties = [
        ("name", text()),
        ("domain", text()),
        ("select", a_select()),
        ("when", a_when()),
        ("fault", a_fault()),
    ];
    object(&rule::KEYS, &["name", "fault"], &properties)
}

fn a_select() -> Value {
    let ops: Vec<&str> = OpKind::ALL.iter().map(|op| op.name()).chain(select::GROUPS).collect();
    let ops = json!({ "type": "array", "minItems": 1, "items": words(&ops) });
    let path = json!({ "oneOf": [text(), texts()] });
    let one_or_many = |one: Value| json!({ "oneOf": [one, { "type": "array", "items": one }] });
    let properties = [
        ("path", path),
        ("ops", ops),
        ("bytes", range()),
        ("uid", one_or_many(whole(0))),
        ("gid", one_or_many(whole(0))),
        ("pid", one_or_many(whole(1))),
        ("comm", one_or_many(text())),
        ("cgroup", one_or_many(text())),
    ];
    object(&select::KEYS, &[], &properties)
}

fn a_when() -> Value {
    let cycle =
        object(&when::CYCLE_KEYS, &["on", "off"], &[("on", duration()), ("off", duration())]);
    let nth = json!({ "oneOf": [whole(1), { "type": "array", "items": whole(1) }] });
    let properties = [
        ("nth", nth),
        ("every", whole(1)),
        ("times", whole(1)),
        ("probability", rate()),
        ("after", duration()),
        ("for", duration()),
        ("cycle", cycle),
        ("after_event", text()),
    ];
    object(&when::KEYS, &[], &properties)
}

/// A table with exactly one kind.
fn a_fault() -> Value {
    let kinds = [
        ("bit_flip", bit_flip()),
        ("corrupt", a_corrupt()),
        ("error", object(&fault::ERROR_KEYS, &["errno"], &[("errno", errno())])),
        ("bad_sector", bad_sector()),
        ("latency", latency()),
        ("stall", object(&stall::KEYS, &[], &[("for", duration())])),
        ("dead", a_dead()),
        ("readonly", object(&fault::READONLY_KEYS, &[], &[])),
        ("short", a_short()),
        ("space", a_space()),
        ("throughput", a_throughput()),
        ("lost_write", blocks(&lost_write::LOST_KEYS, &[])),
        ("torn_write", blocks(&lost_write::TORN_KEYS, &[("keep", whole(1)), ("rest", text())])),
        ("misdirected", blocks(&misdirected::KEYS, &[("to", size())])),
        ("fsync", an_fsync()),
        ("power_cut", a_power_cut()),
        ("metadata", a_metadata()),
        ("kill", object(&fault::KILL_KEYS, &[], &[])),
    ];
    let mut fault = object(&fault::KINDS, &[], &kinds);
    (fault["minProperties"], fault["maxProperties"]) = (json!(1), json!(1));
    fault
}

fn bit_flip() -> Value {
    let position = [("byte", size()), ("bit", whole(0)), ("generation", whole(0))];
    let position = object(&damage::POSITION_KEYS, &["byte", "bit"], &position);
    let properties = [
        ("rate", rate()),
        ("count", whole(1)),
        ("at", list(position)),
        ("persistence", kept()),
        ("on", words(&["read", "write"])),
    ];
    object(&damage::BIT_FLIP_KEYS, &[], &properties)
}

fn a_corrupt() -> Value {
    let byte = json!({ "type": "integer", "minimum": 0, "maximum": 255 });
    let content = object(&corrupt::CONTENT_KEYS, &[], &[("byte", byte), ("junk", text())]);
    let position = [("byte", size()), ("generation", whole(0))];
    let position = object(&corrupt::POSITION_KEYS, &["byte"], &position);
    let properties = [
        ("content", json!({ "oneOf": [text(), content] })),
        ("rate", rate()),
        ("count", whole(1)),
        ("at", list(position)),
        ("clusters", of_clusters(&clusters::OF_REGIONS, &[("run", number())])),
        ("region", size()),
        ("persistence", kept()),
        ("on", words(&["read", "write"])),
    ];
    object(&corrupt::KEYS, &["content"], &properties)
}

fn bad_sector() -> Value {
    let burst = [("single", rate()), ("shape", number()), ("longest", whole(1))];
    let properties = [
        ("rate", rate()),
        ("count", whole(1)),
        ("at", list(size())),
        ("clusters", of_clusters(&clusters::OF_SECTORS, &burst)),
        ("sector", size()),
    ];
    object(&damage::BAD_SECTOR_KEYS, &[], &properties)
}

/// How the damage of a sick device lies, with keys of its own for its runs.
fn of_clusters(keys: &Keys, own: &[(&str, Value)]) -> Value {
    let mut properties = own.to_vec();
    properties.extend([
        ("median", number()),
        ("sigma", number()),
        ("max", whole(1)),
        ("near", rate()),
        ("neighbourhood", size()),
    ]);
    object(keys, &[], &properties)
}

fn a_metadata() -> Value {
    let properties = [
        ("rate", rate()),
        ("size", size()),
        ("mtime", whole(0)),
        ("mode", whole(0)),
        ("nlink", whole(0)),
        ("entry", words(&EntryFault::ALL.map(EntryFault::name))),
        ("target", text()),
        ("xattr", words(&XattrFault::ALL.map(XattrFault::name))),
        ("open", errno()),
    ];
    object(&metadata::KEYS, &[], &properties)
}

fn latency() -> Value {
    let shaped = |keys: &Keys, properties: [(&str, Value); 2]| {
        let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
        object(keys, &required, &properties)
    };
    let kinds = [
        ("constant", duration()),
        (
            "uniform",
            shaped(&distribution::UNIFORM.keys, [("from", duration()), ("to", duration())]),
        ),
        (
            "normal",
            shaped(&distribution::NORMAL.keys, [("mean", duration()), ("deviation", duration())]),
        ),
        (
            "lognormal",
            shaped(&distribution::LOGNORMAL.keys, [("median", duration()), ("sigma", number())]),
        ),
        (
            "pareto",
            shaped(&distribution::PARETO.keys, [("scale", duration()), ("shape", number())]),
        ),
        ("empirical", list(duration())),
    ];
    let mut distribution = object(&distribution::DISTRIBUTIONS, &[], &kinds);
    (distribution["minProperties"], distribution["maxProperties"]) = (json!(1), json!(1));
    let properties = [("distribution", distribution), ("step", duration())];
    object(&distribution::LATENCY_KEYS, &["distribution"], &properties)
}

fn a_dead() -> Value {
    let properties =
        [("errno", errno()), ("for", duration()), ("down", duration()), ("up", duration())];
    object(&dead::KEYS, &[], &properties)
}

fn a_short() -> Value {
    let properties = [("keep", number()), ("at_most", size()), ("multiple", size())];
    object(&short::KEYS, &[], &properties)
}

fn a_space() -> Value {
    let properties = [("capacity", size()), ("inodes", whole(0)), ("errno", errno())];
    object(&space::KEYS, &["capacity"], &properties)
}

fn a_throughput() -> Value {
    object(&throughput::KEYS, &["per_second"], &[("per_second", size()), ("burst", size())])
}

fn an_fsync() -> Value {
    let models = words(&CacheModel::ALL.map(CacheModel::name));
    let properties = [("model", models), ("sequence", text()), ("evict", text())];
    object(&fsync::KEYS, &["model"], &properties)
}

fn a_power_cut() -> Value {
    let properties = [
        ("unsynced", words(&Unsynced::ALL.map(Unsynced::name))),
        ("torn", rate()),
        ("names", words(&Names::ALL.map(Names::name))),
        ("lies", rate()),
        ("then", words(&["on", "off"])),
    ];
    object(&power_cut::KEYS, &[], &properties)
}

/// A fault of one block of each operation, with keys of its own.
fn blocks(keys: &Keys, own: &[(&str, Value)]) -> Value {
    let mut properties = own.to_vec();
    properties.extend([("block", size()), ("at", size())]);
    object(keys, &[], &properties)
}

/// A table with these keys and no others.
fn object(keys: &Keys, required: &[&str], properties: &[(&str, Value)]) -> Value {
    let known = |name: &str| properties.iter().any(|(known, _)| *known == name);
    debug_assert!(
        keys.known.iter().all(|name| known(name)) && properties.len() == keys.known.len(),
        "the schema of {} has other keys than its reader",
        keys.of
    );
    let properties: Map<String, Value> =
        properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    json!({ "type": "object", "additionalProperties": false, "required": required,
        "properties": properties })
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "minItems": 1, "items": of })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn texts() -> Value {
    list(text())
}

fn words(words: &[&str]) -> Value {
    json!({ "enum": words })
}

fn whole(from: u64) -> Value {
    json!({ "type": "integer", "minimum": from })
}

fn number() -> Value {
    json!({ "type": "number" })
}

fn rate() -> Value {
    json!({ "type": "number", "minimum": 0, "maximum": 1 })
}

fn duration() -> Value {
    json!({ "type": "string", "pattern": "^([0-9]+(h|ms|m|s|us|ns))+$" })
}

fn size() -> Value {
    let text = json!({ "type": "string", "pattern": "^[0-9]+([KMGTPE]iB|B)?$" });
    json!({ "oneOf": [whole(0), text] })
}

fn range() -> Value {
    json!({ "type": "string", "pattern": "^([0-9]+([KMGTPE]iB|B)?)?\\.\\.([0-9]+([KMGTPE]iB|B)?)?$" })
}

fn kept() -> Value {
    words(&Persistence::ALL.map(Persistence::name))
}

fn errno() -> Value {
    let aliases = ALIASES.iter().map(|(alias, _)| *alias);
    let names: Vec<&str> = ERRNOS.iter().map(|(name, _)| *name).chain(aliases).collect();
    words(&names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_readers_is_in_the_schema_and_no_other() {
        // Checked where the schema is made.
        let schema = schema();
        assert_eq!(schema["properties"]["version"]["const"], 1);
        let faults = &schema["$defs"]["rule"]["properties"]["fault"]["properties"];
        assert_eq!(faults.as_object().map(Map::len), Some(fault::KINDS.known.len()));
    }
}

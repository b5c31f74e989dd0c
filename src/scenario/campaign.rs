//! Reads a campaign file: what system, how it is run and judged, what goes wrong. Text to [`Campaign`],
//! or every mistake.
//!
//! Strict as scenarios are. Running it is the business of `campaign`.

use std::time::Duration;

use super::campaign_model::*;
use super::document::{Field, Findings, Keys, Read, Table, did_you_mean};
use super::file::judged;
use super::recipe::{read_detect, read_environment, read_timeout, required};
use super::rule::read_name;
use super::select::read_paths;
use super::variant::{read_variants, variant_tables};
use crate::diagnostic::Diagnostic;

const KEYS: Keys = Keys {
    of: "a campaign",
    noun: "key",
    known: &[
        "version",
        "name",
        "models",
        "prepare",
        "environment",
        "node",
        "workload",
        "oracle",
        "check",
        "detect",
        "timeout",
        "startup",
        "golden",
        "block",
        "seed",
        "structure",
        "variant",
        "faults",
        "mounted",
        "notes",
    ],
    later: &[],
};
const NODE_KEYS: Keys = Keys {
    of: "a node",
    noun: "key",
    known: &["name", "start", "ready", "stop", "oracle", "detect"],
    later: &[],
};
const STRUCTURE_KEYS: Keys =
    Keys { of: "a structure", noun: "key", known: &["name", "path"], later: &[] };
const CHECK_KEYS: Keys = Keys { of: "`check`", noun: "key", known: &["read", "write"], later: &[] };
const FAULT_KEYS: Keys = Keys {
    of: "`faults`",
    noun: "key",
    known: &["read", "write", "append", "node", "path"],
    later: &[],
};

const NAME: &str = "name = \"redis-replicas\"";
/// How the name of a variant is written.
pub(super) const NAME_EXAMPLE: &str = "name = \"update\"";
const NODE: &str = "[[node]]";
const DETECT: &str = "detect = [\"stderr ~ (?i)corrupt\"]";

/// What one command may take, if nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Runs without faults, if nobody says otherwise: fewer than two show nothing of what is different
/// each time.
const GOLDEN: u64 = 3;
const BLOCK: u64 = 4096;
const SEED: u64 = 1;

/// What a text says.
#[derive(Clone, Debug)]
pub struct ParsedCampaign {
    /// The campaign; `None` if anything is wrong.
    pub campaign: Option<Campaign>,
    /// Every mistake, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a campaign file of format version 1.
pub fn parse_campaign(text: &str) -> ParsedCampaign {
    let (campaign, diagnostics) = judged(text, read);
    ParsedCampaign { campaign, diagnostics }
}

fn read(table: &Table<'_>, findings: &mut Findings) -> Option<Campaign> {
    KEYS.check(table, findings);
    let name = table.require("name", "a campaign", NAME);
    let name = findings.keep(name.and_then(|field| read_name(&field, NAME)));
    let prepare = required(table, "a campaign", "prepare", "prepare = \"mkdir one\"", findings);
    let environment = findings.read(table.get("environment"), |field| read_environment(&field));
    let nodes = read_nodes(table, findings);
    let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
    let workload =
        required(table, "a campaign", "workload", "workload = \"cat {mnt}/file\"", findings);
    let oracle = optional(table, "oracle", findings);
    let check = read_check(table, findings);
    check_placeholders(table, &names, findings);
    let detect = table.get("detect").and_then(|_| read_detect(table, DETECT, findings));
    let faults = read_faults(table, &names, findings);
    let timeout = findings.read(table.get("timeout"), |field| read_timeout(&field));
    let startup = findings.read(table.get("startup"), |field| read_timeout(&field));
    let golden = findings.read(table.get("golden"), |field| read_golden(&field));
    let block = findings.read(table.get("block"), |field| read_block(&field));
    let seed = findings.read(table.get("seed"), |field| field.natural("seed = 1"));
    let structures = read_structures(table, findings);
    let variants = read_variants(table, findings);
    let all_mounted = findings.read(table.get("mounted"), |field| read_mounted(&field));
    let models = findings.read(table.get("models"), |field| text(&field));
    let notes = findings.read(table.get("notes"), |field| text(&field));
    Some(Campaign {
        name: name?,
        models,
        prepare: prepare?,
        environment: environment.unwrap_or_default(),
        nodes,
        workload: workload?,
        oracle,
        check,
        detect: detect.unwrap_or_default(),
        timeout: timeout.unwrap_or(TIMEOUT),
        startup: startup.or(timeout).unwrap_or(TIMEOUT),
        golden: golden.unwrap_or(GOLDEN),
        block: block.unwrap_or(BLOCK),
        seed: seed.unwrap_or(SEED),
        structures,
        variants,
        faults,
        all_mounted: all_mounted.unwrap_or(false),
        notes,
    })
}

fn text(field: &Field<'_>) -> Read<String> {
    field.text("notes = \"...\"").map(str::to_owned)
}

/// A line for the shell that may be absent, and says something if it is not.
pub(super) fn optional(
    table: &Table<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> Option<String> {
    table.get(key)?;
    required(table, "a campaign", key, &format!("{key} = \"...\""), findings)
}

/// The tables of a list of tables; none if it is absent.
pub(super) fn tables<'a>(
    table: &Table<'a>,
    key: &'static str,
    example: &str,
    findings: &mut Findings,
) -> Vec<Table<'a>> {
    let members = findings.read(table.get(key), |field| field.many("a list of tables", example));
    let members = members.unwrap_or_default();
    members.iter().filter_map(|member| findings.keep(member.table(example))).collect()
}

fn read_nodes(table: &Table<'_>, findings: &mut Findings) -> Vec<NodeSpec> {
    if table.get("node").is_none() {
        let message = "a campaign needs at least one node: a directory that gets the faults";
        let error = Diagnostic::error("missing-key", table.span.clone(), message);
        findings.push(error.help(format!("write `{NODE}` with `name = \"one\"` below it")));
    }
    let mut nodes: Vec<NodeSpec> = Vec::new();
    for own in tables(table, "node", NODE, findings) {
        let Some(node) = read_node(&own, findings) else { continue };
        if nodes.iter().any(|other| other.name == node.name) {
            let help = "give each node a name of its own: its directory has it";
            findings.push(taken(&own, "node", &node.name).help(help));
        }
        nodes.push(node);
    }
    nodes
}

/// Says that a table has the name of one before it.
pub(super) fn taken(table: &Table<'_>, what: &str, name: &str) -> Diagnostic {
    let span = table.get("name").map_or(table.span.clone(), |field| field.span());
    Diagnostic::error("duplicate-name", span, format!("a {what} is already called `{name}`"))
}

fn read_node(table: &Table<'_>, findings: &mut Findings) -> Option<NodeSpec> {
    NODE_KEYS.check(table, findings);
    let name = table.require("name", "a node", "name = \"one\"");
    let name = findings.keep(name.and_then(|field| read_node_name(&field)));
    for key in ["ready", "stop", "oracle", "detect"] {
        if let (Some(field), None) = (table.get(key), table.get("start")) {
            let message = format!("`{key}` is of a node that is started, and this one is not");
            let error = Diagnostic::error("conflicting-keys", field.key_span.clone(), message);
            findings.push(error.help("write `start = \"...\"`, or leave it out"));
        }
    }
    let [start, ready, stop, oracle] =
        ["start", "ready", "stop", "oracle"].map(|key| optional(table, key, findings));
    let detect = table.get("detect").and_then(|_| read_detect(table, DETECT, findings));
    let detect = detect.unwrap_or_default();
    Some(NodeSpec { name: name?, start, ready, stop, oracle, detect })
}

/// A node's name is a directory's, and stands in placeholders.
fn read_node_name(field: &Field<'_>) -> Read<String> {
    let name = read_name(field, "name = \"one\"")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match name.chars().all(fits) {
        true => Ok(name),
        false => Err(field
            .error("bad-name", "names of nodes are letters, digits, `-` and `_`")
            .help("it is the name of the node's directory, and stands in `{mnt.NAME}`")),
    }
}

pub(super) fn read_check(table: &Table<'_>, findings: &mut Findings) -> Checks {
    let own = findings.read(table.get("check"), |field| field.table("[check]"));
    let Some(own) = own else { return Checks::default() };
    CHECK_KEYS.check(&own, findings);
    Checks { read: optional(&own, "read", findings), write: optional(&own, "write", findings) }
}

fn read_structures(table: &Table<'_>, findings: &mut Findings) -> Vec<Structure> {
    let found = tables(table, "structure", "[[structure]]", findings);
    found.iter().filter_map(|own| read_structure(own, findings)).collect()
}

fn read_structure(table: &Table<'_>, findings: &mut Findings) -> Option<Structure> {
    STRUCTURE_KEYS.check(table, findings);
    let name = table.require("name", "a structure", "name = \"log\"");
    let name = findings.keep(name.and_then(|field| read_name(&field, "name = \"log\"")));
    findings.keep(table.require("path", "a structure", "path = \"**/*.log\""));
    let paths = read_paths(table, findings);
    name.map(|name| Structure { name, paths })
}

fn read_faults(table: &Table<'_>, nodes: &[String], findings: &mut Findings) -> FaultKinds {
    let own = findings.read(table.get("faults"), |field| field.table("[faults]"));
    let default = FaultKinds::default();
    let Some(own) = own else { return default };
    FAULT_KEYS.check(&own, findings);
    let mut kinds = |key, allowed, default| {
        findings.read(own.get(key), |field| read_kinds(&field, allowed)).unwrap_or(default)
    };
    let read = kinds("read", FaultKinds::OF_READ, default.read);
    let write = kinds("write", FaultKinds::OF_WRITE, default.write);
    let append = kinds("append", FaultKinds::OF_WRITE, default.append);
    let named = findings.read(own.get("node"), |field| read_node_names(&field, nodes));
    let paths = read_paths(&own, findings);
    FaultKinds { read, write, append, nodes: named.unwrap_or_default(), paths }
}

/// A list of kinds, which may be empty: none.
fn read_kinds(field: &Field<'_>, allowed: &[FaultKind]) -> Read<Vec<FaultKind>> {
    let names: Vec<&str> = allowed.iter().map(|kind| kind.name()).collect();
    let example = format!("{} = [\"{}\"]", field.key, names.join("\", \""));
    let mut kinds = Vec::new();
    for member in field.many_or_none("a list of kinds of fault", &example)? {
        let word = member.text(&example)?;
        let kind = allowed.iter().find(|kind| kind.name() == word).ok_or_else(|| {
            let message = format!("`{word}` is no kind of fault of `{}`", field.key);
            let error = member.error("unknown-fault", message);
            error
                .label(did_you_mean(word, names.iter().copied()))
                .help(format!("kinds are: {}", names.join(", ")))
        })?;
        kinds.push(*kind);
    }
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn read_node_names(field: &Field<'_>, nodes: &[String]) -> Read<Vec<String>> {
    let mut named = Vec::new();
    for member in field.one_or_many()? {
        let word = member.text("node = [\"one\"]")?;
        if !nodes.is_empty() && !nodes.iter().any(|node| node == word) {
            let error = member.error("unknown-node", format!("there is no node `{word}`"));
            let meant = did_you_mean(word, nodes.iter().map(String::as_str));
            return Err(error.label(meant).help(format!("nodes are: {}", nodes.join(", "))));
        }
        named.push(word.to_owned());
    }
    Ok(named)
}

fn read_golden(field: &Field<'_>) -> Read<u64> {
    match field.natural("golden = 3")? {
        runs @ 2.. => Ok(runs),
        runs => Err(field
            .error("out-of-range", format!("`golden` must be at least 2, not {runs}"))
            .help("one run does not show what is different each time")),
    }
}

fn read_block(field: &Field<'_>) -> Read<u64> {
    let block = field.size("block = \"4KiB\"")?;
    match block.is_power_of_two() && (512..=65536).contains(&block) {
        true => Ok(block),
        false => Err(field
            .error("out-of-range", "`block` must be a power of two from 512B to 64KiB")
            .help("write it like `block = \"4KiB\"`")),
    }
}

fn read_mounted(field: &Field<'_>) -> Read<bool> {
    match field.text("mounted = \"faulty\"")? {
        "faulty" => Ok(false),
        "all" => Ok(true),
        other => Err(field
            .error("unknown-mounted", format!("`{other}` is no way of mounting"))
            .help("write `\"faulty\"` (the default), or `\"all\"` for errorfs over every node")),
    }
}

/// `{mnt.NAME}` must name a node, and `{mnt}` alone must be clear.
fn check_placeholders(table: &Table<'_>, nodes: &[String], findings: &mut Findings) {
    if nodes.is_empty() {
        return; // Then more is wrong than that.
    }
    let variants = variant_tables(table, &mut Findings::default());
    for asked in std::iter::once(table).chain(&variants) {
        let top = asked.present(&["workload", "oracle"]);
        let checks = asked.get("check").and_then(|field| field.table("[check]").ok());
        let checks = checks.map_or(Vec::new(), |own| own.present(&["read", "write"]));
        let lines = top.iter().chain(&checks);
        lines.for_each(|field| placeholders(field, nodes, nodes.len() == 1, findings));
    }
    for own in tables(table, "node", NODE, &mut Findings::default()) {
        let lines = own.present(&["start", "ready", "stop", "oracle"]);
        lines.iter().for_each(|field| placeholders(field, nodes, true, findings));
    }
}

fn placeholders(field: &Field<'_>, nodes: &[String], is_clear: bool, findings: &mut Findings) {
    let Ok(line) = field.text("") else { return };
    if line.contains("{mnt}") && !is_clear {
        let message = "`{mnt}` does not say of which node";
        let help = format!("write `{{mnt.NAME}}`; nodes are: {}", nodes.join(", "));
        findings.push(field.error("unknown-node", message).help(help));
    }
    for rest in line.split("{mnt.").skip(1) {
        let name = rest.split('}').next().unwrap_or_default();
        if !nodes.iter().any(|node| node == name) {
            let error = field.error("unknown-node", format!("there is no node `{name}`"));
            let meant = did_you_mean(name, nodes.iter().map(String::as_str));
            findings.push(error.label(meant).help(format!("nodes are: {}", nodes.join(", "))));
        }
    }
}

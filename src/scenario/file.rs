//! Reads a scenario file: text to [`Scenario`], or every mistake in it.

use std::collections::HashMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::conflict::{self, Conflict};
use super::document::{Field, Findings, Keys, Read, Table};
use super::event;
use super::preset;
use super::rule::{self, RuleRead};
use super::{Rule, Scenario};
use crate::diagnostic::{Diagnostic, Severity};

pub(super) const KEYS: Keys = Keys {
    of: "a scenario",
    noun: "key",
    known: &["version", "name", "seed", "preset", "rule"],
    later: &[],
};

/// The format that this file reads.
const VERSION: u64 = 1;

/// What a text says.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The scenario; `None` if any diagnostic is an error.
    pub scenario: Option<Scenario>,
    /// Every mistake and every doubt, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a scenario file of format version 1.
pub fn parse(text: &str) -> Parsed {
    parse_beside(text, &[])
}

/// The same of one that is to stand beside rules of these names: its own may wait for them.
pub fn parse_beside(text: &str, beside: &[String]) -> Parsed {
    let (scenario, diagnostics) =
        judged(text, |table, findings| read(text, table, beside, findings));
    Parsed { scenario, diagnostics }
}

/// Reads a file of format version 1 by its top table: what it says, if nothing in it is wrong, and
/// every diagnostic in the order of the text.
pub(super) fn judged<T>(
    text: &str,
    read: impl FnOnce(&Table<'_>, &mut Findings) -> Option<T>,
) -> (Option<T>, Vec<Diagnostic>) {
    let mut findings = Findings::default();
    let said = opened(text, read, &mut findings);
    let mut diagnostics = findings.list;
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
    let refused = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    (said.filter(|_| !refused), diagnostics)
}

fn opened<T>(
    text: &str,
    read: impl FnOnce(&Table<'_>, &mut Findings) -> Option<T>,
    findings: &mut Findings,
) -> Option<T> {
    let document = findings.keep(DeTable::parse(text).map_err(|error| syntax(text, &error)))?;
    let table = Table { entries: document.get_ref(), span: 0..0 };
    let supported = read_version(&table);
    let other_version = matches!(&supported, Err(error) if error.code == "unsupported-version");
    findings.keep(supported);
    if other_version {
        return None; // What the rest means, only that version knows.
    }
    read(&table, findings)
}

fn read(
    text: &str,
    table: &Table<'_>,
    beside: &[String],
    findings: &mut Findings,
) -> Option<Scenario> {
    KEYS.check(table, findings);
    let name =
        findings.read(table.get("name"), |field| rule::read_name(&field, "name = \"bit rot\""));
    let seed = findings.read(table.get("seed"), |field| field.natural("seed = 7"));
    let presets = preset::read(table.get("preset"), findings);
    let rules = read_rules(table, findings);
    check_names(text, &rules, findings);
    event::check(&rules, beside, findings);
    let rules = check_conflicts(text, rules, findings);
    Some(Scenario { name, seed, presets, rules })
}

fn syntax(text: &str, error: &toml::de::Error) -> Diagnostic {
    let mut span = error.span().unwrap_or(0..0);
    if span.is_empty() && span.start > 0 && span.start == text.len() {
        span.start -= 1; // The end of the text has no line to show: point at what comes before.
    }
    // Neither the parser nor the line above sees to it that whole characters are pointed at.
    while !text.is_char_boundary(span.start) {
        span.start -= 1;
    }
    while !text.is_char_boundary(span.end) {
        span.end += 1;
    }
    Diagnostic::error("syntax", span, format!("this is not TOML: {}", error.message()))
        .help("errorfs scenarios are TOML 1.1 files: https://toml.io")
}

fn read_version(table: &Table<'_>) -> Read<()> {
    let Some(field) = table.get("version") else {
        let message = "the file does not say which version of the format it has";
        return Err(Diagnostic::error("missing-version", table.span.clone(), message)
            .help(format!("begin the file with `version = {VERSION}`")));
    };
    match field.natural("version = 1")? {
        VERSION => Ok(()),
        other => Err(field
            .error(
                "unsupported-version",
                format!("this errorfs does not read format version {other}"),
            )
            .help(format!("it reads `version = {VERSION}`"))),
    }
}

fn read_rules(table: &Table<'_>, findings: &mut Findings) -> Vec<RuleRead> {
    let Some(field) = table.get("rule") else {
        if findings.errors() == 0 {
            findings.push(no_rules(table.span.clone())); // Otherwise it may only be misspelt.
        }
        return Vec::new();
    };
    let DeValue::Array(items) = field.value.get_ref() else {
        let error = field.wrong_type("a list of tables", "[[rule]]");
        findings.push(error.help("write `[[rule]]`, with two brackets, above each rule"));
        return Vec::new();
    };
    if items.is_empty() {
        findings.push(no_rules(field.span()));
    }
    let member =
        |value| Field { key: "rule", key_span: field.key_span.clone(), member: true, value };
    items
        .iter()
        .filter_map(|value| findings.keep(member(value).table("[[rule]]")))
        .collect::<Vec<Table<'_>>>()
        .iter()
        .map(|table| rule::read(table, findings))
        .collect()
}

fn no_rules(span: Range<usize>) -> Diagnostic {
    Diagnostic::warning("no-rules", span, "the scenario has no rule: nothing is ever injected")
        .help("add a `[[rule]]`")
}

/// Refuses a second rule of the same name.
fn check_names(text: &str, rules: &[RuleRead], findings: &mut Findings) {
    let mut taken = HashMap::new();
    for (name, span) in rules.iter().filter_map(|rule| rule.name.as_ref()) {
        let first = *taken.entry(name).or_insert(span);
        if first != span {
            let message =
                format!("a rule is already called `{name}`, on line {}", line(text, first));
            let error = Diagnostic::error("duplicate-name", span.clone(), message);
            findings.push(error.help("give each rule a name of its own: it stands in the ledger"));
        }
    }
}

/// Refuses rules that spoil each other, among those that are right by themselves.
fn check_conflicts(text: &str, rules: Vec<RuleRead>, findings: &mut Findings) -> Vec<Rule> {
    let right = rules.into_iter().filter_map(|read| {
        let span = read.name?.1;
        Some((read.rule?, (span, read.at)))
    });
    let (rules, places): (Vec<Rule>, Vec<_>) = right.unzip();
    for conflict in conflict::find(&rules) {
        let earlier = line(text, &places[conflict.earlier()].0);
        let (name_span, at) = &places[conflict.later()];
        let span = match &conflict {
            Conflict::SameDamage { byte, .. } => at
                .iter()
                .find(|(other, _)| other == byte)
                .map_or(name_span.clone(), |(_, span)| span.clone()),
            Conflict::Shadowed { .. } => name_span.clone(),
        };
        let message = conflict.message(&rules, &format!("on line {earlier}"));
        findings.push(Diagnostic::error(conflict.code(), span, message).help(conflict.help()));
    }
    rules
}

fn line(text: &str, span: &Range<usize>) -> usize {
    text[..span.start].matches('\n').count() + 1
}

//! Reads a recipe: how to tell that one product notices damage. Text to [`Recipe`], or every mistake.
//!
//! Strict as scenarios are. Finding recipes by name is the business of `cli`, running them of `trial`.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeValue;

use super::detect::Detect;
use super::document::{Field, Findings, Keys, Read, Table};
use super::file::judged;
use super::rule::read_name;
use crate::diagnostic::Diagnostic;

const KEYS: Keys = Keys {
    of: "a recipe",
    noun: "key",
    known: &[
        "version",
        "name",
        "models",
        "path",
        "prepare",
        "environment",
        "command",
        "golden",
        "tool",
        "detect",
        "expect",
        "require",
        "timeout",
        "notes",
    ],
    later: &[],
};

const OF: &str = "a recipe";
const NAME: &str = "name = \"tar-list\"";
const COMMAND: &str = "command = \"tar tf {mnt}/archive.tar\"";
const DETECT: &str = "detect = [\"exit != 0\"]";
const EXPECT: &str = "expect = \"detected\"";

/// How to tell that one product notices damage.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What `--recipe` calls it.
    pub name: String,
    /// What it models, a sentence or two.
    pub models: String,
    /// Globs of the files that get the damage, as in scenarios; empty: every file.
    pub path: Vec<String>,
    /// A shell script that makes a sample in the current directory.
    pub prepare: String,
    /// What the script and the command find in their environment when there is no other data.
    pub environment: BTreeMap<String, String>,
    /// The shell command that is to notice; `{mnt}` stands for the directory.
    pub command: String,
    /// The shell command that reads the data themselves, if the command's own output is not enough.
    pub golden: Option<String>,
    /// The shell command that says which version of the product this is, on its first line.
    pub tool: Option<String>,
    /// It noticed if any of these holds.
    pub detect: Vec<Detect>,
    /// What is known of the product.
    pub expect: Expect,
    /// The part of the damage that must be noticed, of what was read; for `expect = "detected"`.
    pub require: f64,
    /// How long one run may take.
    pub timeout: Option<Duration>,
    /// What one should know.
    pub notes: Option<String>,
}

/// What is known of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It notices.
    Detected,
    /// It is blind: noticing would be news.
    Undetected,
    /// It notices some of it, by luck: nothing is required.
    Partly,
}

/// What a text says.
#[derive(Clone, Debug)]
pub struct ParsedRecipe {
    /// The recipe; `None` if anything is wrong.
    pub recipe: Option<Recipe>,
    /// Every mistake, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a recipe of format version 1.
pub fn parse_recipe(text: &str) -> ParsedRecipe {
    let (recipe, diagnostics) = judged(text, read);
    ParsedRecipe { recipe, diagnostics }
}

fn read(table: &Table<'_>, findings: &mut Findings) -> Option<Recipe> {
    KEYS.check(table, findings);
    let name = table.require("name", "a recipe", NAME);
    let name = findings.keep(name.and_then(|field| read_name(&field, NAME)));
    let models = required(table, OF, "models", "models = \"...\"", findings);
    let prepare = required(table, OF, "prepare", "prepare = \"echo data > file\"", findings);
    let command = required(table, OF, "command", COMMAND, findings);
    let command = command.filter(|_| names_the_mount(table, "command", findings));
    let golden = table.get("golden").and_then(|_| {
        let line = required(table, OF, "golden", "golden = \"cat {mnt}/file\"", findings)?;
        Some(line).filter(|_| names_the_mount(table, "golden", findings))
    });
    let tool = findings.read(table.get("tool"), |field| field.text("tool = \"restic version\""));
    let path = findings.read(table.get("path"), |field| texts(&field, "path = [\"data/**\"]"));
    let environment = findings.read(table.get("environment"), |field| read_environment(&field));
    let detect = read_detect(table, DETECT, findings);
    let expect = table.require("expect", "a recipe", EXPECT);
    let expect = findings.keep(expect.and_then(|field| read_expect(&field)));
    let require = findings.read(table.get("require"), |field| read_require(&field, expect));
    let timeout = findings.read(table.get("timeout"), |field| read_timeout(&field));
    let notes = findings.read(table.get("notes"), |field| field.text("notes = \"...\""));
    Some(Recipe {
        name: name?,
        models: models?,
        path: path.unwrap_or_default(),
        prepare: prepare?,
        environment: environment.unwrap_or_default(),
        command: command?,
        golden,
        tool: tool.map(str::to_owned),
        detect: detect?,
        expect: expect?,
        require: require.unwrap_or(1.0),
        timeout,
        notes: notes.map(str::to_owned),
    })
}

/// A text that must be there, and must say something.
pub(super) fn required(
    table: &Table<'_>,
    of: &str,
    key: &'static str,
    example: &str,
    findings: &mut Findings,
) -> Option<String> {
    let read = |field: Field<'_>| match field.text(example)?.trim() {
        "" => Err(field
            .error("empty-text", format!("`{key}` is empty"))
            .help(format!("write it like `{example}`"))),
        text => Ok(text.to_owned()),
    };
    findings.keep(table.require(key, of, example).and_then(read))
}

/// A command that never looks at the directory would notice nothing, whatever the product.
fn names_the_mount(table: &Table<'_>, key: &'static str, findings: &mut Findings) -> bool {
    let Some(field) = table.get(key) else { return false };
    let names = field.text(COMMAND).is_ok_and(|text| text.contains("{mnt}"));
    if !names {
        let message = format!("`{key}` does not name the directory");
        let error = field.error("missing-mnt", message);
        findings.push(error.help(format!("write `{{mnt}}` where it belongs: `{COMMAND}`")));
    }
    names
}

fn texts(field: &Field<'_>, example: &str) -> Read<Vec<String>> {
    let members = field.one_or_many()?;
    members.iter().map(|member| member.text(example).map(str::to_owned)).collect()
}

pub(super) fn read_environment(field: &Field<'_>) -> Read<BTreeMap<String, String>> {
    let example = "environment = { RESTIC_PASSWORD = \"sample\" }";
    let table = field.table(example)?;
    let mut variables = BTreeMap::new();
    for (name, value) in table.entries.iter() {
        let DeValue::String(text) = value.get_ref() else {
            let message = format!("`{}` must be a string", name.get_ref());
            let error = Diagnostic::error("wrong-type", value.span(), message);
            return Err(error.help(format!("write it like `{example}`")));
        };
        variables.insert(name.get_ref().to_string(), text.to_string());
    }
    Ok(variables)
}

/// The predicates under `detect`, which must be there.
pub(super) fn read_detect(
    table: &Table<'_>,
    example: &str,
    findings: &mut Findings,
) -> Option<Vec<Detect>> {
    let field = table.require("detect", "a recipe", example);
    let members = field.and_then(|field| field.many("a list of strings", example));
    let members = findings.keep(members)?;
    let read = |member: &Field<'_>| {
        Detect::parse(member.text(example)?).map_err(|mistake| member.mistake(mistake))
    };
    let read: Vec<_> = members.iter().map(|member| findings.keep(read(member))).collect();
    read.into_iter().collect()
}

fn read_expect(field: &Field<'_>) -> Read<Expect> {
    match field.text(EXPECT)? {
        "detected" => Ok(Expect::Detected),
        "undetected" => Ok(Expect::Undetected),
        "partly" => Ok(Expect::Partly),
        other => Err(field
            .error("unknown-expectation", format!("`{other}` is nothing to expect"))
            .help("write `\"detected\"`, `\"undetected\"` for what is known to be blind, or `\"partly\"`")),
    }
}

fn read_require(field: &Field<'_>, expect: Option<Expect>) -> Read<f64> {
    let example = "require = 0.95";
    let rate = field.number(example)?;
    if expect.is_some_and(|expect| expect != Expect::Detected) {
        let message = "a product that is not expected to notice cannot be required to";
        let error = field.error("conflicting-keys", message);
        return Err(error.help("remove `require`, or write `expect = \"detected\"`"));
    }
    match rate > 0.0 && rate <= 1.0 {
        true => Ok(rate),
        false => Err(field
            .error(
                "out-of-range",
                format!("`require` must be more than 0 and at most 1, not {rate}"),
            )
            .help(format!("write it like `{example}`"))),
    }
}

pub(super) fn read_timeout(field: &Field<'_>) -> Read<Duration> {
    let example = format!("{} = \"60s\"", field.key);
    let timeout = field.duration(&example)?;
    match timeout.is_zero() {
        false => Ok(timeout),
        true => Err(field
            .error("zero-duration", format!("`{}` is zero: nothing could run", field.key))
            .help(format!("write it like `{example}`"))),
    }
}

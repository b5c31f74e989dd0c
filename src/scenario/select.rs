//! Reads `select`: which operations or stored bytes.
//!
//! An invalid selector is an error, never a wider selector.

use std::ops::Range;

use globset::Glob;

use super::document::{Field, Findings, Keys, Read, Table, did_you_mean};
use super::{PathPattern, Select};
use super::{askers, size};
use crate::op::{OpKind, OpSet};

pub(super) const KEYS: Keys = Keys {
    of: "`select`",
    noun: "key",
    known: &["path", "ops", "bytes", "uid", "gid", "pid", "comm", "cgroup"],
    later: &["size"],
};

/// Words for several operations.
pub(super) const GROUPS: [&str; 3] = ["data", "metadata", "all"];

/// Operations that concern a range of a file's bytes.
pub(super) const BYTE_OPS: OpSet = OpSet::EMPTY
    .with(OpKind::Read)
    .with(OpKind::Write)
    .with(OpKind::Fallocate)
    .with(OpKind::CopyFileRange);

const EXAMPLE: &str = "select = { path = \"**/*.db\", ops = [\"read\"] }";

const GLOB_HELP: &str = "`*` is any part of a name, `**` any folders, `?` one byte, `[ab]` one of these, `{a,b}` either; a backslash takes the next character as it is";

/// A `select` and where its parts stand.
#[derive(Debug, Default)]
pub(super) struct SelectRead {
    pub(super) select: Select,
    /// Each word of `ops` that was understood, with its operations.
    pub(super) ops: Vec<OpWord>,
    pub(super) bytes_span: Option<Range<usize>>,
}

/// One word of `ops`.
#[derive(Debug)]
pub(super) struct OpWord {
    pub(super) word: String,
    pub(super) set: OpSet,
    pub(super) span: Range<usize>,
}

pub(super) fn read(field: Option<Field<'_>>, findings: &mut Findings) -> SelectRead {
    let mut select = SelectRead::default();
    let Some(table) = findings.read(field, |field| field.table(EXAMPLE)) else {
        return select;
    };
    KEYS.check(&table, findings);
    select.select.paths = read_paths(&table, findings);
    if let Some(field) = table.get("ops") {
        select.ops = read_ops(&field, findings);
        let all = select.ops.iter().map(|word| word.set);
        select.select.ops = Some(all.fold(OpSet::EMPTY, OpSet::union));
    }
    if let Some(field) = table.get("bytes") {
        select.bytes_span = Some(field.span());
        select.select.bytes = findings.keep(read_bytes(&field));
    }
    select.select.askers = askers::read(&table, findings);
    select
}

fn read_bytes(field: &Field<'_>) -> Read<Range<u64>> {
    let text = field.text("bytes = \"0..4096\"")?;
    size::parse_range(text).map_err(|mistake| field.mistake(mistake))
}

fn read_ops(field: &Field<'_>, findings: &mut Findings) -> Vec<OpWord> {
    let Some(items) = findings.keep(field.many("a list of operations", "ops = [\"read\"]")) else {
        return Vec::new();
    };
    let mut words: Vec<OpWord> = Vec::new();
    for item in items {
        let Some(word) = findings.keep(read_op(&item)) else {
            continue;
        };
        if words.iter().any(|before| before.word == word.word) {
            let message = format!("`{}` is listed twice", word.word);
            findings.push(item.error("duplicate-value", message).help("remove one of them"));
        }
        words.push(word);
    }
    words
}

fn read_op(item: &Field<'_>) -> Read<OpWord> {
    let word = item.text("ops = [\"read\"]")?;
    let set = match word {
        "all" => Some(OpSet::ALL),
        "data" => Some(OpSet::DATA),
        "metadata" => Some(OpSet::METADATA),
        name => OpKind::from_name(name).map(|kind| OpSet::EMPTY.with(kind)),
    };
    let names = || OpKind::ALL.into_iter().map(OpKind::name);
    set.map(|set| OpWord { word: word.into(), set, span: item.span() }).ok_or_else(|| {
        let list: Vec<&str> = names().collect();
        item.error("unknown-op", format!("`{word}` is not an operation"))
            .label(did_you_mean(word, names().chain(GROUPS)))
            .help(format!("operations are: {}; groups are: data, metadata, all", list.join(", ")))
    })
}

pub(super) fn read_paths(table: &Table<'_>, findings: &mut Findings) -> Vec<PathPattern> {
    let field = table.get("path");
    let Some(items) = findings.read(field.clone(), |field| field.one_or_many()) else {
        return Vec::new();
    };
    let before = findings.list.len();
    let mut patterns: Vec<PathPattern> = Vec::new();
    for item in &items {
        let Some(pattern) = findings.keep(read_pattern(item)) else {
            continue;
        };
        if patterns.contains(&pattern) {
            let message = "this pattern is listed twice";
            findings.push(item.error("duplicate-value", message).help("remove one of them"));
        }
        patterns.push(pattern);
    }
    if let (Some(field), true) = (field, findings.list.len() == before) {
        findings.keep(check_together(&field, &patterns));
    }
    patterns
}

fn read_pattern(item: &Field<'_>) -> Read<PathPattern> {
    let text = item.text("path = \"**/*.db\"")?;
    let glob = text.strip_prefix('!').unwrap_or(text);
    if let Some((why, help)) = impossible(glob) {
        return Err(item
            .error("impossible-path", format!("`{text}` can never match: {why}"))
            .help(help));
    }
    if let Some(part) = glued_stars(glob) {
        let message =
            format!("`**` crosses folders only as a whole part of a path, not in `{part}`");
        let meant = match part.strip_prefix("**") {
            Some(rest) => format!("**/*{rest}"),
            None => part.replacen("**", "*/**/*", 1),
        };
        return Err(item
            .error("bad-glob", message)
            .help(format!("write `*` to stay in the folder, or `{meant}`")));
    }
    PathPattern::new(text).map_err(|error| {
        item.error("bad-glob", format!("`{text}` is not a glob: {error}")).help(GLOB_HELP)
    })
}

/// The part of the glob in which `**` would silently mean `*`, where that is plain to see.
fn glued_stars(glob: &str) -> Option<&str> {
    if glob.contains(['\\', '[', '{']) {
        return None;
    }
    glob.split('/').find(|part| part.contains("**") && *part != "**")
}

/// Why no path relative to the root can match, and what to write instead.
fn impossible(glob: &str) -> Option<(&'static str, String)> {
    let relative = without_dots(glob);
    let instead = format!("paths are relative to the mount's root: write `{relative}`");
    let parts = || glob.split('/');
    if glob.is_empty() {
        Some(("it is empty", "write `**` for every path, or leave `path` out".into()))
    } else if glob.starts_with('/') {
        Some(("it begins with `/`", instead))
    } else if parts().any(|part| part == "..") {
        Some(("it has a part `..`", instead))
    } else if parts().any(|part| part == ".") {
        Some(("it has a part `.`", instead))
    } else if glob.ends_with('/') {
        Some(("it ends with `/`", format!("write `{glob}**` for everything in that folder")))
    } else if parts().any(str::is_empty) {
        Some(("it has an empty part `//`", "write a single `/`".into()))
    } else if glob.contains('\0') {
        Some(("no path contains a NUL byte", "remove it".into()))
    } else {
        None
    }
}

/// The path that was probably meant.
fn without_dots(glob: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in glob.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if parts.is_empty() { "**".into() } else { parts.join("/") }
}

/// Refuses patterns whose exclusions leave nothing, and sets too large to match with.
fn check_together(field: &Field<'_>, patterns: &[PathPattern]) -> Read<()> {
    let excluded = |glob: &Glob| {
        let same = |other: &PathPattern| other.glob == *glob || other.glob.glob() == "**";
        patterns.iter().any(|other| other.exclude && same(other))
    };
    let mut including = patterns.iter().filter(|pattern| !pattern.exclude).peekable();
    let nothing = match including.peek() {
        Some(_) => including.all(|pattern| excluded(&pattern.glob)),
        None => patterns.iter().any(|pattern| pattern.glob.glob() == "**"),
    };
    if nothing {
        return Err(field
            .error("never-fires", "`path` excludes everything that it includes")
            .help("remove the pattern with `!` that is too wide"));
    }
    PathPattern::can_match(patterns).map_err(|error| {
        field
            .error("bad-glob", format!("these patterns are too large together: {}", error.kind()))
            .help("write fewer or simpler patterns, or several rules")
    })
}

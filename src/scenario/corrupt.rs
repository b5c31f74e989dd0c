//! Reads the fault `corrupt`: regions that read as something else.
//!
//! Says which regions as the other damage does, by `rate`, by `count` or `at` given places, and what
//! stands in them by `content`.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use super::clusters;
use super::damage::{
    RUNNING_AMOUNTS, amounts, duplicate, read_count, read_generation, read_persistence,
};
use super::document::{Field, Findings, Keys, Read, Table, did_you_mean};
use super::fault::FaultRead;
use super::size;
use super::when::fraction;
use super::{Content, Corrupt, Fault, Persistence, RegionAmount, RegionPosition};
use crate::diagnostic::Diagnostic;

pub(super) const KEYS: Keys = Keys {
    of: "`corrupt`",
    noun: "key",
    known: &["content", "rate", "count", "at", "clusters", "region", "persistence", "on"],
    later: &[],
};

pub(super) const CONTENT_KEYS: Keys =
    Keys { of: "`content`", noun: "key", known: &["byte", "junk"], later: &[] };

pub(super) const POSITION_KEYS: Keys =
    Keys { of: "a position", noun: "key", known: &["byte", "generation"], later: &[] };

const CONTENT_EXAMPLE: &str = "content = \"junk\"";
const BYTE_EXAMPLE: &str = "content = { byte = 0xFF }";
const CONTENT_HELP: &str = "contents are: `\"junk\"`, `\"zero\"`, `\"stale\"`, `{ byte = 0xFF }`";
const REGIONS_EXAMPLE: &str = "at = [{ byte = 8192 }]";

/// The size of a region that does not say.
const REGION_DEFAULT: u32 = 4096;
/// From the smallest sector to the largest damage of one event that field studies name.
const REGION_SIZES: RangeInclusive<u64> = 512..=65536;

/// What positions depend on.
#[derive(Clone, Copy)]
struct Shape {
    region: u32,
    persistence: Option<Persistence>,
    stale: bool,
}

impl Shape {
    /// The generation of a position that does not say: the first one that can be damaged so.
    fn first(self) -> u32 {
        u32::from(self.stale && self.persistence == Some(Persistence::Sticky))
    }

    fn has_earlier(self, field: &Field<'_>, generation: u32) -> Read<u32> {
        if generation >= self.first() {
            return Ok(generation);
        }
        let message = "bytes of generation 0 have no earlier one to read as";
        Err(field
            .error("never-fires", message)
            .help("write `generation = 1` for bytes that have been overwritten once"))
    }
}

/// One position of `at`, and where it stands.
type Position = (RegionPosition, Range<usize>);

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> FaultRead {
    KEYS.check(table, findings);
    let content = read_content(table, findings);
    let persistence = read_persistence(table, findings);
    let region = match table.get("region") {
        Some(field) => findings.keep(read_region(&field)),
        None => Some(REGION_DEFAULT),
    };
    let shape = Shape {
        region: region.unwrap_or(REGION_DEFAULT),
        persistence,
        stale: content == Some(Content::Stale),
    };
    no_earlier_write(table, shape, findings);
    let (amount, at) = read_amount(table, shape, findings);
    let corrupt = || {
        let (content, amount, region) = (content?, amount?, region?);
        Some(Corrupt { content, amount, region, persistence: persistence? })
    };
    FaultRead {
        fault: corrupt().map(Fault::Corrupt),
        kind: Some("corrupt"),
        of_stored_bytes: persistence.is_some_and(Persistence::is_stored),
        on_write: persistence == Some(Persistence::Written),
        at: at.into_iter().map(|(position, span)| (position.byte, span)).collect(),
    }
}

/// What is being written has no earlier content of its own.
fn no_earlier_write(table: &Table<'_>, shape: Shape, findings: &mut Findings) {
    let on = table.get("on").filter(|_| shape.stale);
    if let Some(field) = on.filter(|_| shape.persistence == Some(Persistence::Written)) {
        let message = "`stale` is what reads get: a write that stores the old bytes is a lost one";
        let error = Diagnostic::error("conflicting-keys", field.key_span.clone(), message);
        findings.push(error.help("leave `on` out, or use the fault `lost_write`"));
    }
}

fn read_amount(
    table: &Table<'_>,
    shape: Shape,
    findings: &mut Findings,
) -> (Option<RegionAmount>, Vec<Position>) {
    let (mut amount, mut at) = (None, Vec::new());
    for field in amounts(table, "`corrupt`", RUNNING_AMOUNTS, findings) {
        amount = match field.key {
            "rate" => fraction(&field, findings).map(RegionAmount::Rate),
            "count" => findings.keep(read_count(&field)).map(RegionAmount::Count),
            "clusters" => read_clusters(&field, shape.persistence, findings),
            _ => {
                at = read_positions(&field, shape, findings);
                let mut regions: Vec<_> = at.iter().map(|(position, _)| *position).collect();
                regions.sort_unstable();
                Some(RegionAmount::At(regions))
            }
        };
    }
    (amount, at)
}

fn read_clusters(
    field: &Field<'_>,
    persistence: Option<Persistence>,
    findings: &mut Findings,
) -> Option<RegionAmount> {
    let other = match persistence {
        Some(Persistence::Transient) => {
            Some("write `persistence = \"sticky\"`, or `rate` or `count`")
        }
        Some(Persistence::Written) => Some("leave `on` out, or write `rate` or `count`"),
        _ => None,
    };
    if let Some(help) = other {
        let message = "`clusters` are a property of a device, and not of one read or write";
        let error = Diagnostic::error("conflicting-keys", field.key_span.clone(), message);
        findings.push(error.help(help));
    }
    clusters::read(field, &clusters::OF_REGIONS, findings).map(RegionAmount::Clusters)
}

fn read_content(table: &Table<'_>, findings: &mut Findings) -> Option<Content> {
    let field = findings.keep(table.require("content", "`corrupt`", CONTENT_EXAMPLE))?;
    if let Ok(word) = field.text(CONTENT_EXAMPLE) {
        return findings.keep(content_of(&field, word));
    }
    let Ok(inner) = field.table(BYTE_EXAMPLE) else {
        findings.push(field.wrong_type("a word or a table", CONTENT_EXAMPLE));
        return None;
    };
    CONTENT_KEYS.check(&inner, findings);
    match inner.present(CONTENT_KEYS.known).as_slice() {
        [field] if field.key == "byte" => findings.keep(read_byte(field)),
        [field] => findings.keep(read_junk(field)),
        [] if inner.entries.is_empty() => {
            let message = "`content` does not say what the regions read as";
            let error = Diagnostic::error("missing-key", inner.span.clone(), message);
            findings.push(error.help(CONTENT_HELP));
            None
        }
        [] => None, // Said already, of whatever key there is.
        [_, second, ..] => {
            let message = "`content` is one thing, not several";
            let error = Diagnostic::error("conflicting-keys", second.key_span.clone(), message);
            findings.push(error.help(format!("keep one, as in `{BYTE_EXAMPLE}`")));
            None
        }
    }
}

fn content_of(field: &Field<'_>, word: &str) -> Read<Content> {
    match word {
        "zero" => Ok(Content::Zero),
        "junk" => Ok(Content::Junk(None)),
        "stale" => Ok(Content::Stale),
        other => Err(field
            .error("unknown-content", format!("there is no content `{other}`"))
            .label(did_you_mean(other, ["junk", "zero", "stale"]))
            .help(CONTENT_HELP)),
    }
}

fn read_byte(field: &Field<'_>) -> Read<Content> {
    match field.natural("byte = 0xFF")? {
        0 => Err(field
            .error("zero-value", "`byte` is 0: there is a word for that")
            .help("write `content = \"zero\"`")),
        byte @ 1..=255 => Ok(Content::Byte(byte as u8)),
        byte => Err(field
            .error("out-of-range", format!("a byte is from 1 to 255, not {byte}"))
            .help(format!("write it like `{BYTE_EXAMPLE}`"))),
    }
}

/// The key of junk, as ledgers write it: one spelling, 16 hexadecimal digits.
fn read_junk(field: &Field<'_>) -> Read<Content> {
    let example = "junk = \"00d1ce5eed5ca1ab\"";
    let text = field.text(example)?;
    let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let well = text.len() == 16 && text.chars().all(digits);
    let key = u64::from_str_radix(text, 16).ok().filter(|_| well);
    key.map(|key| Content::Junk(Some(key))).ok_or_else(|| {
        field.error("bad-key", format!("`{text}` is not a key of junk")).help(
            "keys are 16 hexadecimal digits in small letters, as ledgers have them; `content = \"junk\"` leaves the key to the seed",
        )
    })
}

fn read_region(field: &Field<'_>) -> Read<u32> {
    let bytes = field.size("region = \"4KiB\"")?;
    if REGION_SIZES.contains(&bytes) && bytes.is_power_of_two() {
        return Ok(bytes as u32);
    }
    let message = format!("regions have 512 bytes to 64 KiB, a power of two, not {bytes} bytes");
    let near = bytes.clamp(*REGION_SIZES.start(), *REGION_SIZES.end()).next_power_of_two();
    let help = format!("write `region = \"{}\"`, or another power of two", size::format(near));
    Err(field.error("out-of-range", message).help(help))
}

fn read_positions(field: &Field<'_>, shape: Shape, findings: &mut Findings) -> Vec<Position> {
    let items = findings.keep(field.many("a list of positions", REGIONS_EXAMPLE));
    let mut seen = BTreeSet::new();
    let mut positions = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(position) = read_position(&item, shape, findings) else {
            continue;
        };
        let number = position.byte / u64::from(shape.region);
        if !seen.insert((number, position.generation)) {
            let message = format!("the region of byte {} is listed twice", position.byte);
            findings.push(duplicate(&item, message));
        }
        positions.push((position, item.span()));
    }
    positions
}

fn read_position(
    item: &Field<'_>,
    shape: Shape,
    findings: &mut Findings,
) -> Option<RegionPosition> {
    let table = findings.keep(item.table(REGIONS_EXAMPLE))?;
    POSITION_KEYS.check(&table, findings);
    let byte = findings.keep(table.require("byte", "a position", REGIONS_EXAMPLE));
    let byte = findings.read(byte, |field| field.size("byte = 8192"));
    let generation = match table.get("generation") {
        Some(field) => {
            let read = read_generation(&field, shape.persistence, "region");
            findings.keep(read.and_then(|generation| shape.has_earlier(&field, generation)))
        }
        None => Some(shape.first()),
    };
    Some(RegionPosition { byte: byte?, generation: generation? })
}

//! Reads the faults that damage bytes, `bit_flip` and `bad_sector`, and what `corrupt` has in common
//! with them.
//!
//! Each says which bytes in exactly one way: by `rate`, by `count`, `at` given positions, or in
//! `clusters`.

use std::collections::BTreeSet;
use std::ops::Range;

use super::clusters;
use super::document::{Field, Findings, Keys, Read, Table, did_you_mean};
use super::fault::FaultRead;
use super::when::fraction;
use super::{BadSector, BitAmount, BitFlip, BitPosition, Fault, Persistence, SectorAmount};
use crate::diagnostic::Diagnostic;

pub(super) const BIT_FLIP_KEYS: Keys = Keys {
    of: "`bit_flip`",
    noun: "key",
    known: &["rate", "count", "at", "persistence", "on"],
    later: &[],
};

pub(super) const BAD_SECTOR_KEYS: Keys = Keys {
    of: "`bad_sector`",
    noun: "key",
    known: &["rate", "count", "at", "clusters", "sector"],
    later: &[],
};

pub(super) const POSITION_KEYS: Keys =
    Keys { of: "a position", noun: "key", known: &["byte", "bit", "generation"], later: &[] };

const AMOUNTS: &[&str] = &["rate", "count", "at"];
/// Of what lies in runs as well.
pub(super) const RUNNING_AMOUNTS: &[&str] = &["rate", "count", "at", "clusters"];
const BITS_EXAMPLE: &str = "at = [{ byte = 8192, bit = 3 }]";
const SECTORS_EXAMPLE: &str = "at = [8192]";

/// The sector size of a `bad_sector` that does not say.
const SECTOR_DEFAULT: u32 = 4096;

pub(super) fn read_bit_flip(table: &Table<'_>, findings: &mut Findings) -> FaultRead {
    BIT_FLIP_KEYS.check(table, findings);
    let persistence = read_persistence(table, findings);
    let mut at = Vec::new();
    let mut amount = None;
    for field in amounts(table, "`bit_flip`", AMOUNTS, findings) {
        amount = match field.key {
            "rate" => bit_rate(&field, findings).map(BitAmount::Rate),
            "count" => findings.keep(read_count(&field)).map(BitAmount::Count),
            _ => {
                let positions = read_bits(&field, persistence, findings);
                let byte = |(bit, span): &(BitPosition, Range<usize>)| (bit.byte, span.clone());
                at = positions.iter().map(byte).collect();
                let mut bits: Vec<_> = positions.into_iter().map(|(bit, _)| bit).collect();
                bits.sort_unstable();
                Some(BitAmount::At(bits))
            }
        };
    }
    let flip = |(amount, persistence)| Fault::BitFlip(BitFlip { amount, persistence });
    FaultRead {
        fault: amount.zip(persistence).map(flip),
        kind: Some("bit_flip"),
        of_stored_bytes: persistence.is_some_and(Persistence::is_stored),
        on_write: persistence == Some(Persistence::Written),
        at,
    }
}

pub(super) fn read_bad_sector(table: &Table<'_>, findings: &mut Findings) -> FaultRead {
    BAD_SECTOR_KEYS.check(table, findings);
    let sector = match table.get("sector") {
        Some(field) => findings.keep(read_sector(&field)),
        None => Some(SECTOR_DEFAULT),
    };
    let mut at = Vec::new();
    let mut amount = None;
    for field in amounts(table, "`bad_sector`", RUNNING_AMOUNTS, findings) {
        amount = match field.key {
            "rate" => fraction(&field, findings).map(SectorAmount::Rate),
            "count" => findings.keep(read_count(&field)).map(SectorAmount::Count),
            "clusters" => {
                clusters::read(&field, &clusters::OF_SECTORS, findings).map(SectorAmount::Clusters)
            }
            _ => {
                at = read_sectors(&field, sector.unwrap_or(SECTOR_DEFAULT), findings);
                let mut bytes: Vec<u64> = at.iter().map(|(byte, _)| *byte).collect();
                bytes.sort_unstable();
                Some(SectorAmount::At(bytes))
            }
        };
    }
    let bad = |(amount, sector)| Fault::BadSector(BadSector { amount, sector });
    FaultRead {
        fault: amount.zip(sector).map(bad),
        kind: Some("bad_sector"),
        of_stored_bytes: true,
        at,
        ..FaultRead::default()
    }
}

/// The amounts that are there; all but exactly one are reported.
pub(super) fn amounts<'a>(
    table: &Table<'a>,
    of: &str,
    known: &[&'static str],
    findings: &mut Findings,
) -> Vec<Field<'a>> {
    let present = table.present(known);
    let list = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match present.as_slice() {
        [_] => {}
        [] => {
            let message = format!("{of} does not say what is damaged");
            let error = Diagnostic::error("missing-key", table.span.clone(), message);
            findings.push(error.help(format!("write exactly one of {list}")));
        }
        [first, second, ..] => {
            let message = format!("{of} has both `{}` and `{}`", first.key, second.key);
            let error = Diagnostic::error("conflicting-keys", second.key_span.clone(), message);
            findings.push(error.help(format!("keep exactly one of {list}")));
        }
    }
    present
}

pub(super) fn read_count(field: &Field<'_>) -> Read<u64> {
    field.positive("nothing is damaged", "count = 1")
}

/// The persistence, or that it happens to what is written; `None` if either is there and wrong.
pub(super) fn read_persistence(table: &Table<'_>, findings: &mut Findings) -> Option<Persistence> {
    let on_write = match table.get("on") {
        Some(field) => findings.keep(read_on(&field))?,
        None => false,
    };
    match table.get("persistence") {
        Some(field) if on_write => {
            let message = "what is stored wrong is wrong until it is overwritten";
            let error = Diagnostic::error("conflicting-keys", field.key_span.clone(), message);
            findings.push(error.help("leave `persistence` out, or `on = \"write\"`"));
            None
        }
        Some(field) => findings.keep(read_lasting(&field)),
        None if on_write => Some(Persistence::Written),
        None => Some(Persistence::default()),
    }
}

/// Whether it happens to what is written, and not to what is read.
fn read_on(field: &Field<'_>) -> Read<bool> {
    match field.text("on = \"write\"")? {
        "read" => Ok(false),
        "write" => Ok(true),
        other => Err(field
            .error("unknown-way", format!("damage does not happen on `{other}`"))
            .label(did_you_mean(other, ["read", "write"]))
            .help("`read` is what programs are told, `write` what is stored")),
    }
}

fn read_lasting(field: &Field<'_>) -> Read<Persistence> {
    let word = field.text("persistence = \"sticky\"")?;
    Persistence::from_name(word).ok_or_else(|| {
        let names = Persistence::ALL.map(Persistence::name);
        field
            .error("unknown-persistence", format!("`{word}` is not a persistence"))
            .label(did_you_mean(word, names))
            .help("`transient` is this access only, `sticky` every read until the bytes are overwritten, `permanent` also after")
    })
}

fn read_sector(field: &Field<'_>) -> Read<u32> {
    match field.size("sector = \"4KiB\"")? {
        512 => Ok(512),
        4096 => Ok(4096),
        other => Err(field
            .error("out-of-range", format!("sectors have 512 or 4096 bytes, not {other}"))
            .help("write `sector = \"512B\"` or `sector = \"4KiB\"`")),
    }
}

fn read_bits(
    field: &Field<'_>,
    persistence: Option<Persistence>,
    findings: &mut Findings,
) -> Vec<(BitPosition, Range<usize>)> {
    let items = findings.keep(field.many("a list of positions", BITS_EXAMPLE));
    let mut seen = BTreeSet::new();
    let mut bits = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(bit) = read_bit(&item, persistence, findings) else {
            continue;
        };
        if !seen.insert(bit) {
            let message = format!("bit {} of byte {} is listed twice", bit.bit, bit.byte);
            findings.push(duplicate(&item, message));
        }
        bits.push((bit, item.span()));
    }
    bits
}

fn read_bit(
    item: &Field<'_>,
    persistence: Option<Persistence>,
    findings: &mut Findings,
) -> Option<BitPosition> {
    let table = findings.keep(item.table(BITS_EXAMPLE))?;
    POSITION_KEYS.check(&table, findings);
    let byte = findings.keep(table.require("byte", "a position", BITS_EXAMPLE));
    let byte = findings.read(byte, |field| field.size("byte = 8192"));
    let bit = findings.keep(table.require("bit", "a position", BITS_EXAMPLE));
    let bit = findings.read(bit, |field| read_bit_number(&field));
    let generation = match table.get("generation") {
        Some(field) => findings.keep(read_generation(&field, persistence, "flip")),
        None => Some(0),
    };
    Some(BitPosition { byte: byte?, bit: bit?, generation: generation? })
}

fn read_bit_number(field: &Field<'_>) -> Read<u8> {
    match field.natural("bit = 3")? {
        bit @ 0..=7 => Ok(bit as u8),
        bit => Err(field
            .error("bit-out-of-range", format!("a byte has no bit {bit}"))
            .help("bits are 0 (least significant) to 7; a later bit belongs to a later `byte`")),
    }
}

/// How often a byte has been overwritten; `what` is damaged, as messages call it.
pub(super) fn read_generation(
    field: &Field<'_>,
    persistence: Option<Persistence>,
    what: &str,
) -> Read<u32> {
    let generation = field.natural("generation = 0")?;
    if let Some(other) = persistence.filter(|one| *one != Persistence::Sticky) {
        let message = format!("a {} {what} has no generation", other.name());
        return Err(Diagnostic::error("generation-without-sticky", field.key_span.clone(), message)
            .help("only sticky damage belongs to one generation of a byte: remove `generation`, or write `persistence = \"sticky\"`"));
    }
    u32::try_from(generation).map_err(|_| {
        let message = format!("`generation` must be from 0 to {}, not {generation}", u32::MAX);
        field.error("out-of-range", message).help("it is how often the byte has been overwritten")
    })
}

fn read_sectors(
    field: &Field<'_>,
    sector: u32,
    findings: &mut Findings,
) -> Vec<(u64, Range<usize>)> {
    let items = findings.keep(field.many("a list of byte offsets", SECTORS_EXAMPLE));
    let mut seen = BTreeSet::new();
    let mut bytes = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(byte) = findings.keep(item.size(SECTORS_EXAMPLE)) else {
            continue;
        };
        if !seen.insert(byte / u64::from(sector)) {
            let message = format!("the sector of byte {byte} is listed twice");
            findings.push(duplicate(&item, message));
        }
        bytes.push((byte, item.span()));
    }
    bytes
}

pub(super) fn duplicate(item: &Field<'_>, message: String) -> Diagnostic {
    item.error("duplicate-position", message).help("remove one of them")
}

/// Bits a rate of which fills a ledger faster than it damages anything more: each is recorded.
const DENSE: f64 = 1e-3;

/// A rate of bits; a dense one is legal, and worth a word.
fn bit_rate(field: &Field<'_>, findings: &mut Findings) -> Option<f64> {
    let rate = fraction(field, findings)?;
    if rate > DENSE {
        let message = format!("{rate} of all bits: every one that is read gets into the ledger");
        let megabytes = (rate * 8.0 * 100.0).ceil();
        let help = format!(
            "about {megabytes} MB of ledger for each MB read; field studies find 1e-14 and less, \
             and 1e-6 damages every file of a megabyte"
        );
        findings.push(Diagnostic::warning("dense-rate", field.span(), message).help(help));
    }
    Some(rate)
}

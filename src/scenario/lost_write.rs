//! Reads the faults of writes that do not reach the medium: `lost_write` and `torn_write`.
//!
//! Both say of which part of a write they speak in the same way: all of it, or one block.

use std::ops::Range;

use super::document::{Field, Findings, Keys, Read, Table, did_you_mean};
use super::fault::FaultRead;
use super::{Fault, LostWrite, Rest, TornWrite, WritePart};
use crate::diagnostic::Diagnostic;

pub(super) const LOST_KEYS: Keys =
    Keys { of: "`lost_write`", noun: "key", known: &["block", "at"], later: &[] };

pub(super) const TORN_KEYS: Keys =
    Keys { of: "`torn_write`", noun: "key", known: &["keep", "rest", "block", "at"], later: &[] };

const BLOCK_EXAMPLE: &str = "block = \"4KiB\"";

/// What a drive writes at once, whatever is written: the unit of `keep`.
const SECTOR: u32 = 512;
/// What filesystems and drives with large sectors write at once.
const BLOCK: u32 = 4096;

pub(super) fn read_lost(table: &Table<'_>, findings: &mut Findings) -> FaultRead {
    LOST_KEYS.check(table, findings);
    let part = read_part(table, &[SECTOR, BLOCK], findings);
    let fault = part.map(|part| Fault::LostWrite(LostWrite { part }));
    FaultRead { fault, kind: Some("lost_write"), at: place(table, part), ..FaultRead::default() }
}

pub(super) fn read_torn(table: &Table<'_>, findings: &mut Findings) -> FaultRead {
    TORN_KEYS.check(table, findings);
    let part = read_part(table, &[BLOCK], findings);
    let rest = match table.get("rest") {
        Some(field) => findings.keep(read_rest(&field)),
        None => Some(Rest::Old),
    };
    let keep = match table.get("keep") {
        Some(field) => findings.keep(read_keep(&field, part)).map(Some),
        None => Some(None),
    };
    let torn = || Some(TornWrite { keep: keep?, rest: rest?, part: part? });
    let fault = torn().map(Fault::TornWrite);
    FaultRead { fault, kind: Some("torn_write"), at: place(table, part), ..FaultRead::default() }
}

/// The byte that names the block, and where it stands.
fn place(table: &Table<'_>, part: Option<WritePart>) -> Vec<(u64, Range<usize>)> {
    match (part, table.get("at")) {
        (Some(WritePart::Block { at: Some(byte), .. }), Some(field)) => vec![(byte, field.span())],
        _ => Vec::new(),
    }
}

fn read_part(table: &Table<'_>, sizes: &[u32], findings: &mut Findings) -> Option<WritePart> {
    let at = match table.get("at") {
        Some(field) => Some(findings.keep(field.size("at = \"8KiB\""))?),
        None => None,
    };
    match (table.get("block"), table.get("at")) {
        (Some(field), _) => {
            let size = findings.keep(read_block(&field, sizes))?;
            Some(WritePart::Block { size, at })
        }
        (None, Some(field)) => {
            let message = "`at` says which block, and there is no `block`";
            let error = Diagnostic::error("missing-key", field.key_span.clone(), message);
            findings.push(error.help(format!(
                "write `{BLOCK_EXAMPLE}` too; for the bytes themselves write `bytes` in `select`"
            )));
            None
        }
        (None, None) => Some(WritePart::Whole),
    }
}

fn read_block(field: &Field<'_>, sizes: &[u32]) -> Read<u32> {
    let bytes = field.size(BLOCK_EXAMPLE)?;
    let known = sizes.iter().copied().find(|size| u64::from(*size) == bytes);
    known.ok_or_else(|| {
        let (of, help) = match sizes {
            [_] => ("blocks that are torn have 4 KiB", format!("write `{BLOCK_EXAMPLE}`")),
            _ => (
                "blocks that are lost have 512 bytes or 4 KiB",
                format!("write `block = \"512B\"` or `{BLOCK_EXAMPLE}`"),
            ),
        };
        let help = format!("{help}, or leave `block` out for the whole write");
        field.error("out-of-range", format!("{of}, not {bytes} bytes")).help(help)
    })
}

fn read_rest(field: &Field<'_>) -> Read<Rest> {
    match field.text("rest = \"old\"")? {
        "old" => Ok(Rest::Old),
        "zero" => Ok(Rest::Zero),
        other => Err(field
            .error("unknown-content", format!("the rest of a write cannot be `{other}`"))
            .label(did_you_mean(other, ["old", "zero"]))
            .help("`old` is what was there before, `zero` is zeros")),
    }
}

/// Sectors of 512 bytes: of a block at least one must be missing.
fn read_keep(field: &Field<'_>, part: Option<WritePart>) -> Read<u64> {
    let keep = field.positive("that is a write that is lost: `lost_write`", "keep = 7")?;
    let all = match part {
        Some(WritePart::Block { size, .. }) => u64::from(size / SECTOR),
        _ => u64::MAX,
    };
    if keep < all {
        return Ok(keep);
    }
    let message = format!("a block has {all} sectors: with {keep} of them it is not torn");
    let help = format!("write `keep = {}` or less", all - 1);
    Err(field.error("out-of-range", message).help(help))
}

//! Reads the fault `misdirected`: one block of a read or write is that of another place.

use std::ops::Range;

use super::document::{Field, Findings, Keys, Read, Table};
use super::fault::FaultRead;
use super::{Fault, Misdirected};
use crate::diagnostic::Diagnostic;

pub(super) const KEYS: Keys =
    Keys { of: "`misdirected`", noun: "key", known: &["block", "at", "to"], later: &[] };

/// What filesystems and drives with large sectors write at once.
const BLOCK_DEFAULT: u32 = 4096;

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> FaultRead {
    KEYS.check(table, findings);
    let block = match table.get("block") {
        Some(field) => findings.keep(read_block(&field)),
        None => Some(BLOCK_DEFAULT),
    };
    let at = place(table.get("at"), "at = \"8KiB\"", findings);
    let to = place(table.get("to"), "to = \"64KiB\"", findings);
    let mut misdirected = block.map(|block| Misdirected {
        block,
        at: at.as_ref().map(|(byte, _)| *byte),
        to: to.as_ref().map(|(byte, _)| *byte),
    });
    if let (Some(Misdirected { block, at: Some(at), to: Some(to) }), Some((_, span))) =
        (misdirected, &to)
        && at / u64::from(block) == to / u64::from(block)
    {
        let message = "`to` is in the block of `at`: nothing is misdirected";
        let error = Diagnostic::error("same-place", span.clone(), message);
        findings.push(error.help("name a byte of another block, or leave `to` out"));
        misdirected = None;
    }
    FaultRead {
        fault: misdirected.map(Fault::Misdirected),
        kind: Some("misdirected"),
        at: at.into_iter().collect(),
        ..FaultRead::default()
    }
}

fn place(
    field: Option<Field<'_>>,
    example: &str,
    findings: &mut Findings,
) -> Option<(u64, Range<usize>)> {
    findings.read(field, |field| Ok((field.size(example)?, field.span())))
}

fn read_block(field: &Field<'_>) -> Read<u32> {
    match field.size("block = \"4KiB\"")? {
        512 => Ok(512),
        4096 => Ok(4096),
        other => Err(field
            .error(
                "out-of-range",
                format!("blocks that are misdirected have 512 bytes or 4 KiB, not {other} bytes"),
            )
            .help("write `block = \"512B\"` or `block = \"4KiB\"`")),
    }
}

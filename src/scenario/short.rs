//! Reads the fault `short`: how much less a read or write moves.

use super::document::{Field, Findings, Keys, Read, Table};
use super::{Fault, Short, ShortLength};
use crate::diagnostic::Diagnostic;

pub(super) const KEYS: Keys =
    Keys { of: "`short`", noun: "key", known: &["keep", "at_most", "multiple"], later: &[] };

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> Option<Fault> {
    KEYS.check(table, findings);
    let multiple = match table.get("multiple") {
        Some(field) => findings.keep(some_bytes(&field, "multiple = 512")),
        None => Some(1),
    };
    let length = read_length(table, multiple.unwrap_or(1), findings);
    Some(Fault::Short(Short { length: length?, multiple: multiple? }))
}

fn read_length(table: &Table<'_>, multiple: u64, findings: &mut Findings) -> Option<ShortLength> {
    let ways = table.present(&["keep", "at_most"]);
    if let [_, second] = ways.as_slice() {
        let message = "`keep` and `at_most` both say how much is moved";
        let error = Diagnostic::error("conflicting-keys", second.key_span.clone(), message);
        findings.push(error.help("keep one of them, or none: then the length is drawn"));
    }
    let read = |field: &Field<'_>| match field.key {
        "keep" => read_keep(field).map(ShortLength::Keep),
        _ => read_at_most(field, multiple).map(ShortLength::AtMost),
    };
    let lengths: Vec<_> = ways.iter().map(|field| findings.keep(read(field))).collect();
    lengths.first().copied().unwrap_or(Some(ShortLength::Drawn))
}

fn read_keep(field: &Field<'_>) -> Read<f64> {
    let keep = field.number("keep = 0.5")?;
    if keep > 0.0 && keep < 1.0 {
        return Ok(keep);
    }
    let message = format!("`keep` must be more than 0 and less than 1, not {keep:?}");
    Err(field
        .error("out-of-range", message)
        .help("it is the part that is moved: `keep = 0.5` moves half of what was asked for"))
}

fn read_at_most(field: &Field<'_>, multiple: u64) -> Read<u64> {
    let bytes = some_bytes(field, "at_most = \"4KiB\"")?;
    if bytes >= multiple {
        return Ok(bytes);
    }
    let message = format!("`at_most` is {bytes} bytes, and one `multiple` is {multiple}");
    Err(field.error("out-of-range", message).help("write more, or a smaller `multiple`"))
}

/// A size of at least one byte.
fn some_bytes(field: &Field<'_>, example: &str) -> Read<u64> {
    match field.size(example)? {
        0 => Err(field
            .error("zero-value", format!("`{}` is 0: at least one byte is moved", field.key))
            .help(format!("write it like `{example}`"))),
        bytes => Ok(bytes),
    }
}

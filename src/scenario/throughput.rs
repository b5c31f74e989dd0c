//! Reads the fault `throughput`: how many bytes pass in a second.

use super::document::{Field, Findings, Keys, Read, Table};
use super::{Fault, Throughput};

pub(super) const KEYS: Keys =
    Keys { of: "`throughput`", noun: "key", known: &["per_second", "burst"], later: &[] };

const EXAMPLE: &str = "per_second = \"10MiB\"";

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> Option<Fault> {
    KEYS.check(table, findings);
    let per_second = findings.keep(table.require("per_second", "`throughput`", EXAMPLE));
    let per_second = findings.read(per_second, |field| read_rate(&field));
    let burst = match table.get("burst") {
        Some(field) => findings.keep(field.size("burst = \"1MiB\"")),
        None => Some(0),
    };
    Some(Fault::Throughput(Throughput { per_second: per_second?, burst: burst? }))
}

fn read_rate(field: &Field<'_>) -> Read<u64> {
    match field.size(EXAMPLE)? {
        0 => Err(field
            .error("zero-value", "`per_second` is 0: nothing would ever pass")
            .help(format!("write it like `{EXAMPLE}`, or `[rule.fault.stall]`"))),
        bytes => Ok(bytes),
    }
}

//! Reads the fault `stall`: operations that are not answered.

use super::document::{Findings, Keys, Table};
use super::fault::positive;
use super::{Fault, Stall};

pub(super) const KEYS: Keys = Keys { of: "`stall`", noun: "key", known: &["for"], later: &[] };

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> Option<Fault> {
    KEYS.check(table, findings);
    let Some(field) = table.get("for") else {
        return Some(Fault::Stall(Stall { for_: None }));
    };
    let for_ = findings.keep(positive(&field, "nothing waits", "for = \"30s\""))?;
    Some(Fault::Stall(Stall { for_: Some(for_) }))
}

//! Reads the fault `space`: how much the mount holds.

use super::dead::errno_among;
use super::document::{Findings, Keys, Table};
use super::{Fault, Space};
use crate::errno::Errno;

pub(super) const KEYS: Keys =
    Keys { of: "`space`", noun: "key", known: &["capacity", "inodes", "errno"], later: &[] };

const EXAMPLE: &str = "capacity = \"64MiB\"";

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> Option<Fault> {
    KEYS.check(table, findings);
    let capacity = findings.keep(table.require("capacity", "`space`", EXAMPLE));
    let capacity = findings.read(capacity, |field| field.size(EXAMPLE));
    let inodes = findings.read(table.get("inodes"), |field| field.natural("inodes = 1000"));
    let errno = match table.get("errno") {
        Some(field) => findings.keep(errno_among(&field, &Space::ERRNOS)),
        None => Some(Errno::ENOSPC),
    };
    Some(Fault::Space(Space { capacity: capacity?, inodes, errno: errno? }))
}

//! The blocks that a workload touched, and how: what faults can be put where.
//!
//! CORDS' rule: of each file every block that was read, written or appended, each once, however often.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Record;

/// Bytes of a block, if nobody says otherwise; the only size that CORDS knows.
pub const BLOCK: u64 = 4096;

/// How a block was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Some of it was read.
    Read,
    /// Some of it was written, and the file reached into it before.
    Write,
    /// It was written beyond the end of the file.
    Append,
}

impl Access {
    /// Every access, in the order of reports.
    pub const ALL: [Access; 3] = [Access::Read, Access::Write, Access::Append];

    /// As campaign files and reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::Append => "append",
        }
    }
}

/// One block of one file, and how it was touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Touched {
    /// The file, as the trace has it.
    pub path: String,
    /// How.
    pub access: Access,
    /// Number of the block, from 0.
    pub block: u64,
}

/// Which bytes of a block were touched: from the first to the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where they begin in the block.
    pub first: u64,
    /// Where they end in the block.
    pub end: u64,
    /// Whether the block had been written by then: what was read was not there in the beginning.
    pub after_write: bool,
}

/// What a workload touched: each block once for each access.
pub fn touched<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    block: u64,
) -> BTreeMap<Touched, Extent> {
    let mut all: BTreeMap<Touched, Extent> = BTreeMap::new();
    let mut written: BTreeSet<(String, u64)> = BTreeSet::new();
    for record in records {
        follow_rename(record, &mut written);
        for (number, access) in accesses(record, block) {
            let path = record.path.clone();
            let after_write = written.contains(&(path.clone(), number));
            if access != Access::Read {
                written.insert((path.clone(), number));
            }
            let start = number * block;
            let end = record.offset.saturating_add(record.moved.unwrap_or(0));
            let (first, end) = (record.offset.max(start) - start, end.min(start + block) - start);
            let touched = Touched { path, access, block: number };
            let extent = all.entry(touched).or_insert(Extent { first, end, after_write });
            (extent.first, extent.end) = (extent.first.min(first), extent.end.max(end));
        }
    }
    all
}

/// What was written under one name is read under another.
fn follow_rename(record: &Record, written: &mut BTreeSet<(String, u64)>) {
    let (true, Some(to)) = (record.op == "rename" && record.errno.is_none(), &record.to) else {
        return;
    };
    let (moved, mut rest): (BTreeSet<_>, BTreeSet<_>) =
        std::mem::take(written).into_iter().partition(|(path, _)| *path == record.path);
    rest.retain(|(path, _)| path != to);
    rest.extend(moved.into_iter().map(|(_, block)| (to.clone(), block)));
    *written = rest;
}

fn accesses(record: &Record, block: u64) -> Vec<(u64, Access)> {
    let access = |number: u64| match (&*record.op, record.size) {
        ("read", _) => Access::Read,
        (_, Some(size)) if number * block >= size => Access::Append,
        _ => Access::Write,
    };
    match (&*record.op, record.moved) {
        ("read" | "write", Some(moved @ 1..)) => {
            let last = record.offset.saturating_add(moved - 1) / block;
            (record.offset / block..=last).map(|number| (number, access(number))).collect()
        }
        _ => Vec::new(),
    }
}

/// How many experiments CORDS would make of it: of each block three for a read (EIO, zeros, junk), one
/// for a write (EIO), two for an append (EIO, ENOSPC).
pub fn cords_count(touched: &BTreeMap<Touched, Extent>) -> u64 {
    let experiments = |touched: &Touched| match touched.access {
        Access::Read => 3,
        Access::Write => 1,
        Access::Append => 2,
    };
    touched.keys().map(experiments).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::from_cords;

    fn count(text: &str) -> u64 {
        cords_count(&touched(&from_cords(text.as_bytes()).unwrap().records, BLOCK))
    }

    #[test]
    fn the_count_is_that_of_cords() {
        assert_eq!(count("/f\tr\t0\t4096\n"), 3);
        assert_eq!(count("/f\tr\t0\t4096\n/f\tr\t0\t100\n"), 3, "each block once");
        assert_eq!(count("/f\tr\t4000\t200\n"), 6, "both blocks of a range");
        assert_eq!(count("/f\tr\t0\t1\n/f\tw\t0\t1\n/f\ta\t4096\t1\n"), 3 + 1 + 2);
        assert_eq!(count("/f\tr\t0\t1\n/g\tr\t0\t1\nrename\t/f\t/g\n"), 6);
        assert_eq!(count("/f\tr\t0\t0\n"), 0);
    }

    #[test]
    fn a_write_appends_the_blocks_that_were_not_there() {
        let write = |size| Record {
            op: "write".into(),
            offset: 4000,
            moved: Some(5000),
            size: Some(size),
            ..Record::default()
        };
        let kinds = |size| accesses(&write(size), BLOCK);
        use Access::{Append, Write};
        assert_eq!(kinds(0), [(0, Append), (1, Append), (2, Append)]);
        assert_eq!(kinds(1), [(0, Write), (1, Append), (2, Append)]);
        assert_eq!(kinds(9000), [(0, Write), (1, Write), (2, Write)]);
    }

    #[test]
    fn what_is_read_after_a_write_is_told_also_by_its_new_name() {
        let text = "/t\ta\t0\t10\nrename\t/t\t/f\n/f\tr\t0\t10\n/g\tr\t0\t10\n/g\tw\t0\t1\n";
        let touched = touched(&from_cords(text.as_bytes()).unwrap().records, BLOCK);
        let after = |path: &str| {
            let read = Touched { path: path.into(), access: Access::Read, block: 0 };
            touched[&read].after_write
        };
        assert!(after("/f") && !after("/g"));
    }
}

//! Reads the fault `metadata`: what is told of files is wrong.

use super::dead::errno_among;
use super::document::{Field, Findings, Keys, Read, Table};
use super::preset::word;
use super::size::OFFSET_MAX;
use super::when::fraction;
use super::{EntryFault, Fault, Metadata, XattrFault};
use crate::diagnostic::Diagnostic;
use crate::errno::Errno;

const WRONG: &[&str] = &["size", "mtime", "mode", "nlink", "entry", "target", "xattr", "open"];

pub(super) const KEYS: Keys = Keys {
    of: "`metadata`",
    noun: "key",
    known: &["rate", "size", "mtime", "mode", "nlink", "entry", "target", "xattr", "open"],
    later: &[],
};

/// Longer ones no filesystem keeps.
const TARGET_MAX: usize = 4095;

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> Option<Fault> {
    KEYS.check(table, findings);
    let errors = findings.errors();
    if table.present(WRONG).is_empty() {
        let message = "`metadata` does not say what is wrong";
        let error = Diagnostic::error("missing-key", table.span.clone(), message);
        findings.push(error.help(format!("write at least one of: {}", WRONG.join(", "))));
    }
    let rate = table.get("rate").map_or(Some(1.0), |field| fraction(&field, findings));
    let mut number =
        |key, bound, example| findings.read(table.get(key), |field| below(&field, bound, example));
    let mtime = number("mtime", OFFSET_MAX, "mtime = 86400");
    let mode = number("mode", 0o7777, "mode = 0o444");
    let nlink = number("nlink", u64::from(u32::MAX), "nlink = 2");
    let metadata = Metadata {
        rate: rate?,
        size: findings.read(table.get("size"), |field| field.size("size = 0")),
        mtime,
        mode: mode.map(|mode| mode as u16),
        nlink: nlink.map(|nlink| nlink as u32),
        entry: findings.read(table.get("entry"), |field| {
            word(&field, ("entry", "unknown-entry"), &EntryFault::ALL, EntryFault::name)
        }),
        target: findings.read(table.get("target"), |field| target(&field)),
        xattr: findings.read(table.get("xattr"), |field| {
            word(&field, ("content", "unknown-content"), &XattrFault::ALL, XattrFault::name)
        }),
        open: findings.read(table.get("open"), |field| read_open(&field)),
    };
    (findings.errors() == errors).then(|| Fault::Metadata(Box::new(metadata)))
}

fn below(field: &Field<'_>, bound: u64, example: &str) -> Read<u64> {
    let number = field.natural(example)?;
    if number <= bound {
        return Ok(number);
    }
    let message = match field.key {
        "mode" => format!("permission bits go up to 0o7777, and this is {number:#o}"),
        key => format!("`{key}` goes up to {bound}, and this is {number}"),
    };
    Err(field.error("out-of-range", message).help(format!("write it like `{example}`")))
}

/// What opening a damaged file fails with. Not ENOSYS, after which the kernel never asks again.
fn read_open(field: &Field<'_>) -> Read<Errno> {
    const NAMES: [&str; 6] = ["EIO", "ENOENT", "EACCES", "EUCLEAN", "EBADMSG", "ESTALE"];
    let errnos: Vec<Errno> = NAMES.iter().filter_map(|name| Errno::from_name(name)).collect();
    errno_among(field, &errnos)
}

fn target(field: &Field<'_>) -> Read<String> {
    let text = field.text("target = \"nowhere\"")?;
    if text.is_empty() || text.len() > TARGET_MAX || text.contains('\0') {
        let message = format!("a link leads to 1 to {TARGET_MAX} bytes, none of them zero");
        let error = field.error("out-of-range", message);
        return Err(error.help("write it like `target = \"nowhere\"`"));
    }
    Ok(text.to_owned())
}

//! Reads the fault `dead`: a device that is gone, for good, for a while, or now and then.

use super::document::{Field, Findings, Keys, Read, Table};
use super::fault::{positive, read_errno};
use super::{Dead, Fault, Flap};
use crate::diagnostic::Diagnostic;
use crate::errno::Errno;

pub(super) const KEYS: Keys =
    Keys { of: "`dead`", noun: "key", known: &["errno", "for", "down", "up"], later: &[] };

const FLAP_EXAMPLE: &str = "down = \"1s\"` and `up = \"5s\"";

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> Option<Fault> {
    KEYS.check(table, findings);
    let errno = match table.get("errno") {
        Some(field) => findings.keep(errno_among(&field, &Dead::ERRNOS)),
        None => Some(Errno::EIO),
    };
    let for_ =
        findings.read(table.get("for"), |field| positive(&field, "nothing fails", "for = \"30s\""));
    let flap = read_flap(table, findings);
    Some(Fault::Dead(Dead { errno: errno?, for_, flap }))
}

fn read_flap(table: &Table<'_>, findings: &mut Findings) -> Option<Flap> {
    let (down, up) = (table.get("down"), table.get("up"));
    if let (Some(one), None) | (None, Some(one)) = (&down, &up) {
        let missing = if one.key == "up" { "down" } else { "up" };
        let message = format!("`{}` needs `{missing}`", one.key);
        let error = Diagnostic::error("missing-key", one.key_span.clone(), message);
        findings.push(error.help(format!("write `{FLAP_EXAMPLE}`")));
    }
    let down = findings.read(down, |field| positive(&field, "nothing fails", "down = \"1s\""));
    let up = findings.read(up, |field| positive(&field, "it never comes back", "up = \"5s\""));
    Some(Flap { down: down?, up: up? })
}

/// One of the errors that a fault may have.
pub(super) fn errno_among(field: &Field<'_>, among: &[Errno]) -> Read<Errno> {
    let errno = read_errno(field)?;
    if among.contains(&errno) {
        return Ok(errno);
    }
    let names: Vec<_> = among.iter().map(|errno| errno.name()).collect();
    let message = format!("`{}` is not an error that this fault has", errno.name());
    let help =
        format!("errors of it are: {}; write `[rule.fault.error]` for others", names.join(", "));
    Err(field.error("irrelevant-errno", message).help(help))
}

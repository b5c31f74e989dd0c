//! Reads `fault`: what happens. One table a kind; the damage of stored bytes is in `damage`.
//!
//! Whether a fault goes with its `select` and `when` is the business of `rule`.

use std::ops::Range;
use std::time::Duration;

use super::corrupt;
use super::damage;
use super::dead;
use super::distribution;
use super::document::{Field, Findings, Keys, Read, Table, did_you_mean};
use super::fsync;
use super::lost_write;
use super::{ErrorFault, Fault};
use super::{metadata, misdirected, power_cut};
use super::{short, space, stall, throughput};
use crate::diagnostic::Diagnostic;
use crate::errno::{ERRNOS, Errno};
use crate::op::{OpKind, OpSet};

pub(super) const KINDS: Keys = Keys {
    of: "`fault`",
    noun: "fault",
    known: &[
        "bit_flip",
        "corrupt",
        "error",
        "bad_sector",
        "latency",
        "stall",
        "dead",
        "readonly",
        "short",
        "space",
        "throughput",
        "lost_write",
        "torn_write",
        "fsync",
        "misdirected",
        "metadata",
        "kill",
        "power_cut",
    ],
    later: &[],
};

pub(super) const ERROR_KEYS: Keys =
    Keys { of: "`error`", noun: "key", known: &["errno"], later: &[] };

pub(super) const READONLY_KEYS: Keys =
    Keys { of: "`readonly`", noun: "key", known: &[], later: &[] };

pub(super) const KILL_KEYS: Keys = Keys { of: "`kill`", noun: "key", known: &[], later: &[] };

const ERROR_EXAMPLE: &str = "fault = { error = { errno = \"EIO\" } }";

/// A `fault`, as far as it could be read, and where its parts stand.
#[derive(Debug, Default)]
pub(super) struct FaultRead {
    pub(super) fault: Option<Fault>,
    /// The key of the kind, even if its table is wrong.
    pub(super) kind: Option<&'static str>,
    /// Whether it damages stored bytes, whatever the number of accesses.
    pub(super) of_stored_bytes: bool,
    /// Whether it happens to what is written, though its kind is one of reads.
    pub(super) on_write: bool,
    /// Each position of `at`, with the byte that it names.
    pub(super) at: Vec<(u64, Range<usize>)>,
}

/// Faults that stay once they have begun.
pub(super) const LASTING: &[&str] = &["dead", "readonly"];

/// Faults that are a limit, which all accesses meet.
pub(super) const LIMITS: &[&str] = &["space", "throughput"];

impl FaultRead {
    /// The operations that it can concern.
    pub(super) fn concerns(&self) -> OpSet {
        match (self.kind, self.on_write) {
            (_, true) => OpSet::EMPTY.with(OpKind::Write),
            (Some(kind), false) => concerns(kind),
            (None, false) => OpSet::ALL,
        }
    }
}

/// The operations that a kind of fault can concern.
fn concerns(kind: &str) -> OpSet {
    let read = OpSet::EMPTY.with(OpKind::Read);
    match kind {
        "bit_flip" | "corrupt" => read,
        "bad_sector" | "short" | "throughput" | "misdirected" => read.with(OpKind::Write),
        "readonly" => OpSet::CHANGING,
        "metadata" => OpSet::TELLING,
        "space" => OpSet::MAKING
            .with(OpKind::Write)
            .with(OpKind::Setattr)
            .with(OpKind::Fallocate)
            .with(OpKind::Statfs),
        // The kernel drops what these answer, and waits for none of them: nobody would see it.
        "error" | "stall" | "dead" | "kill" | "power_cut" => {
            OpSet::ALL.without(OpKind::Release).without(OpKind::Releasedir)
        }
        "fsync" => OpSet::EMPTY.with(OpKind::Fsync),
        "lost_write" | "torn_write" => OpSet::EMPTY.with(OpKind::Write),
        _ => OpSet::ALL,
    }
}

pub(super) fn read(rule: &Table<'_>, findings: &mut Findings) -> FaultRead {
    let field = rule.require("fault", "a rule", "[rule.fault.bit_flip]");
    let table = findings.keep(field.and_then(|field| field.table(ERROR_EXAMPLE)));
    let Some(table) = table else {
        return FaultRead::default();
    };
    KINDS.check(&table, findings);
    let kinds = table.present(KINDS.known);
    if table.entries.is_empty() {
        let message = "`fault` does not say what happens";
        let error = Diagnostic::error("missing-key", table.span.clone(), message);
        findings.push(error.help(format!("faults are: {}", KINDS.known.join(", "))));
    }
    if let [first, second, ..] = kinds.as_slice() {
        let (one, other) = (first.key, second.key);
        let message = format!("a rule has one fault, and this one has `{one}` and `{other}`");
        let error = Diagnostic::error("several-faults", second.key_span.clone(), message);
        findings.push(error.help("write a rule for each fault"));
    }
    let mut faults = kinds.iter().map(|field| read_kind(field, findings));
    let first = faults.next().unwrap_or_default();
    faults.for_each(drop); // The others are read for the mistakes in them.
    first
}

fn read_kind(field: &Field<'_>, findings: &mut Findings) -> FaultRead {
    let example = format!("[rule.fault.{}]", field.key);
    let Some(inner) = findings.keep(field.table(&example)) else {
        return FaultRead::default();
    };
    match field.key {
        "bit_flip" => damage::read_bit_flip(&inner, findings),
        "corrupt" => corrupt::read(&inner, findings),
        "bad_sector" => damage::read_bad_sector(&inner, findings),
        "error" => plain("error", read_error(&inner, findings)),
        "stall" => plain("stall", stall::read(&inner, findings)),
        "dead" => plain("dead", dead::read(&inner, findings)),
        "short" => plain("short", short::read(&inner, findings)),
        "throughput" => plain("throughput", throughput::read(&inner, findings)),
        "space" => plain("space", space::read(&inner, findings)),
        "readonly" => {
            READONLY_KEYS.check(&inner, findings);
            plain("readonly", Some(Fault::Readonly))
        }
        "kill" => {
            KILL_KEYS.check(&inner, findings);
            plain("kill", Some(Fault::Kill))
        }
        "lost_write" => lost_write::read_lost(&inner, findings),
        "torn_write" => lost_write::read_torn(&inner, findings),
        "fsync" => fsync::read(&inner, findings),
        "misdirected" => misdirected::read(&inner, findings),
        "metadata" => FaultRead {
            of_stored_bytes: true,
            ..plain("metadata", metadata::read(&inner, findings))
        },
        "power_cut" => plain("power_cut", power_cut::read(&inner, findings)),
        _ => plain("latency", distribution::read_latency(&inner, findings)),
    }
}

fn plain(kind: &'static str, fault: Option<Fault>) -> FaultRead {
    FaultRead { fault, kind: Some(kind), ..FaultRead::default() }
}

fn read_error(table: &Table<'_>, findings: &mut Findings) -> Option<Fault> {
    ERROR_KEYS.check(table, findings);
    let field = findings.keep(table.require("errno", "`error`", "errno = \"EIO\""))?;
    let errno = findings.keep(read_errno(&field))?;
    if errno == Errno::ENOSYS {
        let message = "the kernel takes ENOSYS to mean that the mount has no such operation";
        let warning = Diagnostic::warning("errno-is-remembered", field.span(), message)
            .label("it may never ask again, for any file, until the mount ends");
        findings.push(warning.help("write `errno = \"EOPNOTSUPP\"` for an error that passes"));
    }
    Some(Fault::Error(ErrorFault { errno }))
}

pub(super) fn read_errno(field: &Field<'_>) -> Read<Errno> {
    let name = field.text("errno = \"EIO\"")?;
    Errno::from_name(name).ok_or_else(|| {
        let names = ERRNOS.iter().map(|(name, _)| *name);
        field
            .error("unknown-errno", format!("`{name}` is not an error of Linux"))
            .label(did_you_mean(name, names))
            .help("errors are written by name, as in errno(3): EIO, ENOSPC, EROFS, ETIMEDOUT, ...")
    })
}

/// A duration of more than zero. `why` says what zero would mean.
pub(super) fn positive(field: &Field<'_>, why: &str, example: &str) -> Read<Duration> {
    let duration = field.duration(example)?;
    if duration.is_zero() {
        let message = format!("`{}` is zero: {why}", field.key);
        let help = format!("write it like `{example}`, or remove the rule");
        return Err(field.error("zero-duration", message).help(help));
    }
    Ok(duration)
}

//! Reads `fault`: what happens. One table a kind; the damage of stored bytes is in `damage`.
//!
//! Whether a fault goes with its `select` and `when` is the business of `rule`.

use std::ops::Range;
use std::time::Duration;

use super::corrupt;
use super::damage;
use super::dead;
use super::document::{Field, Findings, Keys, Read, Table, did_you_mean};
use super::fsync;
use super::lost_write;
use super::model::{Distribution, ErrorFault, Fault, Latency};
use super::{short, space, stall, throughput};
use crate::diagnostic::Diagnostic;
use crate::errno::{ERRNOS, Errno};
use crate::op::{OpKind, OpSet};

const KINDS: Keys = Keys {
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
    ],
    later: &["misdirected", "power_cut", "metadata", "kill"],
};

const ERROR_KEYS: Keys = Keys { of: "`error`", noun: "key", known: &["errno"], later: &[] };

const LATENCY_KEYS: Keys =
    Keys { of: "`latency`", noun: "key", known: &["distribution"], later: &[] };

const READONLY_KEYS: Keys = Keys { of: "`readonly`", noun: "key", known: &[], later: &[] };

const DISTRIBUTIONS: Keys = Keys {
    of: "`distribution`",
    noun: "distribution",
    known: &["constant", "uniform", "lognormal"],
    later: &["normal", "pareto", "empirical", "quantised"],
};

const UNIFORM_KEYS: Keys =
    Keys { of: "`uniform`", noun: "key", known: &["from", "to"], later: &[] };

const LOGNORMAL_KEYS: Keys =
    Keys { of: "`lognormal`", noun: "key", known: &["median", "sigma"], later: &[] };

const ERROR_EXAMPLE: &str = "fault = { error = { errno = \"EIO\" } }";
const LATENCY_EXAMPLE: &str = "distribution = { constant = \"5ms\" }";
const UNIFORM_EXAMPLE: &str = "uniform = { from = \"1ms\", to = \"9ms\" }";
const LOGNORMAL_EXAMPLE: &str = "lognormal = { median = \"20ms\", sigma = 1.2 }";

/// A `fault`, as far as it could be read, and where its parts stand.
#[derive(Debug, Default)]
pub(super) struct FaultRead {
    pub(super) fault: Option<Fault>,
    /// The key of the kind, even if its table is wrong.
    pub(super) kind: Option<&'static str>,
    /// Whether it damages stored bytes, whatever the number of accesses.
    pub(super) of_stored_bytes: bool,
    /// Each position of `at`, with the byte that it names.
    pub(super) at: Vec<(u64, Range<usize>)>,
}

/// Faults that stay once they have begun.
pub(super) const LASTING: &[&str] = &["dead", "readonly"];

/// Faults that are a limit, which all accesses meet.
pub(super) const LIMITS: &[&str] = &["space", "throughput"];

/// The operations that a kind of fault can concern.
pub(super) fn concerns(kind: &str) -> OpSet {
    let read = OpSet::EMPTY.with(OpKind::Read);
    match kind {
        "bit_flip" | "corrupt" => read,
        "bad_sector" | "short" | "throughput" => read.with(OpKind::Write),
        "readonly" => OpSet::CHANGING,
        "space" => OpSet::MAKING
            .with(OpKind::Write)
            .with(OpKind::Setattr)
            .with(OpKind::Fallocate)
            .with(OpKind::Statfs),
        // The kernel drops what these answer, and waits for none of them: nobody would see it.
        "error" | "stall" | "dead" => {
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
        "lost_write" => lost_write::read_lost(&inner, findings),
        "torn_write" => lost_write::read_torn(&inner, findings),
        "fsync" => fsync::read(&inner, findings),
        _ => plain("latency", read_latency(&inner, findings)),
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

fn read_latency(table: &Table<'_>, findings: &mut Findings) -> Option<Fault> {
    LATENCY_KEYS.check(table, findings);
    let field = table.require("distribution", "`latency`", LATENCY_EXAMPLE);
    let field = findings.keep(field)?;
    let inner = findings.keep(field.table(LATENCY_EXAMPLE))?;
    DISTRIBUTIONS.check(&inner, findings);
    let distribution = read_distribution(&inner, findings)?;
    Some(Fault::Latency(Latency { distribution }))
}

fn read_distribution(table: &Table<'_>, findings: &mut Findings) -> Option<Distribution> {
    let kinds = table.present(DISTRIBUTIONS.known);
    if table.entries.is_empty() {
        let message = "`distribution` does not say how late the answer is";
        let error = Diagnostic::error("missing-key", table.span.clone(), message);
        findings.push(error.help(format!("write it like `{LATENCY_EXAMPLE}`")));
    }
    if let [_, second, ..] = kinds.as_slice() {
        let message = "`distribution` is one kind, not several";
        let error = Diagnostic::error("conflicting-keys", second.key_span.clone(), message);
        findings.push(error.help(format!("keep one, as in `{LATENCY_EXAMPLE}`")));
    }
    let read = |field| read_distribution_kind(field, findings);
    kinds.iter().map(read).fold(None, Option::or)
}

fn read_distribution_kind(field: &Field<'_>, findings: &mut Findings) -> Option<Distribution> {
    match field.key {
        "constant" => {
            let delay = positive_duration(field, "constant = \"5ms\"");
            findings.keep(delay).map(Distribution::Constant)
        }
        "uniform" => read_uniform(field, findings),
        _ => read_lognormal(field, findings),
    }
}

fn positive_duration(field: &Field<'_>, example: &str) -> Read<Duration> {
    positive(field, "nothing is delayed", example)
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

fn read_uniform(field: &Field<'_>, findings: &mut Findings) -> Option<Distribution> {
    let table = findings.keep(field.table(UNIFORM_EXAMPLE))?;
    UNIFORM_KEYS.check(&table, findings);
    let from = findings.keep(table.require("from", "`uniform`", UNIFORM_EXAMPLE));
    let to = findings.keep(table.require("to", "`uniform`", UNIFORM_EXAMPLE));
    let from = findings.read(from, |field| field.duration("from = \"1ms\""));
    let span = to.as_ref().map(Field::span);
    let to = findings.read(to, |field| field.duration("to = \"9ms\""));
    let (from, to, span) = (from?, to?, span?);
    if from >= to {
        let message = "`to` must be longer than `from`";
        let error = Diagnostic::error("inverted-range", span, message);
        findings.push(
            error.help("exchange them, or write `constant` for a delay that is always the same"),
        );
        return None;
    }
    Some(Distribution::Uniform { from, to })
}

fn read_lognormal(field: &Field<'_>, findings: &mut Findings) -> Option<Distribution> {
    let table = findings.keep(field.table(LOGNORMAL_EXAMPLE))?;
    LOGNORMAL_KEYS.check(&table, findings);
    let median = findings.keep(table.require("median", "`lognormal`", LOGNORMAL_EXAMPLE));
    let sigma = findings.keep(table.require("sigma", "`lognormal`", LOGNORMAL_EXAMPLE));
    let median = findings.read(median, |field| positive_duration(&field, "median = \"20ms\""));
    let sigma = findings.read(sigma, |field| read_sigma(&field));
    Some(Distribution::Lognormal { median: median?, sigma: sigma? })
}

/// Beyond this the tail is centuries long: `exp(8 * 10)` medians at eight deviations.
const SIGMA_MAX: f64 = 10.0;

fn read_sigma(field: &Field<'_>) -> Read<f64> {
    let sigma = field.number("sigma = 1.2")?;
    if sigma > 0.0 && sigma <= SIGMA_MAX {
        return Ok(sigma);
    }
    let message = format!("`sigma` must be more than 0 and at most {SIGMA_MAX}, not {sigma}");
    Err(field
        .error("out-of-range", message)
        .help("it is the deviation of the natural logarithm: 0.1 is steady, 1.2 has a long tail; for a fixed delay write `constant`"))
}

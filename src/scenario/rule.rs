//! Reads one rule, and refuses parts that do not go together.
//!
//! What several rules do to each other is the business of `conflict`.

use std::ops::Range;

use super::document::{Field, Findings, Keys, Read, Table};
use super::fault::{self, FaultRead};
use super::select::{self, BYTE_OPS, SelectRead};
use super::when::{self, WhenRead};
use super::{Rule, When, power_cut};
use crate::diagnostic::Diagnostic;
use crate::op::{OpKind, OpSet};

pub(super) const KEYS: Keys = Keys {
    of: "a rule",
    noun: "key",
    known: &["name", "domain", "select", "when", "fault"],
    later: &[],
};

/// A rule, as far as it could be read, and where its parts stand.
#[derive(Debug)]
pub(super) struct RuleRead {
    /// The name, even if the rest is wrong.
    pub(super) name: Option<(String, Range<usize>)>,
    /// The rule, if nothing in it is wrong.
    pub(super) rule: Option<Rule>,
    /// Each position of `at`, with the byte that it names.
    pub(super) at: Vec<(u64, Range<usize>)>,
    /// The rule that it waits for, even if the rest is wrong.
    pub(super) event: Option<(String, Range<usize>)>,
}

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> RuleRead {
    let errors_before = findings.errors();
    KEYS.check(table, findings);
    let name = table.require("name", "a rule", "name = \"one-flip\"");
    let name = findings.keep(name.and_then(|field| {
        let text = read_name(&field, "name = \"one-flip\"")?;
        Ok((text, field.span()))
    }));
    let domain = table.get("domain");
    let domain = findings.read(domain, |field| read_name(&field, "domain = \"controller-1\""));
    let mut select = select::read(table.get("select"), findings);
    let when = when::read(table.get("when"), findings);
    let fault = fault::read(table, findings);
    check_ops(&select, &fault, findings);
    check_bytes(&select, &fault, findings);
    check_when(&when, &fault, findings);
    check_once(&when, &fault, findings);
    check_limit(&when, &fault, findings);
    check_whole(table.get("select"), &fault, findings);
    if fault.kind == Some("power_cut") {
        power_cut::check_trigger(table, &when, findings);
    }
    if let Some(kind) = fault.kind {
        narrow_ops(&mut select, kind, fault.concerns());
    }
    let event = when.when.after_event.clone().zip(when.event.clone());
    let complete = findings.errors() == errors_before;
    let rule = name.clone().zip(fault.fault).filter(|_| complete);
    RuleRead {
        rule: rule.map(|((name, _), fault)| Rule {
            name,
            domain,
            select: select.select,
            when: when.when,
            fault,
        }),
        name,
        at: fault.at,
        event,
    }
}

/// A name that people read in ledgers, reports and messages.
pub(super) fn read_name(field: &Field<'_>, example: &str) -> Read<String> {
    let text = field.text(example)?;
    if text.trim().is_empty() {
        let error = field.error("empty-name", "the name is empty");
        return Err(error.help(format!("write it like `{example}`")));
    }
    if text != text.trim() || text.contains(char::is_control) {
        let message = "names have no control characters, and no spaces at their ends";
        let error = field.error("bad-name", message);
        return Err(error.help(format!("write it like `{example}`")));
    }
    Ok(text.into())
}

/// Refuses operations that the fault, or the range of bytes, can never concern.
fn check_ops(select: &SelectRead, fault: &FaultRead, findings: &mut Findings) {
    let Some(kind) = fault.kind else { return };
    let concerned = fault.concerns();
    for word in &select.ops {
        if word.set.intersection(concerned).is_empty() {
            let message = format!("`{kind}` never concerns `{}`", word.word);
            let help = match word.word.as_str() {
                "release" | "releasedir" => "the kernel drops what it answers; an error of \
                     close(2) is one of `flush`"
                    .to_owned(),
                _ => format!("`{kind}` concerns: {}", names(concerned)),
            };
            findings
                .push(Diagnostic::error("irrelevant-op", word.span.clone(), message).help(help));
        } else if has_bytes(kind)
            && select.bytes_span.is_some()
            && word.set.intersection(BYTE_OPS).is_empty()
        {
            let message = format!("`{}` concerns no bytes, so `bytes` never selects it", word.word);
            let help = format!("remove `bytes`, or select among: {}", names(BYTE_OPS));
            findings
                .push(Diagnostic::error("irrelevant-op", word.span.clone(), message).help(help));
        }
    }
}

/// Whether `bytes` selects operations, and not what a fault of one without bytes concerns: the
/// pages that an fsync writes back.
fn has_bytes(kind: &str) -> bool {
    kind != "fsync"
}

fn names(set: OpSet) -> String {
    set.iter().map(OpKind::name).collect::<Vec<_>>().join(", ")
}

/// Leaves only what the fault and the range can concern, so that a group of operations, or no
/// `ops` at all, never reaches further than the rule means.
fn narrow_ops(select: &mut SelectRead, kind: &str, concerned: OpSet) {
    let ops = &mut select.select.ops;
    if has_bytes(kind) && select.select.bytes.is_some() && !BYTE_OPS.is_superset(concerned) {
        *ops = Some(ops.unwrap_or(OpSet::ALL).intersection(BYTE_OPS));
    }
    *ops = ops.map(|ops| ops.intersection(concerned));
}

/// Refuses positions outside the selected bytes.
fn check_bytes(select: &SelectRead, fault: &FaultRead, findings: &mut Findings) {
    let Some(bytes) = &select.select.bytes else {
        return;
    };
    for (byte, span) in fault.at.iter().filter(|(byte, _)| !bytes.contains(byte)) {
        let message = format!("byte {byte} is outside of `bytes`: it is never damaged");
        let error = Diagnostic::error("outside-bytes", span.clone(), message);
        findings
            .push(error.help("move the position, or leave `bytes` out: `at` is exact by itself"));
    }
}

/// Refuses conditions that pick accesses for a limit that all of them meet.
fn check_limit(when: &WhenRead, fault: &FaultRead, findings: &mut Findings) {
    let Some(kind) = fault.kind.filter(|kind| fault::LIMITS.contains(kind)) else {
        return;
    };
    for (key, span) in &when.by_access {
        let message = format!("`{key}` picks accesses, and `{kind}` is a limit for all of them");
        findings.push(
            Diagnostic::error("access-trigger-on-limit", span.clone(), message)
                .help("`after`, `for`, `cycle` and `after_event` say when it holds"),
        );
    }
}

/// Refuses a selection for what is a property of the whole mount.
fn check_whole(select: Option<Field<'_>>, fault: &FaultRead, findings: &mut Findings) {
    if let (Some(select), Some(kind @ "space")) = (select, fault.kind) {
        let message = format!("`{kind}` is a property of the whole mount, and selects nothing");
        let error = Diagnostic::error("whole-mount", select.key_span, message);
        findings.push(error.help("leave `select` out"));
    }
}

/// Refuses conditions of more than one fire on what stays once it has begun.
fn check_once(when: &WhenRead, fault: &FaultRead, findings: &mut Findings) {
    let Some(kind) = fault.kind.filter(|kind| fault::LASTING.contains(kind)) else {
        return;
    };
    let When { nth, times, probability, .. } = &when.when;
    let listed = nth.len() > 1 && probability.is_none();
    let many = [("nth", listed), ("times", times.is_some_and(|times| times > 1))];
    for (key, span) in when.by_access.iter().filter(|(key, _)| many.contains(&(*key, true))) {
        let message = format!("`{kind}` fires once and stays: `{key}` means more than one fire");
        let help = format!("write `{key} = {}`", if *key == "nth" { nth[0] } else { 1 });
        findings.push(Diagnostic::error("fires-once", span.clone(), message).help(help));
    }
}

/// Refuses conditions that count accesses on damage that does not depend on accesses.
fn check_when(when: &WhenRead, fault: &FaultRead, findings: &mut Findings) {
    let Some(kind) = fault.kind.filter(|_| fault.of_stored_bytes) else {
        return;
    };
    for (key, span) in &when.by_access {
        let whose = match kind {
            "metadata" => "paths: every look",
            _ => "the stored bytes: every read",
        };
        let message =
            format!("`{key}` picks accesses, and this damage is a property of {whose} sees it");
        let help = match kind {
            "bit_flip" => {
                "write `persistence = \"transient\"` for flips of single accesses, or limit sticky damage with `after` and `for`"
            }
            "corrupt" => {
                "write `persistence = \"transient\"` for regions of single accesses, or limit sticky damage with `after` and `for`"
            }
            "metadata" => "it is what a path is: limit it with `after` and `for`, or by `rate`",
            _ => {
                "write `[rule.fault.error]` for errors of single accesses, or limit bad sectors with `after` and `for`"
            }
        };
        findings
            .push(Diagnostic::error("access-trigger-on-damage", span.clone(), message).help(help));
    }
}

//! Scenario to plan. Cannot fail: everything that can be wrong has been refused by validation.

use super::Askers;
use super::fault::Fault;
use super::paths::Paths;
use super::rule::{DataAccess, Plan, Rule};
use super::scope::{Scope, TRANSFERS};
use super::trigger::Trigger;
use super::{RuleId, fault};
use crate::op::{OpKind, OpSet};
use crate::scenario::{self, Persistence, Scenario, When};

/// Compiles a scenario. `canonical` is its canonical form, whose hash becomes the plan's id; `seed`
/// is the one in force, whoever chose it.
///
/// # Panics
/// If the scenario has more than 65,536 rules, which validation refuses.
pub fn compile(scenario: &Scenario, seed: u64, domain: &str, canonical: &[u8]) -> Plan {
    assert!(scenario.rules.len() <= 1 << 16, "validation admits at most 65,536 rules");
    let patterns = scenario.rules.iter().map(|rule| rule.select.paths.as_slice());
    let paths = Paths::new((0..=u16::MAX).map(RuleId).zip(patterns));
    Plan {
        seed,
        domain: domain.to_owned(),
        id: blake3::hash(canonical).to_hex().to_string(),
        rules: scenario.rules.iter().map(|rule| compile_rule(rule, scenario)).collect(),
        paths,
    }
}

fn compile_rule(rule: &scenario::Rule, scenario: &Scenario) -> Rule {
    let fault = Fault::new(&rule.fault);
    let mut bytes = rule.select.bytes.clone().map(|bytes| fault.widen(bytes));
    // Of an fsync they are no part of the operation, but of what it writes back.
    let fault = match fault {
        Fault::Fsync(fsync) => Fault::Fsync(fsync.limited(bytes.take())),
        other => other,
    };
    let trigger = Trigger::new(&rule.when).following(event(rule, scenario));
    let ops = if trigger.is_never() || fault.is_never() {
        OpSet::EMPTY
    } else {
        let asked = rule.select.ops.unwrap_or(OpSet::ALL);
        asked.intersection(fault.concerns())
    };
    let reach = fault.reach(ops);
    let askers = Askers::new(&rule.select.askers);
    let access = match access(&fault, &rule.when, reach) {
        // What a cache holds, it holds for everybody.
        DataAccess::Sticky if !askers.is_anybody() => DataAccess::Counted,
        access => access,
    };
    let scope = Scope { ops, bytes };
    let (name, domain) = (rule.name.clone(), rule.domain.clone());
    Rule { name, domain, scope, askers, reach, trigger, fault, access }
}

/// The rule that a rule waits for, which validation has found there.
fn event(rule: &scenario::Rule, scenario: &Scenario) -> Option<RuleId> {
    let event = rule.when.after_event.as_ref()?;
    let place = scenario.rules.iter().position(|other| other.name == *event)?;
    u16::try_from(place).ok().map(RuleId)
}

fn access(fault: &Fault, when: &When, ops: OpSet) -> DataAccess {
    if fault.keeps_writes() && !ops.is_empty() {
        return DataAccess::Counted;
    }
    if matches!(fault, Fault::Metadata(fault) if fault.tells_size()) && !ops.is_empty() {
        return DataAccess::Counted;
    }
    if ops.intersection(TRANSFERS).is_empty() {
        let seen = OpSet::EMPTY.with(OpKind::Fsync).with(OpKind::Flush);
        return match ops.intersection(seen).is_empty() {
            true => DataAccess::Untouched,
            false => DataAccess::Watched,
        };
    }
    match fault {
        Fault::BitFlip(fault::BitFlip {
            persistence: Persistence::Sticky | Persistence::Permanent,
            ..
        }) if when.is_always() => DataAccess::Sticky,
        Fault::Corrupt(fault) if fault.is_stored() && when.is_always() => DataAccess::Sticky,
        _ => DataAccess::Counted,
    }
}

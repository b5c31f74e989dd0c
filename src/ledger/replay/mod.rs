//! Ledger to scenario: rules of exact positions and occurrences that give the same faults again.
//!
//! Pure. Stored damage becomes one rule a file, with the bits, regions or sectors that were read. What was
//! counted becomes one rule for each distinct effect: the original's `select` and window, so that
//! it counts the same operations, and the occurrences that had this effect.

mod counted;
mod plans;
mod stored;

use std::collections::BTreeMap;

use super::Event;
use crate::scenario::{Fault, Rule, Scenario, When};
use counted::{counted_rules, cut_otherwise};
use plans::{Played, played};
use stored::{first_file, metadata_rules, stored_rules};

pub use stored::exact_pattern;

/// More rules than a plan can number.
const RULES_MAX: usize = u16::MAX as usize;

/// What a ledger's faults amount to.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Gives the same faults again; without rules if none was delivered.
    pub scenario: Scenario,
    /// What a scenario cannot say, in words for the operator.
    pub omitted: Vec<String>,
}

/// Why a ledger's events make no sense together with its scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// An event of a rule that the header's scenario does not have.
    #[error("event {seq} is of rule `{rule}`, which the ledger's scenario does not have")]
    UnknownRule {
        /// Number of the event.
        seq: u64,
        /// The name that it gives.
        rule: String,
    },
    /// An event that its rule cannot have caused.
    #[error("event {seq} lacks {what}, which every event of rule `{rule}` has")]
    Incomplete {
        /// Number of the event.
        seq: u64,
        /// Its rule.
        rule: String,
        /// What is missing.
        what: &'static str,
    },
    /// The line of a plan that was armed later has no sound scenario.
    #[error("event {seq} is of a plan that makes no sense")]
    BadPlan {
        /// Number of the event.
        seq: u64,
    },
    /// Nearly every operation got a fault of its own.
    #[error("the replay would need {rules} rules, and a plan has at most {RULES_MAX}")]
    TooMany {
        /// How many.
        rules: usize,
    },
}

/// The scenario that gives the delivered faults of these events again. `scenario` and `seed` are
/// those of the ledger's header.
///
/// # Why not by time
///
/// Times differ from run to run even when everything else is equal; occurrences do not, as long as
/// the target's operations come in the same order.
///
/// # Several plans
///
/// All rules of the replay are in force from the beginning on. Stored damage does not mind; what was
/// counted does, if its rule was not in force all the time before, and is left out.
pub fn replay(scenario: &Scenario, seed: u64, events: &[Event]) -> Result<Replay, ReplayError> {
    let mut omitted = Vec::new();
    let mut rules = Vec::new();
    let mut made_of: BTreeMap<String, usize> = BTreeMap::new();
    let played = played(scenario, events)?;
    let firsts = first_made(&played);
    for Played { rule, events, late } in played {
        let mut made = match &rule.fault {
            // What happened follows from the operations alone: the rule is its own replay.
            Fault::Space(_) | Fault::Throughput(_) => {
                events.first().map(|_| rule.clone()).into_iter().collect()
            }
            Fault::Metadata(_) => metadata_rules(&rule, &events, &mut omitted),
            Fault::PowerCut(cut) => {
                let made = counted_rules(&rule, &events)?;
                omitted.extend(cut_otherwise(&rule, cut, &events, &made));
                made
            }
            fault if is_stored(fault) => stored_rules(&rule, &events, &mut omitted)?,
            _ => counted_rules(&rule, &events)?,
        };
        if late > 0 {
            omitted.push(format!(
                "rule `{}`: it was armed, disarmed or reset while the mount was live, and a scenario \
                 cannot say from when on it counted (events left out: {late})",
                rule.name
            ));
        }
        for new in &mut made {
            let number = made_of.entry(rule.name.clone()).or_default();
            *number += 1;
            new.name = format!("{}/{number}", rule.name);
            let event = rule.when.after_event.as_deref();
            new.when.after_event = event.and_then(|event| firsts.get(event).cloned());
        }
        rules.extend(made);
    }
    if rules.len() > RULES_MAX {
        return Err(ReplayError::TooMany { rules: rules.len() });
    }
    let name = scenario.name.as_ref().map(|name| format!("replay of {name}"));
    let scenario = Scenario {
        name: Some(name.unwrap_or_else(|| "replay".into())),
        seed: Some(seed),
        presets: Vec::new(),
        rules,
    };
    Ok(Replay { scenario, omitted })
}

/// Of the rules that are made of each rule, the name of the one that fires first.
fn first_made(played: &[Played<'_>]) -> BTreeMap<String, String> {
    let mut firsts = BTreeMap::new();
    for Played { rule, events, .. } in played.iter().filter(|played| !played.events.is_empty()) {
        let number = if is_stored(&rule.fault) { first_file(events) } else { 0 };
        let first = format!("{}/{}", rule.name, number + 1);
        firsts.entry(rule.name.clone()).or_insert(first);
    }
    firsts
}

/// Whether the fault is a property of stored bytes, and not of one operation.
pub(super) fn is_stored(fault: &Fault) -> bool {
    match fault {
        Fault::BitFlip(flip) => flip.persistence.is_stored(),
        Fault::Corrupt(corrupt) => corrupt.persistence.is_stored(),
        Fault::BadSector(_) => true,
        _ => false,
    }
}

/// The part of a trigger that says which operations are counted at all.
pub(super) fn window(when: &When) -> When {
    When {
        after: when.after,
        for_: when.for_,
        cycle: when.cycle,
        after_event: when.after_event.clone(),
        ..When::default()
    }
}

pub(super) fn incomplete(rule: &Rule, event: &Event, what: &'static str) -> ReplayError {
    ReplayError::Incomplete { seq: event.seq, rule: rule.name.clone(), what }
}

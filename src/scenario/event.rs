//! Judges `after_event`: the rule that a rule waits for is there, and does not wait for it in turn.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Findings, did_you_mean};
use super::rule::RuleRead;
use crate::diagnostic::Diagnostic;

/// Refuses waiting for a rule that is not there, and rules that wait for each other. `beside`: the
/// names of rules of elsewhere that may be waited for.
pub(super) fn check(rules: &[RuleRead], beside: &[String], findings: &mut Findings) {
    let named = |rule: &RuleRead| rule.name.as_ref().map(|(name, _)| name.clone());
    let names: BTreeSet<String> =
        rules.iter().filter_map(named).chain(beside.iter().cloned()).collect();
    let waits: BTreeMap<String, String> = rules
        .iter()
        .filter_map(|rule| Some((named(rule)?, rule.event.as_ref()?.0.clone())))
        .collect();
    for rule in rules {
        let Some((event, span)) = &rule.event else { continue };
        if !names.contains(event) {
            let error = Diagnostic::error(
                "unknown-rule",
                span.clone(),
                format!("there is no rule `{event}` in this file"),
            );
            let near = did_you_mean(event, names.iter().map(String::as_str));
            findings.push(error.label(near).help("`after_event` names a rule of the same file"));
        } else if named(rule).is_some_and(|name| waits_for_itself(&name, &waits)) {
            let message = match named(rule).as_ref() == Some(event) {
                true => "the rule waits for itself, and never fires".to_owned(),
                false => format!("`{event}` waits for this rule in turn: neither ever fires"),
            };
            let error = Diagnostic::error("never-fires", span.clone(), message);
            findings.push(error.help("name a rule that fires without this one"));
        }
    }
}

/// Whether the chain of what a rule waits for comes back to it.
fn waits_for_itself(name: &str, waits: &BTreeMap<String, String>) -> bool {
    let mut next = waits.get(name);
    // No chain without a repetition is longer than there are rules.
    for _ in 0..waits.len() {
        match next {
            Some(other) if other == name => return true,
            Some(other) => next = waits.get(other),
            None => return false,
        }
    }
    false
}

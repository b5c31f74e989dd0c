//! Whose the events are: the plans that a mount had one after another, and each rule with what it did.

use super::{ReplayError, is_stored};
use crate::ledger::{Event, Outcome};
use crate::scenario::{Rule, Scenario};

/// One rule, as it was in one plan or several, with the events of it that can be given again.
pub(super) struct Played<'a> {
    pub(super) rule: Rule,
    pub(super) events: Vec<&'a Event>,
    /// How many more there were.
    pub(super) late: usize,
}

/// A plan of the mount.
struct Plan {
    generation: u64,
    rules: Vec<Rule>,
    /// The names of those in force; `None`: all.
    in_force: Option<Vec<String>>,
    reset: bool,
}

/// The plan of the header, and those that came after it.
fn plans(scenario: &Scenario, events: &[Event]) -> Result<Vec<Plan>, ReplayError> {
    let rules = scenario.rules.clone();
    let mut plans = vec![Plan { generation: 1, rules, in_force: None, reset: false }];
    for event in events {
        let Some((plan, generation)) = event.plan.as_ref().zip(event.arming.or(Some(1))) else {
            continue;
        };
        let bad = |_| ReplayError::BadPlan { seq: event.seq };
        let rules = Scenario::from_canonical(&plan.scenario).map_err(bad)?.rules;
        plans.retain(|plan| plan.generation != generation);
        let in_force = Some(plan.rules.clone());
        plans.push(Plan { generation, rules, in_force, reset: plan.reset });
    }
    Ok(plans)
}

impl Plan {
    /// Whether a rule counts on in it as it did before.
    fn goes_on(&self, rule: &Rule) -> bool {
        let in_force = self.in_force.as_ref().is_none_or(|names| names.contains(&rule.name));
        in_force && !self.reset && self.rules.contains(rule)
    }
}

pub(super) fn played<'a>(
    scenario: &Scenario,
    events: &'a [Event],
) -> Result<Vec<Played<'a>>, ReplayError> {
    let plans = plans(scenario, events)?;
    let mut played: Vec<Played<'a>> = Vec::new();
    for rule in plans.iter().flat_map(|plan| &plan.rules) {
        if played.iter().all(|known| known.rule != *rule) {
            played.push(Played { rule: rule.clone(), events: Vec::new(), late: 0 });
        }
    }
    let any = events.iter().any(|event| event.outcome == Outcome::Delivered);
    for event in events.iter().filter(|event| any && was_met(event)) {
        let generation = event.arming.unwrap_or(1);
        let plan = plans.iter().find(|plan| plan.generation == generation);
        let rule = plan.and_then(|plan| plan.rules.iter().find(|rule| rule.name == event.rule));
        let entry = rule.and_then(|rule| played.iter_mut().find(|one| one.rule == *rule));
        let Some(entry) = entry else {
            let (seq, rule) = (event.seq, event.rule.clone());
            return Err(ReplayError::UnknownRule { seq, rule });
        };
        let mut until = plans.iter().take_while(|plan| plan.generation <= generation);
        match is_stored(&entry.rule.fault) || until.all(|plan| plan.goes_on(&entry.rule)) {
            true => entry.events.push(event),
            false => entry.late += 1,
        }
    }
    Ok(played)
}

/// Whether the target met the fault. Also a region that changed nothing is replayed: where it lies
/// no other rule has its own.
fn was_met(event: &Event) -> bool {
    matches!(event.outcome, Outcome::Delivered | Outcome::Unchanged)
}

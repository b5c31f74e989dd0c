//! Why a rule never fired: what a person asks first.

use std::time::Duration;

use crate::fs::{Pending, Waits};
use crate::injector::{Armed, RuleState};
use crate::plan::fault::Fault;
use crate::plan::{Rule, RuleId};
use crate::scenario::duration;

/// In words, if the rule has not done anything so far. `now` as plans count it.
pub(super) fn why_not(
    armed: &Armed,
    id: RuleId,
    state: &RuleState,
    pending: &[Pending],
    now: Duration,
) -> Option<String> {
    let rule = armed.plan().rule(id);
    if state.counts.fired > 0 {
        return None;
    }
    if !state.in_force {
        return Some("it is disarmed".to_owned());
    }
    if rule.scope.ops.is_empty() {
        return Some("it can never fire: its conditions or its operations rule it out".to_owned());
    }
    if state.counts.matched > 0 {
        return unfulfilled(state);
    }
    let waits = |pending: &&Pending| pending.rules.contains(&rule.name);
    if let Some(file) = pending.iter().filter(waits).find(|one| one.waits == Waits::Passthrough) {
        let path = file.path.display();
        return Some(format!(
            "{path} is open with kernel passthrough: it waits until that is closed"
        ));
    }
    if !state.reached {
        return Some("nothing was done to a path that it selects so far".to_owned());
    }
    if let Some(time) = closed(rule, now.saturating_sub(state.since)) {
        return Some(time);
    }
    if let Some(event) = rule.trigger.event.filter(|event| armed.counts(*event).fired == 0) {
        let event = &armed.plan().rule(event).name;
        return Some(format!("it waits for rule `{event}`, which has not fired"));
    }
    if let Some(hider) = hidden_by(armed, id) {
        return Some(format!("rule `{hider}` comes before it and has what it would have"));
    }
    let what = match rule.scope.bytes.is_some() {
        true => "none of its operations on those bytes was done to a path that it selects",
        false => "none of its operations was done to a path that it selects",
    };
    Some(what.to_owned())
}

/// It was asked, and did nothing.
fn unfulfilled(state: &RuleState) -> Option<String> {
    let why = match state.counts.considered {
        0 => "`nth`, `every` or `probability` did not hold so far",
        _ => "what was asked for held none of its damage, or something else happened first",
    };
    Some(why.to_owned())
}

fn closed(rule: &Rule, age: Duration) -> Option<String> {
    if rule.trigger.is_open(age) {
        return None;
    }
    Some(match rule.trigger.opens_in(age) {
        Some(time) => format!("its time begins in {}", duration::format(rounded(time))),
        None if rule.trigger.is_over(age) => "its time is over".to_owned(),
        None => "its `cycle` is off now".to_owned(),
    })
}

fn rounded(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + 1)
}

/// An earlier rule of the same kind of effect that fired, on operations of this one.
fn hidden_by(armed: &Armed, id: RuleId) -> Option<String> {
    let rule = armed.plan().rule(id);
    let effect = effect(&rule.fault)?;
    let mut earlier = armed.plan().numbered().take_while(|(other, _)| *other < id);
    let hides = |(other, candidate): &(RuleId, &Rule)| {
        self::effect(&candidate.fault) == Some(effect)
            && !candidate.reach.intersection(rule.reach).is_empty()
            && armed.counts(*other).fired > 0
    };
    earlier.find(hides).map(|(_, rule)| rule.name.clone())
}

/// Of these the first rule that fires hides the operation from the later ones.
fn effect(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Latency(_) => Some("delay"),
        Fault::Stall(_) => Some("stall"),
        Fault::Error(_) | Fault::Dead(_) | Fault::Readonly => Some("failure"),
        Fault::Throughput(_) => Some("queue"),
        Fault::Short(_) => Some("length"),
        _ => None,
    }
}

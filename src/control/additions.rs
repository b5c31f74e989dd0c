//! Single rules of what is loaded: added, altered, taken away.

use serde_json::Value;

use super::stage::Arming;
use super::{Changed, Problem, Shot, Stage};
use crate::scenario::{MergeError, Rule, Scenario, merge};

impl Stage {
    /// Adds the rules of a scenario behind those that are there, or before them.
    pub(super) fn add(
        &mut self,
        new: Scenario,
        first: bool,
        arming: Arming,
    ) -> Result<Changed, Problem> {
        self.must_have_seed(&new)?;
        let loaded = self.scenario();
        let (name, seed) = (loaded.name.clone(), loaded.seed.or(new.seed));
        let new = Scenario { seed: None, name: None, ..new };
        let [loaded, new] = [("the mount".to_owned(), loaded), ("the request".to_owned(), new)];
        let both = if first { vec![new, loaded] } else { vec![loaded, new] };
        let merged = merge(both).map_err(|errors| conflict(&errors))?;
        self.load(sound(&Scenario { name, seed, ..merged })?, arming)
    }

    /// Puts rules in the places of those of the same names, and the others behind all. Done twice, it
    /// changes nothing the second time.
    pub(super) fn populate(&mut self, new: Scenario, arming: Arming) -> Result<Changed, Problem> {
        self.must_have_seed(&new)?;
        let loaded = self.scenario();
        let mut scenario = Scenario { seed: loaded.seed.or(new.seed), ..loaded.clone() };
        for rule in new.rules {
            match scenario.rules.iter_mut().find(|one| one.name == rule.name) {
                Some(there) => *there = rule,
                None => scenario.rules.push(rule),
            }
        }
        let presets = new.presets.into_iter().filter(|one| !scenario.presets.contains(one));
        let presets: Vec<_> = presets.collect();
        scenario.presets.extend(presets);
        let scenario = sound(&scenario)?;
        let same = scenario.rules == loaded.rules && scenario.presets == loaded.presets;
        match same && self.filesystem().armed().is_some() {
            true => self.must_record().map(|()| self.unchanged()),
            false => self.load(scenario, arming),
        }
    }

    /// What comes beside rules that are loaded is drawn with their seed.
    fn must_have_seed(&self, new: &Scenario) -> Result<(), Problem> {
        let Some((said, seed)) = new.seed.zip(self.seed()) else { return Ok(()) };
        if said == seed {
            return Ok(());
        }
        let detail = format!(
            "the request has seed {said} and the mount has seed {seed}: rules that stand beside each \
             other have one; leave `seed` out"
        );
        Err(Problem::new(409, "conflicting-seeds", detail))
    }

    /// Alters a rule by a merge patch (RFC 7396) of its canonical form. A disarmed one stays so.
    pub(super) fn patch(&mut self, rule: &str, patch: &Value) -> Result<Changed, Problem> {
        let mut canonical = self.scenario().canonical();
        let rules = canonical["rule"].as_array_mut().into_iter().flatten();
        let mut named = rules.filter(|one| one["name"] == rule);
        apply(named.next().ok_or_else(|| self.no_rule(rule))?, patch);
        let scenario = Scenario::from_canonical(&canonical);
        let scenario = scenario.map_err(|diagnostics| Problem::scenario("", &diagnostics))?;
        let armed = self.filesystem().armed();
        let mut states = armed.iter().flat_map(|armed| armed.states());
        let disarmed = states.any(|state| state.label.rule == rule && !state.in_force);
        self.load(scenario, if disarmed { Arming::Disarmed } else { Arming::Armed })
    }

    fn no_rule(&self, rule: &str) -> Problem {
        let scenario = self.scenario();
        Problem::no_rule(rule, scenario.rules.iter().map(|one| one.name.as_str()))
    }

    /// Takes a rule away.
    pub(super) fn remove(&mut self, rule: &str) -> Result<Changed, Problem> {
        let mut scenario = self.scenario();
        let before = scenario.rules.len();
        scenario.rules.retain(|one| one.name != rule);
        if scenario.rules.len() == before {
            return Err(self.no_rule(rule));
        }
        // Another one may wait for it, and would then not wait any more.
        self.load(sound(&scenario)?, Arming::Armed)
    }

    /// One fault, once, before all rules. Shots that have hit go.
    pub(super) fn inject(&mut self, shot: &Shot) -> Result<(String, Changed), Problem> {
        let loaded = self.scenario();
        let (name, rule) = shot.scenario(&loaded)?;
        let live = self.live(&loaded);
        let rules: Vec<Rule> = rule.rules.iter().cloned().chain(live).collect();
        let changed = self.load(Scenario { rules: rules.clone(), ..loaded }, Arming::Armed)?;
        self.shots.extend(rule.rules);
        self.shots.retain(|shot| rules.contains(shot));
        Ok((name, changed))
    }

    /// All counts at zero, all times from now on. Shots that have hit do not come again: they go, or,
    /// if another rule waits for them, stay as they are.
    pub(super) fn reset(&mut self) -> Result<Changed, Problem> {
        self.must_record()?;
        let loaded = self.scenario();
        let rules = self.live(&loaded);
        if rules.len() < loaded.rules.len() {
            self.load(Scenario { rules: rules.clone(), ..loaded }, Arming::Armed)?;
            self.shots.retain(|shot| rules.contains(shot));
        }
        // One that hits meanwhile keeps that as well.
        Ok(self.begin_anew(|rule| self.is_shot(rule)))
    }

    /// The rules without the shots that have hit, unless another rule waits for them.
    fn live(&self, loaded: &Scenario) -> Vec<Rule> {
        let waits = |one: &Rule| {
            let event = |other: &Rule| other.when.after_event.as_ref() == Some(&one.name);
            loaded.rules.iter().any(event)
        };
        let rules = loaded.rules.iter();
        rules.filter(|one| !self.has_hit(&one.name) || waits(one)).cloned().collect()
    }

    /// Whether the rule of this name is a shot that has hit.
    fn has_hit(&self, rule: &str) -> bool {
        let armed = self.filesystem().armed();
        let mut states = armed.iter().flat_map(|armed| armed.states());
        self.is_shot(rule) && states.any(|state| state.label.rule == rule && state.counts.fired > 0)
    }

    fn is_shot(&self, rule: &str) -> bool {
        let rules = &self.shown.load().scenario.rules;
        rules.iter().any(|one| one.name == rule && self.shots.contains(one))
    }
}

/// A scenario that was put together, if it is as sound as one that was written so: rules may wait for
/// each other now, or for one that is gone.
fn sound(scenario: &Scenario) -> Result<Scenario, Problem> {
    let read = Scenario::from_canonical(&scenario.canonical());
    read.map_err(|diagnostics| Problem::scenario("", &diagnostics))
}

fn conflict(errors: &[MergeError]) -> Problem {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let code = match errors.first() {
        Some(MergeError::DuplicateRule { .. }) => "duplicate-rule",
        _ => "conflict",
    };
    Problem::new(409, code, lines.join("; "))
}

/// A merge patch.
fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (key, value) in patch {
        match value {
            Value::Null => drop(fields.remove(key)),
            value => apply(fields.entry(key.clone()).or_insert(Value::Null), value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn a_patch_merges_as_the_rfc_says() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut patched = target.clone();
            apply(&mut patched, &patch);
            assert_eq!(patched, result, "{target} with {patch}");
        }
    }
}

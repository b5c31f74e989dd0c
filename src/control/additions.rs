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
        let loaded = self.scenario();
        let (name, seed) = (loaded.name.clone(), loaded.seed);
        let new = Scenario { seed: None, name: None, ..new };
        let [loaded, new] = [("the mount".to_owned(), loaded), ("the request".to_owned(), new)];
        let both = if first { vec![new, loaded] } else { vec![loaded, new] };
        let merged = merge(both).map_err(|errors| conflict(&errors))?;
        self.load(Scenario { name, seed, ..merged }, arming)
    }

    /// Alters a rule by a merge patch (RFC 7396) of its canonical form.
    pub(super) fn patch(&mut self, rule: &str, patch: &Value) -> Result<Changed, Problem> {
        let mut canonical = self.scenario().canonical();
        let rules = canonical["rule"].as_array_mut().into_iter().flatten();
        let mut named = rules.filter(|one| one["name"] == rule);
        apply(named.next().ok_or_else(|| Problem::no_rule(rule))?, patch);
        let scenario = Scenario::from_canonical(&canonical);
        let scenario = scenario.map_err(|diagnostics| Problem::scenario("", &diagnostics))?;
        self.load(scenario, Arming::Armed)
    }

    /// Takes a rule away.
    pub(super) fn remove(&mut self, rule: &str) -> Result<Changed, Problem> {
        let mut scenario = self.scenario();
        let before = scenario.rules.len();
        scenario.rules.retain(|one| one.name != rule);
        if scenario.rules.len() == before {
            return Err(Problem::no_rule(rule));
        }
        // Another one may wait for it, and would then not wait any more.
        let scenario = Scenario::from_canonical(&scenario.canonical());
        let scenario = scenario.map_err(|diagnostics| Problem::scenario("", &diagnostics))?;
        self.load(scenario, Arming::Armed)
    }

    /// One fault, once, before all rules. Shots that have hit go.
    pub(super) fn inject(&mut self, shot: &Shot) -> Result<(String, Changed), Problem> {
        let loaded = self.scenario();
        let (name, rule) = shot.scenario(&loaded)?;
        let live = loaded.rules.iter().filter(|one| !self.is_spent(one, &loaded)).cloned();
        let rules: Vec<Rule> = rule.rules.iter().cloned().chain(live).collect();
        let changed = self.load(Scenario { rules: rules.clone(), ..loaded }, Arming::Armed)?;
        self.shots.extend(rule.rules);
        self.shots.retain(|shot| rules.contains(shot));
        Ok((name, changed))
    }

    /// Whether a rule is a shot that has hit, and no other rule waits for it.
    fn is_spent(&self, rule: &Rule, loaded: &Scenario) -> bool {
        let waits = |other: &Rule| other.when.after_event.as_ref() == Some(&rule.name);
        let armed = self.filesystem().armed();
        let mut states = armed.iter().flat_map(|armed| armed.states());
        self.shots.contains(rule)
            && !loaded.rules.iter().any(waits)
            && states.any(|state| state.label.rule == rule.name && state.counts.fired > 0)
    }
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

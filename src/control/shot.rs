//! One fault at an exact position, once: the next operation of that kind on that file.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Problem;
use crate::ledger::{escape, exact_pattern};
use crate::scenario::Scenario;

/// What is to happen, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shot {
    /// The file, relative to the mount's root.
    pub path: String,
    /// The operation; absent: `read`.
    #[serde(default = "read", skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// Only an operation on this byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// The bit of that byte that is wrong, 0 to 7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bit: Option<u8>,
    /// The error that it fails with, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
}

fn read() -> String {
    "read".to_owned()
}

/// Begins the names of the rules that shots are.
const PREFIX: &str = "inject-";

impl Shot {
    /// A scenario of one rule that happens once, with a name that no rule of `loaded` has.
    pub(super) fn scenario(&self, loaded: &Scenario) -> Result<(String, Scenario), Problem> {
        let fault = self.fault()?;
        let path = self.path.trim_start_matches('/');
        let path = exact_pattern(&escape(path.as_bytes()));
        let bad_path = || Problem::new(422, "bad-path", "`path` does not name a file");
        let mut select = json!({ "path": [path.ok_or_else(bad_path)?.text()], "ops": [self.op] });
        if let Some(byte) = self.byte {
            let end = byte.checked_add(1);
            let end = end.ok_or_else(|| Problem::new(422, "bad-byte", "`byte` is too large"))?;
            select["bytes"] = json!(format!("{byte}..{end}"));
        }
        let name = free_name(loaded);
        let rule =
            json!({ "name": name, "select": select, "when": { "times": 1 }, "fault": fault });
        let scenario = Scenario::from_canonical(&json!({ "version": 1, "rule": [rule] }));
        let problem = |diagnostics: Vec<_>| Problem::scenario("", &diagnostics);
        Ok((name, scenario.map_err(problem)?))
    }

    fn fault(&self) -> Result<Value, Problem> {
        match (self.byte, self.bit, &self.errno) {
            (Some(byte), Some(bit), None) => {
                let at = json!([{ "byte": byte, "bit": bit }]);
                Ok(json!({ "bit_flip": { "at": at, "persistence": "transient" } }))
            }
            (_, None, Some(errno)) => Ok(json!({ "error": { "errno": errno } })),
            _ => {
                let detail =
                    "give `byte` and `bit`, or `errno` (and `byte`, if only that is to fail)";
                Err(Problem::new(422, "no-fault", detail))
            }
        }
    }
}

fn free_name(loaded: &Scenario) -> String {
    let numbers = loaded.rules.iter().filter_map(|rule| rule.name.strip_prefix(PREFIX));
    let last = numbers.filter_map(|number| number.parse::<u64>().ok()).max();
    format!("{PREFIX}{}", last.map_or(1, |last| last.wrapping_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Scenario {
        Scenario { name: None, seed: None, presets: Vec::new(), rules: Vec::new() }
    }

    fn shot(text: &str) -> Result<(String, Scenario), Problem> {
        serde_json::from_str::<Shot>(text).unwrap().scenario(&none())
    }

    #[test]
    fn a_shot_is_a_rule_that_fires_once_on_one_file() {
        let (name, scenario) = shot(r#"{"path": "a[1]*.db", "byte": 9, "bit": 3}"#).unwrap();
        let rule = &scenario.rules[0];
        assert_eq!((&*name, &*rule.name, rule.when.times), ("inject-1", "inject-1", Some(1)));
        assert_eq!(
            (rule.select.paths[0].text(), rule.select.bytes.clone()),
            ("a[[]1[]][*].db".into(), Some(9..10))
        );
        assert_eq!(shot(r#"{"path": "a", "errno": "EIO"}"#).unwrap().1.rules.len(), 1);
        let named = shot(r#"{"path": "a", "errno": "EIO"}"#).unwrap().1;
        assert_eq!(free_name(&named), "inject-2");
    }

    #[test]
    fn a_shot_that_says_too_little_or_too_much_is_refused() {
        for text in [
            r#"{"path": "a"}"#,
            r#"{"path": "a", "bit": 1}"#,
            r#"{"path": "a", "byte": 1, "bit": 1, "errno": "EIO"}"#,
            r#"{"path": "a", "errno": "EWHAT"}"#,
            r#"{"path": "a", "byte": 1, "bit": 8}"#,
            r#"{"path": "a", "op": "raed", "errno": "EIO"}"#,
            r#"{"path": "a", "byte": 18446744073709551615, "bit": 1}"#,
        ] {
            assert_eq!(shot(text).unwrap_err().status, 422, "{text}");
        }
    }
}

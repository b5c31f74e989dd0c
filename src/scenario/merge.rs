//! Several scenarios as one: what several `--scenario` mean together.
//!
//! Rules are tried in the order of the files, and every file's preset is kept. Nothing is renamed or dropped: a clash is an error.

use std::collections::BTreeMap;

use super::conflict;
use super::{Rule, Scenario};

/// Why scenarios cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Two files have a rule of the same name.
    #[error("rule `{rule}` is in `{first}` and in `{second}`; give one of them another name")]
    DuplicateRule {
        /// The name.
        rule: String,
        /// The earlier file.
        first: String,
        /// The later file.
        second: String,
    },
    /// Two files have different seeds.
    #[error(
        "`{first}` has seed {first_seed} and `{second}` has seed {second_seed}; keep one, or choose with --seed"
    )]
    ConflictingSeeds {
        /// The earlier file.
        first: String,
        /// Its seed.
        first_seed: u64,
        /// The later file.
        second: String,
        /// Its seed.
        second_seed: u64,
    },
    /// A rule of one file spoils a rule of another.
    #[error("in `{file}`: {message}; {help}")]
    Conflict {
        /// The file of the rule that is spoilt.
        file: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: &'static str,
    },
}

/// Merges scenarios, each with the name of its file; every clash at once.
pub fn merge(scenarios: Vec<(String, Scenario)>) -> Result<Scenario, Vec<MergeError>> {
    let mut errors = duplicates(&scenarios);
    errors.extend(different_seeds(&scenarios));
    let names: Vec<String> = scenarios.iter().filter_map(|(_, one)| one.name.clone()).collect();
    let presets = scenarios.iter().flat_map(|(_, one)| one.presets.clone()).collect();
    let seed = scenarios.iter().find_map(|(_, scenario)| scenario.seed);
    let (files, rules): (Vec<String>, Vec<Rule>) = scenarios
        .into_iter()
        .flat_map(|(file, one)| one.rules.into_iter().map(move |rule| (file.clone(), rule)))
        .unzip();
    errors.extend(conflicts(&files, &rules));
    if !errors.is_empty() {
        return Err(errors);
    }
    let name = (!names.is_empty()).then(|| names.join(" + "));
    Ok(Scenario { name, seed, presets, rules })
}

fn duplicates(scenarios: &[(String, Scenario)]) -> Vec<MergeError> {
    let mut errors = Vec::new();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (file, scenario) in scenarios {
        for rule in &scenario.rules {
            if let Some(first) = seen.insert(&rule.name, file) {
                errors.push(MergeError::DuplicateRule {
                    rule: rule.name.clone(),
                    first: first.into(),
                    second: file.clone(),
                });
            }
        }
    }
    errors
}

fn different_seeds(scenarios: &[(String, Scenario)]) -> Vec<MergeError> {
    let mut seeds = scenarios.iter().filter_map(|(file, scenario)| Some((file, scenario.seed?)));
    let Some((first, first_seed)) = seeds.next() else {
        return Vec::new();
    };
    seeds
        .filter(|(_, seed)| *seed != first_seed)
        .map(|(second, second_seed)| MergeError::ConflictingSeeds {
            first: first.clone(),
            first_seed,
            second: second.clone(),
            second_seed,
        })
        .collect()
}

/// Conflicts between files; those within one have been refused when it was read.
fn conflicts(files: &[String], rules: &[Rule]) -> Vec<MergeError> {
    conflict::find(rules)
        .into_iter()
        .filter(|conflict| files[conflict.earlier()] != files[conflict.later()])
        .map(|conflict| MergeError::Conflict {
            file: files[conflict.later()].clone(),
            message: conflict.message(rules, &format!("in `{}`", files[conflict.earlier()])),
            help: conflict.help(),
        })
        .collect()
}

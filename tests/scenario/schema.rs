//! The JSON Schema: editors that use it say what `errorfs check` says, as far as a schema can.

use super::fixtures::{files, folder, shipped};
use crate::programs::is_installed;
use crate::support::Program;

/// Prints each file that the schema (the first argument) refuses.
const JUDGE: &str = "
import json, sys, tomllib
from jsonschema import Draft202012Validator

schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
judge = Draft202012Validator(schema)
for name in sys.argv[2:]:
    with open(name, 'rb') as file:
        text = file.read().decode('utf-8-sig')
    if not judge.is_valid(tomllib.loads(text)):
        print(name)
";

/// Mistakes that a schema can know: of words, types and keys that must be there.
const KNOWN: [&str; 8] = [
    "unknown-key",
    "unknown-fault",
    "unknown-op",
    "unknown-errno",
    "unknown-distribution",
    "unknown-persistence",
    "unsupported-version",
    "several-faults",
];

fn refused(names: &[std::path::PathBuf]) -> Vec<String> {
    let ended = Program::new("/usr/bin/python3")
        .args(["-c", JUDGE])
        .arg(folder("scenarios/errorfs-scenario-v1.schema.json"))
        .args(names)
        .succeed();
    ended.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_schema_beside_the_scenarios_is_the_one_that_errorfs_prints() {
    let printed = Program::errorfs("check").arg("--schema").succeed().stdout;
    let file = folder("scenarios/errorfs-scenario-v1.schema.json");
    if std::env::var_os("ERRORFS_BLESS").is_some() {
        std::fs::write(&file, &printed).unwrap();
    }
    assert!(printed == std::fs::read_to_string(file).unwrap(), "ERRORFS_BLESS=1 writes it anew");
}

#[test]
fn the_schema_takes_every_sound_scenario() {
    if !is_installed("/usr/bin/python3") {
        return;
    }
    let mut sound = shipped();
    sound.extend(files(&folder("tests/scenario/good")));
    assert!(sound.len() > 30);
    assert_eq!(refused(&sound), [""; 0]);
}

#[test]
fn the_schema_refuses_misspelt_words() {
    if !is_installed("/usr/bin/python3") {
        return;
    }
    let begins = |file: &std::path::Path| {
        let said = std::fs::read_to_string(file.with_extension("stderr")).unwrap_or_default();
        KNOWN.iter().any(|code| said.starts_with(&format!("error[{code}]")))
    };
    let mut bad = files(&folder("tests/scenario/bad"));
    bad.retain(|file| begins(file));
    assert!(bad.len() >= KNOWN.len(), "only {} fixtures", bad.len());
    let names: Vec<String> = bad.iter().map(|file| file.display().to_string()).collect();
    assert_eq!(refused(&bad), names);
}

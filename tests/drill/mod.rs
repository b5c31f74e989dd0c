//! `errorfs drill`: small shell programs that truly do each thing, and the verdict that each gets.

mod damage;
mod leftovers;
mod recipes;
mod repeating;
mod reports;
mod requirement;
mod usage;
mod verdicts;

use serde_json::Value;

use crate::support::*;

/// A directory with lines of text, a copy of them, and hashes.
fn lines() -> Backing {
    let text: String = (0..200).map(|n| format!("good line {n}\n")).collect();
    let backing = Backing::new().with("data", text.as_bytes()).with("copy", text.as_bytes());
    let sums = "cd \"$1\" && sha256sum data > SUMS";
    Program::new("sh").args(["-c", sums, "sh"]).arg(backing.path()).succeed();
    backing
}

/// The very first bit of `data`, and no other.
const FIRST_BIT: &str = "version = 1\n[[rule]]\nname = \"first\"\nselect = { path = \"data\" }\n\
    [rule.fault.bit_flip]\nat = [{ byte = 0, bit = 0 }]\n";

/// `errorfs drill ARGUMENTS DIR -- sh -c SCRIPT`; in the script, `$1` is the directory.
fn drill(backing: &Backing, arguments: &[&str], script: &str) -> Program {
    let seed: &[&str] = if arguments.contains(&"--seed") { &[] } else { &["--seed", "7"] };
    let program = Program::errorfs("drill").args(seed).args(arguments);
    let program = program.arg(backing.path()).args(["--", "sh", "-c", script, "sh", "{mnt}"]);
    program.within(std::time::Duration::from_secs(120))
}

/// Runs a drill for its report.
fn report(backing: &Backing, arguments: &[&str], script: &str) -> Value {
    let reports = Backing::new();
    let file = reports.join("report.json");
    let json = ["--json", file.to_str().unwrap()];
    drill(backing, &[arguments, &json[..]].concat(), script).succeed();
    serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap()
}

/// The verdicts of all trials, each once.
fn verdicts(report: &Value) -> Vec<String> {
    let trials = report["trials"].as_array().unwrap();
    let mut verdicts: Vec<String> =
        trials.iter().map(|trial| trial["verdict"].as_str().unwrap().to_owned()).collect();
    verdicts.sort();
    verdicts.dedup();
    verdicts
}

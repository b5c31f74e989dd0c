//! The same seed is the same drill, and the command that a report gives repeats its trial.

use super::*;

const SCRIPT: &str = "cat $1/data; cat $1/copy >/dev/null";

/// What happened, without times.
fn essence(report: &Value) -> Vec<Value> {
    let trials = report["trials"].as_array().unwrap();
    let essence = |trial: &Value| {
        serde_json::json!([
            trial["number"],
            trial["seed"],
            trial["verdict"],
            trial["why"],
            trial["faults"],
            trial["command"]["end"],
            trial["command"]["stdout_blake3"],
        ])
    };
    trials.iter().map(essence).collect()
}

#[test]
fn one_seed_is_one_table_whatever_runs_beside() {
    require_fuse!();
    let backing = lines();
    let run = |jobs| report(&backing, &["--trials", "12", "--jobs", jobs], SCRIPT);
    let (one, four) = (run("1"), run("4"));
    assert_eq!(essence(&one), essence(&four));
    assert_eq!(one["counts"], four["counts"]);
    let seeds: std::collections::HashSet<u64> =
        one["trials"].as_array().unwrap().iter().map(|t| t["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds.len(), 12, "each trial has a seed of its own");
    let other = report(&backing, &["--trials", "12", "--seed", "8"], SCRIPT);
    assert_ne!(essence(&one), essence(&other));
}

/// Runs the command of a trial in a shell, as an operator would.
fn repeat(trial: &Value) -> Ended {
    let bin = std::path::Path::new(ERRORFS).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let line = trial["repeat"].as_str().unwrap();
    Program::new("sh").args(["-c", line]).env("PATH", path).succeed()
}

#[test]
fn the_command_of_a_trial_repeats_it() {
    require_fuse!();
    let backing = lines();
    let golden = "sha256sum <{mnt}/data # it's one word";
    let script = "cat \"$1/data\" >/dev/null; echo 'all well'";
    let arguments = [
        "--trials", "5", "--path", "data", "--flips", "2", "--golden", golden, "--detect",
        "exit = 9",
    ];
    let report = report(&backing, &arguments, script);
    let trial = &report["trials"][3];
    assert_eq!(trial["verdict"], "silent_corruption");
    let ended = repeat(trial);
    let (number, seed) = (&trial["number"], &trial["seed"]);
    let ended = ended.expect_said(&format!("trial {number}, seed {seed}: silent_corruption"));
    let ended = ended.expect_said("stdout:\nall well\nstderr:\n");
    let faults = trial["faults"].as_array().unwrap();
    for bit in faults.iter().flat_map(|fault| fault["bits"].as_array().unwrap()) {
        assert!(ended.stdout.contains(&format!("byte {} bit {}", bit[0], bit[1])), "{ended}");
    }
}

#[test]
fn a_trial_of_a_recipe_and_of_a_scenario_repeats_too() {
    require_fuse!();
    let files = Backing::new().with("s.toml", FIRST_BIT.as_bytes());
    let scenario = files.join("s.toml");
    let arguments = ["--trials", "2", "--scenario", scenario.to_str().unwrap()];
    let backing = lines();
    let report = report(&backing, &arguments, SCRIPT);
    repeat(&report["trials"][1]).expect_said("byte 0 bit 0");
    let (sample, json) = (files.join("sample"), files.join("r.json"));
    let recipe = Program::errorfs("drill").args(["--recipe", "sha256sum", "--trials", "2"]);
    recipe.arg("--sample").arg(&sample).arg("--json").arg(&json).succeed();
    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let ended = repeat(&report["trials"][1]);
    ended.expect_said(&format!("seed {}: detected", report["trials"][1]["seed"]));
}

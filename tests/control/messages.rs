//! `--log json`: what errorfs says, for programs.

use super::*;

fn lines(said: &str) -> Vec<Value> {
    let lines = said.lines().map(|line| serde_json::from_str(line).expect(line));
    let lines: Vec<Value> = lines.collect();
    for line in &lines {
        let time = line["time"].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{line}");
        assert!(["info", "warn", "error"].contains(&line["level"].as_str().unwrap()), "{line}");
        assert!(!line["message"].as_str().unwrap().is_empty(), "{line}");
    }
    lines
}

fn says(lines: &[Value], level: &str, text: &str) -> bool {
    let said = |line: &&Value| line["message"].as_str().unwrap().contains(text);
    lines.iter().any(|line| line["level"] == level && said(&line))
}

#[test]
fn every_message_of_a_mount_is_one_object() {
    require_fuse!();
    let backing = zeros();
    let mut mount =
        Mount::new(backing.path()).scenario(ROT).args(["--log", "json", "--for", "1s"]).start();
    assert_eq!(rotten(&mount), 1);
    wait_until("the time is over", LONG, || mount.said().contains("the time is over"));
    mount.stop();
    let lines = lines(&mount.said());
    assert!(says(&lines, "info", "mounted at") && says(&lines, "info", "1 event delivered"));
    let over = lines.iter().find(|line| line["level"] == "warn").unwrap();
    assert_eq!(over["target"], "errorfs::control::director");
}

#[test]
fn a_bad_scenario_and_a_failure_are_objects_as_well() {
    let (backing, files) =
        (Backing::new(), Backing::new().with("s.toml", b"version = 1\n[[rule]]\n"));
    let run = |scenario: &str| {
        let run = Program::errorfs("run").args(["--log", "json", "--scenario"]);
        let run = run.arg(files.join(scenario)).arg("--on").arg(backing.path());
        lines(&run.args(["--", "true"]).run().expect_status(125).stderr)
    };
    let bad = run("s.toml");
    assert!(says(&bad, "error", "s.toml: "), "{bad:?}");
    assert_eq!(bad[0]["diagnostics"][0]["code"], "missing-key");
    assert!(says(&run("none.toml"), "error", "none.toml: 1 errors"));
}

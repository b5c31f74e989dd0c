//! The systems of `scenarios/campaigns` that this machine has, a few trials each.

use super::*;

fn runs(name: &str, program: &str, trials: &str) {
    require_fuse!();
    require_root!();
    if Program::new("sh").args(["-c", &format!("command -v {program}")]).run().status.code()
        != Some(0)
    {
        return skipped(&format!("{program} is not installed"));
    }
    let files = Backing::new();
    let file =
        crate::scenario::fixtures::folder("scenarios/campaigns").join(format!("{name}.toml"));
    let run = Program::errorfs("campaign").arg("run").arg(file).arg("-o").arg(files.join("out"));
    run.args(["--sample", trials]).within(Duration::from_secs(300)).succeed();
    let report = report_of(&[files.join("out")]);
    let counts = &report["counts"];
    assert_eq!(counts["inconclusive"], 0, "{counts}");
    let not_activated = counts["not_activated"].as_u64().unwrap();
    assert!(not_activated * 2 < trials.parse::<u64>().unwrap(), "{counts}");
}

#[test]
fn sqlite_is_run() {
    runs("sqlite", "sqlite3", "12");
}

#[test]
fn redis_with_replicas_is_run() {
    runs("redis-replicas", "redis-server", "4");
}

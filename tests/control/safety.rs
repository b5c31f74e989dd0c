//! Faults that end by themselves.

use super::*;

#[test]
fn after_its_time_nothing_is_armed_and_what_waited_is_answered() {
    require_fuse!();
    let backing = zeros();
    let hangs = "[[rule]]\nname = \"hangs\"\nselect = { path = \"other\", ops = [\"read\"] }\n\
                 [rule.fault.stall]\n";
    let mut mount = Mount::new(backing.path())
        .scenario(&format!("{ROT}{hangs}"))
        .args(["--for", "2s"])
        .seed(1)
        .start();
    assert!(Api::of(&mount).get("/v1/status")["disarms_in_s"].as_f64().unwrap() <= 2.0);
    assert_eq!(rotten(&mount), 1);
    let cat = Program::new("cat").arg(mount.join("other")).within(LONG).succeed();
    assert_eq!(cat.stdout.len(), 20_000);
    let status = Api::of(&mount).get("/v1/status");
    assert_eq!((&status["armed"], &status["disarms_in_s"]), (&json!(false), &Value::Null));
    assert_eq!(rotten(&mount), 0);
    assert!(mount.said().contains("the time is over"), "{}", mount.said());
    mount.stop();
}

#[test]
fn a_scenario_can_be_loaded_disarmed() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).args(["--disarmed"]).seed(1).start();
    assert_eq!(rotten(&mount), 0);
    Api::of(&mount).post("/v1/arm");
    assert_eq!(rotten(&mount), 1);
    mount.stop();
}

#[test]
fn rules_about_names_are_refused_where_the_kernel_remembers_them() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).args(["--exclusive"]).start();
    let rules = "[[rule]]\nname = \"r\"\nselect = { ops = [\"getattr\"] }\n[rule.fault.error]\n\
                 errno = \"EIO\"\n";
    let refused = Api::of(&mount).load(rules);
    assert_eq!(refusal(&refused), (409, "names-remembered".to_owned()));
    std::fs::metadata(mount.join("file")).unwrap();
    mount.stop();
}

/// By its path errorfs would read it through its own mount: under its own faults, and stalled for
/// ever, with everybody who wants to end that.
#[test]
fn scenario_files_below_the_mountpoint_are_read_past_the_mount() {
    require_fuse!();
    let hangs = "version = 1\n[[rule]]\nname = \"hangs\"\nselect = { ops = [\"read\"] }\n\
                 [rule.fault.stall]\n";
    let (backing, files) = (zeros().with("s.toml", hangs.as_bytes()), Backing::new());
    let script = format!("timeout 10 {ERRORFS} reload; echo ended $?; timeout 10 {ERRORFS} disarm");
    let run = Program::errorfs("run").arg("--scenario").arg(backing.join("s.toml"));
    let run = run.arg("--ledger").arg(files.join("ledger")).arg("--on").arg(backing.path());
    let ended = run.args(["--", "sh", "-c", &script]).run().expect_status(0);
    let words: Vec<_> = ended.stdout.split_whitespace().collect();
    assert_eq!(words, ["generation", "2", "ended", "0", "generation", "3"], "{ended}");
    let ledger = errorfs::ledger::read(&files.join("ledger")).unwrap();
    let delivered =
        |event: &&errorfs::ledger::Event| event.outcome == errorfs::ledger::Outcome::Delivered;
    assert_eq!(ledger.events.iter().filter(delivered).count(), 0, "it met its own fault");
}

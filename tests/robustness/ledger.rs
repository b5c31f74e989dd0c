//! The disk below the ledger fills up.

use std::fs;

use super::Small;
use crate::support::*;

const ROT: &str = "version = 1\n[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-3\n";

/// Reads until the ledger is full, and once more: the last reading is what the file holds.
const READ_ON: &str = r#"
for round in $(seq 300); do cat "$0" >/dev/null 2>&1 || failed=yes; done
echo "${failed:-no}"; cmp "$0" "$1" && echo clean
"#;

#[test]
fn a_ledger_that_is_full_ends_injection_and_the_mount_goes_on() {
    require_fuse!();
    require_root!();
    let small = Small::new(256 << 10);
    let backing = Backing::new().with_noise("file", 64 << 10);
    let elsewhere = Backing::new().with("pristine", &fs::read(backing.join("file")).unwrap());
    let scenario = Backing::new().with("rot.toml", ROT.as_bytes());
    let ended = Program::errorfs("run")
        .arg("--scenario")
        .arg(scenario.join("rot.toml"))
        .args(["--seed", "1", "--ledger"])
        .arg(small.path().join("ledger"))
        .arg("--on")
        .arg(backing.path())
        .args(["--", "sh", "-c", READ_ON])
        .arg(backing.join("file"))
        .arg(elsewhere.join("pristine"))
        .run()
        .expect_status(125);
    assert!(ended.stdout.contains("clean"), "{}", ended.stdout);
    assert!(ended.stderr.contains("ledger"), "it says so: {}", ended.stderr);
    let ledger = errorfs::ledger::read(&small.path().join("ledger")).unwrap();
    assert!(!ledger.truncated && ledger.events.len() > 20, "{}", ledger.events.len());
}

#[test]
fn status_says_that_a_full_ledger_ended_injection() {
    require_fuse!();
    require_root!();
    let small = Small::new(256 << 10);
    let backing = Backing::new().with_noise("file", 64 << 10);
    let scenario = Backing::new().with("rot.toml", ROT.as_bytes());
    let script = format!(
        "for round in $(seq 300); do cat file >/dev/null 2>&1; done; {ERRORFS} status; \
         {ERRORFS} arm; echo armed $?; {ERRORFS} reset; echo reset $?; {ERRORFS} disarm; echo disarmed $?"
    );
    let ended = Program::errorfs("run")
        .arg("--scenario")
        .arg(scenario.join("rot.toml"))
        .args(["--seed", "1", "--ledger"])
        .arg(small.path().join("ledger"))
        .arg("--on")
        .arg(backing.path())
        .args(["--", "sh", "-c", &script])
        .directory(backing.path())
        .run()
        .expect_status(125);
    let ended = ended.expect_said("injects nothing any more: its ledger cannot be written");
    let ended = ended.expect_said("nothing is injected any more, as ");
    // What cannot come true is refused; that nothing is to go wrong can.
    ended.expect_said("armed 75").expect_said("reset 75").expect_said("disarmed 0");
}

const HANGS: &str = "[[rule]]\nname = \"hangs\"\nselect = { path = \"hung\" , ops = [\"read\"] }\n\
    when = { times = 1 }\n[rule.fault.stall]\n";

/// A stalled read before the ledger is full, and its answer afterwards.
const HANG_ON: &str = r#"
cat "$1" & hung=$!
for round in $(seq 300); do cat "$0" >/dev/null 2>&1; done
wait $hung && echo " freed"
"#;

#[test]
fn a_ledger_that_is_full_ends_what_is_stalled() {
    require_fuse!();
    require_root!();
    let small = Small::new(256 << 10);
    let backing = Backing::new().with_noise("file", 64 << 10).with("hung", b"x");
    let text = format!("{ROT}{HANGS}")
        .replace("[rule.fault.bit_flip]", "select = { path = \"file\" }\n[rule.fault.bit_flip]");
    let scenario = Backing::new().with("both.toml", text.as_bytes());
    let ended = Program::errorfs("run")
        .arg("--scenario")
        .arg(scenario.join("both.toml"))
        .args(["--seed", "1", "--ledger"])
        .arg(small.path().join("ledger"))
        .arg("--on")
        .arg(backing.path())
        .args(["--", "sh", "-c", HANG_ON])
        .arg(backing.join("file"))
        .arg(backing.join("hung"))
        .run()
        .expect_status(125);
    assert_eq!(ended.stdout, "x freed\n");
}

/// Flips on top of regions, seen by every read(2).
const REGIONS: &str = "version = 1\n[[rule]]\nname = \"junk\"\nwhen = { for = \"1h\" }\n\
    [rule.fault.corrupt]\ncontent = \"junk\"\nrate = 0.2\nregion = 512\n\
    [[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-3\n";

/// Every reading is one of two: the damaged file, until the ledger is full, or the stored one.
const READINGS: &str = "import os, sys\n\
    f = os.open(sys.argv[1], os.O_RDONLY); good = open(sys.argv[2], 'rb').read()\n\
    seen = [os.pread(f, 65536, 0) for _ in range(300)]\n\
    assert seen[-1] == good and seen[0] != good and len(set(seen)) == 2, len(set(seen))";

#[test]
fn regions_that_could_not_be_recorded_are_as_they_are_stored() {
    require_fuse!();
    require_root!();
    let small = Small::new(256 << 10);
    let backing = Backing::new().with_noise("file", 64 << 10);
    let elsewhere = Backing::new().with("pristine", &fs::read(backing.join("file")).unwrap());
    let scenario = Backing::new().with("regions.toml", REGIONS.as_bytes());
    let ended = Program::errorfs("run")
        .arg("--scenario")
        .arg(scenario.join("regions.toml"))
        .args(["--seed", "1", "--ledger"])
        .arg(small.path().join("ledger"))
        .arg("--on")
        .arg(backing.path())
        .args(["--", "python3", "-c", READINGS])
        .arg(backing.join("file"))
        .arg(elsewhere.join("pristine"))
        .run()
        .expect_status(125);
    assert!(!ended.stderr.contains("AssertionError"), "{}", ended.stderr);
    let ledger = errorfs::ledger::read(&small.path().join("ledger")).unwrap();
    assert!(!ledger.truncated && ledger.events.len() > 20, "{}", ledger.events.len());
}

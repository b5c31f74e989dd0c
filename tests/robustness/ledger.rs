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

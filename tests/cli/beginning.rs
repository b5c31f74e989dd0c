//! What keeps a mount from beginning, and what is said when it begins with less than usual.

use std::os::unix::fs::PermissionsExt;

use crate::support::*;

const RULE: &str = "version = 1\nseed = 7\n[[rule]]\nname = \"bit\"\n[rule.fault.bit_flip]\n\
    at = [{ byte = 0, bit = 0 }]\n";

#[test]
fn a_ledger_that_a_full_disk_cannot_take_is_transient_and_leaves_no_file() {
    require_fuse!();
    require_root!();
    let (backing, disk) = (Backing::new().with("file", b"x"), Small::new(4096));
    std::fs::write(disk.path().join("filler"), [1; 4096]).unwrap();
    let files = Backing::new().with("s.toml", RULE.as_bytes()).with("mnt/x", b"");
    std::fs::remove_file(files.join("mnt/x")).unwrap();
    let ledger = disk.path().join("ledger");
    let begin = |verb: &str| {
        let program = Program::errorfs(verb).arg("--scenario").arg(files.join("s.toml"));
        program.arg("--ledger").arg(&ledger)
    };
    let mount = || begin("mount").arg(backing.path()).arg(files.join("mnt")).run();
    mount().expect_status(75).expect_said("No space left on device (os error 28); make room");
    assert!(!ledger.exists());
    let run = begin("run").arg("--on").arg(backing.path()).args(["--", "true"]);
    run.run().expect_status(125).expect_said("make room");
    assert!(!ledger.exists());
    // A ledger that was there before is never taken away.
    std::fs::write(&ledger, b"").unwrap();
    mount().expect_status(2).expect_said("never overwritten");
    assert!(ledger.exists());
}

#[test]
fn a_state_directory_in_the_backing_directory_is_named_as_it_was_typed() {
    let (backing, mnt) = (Backing::new(), tempfile::tempdir().unwrap());
    let inside = backing.join("foo/bar");
    let program = Program::errorfs("mount").arg("--state").arg(&inside);
    let ended = program.arg(backing.path()).arg(mnt.path()).run().expect_status(2);
    ended.expect_said(&format!("the state directory {} would be inside", inside.display()));
    assert!(!backing.join("foo").exists());
}

#[test]
fn who_has_no_place_for_a_control_socket_is_told_how_to_get_one() {
    require_fuse!();
    require_root!();
    let backing = Backing::new();
    std::fs::set_permissions(backing.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let run = |more: &[&str]| {
        let program = Program::new("env").args(["-u", "XDG_RUNTIME_DIR", ERRORFS, "run"]);
        let program = program.args(more).arg("--on").arg(backing.path()).args(["--", "true"]);
        program.directory(backing.path()).user(65534).run()
    };
    let ended = run(&[]);
    if ended.stderr.contains("no private namespace") || ended.stderr.contains("/dev/fuse") {
        return skipped(&format!("ordinary users may not do it here: {}", ended.stderr));
    }
    let remedy = "nobody can ask this mount: no place for its control socket; set XDG_RUNTIME_DIR, \
        or name a socket: --control SOCKET";
    ended.expect_status(0).expect_said(remedy);
    assert!(!run(&["--no-control"]).expect_status(0).stderr.contains("XDG_RUNTIME_DIR"));
}

#[test]
fn the_help_of_mount_says_when_the_backing_directory_is_changed() {
    let help = Program::errorfs("mount").arg("--help").succeed().stdout;
    let help: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("No fault changes the backing directory, unless --allow-damage."));
}

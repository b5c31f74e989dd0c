//! Damage is asked for twice.

use std::fs;

use super::Kept;
use crate::support::*;

const FLIP: &str = "[[rule]]\nname = \"flip\"\n[rule.fault.bit_flip]\ncount = 1\non = \"write\"\n";

#[test]
fn a_scenario_that_damages_is_refused_without_leave_and_a_place_for_what_undoes_it() {
    let scratch = tempfile::tempdir().unwrap();
    let backing = Backing::new().with("file", b"bytes");
    let file = scratch.path().join("s.toml");
    fs::write(&file, format!("version = 1\nseed = 1\n{FLIP}")).unwrap();
    let mountpoint = scratch.path().join("mnt");
    fs::create_dir(&mountpoint).unwrap();
    let mount = |args: &[&str]| {
        let program = Program::errorfs("mount").arg("--scenario").arg(&file);
        let program = program.arg("--ledger").arg(scratch.path().join("ledger"));
        program.args(args).arg(backing.path()).arg(&mountpoint).run()
    };
    let state = scratch.path().join("state");
    let state = state.to_str().unwrap();
    for args in [&[][..], &["--state", state]] {
        let ended = mount(args).expect_status(2).expect_said("rule `flip` damages");
        ended.expect_said("give --allow-damage and --state DIR: `errorfs heal DIR` undoes it");
    }
    mount(&["--allow-damage"]).expect_status(2).expect_said("--state <DIR>");
    let inside = backing.join("state");
    mount(&["--allow-damage", "--state", inside.to_str().unwrap()])
        .expect_status(2)
        .expect_said("would be inside");
    assert!(!inside.exists());
}

#[test]
fn a_state_directory_belongs_to_one_backing_directory() {
    require_fuse!();
    let kept = Kept::new(Backing::new().with("file", b"bytes"));
    let mut mount = kept.mount(FLIP);
    mount.stop();
    let other = Backing::new();
    let mnt = tempfile::tempdir().unwrap();
    let program = Program::errorfs("mount").arg("--state").arg(kept.state());
    let ended = program.arg(other.path()).arg(mnt.path()).run();
    ended.expect_status(2).expect_said("give every backing directory a state directory of its own");
}

/// A layer that is thrown away may be damaged without asking twice.
#[test]
fn what_is_discarded_may_be_damaged() {
    require_fuse!();
    let backing = Backing::new().with("file", b"bytes");
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("s.toml");
    fs::write(&file, format!("version = 1\nseed = 1\n{FLIP}")).unwrap();
    let before = tree_hash(backing.path());
    let program = Program::errorfs("run").arg("--scenario").arg(&file);
    let program = program.arg("--ledger").arg(scratch.path().join("ledger"));
    let program = program.arg("--discard-writes").arg("--on").arg(backing.path());
    let script = "printf AAAAAAAA > file; cat file";
    let ended =
        program.args(["--", "sh", "-c", &format!("cd {} && {script}", backing.path().display())]);
    let ended = ended.succeed();
    assert!(ended.stdout.len() == 8 && ended.stdout != "AAAAAAAA", "{ended}");
    assert_eq!(tree_hash(backing.path()), before);
}

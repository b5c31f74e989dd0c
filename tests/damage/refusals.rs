//! Damage is asked for twice.

use std::fs;

use super::Kept;
use crate::support::*;

const FLIP: &str = "[[rule]]\nname = \"flip\"\n[rule.fault.bit_flip]\ncount = 1\non = \"write\"\n";

/// "**Asked twice.** A scenario that damages the backing directory is refused unless the mount is
/// told `--allow-damage`, and `--state DIR` for what undoes it."
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

/// "A state directory belongs to one backing directory, lies outside of it and of the mount, and is
/// used by one mount at a time."
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

/// A layer that is thrown away may be damaged without asking twice. "Under `errorfs run
/// --discard-writes` and `errorfs drill` nothing needs to be allowed: what is damaged there is
/// thrown away."
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

/// A scenario that is loaded later is judged in the same way; and power that nobody watched cannot
/// be cut. "A scenario that is loaded later is judged in the same way; power that nobody watched
/// from the beginning cannot be cut."
#[test]
fn a_live_mount_refuses_what_it_was_not_told() {
    require_fuse!();
    let quiet = "[[rule]]\nname = \"quiet\"\nselect = { path = \"none\" }\n\
        [rule.fault.error]\nerrno = \"EIO\"\n";
    let power = "[[rule]]\nname = \"power\"\nwhen = { nth = 9 }\n[rule.fault.power_cut]\n";
    let files = Backing::new()
        .with("flip", format!("version = 1\n{FLIP}").as_bytes())
        .with("power", format!("version = 1\n{power}").as_bytes());
    let reload = |mount: &Mount, name: &str| {
        let program = Program::errorfs("reload").arg("--on").arg(mount.path());
        program.arg(files.join(name)).run()
    };
    let backing = Backing::new().with("file", b"bytes");
    let mut mount = Mount::new(backing.path()).scenario(quiet).start();
    for name in ["flip", "power"] {
        let refused = reload(&mount, name);
        assert!(!refused.status.success(), "{refused}");
        refused.expect_said("give --allow-damage and --state DIR");
    }
    mount.stop();
    let kept = Kept::new(backing);
    let mut mount = kept.mount(quiet);
    let refused = reload(&mount, "power");
    assert!(!refused.status.success(), "{refused}");
    refused.expect_said("mount with a scenario that has such a rule");
    reload(&mount, "flip").expect_status(0);
    fs::write(mount.join("file"), b"AAAAA").unwrap();
    assert_ne!(fs::read(kept.backing.join("file")).unwrap(), b"AAAAA");
    mount.stop();
    kept.heal().expect_status(0);
    assert_eq!(fs::read(kept.backing.join("file")).unwrap(), b"AAAAA");
}

//! What is asked of the mount itself: options of mount(8), and odd names of source and mountpoint.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Backing, Mount, open_to_all};
use crate::support::*;

const NOBODY: u32 = 65534;

/// A set-user-id program that says who it is, a device, a script.
fn tools() -> Backing {
    let backing = Backing::new().with("script", b"#!/bin/sh\necho ran\n");
    open_to_all(backing.path());
    fs::copy("/usr/bin/id", backing.join("id")).unwrap();
    fs::set_permissions(backing.join("id"), Permissions::from_mode(0o4755)).unwrap();
    fs::set_permissions(backing.join("script"), Permissions::from_mode(0o755)).unwrap();
    let (null, mode) = (rustix::fs::makedev(1, 3), rustix::fs::Mode::from_raw_mode(0o666));
    let kind = rustix::fs::FileType::CharacterDevice;
    rustix::fs::mknodat(rustix::fs::CWD, backing.join("null"), kind, mode, null).unwrap();
    fs::set_permissions(backing.join("null"), Permissions::from_mode(0o666)).unwrap();
    backing
}

/// What nobody finds: who the program thinks it is, whether the device and the script work.
fn found(root: &Path) -> String {
    let script = "cd $0; ./id -u; (echo x > null) 2>/dev/null && echo device; ./script 2>/dev/null; \
        (> new) 2>/dev/null && echo writes; true";
    Program::new("sh").args(["-c", script]).arg(root).user(NOBODY).succeed().stdout
}

#[test]
fn set_id_programs_devices_and_scripts_work_unless_told_otherwise() {
    require_root!();
    require_fuse!();
    let everything = "0\ndevice\nran\nwrites\n";
    assert_eq!(found(tools().path()), everything);
    for (options, wanted) in [
        ("rw", everything),
        ("nosuid", "65534\ndevice\nran\nwrites\n"),
        ("nodev", "0\nran\nwrites\n"),
        ("noexec", "device\nwrites\n"),
        ("ro", "0\ndevice\nran\n"),
        ("sync,dirsync,noatime,nosuid,nodev,suid", "0\nran\nwrites\n"),
    ] {
        let backing = tools();
        let mut mount = Mount::new(backing.path()).args(["--allow-other", "-o", options]).start();
        let script = if options == "noexec" {
            found_without_running(mount.path())
        } else {
            found(mount.path())
        };
        assert_eq!(script, wanted, "-o {options}");
        mount.stop();
    }
}

fn found_without_running(root: &Path) -> String {
    let script = "cd $0; ./id -u 2>/dev/null; (echo x > null) && echo device; ./script 2>/dev/null; \
        > new && echo writes";
    Program::new("sh").args(["-c", script]).arg(root).user(NOBODY).succeed().stdout
}

#[test]
fn options_of_the_mount_are_those_that_were_asked_for() {
    require_root!();
    require_fuse!();
    let backing = Backing::new();
    let options = ["-o", "ro,nosuid,nodev", "-o", "noexec,noatime"];
    let mut mount = Mount::new(backing.path()).args(options).start();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let place = mount.path().to_str().unwrap();
    let line = mounts.lines().find(|line| line.contains(place)).unwrap();
    assert_eq!(line.split(' ').nth(5), Some("ro,nosuid,nodev,noexec,noatime"), "{line}");
    mount.stop();
}

#[test]
fn an_unknown_option_is_a_usage_error_that_says_which_there_are() {
    let backing = Backing::new();
    let ended = Program::errorfs("mount").args(["-o", "ro,fast"]).arg(backing.path()).run();
    ended.expect_status(2).expect_said("fast").expect_said("nosuid");
}

#[test]
fn sources_and_mountpoints_have_any_name() {
    require_root!();
    require_fuse!();
    let names = [
        &b"comma,ro"[..],
        b"back\\slash",
        b"octal\\040",
        b"new\nline",
        b"sp ace\ttab",
        b"-dash",
        b"--help",
        b"\xff\xfe",
        b"# hash",
        b"colon:equals=",
        b"fuse",
        "\u{e9}".as_bytes(),
    ];
    for name in names {
        mounts_and_unmounts(OsStr::from_bytes(name));
    }
}

/// Relative, as a user in that directory would type them.
fn mounts_and_unmounts(name: &OsStr) {
    let scratch = Backing::new();
    let (source, mountpoint) = (Path::new("from").join(name), scratch.path().join(name));
    fs::create_dir_all(scratch.path().join(&source)).unwrap();
    fs::create_dir(&mountpoint).unwrap();
    fs::write(scratch.path().join(&source).join("file"), "x").unwrap();
    let mut child = Command::new(ERRORFS)
        .args(["mount", "--exit-with-parent", "--"])
        .args([source.as_os_str(), name])
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("mounted", Duration::from_secs(20), || mountpoint.join("file").exists());
    Program::errorfs("umount").arg("--").arg(name).directory(scratch.path()).succeed();
    let status = wait_or_kill(&mut child, Duration::from_secs(20));
    assert!(status.success(), "{name:?}: {status}");
    assert!(!mountpoint.join("file").exists(), "{name:?} is still mounted");
}

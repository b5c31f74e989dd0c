//! However errorfs ends, no mount is left behind.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::*;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_mount_shows_its_backing_directory_and_its_type_to_the_system() {
    require_fuse!();
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).start();
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let wanted = format!("{} {} fuse.errorfs ", backing.path().display(), mount.path().display());
    assert!(mounts.contains(&wanted), "no {wanted:?} in\n{mounts}");
    mount.stop();
}

#[test]
fn sigterm_and_sigint_unmount_also_while_a_file_is_open() {
    require_fuse!();
    for signal in [Signal::TERM, Signal::INT] {
        let backing = Backing::new().with("file", b"x");
        let mut mount = Mount::new(backing.path()).start();
        let open = fs::File::open(mount.join("file")).unwrap();
        mount.signal(signal);
        mount.wait();
        assert!(!mount.is_mounted(), "still mounted after {signal:?}");
        drop(open);
    }
}

#[test]
fn a_mount_that_is_killed_leaves_nothing_behind() {
    require_fuse!();
    let backing = Backing::new().with("file", b"x");
    let mut mount = Mount::new(backing.path()).start();
    mount.signal(Signal::KILL);
    mount.wait();
    wait_until("the mount is gone", SOON, || !mount.is_mounted());
}

#[test]
fn a_mount_ends_with_its_parent() {
    require_fuse!();
    let backing = Backing::new();
    let scratch = Backing::new();
    let mountpoint = scratch.join("mnt");
    fs::create_dir(&mountpoint).unwrap();
    let mut parent = Command::new("sh")
        .args(["-c", "\"$0\" mount --exit-with-parent \"$1\" \"$2\" & wait", ERRORFS])
        .args([backing.path(), &mountpoint])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let is_mounted =
        || fs::read_to_string("/proc/mounts").unwrap().contains(mountpoint.to_str().unwrap());
    wait_until("the mount is there", SOON, is_mounted);
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until("the mount is gone", SOON, || !is_mounted());
}

#[test]
fn umount_from_outside_ends_errorfs() {
    require_fuse!();
    let backing = Backing::new();
    let mut mount = Mount::new(backing.path()).start();
    Program::errorfs("umount").arg(mount.path()).succeed();
    assert!(mount.wait().success(), "{}", mount.said());
    assert!(!mount.is_mounted());
}

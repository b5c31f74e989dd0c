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

#[test]
fn a_mountpoint_that_is_moved_is_unmounted_where_it_is() {
    require_fuse!();
    for signal in [Signal::TERM, Signal::KILL] {
        let backing = Backing::new().with("file", b"x");
        let parent = tempfile::tempdir().unwrap();
        let at = parent.path().join("before/mnt");
        std::fs::create_dir_all(&at).unwrap();
        let mut errorfs = by_hand(backing.path(), &at);
        std::fs::rename(parent.path().join("before"), parent.path().join("after")).unwrap();
        let pid = rustix::process::Pid::from_child(&errorfs);
        rustix::process::kill_process(pid, signal).unwrap();
        errorfs.wait().unwrap();
        let gone = || !mounts().contains(&*parent.path().to_string_lossy());
        wait_until("nothing is left", Duration::from_secs(10), gone);
    }
}

#[test]
fn what_somebody_mounts_over_a_mount_is_left_alone() {
    require_fuse!();
    require_root!();
    let backing = Backing::new().with("file", b"x");
    let at = tempfile::tempdir().unwrap();
    let at = at.path().canonicalize().unwrap();
    let mut errorfs = by_hand(backing.path(), &at);
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("cover", &at, "tmpfs", flags, None).unwrap();
    std::fs::write(at.join("theirs"), "kept").unwrap();
    let pid = rustix::process::Pid::from_child(&errorfs);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(errorfs.wait().unwrap().code(), Some(3));
    assert_eq!(std::fs::read(at.join("theirs")).unwrap(), b"kept");
    rustix::mount::unmount(&at, rustix::mount::UnmountFlags::empty()).unwrap();
    let gone = || !mounts().contains(&*at.to_string_lossy());
    wait_until("the guard removes what was below", Duration::from_secs(10), gone);
}

fn by_hand(backing: &std::path::Path, at: &std::path::Path) -> std::process::Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_errorfs"));
    let child = command.arg("mount").arg(backing).arg(at).spawn().unwrap();
    let there = || at.join("file").exists();
    wait_until("it is mounted", Duration::from_secs(10), there);
    // The guard comes right after the mount.
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let guarded = || std::fs::read_to_string(&children).is_ok_and(|pids| !pids.trim().is_empty());
    wait_until("it is guarded", Duration::from_secs(10), guarded);
    child
}

fn mounts() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap()
}

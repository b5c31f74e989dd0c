//! The guard: it removes what a killed errorfs left, and only that.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{DeadMount, errorfs, is_mounted, wait};

fn guard(path: &Path, device: (u32, u32)) -> Child {
    let mut command = errorfs("guard");
    command.arg(path).arg(format!("{}:{}", device.0, device.1));
    command.stdin(Stdio::piped()).spawn().unwrap()
}

fn mount(dir: &tempfile::TempDir) -> Option<DeadMount> {
    let mount = DeadMount::new(&dir.path().canonicalize().unwrap().join("mnt"));
    if mount.is_none() {
        crate::support::skipped("this user may not mount");
    }
    mount
}

#[test]
fn the_end_of_its_input_makes_it_remove_the_mount() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mount) = mount(&dir) else { return };
    let mut guard = guard(&mount.path, mount.device());
    drop(guard.stdin.take());
    assert!(wait(&mut guard).success());
    assert!(!is_mounted(&mount.path));
}

#[test]
fn signals_that_end_a_session_do_not_end_it_first() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mount) = mount(&dir) else { return };
    let mut guard = guard(&mount.path, mount.device());
    let pid = Pid::from_child(&guard);
    let caught = format!("/proc/{}/status", guard.id());
    let ready = || {
        let status = std::fs::read_to_string(&caught).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        u64::from_str_radix(mask.unwrap().trim(), 16).unwrap() & 0b100_0000_0000_0111 == 0x4007
    };
    assert!(super::eventually(ready));
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        kill_process(pid, signal).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(guard.try_wait().unwrap().is_none());
    assert!(is_mounted(&mount.path));
    drop(guard.stdin.take());
    assert!(wait(&mut guard).success());
    assert!(!is_mounted(&mount.path));
}

#[test]
fn a_dismissed_guard_leaves_the_mount_alone() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mount) = mount(&dir) else { return };
    let mut guard = guard(&mount.path, mount.device());
    guard.stdin.take().unwrap().write_all(b"q").unwrap();
    assert!(wait(&mut guard).success());
    assert!(is_mounted(&mount.path));
}

#[test]
fn the_mount_of_another_errorfs_at_the_same_place_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mount) = mount(&dir) else { return };
    let (major, minor) = mount.device();
    let mut guard = guard(&mount.path, (major, minor + 1000));
    drop(guard.stdin.take());
    assert!(wait(&mut guard).success());
    assert!(is_mounted(&mount.path));
}

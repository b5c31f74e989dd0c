//! Nobody reaches out of the backing directory, however fast names change.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::*;

/// Seconds of attempts: more of them with `ERRORFS_ESCAPE_SECONDS`.
fn seconds() -> u64 {
    let told = std::env::var("ERRORFS_ESCAPE_SECONDS").ok();
    told.and_then(|seconds| seconds.parse().ok()).unwrap_or(5)
}

/// This thread, and no other, becomes an ordinary user: one that may not enter the outside, so that
/// only errorfs, which may, could do something there on its behalf.
fn become_nobody() {
    use rustix::process::{Gid, Uid};
    let (gid, uid) = (Gid::from_raw(65534), Uid::from_raw(65534));
    rustix::thread::set_thread_groups(&[]).unwrap();
    rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
    rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
}

/// A directory and a symlink to the outside change places under one name, as fast as they can.
fn swap(root: &Path, outside: &Path, stop: &AtomicBool) {
    become_nobody();
    let (name, other) = (root.join("door"), root.join("other"));
    let _ = fs::create_dir(&name);
    let _ = symlink(outside, &other);
    while !stop.load(Ordering::Relaxed) {
        let flags = rustix::fs::RenameFlags::EXCHANGE;
        let _ = rustix::fs::renameat_with(rustix::fs::CWD, &name, rustix::fs::CWD, &other, flags);
    }
}

/// Everything that a path can be used for, through the door, without following it knowingly.
fn attempt(root: &Path, stop: &AtomicBool) {
    become_nobody();
    let inside = root.join("door");
    for round in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let victim = inside.join("victim");
        let _ = rustix::fs::open(
            &victim,
            rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CREATE,
            rustix::fs::Mode::RUSR,
        );
        let _ = fs::create_dir(inside.join(format!("d{}", round % 3)));
        let _ = fs::remove_file(&victim);
        let _ = fs::rename(root.join("loose"), inside.join("loose"));
        let _ = fs::rename(inside.join("loose"), root.join("loose"));
        let _ = fs::hard_link(root.join("loose"), inside.join("linked"));
        let _ = fs::remove_file(inside.join("linked"));
    }
}

#[test]
fn racing_renames_and_symlinks_reach_nothing_outside() {
    require_fuse!();
    require_root!();
    let outside = Backing::new().with("victim", b"secret").with("kept", b"kept");
    set_mode(outside.path(), 0o700);
    let before = tree_hash(outside.path());
    let backing = Backing::new().with("loose", b"loose");
    set_mode(backing.path(), 0o777);
    set_mode(&backing.join("loose"), 0o666);
    let mut mount = Mount::new(backing.path()).args(["--allow-other"]).start();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| swap(mount.path(), outside.path(), &stop));
        scope.spawn(|| attempt(mount.path(), &stop));
        scope.spawn(|| attempt(mount.path(), &stop));
        std::thread::sleep(Duration::from_secs(seconds()));
        stop.store(true, Ordering::Relaxed);
    });
    assert!(fs::symlink_metadata(mount.join("door")).is_ok(), "the door was there");
    assert_eq!(tree_hash(outside.path()), before);
    mount.stop();
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
